//! What the kernel program keeps: bucket levels, counters, strangers and events.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::net::IpAddr;
use std::time::{Duration, Instant};

use mqttguard::config::KernelLimits;
use mqttguard::enforce::Rules;
use mqttguard::registry::{DevicePolicy, Standing};
use mqttguard_common::{MAX_STRANGERS, Mac, Places, Reason, event_flags};
use mqttguard_tests::bpf::{GOOD, HOOKS, Hook, Kernel, Verdict, WIDE, rules};
use mqttguard_tests::frames::{ACK, Frame, SYN};

const DEVICE: Mac = Mac([0x02, 0xc1, 0x1e, 0, 0, 1]);
const STRANGER: Mac = Mac([0x02, 0xc1, 0x1e, 0, 0, 3]);

fn cloud() -> IpAddr {
    "192.0.2.10".parse().unwrap()
}

fn limited(limits: KernelLimits) -> DevicePolicy {
    DevicePolicy { limits, ..GOOD }
}

/// Floods for a time and returns how many frames passed, and the time it took in seconds.
fn flood(kernel: &mut Kernel, hook: Hook, frame: &[u8], time: Duration) -> (u64, f64) {
    let start = Instant::now();
    let mut passed = 0;
    while start.elapsed() < time {
        if kernel.run(hook, frame) == Verdict::Pass {
            passed += 1;
        }
    }
    (passed, start.elapsed().as_secs_f64())
}

#[track_caller]
fn assert_near(passed: u64, expected: f64) {
    let passed = passed as f64;
    assert!(
        (passed - expected).abs() <= expected * 0.1 + 2.0,
        "{passed} passed, expected about {expected}"
    );
}

#[test]
fn every_limit_holds_a_flood_to_its_rate() {
    for (limits, flags, reason, per_second) in [
        (
            KernelLimits {
                packets_per_s: 200,
                ..WIDE
            },
            ACK,
            Reason::FloodPackets,
            200.0,
        ),
        (
            KernelLimits {
                bytes_per_s: 100_000,
                ..WIDE
            },
            ACK,
            Reason::FloodBytes,
            100.0,
        ),
        (
            KernelLimits {
                connections_per_s: 50,
                ..WIDE
            },
            SYN,
            Reason::FloodConnections,
            50.0,
        ),
    ] {
        for hook in HOOKS {
            let mut kernel = Kernel::load(&rules());
            kernel.tables.set_device(DEVICE, &limited(limits)).unwrap();
            // 1,000 bytes with all headers.
            let frame = Frame::tcp(DEVICE, cloud(), 443, flags, &[0x17; 934]).bytes();
            assert_eq!(frame.len(), 1000);
            let (passed, took) = flood(&mut kernel, hook, &frame, Duration::from_millis(1500));
            // One second's worth of burst, and the rate.
            assert_near(passed, per_second * (1.0 + took));
            assert_eq!(kernel.frames(DEVICE, Reason::Pass), passed);
            assert!(kernel.frames(DEVICE, reason) > passed);
        }
    }
}

#[test]
fn answers_do_not_count_as_new_connections() {
    let mut kernel = Kernel::load(&rules());
    let limits = KernelLimits {
        connections_per_s: 1,
        ..WIDE
    };
    kernel.tables.set_device(DEVICE, &limited(limits)).unwrap();
    let run = |kernel: &mut Kernel, flags| {
        let frame = Frame::tcp(DEVICE, cloud(), 443, flags, &[]).bytes();
        kernel.run(Hook::Xdp, &frame)
    };
    assert_eq!(run(&mut kernel, SYN), Verdict::Pass);
    assert_eq!(run(&mut kernel, SYN), Verdict::Drop);
    for _ in 0..100 {
        assert_eq!(run(&mut kernel, SYN | ACK), Verdict::Pass);
        assert_eq!(run(&mut kernel, ACK), Verdict::Pass);
    }
}

#[test]
fn merged_packets_count_as_what_they_were() {
    let mut kernel = Kernel::load(&rules());
    let limits = KernelLimits {
        packets_per_s: 100,
        ..WIDE
    };
    kernel.tables.set_device(DEVICE, &limited(limits)).unwrap();
    let frame = Frame::tcp(DEVICE, cloud(), 443, ACK, &[0x17; 1400]).bytes();
    let passed = (0..10)
        .filter(|_| kernel.run_merged(&frame, 40) == Verdict::Pass)
        .count();
    // 40 + 40 leave room for a third, which overdraws.
    assert_eq!(passed, 3);
    assert_eq!(kernel.frames(DEVICE, Reason::Pass), 120);
}

