//! Fetching, looking up, accepting.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{io, thread};

use ipnet::IpNet;
use mqttguard_common::{Mac, Reason};

use super::{Job, MudAnswer, Purpose, Word, validity};
use crate::daemon::answers::Answer;
use crate::daemon::clock::unix_ms;
use crate::daemon::fault::Fault;
use crate::daemon::wiring::Daemon;
use crate::daemon::{Input, outlet, report};
use crate::discovery;
use crate::enforce::FrameEvent;
use crate::events::{EventKind, MudChange};
use crate::mud::cms::Signature;
use crate::mud::need::{self, Destination};
use crate::mud::store::{Accepted, MAX_ACCEPTED};
use crate::mud::{self, Fetched, Found, Wish};
use crate::ubus::{MethodError, Reply, Status};

/// Files that are fetched at once.
const MAX_JOBS: usize = 4;
/// The resolver of musl keeps its answers on the stack, and JSON is read recursively.
const STACK: usize = 512 * 1024;
/// How often names are looked up. What a resolver knows of how long they hold, it does not tell.
const LOOK_UP_EVERY: Duration = Duration::from_secs(300);
/// How long until a file that could not be fetched again is tried again.
const RETRY: Duration = Duration::from_secs(3600);
/// How long what can wait for the disk does: flash wears.
const SAVE_DELAY: Duration = Duration::from_secs(3600);
/// How often an owner hears that a device does what its maker does not know of.
const OUTSIDE_EVERY: Duration = Duration::from_secs(3600);

impl Daemon {
    /// Once a second.
    pub(in crate::daemon) fn follow_descriptions(&mut self) {
        let now = Instant::now();
        self.descriptions.expire(now);
        let due = self.descriptions.due.iter();
        let due = due.filter(|(_, at)| **at <= now).map(|(mac, _)| *mac);
        let due: Vec<Mac> = due.collect();
        for mac in due {
            let busy = self.descriptions.jobs.len() >= MAX_JOBS;
            let Some(one) = self.descriptions.accepted.get(&mac).filter(|_| !busy) else {
                continue;
            };
            let (url, by_hand) = (one.url.clone(), one.by_hand);
            self.descriptions.due.insert(mac, now + RETRY);
            if let Err((error, _)) = self.fetch(mac, url, by_hand, Purpose::Again) {
                log::error!("mud: {error}");
            }
        }
        if now >= self.descriptions.look_up_at && !self.descriptions.is_looking_up {
            // What found no room may find some now.
            self.apply_descriptions();
            self.look_up();
        }
        if self.descriptions.save_at.is_some_and(|at| now >= at) {
            self.save_descriptions();
        }
    }

    /// Writes what has waited for it.
    pub(in crate::daemon) fn save_descriptions(&mut self) {
        if self.descriptions.save_at.take().is_none() {
            return;
        }
        let dir = self.configuration.settings.main.data_dir.clone();
        let mut accepted = self.descriptions.accepted.clone();
        match self.descriptions.save(&dir, &mut accepted) {
            Ok(()) => self.descriptions.accepted = accepted,
            Err(error) => {
                log::error!("{error}");
                self.descriptions.save_at = Some(Instant::now() + SAVE_DELAY);
            }
        }
    }

    /// Another configuration is in force: other ports are plaintext, other exceptions take room.
    pub(in crate::daemon) fn apply_descriptions(&mut self) {
        let settings = Arc::clone(&self.configuration.settings);
        if let Some(count) = self.descriptions.apply(&settings, &mut self.registry)
            && count > 0
        {
            self.tell(None, None, EventKind::Mud(MudChange::Crowded { count }));
        }
    }

