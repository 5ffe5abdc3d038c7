//! Pushes: what may be pushed where, the credential for it, and what the owner is told. Each runs on a
//! thread of its own, which asks main for the credential and hands over how it went.

use std::net::IpAddr;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use mqttguard_common::Mac;
use serde_json::Value;
use zeroize::Zeroizing;

use super::answers::{invalid, never_seen, no_broker};
use super::arguments::{Args, firmware, text};
use super::clock::unix_ms;
use super::fault::Fault;
use super::identity::new_password;
use super::wiring::Daemon;
use super::{Input, report, snippets};
use crate::coded::Coded as _;
use crate::events::EventKind;
use crate::hidden::Hidden;
use crate::json::json;
use crate::naming::Firmware;
use crate::push::{self, Cause, Given, Login, Order, Pushable, Report, Step};
use crate::registry::{Credential, Device, Registry, State, UnixMs, Verifiers};
use crate::ubus::{MethodError, Reply, Status};
use crate::{discovery, enforce};

/// Pushes at the same time.
const MOST: usize = 4;
/// What main may take beside the push itself.
const MARGIN: Duration = Duration::from_secs(2);
/// How long main may take to make a credential.
const CREDENTIAL: Duration = Duration::from_secs(5);
/// Longest user name and password of a web interface, in bytes.
const MAX_LOGIN: usize = 128;

/// What a push has to say to main.
pub(super) enum PushEvent {
    /// Nothing speaks against it: the device is to have this password.
    Wanted {
        mac: Mac,
        /// What the device is called in what it will be sent.
        name: String,
        profile: Option<String>,
        verifiers: Verifiers,
        answer: SyncSender<Result<Granted, String>>,
    },
    /// It is over.
    Done(Box<Done>),
}

/// A credential for a push.
pub(super) struct Granted {
    username: String,
    hash: Hidden,
    /// The one that the device had.
    before: Option<Credential>,
    /// When the password of before ends; None if there was none.
    old_until_ms: Option<UnixMs>,
}

pub(super) struct Done {
    order: Order,
    report: Report,
    granted: Option<Granted>,
    reply: Reply,
}

impl Daemon {
    /// Begins a push; the answer comes when it is over.
    pub(super) fn push_method(&mut self, args: &Args, reply: Reply) {
        let begun = self.order(args).and_then(|order| {
            let profile = text(args, "profile").map(str::to_owned);
            if let Some(name) = &profile
                && !self.configuration.settings.profiles.contains_key(name)
            {
                return Err(invalid(format!("profile: there is none named '{name}'")));
            }
            Ok((order, profile))
        });
        let (order, profile) = match begun {
            Ok(begun) => begun,
            Err(error) => return reply.send(Err(error)),
        };
        let mac = order.mac;
        reply.later(push::DEADLINE + MARGIN);
        let inbox = self.inbox.clone();
        let thread = thread::Builder::new().name("push".to_owned());
        // Dropped unsent, the reply says that there is no answer.
        match thread.spawn(move || carry_out(order, profile, reply, &inbox)) {
            Ok(_) => {
                self.pushes.insert(mac);
            }
            Err(error) => log::error!("push: no thread: {error}"),
        }
    }

    fn order(&self, args: &Args) -> Result<Order, MethodError> {
        let mac = self.wanted(args)?;
        let device = self.registry.device(mac).ok_or_else(|| never_seen(mac))?;
        let name = &device.name;
        if self.pushes.contains(&mac) || self.pushes.len() >= MOST {
            let count = self.pushes.len();
            return Err(Fault::PushesBusy { count }.into());
        }
        let state = device.state();
        if matches!(state, State::Blocked | State::Quarantined) {
            return Err(Fault::CutOff {
                name: name.clone(),
                state: state.name(),
            }
            .into());
        }
        if let Err(error) = &self.broker {
            return Err(no_broker(error));
        }
        let known = firmware(args)?.or_else(|| device.probable_firmware());
        let firmware = known.and_then(Pushable::of).ok_or_else(|| Fault::NoPush {
            name: name.clone(),
            firmware: known.map(Firmware::title),
            known: Pushable::ALL.map(|one| one.firmware().name()).to_vec(),
        })?;
        let held = device.credential.as_ref();
        Ok(Order {
            mac,
            address: self.address_to_push(device, text(args, "device"))?,
            firmware,
            name: name.clone(),
            username: held.map_or(name, |held| &held.username).clone(),
            place: snippets::place(self, mac),
            login: login(args)?,
            dry_run: args.get("dry_run").and_then(Value::as_bool) == Some(true),
        })
    }

