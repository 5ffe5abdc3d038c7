//! The external check: users that the registry does not know are asked about over HTTP. It fails
//! closed, and a server that hangs delays nobody but those it is asked about.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use mio::Waker;
use mqttguard_broker::Limits;
use mqttguard_common::Mac;
use ring::hmac;
use ring::rand::SystemRandom;
use rustls::ClientConfig;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::password::NoRandom;
use super::verdict::{By, Job, Proof, Proven, Verdict};
use crate::broker::protocol;
use crate::config::{self, HttpAuth, Profile};
use crate::events::Denial;
use crate::hidden::Hidden;
use crate::registry::Account;
use crate::upstream::http;

/// What the identities of users that only the external check knows begin with. No name in the
/// registry has a `/`.
pub(in crate::broker) const PREFIX: &str = "http/";
/// Checks at the same time, and those that may wait.
const THREADS: usize = 2;
const QUEUE: usize = 32;
/// Answers remembered.
const REMEMBERED: usize = 1024;
/// Longest user name that is asked about, in bytes.
const MAX_USERNAME: usize = 128;
/// Patterns in an answer, for each of publish and subscribe.
const MAX_PATTERNS: usize = 64;
/// How often the same failure is written to the log.
const REPEAT: Duration = Duration::from_secs(60);

/// The external check, as the configuration has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpLogin {
    /// The section.
    pub settings: HttpAuth,
    /// What those may do whose answer does not say it.
    pub profile: Profile,
    /// What each may use.
    pub limits: Limits,
}

/// What is asked.
#[derive(Serialize)]
struct Question<'a> {
    username: &'a str,
    password: &'a str,
    client_id: &'a str,
    address: String,
    mac: Option<String>,
    listener: &'a str,
    protocol: &'static str,
}

/// What comes back. Unknown fields are passed over.
#[derive(Deserialize)]
struct Answer {
    decision: Word,
    publish: Option<Vec<String>>,
    subscribe: Option<Vec<String>>,
    /// Seconds for which this may be remembered, at most `cache`.
    ttl: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Allow,
    Deny,
}

/// Rights that an answer gave, in place of the profile's.
#[derive(Clone, Default)]
struct Rights {
    publish: Option<Vec<String>>,
    subscribe: Option<Vec<String>>,
}

/// A login to be asked about.
struct Ask {
    job: Job,
    http: Arc<HttpLogin>,
    mac: Option<Mac>,
    body: Zeroizing<Vec<u8>>,
    /// What the answer is remembered by.
    tag: [u8; 32],
    since: Instant,
}

/// Threads that ask, and what they were told.
pub(in crate::broker) struct Asker {
    asks: SyncSender<Ask>,
    key: hmac::Key,
    known: Arc<Mutex<Known>>,
}

/// Good answers, by an HMAC of all that was asked.
#[derive(Default)]
struct Known(HashMap<[u8; 32], (Instant, Rights)>);

impl Known {
    fn get(&self, tag: &[u8; 32]) -> Option<Rights> {
        let (until, rights) = self.0.get(tag)?;
        (Instant::now() < *until).then(|| rights.clone())
    }

    fn put(&mut self, tag: [u8; 32], until: Instant, rights: Rights) {
        if self.0.len() >= REMEMBERED {
            let now = Instant::now();
            self.0.retain(|_, (until, _)| now < *until);
        }
        if self.0.len() >= REMEMBERED {
            self.0.clear();
        }
        self.0.insert(tag, (until, rights));
    }
}