    /// Looks the names of what is accepted up, if there are any.
    fn look_up(&mut self) {
        if self.descriptions.is_looking_up {
            // As soon as that is done: there may be more names by now.
            self.descriptions.look_up_at = Instant::now();
            return;
        }
        self.descriptions.look_up_at = Instant::now() + LOOK_UP_EVERY;
        let plaintext = &self.configuration.settings.main.plaintext_ports;
        let names = self.descriptions.names(plaintext);
        if names.is_empty() {
            return;
        }
        let own = match discovery::local_addresses() {
            Ok(own) => own,
            Err(error) => {
                log::error!("mud: the router's addresses: {error}");
                return;
            }
        };
        let out = outlet(&self.inbox, Input::Mud);
        let started = spawn(move || {
            // A daemon that is gone needs no answer.
            let _ = out.send(MudAnswer::Resolved(mud::look_up(names, &own)));
        });
        match started {
            Ok(()) => self.descriptions.is_looking_up = true,
            Err(error) => log::error!("mud: {error}"),
        }
    }

    /// Fetches a file on a thread of its own.
    fn fetch(
        &mut self,
        mac: Mac,
        url: String,
        by_hand: bool,
        purpose: Purpose,
    ) -> Result<(), (String, Purpose)> {
        if self.descriptions.jobs.len() >= MAX_JOBS {
            return Err((format!("{MAX_JOBS} files are being fetched"), purpose));
        }
        // Without them a device could have the router ask itself.
        let own = match discovery::local_addresses() {
            Ok(own) => own,
            Err(error) => return Err((format!("the router's addresses: {error}"), purpose)),
        };
        let main = &self.configuration.settings.main;
        let wish = Wish {
            url,
            by_hand,
            ca: main.mud_ca.clone(),
            signers: main.mud_signers.clone(),
            own,
        };
        let number = self.descriptions.next_job;
        self.descriptions.next_job = number.wrapping_add(1);
        let out = outlet(&self.inbox, Input::Mud);
        let started = spawn(move || {
            let found = Box::new(mud::fetch(&wish));
            let _ = out.send(MudAnswer::Fetched(number, found));
        });
        if let Err(error) = started {
            return Err((error.to_string(), purpose));
        }
        let job = Job {
            number,
            mac,
            purpose,
        };
        self.descriptions.jobs.push(job);
        Ok(())
    }

    /// Fetches a file for the owner, who waits.
    pub(super) fn fetch_for(
        &mut self,
        mac: Mac,
        url: String,
        by_hand: bool,
        reply: Reply,
        word: Option<Word>,
    ) {
        let started = self.fetch(mac, url, by_hand, Purpose::Owner(reply, word));
        if let Err((error, Purpose::Owner(reply, _))) = started {
            reply.send(Err(Fault::MudUnfetched { why: error }.into()));
        }
    }

    /// Work elsewhere is done.
    pub(in crate::daemon) fn described(&mut self, answer: MudAnswer) {
        match answer {
            MudAnswer::Resolved(found) => self.resolved(found),
            MudAnswer::Fetched(number, found) => match self.descriptions.finish(number) {
                Some(Job {
                    mac,
                    purpose: Purpose::Owner(reply, word),
                    ..
                }) => {
                    let answer = self.answer(mac, *found, word);
                    self.settle();
                    reply.send(answer);
                }
                Some(Job { mac, .. }) => self.looked_again(mac, *found),
                None => {}
            },
        }
    }

    fn resolved(&mut self, found: Found) {
        self.descriptions.is_looking_up = false;
        let plaintext = self.configuration.settings.main.plaintext_ports.clone();
        let changed = self.descriptions.learn(found, &plaintext, Instant::now());
        if changed.is_empty() {
            return;
        }
        // A name without any address after a restart would be closed until it is looked up again.
        let stored = self.descriptions.accepted.values();
        let stored: BTreeSet<&String> = stored.flat_map(|one| one.addresses.keys()).collect();
        match changed.iter().all(|name| stored.contains(name)) {
            true => {
                let wait = Instant::now() + SAVE_DELAY;
                self.descriptions.save_at.get_or_insert(wait);
            }
            false => {
                self.descriptions.save_at = Some(Instant::now());
                self.save_descriptions();
            }
        }
        self.apply_descriptions();
        for (mac, hole, nets) in self.descriptions.exceptions(&plaintext) {
            if let Destination::Name(host) = hole.to
                && changed.contains(&host)
            {
                let addresses = nets.iter().map(IpNet::addr).collect();
                let change = MudChange::Resolved { host, addresses };
                self.tell_device(Some(mac), EventKind::Mud(change));
            }
        }
    }