#[test]
fn new_limits_leave_levels_and_counters_alone() {
    let mut kernel = Kernel::load(&rules());
    let limits = |packets_per_s| {
        limited(KernelLimits {
            packets_per_s,
            ..WIDE
        })
    };
    kernel.tables.set_device(DEVICE, &limits(10)).unwrap();
    let frame = Frame::tcp(DEVICE, cloud(), 443, ACK, &[]).bytes();
    let passed = |kernel: &mut Kernel| {
        (0..50)
            .filter(|_| kernel.run(Hook::Xdp, &frame) == Verdict::Pass)
            .count()
    };
    assert_eq!(passed(&mut kernel), 10);
    kernel.tables.set_device(DEVICE, &limits(11)).unwrap();
    assert!(passed(&mut kernel) <= 2, "a reload gave a new burst");
    assert!(kernel.frames(DEVICE, Reason::FloodPackets) >= 88);
}

#[test]
fn a_stranger_that_gets_a_name_keeps_its_counters_and_levels() {
    let limits = KernelLimits {
        packets_per_s: 10,
        ..WIDE
    };
    let mut kernel = Kernel::load(&Rules {
        stranger_limits: limits,
        ..rules()
    });
    let frame = Frame::tcp(STRANGER, cloud(), 443, ACK, &[]).bytes();
    for _ in 0..30 {
        kernel.run(Hook::Tc, &frame);
    }
    assert_eq!(kernel.frames(STRANGER, Reason::Pass), 10);
    kernel
        .tables
        .set_device(STRANGER, &limited(limits))
        .unwrap();
    assert_eq!(kernel.frames(STRANGER, Reason::Pass), 10);
    assert_eq!(kernel.run(Hook::Tc, &frame), Verdict::Drop);
    assert_eq!(kernel.frames(STRANGER, Reason::FloodPackets), 21);

    kernel.tables.remove_device(STRANGER).unwrap();
    assert_eq!(kernel.frames(STRANGER, Reason::FloodPackets), 0);
    assert_eq!(kernel.run(Hook::Tc, &frame), Verdict::Pass);
}

#[test]
fn made_up_addresses_cannot_push_out_known_devices() {
    let mut kernel = Kernel::load(&rules());
    let limits = KernelLimits {
        packets_per_s: 5,
        ..WIDE
    };
    kernel.tables.set_device(DEVICE, &limited(limits)).unwrap();
    let own = Frame::tcp(DEVICE, cloud(), 443, ACK, &[]).bytes();
    for _ in 0..20 {
        kernel.run(Hook::Xdp, &own);
    }
    let before = kernel.counters(DEVICE);
    // A stranger that was there before.
    let guest = Mac([0x02, 0xc1, 0x1e, 0, 0, 9]);
    let greeting = Frame::tcp(guest, cloud(), 443, ACK, &[]).bytes();
    kernel.run(Hook::Tc, &greeting);
    let mut rolling = Frame::tcp(STRANGER, cloud(), 1883, SYN, &[]).bytes();
    let start = Instant::now();
    for index in 0..1_000_000u32 {
        rolling[6..8].copy_from_slice(&[0x06, 1]);
        rolling[8..12].copy_from_slice(&index.to_be_bytes());
        // Nor does a new address get past the rules.
        assert_eq!(kernel.run(Hook::Xdp, &rolling), Verdict::Drop);
    }
    let took = start.elapsed().as_secs_f64();
    assert_eq!(kernel.counters(DEVICE), before);
    let all = kernel.tables.counters().unwrap();
    assert!(all.len() as u32 <= MAX_STRANGERS + 1, "{}", all.len());
    let most = 100.0 * (1.0 + took) + 3.0;
    assert!((all.len() as f64) <= most, "{} in {took} s", all.len());
    println!(
        "{} of a million addresses were remembered in {took:.1} s",
        all.len() - 2
    );
    if most < f64::from(MAX_STRANGERS / 2) {
        assert_eq!(
            kernel.frames(guest, Reason::Pass),
            1,
            "the guest was pushed out"
        );
    }
    // What was told of them is what was told of a few.
    let events = kernel.events().len() as f64;
    assert!(events <= most + took + 2.0, "{events} events");
}

/// Those who share an entry share its limits, too.
#[test]
fn a_flood_from_made_up_addresses_is_held_to_the_limits_of_one() {
    let mut kernel = Kernel::load(&Rules {
        stranger_limits: KernelLimits {
            packets_per_s: 50,
            ..WIDE
        },
        ..rules()
    });
    let mut rolling = Frame::tcp(STRANGER, cloud(), 443, ACK, &[]).bytes();
    let start = Instant::now();
    let mut passed = 0;
    for index in 0..200_000u32 {
        rolling[8..12].copy_from_slice(&index.to_be_bytes());
        if kernel.run(Hook::Xdp, &rolling) == Verdict::Pass {
            passed += 1;
        }
    }
    // One frame each of those who get an entry, and the rest of what one may send.
    let seconds = 1.0 + start.elapsed().as_secs_f64();
    assert!(
        f64::from(passed) <= 150.0 * seconds + 5.0,
        "{passed} in {seconds} s"
    );
}

