//! What makers say of their devices (RFC 8520): fetched when the owner asks, shown, and in force once
//! the owner has accepted it.
//!
//! Fetching and looking names up takes its time, and happens on threads of their own (`work`); what
//! they found comes back through the inbox. Nothing here waits.

mod methods;
mod work;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use ipnet::IpNet;
use mqttguard_common::Mac;

use super::clock::unix_ms;
use crate::config::{Exception, Settings};
use crate::mud::file::Peer;
use crate::mud::need::{self, Destination, Hole};
use crate::mud::store::{self, Accepted};
use crate::mud::topics::Topics;
use crate::mud::{Fetched, Found};
use crate::registry::{Granted, Registry, UnixMs};
use crate::ubus::Reply;

/// What came of work elsewhere.
pub(in crate::daemon) enum MudAnswer {
    /// A file was fetched, or was not; and by which job.
    Fetched(u64, Box<Result<Fetched, String>>),
    /// Names were looked up.
    Resolved(Found),
}

/// Files that wait for the owner's word, and how long: who looked at one yesterday looks again.
const MAX_SHOWN: usize = 16;
const SHOWN: Duration = Duration::from_secs(3600);
/// How long an address outlasts its last being found: servers behind one name take turns, and a
/// connection to the one before is not to be cut.
const KEEP_ADDRESS: Duration = Duration::from_secs(3600);
/// Addresses of one name that are let out to at once.
const MAX_ADDRESSES: usize = 8;
/// The first of these after a start, so that the router has its name server and its clock.
const AFTER_START: Duration = Duration::from_secs(15);

/// What the owner has accepted, and what is under way.
pub(in crate::daemon) struct Descriptions {
    accepted: BTreeMap<Mac, Accepted>,
    /// What the owner has seen and may accept, and since when.
    shown: BTreeMap<Mac, (Instant, Fetched)>,
    /// Accepted files that are others by now: which, by their sums. The owner has not seen these.
    changed: BTreeMap<Mac, String>,
    jobs: Vec<Job>,
    next_job: u64,
    /// When accepted files are to be fetched again.
    due: BTreeMap<Mac, Instant>,
    /// Of which it was told that they could not be.
    failed: BTreeSet<Mac>,
    /// Addresses of names, and when each was found last.
    addresses: BTreeMap<String, BTreeMap<IpAddr, Instant>>,
    is_looking_up: bool,
    look_up_at: Instant,
    /// Destinations that found no room, as it was told last.
    crowded: usize,
    /// When it was told last of a device that does what its maker does not know of.
    outside: BTreeMap<Mac, Instant>,
    save_at: Option<Instant>,
    /// Why what is stored could not be read, if so: it is not overwritten then.
    unreadable: Option<String>,
}

struct Job {
    number: u64,
    mac: Mac,
    purpose: Purpose,
}

enum Purpose {
    /// The owner waits for it, and accepts it at once if there is a word to that.
    Owner(Reply, Option<Word>),
    /// It is time to look at an accepted file again.
    Again,
}

/// The owner's word.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Word {
    /// Even if nobody trusted vouches for the file.
    unverified: bool,
    /// Only if it is this file.
    sha256: Option<String>,
}

impl Descriptions {
    /// What was accepted before. The exceptions that follow from it are in force with the registry's.
    pub(in crate::daemon) fn load(settings: &Settings, registry: &mut Registry) -> Descriptions {
        let (accepted, unreadable) = match store::load(&settings.main.data_dir) {
            Ok(accepted) => (accepted, None),
            Err(error) => {
                let error = format!("{error}; mend or remove it and start again");
                log::error!("{error}");
                (BTreeMap::new(), Some(error))
            }
        };
        let now = Instant::now();
        let due = accepted
            .iter()
            .map(|(mac, one)| (*mac, now + left(one, unix_ms()).max(AFTER_START)));
        let addresses = accepted.values().flat_map(|one| &one.addresses);
        let addresses = addresses.map(|(name, found)| {
            let found = found.iter().map(|address| (*address, now));
            (name.clone(), found.collect())
        });
        let mut descriptions = Descriptions {
            due: due.collect(),
            addresses: addresses.collect(),
            accepted,
            shown: BTreeMap::new(),
            changed: BTreeMap::new(),
            jobs: Vec::new(),
            next_job: 0,
            failed: BTreeSet::new(),
            is_looking_up: false,
            look_up_at: now,
            crowded: 0,
            outside: BTreeMap::new(),
            save_at: None,
            unreadable,
        };
        descriptions.apply(settings, registry);
        descriptions
    }

    /// What is accepted for a device.
    pub(in crate::daemon) fn accepted(&self, mac: Mac) -> Option<&Accepted> {
        self.accepted.get(&mac)
    }

    /// What was fetched for a device and awaits the owner's word.
    pub(in crate::daemon) fn shown(&self, mac: Mac) -> Option<&Fetched> {
        self.shown.get(&mac).map(|(_, fetched)| fetched)
    }

    /// Whether the accepted file of a device is another by now.
    pub(in crate::daemon) fn is_changed(&self, mac: Mac) -> bool {
        self.changed.contains_key(&mac)
    }

