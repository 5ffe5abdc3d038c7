//! Checks what clients prove themselves with, on the login thread.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use mqttguard_broker::Stage;
use mqttguard_common::Mac;
use ring::hmac;
use ring::rand::SystemRandom;
use zeroize::Zeroizing;

use super::Resolve;
use super::auth::{Job, Proof, Proven, Verdict, standing};
use super::event::Denial;
use super::password::{self, Hash};
use super::scram::{ClientFirst, Exchange, Failure, Mechanism, Verifier};
use crate::registry::Account;

/// Passwords remembered as good; devices that reconnect after an outage cost no PBKDF2 then.
const REMEMBERED: usize = 1024;

/// Checks passwords, and remembers in memory which were good: an HMAC under a key of this
/// process over stored hash and password, so that a changed hash is forgotten with it.
pub(super) struct Checker {
    /// What an unknown user's password is checked against.
    nobody: Hash,
    key: hmac::Key,
    good: HashMap<Arc<str>, hmac::Tag>,
}

impl Checker {
    pub(super) fn new() -> io::Result<Checker> {
        let random = SystemRandom::new();
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &random)
            .map_err(|_| io::Error::other(password::NoRandom))?;
        let nobody = Hash::new(b"", password::ITERATIONS).map_err(io::Error::other)?;
        Ok(Checker {
            nobody,
            key,
            good: HashMap::new(),
        })
    }

    pub(super) fn check(&mut self, mut job: Job, resolve: &Resolve) -> Verdict {
        let mac = resolve(job.address);
        let proof = self.prove(&mut job, mac);
        Verdict {
            mac,
            ..Verdict::unchecked(job, proof)
        }
    }

    fn prove(&mut self, job: &mut Job, mac: Option<Mac>) -> Result<Proof, Denial> {
        // Before the costly part: whoever is in quarantine gets no more of the worker's time.
        standing(&job.directory, mac)?;
        match job.request.method.as_deref() {
            None => self.password(job, mac).map(|account| {
                Proof::Proven(Proven {
                    account,
                    data: None,
                })
            }),
            Some(method) => {
                let mechanism = Mechanism::named(method).ok_or(Denial::UnknownMethod)?;
                scram(job, mechanism)
            }
        }
    }

    fn password(&mut self, job: &Job, mac: Option<Mac>) -> Result<Arc<Account>, Denial> {
        let (Some(username), Some(password)) = (&job.request.username, &job.request.password)
        else {
            return Err(Denial::NoCredentials);
        };
        if password.len() > password::MAX_PASSWORD {
            return Err(Denial::WrongPassword);
        }
        let Some(account) = job.directory.accounts.get(username) else {
            self.nobody.verify(password);
            return Err(Denial::UnknownUser);
        };
        let mut message =
            Zeroizing::new(Vec::with_capacity(account.hash.len() + password.len() + 1));
        message.extend_from_slice(account.hash.as_bytes());
        message.push(0);
        message.extend_from_slice(password);
        // Not for a device that would be refused all the same: a fast answer would tell it that
        // the password is right.
        if (account.roaming || mac == Some(account.mac))
            && let Some(tag) = self.good.get(username.as_str())
            && hmac::verify(&self.key, &message, tag.as_ref()).is_ok()
        {
            return Ok(Arc::clone(account));
        }
        let hash: Hash = account.hash.parse().map_err(|_| Denial::DamagedHash)?;
        if !hash.verify(password) {
            return Err(Denial::WrongPassword);
        }
        if self.good.len() >= REMEMBERED {
            self.good.clear();
        }
        let tag = hmac::sign(&self.key, &message);
        self.good.insert(Arc::clone(&account.username), tag);
        Ok(Arc::clone(account))
    }
}

/// One message of a SCRAM exchange.
fn scram(job: &mut Job, mechanism: Mechanism) -> Result<Proof, Denial> {
    let data = job.request.data.take().unwrap_or_default();
    if job.request.stage == Stage::Continue {
        let exchange = job.exchange.take().ok_or(Denial::BadExchange)?;
        job.request.username = Some(exchange.username.clone());
        let account = job.directory.accounts.get(&exchange.username);
        let has_verifier = account.is_some_and(|account| verifier(account, mechanism).is_some());
        let done = exchange.finish(&data);
        return match (done, account) {
            (Ok(last), Some(account)) => Ok(Proof::Proven(Proven {
                account: Arc::clone(account),
                data: Some(last.into_bytes()),
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
