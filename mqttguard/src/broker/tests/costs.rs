//! What misbehaving clients cost the others, by counts: of packets written and read, of
//! connections served, of bytes held.

use std::io::Write;

use super::client::{Client, connect, packet, socket};
use super::*;

fn met(stats: &BrokerStats, name: &str) -> u64 {
    let mut all = stats.limits_met.iter();
    all.find(|(known, _)| *known == name).unwrap().1
}

fn plug(rig: &Rig, client_id: &str) -> Client {
    let mut client = rig.plain_client(LAMP_IP, false);
    assert_eq!(client.login(client_id, Some(("plug", PASSWORD))), 0);
    client
}

/// Once its socket and its share of buffers are full, nothing is done for it any more.
#[test]
fn who_stops_reading_is_written_nothing_and_holds_its_own_share_only() {
    let rig = Rig::new();
    let mut deaf = plug(&rig, "deaf");
    assert_eq!(deaf.subscribe("plug/#"), 0);
    let mut keen = plug(&rig, "keen");
    assert_eq!(keen.subscribe("plug/#"), 0);
    let mut loud = plug(&rig, "loud");
    let mut say = |rounds: u32| {
        for round in 0..rounds {
            let payload = [&round.to_be_bytes()[..], &[b'x'; 20_000]].concat();
            loud.publish("plug/x", &payload);
            assert_eq!(keen.expect_publish("plug/x"), payload, "{round}");
        }
        rig.handle.stats().unwrap().core
    };
    // More than a loopback socket takes on both its ends, and the queue.
    let before = say(1_500);
    let after = say(300);
    assert_eq!(
        after.messages_out - before.messages_out,
        300,
        "keen's alone"
    );
    assert_eq!(after.messages_dropped - before.messages_dropped, 300);
    // Its queue, and what its socket has not taken, which counts too.
    let most = u64::from(limits().queue_bytes) + 3 * 64 * 1024;
    assert!(after.held_bytes > 100_000, "{after:?}");
    assert!(after.memory_used > after.held_bytes, "{after:?}");
    assert!(after.memory_used < most, "{after:?}");
    assert!(met(&rig.handle.stats().unwrap(), "queue_bytes") >= 300);
}

/// A byte now and then of a packet that is announced as large.
#[test]
fn who_sends_a_byte_at_a_time_holds_what_it_has_sent_and_nothing_more() {
    let rig = Rig::new();
    let mut keen = plug(&rig, "keen");
    assert_eq!(keen.subscribe("plug/#"), 0);
    let mut slow: Vec<_> = (0..5)
        .map(|n| {
            let mut stream = socket(LAMP_IP, rig.plain);
            let login = connect(false, &format!("slow-{n}"), Some(("plug", PASSWORD)));
            stream.write_all(&login).unwrap();
            stream
        })
        .collect();
    rig.until(|stats| stats.clients.len() == 6);
    let before = rig.handle.stats().unwrap().core;
    let large = keen.publish_packet("plug/large", &[0; 200_000]);
    for (round, byte) in large.iter().take(200).enumerate() {
        for stream in &mut slow {
            stream.write_all(&[*byte]).unwrap();
        }
        let round = u32::try_from(round).unwrap().to_be_bytes();
        keen.publish("plug/x", &round);
        assert_eq!(keen.expect_publish("plug/x"), round);
    }
    let stats = rig.until(|stats| stats.core.bytes_in >= before.bytes_in + 200 * 5);
    let after = stats.core;
    assert_eq!(after.packets_in - before.packets_in, 200, "keen's alone");
    assert_eq!(after.packets_out - before.packets_out, 200);
    // Twice what came, at most: not what was announced.
    assert!(
        after.memory_used <= before.memory_used + 5 * 2 * 200,
        "{before:?} {after:?}"
    );
    assert_eq!(stats.clients.len(), 6);
}