    /// An accepted file was looked at again.
    fn looked_again(&mut self, mac: Mac, found: Result<Fetched, String>) {
        let Some(accepted) = self.descriptions.accepted.get_mut(&mac) else {
            return;
        };
        let url = accepted.url.clone();
        let change = match found {
            // Accepted anew, from elsewhere, in the meantime.
            Ok(fetched) if fetched.url != url => return,
            Ok(fetched) => {
                let now = Instant::now();
                accepted.fetched_ms = unix_ms();
                let due = now + validity(accepted);
                let same = fetched.sha256 == accepted.sha256;
                self.descriptions.due.insert(mac, due);
                self.descriptions.failed.remove(&mac);
                self.descriptions.save_at.get_or_insert(now + SAVE_DELAY);
                if same {
                    self.descriptions.changed.remove(&mac);
                    return;
                }
                let sum = fetched.sha256;
                let before = self.descriptions.changed.insert(mac, sum.clone());
                if before == Some(sum) {
                    return;
                }
                MudChange::Changed { url }
            }
            Err(why) => {
                if !self.descriptions.failed.insert(mac) {
                    return;
                }
                let why = crate::text::clip(&why).into_owned();
                MudChange::Failed { url, why }
            }
        };
        self.tell_device(Some(mac), EventKind::Mud(change));
    }

    fn answer(&mut self, mac: Mac, found: Result<Fetched, String>, word: Option<Word>) -> Answer {
        let fetched = found.map_err(|why| Fault::MudUnfetched { why })?;
        self.descriptions.show(mac, fetched);
        if let Some(word) = word {
            self.accept(mac, &word)?;
        }
        report::mud(self, mac)
    }

    /// Puts what was shown in force.
    pub(super) fn accept(&mut self, mac: Mac, word: &Word) -> Result<(), MethodError> {
        let Some(shown) = self.descriptions.shown(mac).cloned() else {
            return Err(Fault::MudUnseen.into());
        };
        if let Some(wanted) = &word.sha256
            && !wanted.eq_ignore_ascii_case(&shown.sha256)
        {
            let (wanted, found) = (wanted.clone(), shown.sha256);
            return Err(Fault::MudOther { wanted, found }.into());
        }
        match &shown.signature {
            Signature::Valid { .. } => {}
            Signature::Invalid { why } => {
                let why = why.clone();
                return Err(Fault::MudInvalid { why }.into());
            }
            other if !word.unverified => {
                let why = other.why().unwrap_or_default().to_string();
                return Err(Fault::MudUnverified { why }.into());
            }
            _ => {}
        }
        let mut accepted = self.descriptions.accepted.clone();
        if accepted.len() >= MAX_ACCEPTED && !accepted.contains_key(&mac) {
            return Err(Fault::MudFull { most: MAX_ACCEPTED }.into());
        }
        let now = unix_ms();
        let signer = match &shown.signature {
            Signature::Valid { signer } => Some(signer.clone()),
            _ => None,
        };
        let url = shown.url.clone();
        let one = Accepted {
            url: shown.url,
            by_hand: shown.by_hand,
            sha256: shown.sha256,
            signature: shown.signature,
            description: shown.description,
            accepted_ms: now,
            fetched_ms: now,
            addresses: BTreeMap::new(),
        };
        let due = Instant::now() + validity(&one);
        accepted.insert(mac, one);
        self.put(accepted)?;
        self.descriptions.shown.remove(&mac);
        self.descriptions.changed.remove(&mac);
        self.descriptions.failed.remove(&mac);
        self.descriptions.outside.remove(&mac);
        self.descriptions.due.insert(mac, due);
        let change = MudChange::Accepted { url, signer };
        self.tell_device(Some(mac), EventKind::Mud(change));
        Ok(())
    }

