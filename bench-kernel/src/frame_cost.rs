//! What one frame costs, by `BPF_PROG_TEST_RUN`: the program alone, no driver, no stack.

use std::net::IpAddr;
use std::os::fd::AsFd;

use anyhow::{Context, Result, ensure};
use mqttguard::config::KernelLimits;
use mqttguard::registry::{DevicePolicy, Standing};
use mqttguard_bench::{aligned, median, ratio};
use mqttguard_common::{Mac, Reason};
use mqttguard_tests::bpf::{
    GOOD, HOOKS, Hook, Instruction, Kernel, SCHED_CLS, Verdict, WIDE, XDP, load, rules, test_run,
};
use mqttguard_tests::frames::{ACK, CLIENT_HELLO, Frame, ROUTER, SYN, connect};

use crate::bpf::NAME;
use crate::priority::have_processor;
use crate::xdp_filter::XdpFilter;

const UNLIMITED: Mac = Mac([2, 0, 0, 0, 0, 1]);
const AMPLE: Mac = Mac([2, 0, 0, 0, 0, 2]);
const TIGHT: Mac = Mac([2, 0, 0, 0, 0, 3]);
const BLOCKED: Mac = Mac([2, 0, 0, 0, 0, 4]);
const STRANGER: Mac = Mac([2, 0, 0, 0, 0, 5]);

/// Limits that are all set, and that test runs do not reach.
pub(crate) const EVERY_LIMIT: KernelLimits = KernelLimits {
    packets_per_s: 500_000_000,
    bytes_per_s: 1 << 40,
    connections_per_s: 500_000_000,
    udp_per_s: 500_000_000,
    broadcasts_per_s: 500_000_000,
};
const NO_LIMIT: KernelLimits = KernelLimits {
    packets_per_s: 0,
    bytes_per_s: 0,
    connections_per_s: 0,
    udp_per_s: 0,
    broadcasts_per_s: 0,
};

/// TCP and UDP ports.
const MQTT: u16 = 1883;
const TLS: u16 = 443;
const DNS: u16 = 53;
const ODD: u16 = 8080;

/// How often a frame is run for one measurement: some milliseconds.
const REPEAT: u32 = 20_000;
/// Measurements in a row, of which the best counts: what else the machine does only adds.
const TRIES: u32 = 3;

/// A way through the program.
struct Path {
    name: &'static str,
    /// Run once before, through every program.
    before: Option<Vec<u8>>,
    frame: Vec<u8>,
    reason: Reason,
    /// Whether xdp-filter can be told to do the same.
    rival: bool,
}

/// Measures every path in turns.
pub(crate) fn measure(quick: bool) -> Result<String> {
    let mut kernel = Kernel::load(&mqttguard::enforce::Rules {
        stranger_limits: EVERY_LIMIT,
        ..rules()
    });
    for (mac, standing, limits) in [
        (UNLIMITED, Standing::Good, NO_LIMIT),
        (AMPLE, Standing::Good, EVERY_LIMIT),
        (BLOCKED, Standing::Blocked, EVERY_LIMIT),
        (
            TIGHT,
            Standing::Good,
            KernelLimits {
                packets_per_s: 10,
                ..WIDE
            },
        ),
    ] {
        let policy = DevicePolicy {
            standing,
            limits,
            ..GOOD
        };
        kernel.tables.set_device(mac, &policy)?;
    }
    // XDP_PASS, and TC_ACT_UNSPEC.
    let none = [(XDP, 2), (SCHED_CLS, -1)].map(|(kind, verdict)| {
        load(
            kind,
            NAME,
            &[Instruction::set(0, verdict), Instruction::EXIT],
        )
    });
    let [none_xdp, none_tc] = none;
    let (none_xdp, none_tc) = (none_xdp?, none_tc?);
    let filter = XdpFilter::load(BLOCKED, MQTT).context("xdp-filter")?;

    have_processor(0)?;
    let paths = paths()?;
    let mut rows: Vec<Row> = paths.iter().map(|_| Row::default()).collect();
    for _ in 0..if quick { 5 } else { 25 } {
        for (path, row) in paths.iter().zip(&mut rows) {
            for hook in HOOKS {
                if let Some(before) = &path.before {
                    kernel.run(hook, before);
                }
            }
            row.none_xdp.push(best(|| run(&none_xdp, &path.frame, 2))?);
            row.none_tc
                .push(best(|| run(&none_tc, &path.frame, u32::MAX))?);
            if path.rival {
                let verdict = if path.reason.is_drop() { 1 } else { 2 };
                row.filter
                    .push(best(|| run(&filter, &path.frame, verdict))?);
            }
            row.xdp.push(best(|| ours(&mut kernel, Hook::Xdp, path))?);
            row.tc.push(best(|| ours(&mut kernel, Hook::Tc, path))?);
        }
    }
    Ok(report(&paths, &rows))
}