    /// The device's address: the one that the owner has named, or the only one, on a guarded link.
    fn address_to_push(
        &self,
        device: &Device,
        wanted: Option<&str>,
    ) -> Result<IpAddr, MethodError> {
        let name = &device.name;
        let named = wanted.and_then(|wanted| wanted.parse::<IpAddr>().ok());
        let named = named.filter(|address| device.addresses.contains(address));
        let is_global =
            |address: &&IpAddr| !matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local());
        let (v4, v6): (Vec<IpAddr>, Vec<IpAddr>) = device
            .addresses
            .iter()
            .filter(is_global)
            .partition(|address| address.is_ipv4());
        let address = match (named, v4.as_slice(), v6.as_slice()) {
            (Some(named), ..) => named,
            (None, [only], _) | (None, [], [only]) => *only,
            (None, [], []) => {
                return Err(Fault::NoAddress { name: name.clone() }.into());
            }
            (None, [], many) | (None, many, _) => {
                return Err(Fault::Addresses {
                    name: name.clone(),
                    addresses: many.iter().map(IpAddr::to_string).collect(),
                }
                .into());
            }
        };
        let failed = |error: &dyn std::fmt::Display| {
            MethodError::new(Status::SystemError, format!("{address}: {error}"))
        };
        let link = discovery::link_of(address).map_err(|error| failed(&error))?;
        let guarded = enforce::routed(self.guard.devices()).map_err(|error| failed(&error))?;
        let links = discovery::links().map_err(|error| failed(&error))?;
        let is_guarded = links
            .iter()
            .any(|one| Some(one.index) == link && guarded.contains(&one.name));
        match is_guarded {
            true => Ok(address),
            false => Err(Fault::Unguarded {
                address: address.to_string(),
            }
            .into()),
        }
    }

    pub(super) fn pushed(&mut self, event: PushEvent) {
        match event {
            PushEvent::Wanted {
                mac,
                name,
                profile,
                verifiers,
                answer,
            } => {
                let granted = self.grant(mac, &name, profile.as_deref(), verifiers);
                // On disk and with the broker before the device hears of it.
                self.settle();
                if let Some(granted) = not_taken(&answer, granted) {
                    self.registry.take_back(mac, &granted.hash, granted.before);
                    self.settle();
                }
            }
            PushEvent::Done(done) => self.push_done(*done),
        }
    }

    fn grant(
        &mut self,
        mac: Mac,
        name: &str,
        profile: Option<&str>,
        verifiers: Verifiers,
    ) -> Result<Granted, String> {
        let device = self.registry.device(mac);
        let device = device.filter(|device| device.name == name);
        let device = device.ok_or("it has another name by now: try again")?;
        let before = device.credential.clone();
        let hash = verifiers.hash.clone();
        let now = unix_ms();
        let registry = &mut self.registry;
        let made = match before.is_some() {
            true => registry
                .rotate(now, mac, verifiers, Registry::OVERLAP)
                .map(|(username, until_ms)| (username, Some(until_ms))),
            false => registry
                .enrol(now, mac, profile, None, verifiers)
                .map(|username| (username, None)),
        };
        let (username, old_until_ms) = made.map_err(|why| why.to_string())?;
        Ok(Granted {
            username,
            hash,
            before,
            old_until_ms,
        })
    }

    fn push_done(&mut self, done: Done) {
        let Done {
            order,
            mut report,
            mut granted,
            reply,
        } = done;
        let mac = order.mac;
        self.pushes.remove(&mac);
        if !report.delivered
            && let Some(granted) = granted.take()
        {
            self.registry.take_back(mac, &granted.hash, granted.before);
        }
        if granted
            .take_if(|made| !holds(&self.registry, mac, &made.hash))
            .is_some()
        {
            report.result = Err(Cause::Superseded.into());
        }
        if !order.dry_run {
            let kind = EventKind::Pushed {
                firmware: order.firmware.firmware().name(),
                address: order.address,
                failure: report.result.as_ref().err().cloned(),
            };
            self.tell_device(Some(mac), kind);
        }
        self.settle();
        let answer = self.answer_to_push(&order, &report, granted.as_ref());
        reply.send(Ok(self.with_warning(answer)));
    }

    fn answer_to_push(&self, order: &Order, went: &Report, granted: Option<&Granted>) -> Value {
        let firmware = order.firmware.firmware();
        let device = self.registry.device(order.mac);
        let profile = device.map(|device| self.registry.profile_name(device));
        let mut out = json!({
            "mac": order.mac.to_string(),
            "name": report::name(self, order.mac),
            "firmware": firmware.name(),
            "address": order.address,
            "dry_run": order.dry_run,
            "tls": went.tls,
            "username": granted.map(|granted| &granted.username),
            "old_until_ms": granted.and_then(|granted| granted.old_until_ms),
            "profile": profile,
            "suggested_profile": Some(firmware.profile()).filter(|made| profile != Some(*made)),
            "steps": went.steps.iter().map(step).collect::<Vec<_>>(),
            "ok": went.result.is_ok(),
            "next": went.result.as_ref().ok().map(ToString::to_string),
            "next_code": went.result.as_ref().ok().map(|next| next.code()),
            "why": went.result.as_ref().err().map(ToString::to_string),
            "cause": went.result.as_ref().err().map(|failure| failure.to_json()),
        });
        if let Some(out) = out.as_object_mut() {
            out.retain(|_, value| !value.is_null());
        }
        out
    }
}

