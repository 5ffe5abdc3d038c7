use super::packets::{self, Connect, In};
use super::rig::{Rig, brief};

#[test]
fn mqtt_3_8_4_6_every_filter_gets_its_code() {
    let mut rig = Rig::new();
    let conn = rig.connect(&Connect::new(5, "c"));
    assert_eq!(
        rig.subscribe(conn, &[("a", 0), ("b", 1), ("c/#", 2)]),
        [0, 1, 2]
    );
    assert_eq!(rig.broker.stats().subscriptions, 3);
    // MQTT-3.11.3-2
    assert_eq!(rig.unsubscribe(conn, &["a", "x", "c/#"]), [0, 0x11, 0]);
    assert_eq!(rig.broker.stats().subscriptions, 1);
    let old = rig.connect(&Connect::new(4, "d"));
    rig.subscribe(old, &[("a", 0)]);
    assert_eq!(rig.unsubscribe(old, &["a", "x"]), []);
    rig.publish(conn, 0, "a", "");
    assert_eq!(rig.got(old), []);
}

#[test]
fn mqtt_3_8_4_3_the_same_filter_replaces_the_subscription() {
    let mut rig = Rig::new();
    let conn = rig.connect(&Connect::new(5, "c"));
    rig.subscribe(conn, &[("a", 0)]);
    rig.subscribe(conn, &[("a", 2)]);
    assert_eq!(rig.broker.stats().subscriptions, 1);
    rig.publish(conn, 2, "a", "");
    let got = rig.messages(conn);
    assert_eq!((got.len(), got[0].qos), (1, 1));
}

#[test]
fn mqtt_3_3_4_2_overlapping_subscriptions_deliver_once_at_the_highest_qos() {
    let mut rig = Rig::new();
    let conn = rig.connect(&Connect::new(5, "c"));
    for (id, filter, qos) in [(1u8, "a/b", 0), (2, "a/+", 2), (3, "#", 1)] {
        let property: &[&[u8]] = &[&[0x0B, id]];
        rig.send(
            conn,
            &packets::subscribe(9, Some(property), &[(filter, qos)]),
        );
    }
    rig.subscribe(conn, &[("+/b", 0)]);
    rig.got(conn);
    rig.publish(conn, 4, "a/b", "x");
    let got = rig.messages(conn);
    assert_eq!((got.len(), got[0].qos), (1, 2));
    // MQTT-3.3.4-3, MQTT-3.3.4-4
    let mut ids: Vec<_> = got[0].props.chunks(2).map(|p| (p[0], p[1])).collect();
    ids.sort_unstable();
    assert_eq!(ids, [(0x0B, 1), (0x0B, 2), (0x0B, 3)]);
}

#[test]
fn mqtt_3_8_3_3_no_local_keeps_a_clients_own_messages_away() {
    let mut rig = Rig::new();
    let conn = rig.connect(&Connect::new(5, "c"));
    let other = rig.connect(&Connect::new(5, "d"));
    rig.publish(conn, 1, "a", "mine");
    rig.publish(other, 1, "b", "not mine");
    rig.subscribe(conn, &[("#", 4)]);
    rig.publish(conn, 0, "a", "mine");
    rig.publish(other, 0, "a", "theirs");
    let want = [
        ("b".into(), "not mine".into()),
        ("a".into(), "theirs".into()),
    ];
    assert_eq!(brief(&rig.messages(conn)), want);
}

#[test]
fn mqtt_3_3_1_12_retain_as_published() {
    let mut rig = Rig::new();
    let conn = rig.connect(&Connect::new(5, "c"));
    rig.subscribe(conn, &[("a", 0), ("b", 8)]);
    for (topic, flags) in [("a", 1), ("b", 1), ("b", 0)] {
        rig.publish(conn, flags, topic, "x");
    }
    let retain: Vec<_> = rig.messages(conn).iter().map(|p| p.retain).collect();
    assert_eq!(retain, [false, true, false]);
}

#[test]
fn mqtt_4_7_2_1_dollar_topics_are_apart() {
    let mut rig = Rig::new();
    let conn = rig.connect(&Connect::new(5, "c"));
    rig.subscribe(conn, &[("#", 0), ("+/a", 0), ("$SYS/#", 0)]);
    assert_eq!(rig.publish(conn, 2, "$SYS/a", "x"), 0x87);
    assert_eq!(rig.messages(conn), []);
    assert_eq!(rig.broker.stats().refused, 1);
}

#[test]
fn mqtt_3_9_3_before_mqtt_5_there_is_one_code_for_failure() {
    let mut rig = Rig::new();
    let conn = rig.connect(&Connect::new(4, "c"));
    assert_eq!(
        rig.subscribe(conn, &[("a", 1), ("$other/a", 0), ("b", 2)]),
        [1, 0x80, 2]
    );
    let new = rig.connect(&Connect::new(5, "d"));
    assert_eq!(
        rig.subscribe(new, &[("a", 1), ("$other/a", 0), ("b", 2)]),
        [1, 0x87, 2]
    );
}

#[test]
fn subscriptions_are_bounded() {
    let mut rig = Rig::new();
    let conn = rig.connect(&Connect::new(5, "c"));
    let names: Vec<String> = (0..150).map(|n| format!("t/{n}")).collect();
    let filters: Vec<_> = names.iter().map(|name| (name.as_str(), 0)).collect();
    let codes = rig.subscribe(conn, &filters);
    assert!(codes[..100].iter().all(|&c| c == 0) && codes[100..].iter().all(|&c| c == 0x97));
    assert!(rig.has_limit("subscriptions"));
    // One that is there already may be changed.
    assert_eq!(rig.subscribe(conn, &[("t/5", 1)]), [1]);
    let deep = "a/".repeat(16);
    assert_eq!(rig.subscribe(conn, &[(&deep, 0)]), [0x8F]);
}

#[test]
fn a_megabyte_of_slashes_in_a_topic_is_refused() {
    let mut rig = Rig::new();
    let conn = rig.connect(&Connect::new(5, "c"));
    let topic = "/".repeat(65_000);
    assert_eq!(rig.publish(conn, 2, &topic, ""), 0x90);
    assert!(rig.has_limit("topic_levels"));
}

#[test]
fn suback_comes_before_the_retained_messages() {
    let mut rig = Rig::new();
    let conn = rig.connect(&Connect::new(5, "c"));
    rig.publish(conn, 1, "a", "x");
    rig.send(conn, &packets::subscribe(9, Some(&[]), &[("a", 0)]));
    assert!(matches!(
        rig.got(conn)[..],
        [In::SubAck(..), In::Publish(_)]
    ));
}
