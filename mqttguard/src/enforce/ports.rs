use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use aya::maps::{MapData, PerCpuArray};
use mqttguard_common::FRAME_SLOTS;

use super::bpffs::Pins;
use super::holders::{self, Hold};
use super::hook::{self, Attached, HookError, Kind};
use super::links::{Link, resolve};
use super::object::Object;
use super::trial::{Trial, Verdict};
use super::{Attachment, Proof, Report, Target, probe};
use crate::config::Hook;

/// Time between two probes of an interface on which nothing arrives.
const PROBE_EVERY: Duration = Duration::from_secs(10);

/// Time between two trials of an interface on which the program was seen to work.
const TRIAL_EVERY: Duration = Duration::from_secs(20);

/// A trial of such an interface ends undecided after this.
const TRIAL_TIME: Duration = Duration::from_secs(4);

/// The interfaces that are to be guarded, and how the program sits on each.
pub(super) struct Ports {
    object: Object,
    frames: PerCpuArray<MapData, u64>,
    pins: Pins,
    target: Target,
    /// What is told with the attachments that are taken over.
    take_over_note: Option<String>,
    ports: BTreeMap<u32, Port>,
    /// Devices of the target that stand for no interface, and why.
    missing: BTreeMap<String, &'static str>,
}

struct Port {
    name: String,
    kind: Option<Kind>,
    why: String,
    /// Programs that have their say before ours.
    before: Vec<String>,
    proof: Proof,
    xdp_is_blind: bool,
    /// Somebody else has the XDP hook, which would be the better one.
    xdp_is_held: bool,
    /// Attached since the list of interfaces was read: what it says of our program is outdated.
    is_fresh: bool,
    trial: Option<Trial>,
    next_trial: Instant,
    next_probe: Instant,
}

impl Ports {
    pub(super) fn new(
        object: Object,
        frames: PerCpuArray<MapData, u64>,
        pins: Pins,
        target: Target,
        take_over_note: Option<String>,
    ) -> Self {
        Ports {
            object,
            frames,
            pins,
            target,
            take_over_note,
            ports: BTreeMap::new(),
            missing: BTreeMap::new(),
        }
    }

    /// Where the program is to attach from the next [`Ports::reconcile`] on. False if that is
    /// where it was to before.
    pub(super) fn set_target(&mut self, target: Target) -> bool {
        let is_new = target != self.target;
        self.target = target;
        is_new
    }

    /// Whether it is being found out somewhere what the program sees.
    pub(super) fn is_on_trial(&self) -> bool {
        self.ports.values().any(|port| port.trial.is_some())
    }

    pub(super) fn attachments(&self) -> Vec<Attachment> {
        let ports = self.ports.values().map(|port| Attachment {
            interface: port.name.clone(),
            hook: port.kind.map(Kind::name),
            proof: port.proof,
            why: port.words(),
        });
        let missing = self.missing.iter().map(|(name, why)| Attachment {
            interface: name.clone(),
            hook: None,
            proof: Proof::Waiting,
            why: (*why).into(),
        });
        ports.chain(missing).collect()
    }

    /// Attaches where the program is to be and is not, and detaches where it is and is not to
    /// be. What a predecessor left pinned is taken over.
    pub(super) fn reconcile(&mut self, links: &[Link], report: &mut dyn FnMut(Report)) {
        let target = self.target.clone();
        let (wanted, missing) = resolve(&target.devices, links);
        for (name, why) in &missing {
            if self.missing.get(*name) != Some(why) {
                report(Report::attachment(name, "failed", *why));
            }
        }
        self.missing = missing
            .into_iter()
            .map(|(name, why)| (name.to_string(), why))
            .collect();

        for link in &wanted {
            self.ensure(link, report);
        }
        let unwanted: Vec<u32> = self
            .ports
            .keys()
            .copied()
            .filter(|index| wanted.iter().all(|link| link.index != *index))
            .collect();
        for index in unwanted {
            if let Some(port) = self.ports.remove(&index)
                && port.kind.is_some()
            {
                report(Report::attachment(&port.name, "detached", ""));
            }
        }
        self.sweep(links);
    }