/// Neither a handshake nor a login comes of most of it, and of none of it for others.
#[test]
fn who_reconnects_in_a_loop_is_served_at_its_rate_and_nobody_else_is_slower() {
    let mut bounds = bounds(10_000);
    (bounds.connects_per_s, bounds.connects_burst) = (2, 10);
    let mut house = household();
    house[2].plaintext = true;
    let rig = Rig::with(directory(house), bounds);
    let mut lamp = rig.member("lamp", "l", false);
    assert_eq!(lamp.subscribe("lamp/x"), 0);
    let before = rig.handle.stats().unwrap();
    let start = Instant::now();
    let login = connect(true, "c", Some(("hub", PASSWORD)));
    for round in 0..400u32 {
        let mut stream = socket(CAMERA_IP, rig.plain);
        // The broker may have closed it already.
        let _ = stream.write_all(&login);
        lamp.publish("lamp/x", &round.to_be_bytes());
        assert_eq!(lamp.expect_publish("lamp/x"), round.to_be_bytes());
    }
    let stats = rig.until(|stats| {
        met(stats, "connects_per_s") + stats.core.opened >= before.core.opened + 400
    });
    // At once, those that wait for their turn, and those whose turn has come meanwhile.
    let most = 10 + 8 + 2 * (start.elapsed().as_secs() + 1);
    let served = stats.core.opened - before.core.opened;
    assert!((10..=most).contains(&served), "{served}");
    assert!(stats.core.connects - before.core.connects <= served);
    assert!(met(&stats, "connects_per_s") >= 400 - served);
    let told = rig.events.try_iter().filter(|event| {
        let limit = |kind: &BrokerEventKind| match kind {
            BrokerEventKind::LimitMet { limit, .. } => Some(*limit),
            _ => None,
        };
        limit(&event.kind) == Some("connects_per_s")
    });
    let told = u64::try_from(told.count()).unwrap();
    assert!(
        (1..=start.elapsed().as_secs() + 2).contains(&told),
        "{told}"
    );
    // Others come in at once, and so does who waits for its turn.
    let mut other = rig.member("lamp", "m", true);
    other.publish("lamp/x", b"here");
    assert_eq!(lamp.expect_publish("lamp/x"), b"here");
    std::thread::sleep(Duration::from_millis(500));
    let mut patient = Client::new(socket(CAMERA_IP, rig.plain), true);
    let turn = Instant::now();
    assert_eq!(patient.login("c", Some(("hub", PASSWORD))), 0);
    assert!(
        turn.elapsed() < Duration::from_secs(5),
        "{:?}",
        turn.elapsed()
    );
}

#[test]
fn memory_that_is_short_is_told_once_and_refuses_newcomers() {
    let mut bounds = bounds(10_000);
    bounds.core.memory = 300_000;
    let mut house = household();
    for account in &mut house {
        account.limits = Arc::new(mqttguard_broker::Limits {
            retained_bytes: 1_000_000,
            ..limits()
        });
    }
    let rig = Rig::with(directory(house), bounds);
    let mut plug = plug(&rig, "plug");
    for n in 0..16u8 {
        let mut body = vec![0, 6];
        body.extend(b"plug/");
        body.push(b'a' + n);
        body.extend([b'x'; 20_000]);
        // Retained.
        plug.send(&packet(0x31, &body));
    }
    let (used, allowed) = rig.event(|event| match event.kind {
        BrokerEventKind::Memory {
            pressure,
            used,
            allowed,
        } => {
            assert_eq!(pressure, mqttguard_broker::Pressure::High);
            assert_eq!((event.mac, event.address), (None, None));
            Some((used, allowed))
        }
        _ => None,
    });
    assert!(used >= allowed / 100 * 80 && allowed == 300_000, "{used}");
    let stats = rig.until(|stats| met(stats, "memory") > 0);
    assert!(stats.core.retained < 14, "{stats:?}");
    assert!(stats.core.memory_used < allowed, "{stats:?}");
    let mut new = rig.plain_client(LAMP_IP, true);
    assert_eq!(new.login("new", Some(("plug", PASSWORD))), 0x89);
    plug.publish("plug/x", b"the rest goes on");
    rig.until(|stats| stats.core.messages_in == 17);
}
