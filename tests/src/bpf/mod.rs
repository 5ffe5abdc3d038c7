//! The kernel program under `BPF_PROG_TEST_RUN`: loaded by the real verifier and run by the
//! real JIT on frames that the test hands in, attached to nothing.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod calls;
mod nop;

use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use aya::maps::{Array, MapData, ProgramArray, RingBuf};
use aya::programs::tc::qdisc_add_clsact;
use aya::programs::{TcAttachType, XdpMode};
use mqttguard::config::{KernelLimits, Mode};
use mqttguard::enforce::object::{self, Object};
use mqttguard::enforce::{DeviceCounters, Rules, Stations, Tables};
use mqttguard::registry::{DevicePolicy, Standing};
use mqttguard_common::{EventRecord, Flow, Mac, Reason, Station};

use crate::frames::ROUTER;

pub use calls::*;
pub use nop::Nop;

/// The two programs of the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// `mqttguard_xdp`.
    Xdp,
    /// `mqttguard_tc`.
    Tc,
}

/// Both.
pub const HOOKS: [Hook; 2] = [Hook::Xdp, Hook::Tc];

/// What a program said to a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    Pass,
    /// It is gone.
    Drop,
    /// It is gone, and something else goes back where it came from.
    Answer,
}

/// The interface on which `BPF_PROG_TEST_RUN` has frames come in: the loopback device.
pub const INTERFACE: u32 = 1;

/// How frames of these tests are addressed to the router.
pub const STATION: Station = Station {
    ifindex: INTERFACE,
    vlan: 0,
    mac: ROUTER,
};

/// A loaded object with maps of its own.
pub struct Kernel {
    object: Object,
    /// Its rules, devices and counters.
    pub tables: Tables,
    events: RingBuf<MapData>,
    streams: Array<MapData, Flow>,
    stations: Stations,
}

/// Limits that no test meets by accident.
pub const WIDE: KernelLimits = KernelLimits {
    packets_per_s: 1_000_000,
    bytes_per_s: 10_000_000_000,
    connections_per_s: 1_000_000,
    udp_per_s: 1_000_000,
    broadcasts_per_s: 1_000_000,
};

/// Rules that catch everything: port 1883, CONNECT, WebSockets, MQTT-SN; no listener, no exceptions.
pub fn rules() -> Rules {
    Rules {
        mode: Mode::Enforce,
        plaintext_ports: vec![1883],
        detect_connect: true,
        mqtt_sn: true,
        websocket: true,
        reject: false,
        drop_mismatch: false,
        uplift: false,
        local_addresses: vec!["192.168.1.1".parse().unwrap(), "fd00::1".parse().unwrap()],
        broker_ports: vec![8883],
        local_plaintext_port: None,
        exceptions: Vec::new(),
        stranger_limits: WIDE,
    }
}

/// A device in good standing under [`WIDE`] limits.
pub const GOOD: DevicePolicy = DevicePolicy {
    standing: Standing::Good,
    plaintext: false,
    uplift: false,
    interface: None,
    address: None,
    limits: WIDE,
};

impl Kernel {
    /// Loads the object that the daemon embeds, or the one `MQTTGUARD_EBPF_OBJECT` names, under
    /// these rules.
    ///
    /// # Panics
    ///
    /// Without the right to load BPF programs, or when the verifier refuses.
    pub fn load(rules: &Rules) -> Self {
        require_root();
        let mut object = match std::env::var_os("MQTTGUARD_EBPF_OBJECT") {
            Some(path) => {
                let bytes = std::fs::read(&path).expect("MQTTGUARD_EBPF_OBJECT names a file");
                object::open(&bytes, None)
            }
            None => object::open(object::OBJECT, None),
        }
        .unwrap_or_else(|error| panic!("{error}"));
        for loaded in [object.xdp().map(drop), object.tc().map(drop)] {
            loaded.unwrap_or_else(|error| panic!("{error}"));
        }
        let mut tables = Tables::take(&mut object).unwrap();
        tables.set_rules(rules).unwrap();
        let events = object.take_map("EVENTS").unwrap().try_into().unwrap();
        let streams = object.take_map("FLOWS").unwrap().try_into().unwrap();
        let mut stations = Stations::take(&mut object).unwrap();
        stations.set(&[STATION].into()).unwrap();
        Kernel {
            object,
            tables,
            events,
            streams,
            stations,
        }
    }

    /// Runs one frame through one program.
    ///
    /// # Panics
    ///
    /// If the kernel refuses the run or the program answers something that is no verdict.
    pub fn run(&mut self, hook: Hook, frame: &[u8]) -> Verdict {
        self.run_as(hook, frame, 0, 1).0
    }

    /// Runs one frame through one program: what it says, and the frame as it leaves it.
    ///
    /// # Panics
    ///
    /// As [`Kernel::run`].
    pub fn transform(&mut self, hook: Hook, frame: &[u8]) -> (Verdict, Vec<u8>) {
        let mut out = vec![0; frame.len() + 64];
        let (verdict, _, length) = self.run_into(hook, frame, 0, 1, &mut out);
        out.truncate(length);
        (verdict, out)
    }

