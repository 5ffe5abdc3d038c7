use super::packets::{self, Connect, DISCONNECT};
use super::rig::{Rig, accept, brief, grants, limits};
use crate::{Access, ConnId, Kick, NoticeKind};

fn watcher(rig: &mut Rig) -> ConnId {
    let conn = rig.connect(&Connect::new(5, "watcher").user("watcher"));
    rig.subscribe(conn, &[("#", 2)]);
    conn
}

fn seen(rig: &mut Rig, watcher: ConnId) -> usize {
    rig.messages(watcher).len()
}

#[test]
fn mqtt_3_1_2_8_the_will_is_published_when_the_connection_is_lost() {
    for level in [3, 4, 5] {
        let mut rig = Rig::new();
        let watcher = watcher(&mut rig);
        let conn = rig.connect(&Connect::new(level, "c").will("w", 1, true, &[]));
        rig.lose(conn);
        let got = rig.messages(watcher);
        assert_eq!(brief(&got), [("w".into(), "gone".into())]);
        assert_eq!(got[0].qos, 1);
        assert_eq!(rig.broker.stats().retained, 1);
    }
}

#[test]
fn mqtt_3_14_4_3_disconnect_removes_the_will() {
    for level in [3, 4, 5] {
        let mut rig = Rig::new();
        let watcher = watcher(&mut rig);
        let conn = rig.connect(&Connect::new(level, "c").will("w", 0, false, &[]));
        rig.send(conn, &DISCONNECT);
        assert_eq!(seen(&mut rig, watcher), 0);
    }
}

#[test]
fn disconnect_with_will_and_faults_publish_it() {
    let mut rig = Rig::new();
    let watcher = watcher(&mut rig);
    let connect = Connect::new(5, "c").will("w", 0, false, &[]).keep_alive(1);
    for ending in [&[0xE0, 1, 4][..], &[0x00]] {
        let conn = rig.connect(&connect);
        rig.send(conn, ending);
        assert_eq!(seen(&mut rig, watcher), 1);
    }
    rig.connect(&connect);
    rig.pass(1_500);
    assert_eq!(seen(&mut rig, watcher), 1);
    rig.connect(&connect.clone().user("i"));
    rig.broker.kick(rig.now, "i", Kick::Banned);
    rig.pump();
    assert_eq!(seen(&mut rig, watcher), 1);
}

const DELAY_10: &[&[u8]] = &[&[0x18, 0, 0, 0, 10]];

#[test]
fn mqtt_3_1_3_9_a_delayed_will_is_not_published_if_the_client_comes_back() {
    let mut rig = Rig::new();
    let watcher = watcher(&mut rig);
    let connect = Connect::new(5, "c")
        .resume()
        .expiry(100)
        .will("w", 0, false, DELAY_10);
    let conn = rig.connect(&connect);
    rig.lose(conn);
    rig.pass(9_000);
    let conn = rig.connect(&connect);
    rig.pass(60_000);
    assert_eq!(seen(&mut rig, watcher), 0);
    rig.lose(conn);
    rig.pass(9_999);
    assert_eq!(seen(&mut rig, watcher), 0);
    rig.pass(1);
    assert_eq!(seen(&mut rig, watcher), 1);
}

#[test]
fn a_will_is_published_when_the_session_ends_before_its_delay() {
    let mut rig = Rig::new();
    let watcher = watcher(&mut rig);
    let connect = Connect::new(5, "c").resume().will("w", 0, false, DELAY_10);
    let conn = rig.connect(&connect.clone().expiry(5));
    rig.lose(conn);
    rig.pass(5_000);
    assert_eq!(seen(&mut rig, watcher), 1);
    // A clean start ends the session too.
    let conn = rig.connect(&connect.clone().expiry(100));
    rig.lose(conn);
    rig.connect(&Connect::new(5, "c"));
    assert_eq!(seen(&mut rig, watcher), 1);
    // So does a connection of a session that expires at once.
    let conn = rig.connect(&connect);
    rig.lose(conn);
    assert_eq!(seen(&mut rig, watcher), 1);
}

