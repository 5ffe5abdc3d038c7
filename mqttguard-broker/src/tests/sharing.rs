use super::packets::{self, Connect};
use super::rig::Rig;
use crate::ConnId;

fn member(rig: &mut Rig, name: &str, filter: &str, qos: u8) -> ConnId {
    let conn = rig.connect(&Connect::new(5, name).resume().expiry(100));
    assert_eq!(rig.subscribe(conn, &[(filter, qos)]), [qos]);
    conn
}

#[test]
fn mqtt_4_8_2_each_message_goes_to_one_member_in_turn() {
    let mut rig = Rig::new();
    let members: Vec<_> = (0..3)
        .map(|n| member(&mut rig, &format!("m{n}"), "$share/g/a/+", 0))
        .collect();
    let other = member(&mut rig, "other", "$share/h/a/+", 0);
    let plain = member(&mut rig, "plain", "a/b", 0);
    let publisher = rig.connect(&Connect::new(5, "p"));
    for n in 0..9 {
        rig.publish(publisher, 0, "a/b", &n.to_string());
    }
    for conn in members {
        assert_eq!(rig.messages(conn).len(), 3);
    }
    assert_eq!(
        (rig.messages(other).len(), rig.messages(plain).len()),
        (9, 9)
    );
}

#[test]
fn members_that_cannot_be_sent_to_are_passed_over() {
    let mut rig = Rig::new();
    let away = member(&mut rig, "away", "$share/g/a", 1);
    let slow = member(&mut rig, "slow", "$share/g/a", 1);
    let quick = member(&mut rig, "quick", "$share/g/a", 1);
    rig.lose(away);
    let publisher = rig.connect(&Connect::new(5, "p"));
    let mut seen = 0;
    for _ in 0..60 {
        rig.publish(publisher, 2, "a", "");
        for message in rig.messages(quick) {
            seen += 1;
            rig.send(quick, &packets::ack(0x40, message.id));
        }
    }
    // The slow one took what its Receive Maximum allows.
    assert_eq!((seen, rig.messages(slow).len()), (50, 10));
    rig.lose(slow);
    rig.lose(quick);
    // With nobody there it waits for one of them.
    rig.publish(publisher, 2, "a", "late");
    assert!(rig.broker.stats().held_bytes > 0);
}

#[test]
fn mqtt_3_8_4_shared_subscriptions_get_no_retained_messages_at_once() {
    let mut rig = Rig::new();
    let publisher = rig.connect(&Connect::new(5, "p"));
    rig.publish(publisher, 1, "a", "x");
    let conn = member(&mut rig, "m", "$share/g/a", 0);
    assert_eq!(rig.got(conn), []);
    assert_eq!(
        rig.unsubscribe(conn, &["$share/h/a", "a", "$share/g/a"]),
        [0x11, 0x11, 0]
    );
    rig.publish(publisher, 0, "a", "y");
    assert_eq!(rig.got(conn), []);
    assert_eq!(rig.broker.stats().subscriptions, 0);
}

#[test]
fn a_shared_and_a_plain_subscription_of_one_session_are_two() {
    let mut rig = Rig::new();
    let conn = member(&mut rig, "m", "$share/g/a", 0);
    rig.subscribe(conn, &[("a", 0)]);
    let publisher = rig.connect(&Connect::new(5, "p"));
    rig.publish(publisher, 0, "a", "x");
    assert_eq!(rig.messages(conn).len(), 2);
}