    /// Runs a frame through both hooks: each must count exactly this reason for the frame's
    /// source and do what the reason says.
    ///
    /// # Panics
    ///
    /// If it does not.
    #[track_caller]
    pub fn expect(&mut self, frame: &[u8], reason: Reason) {
        let mac = Mac(frame[6..12].try_into().unwrap());
        for hook in HOOKS {
            let before = self.counters(mac);
            let verdict = self.run(hook, frame);
            let after = self.counters(mac);
            let counted: Vec<Reason> = Reason::ALL
                .into_iter()
                .filter(|&reason| after.frames[reason as usize] != before.frames[reason as usize])
                .collect();
            assert_eq!(counted, [reason], "{hook:?}");
            let index = reason as usize;
            assert_eq!(after.frames[index] - before.frames[index], 1, "{hook:?}");
            assert_eq!(
                after.bytes[index] - before.bytes[index],
                frame.len() as u64,
                "{hook:?}"
            );
            let expected = if reason.is_drop() {
                Verdict::Drop
            } else {
                Verdict::Pass
            };
            assert_eq!(verdict, expected, "{hook:?}, {}", reason.name());
        }
    }

    /// Runs one frame `repeat` times: the last verdict and the mean time of a run.
    ///
    /// # Panics
    ///
    /// As [`Kernel::run`].
    pub fn repeat(&mut self, hook: Hook, frame: &[u8], repeat: u32) -> (Verdict, Duration) {
        self.run_as(hook, frame, 0, repeat)
    }

    /// Runs one frame through the TC program as a merged packet of `segments` segments.
    ///
    /// # Panics
    ///
    /// As [`Kernel::run`].
    pub fn run_merged(&mut self, frame: &[u8], segments: u32) -> Verdict {
        self.run_as(Hook::Tc, frame, segments, 1).0
    }