impl Asker {
    /// Starts the threads; they end when the `Asker` is dropped and what they ask has ended.
    pub(in crate::broker) fn start(
        done: &SyncSender<Verdict>,
        waker: &Arc<Waker>,
    ) -> io::Result<Asker> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new())
            .map_err(|_| io::Error::other(NoRandom))?;
        let (asks, todo) = sync_channel(QUEUE);
        let todo = Arc::new(Mutex::new(todo));
        let known = Arc::new(Mutex::new(Known::default()));
        for _ in 0..THREADS {
            let client = Client {
                known: Arc::clone(&known),
                trusted: None,
                said: None,
            };
            let (todo, done, waker) = (Arc::clone(&todo), done.clone(), Arc::clone(waker));
            thread::Builder::new()
                .name("broker-http".into())
                .spawn(move || client.work(&todo, &done, &waker))?;
        }
        Ok(Asker { asks, key, known })
    }

    /// Has a login asked about; the verdict comes by and by. If it is known already, or not to be
    /// asked, it is the answer here.
    pub(in crate::broker) fn submit(
        &self,
        job: Job,
        http: Arc<HttpLogin>,
        mac: Option<Mac>,
    ) -> Option<Verdict> {
        let verdict = |job, proof| {
            Some(Verdict {
                mac,
                ..Verdict::unchecked(job, proof)
            })
        };
        let Some(body) = question(&job, mac) else {
            return verdict(job, Err(Denial::UnknownUser));
        };
        let mut context = hmac::Context::with_key(&self.key);
        context.update(http.settings.url.to_string().as_bytes());
        context.update(&body);
        let mut tag = [0; 32];
        tag.copy_from_slice(context.sign().as_ref());
        if let Some(rights) = lock(&self.known).get(&tag) {
            let proof = Ok(admitted(&job, &http, rights));
            return verdict(job, proof);
        }
        let ask = Ask {
            job,
            http,
            mac,
            body,
            tag,
            since: Instant::now(),
        };
        use std::sync::mpsc::TrySendError::{Disconnected, Full};
        match self.asks.try_send(ask) {
            Ok(()) => None,
            Err(Full(ask) | Disconnected(ask)) => verdict(ask.job, Err(Denial::Busy)),
        }
    }
}

/// No thread panics while it holds the lock; and if one did, the map is whole.
fn lock(known: &Mutex<Known>) -> std::sync::MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

/// None for what no user name and password of JSON can be.
fn question(job: &Job, mac: Option<Mac>) -> Option<Zeroizing<Vec<u8>>> {
    let username = job.request.username.as_deref()?;
    let password = std::str::from_utf8(job.request.password.as_deref()?).ok()?;
    let is_name =
        (1..=MAX_USERNAME).contains(&username.len()) && !username.chars().any(char::is_control);
    if !is_name {
        return None;
    }
    let question = Question {
        username,
        password,
        client_id: &job.request.client_id,
        address: job.address.to_string(),
        mac: mac.map(|mac| mac.to_string()),
        listener: &job.listener,
        protocol: protocol(job.request.version),
    };
    // Room enough, so that no copy is left behind by growing: an escape takes six bytes at most.
    let texts = username.len() + password.len() + job.request.client_id.len() + job.listener.len();
    let mut body = Zeroizing::new(Vec::with_capacity(texts.saturating_mul(6) + 512));
    serde_json::to_writer(&mut *body, &question).ok()?;
    Some(body)
}

/// A user that the external check lets in.
fn admitted(job: &Job, http: &HttpLogin, rights: Rights) -> Proof {
    let username = job.request.username.as_deref().unwrap_or_default();
    let profile = Profile {
        publish: rights
            .publish
            .unwrap_or_else(|| http.profile.publish.clone()),
        subscribe: rights
            .subscribe
            .unwrap_or_else(|| http.profile.subscribe.clone()),
        ..http.profile.clone()
    };
    let account = Account {
        username: format!("{PREFIX}{username}").into(),
        // Of no device: `%d` grants nothing.
        mac: Mac([0; 6]),
        device: String::new(),
        hash: Hidden::default(),
        scram: Vec::new(),
        earlier: None,
        certificates: Vec::new(),
        roaming: true,
        plaintext: false,
        profile_name: PREFIX.trim_end_matches('/').to_owned(),
        profile: Arc::new(profile),
        limits: Arc::new(http.limits.clone()),
    };
    Proof::Proven(Proven {
        by: By::Check,
        ..Proven::as_account(&Arc::new(account))
    })
}