#[test]
fn udp_and_broadcasts_have_limits_of_their_own() {
    let limits = KernelLimits {
        udp_per_s: 40,
        broadcasts_per_s: 30,
        ..WIDE
    };
    let udp = Frame::udp(DEVICE, cloud(), 1, 53, &[0; 20]).bytes();
    let tcp = Frame::tcp(DEVICE, cloud(), 443, ACK, &[0; 20]).bytes();
    let mut discovery =
        Frame::udp(DEVICE, "224.0.0.251".parse().unwrap(), 1, 5353, &[0; 20]).bytes();
    discovery[..6].copy_from_slice(&[0x01, 0, 0x5e, 0, 0, 0xfb]);
    let mut arp = tcp.clone();
    arp[..6].fill(0xff);
    arp[12..14].copy_from_slice(&[0x08, 0x06]);
    let mut answer = arp.clone();
    answer[0] = 0x02;
    for hook in HOOKS {
        for (frame, reason, rate) in [
            (&udp, Reason::FloodUdp, 40.0),
            (&discovery, Reason::FloodBroadcasts, 30.0),
            (&arp, Reason::FloodBroadcasts, 30.0),
        ] {
            let mut kernel = Kernel::load(&rules());
            kernel.tables.set_device(DEVICE, &limited(limits)).unwrap();
            let (passed, took) = flood(&mut kernel, hook, frame, Duration::from_millis(1200));
            assert_near(passed, rate * (1.0 + took));
            assert!(kernel.frames(DEVICE, reason) > 100);
            // What is neither is not held.
            for frame in [&tcp, &answer] {
                assert_eq!(kernel.run(hook, frame), Verdict::Pass);
            }
        }
    }
}

/// A device whose frames come in on all processors at once.
#[test]
fn limits_hold_on_several_processors() {
    let cpus = std::thread::available_parallelism().unwrap().get();
    let frame = Frame::tcp(DEVICE, cloud(), 443, ACK, &[0x17; 64]).bytes();
    for rate in [100, 10_000, 200_000] {
        let mut kernel = Kernel::load(&rules());
        let limits = KernelLimits {
            packets_per_s: rate,
            ..WIDE
        };
        kernel.tables.set_device(DEVICE, &limited(limits)).unwrap();
        let time = Duration::from_millis(2_500);
        let (least, most) = kernel.run_everywhere(Hook::Xdp, &frame, cpus, time);
        let passed = kernel.frames(DEVICE, Reason::Pass) as f64;
        let dropped = kernel.frames(DEVICE, Reason::FloodPackets);
        let [least, most] = [least, most].map(|time| f64::from(rate) * (1.0 + time.as_secs_f64()));
        println!(
            "{rate}/s on {cpus} processors: {passed} passed of {least:.0} to {most:.0}, \
             {dropped} dropped"
        );
        // A frame for each processor may meet the last room there is.
        let slack = most * 0.05 + cpus as f64;
        assert!(dropped > 1_000, "no flood: {dropped}");
        assert!(
            passed >= least - slack && passed <= most + slack,
            "{passed} passed, expected {least} to {most}"
        );
    }
}

#[test]
fn a_device_can_leave_and_its_row_is_given_away_clean() {
    let mut kernel = Kernel::load(&rules());
    let frame = |mac| Frame::tcp(mac, cloud(), 443, ACK, &[]).bytes();
    kernel.tables.set_device(DEVICE, &GOOD).unwrap();
    kernel.run(Hook::Xdp, &frame(DEVICE));
    kernel.tables.remove_device(DEVICE).unwrap();
    kernel.tables.remove_device(DEVICE).unwrap();
    kernel.tables.set_device(STRANGER, &GOOD).unwrap();
    assert_eq!(kernel.tables.known().collect::<Vec<_>>(), [STRANGER]);
    assert_eq!(kernel.frames(STRANGER, Reason::Pass), 0);
}

