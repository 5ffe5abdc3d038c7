//! Checks what clients prove themselves with, on the login thread.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use mio::Waker;
use mqttguard_broker::Stage;
use mqttguard_common::Mac;
use ring::hmac;
use ring::rand::SystemRandom;
use zeroize::Zeroizing;

use super::auth::standing;
use super::http_auth::{Asker, HttpLogin};
use super::password::{self, Hash};
use super::scram::{ClientFirst, Exchange, Failure, Mechanism, Verifier, verifiers};
use super::token::{self, Tokens};
use super::verdict::{By, Job, Proof, Proven, Verdict};
use crate::broker::Resolve;
use crate::broker::event::Denial;
use crate::registry::{Account, Directory};

/// Passwords remembered as good; devices that reconnect after an outage cost no PBKDF2 then.
const REMEMBERED: usize = 1024;

/// Why there is no proof.
enum Unproven {
    Denied(Denial),
    /// Somebody else is to be asked.
    Elsewhere(Arc<HttpLogin>),
}

impl From<Denial> for Unproven {
    fn from(denial: Denial) -> Unproven {
        Unproven::Denied(denial)
    }
}

/// Checks passwords, and remembers in memory which were good: an HMAC under a key of this
/// process over stored hash and password, so that a changed hash is forgotten with it.
pub(in crate::broker) struct Checker {
    /// What an unknown user's password is checked against.
    nobody: Hash,
    key: hmac::Key,
    good: HashMap<Arc<str>, hmac::Tag>,
    tokens: Option<Tokens>,
    /// From the first login on that needs it.
    asker: Option<Asker>,
    done: SyncSender<Verdict>,
    waker: Arc<Waker>,
}

