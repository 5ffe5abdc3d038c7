use std::collections::BTreeMap;

use aya::Ebpf;
use aya::maps::{MapData, PerCpuArray};
use mqttguard_common::FRAME_SLOTS;

use super::bpffs::Pins;
use super::hook::{self, Attached, Kind};
use super::links::{Link, resolve};
use super::{Attachment, Proof, Report, Target, probe};
use crate::config::Hook;

/// Packets that an interface must have received, without the program having seen one, to call
/// it blind.
const BLIND_AFTER: u64 = 16;

/// Looks between two probes of an interface on which nothing arrives.
const PROBE_EVERY: u32 = 10;

/// The interfaces that are to be guarded, and how the program sits on each.
pub(super) struct Ports {
    object: Ebpf,
    frames: PerCpuArray<MapData, u64>,
    pins: Pins,
    target: Target,
    ports: BTreeMap<u32, Port>,
    /// Devices of the target that stand for no interface, and why.
    missing: BTreeMap<String, &'static str>,
}

struct Port {
    name: String,
    kind: Option<Kind>,
    why: String,
    proof: Proof,
    xdp_is_blind: bool,
    /// The program's counter when it was attached.
    frames_before: u64,
    /// The interface's counter when it was first looked at.
    received_before: Option<u64>,
    looks: u32,
}

impl Ports {
    pub(super) fn new(
        object: Ebpf,
        frames: PerCpuArray<MapData, u64>,
        pins: Pins,
        target: Target,
    ) -> Self {
        Ports {
            object,
            frames,
            pins,
            target,
            ports: BTreeMap::new(),
            missing: BTreeMap::new(),
        }
    }

    pub(super) fn set_target(&mut self, target: Target) {
        self.target = target;
    }

    /// Whether an interface waits for its proof.
    pub(super) fn is_waiting(&self) -> bool {
        self.ports
            .values()
            .any(|port| port.kind.is_some() && port.proof == Proof::Waiting)
    }

    pub(super) fn attachments(&self) -> Vec<Attachment> {
        let ports = self.ports.values().map(|port| Attachment {
            interface: port.name.clone(),
            hook: port.kind.map(Kind::name),
            proof: port.proof,
            why: port.why.clone(),
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
            self.ensure(link, target.hook, report);
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

    fn ensure(&mut self, link: &Link, hook: Hook, report: &mut dyn FnMut(Report)) {
        let old = self.ports.remove(&link.index);
        let xdp_is_blind = old.as_ref().is_some_and(|port| port.xdp_is_blind);
        let choices = Kind::choices(hook, xdp_is_blind);
        if let Some(mut port) = old {
            if port.kind.is_some_and(|kind| choices.contains(&kind)) {
                port.name.clone_from(&link.name);
                self.ports.insert(link.index, port);
                return;
            }
            let port = self.attach(link, choices, xdp_is_blind, port.kind, report, &port.why);
            self.ports.insert(link.index, port);
            return;
        }
        let port = self.attach(link, choices, xdp_is_blind, None, report, "");
        self.ports.insert(link.index, port);
    }

    /// Attaches by the first of `choices` that works, those that a predecessor left first.
    fn attach(
        &mut self,
        link: &Link,
        choices: &[Kind],
        xdp_is_blind: bool,
        current: Option<Kind>,
        report: &mut dyn FnMut(Report),
        known_why: &str,
    ) -> Port {
        // The two kinds of XDP exclude each other, so that one has to go first.
        if let Some(kind @ (Kind::Xdp | Kind::XdpGeneric)) = current
            && choices
                .iter()
                .any(|kind| matches!(kind, Kind::Xdp | Kind::XdpGeneric))
            && let Err(error) = hook::detach(&self.pins.links(), link.index, Some(link), kind)
        {
            log::warn!("{}: detaching {}: {error}", link.name, kind.name());
        }
        let dir = self.pins.links();
        let pinned: Vec<Kind> = hook::pinned(&dir)
            .into_iter()
            .filter_map(|(kind, index)| (index == link.index).then_some(kind))
            .collect();
        let mut order = choices.to_vec();
        order.sort_by_key(|kind| !pinned.contains(kind));

        let frames_before = self.frames_seen(link.index);
        let mut refusals = Vec::new();
        let mut found = None;
        for kind in order {
            match hook::attach(&mut self.object, &dir, link, kind) {
                Ok(attached) => {
                    found = Some((kind, attached));
                    break;
                }
                Err(error) => refusals.push(format!("no {}: {error}", kind.name())),
            }
        }
        if xdp_is_blind {
            refusals.push("native XDP saw none of the frames that arrived".into());
        }
        let why = refusals.join("; ");
        match found {
            Some((kind, attached)) => {
                let what = match attached {
                    Attached::Fresh => "attached",
                    Attached::TakenOver => "taken-over",
                };
                let detail = if why.is_empty() {
                    kind.name().to_string()
                } else {
                    format!("{} ({why})", kind.name())
                };
                report(Report::attachment(&link.name, what, detail));
            }
            None if why != known_why => report(Report::attachment(&link.name, "failed", &*why)),
            None => {}
        }
        Port {
            name: link.name.clone(),
            kind: found.map(|(kind, _)| kind),
            why,
            proof: Proof::Waiting,
            xdp_is_blind,
            frames_before,
            received_before: None,
            looks: 0,
        }
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

    /// Compares what interfaces have received with what the program has seen. Interfaces on
    /// which nothing arrives are probed now and then.
    pub(super) fn prove(&mut self, links: &[Link], report: &mut dyn FnMut(Report)) {
        let hook = self.target.hook;
        let mut blind = Vec::new();
        for link in links {
            let seen = self.frames_seen(link.index);
            let Some(port) = self.ports.get_mut(&link.index) else {
                continue;
            };
            if port.kind.is_none() || port.proof == Proof::Seen {
                continue;
            }
            if seen > port.frames_before {
                port.proof = Proof::Seen;
                continue;
            }
            let before = *port.received_before.get_or_insert(link.rx_packets);
            if link.rx_packets.saturating_sub(before) >= BLIND_AFTER {
                if port.proof != Proof::Blind {
                    let detail = "frames arrive that the program does not see";
                    report(Report::attachment(&port.name, "failed", detail));
                }
                port.proof = Proof::Blind;
                if port.kind == Some(Kind::Xdp) && hook == Hook::Auto {
                    port.xdp_is_blind = true;
                    blind.push(link);
                }
                continue;
            }
            if link.is_running
                && port.looks.is_multiple_of(PROBE_EVERY)
                && let Err(error) = probe::send(link)
            {
                log::debug!("{}: probe: {error}", link.name);
            }
            port.looks = port.looks.wrapping_add(1);
        }
        if !blind.is_empty() {
            for link in blind {
                self.ensure(link, hook, report);
            }
            self.sweep(links);
        }
    }

    /// Frames that the program saw on an interface. Drivers that do not tell it which interface
    /// count as interface 0.
    fn frames_seen(&self, index: u32) -> u64 {
        [index % FRAME_SLOTS, 0]
            .into_iter()
            .filter_map(|slot| self.frames.get(&slot, 0).ok())
            .flat_map(|values| values.iter().copied().collect::<Vec<u64>>())
            .fold(0, u64::wrapping_add)
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