    fn ensure(&mut self, link: &Link, report: &mut dyn FnMut(Report)) {
        let mut old = self.ports.remove(&link.index);
        if let Some(port) = &mut old
            && let Some(kind) = port.kind
            && Kind::choices(self.target.hook, port.xdp_is_blind).contains(&kind)
        {
            if port.name != link.name {
                let detail = format!("{} (the interface was {})", kind.name(), port.name);
                report(Report::attachment(&link.name, "attached", detail));
                port.name.clone_from(&link.name);
            }
            self.ports.extend(old.map(|port| (link.index, port)));
            return;
        }
        self.attach(link, old, report);
    }

    /// Attaches by the first hook that works: of what a predecessor left if the interface is new
    /// to us, else the best.
    fn attach(&mut self, link: &Link, old: Option<Port>, report: &mut dyn FnMut(Report)) {
        let xdp_is_blind = old.as_ref().is_some_and(|port| port.xdp_is_blind);
        let choices = Kind::choices(self.target.hook, xdp_is_blind);
        let dir = self.pins.links();
        // The two kinds of XDP exclude each other, so that one has to go first.
        if let Some(kind) = old.as_ref().and_then(|port| port.kind)
            && kind.is_xdp()
            && choices.iter().any(|choice| choice.is_xdp())
            && let Err(error) = hook::detach(&dir, link.index, Some(link), kind)
        {
            log::warn!("{}: detaching {}: {error}", link.name, kind.name());
        }
        let mut order = choices.to_vec();
        if old.is_none() {
            let pinned = hook::pinned(&dir);
            order.sort_by_key(|kind| !pinned.contains(&(*kind, link.index)));
        }

        let seen: Vec<_> = Kind::ALL
            .map(|kind| (kind, self.frames_seen(link.index, kind)))
            .into();
        let mut refusals = Vec::new();
        let mut found = None;
        let mut xdp_is_held = false;
        for &kind in &order {
            match hook::attach(&mut self.object, &dir, link, kind) {
                Ok(attached) => {
                    found = Some((kind, attached));
                    break;
                }
                Err(error) => {
                    xdp_is_held |= kind == Kind::Xdp && error.is_busy();
                    refusals.push(refusal(link, kind, &error));
                }
            }
        }
        if xdp_is_blind {
            refusals.push("native XDP saw none of the frames that arrived".into());
        }
        if let Some((kind, Attached::TakenOver)) = found
            && refusals.is_empty()
            && choices.first() != Some(&kind)
        {
            refusals.push("an earlier run had chosen it".into());
        }
        let why = refusals.join("; ");
        match found {
            Some((kind, attached)) => {
                let (what, note) = match attached {
                    Attached::Fresh => ("attached", None),
                    Attached::TakenOver => ("taken-over", self.take_over_note.as_deref()),
                };
                let notes: Vec<&str> = [why.as_str()]
                    .into_iter()
                    .chain(note)
                    .filter(|note| !note.is_empty())
                    .collect();
                let detail = match notes.is_empty() {
                    true => kind.name().to_string(),
                    false => format!("{} ({})", kind.name(), notes.join("; ")),
                };
                report(Report::attachment(&link.name, what, detail));
            }
            None if old.as_ref().is_none_or(|port| port.why != why) => {
                report(Report::attachment(&link.name, "failed", &*why));
            }
            None => {}
        }
        let now = Instant::now();
        let mut port = Port {
            name: link.name.clone(),
            kind: found.map(|(kind, _)| kind),
            why,
            before: Vec::new(),
            proof: Proof::Waiting,
            xdp_is_blind,
            xdp_is_held,
            is_fresh: true,
            trial: None,
            next_trial: now,
            next_probe: now,
        };
        if let Some((_, seen)) = seen.into_iter().find(|(kind, _)| port.kind == Some(*kind)) {
            port.begin_trial(link, seen);
        }
        self.ports.insert(link.index, port);
    }