impl Checker {
    pub(in crate::broker) fn new(
        done: SyncSender<Verdict>,
        waker: Arc<Waker>,
    ) -> io::Result<Checker> {
        let random = SystemRandom::new();
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &random)
            .map_err(|_| io::Error::other(password::NoRandom))?;
        let nobody = Hash::new(b"", password::ITERATIONS).map_err(io::Error::other)?;
        Ok(Checker {
            nobody,
            key,
            good: HashMap::new(),
            tokens: None,
            asker: None,
            done,
            waker,
        })
    }

    /// The verdict, unless another thread is to give it.
    pub(in crate::broker) fn check(&mut self, mut job: Job, resolve: &Resolve) -> Option<Verdict> {
        let mac = resolve(job.address);
        // Whoever a certificate names need not say so.
        if let (None, None, Some(Ok(named))) =
            (&job.request.method, &job.request.username, &job.certificate)
        {
            job.request.username = Some(named.clone());
        }
        let proof = match self.prove(&mut job, mac) {
            Ok(proof) => Ok(proof),
            Err(Unproven::Denied(denial)) => Err(denial),
            Err(Unproven::Elsewhere(http)) => match self.asker() {
                Ok(asker) => return asker.submit(job, http, mac),
                Err(error) => {
                    log::error!("http_auth: {error}");
                    Err(Denial::CheckFailed)
                }
            },
        };
        Some(Verdict {
            mac,
            ..Verdict::unchecked(job, proof)
        })
    }

    fn asker(&mut self) -> io::Result<&Asker> {
        let asker = match self.asker.take() {
            Some(asker) => asker,
            None => Asker::start(&self.done, &self.waker)?,
        };
        Ok(self.asker.insert(asker))
    }

    fn prove(&mut self, job: &mut Job, mac: Option<Mac>) -> Result<Proof, Unproven> {
        // Before the costly part: whoever is in quarantine gets no more of the worker's time.
        standing(&job.directory, mac)?;
        let named = match &job.certificate {
            None => return self.prove_by_secret(job, mac),
            Some(certificate) => certificate.clone()?,
        };
        if job.request.method.is_none() {
            let given = job.request.username.as_deref();
            let account = certified(&job.directory, &named, given)?;
            return Ok(Proof::Proven(Proven {
                by: By::Certificate,
                ..Proven::as_account(&account)
            }));
        }
        // A certificate and more: both have to be of the same account.
        let proof = self.prove_by_secret(job, mac)?;
        match &job.request.username {
            Some(username) if *username != named => Err(Denial::CertificateOfAnother.into()),
            _ => Ok(proof),
        }
    }

    fn prove_by_secret(&mut self, job: &mut Job, mac: Option<Mac>) -> Result<Proof, Unproven> {
        match job.request.method.as_deref() {
            None => match given_token(job) {
                Some(token) => Ok(self.token(job, &token)?),
                None => self.password(job, mac),
            },
            Some(token::METHOD) if job.logins.jwt.is_some() => {
                let data = job.request.data.take().unwrap_or_default();
                let (token, authzid) = token::bearer(&data).ok_or(Denial::BadExchange)?;
                let proof = self.token(job, token.as_bytes())?;
                match authzid.is_some_and(|name| job.request.username.as_deref() != Some(name)) {
                    true => Err(Denial::OtherUser.into()),
                    false => Ok(proof),
                }
            }
            Some(method) => {
                let mechanism = Mechanism::named(method).ok_or(Denial::UnknownMethod)?;
                Ok(scram(job, mechanism)?)
            }
        }
    }

    /// A token stands for the account that it names.
    fn token(&mut self, job: &mut Job, token: &[u8]) -> Result<Proof, Denial> {
        let jwt = job.logins.jwt.as_ref().ok_or(Denial::BadToken)?;
        let known = self.tokens.take().filter(|tokens| tokens.are_by(jwt));
        let tokens = self
            .tokens
            .insert(known.unwrap_or_else(|| Tokens::new(jwt.clone())));
        let claims = tokens.check(token)?;
        let given = job.request.username.replace(claims.username.clone());
        if given.is_some_and(|given| !given.is_empty() && given != claims.username) {
            return Err(Denial::OtherUser);
        }
        let account = job.directory.accounts.get(&claims.username);
        let account = account.ok_or(Denial::TokenNamesNobody)?;
        Ok(Proof::Proven(Proven {
            until: Some(claims.until),
            by: By::Token,
            ..Proven::as_account(account)
        }))
    }

    fn password(&mut self, job: &Job, mac: Option<Mac>) -> Result<Proof, Unproven> {
        let (Some(username), Some(password)) = (&job.request.username, &job.request.password)
        else {
            return Err(Denial::NoCredentials.into());
        };
        if password.len() > password::MAX_PASSWORD {
            return Err(Denial::WrongPassword.into());
        }
        let Some(account) = job.directory.accounts.get(username) else {
            if let Some(http) = &job.logins.http {
                return Err(Unproven::Elsewhere(Arc::clone(http)));
            }
            self.nobody.verify(password);
            return Err(Denial::UnknownUser.into());
        };
        let mut message =
            Zeroizing::new(Vec::with_capacity(account.hash.len() + password.len() + 1));
        message.extend_from_slice(account.hash.as_bytes());
        message.push(0);
        message.extend_from_slice(password);
        // Not for a device that would be refused all the same: an answer that is faster, or slower
        // for what only the right password is worth, would tell it that the password is right.
        let is_at_home = account.roaming || mac == Some(account.mac);
        if is_at_home
            && let Some(tag) = self.good.get(username.as_str())
            && hmac::verify(&self.key, &message, tag.as_ref()).is_ok()
        {
            return Ok(Proof::Proven(Proven::as_account(account)));
        }
        let hash: Hash = account.hash.parse().map_err(|_| Denial::DamagedHash)?;
        if !hash.verify(password) {
            return Err(Denial::WrongPassword.into());
        }
        if self.good.len() >= REMEMBERED {
            self.good.clear();
        }
        let tag = hmac::sign(&self.key, &message);
        self.good.insert(Arc::clone(&account.username), tag);
        let verifiers = match is_at_home {
            true => missing_verifiers(account, password),
            false => Vec::new(),
        };
        Ok(Proof::Proven(Proven {
            verifiers,
            ..Proven::as_account(account)
        }))
    }
}

