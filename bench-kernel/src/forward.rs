//! What a frame costs on its whole way from device to cloud, through a router with a bridge, in
//! network namespaces.

use std::os::fd::{AsFd, OwnedFd};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use mqttguard::config::KernelLimits;
use mqttguard::registry::DevicePolicy;
use mqttguard_bench::{aligned, median, ratio};
use mqttguard_common::{Mac, Reason};
use mqttguard_tests::bpf::{GOOD, Hook, Instruction, Kernel, XDP, load, rules};
use mqttguard_tests::frames::{ACK, Frame, SYN};

use crate::blaster::Blaster;
use crate::bpf::{NAME, Place};
use crate::frame_cost::EVERY_LIMIT;
use crate::network::{CLOUD, DEVICE, DEVICE_MAC, MUTE_CLOUD, MUTE_DEVICE, Network, PORT, WAN_MAC};
use crate::rulesets::{Chain, ruleset};

/// A device that sends more than it may.
const FLOODER: Mac = Mac([2, 0, 0, 0, 0, 3]);
/// How much it may, in a second.
const LIMIT: u32 = 100;
/// What no sender here reaches.
const AMPLE: u32 = 500_000_000;

const MQTT: u16 = 1883;
const TLS: u16 = 443;
const PSH: u8 = 0x08;

/// Frames for one measurement: some 100 milliseconds.
const COUNT: u32 = 100_000;
/// Measurements in a row, of which the best counts.
const TRIES: u32 = 2;

/// Who looks at the frames.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Guard {
    /// A program that drops them all, as early as can be: what sending costs.
    Floor,
    Nobody,
    Native,
    Tcx,
    Generic,
    Nftables(Chain),
}

const GUARDS: [(Guard, &str); 7] = [
    (Guard::Floor, "sending alone"),
    (Guard::Nobody, "no program"),
    (Guard::Native, "native XDP"),
    (Guard::Tcx, "TC"),
    (Guard::Generic, "generic XDP"),
    (Guard::Nftables(Chain::Forward), "nft forward"),
    (Guard::Nftables(Chain::Ingress), "nft ingress"),
];

struct Traffic {
    name: &'static str,
    frame: Frame,
    reason: Reason,
}

pub(crate) fn measure(quick: bool) -> Result<String> {
    let mut kernel = Kernel::load(&mqttguard::enforce::Rules {
        stranger_limits: EVERY_LIMIT,
        ..rules()
    });
    let mut set = |mac, limits| {
        kernel
            .tables
            .set_device(mac, &DevicePolicy { limits, ..GOOD })
    };
    set(DEVICE_MAC, EVERY_LIMIT)?;
    set(
        FLOODER,
        KernelLimits {
            packets_per_s: LIMIT,
            ..EVERY_LIMIT
        },
    )?;
    let network = Network::new()?;
    let drop_all = load(XDP, NAME, &[Instruction::set(0, 1), Instruction::EXIT])?;

    let traffic = traffic();
    let mut cells = vec![vec![Vec::new(); GUARDS.len()]; traffic.len()];
    for _ in 0..if quick { 2 } else { 8 } {
        for (traffic, cells) in traffic.iter().zip(&mut cells) {
            let frame = traffic.frame.bytes();
            let blaster = Blaster::new(&network.device, DEVICE, frame)?;
            for ((guard, name), cell) in GUARDS.into_iter().zip(cells) {
                if guard == Guard::Nobody && traffic.reason != Reason::Pass {
                    continue;
                }
                let bench = Bench {
                    network: &network,
                    blaster: &blaster,
                    traffic,
                };
                let ns = bench
                    .run(guard, &mut kernel, &drop_all)
                    .with_context(|| format!("{}, {name}", traffic.name))?;
                cell.push(ns);
            }
        }
    }
    Ok(report(&traffic, &cells))
}

struct Bench<'a> {
    network: &'a Network,
    blaster: &'a Blaster,
    traffic: &'a Traffic,
}