    /// Removes every pinned attachment that is not ours now: of a predecessor with another
    /// target or hook, of interfaces that are gone.
    fn sweep(&self, links: &[Link]) {
        hook::detach_all_but(&self.pins.links(), links, |kind, index| {
            self.ports
                .get(&index)
                .is_some_and(|port| port.kind == Some(kind))
        });
    }

    /// Ends a look: the next has a list of interfaces that knows of what was attached in this one.
    pub(super) fn settle(&mut self) {
        for port in self.ports.values_mut() {
            port.is_fresh = false;
        }
    }

    /// The indices of the interfaces that are to be guarded.
    pub(super) fn indices(&self) -> Vec<u32> {
        self.ports.keys().copied().collect()
    }

    /// Asks the kernel whether the program still is where it was attached, and attaches it again
    /// where somebody took it off. A better hook is taken when whoever held it has left.
    pub(super) fn check(&mut self, links: &[Link], report: &mut dyn FnMut(Report)) {
        let mut moved = false;
        for link in links {
            let Some(port) = self.ports.get_mut(&link.index) else {
                continue;
            };
            if port.is_fresh {
                continue;
            }
            let Some(kind) = port.kind else {
                let old = self.ports.remove(&link.index);
                self.attach(link, old, report);
                continue;
            };
            let Some(ours) = self.object.id(kind.is_xdp()) else {
                continue;
            };
            let is_pinned = kind.pin(&self.pins.links(), link.index).exists();
            let lost = match holders::hold(link, kind, ours) {
                Hold::Unknown => continue,
                Hold::Ours(before) if is_pinned => {
                    if before != port.before {
                        log::info!("{}: before our program: {before:?}", link.name);
                        port.before = before;
                    }
                    None
                }
                Hold::Ours(_) => Some("its pin was removed".to_owned()),
                Hold::Lost(None) => Some(format!("somebody took it off {}", kind.name())),
                Hold::Lost(Some(other)) => Some(format!("{} has {other} now", kind.name())),
            };
            if let Some(how) = lost {
                report(Report::attachment(&link.name, "lost", how));
                let mut old = self.ports.remove(&link.index);
                if let Some(port) = &mut old {
                    port.kind = None;
                }
                self.attach(link, old, report);
                moved = true;
            } else if port.xdp_is_held && holders::xdp_holder(link).is_none() {
                moved |= self.improve(link, report);
            }
        }
        if moved {
            self.sweep(links);
        }
    }

    /// Goes over to native XDP, which has become free. The hook that is left keeps the program
    /// until that is done.
    fn improve(&mut self, link: &Link, report: &mut dyn FnMut(Report)) -> bool {
        let seen = self.frames_seen(link.index, Kind::Xdp);
        let dir = self.pins.links();
        match hook::attach(&mut self.object, &dir, link, Kind::Xdp) {
            Ok(_) => {
                report(Report::attachment(&link.name, "attached", Kind::Xdp.name()));
                if let Some(port) = self.ports.get_mut(&link.index) {
                    port.kind = Some(Kind::Xdp);
                    port.why.clear();
                    port.before.clear();
                    port.proof = Proof::Waiting;
                    port.xdp_is_held = false;
                    port.is_fresh = true;
                    port.begin_trial(link, seen);
                }
                true
            }
            Err(error) => {
                log::debug!("{}: {error}", refusal(link, Kind::Xdp, &error));
                false
            }
        }
    }