/// The account of the user whom a certificate names, which proves as much as a password.
fn certified(
    directory: &Directory,
    name: &str,
    username: Option<&str>,
) -> Result<Arc<Account>, Denial> {
    if username.is_some_and(|username| username != name) {
        return Err(Denial::CertificateOfAnother);
    }
    let account = directory.accounts.get(name);
    account.cloned().ok_or(Denial::CertificateNoAccount)
}

/// What lets the account log in by SCRAM from now on, if it is older than that.
fn missing_verifiers(account: &Account, password: &[u8]) -> Vec<String> {
    match std::str::from_utf8(password) {
        Ok(password) if account.scram.is_empty() => verifiers(password).unwrap_or_default(),
        _ => Vec::new(),
    }
}

/// The password, if it is to be checked as a token.
fn given_token(job: &mut Job) -> Option<Zeroizing<Vec<u8>>> {
    let password = job.request.password.as_ref()?;
    let is_one = job.logins.jwt.is_some() && token::looks_like_one(password);
    job.request.password.take_if(|_| is_one)
}

/// One message of a SCRAM exchange.
fn scram(job: &mut Job, mechanism: Mechanism) -> Result<Proof, Denial> {
    let data = job.request.data.take().unwrap_or_default();
    if job.request.stage == Stage::Continue {
        let exchange = job.exchange.take().ok_or(Denial::BadExchange)?;
        job.request.username = Some(exchange.username.clone());
        let account = job.directory.accounts.get(&exchange.username);
        let known = account.and_then(|account| verifier(account, mechanism));
        let has_verifier = known.is_some();
        // What the exchange began with may have been replaced since: then it proves nothing.
        let is_current = known.is_some_and(|known| exchange.is_with(&known));
        let done = exchange.finish(&data);
        let done = done.and_then(|last| is_current.then_some(last).ok_or(Failure::Proof));
        return match (done, account) {
            (Ok(last), Some(account)) => Ok(Proof::Proven(Proven {
                data: Some(last.into_bytes()),
                by: By::Scram,
                ..Proven::as_account(account)
            })),
            (Err(Failure::Proof) | Ok(_), None) => Err(Denial::UnknownUser),
            (Err(Failure::Proof), Some(_)) if !has_verifier => Err(Denial::NoVerifier),
            (Err(failure), _) => Err(denial(failure)),
        };
    }
    let first = ClientFirst::read(&data).map_err(denial)?;
    // A user name beside that of the exchange has to be the same one.
    let given = job.request.username.replace(first.username.clone());
    if given.is_some_and(|given| given != first.username) {
        return Err(Denial::OtherUser);
    }
    let account = job.directory.accounts.get(&first.username);
    let verifier = account.and_then(|account| verifier(account, mechanism));
    let secret = hmac::Key::new(hmac::HMAC_SHA256, &*job.logins.secret);
    let (exchange, data) = Exchange::begin(mechanism, first, verifier, &secret).map_err(denial)?;
    Ok(Proof::Continue {
        data: data.into_bytes(),
        exchange: Box::new(exchange),
    })
}

fn verifier(account: &Account, mechanism: Mechanism) -> Option<Verifier> {
    let all = account.scram.iter().filter_map(|text| text.parse().ok());
    let mut all = all.filter(|verifier: &Verifier| verifier.mechanism() == mechanism);
    all.next()
}

fn denial(failure: Failure) -> Denial {
    match failure {
        Failure::Message => Denial::BadExchange,
        Failure::ChannelBinding => Denial::ChannelBinding,
        Failure::OtherUser => Denial::OtherUser,
        Failure::Proof => Denial::WrongPassword,
        Failure::NoRandom => Denial::NoRandom,
    }
}
