//! What one frame costs: `cargo test -p mqttguard-tests --test kernel_cost -- --ignored
//! --nocapture`. A measurement, not a check.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::time::Duration;

use mqttguard::config::KernelLimits;
use mqttguard::registry::DevicePolicy;
use mqttguard_common::Mac;
use mqttguard_tests::bpf::{GOOD, HOOKS, Kernel, Nop, WIDE, rules};
use mqttguard_tests::frames::{ACK, Frame, SYN};

#[test]
#[ignore = "a measurement"]
fn cost_of_a_frame() {
    let unlimited = DevicePolicy {
        limits: KernelLimits {
            packets_per_s: 0,
            bytes_per_s: 0,
            connections_per_s: 0,
            udp_per_s: 0,
            broadcasts_per_s: 0,
        },
        ..GOOD
    };
    let tight = DevicePolicy {
        limits: KernelLimits {
            packets_per_s: 10,
            ..WIDE
        },
        ..GOOD
    };
    let ample = DevicePolicy {
        limits: KernelLimits {
            packets_per_s: 500_000_000,
            bytes_per_s: 1 << 40,
            connections_per_s: 500_000_000,
            udp_per_s: 1_000_000,
            broadcasts_per_s: 1_000_000,
        },
        ..GOOD
    };
    let mac = |last| Mac([2, 0, 0, 0, 0, last]);
    let mut kernel = Kernel::load(&rules());
    for hook in HOOKS {
        let checked = kernel.verified(hook);
        println!("{hook:?}: the verifier looked at {checked} instructions");
    }
    for (last, policy) in [(1, unlimited), (2, ample), (3, tight)] {
        kernel.tables.set_device(mac(last), &policy).unwrap();
    }
    let nops = HOOKS.map(|hook| (hook, Nop::load(hook)));
    let cloud = "192.0.2.1".parse().unwrap();
    let mut arp = Frame::tcp(mac(1), cloud, 443, ACK, &[]).bytes();
    arp[12..14].copy_from_slice(&[0x08, 0x06]);
    let tls = |last| Frame::tcp(mac(last), cloud, 443, ACK, &[0x17; 64]).bytes();
    // All of it has to be read for the name of a WebSocket's protocol.
    let mut request = b"GET / HTTP/1.1\r\nCookie: ".to_vec();
    request.resize(1_448, b'c');
    for (what, frame) in [
        ("not IP", arp),
        ("pass, no limits", tls(1)),
        ("pass, all limits", tls(2)),
        ("pass or flood, stranger", tls(4)),
        (
            "pass, longest request",
            Frame::tcp(mac(2), cloud, 80, ACK, &request).bytes(),
        ),
        (
            "drop, port 1883",
            Frame::tcp(mac(2), cloud, 1883, SYN, &[]).bytes(),
        ),
        ("drop, flood", tls(3)),
    ] {
        for (hook, nop) in &nops {
            // Side by side, so that both meet the same noise.
            let (mut best, mut best_nop) = (Duration::MAX, Duration::MAX);
            for _ in 0..200 {
                best = best.min(kernel.repeat(*hook, &frame, 10_000).1);
                best_nop = best_nop.min(nop.repeat(&frame, 10_000));
            }
            let (own, nop) = (best.as_nanos(), best_nop.as_nanos());
            println!(
                "{what:24} {hook:?}: {own} ns, {:.1} times the {nop} ns of no program",
                own as f64 / nop as f64
            );
        }
    }
}