    /// What accepted files let leave, by device, and what of each name is known.
    pub(in crate::daemon) fn exceptions(&self, plaintext: &[u16]) -> Vec<(Mac, Hole, Vec<IpNet>)> {
        let each = self.accepted.iter().flat_map(|(mac, one)| {
            need::holes(&one.description, plaintext)
                .into_iter()
                .map(|hole| (*mac, hole))
        });
        each.map(|(mac, hole)| {
            let nets = match &hole.to {
                Destination::Network(net) => vec![*net],
                Destination::Name(name) => {
                    let found = self.addresses.get(name).into_iter().flatten();
                    found.map(|(address, _)| IpNet::from(*address)).collect()
                }
            };
            (mac, hole, nets)
        })
        .collect()
    }

    /// Puts the exceptions and topics that follow from what is accepted in force. Returns how many
    /// destinations are left out, if it is another number than before.
    fn apply(&mut self, settings: &Settings, registry: &mut Registry) -> Option<usize> {
        let wanted = self.exceptions(&settings.main.plaintext_ports);
        let wanted = wanted.into_iter().flat_map(|(mac, hole, nets)| {
            nets.into_iter().map(move |destination| Exception {
                name: "mud".to_owned(),
                mac: Some(mac),
                destination,
                port: Some(hole.port),
            })
        });
        let left_out = registry.set_described(wanted.collect());
        let granted = self.accepted.iter().map(|(mac, one)| {
            let Topics { publish, subscribe } = one.description.topics.taken();
            (*mac, Granted { publish, subscribe })
        });
        registry.set_described_topics(granted.collect());
        let before = std::mem::replace(&mut self.crowded, left_out);
        (before != left_out).then_some(left_out)
    }

    fn names(&self, plaintext: &[u16]) -> BTreeSet<String> {
        let holes = self.accepted.values();
        let holes = holes.flat_map(|one| need::holes(&one.description, plaintext));
        holes
            .filter_map(|hole| match hole.to {
                Destination::Name(name) => Some(name),
                Destination::Network(_) => None,
            })
            .collect()
    }

    /// Takes in what names were found to be. Returns the names whose addresses are others now.
    fn learn(&mut self, found: Found, plaintext: &[u16], now: Instant) -> Vec<String> {
        let names = self.names(plaintext);
        self.addresses.retain(|name, _| names.contains(name));
        let mut changed = Vec::new();
        for (name, answer) in found {
            // No answer is no news: what was known stands.
            let Some(answer) = answer else { continue };
            if !names.contains(&name) {
                continue;
            }
            let known = self.addresses.entry(name.clone()).or_default();
            let before: BTreeSet<IpAddr> = known.keys().copied().collect();
            known.extend(answer.into_iter().map(|address| (address, now)));
            known.retain(|_, seen| now.saturating_duration_since(*seen) < KEEP_ADDRESS);
            while known.len() > MAX_ADDRESSES {
                let oldest = known.iter().min_by_key(|(_, seen)| **seen);
                let Some(oldest) = oldest.map(|(address, _)| *address) else {
                    break;
                };
                known.remove(&oldest);
            }
            if !known.keys().eq(before.iter()) {
                changed.push(name);
            }
        }
        changed
    }

    /// Writes what is accepted, with the addresses that are known now.
    fn save(&self, dir: &Path, accepted: &mut BTreeMap<Mac, Accepted>) -> Result<(), String> {
        if let Some(error) = &self.unreadable {
            return Err(error.clone());
        }
        for one in accepted.values_mut() {
            let entries = one.description.entries.iter();
            let names: BTreeSet<&String> = entries
                .filter_map(|entry| match &entry.peer {
                    Peer::Name(name) => Some(name),
                    _ => None,
                })
                .collect();
            // There are addresses of none but those that something is let out to.
            let known = names.into_iter().filter_map(|name| {
                let found = self.addresses.get(name)?;
                Some((name.clone(), found.keys().copied().collect()))
            });
            one.addresses = known.take(need::MAX_HOLES).collect();
        }
        store::save(dir, accepted)
    }

    /// Whose work a job was.
    fn finish(&mut self, number: u64) -> Option<Job> {
        let index = self.jobs.iter().position(|job| job.number == number)?;
        Some(self.jobs.swap_remove(index))
    }

    /// Keeps what the owner sees until the word on it.
    fn show(&mut self, mac: Mac, fetched: Fetched) {
        if self.shown.len() >= MAX_SHOWN && !self.shown.contains_key(&mac) {
            let oldest = self.shown.iter().min_by_key(|(_, (at, _))| *at);
            if let Some(oldest) = oldest.map(|(mac, _)| *mac) {
                self.shown.remove(&oldest);
            }
        }
        self.shown.insert(mac, (Instant::now(), fetched));
    }

    /// Forgets what was shown too long ago.
    fn expire(&mut self, now: Instant) {
        self.shown
            .retain(|_, (at, _)| now.saturating_duration_since(*at) < SHOWN);
    }
}

/// How long until an accepted file is to be fetched again (RFC 8520 section 3.4).
fn left(accepted: &Accepted, now: UnixMs) -> Duration {
    let whole = validity(accepted);
    // A clock that was set back makes no more of it.
    let gone = Duration::from_millis(now.saturating_sub(accepted.fetched_ms));
    whole.saturating_sub(gone)
}

fn validity(accepted: &Accepted) -> Duration {
    let hours = accepted.description.cache_validity_h.clamp(1, 168);
    Duration::from_secs(hours.saturating_mul(3600))
}
