//! What TCP gets through the router.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use mqttguard::registry::DevicePolicy;
use mqttguard_bench::{aligned, median, ratio};
use mqttguard_tests::bpf::{GOOD, Hook, Instruction, Kernel, XDP, load, rules};

use crate::bpf::{NAME, Place};
use crate::frame_cost::EVERY_LIMIT;
use crate::network::{CLOUD_ADDRESS, DEVICE_MAC, Network};
use crate::priority::have_processor;

const TLS: u16 = 443;
/// Until the window is open.
const START: Duration = Duration::from_millis(100);
const WHILE: Duration = Duration::from_millis(500);

/// Who looks at the segments.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Guard {
    Nobody,
    /// A native XDP program that passes everything: what the driver does otherwise because of one.
    Passing,
    Native,
    Tcx,
    Generic,
}

const GUARDS: [(Guard, &str); 5] = [
    (Guard::Nobody, "no program"),
    (Guard::Passing, "XDP_PASS alone"),
    (Guard::Native, "native XDP"),
    (Guard::Tcx, "TC"),
    (Guard::Generic, "generic XDP"),
];

/// How the device's segments come to the router's port.
const WAYS: [&str; 2] = [
    "as frames of 1500 bytes",
    "merged to 64 KB, between namespaces",
];

/// Measures in turns.
pub(crate) fn measure(quick: bool) -> Result<String> {
    let mut kernel = Kernel::load(&rules());
    let policy = DevicePolicy {
        limits: EVERY_LIMIT,
        ..GOOD
    };
    kernel.tables.set_device(DEVICE_MAC, &policy)?;
    let pass = load(XDP, NAME, &[Instruction::set(0, 2), Instruction::EXIT])?;
    let networks = [Network::with_wire()?, Network::new()?];
    let [wired, paired] = &networks;
    let sinks = [Sink::open(wired)?, Sink::open(paired)?];

    let mut cells = vec![vec![Vec::new(); GUARDS.len()]; WAYS.len()];
    for _ in 0..if quick { 2 } else { 7 } {
        for ((network, sink), cells) in networks.iter().zip(&sinks).zip(&mut cells) {
            for ((guard, name), cell) in GUARDS.into_iter().zip(cells) {
                let _link = attach(network, &mut kernel, &pass, guard).context(name)?;
                cell.push(throughput(network, sink).context(name)?);
            }
        }
    }
    Ok(report(&cells))
}

fn attach(
    network: &Network,
    kernel: &mut Kernel,
    pass: &OwnedFd,
    guard: Guard,
) -> Result<Option<OwnedFd>> {
    let (program, place) = match guard {
        Guard::Nobody => return Ok(None),
        Guard::Passing => (pass.as_fd(), Place::Native),
        Guard::Native => (kernel.program(Hook::Xdp), Place::Native),
        Guard::Generic => (kernel.program(Hook::Xdp), Place::Generic),
        Guard::Tcx => (kernel.program(Hook::Tc), Place::Tcx),
    };
    Ok(Some(network.attach(program.try_clone_to_owned()?, place)?))
}

/// The cloud: reads what comes, on a processor of its own.
struct Sink {
    received: Arc<AtomicU64>,
}

impl Sink {
    fn open(network: &Network) -> Result<Self> {
        let received = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&received);
        network.cloud.run(move || -> Result<()> {
            let address = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, TLS);
            let listener = TcpListener::bind(address).context("the cloud")?;
            // Ends with the process.
            std::thread::spawn(move || {
                if have_processor(1).is_err() {
                    return;
                }
                let mut buffer = vec![0; 256 * 1024];
                for stream in listener.incoming() {
                    let Ok(mut stream) = stream else { return };
                    while let Ok(length @ 1..) = stream.read(&mut buffer) {
                        count.fetch_add(length as u64, Ordering::Relaxed);
                    }
                }
            });
            Ok(())
        })?;
        Ok(Sink { received })
    }
}

/// Bits in a second, of a fresh stream.
fn throughput(network: &Network, sink: &Sink) -> Result<f64> {
    let received = Arc::clone(&sink.received);
    network.device.run(move || {
        have_processor(0)?;
        let address = SocketAddrV4::new(CLOUD_ADDRESS, TLS);
        let mut stream = TcpStream::connect_timeout(&address.into(), Duration::from_secs(5))
            .context("no connection to the cloud")?;
        stream.set_write_timeout(Some(Duration::from_secs(5)))?;
        let data = vec![0x17; 128 * 1024];
        let begin = Instant::now();
        let mut first = None;
        loop {
            match stream.write(&data) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("the stream stands still"),
            }
            let now = (Instant::now(), received.load(Ordering::Relaxed));
            match first {
                None if begin.elapsed() > START => first = Some(now),
                Some((since, before)) if now.0 - since > WHILE => {
                    drop(stream);
                    // What is under way, so that it is not counted for the next.
                    sleep(Duration::from_millis(50));
                    let bits = (now.1 - before) * 8;
                    return Ok(bits as f64 / (now.0 - since).as_secs_f64());
                }
                _ => {}
            }
        }
    })
}

fn report(cells: &[Vec<Vec<f64>>]) -> String {
    let mut head = vec!["Gbit/s, and times no program".to_owned()];
    head.extend(GUARDS.map(|(_, name)| name.to_owned()));
    let mut table = vec![head];
    for (way, cells) in WAYS.iter().zip(cells) {
        let medians: Vec<Option<f64>> = cells.iter().map(|values| median(values)).collect();
        let none = medians.first().copied().flatten();
        let mut line = vec![(*way).to_owned()];
        line.extend(medians.iter().map(|&bits| match (bits, none) {
            (Some(bits), Some(none)) => {
                format!("{:.2} ({})", bits / 1e9, ratio(bits / none))
            }
            _ => "–".into(),
        }));
        table.push(line);
    }
    format!("### TCP through a router\n\n{}{METHOD}\n", aligned(&table))
}

const METHOD: &str = "
- One stream from device to cloud through the same router, sender and receiver on a processor each.
- \"As frames\": what the device sends reaches the port as a driver's frames do, and is merged there
  (GRO) unless the program stands in the way of that. Native XDP sees frames before they are merged,
  TC and generic XDP after.
- \"Between namespaces\" the device's 64 KB would reach the router uncut, which no network has. As soon
  as there is any native XDP program the kernel cuts and copies them, as \"XDP_PASS alone\" shows.
";