    /// Compares what the kernel takes in from interfaces with what the program has seen: until it
    /// has seen something, and now and then from then on. Interfaces on which nothing arrives are
    /// probed.
    pub(super) fn prove(&mut self, links: &[Link], report: &mut dyn FnMut(Report)) {
        let now = Instant::now();
        let mut blind = Vec::new();
        for link in links {
            let Some(kind) = self.ports.get(&link.index).and_then(|port| port.kind) else {
                continue;
            };
            let seen = self.frames_seen(link.index, kind);
            let Some(port) = self.ports.get_mut(&link.index) else {
                continue;
            };
            let Some(mut trial) = port.trial.take() else {
                if now >= port.next_trial {
                    port.begin_trial(link, seen);
                }
                continue;
            };
            if port.proof == Proof::Waiting && trial.seen(seen) > 0 {
                port.proof = Proof::Seen;
                port.next_trial = now + TRIAL_EVERY;
                continue;
            }
            let verdict = trial.look(|| frames_seen(&self.frames, link.index, kind));
            match verdict {
                Ok(Verdict::Sees) => {
                    if port.proof == Proof::Blind {
                        let detail = "it sees what arrives";
                        report(Report::attachment(&port.name, "recovered", detail));
                    }
                    port.proof = Proof::Seen;
                    port.next_trial = now + TRIAL_EVERY;
                }
                Ok(Verdict::Blind) => {
                    if port.proof != Proof::Blind {
                        let mut detail = "frames arrive that the program does not see".to_owned();
                        for other in &port.before {
                            detail.push_str(&format!("; before it: {other}"));
                        }
                        report(Report::attachment(&port.name, "blind", detail));
                    }
                    port.proof = Proof::Blind;
                    if kind == Kind::Xdp && self.target.hook == Hook::Auto {
                        port.xdp_is_blind = true;
                        blind.push(link);
                    } else {
                        port.begin_trial(link, seen);
                    }
                }
                Ok(Verdict::Open) if port.proof == Proof::Seen && trial.age() >= TRIAL_TIME => {
                    port.next_trial = now + TRIAL_EVERY;
                }
                Ok(Verdict::Open) => {
                    port.trial = Some(trial);
                    port.probe(link, now);
                }
                Err(error) => {
                    log::debug!("{}: counting frames: {error}", link.name);
                    port.next_trial = now + TRIAL_EVERY;
                }
            }
        }
        if !blind.is_empty() {
            for link in blind {
                self.ensure(link, report);
            }
            self.sweep(links);
        }
    }

    /// Lets go of what only a predecessor's programs needed, which stand nowhere any more.
    pub(super) fn forget_predecessors(&self) {
        self.object.forget_predecessors();
        self.pins.remove_other_versions();
    }

    fn frames_seen(&self, index: u32, kind: Kind) -> u64 {
        frames_seen(&self.frames, index, kind)
    }

    /// Detaches everywhere and unpins everything.
    pub(super) fn detach(&mut self, links: &[Link], report: &mut dyn FnMut(Report)) {
        for port in std::mem::take(&mut self.ports).into_values() {
            if port.kind.is_some() {
                report(Report::attachment(&port.name, "detached", ""));
            }
        }
        self.sweep(links);
        self.pins.remove_all();
    }
}

impl Port {
    /// Why it is as it is.
    fn words(&self) -> String {
        let before = self
            .before
            .iter()
            .map(|other| format!("{other} runs before"));
        let why = (!self.why.is_empty()).then(|| self.why.clone());
        why.into_iter().chain(before).collect::<Vec<_>>().join("; ")
    }

    fn begin_trial(&mut self, link: &Link, seen: u64) {
        self.trial = Trial::begin(link, seen)
            .inspect_err(|error| log::debug!("{}: counting frames: {error}", link.name))
            .ok();
        self.next_trial = Instant::now() + TRIAL_EVERY;
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

fn refusal(link: &Link, kind: Kind, error: &HookError) -> String {
    let holder = match kind {
        Kind::Xdp | Kind::XdpGeneric if error.is_busy() => holders::xdp_holder(link),
        Kind::Tc if error.is_busy() => holders::tc_holder(link),
        _ => None,
    };
    let holder = holder.map(|holder| format!(", {holder}"));
    format!("no {}: {error}{}", kind.name(), holder.unwrap_or_default())
}

/// Frames that the program saw on an interface. XDP drivers that do not tell it which interface
/// count as interface 0.
fn frames_seen(frames: &PerCpuArray<MapData, u64>, index: u32, kind: Kind) -> u64 {
    let nameless = (kind == Kind::Xdp && !index.is_multiple_of(FRAME_SLOTS)).then_some(0);
    [index % FRAME_SLOTS]
        .into_iter()
        .chain(nameless)
        .filter_map(|slot| frames.get(&slot, 0).ok())
        .flat_map(|values| values.iter().copied().collect::<Vec<u64>>())
        .fold(0, u64::wrapping_add)
}