/// One thread that asks.
struct Client {
    known: Arc<Mutex<Known>>,
    /// The certificates of a file, and which state of it.
    trusted: Option<(PathBuf, SystemTime, Arc<ClientConfig>)>,
    /// The last failure that was written to the log.
    said: Option<(String, Instant)>,
}

impl Client {
    fn work(mut self, todo: &Mutex<Receiver<Ask>>, done: &SyncSender<Verdict>, waker: &Waker) {
        loop {
            let next = todo.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(ask) = next else { return };
            let proof = self.ask(&ask);
            let verdict = Verdict {
                mac: ask.mac,
                ..Verdict::unchecked(ask.job, proof)
            };
            if done.send(verdict).is_err() {
                return;
            }
            let _ = waker.wake();
        }
    }

    fn ask(&mut self, ask: &Ask) -> Result<Proof, Denial> {
        let settings = &ask.http.settings;
        // One that has waited too long behind others is not made to wait for itself as well.
        if ask.since.elapsed() > settings.timeout {
            return Err(Denial::CheckFailed);
        }
        let answer = self.fetch(ask).and_then(|answer| read(&answer));
        let (answer, rights) = match answer {
            Ok(found) => found,
            Err(error) => {
                self.complain(format!("http_auth: {}: {error}", settings.url));
                return Err(Denial::CheckFailed);
            }
        };
        match answer.decision {
            Word::Deny => Err(Denial::CheckDenied),
            Word::Allow => {
                let ttl = answer.ttl.map_or(Duration::MAX, Duration::from_secs);
                let ttl = ttl.min(settings.cache);
                if !ttl.is_zero() {
                    lock(&self.known).put(ask.tag, Instant::now() + ttl, rights.clone());
                }
                Ok(admitted(&ask.job, &ask.http, rights))
            }
        }
    }

    fn fetch(&mut self, ask: &Ask) -> Result<Vec<u8>, String> {
        let settings = &ask.http.settings;
        let deadline = Instant::now() + settings.timeout;
        let tls = match settings.url.is_tls {
            true => Some(self.trust(settings)?),
            false => None,
        };
        http::post(&settings.url, &ask.body, tls.as_ref(), deadline)
    }

    fn trust(&mut self, settings: &HttpAuth) -> Result<Arc<ClientConfig>, String> {
        let file = &settings.ca_file;
        let changed = std::fs::metadata(file)
            .and_then(|found| found.modified())
            .map_err(|error| format!("{}: {error}", file.display()))?;
        if let Some((known, at, config)) = &self.trusted
            && known == file
            && *at == changed
        {
            return Ok(Arc::clone(config));
        }
        let config = http::trust(file)?;
        self.trusted = Some((file.clone(), changed, Arc::clone(&config)));
        Ok(config)
    }

    fn complain(&mut self, what: String) {
        let is_new = self
            .said
            .as_ref()
            .is_none_or(|(said, at)| *said != what || at.elapsed() > REPEAT);
        if is_new {
            log::warn!("{what}");
            self.said = Some((what, Instant::now()));
        }
    }
}

/// An answer with all its rights in order. One with a pattern that is none is no answer.
fn read(body: &[u8]) -> Result<(Answer, Rights), String> {
    let mut answer: Answer = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let rights = Rights {
        publish: answer.publish.take(),
        subscribe: answer.subscribe.take(),
    };
    for (name, patterns, dollar) in [
        ("publish", &rights.publish, false),
        ("subscribe", &rights.subscribe, true),
    ] {
        let patterns = patterns.as_deref().unwrap_or_default();
        if patterns.len() > MAX_PATTERNS {
            return Err(format!("{name}: found more than {MAX_PATTERNS} patterns"));
        }
        if !patterns.iter().all(|text| config::is_pattern(text, dollar)) {
            return Err(format!("{name}: found what is no topic pattern"));
        }
    }
    Ok((answer, rights))
}