/// Nanoseconds a frame of one path, a measurement each.
#[derive(Default)]
struct Row {
    none_xdp: Vec<f64>,
    none_tc: Vec<f64>,
    filter: Vec<f64>,
    xdp: Vec<f64>,
    tc: Vec<f64>,
}

fn report(paths: &[Path], rows: &[Row]) -> String {
    let head = [
        "ns a frame",
        "no program",
        "xdp-filter",
        "mqttguard",
        "vs xdp-filter",
        "no program, TC",
        "mqttguard, TC",
    ];
    let mut table = vec![head.map(String::from).to_vec()];
    for (path, row) in paths.iter().zip(rows) {
        let cell =
            |values: &[f64]| median(values).map_or_else(|| "–".into(), |ns| format!("{ns:.0}"));
        let against = match (median(&row.filter), median(&row.xdp)) {
            (Some(filter), Some(ours)) => ratio(filter / ours),
            _ => "–".into(),
        };
        table.push(vec![
            path.name.into(),
            cell(&row.none_xdp),
            cell(&row.filter),
            cell(&row.xdp),
            against,
            cell(&row.none_tc),
            cell(&row.tc),
        ]);
    }
    format!("### One frame\n\n{}{METHOD}\n", aligned(&table))
}

const METHOD: &str = "
- By BPF_PROG_TEST_RUN: the program alone, without driver and stack. \"No program\" is one that
  passes everything and does nothing; its time is the kernel's own for a run.
- xdp-filter 1.3 with all its features and a rule of each kind. It drops by port, by address and by
  MAC; it has no limits, keeps no state of streams and does not look into payloads.
- A limited device has all five limits set. \"Any stream\" is one older than the program.
";

fn best(mut measure: impl FnMut() -> Result<f64>) -> Result<f64> {
    let mut least = f64::INFINITY;
    for _ in 0..TRIES {
        least = least.min(measure()?);
    }
    Ok(least)
}

/// Runs somebody else's program.
fn run(program: &impl AsFd, frame: &[u8], expected: u32) -> Result<f64> {
    let run = test_run(program.as_fd(), frame, &mut [], REPEAT, &mut [])?;
    ensure!(
        run.verdict == expected,
        "a program answered {} instead of {expected}",
        run.verdict
    );
    Ok(run.took.as_nanos() as f64)
}

/// Runs ours, and makes sure that it was this path that was measured.
fn ours(kernel: &mut Kernel, hook: Hook, path: &Path) -> Result<f64> {
    let (_, mac) = path
        .frame
        .split_at_checked(6)
        .context("a frame without MAC addresses")?;
    let mac = Mac(*mac.first_chunk().context("a frame without a source")?);
    let before = kernel.frames(mac, path.reason);
    let (verdict, took) = kernel.repeat(hook, &path.frame, REPEAT);
    let counted = kernel.frames(mac, path.reason) - before;
    let expected = if path.reason.is_drop() {
        Verdict::Drop
    } else {
        Verdict::Pass
    };
    ensure!(
        // Up to a second's worth of a limit passes first.
        verdict == expected && counted + 20 >= u64::from(REPEAT),
        "{}, {hook:?}: {verdict:?}, and {counted} of {REPEAT} were counted as {}",
        path.name,
        path.reason.name()
    );
    Ok(took.as_nanos() as f64)
}

