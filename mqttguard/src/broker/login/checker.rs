//! Checks what clients prove themselves with, on the login thread.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use mio::Waker;
use mqttguard_broker::Stage;
use mqttguard_common::Mac;
use ring::hmac;
use ring::rand::SystemRandom;
use zeroize::Zeroizing;

use super::auth::{claimable, standing};
use super::http_auth::{Asker, HttpLogin};
use super::imported::Imported;
use super::password::{self, Hash};
use super::scram::{ClientFirst, Exchange, Failure, Mechanism, Verifier, verifiers};
use super::token::{self, Tokens};
use super::verdict::{By, Job, Proof, Proven, Verdict};
use super::weak::is_weak;
use crate::broker::Resolve;
use crate::config::ListenerKind;
use crate::events::Denial;
use crate::hidden::Hidden;
use crate::registry::{Account, Directory, Waiting, is_username};

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
    /// User names with two passwords whose next SCRAM exchange is about the newer one.
    newer: HashSet<Arc<str>>,
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
            newer: HashSet::new(),
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
                Ok(self.scram(job, mechanism, mac)?)
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
        let pairing = mac.and_then(|mac| job.directory.pairings.get(&mac));
        // A certificate names its account already.
        let pairing = pairing.filter(|_| job.certificate.is_none());
        let (Some(username), Some(password)) = (&job.request.username, &job.request.password)
        else {
            return Err(match pairing {
                Some(_) => Denial::PairingAnonymous.into(),
                None => Denial::NoCredentials.into(),
            });
        };
        if password.len() > password::MAX_PASSWORD {
            return Err(Denial::WrongPassword.into());
        }
        let Some(account) = job.directory.accounts.get(username) else {
            let waiting = job.directory.claims.get(username);
            if let Some(waiting) = waiting.filter(|_| job.certificate.is_none()) {
                return match (self.claim(job, waiting, password, mac), pairing) {
                    (Err(Denial::WrongPassword), Some(_)) => Err(Denial::PairingNameTaken.into()),
                    (checked, _) => Ok(Proof::Proven(checked?)),
                };
            }
            if let Some(pairing) = pairing {
                return Ok(pair(job.kind, pairing, username, password)?);
            }
            if let Some(http) = &job.logins.http {
                return Err(Unproven::Elsewhere(Arc::clone(http)));
            }
            self.waste(&job.directory, None, password);
            return Err(Denial::UnknownUser.into());
        };
        match (self.known(&job.directory, account, password, mac), pairing) {
            // Set up anew under the name that it had.
            (Err(Denial::WrongPassword), Some(pairing)) if account.mac == pairing.mac => {
                Ok(pair(job.kind, pairing, username, password)?)
            }
            (Err(Denial::WrongPassword), Some(_)) => Err(Denial::PairingNameTaken.into()),
            (checked, _) => Ok(Proof::Proven(checked?)),
        }
    }

    /// Whether this is the password of an account that waits for its device. What it is to be
    /// checked against from now on is only made if the device may have it.
    fn claim(
        &self,
        job: &Job,
        waiting: &Waiting,
        password: &[u8],
        mac: Option<Mac>,
    ) -> Result<Proven, Denial> {
        let imported: Imported = waiting.hash.parse().map_err(|_| Denial::DamagedHash)?;
        let is_right = imported.verify(password);
        let username = &waiting.account.username;
        let fits = claimable(&job.directory, username, mac, job.kind);
        if !is_right || fits.is_err() {
            // Right or wrong, as much as for a name that nobody has.
            let passwords = 1 + u32::from(job.directory.has_rotations);
            if let Some(rest) = imported.rest(passwords) {
                self.nobody.with_iterations(rest).verify(password);
            }
        }
        if !is_right {
            return Err(Denial::WrongPassword);
        }
        let (account, weak) = match fits {
            Ok(()) => (
                with_password(&waiting.account, username, password)?,
                is_weak(username, password),
            ),
            Err(_) => (Account::clone(&waiting.account), false),
        };
        let serial = waiting.serial;
        Ok(Proven {
            by: By::Claim { serial, weak },
            ..Proven::as_account(&Arc::new(account))
        })
    }

    /// Whether this is a password of the account.
    fn known(
        &mut self,
        directory: &Directory,
        account: &Arc<Account>,
        password: &[u8],
        mac: Option<Mac>,
    ) -> Result<Proven, Denial> {
        // Not for a device that would be refused all the same: an answer that is faster, or slower
        // for what only the right password is worth, would tell it that the password is right.
        let is_at_home = account.roaming || mac == Some(account.mac);
        let earlier = account.earlier.as_ref();
        let hashes = [(&account.hash, false)].into_iter();
        let hashes = hashes.chain(earlier.map(|earlier| (&earlier.hash, true)));
        if is_at_home && let Some(tag) = self.good.get(&account.username) {
            for (hash, by_earlier) in hashes.clone() {
                if hmac::verify(&self.key, &tagged(hash, password), tag.as_ref()).is_ok() {
                    return Ok(Proven {
                        by_earlier,
                        ..Proven::as_account(account)
                    });
                }
            }
        }
        for (text, by_earlier) in hashes {
            let hash: Hash = text.parse().map_err(|_| Denial::DamagedHash)?;
            if !hash.verify(password) {
                continue;
            }
            if self.good.len() >= REMEMBERED {
                self.good.clear();
            }
            let tag = hmac::sign(&self.key, &tagged(text, password));
            self.good.insert(Arc::clone(&account.username), tag);
            let verifiers = match is_at_home && !by_earlier {
                true => missing_verifiers(account, password),
                false => Vec::new(),
            };
            return Ok(Proven {
                verifiers,
                by_earlier,
                ..Proven::as_account(account)
            });
        }
        self.waste(directory, Some(account), password);
        Err(Denial::WrongPassword)
    }

    /// A password that is wrong costs the same whoever's it is not: an account may have two, and
    /// then all are checked as often.
    fn waste(&self, directory: &Directory, account: Option<&Account>, password: &[u8]) {
        let most = 1 + u8::from(directory.has_rotations);
        let spent = account.map_or(0, |account| 1 + u8::from(account.earlier.is_some()));
        for _ in spent..most {
            self.nobody.verify(password);
        }
    }

    /// One message of a SCRAM exchange.
    fn scram(
        &mut self,
        job: &mut Job,
        mechanism: Mechanism,
        mac: Option<Mac>,
    ) -> Result<Proof, Denial> {
        let data = job.request.data.take().unwrap_or_default();
        if job.request.stage == Stage::Continue {
            let exchange = job.exchange.take().ok_or(Denial::BadExchange)?;
            job.request.username = Some(exchange.username.clone());
            let account = job.directory.accounts.get(&exchange.username);
            let [newer, earlier] = verifiers_of(account, mechanism);
            let has_verifier = newer.is_some() || earlier.is_some();
            // What the exchange began with may have been replaced since: then it proves nothing.
            let by_earlier = earlier.is_some_and(|earlier| exchange.is_with(&earlier));
            let is_current = by_earlier || newer.is_some_and(|newer| exchange.is_with(&newer));
            let done = exchange.finish(&data);
            let done = done.and_then(|last| is_current.then_some(last).ok_or(Failure::Proof));
            return match (done, account) {
                (Ok(last), Some(account)) => Ok(Proof::Proven(Proven {
                    data: Some(last.into_bytes()),
                    by: By::Scram,
                    by_earlier,
                    ..Proven::as_account(account)
                })),
                (Err(Failure::Proof) | Ok(_), None) => Err(Denial::UnknownUser),
                (Err(Failure::Proof), Some(_)) if !has_verifier => Err(Denial::NoVerifier),
                (Err(failure), account) => {
                    if let Some(account) = account {
                        self.take_turns(account, by_earlier, mac);
                    }
                    Err(denial(failure))
                }
            };
        }
        let first = ClientFirst::read(&data).map_err(denial)?;
        // A user name beside that of the exchange has to be the same one.
        let given = job.request.username.replace(first.username.clone());
        if given.is_some_and(|given| given != first.username) {
            return Err(Denial::OtherUser);
        }
        let account = job.directory.accounts.get(&first.username);
        let is_to_be_paired = mac.is_some_and(|mac| job.directory.pairings.contains_key(&mac));
        if is_to_be_paired && account.is_none() {
            return Err(Denial::PairingNeedsPassword);
        }
        let [newer, earlier] = verifiers_of(account, mechanism);
        let verifier = match self.newer.contains(&*first.username) {
            true => newer,
            false => earlier.or(newer),
        };
        let secret = hmac::Key::new(hmac::HMAC_SHA256, &*job.logins.secret);
        let (exchange, data) =
            Exchange::begin(mechanism, first, verifier, &secret).map_err(denial)?;
        Ok(Proof::Continue {
            data: data.into_bytes(),
            exchange: Box::new(exchange),
        })
    }

    /// The server has to name a salt before it knows which of two passwords the client has: after
    /// a proof of the one has failed, the next exchange is about the other. A stranger cannot
    /// bring that about.
    fn take_turns(&mut self, account: &Account, by_earlier: bool, mac: Option<Mac>) {
        let is_at_home = account.roaming || mac == Some(account.mac);
        if account.earlier.is_none() || !is_at_home {
            return;
        }
        if self.newer.len() >= REMEMBERED {
            self.newer.clear();
        }
        match by_earlier {
            true => self.newer.insert(Arc::clone(&account.username)),
            false => self.newer.remove(&account.username),
        };
    }
}