/// A push from its beginning to its end, on its own thread.
fn carry_out(order: Order, profile: Option<String>, reply: Reply, inbox: &SyncSender<Input>) {
    let mut granted = None;
    let report = push::run(&order, &mut || {
        let (password, verifiers) = new_password().map_err(|error| error.message)?;
        let (answer, answered) = sync_channel(1);
        let wanted = PushEvent::Wanted {
            mac: order.mac,
            name: order.name.clone(),
            profile: profile.clone(),
            verifiers,
            answer,
        };
        let stopping = "the daemon is stopping, or too busy";
        inbox
            .send(Input::Push(wanted))
            .map_err(|_| stopping.to_owned())?;
        let made = answered.recv_timeout(CREDENTIAL);
        // It may have come meanwhile: whatever is not taken here, main takes back.
        let made = made.or_else(|_| answered.try_recv());
        let made = made.map_err(|_| stopping.to_owned())??;
        let username = made.username.clone();
        granted = Some(made);
        Ok(Given { username, password })
    });
    // Nobody is left to tell if this fails.
    let _ = inbox.send(Input::Push(PushEvent::Done(Box::new(Done {
        order,
        report,
        granted,
        reply,
    }))));
}

/// Whether a password of this hash is good for the device now.
fn holds(registry: &Registry, mac: Mac, hash: &str) -> bool {
    let device = registry.device(mac);
    device.is_some_and(|device| {
        device.credential.is_some() && registry.account_of(device).has_hash(hash)
    })
}

/// Hands a credential over to the push that wants it. Returns what no push waits for any more: no
/// device would ever hear of it, while the password that it has would end.
fn not_taken(
    answer: &SyncSender<Result<Granted, String>>,
    granted: Result<Granted, String>,
) -> Option<Granted> {
    let (TrySendError::Full(back) | TrySendError::Disconnected(back)) =
        answer.try_send(granted).err()?;
    back.ok()
}

fn login(args: &Args) -> Result<Option<Login>, MethodError> {
    for name in ["user", "password"] {
        let long = text(args, name).is_some_and(|text| text.len() > MAX_LOGIN);
        let controls = text(args, name).is_some_and(|text| text.chars().any(char::is_control));
        if long || controls {
            return Err(invalid(format!(
                "{name}: expected at most {MAX_LOGIN} bytes without control characters"
            )));
        }
    }
    Ok(text(args, "password").map(|password| Login {
        user: text(args, "user").map(str::to_owned),
        password: Zeroizing::new(password.to_owned()),
    }))
}

fn step(step: &Step) -> Value {
    let mut out = json!({
        "what": step.task.to_string(),
        "step": step.task.code(),
        "method": step.method,
        "path": step.path,
        "sent": step.sent,
        "status": step.status,
        "ok": step.ok,
    });
    if let Some(out) = out.as_object_mut() {
        out.retain(|_, value| !value.is_null());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_that_comes_too_late_comes_back() {
        let granted = || Granted {
            username: "plug".to_owned(),
            hash: "h".into(),
            before: None,
            old_until_ms: None,
        };
        let (answer, answered) = sync_channel(1);
        assert!(not_taken(&answer, Ok(granted())).is_none());
        assert!(answered.try_recv().is_ok_and(|made| made.is_ok()));
        drop(answered);
        let back = not_taken(&answer, Ok(granted()));
        assert_eq!(back.map(|granted| granted.hash).as_deref(), Some("h"));
        assert!(not_taken(&answer, Err("no".to_owned())).is_none());
    }

    #[test]
    fn a_credential_that_was_revoked_meanwhile_holds_no_more() {
        let mac = Mac([2, 0xc1, 0x1e, 0x17, 0, 1]);
        let settings = crate::config::parse("test", "").expect("valid");
        let contents = crate::registry::Contents::default();
        let mut registry = Registry::new(contents, settings.into(), 0);
        let verifiers = |hash: &str| Verifiers {
            hash: hash.into(),
            scram: Vec::new(),
        };
        assert!(!holds(&registry, mac, "one"));
        registry
            .enrol(1, mac, None, None, verifiers("one"))
            .expect("enrolled");
        assert!(holds(&registry, mac, "one") && !holds(&registry, mac, "two"));
        registry
            .rotate(2, mac, verifiers("two"), Registry::OVERLAP)
            .expect("rotated");
        assert!(holds(&registry, mac, "one") && holds(&registry, mac, "two"));
        registry.revoke(mac).expect("revoked");
        assert!(!holds(&registry, mac, "two"));
    }
}