/// More devices than have a place where they belong: each is held to its own policy, before and after
/// others leave.
#[test]
fn every_device_is_found_whether_it_has_a_place_or_not() {
    let mut kernel = Kernel::load(&rules());
    // Of those that belong together, only the first have a place there.
    let home = Places::index(Places::word(DEVICE));
    let macs: Vec<Mac> = (0..u32::MAX)
        .map(|number| {
            let [a, b, c, d] = number.to_be_bytes();
            Mac([2, 7, a, b, c, d])
        })
        .filter(|mac| Places::index(Places::word(*mac)) == home)
        .take(Places::PLACES + 4)
        .collect();
    let policy = |index: usize| DevicePolicy {
        standing: match index % 2 {
            0 => Standing::Blocked,
            _ => Standing::Good,
        },
        ..GOOD
    };
    let check = |kernel: &mut Kernel, gone: &[usize]| {
        for (index, &mac) in macs.iter().enumerate() {
            let frame = Frame::tcp(mac, cloud(), 443, ACK, &[]).bytes();
            // A stranger may do what a good device may.
            let reason = match index % 2 {
                0 if !gone.contains(&index) => Reason::Blocked,
                _ => Reason::Pass,
            };
            kernel.expect(&frame, reason);
            assert_eq!(
                kernel.tables.known().any(|known| known == mac),
                !gone.contains(&index)
            );
        }
    };
    for (index, &mac) in macs.iter().enumerate() {
        kernel.tables.set_device(mac, &policy(index)).unwrap();
    }
    check(&mut kernel, &[]);
    kernel.tables.remove_device(macs[0]).unwrap();
    kernel.tables.remove_device(macs[5]).unwrap();
    check(&mut kernel, &[0, 5]);
    kernel.tables.set_device(macs[0], &policy(0)).unwrap();
    check(&mut kernel, &[5]);
    for mac in &macs {
        kernel.tables.remove_device(*mac).unwrap();
    }
    check(&mut kernel, &[0, 1, 2, 3, 4, 5, 6]);
}

#[test]
fn the_table_of_devices_has_an_end() {
    let mut kernel = Kernel::load(&rules());
    let mac = |index: u16| Mac([2, 0, 0, 0, (index >> 8) as u8, index as u8]);
    for index in 0..1024 {
        kernel.tables.set_device(mac(index), &GOOD).unwrap();
    }
    let error = kernel.tables.set_device(mac(1024), &GOOD).unwrap_err();
    assert!(error.to_string().contains("1025 devices"), "{error}");
    kernel.tables.remove_device(mac(512)).unwrap();
    kernel.tables.set_device(mac(1024), &GOOD).unwrap();
}

#[test]
fn events_tell_who_what_and_how_often() {
    let mut kernel = Kernel::load(&rules());
    kernel.tables.set_device(DEVICE, &GOOD).unwrap();
    let plain = Frame::tcp(DEVICE, cloud(), 1883, SYN, &[]).bytes();
    let sn = Frame::udp(DEVICE, cloud(), 1, 1883, &[2, 4]).bytes();
    let stranger = Frame::tcp(STRANGER, "2001:db8::1".parse().unwrap(), 1883, SYN, &[]).bytes();
    let start = Instant::now();
    for _ in 0..100 {
        kernel.run(Hook::Xdp, &plain);
        kernel.run(Hook::Xdp, &sn);
        kernel.run(Hook::Tc, &stranger);
    }
    assert!(
        start.elapsed() < Duration::from_millis(900),
        "too slow to tell"
    );
    let events = kernel.events();
    assert_eq!(events.len(), 3, "one for each device and reason");
    let first = events[0];
    assert_eq!(first.mac, DEVICE);
    assert_eq!(first.reason(), Ok(Reason::PlaintextPort));
    assert_eq!(first.flags, event_flags::DROPPED);
    assert_eq!((first.port, first.count, first.ifindex), (1883, 1, 1));
    assert_eq!(
        IpAddr::from(first.source).to_canonical(),
        IpAddr::from([192, 168, 1, 77])
    );
    assert_eq!(IpAddr::from(first.destination).to_canonical(), cloud());
    assert_eq!(events[1].reason(), Ok(Reason::MqttSn));
    assert_eq!(events[2].mac, STRANGER);
    assert_eq!(
        IpAddr::from(events[2].destination).to_canonical(),
        "2001:db8::1".parse::<IpAddr>().unwrap()
    );

    std::thread::sleep(Duration::from_millis(1100));
    kernel.run(Hook::Xdp, &plain);
    let events = kernel.events();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].count, 100, "99 untold ones and this");
}

#[test]
fn a_full_ring_loses_no_count() {
    let mut kernel = Kernel::load(&rules());
    let mut frame = Frame::tcp(STRANGER, cloud(), 1883, SYN, &[]).bytes();
    for index in 0..1_024u32 {
        frame[8..12].copy_from_slice(&index.to_be_bytes());
        let mac = Mac(frame[6..12].try_into().unwrap());
        kernel.tables.set_device(mac, &GOOD).unwrap();
        assert_eq!(kernel.run(Hook::Xdp, &frame), Verdict::Drop);
    }
    // 64 KiB of 64 bytes each, headers included.
    assert_eq!(kernel.events().len(), 1023);
    let last = Mac(frame[6..12].try_into().unwrap());
    kernel.run(Hook::Xdp, &frame);
    let events = kernel.events();
    assert_eq!((events.len(), events[0].mac, events[0].count), (1, last, 2));
}