impl Bench<'_> {
    /// Nanoseconds a frame under this guard, once it is sure that frames went where they should.
    fn run(&self, guard: Guard, kernel: &mut Kernel, drop_all: &OwnedFd) -> Result<f64> {
        let network = self.network;
        let attach = |program: &dyn AsFd, place| {
            let program = program.as_fd().try_clone_to_owned()?;
            network.attach(program, place)
        };
        let mac = self.traffic.frame.mac;
        let _link = match guard {
            Guard::Floor => Some(attach(drop_all, Place::Native)?),
            Guard::Nobody => None,
            Guard::Native => Some(attach(&kernel.program(Hook::Xdp), Place::Native)?),
            Guard::Generic => Some(attach(&kernel.program(Hook::Xdp), Place::Generic)?),
            Guard::Tcx => Some(attach(&kernel.program(Hook::Tc), Place::Tcx)?),
            Guard::Nftables(chain) => {
                let limit = if mac == FLOODER { LIMIT } else { AMPLE };
                network.set_rules(Some(ruleset(chain, PORT, limit)))?;
                None
            }
        };
        if guard == Guard::Nftables(Chain::Forward) && self.traffic.reason != Reason::PlaintextPort
        {
            self.establish()?;
        }
        let arrived = network.arrived()?;
        let counted = kernel.frames(mac, self.traffic.reason);
        let took = self.blaster.send(&network.device, COUNT, TRIES)?;
        // What the sender left to a kernel thread.
        sleep(Duration::from_millis(20));

        let sent = u64::from(COUNT * TRIES);
        let arrived = network.arrived()? - arrived;
        let counted = kernel.frames(mac, self.traffic.reason) - counted;
        let passes = self.traffic.reason == Reason::Pass;
        let (passed, dropped) = match guard {
            Guard::Floor => (0, sent),
            Guard::Nobody => (arrived, 0),
            Guard::Native | Guard::Tcx | Guard::Generic if passes => (arrived.min(counted), 0),
            Guard::Native | Guard::Tcx | Guard::Generic => (arrived, counted),
            Guard::Nftables(_) => (arrived, network.dropped_by_rules()?),
        };
        if let Guard::Nftables(_) = guard {
            network.set_rules(None)?;
        }
        let done = if passes { passed } else { dropped };
        ensure!(
            guard == Guard::Floor
                || (done * 100 > sent * 97 && passed + dropped <= sent + sent / 100),
            "of {sent} frames {arrived} arrived, {counted} were counted by mqttguard, and {dropped} were dropped"
        );
        Ok(took.as_nanos() as f64 / f64::from(COUNT))
    }

    /// Lets connection tracking see both sides of the stream: what is established passes sooner.
    fn establish(&self) -> Result<()> {
        self.blaster.send(&self.network.device, 1, 1)?;
        let frame = &self.traffic.frame;
        let mut answer = frame.clone();
        (answer.source, answer.destination) = (frame.destination, frame.source);
        if let (Some((to, rest)), Some((from, _))) = (
            answer.body.split_first_chunk_mut::<2>(),
            frame
                .body
                .get(2..)
                .and_then(|rest| rest.split_first_chunk::<2>()),
        ) {
            // Ports, the other way round.
            let port = *to;
            *to = *from;
            if let Some(other) = rest.first_chunk_mut() {
                *other = port;
            }
        }
        let mut bytes = answer.bytes();
        if let Some(to) = bytes.first_chunk_mut() {
            *to = WAN_MAC.0;
        }
        Blaster::new(&self.network.cloud, CLOUD, bytes)?.send(&self.network.cloud, 1, 1)?;
        Ok(())
    }
}

fn traffic() -> Vec<Traffic> {
    let frame = |mac, port, flags, payload: &[u8]| {
        let mut frame = Frame::tcp(mac, MUTE_CLOUD.into(), port, flags, payload);
        frame.source = MUTE_DEVICE.into();
        frame
    };
    vec![
        Traffic {
            name: "pass, TLS",
            frame: frame(DEVICE_MAC, TLS, ACK | PSH, &[0x17; 64]),
            reason: Reason::Pass,
        },
        Traffic {
            name: "drop, SYN to port 1883",
            frame: frame(DEVICE_MAC, MQTT, SYN, &[]),
            reason: Reason::PlaintextPort,
        },
        Traffic {
            name: "drop, flood of TLS",
            frame: frame(FLOODER, TLS, ACK | PSH, &[0x17; 64]),
            reason: Reason::FloodPackets,
        },
    ]
}

fn report(traffic: &[Traffic], cells: &[Vec<Vec<f64>>]) -> String {
    let mut costs = vec![vec!["ns a frame, sending included".to_owned()]];
    let mut ratios = vec![vec!["times the frames a second of".to_owned()]];
    for line in &mut costs {
        line.extend(GUARDS.map(|(_, name)| name.to_owned()));
    }
    let rivals = [
        Guard::Nobody,
        Guard::Nftables(Chain::Forward),
        Guard::Nftables(Chain::Ingress),
    ];
    let ours = [Guard::Native, Guard::Tcx, Guard::Generic];
    for line in &mut ratios {
        line.extend(ours.map(|guard| name_of(guard).to_owned()));
    }
    for (traffic, cells) in traffic.iter().zip(cells) {
        let cost = |guard: Guard| {
            let index = GUARDS.iter().position(|(other, _)| *other == guard)?;
            median(cells.get(index)?)
        };
        let mut line = vec![traffic.name.to_owned()];
        line.extend(
            GUARDS
                .map(|(guard, _)| cost(guard).map_or_else(|| "–".into(), |ns| format!("{ns:.0}"))),
        );
        costs.push(line);
        for rival in rivals {
            let Some(theirs) = cost(rival) else {
                continue;
            };
            let mut line = vec![format!("{}: {}", traffic.name, name_of(rival))];
            line.extend(
                ours.map(|guard| {
                    cost(guard).map_or_else(|| "–".into(), |ours| ratio(theirs / ours))
                }),
            );
            ratios.push(line);
        }
    }
    format!(
        "### Through a router\n\n{}\n{}{METHOD}\n",
        aligned(&costs),
        aligned(&ratios)
    )
}

fn name_of(guard: Guard) -> &'static str {
    let found = GUARDS.iter().find(|(other, _)| *other == guard);
    found.map_or("", |(_, name)| name)
}

const METHOD: &str = "
- Device, router and cloud are network namespaces; the device's port is in the router's bridge. The
  kernel sends frames (a program under test redirects them to the device's interface), so that they
  reach the port as a driver's do, without a socket buffer yet. Sending, receiving and forwarding is
  all done by one processor: a frame's cost is the time for one, and its inverse what that processor
  gets through in a second.
- What passed and what was dropped was counted, in the cloud, by mqttguard or by the rules.
- \"nft forward\" is where OpenWrt's firewall stands: connection tracking (without checksums, as
  OpenWrt has it), sets of ports and MAC addresses, a limit by MAC, what is established accepted
  before the rules of the zone; no NAT and no flow table. \"nft ingress\" has the same sets on the
  port itself, without connection tracking: nftables at its best. Neither looks for a CONNECT.
- \"Sending alone\" drops all frames by a program of two instructions on the port.
";
