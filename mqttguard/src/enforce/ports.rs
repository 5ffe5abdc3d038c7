use std::collections::BTreeMap;

use aya::maps::{MapData, PerCpuArray};
use mqttguard_common::FRAME_SLOTS;

use super::bpffs::Pins;
use super::holders::{self, Hold};
use super::hook::{self, Attached, HookError};
use super::kind::Kind;
use super::links::{Link, resolve};
use super::object::Object;
use super::port::Port;
use super::{Attachment, EnforceError, Proof, Report, Target};
use crate::config::Hook;
use crate::events::AttachNote;

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
    missing: BTreeMap<String, AttachNote>,
    /// What the kernel is to verify next: the programs of XDP, or those of TC.
    awaited: Option<bool>,
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
            awaited: None,
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
        self.ports.values().any(Port::is_on_trial)
    }

    /// What the kernel is to verify before anything more can be attached: the programs of XDP if
    /// true, or those of TC.
    pub(super) fn awaited(&self) -> Option<bool> {
        self.awaited
    }

    /// Has the kernel verify programs, and touches nothing else.
    pub(super) fn verify(&mut self, is_xdp: bool) -> Result<(), EnforceError> {
        self.object.verify(is_xdp)
    }

    /// Takes in what came of [`Ports::verify`].
    ///
    /// # Errors
    ///
    /// Nothing is attached, and nothing can be: the kernel has refused all there is.
    pub(super) fn take_in(
        &mut self,
        is_xdp: bool,
        verified: Result<(), EnforceError>,
    ) -> Result<(), EnforceError> {
        self.awaited = None;
        let Err(error) = verified else {
            return self.object.pin_calls(is_xdp);
        };
        let mut choices = Kind::choices(self.target.hook, false).iter();
        let is_attached = self.ports.values().any(|port| port.kind.is_some());
        if !is_attached && choices.all(|kind| self.object.is_refused(kind.is_xdp())) {
            return Err(error);
        }
        log::warn!("{error}");
        Ok(())
    }

    pub(super) fn attachments(&self) -> Vec<Attachment> {
        let ports = self.ports.values().map(|port| Attachment {
            interface: port.name.clone(),
            hook: port.kind.map(Kind::name),
            proof: port.proof,
            notes: port.notes(),
        });
        let missing = self.missing.iter().map(|(name, why)| Attachment {
            interface: name.clone(),
            hook: None,
            proof: Proof::Waiting,
            notes: vec![why.clone()],
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
                report(Report::noted(name, "failed", vec![why.clone()]));
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
                && let Some(kind) = port.kind
            {
                let link = links.iter().find(|link| link.index == index);
                self.detach_one(index, link, kind);
                report(Report::attachment(&port.name, "detached", ""));
            }
        }
        // With nothing to attach to, the kernel has time to verify what every interface has.
        if self.ports.is_empty()
            && ![true, false]
                .iter()
                .any(|is_xdp| self.object.is_asked(*is_xdp))
        {
            let last = Kind::choices(target.hook, false).last();
            self.awaited = last.map(|kind| kind.is_xdp());
        }
        self.sweep(links);
    }

    fn detach_one(&self, index: u32, link: Option<&Link>, kind: Kind) {
        if let Err(error) = hook::detach(&self.pins.links(), index, link, kind) {
            log::warn!("interface {index}: detaching {}: {error}", kind.name());
        }
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
    /// to us, else the best. If the kernel is still to verify the program for it, everything stays as it
    /// is until that is done.
    fn attach(&mut self, link: &Link, mut old: Option<Port>, report: &mut dyn FnMut(Report)) {
        let xdp_is_blind = old.as_ref().is_some_and(|port| port.xdp_is_blind);
        let choices = Kind::choices(self.target.hook, xdp_is_blind);
        let dir = self.pins.links();
        let pinned = hook::pinned(&dir);
        let is_pinned = |kind: &Kind| pinned.contains(&(*kind, link.index));
        let mut order = choices.to_vec();
        if old.as_ref().is_none_or(|port| port.is_waiting) {
            order.sort_by_key(|kind| !is_pinned(kind));
        }

        let seen: Vec<_> = Kind::ALL
            .map(|kind| (kind, self.frames_seen(link.index, kind)))
            .into();
        let mut refusals = Vec::new();
        let mut found = None;
        let mut xdp_is_held = false;
        let mut reserved = old.as_mut().and_then(|port| port.reserved.take());
        for &kind in &order {
            let result = if self.object.is_asked(kind.is_xdp()) {
                self.make_room(link, old.as_ref(), kind);
                hook::attach(&mut self.object, &dir, link, kind, reserved.take()).map(Some)
            } else if kind == Kind::Xdp && order.len() > 1 && !is_pinned(&kind) {
                let held = match reserved.take() {
                    Some(held) => Ok(held),
                    None => hook::reserve(&mut self.object, link),
                };
                held.map(|held| {
                    reserved = Some(held);
                    None
                })
            } else {
                Ok(None)
            };
            match result {
                Ok(Some(attached)) => {
                    found = Some((kind, attached));
                    break;
                }
                Ok(None) => {
                    self.awaited.get_or_insert(kind.is_xdp());
                    let mut port = old.unwrap_or_else(|| Port::new(&link.name));
                    port.reserved = reserved;
                    port.is_fresh = true;
                    port.is_waiting |= port.kind.is_none();
                    self.ports.insert(link.index, port);
                    return;
                }
                Err(error) => {
                    xdp_is_held |= kind == Kind::Xdp && error.is_busy();
                    refusals.push(refusal(link, kind, &error));
                }
            }
        }
        if xdp_is_blind {
            refusals.push(AttachNote::XdpBlind);
        }
        if let Some((kind, Attached::TakenOver)) = found
            && refusals.is_empty()
            && choices.first() != Some(&kind)
        {
            refusals.push(AttachNote::Chosen);
        }
        let why = refusals;
        match found {
            Some((kind, attached)) => {
                let (what, note) = match attached {
                    Attached::Fresh => ("attached", None),
                    Attached::TakenOver => ("taken-over", self.take_over_note.as_deref()),
                };
                let notes = why.iter().map(AttachNote::to_string);
                let notes: Vec<String> = notes.chain(note.map(str::to_owned)).collect();
                let detail = match notes.is_empty() {
                    true => kind.name().to_string(),
                    false => format!("{} ({})", kind.name(), notes.join("; ")),
                };
                report(Report::attachment(&link.name, what, detail));
            }
            None if old.as_ref().is_none_or(|port| port.why != why) => {
                report(Report::noted(&link.name, "failed", why.clone()));
            }
            None => {}
        }
        let mut port = Port::new(&link.name);
        port.kind = found.map(|(kind, _)| kind);
        port.why = why;
        port.xdp_is_blind = xdp_is_blind;
        port.xdp_is_held = xdp_is_held;
        if let Some((_, seen)) = seen.into_iter().find(|(kind, _)| port.kind == Some(*kind)) {
            port.begin_trial(link, seen);
        }
        self.ports.insert(link.index, port);
    }

    /// The two kinds of XDP exclude each other, so that one has to go first.
    fn make_room(&self, link: &Link, old: Option<&Port>, kind: Kind) {
        if let Some(old) = old.and_then(|port| port.kind)
            && old.is_xdp()
            && kind.is_xdp()
        {
            self.detach_one(link.index, Some(link), old);
        }
    }

    /// Removes every pinned attachment that is not ours now: of a predecessor with another
    /// target or hook, of interfaces that are gone. What a predecessor left stays until all of ours
    /// that is to take its place stands.
    fn sweep(&self, links: &[Link]) {
        if self.awaited.is_some() {
            return;
        }
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
                Hold::Ours(_) => Some(AttachNote::PinRemoved),
                Hold::Lost(None) => Some(AttachNote::TakenOff { hook: kind.name() }),
                Hold::Lost(Some(other)) => Some(AttachNote::Replaced {
                    hook: kind.name(),
                    program: other.to_string(),
                }),
            };
            if let Some(how) = lost {
                report(Report::noted(&link.name, "lost", vec![how]));
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
        if !self.object.is_asked(true) {
            self.awaited.get_or_insert(true);
            return false;
        }
        let seen = self.frames_seen(link.index, Kind::Xdp);
        let dir = self.pins.links();
        match hook::attach(&mut self.object, &dir, link, Kind::Xdp, None) {
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
        let mut blind = Vec::new();
        for link in links {
            let Some(port) = self.ports.get_mut(&link.index) else {
                continue;
            };
            let Some(kind) = port.kind else {
                continue;
            };
            let count = || frames_seen(&self.frames, link.index, kind);
            if !port.prove(link, count, report) {
                continue;
            }
            if kind == Kind::Xdp && self.target.hook == Hook::Auto {
                port.xdp_is_blind = true;
                blind.push(link);
            } else {
                port.begin_trial(link, count());
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
        let ports = std::mem::take(&mut self.ports);
        hook::detach_all_but(&self.pins.links(), links, |_, _| false);
        self.pins.remove_all();
        for port in ports.into_values().filter(|port| port.kind.is_some()) {
            report(Report::attachment(&port.name, "detached", ""));
        }
    }
}

fn refusal(link: &Link, kind: Kind, error: &HookError) -> AttachNote {
    let holder = match kind {
        Kind::Xdp | Kind::XdpGeneric if error.is_busy() => holders::xdp_holder(link),
        Kind::Tc if error.is_busy() => holders::tc_holder(link),
        _ => None,
    };
    let holder = holder.map(|holder| format!(", {holder}"));
    AttachNote::Refused {
        hook: kind.name(),
        why: format!("{error}{}", holder.unwrap_or_default()),
    }
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