    /// Floods one program from a thread on each of `cpus` processors at once. Returns how long
    /// it was from the first frame to the last, at least and at most: other work may come between
    /// a frame and the look at the clock.
    ///
    /// # Panics
    ///
    /// As [`Kernel::run`].
    pub fn run_everywhere(
        &mut self,
        hook: Hook,
        frame: &[u8],
        cpus: usize,
        time: Duration,
    ) -> (Duration, Duration) {
        let program = self.program(hook);
        let barrier = std::sync::Barrier::new(cpus);
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..cpus)
                .map(|cpu| {
                    let barrier = &barrier;
                    scope.spawn(move || {
                        pin_to(cpu);
                        barrier.wait();
                        let batch = || {
                            let before = Instant::now();
                            test_run(program, frame, &mut [], 2_000, &mut [])
                                .expect("BPF_PROG_TEST_RUN");
                            (before, Instant::now())
                        };
                        let first = batch();
                        let mut last = first;
                        while first.0.elapsed() < time {
                            last = batch();
                        }
                        (first, last)
                    })
                })
                .collect();
            let times: Vec<_> = threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect();
            let first = |edge: fn(&(Instant, Instant)) -> Instant| {
                times.iter().map(|(first, _)| edge(first)).min().unwrap()
            };
            let last = |edge: fn(&(Instant, Instant)) -> Instant| {
                times.iter().map(|(_, last)| edge(last)).max().unwrap()
            };
            (
                last(|run| run.0).saturating_duration_since(first(|run| run.1)),
                last(|run| run.1) - first(|run| run.0),
            )
        })
    }

    fn run_as(
        &mut self,
        hook: Hook,
        frame: &[u8],
        segments: u32,
        repeat: u32,
    ) -> (Verdict, Duration) {
        let (verdict, took, _) = self.run_into(hook, frame, segments, repeat, &mut []);
        (verdict, took)
    }

    fn run_into(
        &mut self,
        hook: Hook,
        frame: &[u8],
        segments: u32,
        repeat: u32,
        out: &mut [u8],
    ) -> (Verdict, Duration, usize) {
        // struct __sk_buff; gso_segs lies at byte 164.
        let mut buffer = [0u8; 192];
        buffer[164..168].copy_from_slice(&segments.to_ne_bytes());
        let context: &mut [u8] = match hook {
            Hook::Xdp => &mut [],
            Hook::Tc => &mut buffer,
        };
        let result = test_run(self.program(hook), frame, context, repeat, out);
        let run = result
            .unwrap_or_else(|error| panic!("BPF_PROG_TEST_RUN of {} bytes: {error}", frame.len()));
        let verdict = match (hook, run.verdict as i32) {
            (Hook::Xdp, 2) | (Hook::Tc, -1) => Verdict::Pass,
            (Hook::Xdp, 1) | (Hook::Tc, 2) => Verdict::Drop,
            // XDP_TX and TC_ACT_REDIRECT.
            (Hook::Xdp, 3) | (Hook::Tc, 7) => Verdict::Answer,
            (_, other) => panic!("{hook:?} answered {other}"),
        };
        (verdict, run.took, run.length)
    }

    /// Attaches the XDP program to an interface in its driver, until the end of the test.
    ///
    /// # Panics
    ///
    /// If the kernel refuses.
    pub fn attach_xdp(&mut self, interface: &str) {
        self.object
            .xdp()
            .unwrap()
            .attach(interface, XdpMode::Driver)
            .unwrap();
    }

    /// The descriptor of one program.
    ///
    /// # Panics
    ///
    /// If the object has no such program.
    pub fn program(&mut self, hook: Hook) -> BorrowedFd<'_> {
        match hook {
            Hook::Xdp => self
                .object
                .xdp()
                .unwrap_or_else(|error| panic!("{error}"))
                .fd()
                .unwrap()
                .as_fd(),
            Hook::Tc => self
                .object
                .tc()
                .unwrap_or_else(|error| panic!("{error}"))
                .fd()
                .unwrap()
                .as_fd(),
        }
    }

    /// Attaches the TC program to the ingress of an interface, until the end of the test.
    ///
    /// # Panics
    ///
    /// If the kernel refuses.
    pub fn attach_tc(&mut self, interface: &str) {
        // Not needed where there is TCX.
        let _ = qdisc_add_clsact(interface);
        self.object
            .tc()
            .unwrap()
            .attach(interface, TcAttachType::Ingress)
            .unwrap();
    }

    /// How many instructions the verifier looked at in each program of a hook until it was convinced;
    /// 0 if the kernel does not tell (before 5.16). It gives up at a million.
    ///
    /// # Panics
    ///
    /// If the kernel does not know its own programs.
    pub fn verified(&mut self, hook: Hook) -> Vec<(String, u32)> {
        self.program(hook);
        let part = match hook {
            Hook::Xdp => "xdp",
            Hook::Tc => "tc",
        };
        let mut all: Vec<_> = self
            .object
            .loaded()
            .unwrap()
            .into_iter()
            .filter(|(name, _)| name.contains(part))
            .map(|(name, info)| {
                let checked = info.verified_instruction_count().unwrap_or(0);
                (name.to_owned(), checked)
            })
            .collect();
        all.sort();
        all
    }

    /// What the router takes in; [`STATION`] if this is not called.
    ///
    /// # Panics
    ///
    /// If the map cannot be written.
    pub fn set_stations(&mut self, stations: &BTreeSet<Station>) {
        self.stations.set(stations).unwrap();
    }

    /// Takes the programs away that others hand frames on to, as the kernel does when nobody but
    /// programs has their arrays any more.
    ///
    /// # Panics
    ///
    /// If the maps cannot be written, or this was done before.
    pub fn lose_calls(&mut self) {
        for name in ["XDP_CALLS", "TC_CALLS"] {
            let map = self.object.take_map(name).unwrap();
            let mut calls = ProgramArray::try_from(map).unwrap();
            let indices: Vec<u32> = calls.indices().collect::<Result<_, _>>().unwrap();
            for index in indices {
                calls.clear_index(&index).unwrap();
            }
        }
    }

    /// Makes the kernel forget every TCP stream.
    ///
    /// # Panics
    ///
    /// If the map cannot be written.
    pub fn forget_streams(&mut self) {
        for slot in 0..Flow::SLOTS {
            if self.streams.get(&slot, 0).unwrap().since != 0 {
                self.streams.set(slot, Flow::default(), 0).unwrap();
            }
        }
    }

    /// Makes every stream that the kernel remembers older by so many units of
    /// [`Flow::TICK_BITS`].
    ///
    /// # Panics
    ///
    /// If the map cannot be read or written.
    pub fn age_streams(&mut self, units: u32) {
        for slot in 0..Flow::SLOTS {
            let mut flow = self.streams.get(&slot, 0).unwrap();
            if flow.since != 0 {
                flow.since = flow.since.wrapping_sub(units);
                self.streams.set(slot, flow, 0).unwrap();
            }
        }
    }

    /// All that was told since the last call.
    pub fn events(&mut self) -> Vec<EventRecord> {
        let mut events = Vec::new();
        while let Some(item) = self.events.next() {
            events.push(EventRecord::from_bytes(&item).expect("a whole record"));
        }
        events
    }

    /// What was counted of one device.
    pub fn counters(&self, mac: Mac) -> DeviceCounters {
        self.tables.counters_of(mac).unwrap()
    }

    /// The frames counted of one device under one reason.
    pub fn frames(&self, mac: Mac, reason: Reason) -> u64 {
        self.counters(mac).frames[reason as usize]
    }
}

/// # Panics
///
/// With a clear message when the test may not do what it has to.
pub fn require_root() {
    // SAFETY: no arguments, cannot fail.
    let user = unsafe { libc::geteuid() };
    assert!(
        user == 0,
        "this test loads programs into the kernel and has to run as root, not as user {user}"
    );
}

/// Keeps this thread on one processor.
///
/// # Panics
///
/// If there is no such processor.
pub fn pin_to(cpu: usize) {
    // SAFETY: a set of bits, all of them clear, is valid; the calls read and write it alone.
    let result = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(cpu, &mut set);
        libc::sched_setaffinity(0, size_of_val(&set), &raw const set)
    };
    assert!(result == 0, "{}", io::Error::last_os_error());
}