/// What is remembered of a good password, under the process's key.
fn tagged(hash: &str, password: &[u8]) -> Zeroizing<Vec<u8>> {
    let length = hash.len().saturating_add(password.len()).saturating_add(1);
    let mut message = Zeroizing::new(Vec::with_capacity(length));
    message.extend_from_slice(hash.as_bytes());
    message.push(0);
    message.extend_from_slice(password);
    message
}

/// What a device in its pairing window presents, to become the credential of `pairing`.
fn pair(
    listener: ListenerKind,
    pairing: &Account,
    username: &str,
    password: &[u8],
) -> Result<Proof, Denial> {
    if listener == ListenerKind::Plain && !pairing.plaintext {
        return Err(Denial::PlaintextNotAllowed);
    }
    if username.is_empty() || password.is_empty() {
        return Err(Denial::PairingAnonymous);
    }
    if !is_username(username) {
        return Err(Denial::PairingName);
    }
    let account = with_password(pairing, username, password)?;
    let weak = is_weak(username, password);
    Ok(Proof::Proven(Proven {
        by: By::Pairing { weak },
        ..Proven::as_account(&Arc::new(account))
    }))
}

/// The account with this user name, and with what this password is to be checked against.
fn with_password(account: &Account, username: &str, password: &[u8]) -> Result<Account, Denial> {
    let hash = Hash::new(password, password::ITERATIONS).map_err(|_| Denial::NoRandom)?;
    let scram = std::str::from_utf8(password).map(verifiers);
    let scram = scram.unwrap_or(Ok(Vec::new()));
    Ok(Account {
        username: username.into(),
        hash: hash.to_string().into(),
        scram: scram.map_err(|_| Denial::NoRandom)?,
        ..account.clone()
    })
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
fn missing_verifiers(account: &Account, password: &[u8]) -> Vec<Hidden> {
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

/// Verifiers of the account's password, and of the one before it while that still works.
fn verifiers_of(account: Option<&Arc<Account>>, mechanism: Mechanism) -> [Option<Verifier>; 2] {
    let of = |texts: &[Hidden]| {
        let mut all = texts.iter().filter_map(|text| text.parse().ok());
        all.find(|verifier: &Verifier| verifier.mechanism() == mechanism)
    };
    let earlier = account.and_then(|account| account.earlier.as_ref());
    [
        account.and_then(|account| of(&account.scram)),
        earlier.and_then(|earlier| of(&earlier.scram)),
    ]
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

#[cfg(test)]
mod tests;