    /// Takes back what was accepted for a device, and what was shown. The URL of what was accepted.
    pub(super) fn forget(&mut self, mac: Mac) -> Result<Option<String>, MethodError> {
        self.descriptions.shown.remove(&mac);
        let mut accepted = self.descriptions.accepted.clone();
        let Some(gone) = accepted.remove(&mac) else {
            return Ok(None);
        };
        self.put(accepted)?;
        self.forgotten(mac, &gone.url);
        Ok(Some(gone.url))
    }

    /// As [`Daemon::forget`], for a device whose credential the owner has revoked, or that the registry
    /// has dropped: nothing of it stays open, and if that cannot be written down now, it is later.
    pub(in crate::daemon) fn withdraw_description(&mut self, mac: Mac) -> Option<String> {
        self.descriptions.shown.remove(&mac);
        let gone = self.descriptions.accepted.remove(&mac)?;
        self.descriptions.save_at = Some(Instant::now());
        self.save_descriptions();
        self.apply_descriptions();
        self.forgotten(mac, &gone.url);
        Some(gone.url)
    }

    /// What was accepted for a device is not any more.
    fn forgotten(&mut self, mac: Mac, url: &str) {
        self.descriptions.changed.remove(&mac);
        self.descriptions.due.remove(&mac);
        self.descriptions.failed.remove(&mac);
        self.descriptions.outside.remove(&mac);
        let url = url.to_owned();
        self.tell_device(Some(mac), EventKind::Mud(MudChange::Forgotten { url }));
    }

    /// What is accepted, on disk and then in force.
    fn put(&mut self, mut accepted: BTreeMap<Mac, Accepted>) -> Result<(), MethodError> {
        let dir = self.configuration.settings.main.data_dir.clone();
        let saved = self.descriptions.save(&dir, &mut accepted);
        saved.map_err(|error| MethodError::new(Status::SystemError, error))?;
        self.descriptions.save_at = None;
        self.descriptions.accepted = accepted;
        self.apply_descriptions();
        self.look_up();
        Ok(())
    }

    /// A device tried to send MQTT in the clear: does its maker know of that?
    pub(in crate::daemon) fn compare_with_description(&mut self, frame: &FrameEvent) {
        let is_mqtt = matches!(
            frame.reason,
            Reason::PlaintextPort
                | Reason::PlaintextConnect
                | Reason::PlaintextWebSocket
                | Reason::MqttSn
        );
        let Some(accepted) = self.descriptions.accepted.get(&frame.mac) else {
            return;
        };
        // In the house makers know little.
        let leaves = frame.destination.is_some_and(|to| mud::is_outside(to, &[]));
        if !(is_mqtt && leaves) {
            return;
        }
        let plaintext = &self.configuration.settings.main.plaintext_ports;
        // A name may have more addresses than were found.
        let holes = need::holes(&accepted.description, plaintext);
        let may_be = |hole: &need::Hole| {
            matches!(hole.to, Destination::Name(_)) && Some(hole.port) == frame.port
        };
        let now = Instant::now();
        let told = self.descriptions.outside.get(&frame.mac);
        let is_told = told.is_some_and(|told| now.saturating_duration_since(*told) < OUTSIDE_EVERY);
        if is_told || holes.iter().any(may_be) {
            return;
        }
        let change = MudChange::Outside {
            url: accepted.url.clone(),
            tls_only: need::is_tls_only(&accepted.description, plaintext),
        };
        self.descriptions.outside.insert(frame.mac, now);
        self.tell_device(Some(frame.mac), EventKind::Mud(change));
    }
}

fn spawn(work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let thread = thread::Builder::new().name("mud".to_owned());
    thread.stack_size(STACK).spawn(work).map(drop)
}