#[test]
fn a_take_over_publishes_the_will_only_without_a_delay() {
    let mut rig = Rig::new();
    let watcher = watcher(&mut rig);
    let connect = Connect::new(5, "c").resume().expiry(100);
    rig.connect(&connect.clone().will("w", 0, false, &[]));
    rig.connect(&connect.clone().will("w", 0, false, DELAY_10));
    assert_eq!(seen(&mut rig, watcher), 1);
    rig.connect(&connect);
    rig.pass(60_000);
    assert_eq!(seen(&mut rig, watcher), 0);
}

#[test]
fn will_properties_are_forwarded_without_the_delay() {
    let mut rig = Rig::new();
    let watcher = watcher(&mut rig);
    let list: &[&[u8]] = &[
        b"\x01\x01",
        &[0x18, 0, 0, 0, 0],
        b"\x26\0\x01a\0\x01b",
        &[2, 0, 0, 0, 9],
    ];
    let conn = rig.connect(&Connect::new(5, "c").will("w", 0, false, list));
    // The expiry runs from when the will is published.
    rig.pass(60_000);
    rig.lose(conn);
    let got = rig.messages(watcher);
    assert_eq!(got[0].props, b"\x02\0\0\0\x09\x01\x01\x26\0\x01a\0\x01b");
}

#[test]
fn a_will_without_a_grant_is_refused_when_it_is_made() {
    let mut rig = Rig::new();
    rig.door = Box::new(|_| accept("i", grants(&["own/#"], &["#"]), limits()));
    let will = |topic| Connect::new(5, "c").will(topic, 0, false, &[]).bytes();
    assert_eq!(rig.try_connect(&will("own/state")), Some(0));
    assert_eq!(rig.try_connect(&will("other/state")), Some(0x87));
    assert_eq!(rig.try_connect(&will("$SYS/state")), Some(0x87));
    let connect = Connect::new(4, "c").will("other", 0, false, &[]).bytes();
    assert_eq!(rig.try_connect(&connect), Some(5));
    let refused = |k: &&NoticeKind| {
        matches!(
            k,
            NoticeKind::Refused {
                access: Access::Will,
                ..
            }
        )
    };
    assert_eq!(rig.notices.iter().filter(refused).count(), 3);
}

#[test]
fn mqtt_3_2_2_13_a_retained_will_where_retain_is_not_available() {
    let limits = crate::Limits {
        retained_messages: 0,
        ..limits()
    };
    let mut rig = Rig::with(super::rig::config(), limits);
    let will = |retain| Connect::new(5, "c").will("w", 0, retain, &[]).bytes();
    assert_eq!(rig.try_connect(&will(true)), Some(0x9A));
    assert_eq!(rig.try_connect(&will(false)), Some(0));
}

#[test]
fn a_will_is_judged_again_when_it_fires() {
    let mut rig = Rig::new();
    let watcher = watcher(&mut rig);
    let conn = rig.connect(&Connect::new(5, "c").user("i").will("w", 0, true, &[]));
    rig.broker.regrant(
        rig.now,
        "i",
        |_| grants(&["x"], &[]).into(),
        &limits().into(),
    );
    rig.lose(conn);
    assert_eq!(seen(&mut rig, watcher), 0);
    assert_eq!(
        (rig.broker.stats().retained, rig.broker.stats().refused),
        (0, 1)
    );
}

#[test]
fn will_payload_may_be_empty_and_clears_the_retained() {
    let mut rig = Rig::new();
    let conn = rig.connect(&Connect::new(5, "p"));
    rig.publish(conn, 1, "w", "online");
    let mut connect = Connect::new(4, "c").will("w", 0, true, &[]);
    connect.will.as_mut().unwrap().payload.clear();
    let conn = rig.connect(&connect);
    rig.send(conn, &packets::packet(0x00, &[]));
    assert_eq!(rig.broker.stats().retained, 0);
}