fn paths() -> Result<Vec<Path>> {
    let cloud: IpAddr = "192.0.2.1".parse()?;
    let cloud6: IpAddr = "2001:db8::1".parse()?;
    let pass = |name, before, frame| Path {
        name,
        before,
        frame,
        reason: Reason::Pass,
        rival: true,
    };
    let drop = |name, frame, reason, rival| Path {
        name,
        before: None,
        frame,
        reason,
        rival,
    };
    let data = |mac, to, port, after| at(Frame::tcp(mac, to, port, ACK, &[0x17; 64]), after);
    let syn = |mac, to, port| Some(at(Frame::tcp(mac, to, port, SYN, &[]), 0));
    let mut first = Frame::tcp(AMPLE, cloud, ODD, ACK, CLIENT_HELLO);
    first.body.extend([0; 44]);
    let connect = Frame::tcp(AMPLE, cloud, ODD, ACK, &connect("MQTT", 4, 20));
    let udp = |mac| Frame::udp(mac, cloud, 50_000, DNS, &[0; 64]).bytes();
    let mut arp = vec![0xff; 6];
    arp.extend(AMPLE.0);
    arp.extend([0x08, 0x06]);
    arp.resize(60, 0);
    if let Some(destination) = arp.first_chunk_mut() {
        *destination = ROUTER.0;
    }
    Ok(vec![
        pass(
            "pass, TLS, no limits",
            syn(UNLIMITED, cloud, TLS),
            data(UNLIMITED, cloud, TLS, 5000),
        ),
        pass(
            "pass, TLS, limited",
            syn(AMPLE, cloud, TLS),
            data(AMPLE, cloud, TLS, 5000),
        ),
        pass(
            "pass, TLS, stranger",
            syn(STRANGER, cloud, TLS),
            data(STRANGER, cloud, TLS, 5000),
        ),
        pass(
            "pass, TLS, IPv6",
            syn(AMPLE, cloud6, TLS),
            data(AMPLE, cloud6, TLS, 5000),
        ),
        pass("pass, any stream", None, data(AMPLE, cloud, ODD + 1, 5000)),
        pass(
            "pass, SYN",
            None,
            at(Frame::tcp(AMPLE, cloud, TLS, SYN, &[]), 0),
        ),
        pass(
            "pass, CONNECT looked for",
            syn(AMPLE, cloud, ODD),
            at(first, 1),
        ),
        pass("pass, UDP", None, udp(AMPLE)),
        pass("pass, ARP", None, arp),
        drop(
            "drop, port 1883",
            data(AMPLE, cloud, MQTT, 1),
            Reason::PlaintextPort,
            true,
        ),
        drop(
            "drop, CONNECT on another port",
            connect.bytes(),
            Reason::PlaintextConnect,
            false,
        ),
        drop(
            "drop, flood of TCP",
            data(TIGHT, cloud, TLS, 5000),
            Reason::FloodPackets,
            false,
        ),
        drop(
            "drop, flood of UDP",
            udp(TIGHT),
            Reason::FloodPackets,
            false,
        ),
        drop(
            "drop, blocked device",
            data(BLOCKED, cloud, TLS, 5000),
            Reason::Blocked,
            true,
        ),
    ])
}

/// A TCP segment with this sequence number.
fn at(mut segment: Frame, sequence: u32) -> Vec<u8> {
    if let Some(number) = segment.body.get_mut(4..8) {
        number.copy_from_slice(&sequence.to_be_bytes());
    }
    segment.bytes()
}
