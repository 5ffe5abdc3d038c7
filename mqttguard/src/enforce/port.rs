use std::time::{Duration, Instant};

use super::hook::Reserved;
use super::kind::Kind;
use super::links::Link;
use super::trial::{Trial, Verdict};
use super::{Proof, Report, probe};
use crate::events::AttachNote;

/// Time between two probes of an interface on which nothing arrives.
const PROBE_EVERY: Duration = Duration::from_secs(10);

/// Time between two trials of an interface on which the program was seen to work.
const TRIAL_EVERY: Duration = Duration::from_secs(20);

/// A trial of such an interface ends undecided after this.
const TRIAL_TIME: Duration = Duration::from_secs(4);

/// An interface that is to be guarded.
pub(super) struct Port {
    pub(super) name: String,
    pub(super) kind: Option<Kind>,
    pub(super) why: Vec<AttachNote>,
    /// Programs that have their say before ours.
    pub(super) before: Vec<String>,
    pub(super) proof: Proof,
    /// Its native XDP, held until the kernel has verified our program.
    pub(super) reserved: Option<Reserved>,
    pub(super) xdp_is_blind: bool,
    /// Somebody else has the XDP hook, which would be the better one.
    pub(super) xdp_is_held: bool,
    /// Attached since the list of interfaces was read: what it says of our program is outdated.
    pub(super) is_fresh: bool,
    /// The kernel is to verify a program before anything can be attached.
    pub(super) is_waiting: bool,
    trial: Option<Trial>,
    next_trial: Instant,
    next_probe: Instant,
}

impl Port {
    /// One on which the program does not stand yet.
    pub(super) fn new(name: &str) -> Self {
        let now = Instant::now();
        Port {
            name: name.into(),
            kind: None,
            why: Vec::new(),
            before: Vec::new(),
            proof: Proof::Waiting,
            reserved: None,
            xdp_is_blind: false,
            xdp_is_held: false,
            is_fresh: true,
            is_waiting: false,
            trial: None,
            next_trial: now,
            next_probe: now,
        }
    }

    /// Whether it is being found out what the program sees.
    pub(super) fn is_on_trial(&self) -> bool {
        self.trial.is_some()
    }

    /// Why it is as it is.
    pub(super) fn notes(&self) -> Vec<AttachNote> {
        if self.is_waiting {
            return vec![AttachNote::Verifying];
        }
        let before = self.before.iter().map(|other| AttachNote::Before {
            program: other.clone(),
        });
        self.why.iter().cloned().chain(before).collect()
    }

    /// `seen` is the program's counter of frames.
    pub(super) fn begin_trial(&mut self, link: &Link, seen: u64) {
        self.trial = Trial::begin(link, seen)
            .inspect_err(|error| log::debug!("{}: counting frames: {error}", link.name))
            .ok();
        self.next_trial = Instant::now() + TRIAL_EVERY;
    }

    /// Compares what the kernel takes in with what the program has seen, which `count` tells. True
    /// if it sees too little of it.
    pub(super) fn prove(
        &mut self,
        link: &Link,
        count: impl Fn() -> u64,
        report: &mut dyn FnMut(Report),
    ) -> bool {
        let now = Instant::now();
        let Some(mut trial) = self.trial.take() else {
            if now >= self.next_trial {
                self.begin_trial(link, count());
            }
            return false;
        };
        if self.proof == Proof::Waiting && trial.seen(count()) > 0 {
            self.proof = Proof::Seen;
            self.next_trial = now + TRIAL_EVERY;
            return false;
        }
        match trial.look(count) {
            Ok(Verdict::Sees) => {
                if self.proof == Proof::Blind {
                    let detail = "it sees what arrives";
                    report(Report::attachment(&self.name, "recovered", detail));
                }
                self.proof = Proof::Seen;
                self.next_trial = now + TRIAL_EVERY;
            }
            Ok(Verdict::Blind) => {
                if self.proof != Proof::Blind {
                    let mut detail = "frames arrive that the program does not see".to_owned();
                    for other in &self.before {
                        detail.push_str(&format!("; before it: {other}"));
                    }
                    report(Report::attachment(&self.name, "blind", detail));
                }
                self.proof = Proof::Blind;
                return true;
            }
            Ok(Verdict::Open) if self.proof == Proof::Seen && trial.age() >= TRIAL_TIME => {
                self.next_trial = now + TRIAL_EVERY;
            }
            Ok(Verdict::Open) => {
                self.trial = Some(trial);
                self.probe(link, now);
            }
            Err(error) => {
                log::debug!("{}: counting frames: {error}", link.name);
                self.next_trial = now + TRIAL_EVERY;
            }
        }
        false
    }

    fn probe(&mut self, link: &Link, now: Instant) {
        if link.is_running && now >= self.next_probe {
            self.next_probe = now + PROBE_EVERY;
            if let Err(error) = probe::send(link) {
                log::debug!("{}: probe: {error}", link.name);
            }
        }
    }
}
