//! The methods by which a device gets, changes and loses what it proves itself with.

use std::time::{Instant, SystemTime};

use serde_json::Value;

use super::answers::{Answer, invalid, no_broker, refused};
use super::arguments::{Args, span, text};
use super::clock::unix_ms;
use super::fault::Fault;
use super::report;
use super::serving::ReissueError;
use super::wiring::Daemon;
use crate::broker::login::{password, scram};
use crate::json::json;
use crate::pki::ProvenKey;
use crate::registry::{Certificate, Registry, Verifiers};
use crate::ubus::{MethodError, Status};

impl Daemon {
    pub(super) fn enrol_method(&mut self, args: &Args) -> Answer {
        let mac = self.wanted(args)?;
        let (secret, verifiers) = new_password()?;
        let (profile, username) = (text(args, "profile"), text(args, "username"));
        let device = self.registry.device(mac);
        let ended = device.and_then(|device| device.credential.as_ref()).map(
            |held| json!({ "username": held.username, "certificates": held.certificates.len() }),
        );
        let username = self
            .registry
            .enrol(unix_ms(), mac, profile, username, verifiers)
            .map_err(refused)?;
        let mut out = report::credential(self, mac, &username, &secret);
        if let Some(out) = out.as_object_mut() {
            out.extend(ended.map(|ended| ("ended".to_owned(), ended)));
        }
        Ok(out)
    }

    pub(super) fn pair_method(&mut self, args: &Args) -> Answer {
        let mac = self.wanted(args)?;
        if args.get("cancel").and_then(Value::as_bool) == Some(true) {
            if !self.registry.cancel_pairing(mac) {
                return Err(Fault::NotPairing { mac }.into());
            }
            return Ok(json!({
                "mac": mac.to_string(),
                "name": report::name(self, mac),
                "cancelled": true,
            }));
        }
        let time = span(args, "for", Registry::PAIRING_TIMES)?.unwrap_or(Registry::PAIRING_TIME);
        let profile = text(args, "profile");
        let until_ms = self
            .registry
            .pair(unix_ms(), mac, profile, time)
            .map_err(refused)?;
        let device = self.registry.device(mac);
        // One device has one IPv4 address; what hides others behind its own MAC has theirs too.
        let shared = device.map(|device| {
            let addresses = device.addresses.iter();
            addresses.filter(|one| one.is_ipv4()).collect::<Vec<_>>()
        });
        let mut out = json!({
            "mac": mac.to_string(),
            "name": report::name(self, mac),
            "until_ms": until_ms,
            "for_s": time.as_secs(),
            "profile": device.map(|device| self.registry.profile_name(device)),
        });
        if let (Some(shared), Some(object)) = (shared, out.as_object_mut())
            && shared.len() > 1
        {
            object.insert("shared_by".to_owned(), json!(shared));
        }
        report::add_server(self, mac, &mut out);
        Ok(out)
    }

    pub(super) fn rotate_method(&mut self, args: &Args) -> Answer {
        let mac = self.wanted(args)?;
        let overlap = span(args, "overlap", Registry::OVERLAPS)?.unwrap_or(Registry::OVERLAP);
        let (secret, verifiers) = new_password()?;
        let (username, until_ms) = self
            .registry
            .rotate(unix_ms(), mac, verifiers, overlap)
            .map_err(refused)?;
        let mut out = report::credential(self, mac, &username, &secret);
        if let Some(object) = out.as_object_mut() {
            object.insert("old_until_ms".to_owned(), json!(until_ms));
        }
        Ok(out)
    }

    pub(super) fn certificate_method(&mut self, args: &Args) -> Answer {
        let mac = self.wanted(args)?;
        let time = span(args, "for", Registry::CERTIFICATE_TIMES)?;
        let time = time.unwrap_or(Registry::CERTIFICATE_TIME);
        let key = text(args, "csr").map(ProvenKey::from_request).transpose();
        let key = key.map_err(|why| invalid(why.to_string()))?;
        if let Err(error) = &self.broker {
            return Err(no_broker(error));
        }
        let device = self.registry.device(mac);
        let held = device.and_then(|device| device.credential.as_ref());
        let username = match held {
            Some(credential) => credential.username.clone(),
            // It proves itself by its certificate alone: of its password nobody is told.
            None => {
                let (_, verifiers) = new_password()?;
                self.registry
                    .enrol(unix_ms(), mac, text(args, "profile"), None, verifiers)
                    .map_err(refused)?
            }
        };
        let issued = match &self.broker {
            Ok(broker) => broker.issue(&username, key.as_ref(), time),
            Err(error) => Err(error.clone()),
        };
        let issued = issued.map_err(|error| no_broker(&error))?;
        let until = issued.until.duration_since(SystemTime::UNIX_EPOCH);
        let until = until.unwrap_or_default().as_millis();
        let until_ms = u64::try_from(until).unwrap_or(u64::MAX);
        let certificate = Certificate {
            serial: issued.serial.clone(),
            issued_ms: unix_ms(),
            until_ms,
        };
        self.registry.certified(mac, certificate).map_err(refused)?;
        let mut out = json!({
            "mac": mac.to_string(),
            "name": report::name(self, mac),
            "username": username,
            "serial": issued.serial,
            "until_ms": until_ms,
            "certificate": issued.certificate,
        });
        if let (Some(key), Some(out)) = (&issued.key, out.as_object_mut()) {
            out.insert("key".to_owned(), json!(**key));
        }
        report::add_server(self, mac, &mut out);
        Ok(out)
    }

    /// The router's own certificates. They are public.
    pub(super) fn ca_method(&self) -> Answer {
        match &self.broker {
            Ok(broker) => Ok(broker.authority()),
            Err(error) => Err(no_broker(error)),
        }
    }

    /// Makes the broker's certificates anew.
    pub(super) fn renew_method(&mut self) -> Answer {
        let broker = self.broker.as_mut().map_err(|error| no_broker(error))?;
        match broker.reissue(Instant::now()) {
            Ok(()) => Ok(broker.authority()),
            Err(ReissueError::Failed(why)) => Err(no_broker(&why)),
            Err(ReissueError::TooSoon(left)) => {
                let seconds = left.as_secs().saturating_add(1);
                Err(Fault::RenewedLately { seconds }.into())
            }
        }
    }

    pub(super) fn revoke_method(&mut self, args: &Args) -> Answer {
        let mac = self.wanted(args)?;
        let username = self.registry.revoke(mac).map_err(refused)?;
        // Who takes a device's credential away wants nothing of it to stay open.
        let url = self.withdraw_description(mac);
        let mut out = json!({
            "mac": mac.to_string(),
            "name": report::name(self, mac),
            "username": username,
        });
        if let (Some(url), Some(object)) = (url, out.as_object_mut()) {
            object.insert("mud_forgotten".to_owned(), json!(url));
        }
        Ok(out)
    }
}

/// A password that nobody has, and what it is checked against.
pub(super) fn new_password() -> Result<(zeroize::Zeroizing<String>, Verifiers), MethodError> {
    let no_random = |error| MethodError::new(Status::SystemError, format!("{error}"));
    let secret = password::issue().map_err(no_random)?;
    let hash = password::Hash::new(secret.as_bytes(), password::ITERATIONS)
        .map_err(no_random)?
        .to_string();
    let scram = scram::verifiers(&secret).map_err(no_random)?;
    let hash = hash.into();
    Ok((secret, Verifiers { hash, scram }))
}
