//! What somebody sees who looks at topics and their values.

use super::packets::{self, Connect};
use super::rig::{Rig, accept, config, grants, limits};
use crate::watch::BUDGET;
use crate::{ConnId, Glance, Limits, Sight, Time, Wanted};

/// As clients have it in these tests.
const MINUTE: u64 = 60_000;

fn of(filter: &str) -> Wanted<'_> {
    Wanted {
        filter,
        publisher: None,
    }
}

/// A broker whose clients are who their client identifiers say.
fn house() -> Rig {
    let mut rig = Rig::new();
    rig.door = Box::new(|request| {
        let all = grants(&["#"], &["#", "$SYS/#"]);
        let limits = Limits {
            retained_messages: 100_000,
            retained_bytes: 64 << 20,
            ..limits()
        };
        accept(&request.client_id, all, limits)
    });
    rig
}

fn client(rig: &mut Rig, name: &str) -> ConnId {
    rig.connect(&Connect::new(4, name))
}

fn watch(rig: &mut Rig, wanted: Wanted<'_>) {
    let until = Time(rig.now.0 + MINUTE);
    rig.broker.watch(rig.now, wanted, until).unwrap();
    rig.broker.check();
}

fn glance(rig: &Rig, wanted: Wanted<'_>) -> Glance {
    rig.broker.glance(wanted, usize::MAX)
}

/// Topics and values, for short.
fn seen(rig: &Rig, wanted: Wanted<'_>) -> Vec<String> {
    let brief = |one: &Sight| format!("{} {}", one.topic, String::from_utf8_lossy(&one.value));
    glance(rig, wanted).topics.iter().map(brief).collect()
}

/// Publishes without the cost of a full check each time.
fn flood(rig: &mut Rig, conn: ConnId, topics: impl Iterator<Item = String>) {
    for topic in topics {
        let packet = packets::publish(0, &topic, 0, None, b"x");
        rig.broker.receive(rig.now, conn, &packet);
    }
    rig.pump();
}

#[test]
fn nothing_is_kept_while_nobody_watches() {
    let mut rig = house();
    let lamp = client(&mut rig, "lamp");
    rig.publish(lamp, 0, "lamp/state", "on");
    let empty = rig.broker.stats().memory_used;
    assert_eq!(glance(&rig, of("#")), Glance::default());
    watch(&mut rig, of("#"));
    assert_eq!(seen(&rig, of("#")), Vec::<String>::new());
    rig.publish(lamp, 2, "lamp/state", "off");
    rig.publish(lamp, 0, "lamp/state", "on");
    let found = glance(&rig, of("#"));
    let [one] = found.topics.as_slice() else {
        panic!("{found:?}");
    };
    assert_eq!((&*one.topic, &*one.value), ("lamp/state", &b"on"[..]));
    assert_eq!((one.count, one.qos, one.retained), (2, 0, false));
    assert_eq!(one.publisher.as_deref(), Some("lamp"));
    assert_eq!(one.time, Some(rig.now));
    assert!(!found.more && found.left_out == 0);
    assert!(rig.broker.stats().memory_used > empty);
    // Prolonged, it goes on; left alone, it ends.
    rig.pass(MINUTE - 1);
    watch(&mut rig, of("#"));
    rig.pass(MINUTE - 1);
    assert_eq!(seen(&rig, of("#")), ["lamp/state on"]);
    rig.pass(1);
    assert_eq!(glance(&rig, of("#")), Glance::default());
    assert_eq!(rig.broker.stats().memory_used, empty);
    rig.publish(lamp, 0, "lamp/state", "off");
    assert_eq!(glance(&rig, of("#")), Glance::default());
    watch(&mut rig, of("#"));
    rig.publish(lamp, 0, "lamp/state", "off");
    rig.broker.unwatch();
    assert_eq!(glance(&rig, of("#")), Glance::default());
    assert_eq!(rig.broker.stats().memory_used, empty);
}

#[test]
fn what_is_retained_shows_at_once_and_what_is_newer_instead() {
    let mut rig = house();
    let lamp = client(&mut rig, "lamp");
    rig.publish(lamp, 3, "lamp/state", "on");
    rig.publish(lamp, 1, "lamp/level", "7");
    rig.publish(lamp, 1, "plug/x", "1");
    watch(&mut rig, of("lamp/#"));
    assert_eq!(seen(&rig, of("lamp/#")), ["lamp/level 7", "lamp/state on"]);
    let found = glance(&rig, of("lamp/state"));
    let [one] = found.topics.as_slice() else {
        panic!("{found:?}");
    };
    assert_eq!((one.count, one.time, one.qos), (0, None, 1));
    assert!(one.retained);
    assert_eq!(one.publisher.as_deref(), Some("lamp"));
    rig.publish(lamp, 0, "lamp/state", "off");
    // Another watch finds it again; what was published since stays.
    watch(&mut rig, of("+/state"));
    watch(&mut rig, of("#"));
    assert_eq!(
        seen(&rig, of("#")),
        ["lamp/level 7", "lamp/state off", "plug/x 1"]
    );
    assert!(!glance(&rig, of("lamp/state")).topics[0].retained);
    // Taken back: an empty value, retained no more.
    rig.publish(lamp, 1, "lamp/level", "");
    let found = glance(&rig, of("lamp/level"));
    assert_eq!(
        (found.topics[0].retained, found.topics[0].bytes),
        (false, 0)
    );
}

#[test]
fn only_what_is_asked_for_is_kept() {
    let mut rig = house();
    let (lamp, plug) = (client(&mut rig, "lamp"), client(&mut rig, "plug"));
    let lamps = Wanted {
        filter: "#",
        publisher: Some("lamp"),
    };
    rig.publish(lamp, 1, "a/lamp", "1");
    rig.publish(plug, 1, "a/plug", "1");
    watch(&mut rig, lamps);
    watch(&mut rig, of("b/#"));
    rig.publish(lamp, 0, "c", "1");
    rig.publish(plug, 0, "c/plug", "1");
    rig.publish(plug, 0, "b/plug", "1");
    assert_eq!(seen(&rig, of("#")), ["a/lamp 1", "b/plug 1", "c 1"]);
    assert_eq!(seen(&rig, lamps), ["a/lamp 1", "c 1"]);
    // One watch ends, and with it what only it wanted.
    rig.pass(MINUTE / 2);
    watch(&mut rig, of("b/#"));
    rig.pass(MINUTE / 2);
    assert_eq!(seen(&rig, of("#")), ["b/plug 1"]);
    rig.broker.check();
}

#[test]
fn topics_of_the_broker_show_to_filters_that_name_them() {
    let mut rig = house();
    let now = rig.now;
    rig.broker.publish_internal(now, "$SYS/a", b"1", true);
    watch(&mut rig, of("#"));
    watch(&mut rig, of("+/+"));
    rig.broker.publish_internal(now, "$SYS/a", b"2", true);
    assert_eq!(seen(&rig, of("#")), Vec::<String>::new());
    watch(&mut rig, of("$SYS/#"));
    assert_eq!(seen(&rig, of("$SYS/+")), ["$SYS/a 2"]);
    assert_eq!(seen(&rig, of("#")), Vec::<String>::new());
    assert_eq!(glance(&rig, of("$SYS/#")).topics[0].publisher, None);
}

#[test]
fn filters_that_are_none_are_refused() {
    let mut rig = house();
    for (filter, why) in [
        ("", "empty"),
        ("a/#/b", "`#` is not in the last level"),
        ("a+", "a wildcard does not stand alone in its level"),
        ("a\u{7}", "contains a control character"),
        ("$share/g/a", "a shared subscription is nobody's to look at"),
        ("$share/g", "a share name without a filter"),
    ] {
        let watched = rig.broker.watch(rig.now, of(filter), Time(rig.now.0 + 1));
        assert_eq!(watched, Err(why), "{filter:?}");
    }
    let lamp = client(&mut rig, "lamp");
    rig.publish(lamp, 0, "a", "1");
    assert_eq!(glance(&rig, of("#")), Glance::default());
}

#[test]
fn a_refused_message_is_not_seen() {
    let mut rig = house();
    rig.door = Box::new(|request| accept(&request.client_id, grants(&["lamp/#"], &[]), limits()));
    let lamp = client(&mut rig, "lamp");
    watch(&mut rig, of("#"));
    rig.publish(lamp, 0, "plug/x", "1");
    rig.publish(lamp, 0, "lamp/x", "1");
    assert_eq!(seen(&rig, of("#")), ["lamp/x 1"]);
}

#[test]
fn a_million_topics_push_out_their_own_only() {
    let mut rig = house();
    let (lamp, evil) = (client(&mut rig, "lamp"), client(&mut rig, "evil"));
    watch(&mut rig, of("#"));
    for number in 0..50 {
        rig.publish(lamp, 0, &format!("lamp/{number:02}"), "on");
    }
    rig.publish(evil, 0, "evil/first", "x");
    for part in 0..10 {
        let topics = (0..100_000).map(|number| format!("a/{part}/{number}"));
        flood(&mut rig, evil, topics);
    }
    let found = glance(&rig, of("#"));
    assert!(found.topics.len() < 2_048, "{}", found.topics.len());
    assert!(found.topics.len() > 1_500, "{}", found.topics.len());
    let lamps = found.topics.iter().filter(|one| &*one.topic < "lamp/99");
    let lamps = lamps.filter(|one| &*one.topic >= "lamp/");
    assert_eq!(lamps.count(), 50);
    // That there was more is told.
    assert!(found.more && found.left_out > 990_000, "{}", found.left_out);
    assert_eq!(found.left_out + found.topics.len() as u64, 1_000_051);
    // A small part of it is shared out evenly, whatever comes first in the alphabet.
    let few = rig.broker.glance(of("#"), 60);
    assert_eq!(few.topics.len(), 60);
    let lamps = few.topics.iter();
    let lamps = lamps.filter(|one| one.publisher.as_deref() == Some("lamp"));
    assert_eq!(lamps.count(), 30);
    let mut sorted = few.topics.clone();
    sorted.sort_by(|a, b| a.topic.cmp(&b.topic));
    assert_eq!(few.topics, sorted);
    // Who watches for what was pushed out, sees it.
    watch(&mut rig, of("evil/#"));
    rig.publish(evil, 0, "evil/first", "y");
    assert_eq!(seen(&rig, of("evil/#")), ["evil/first y"]);
}

#[test]
fn large_values_and_names_are_cut_to_the_budget() {
    let mut rig = house();
    let evil = client(&mut rig, "evil");
    watch(&mut rig, of("#"));
    let before = rig.broker.stats().memory_used;
    rig.publish(evil, 0, "big", &"é".repeat(10_000));
    let found = glance(&rig, of("big"));
    assert_eq!(found.topics[0].value.len(), 256);
    assert_eq!(found.topics[0].bytes, 20_000);
    for number in 0..50 {
        let topic = format!("{number:02}{}", "x".repeat(50_000));
        rig.publish(evil, 0, &topic, "1");
    }
    let found = glance(&rig, of("#"));
    assert_eq!(found.topics.len(), BUDGET / 50_000);
    assert!(rig.broker.stats().memory_used <= before + BUDGET as u64);
    // A value that shrinks and grows is counted each time.
    for length in [0, 3, 256, 100, 200, 1, 5_000] {
        rig.publish(evil, 0, "big", &"x".repeat(length));
        assert_eq!(glance(&rig, of("big")).topics[0].bytes, length);
        rig.broker.check();
    }
}

#[test]
fn many_retained_messages_are_found_step_by_step() {
    let mut rig = house();
    let hub = client(&mut rig, "hub");
    for number in 0..5_000 {
        let packet = packets::publish(1, &format!("hub/{number:04}"), 0, None, b"1");
        rig.broker.receive(rig.now, hub, &packet);
    }
    rig.publish(hub, 1, "lamp/last", "1");
    watch(&mut rig, of("lamp/#"));
    // The part that the filter cannot match is not walked.
    assert_eq!(seen(&rig, of("#")), ["lamp/last 1"]);
    watch(&mut rig, of("+/1999"));
    watch(&mut rig, of("+/last"));
    assert!(glance(&rig, of("+/1999")).more);
    assert!(rig.broker.deadline() <= Some(rig.now));
    rig.pass(0);
    assert_eq!(seen(&rig, of("#")), ["hub/1999 1", "lamp/last 1"]);
    assert!(!glance(&rig, of("#")).more);
    assert!(rig.broker.deadline() > Some(rig.now));
}

#[test]
fn a_few_filters_are_watched_and_the_latest_are_kept() {
    let mut rig = house();
    let lamp = client(&mut rig, "lamp");
    for number in 0..20 {
        let filter = format!("{number}/#");
        watch(&mut rig, of(&filter));
        rig.pass(1);
    }
    for number in 0..20 {
        rig.publish(lamp, 0, &format!("{number}/x"), "1");
    }
    let found = glance(&rig, of("#")).topics.len();
    assert_eq!(found, 8);
    assert_eq!(seen(&rig, of("19/x")), ["19/x 1"]);
}

#[test]
fn wills_are_seen_as_their_clients() {
    let mut rig = house();
    let connect = Connect::new(4, "lamp").will("lamp/gone", 0, false, &[]);
    let lamp = rig.connect(&connect);
    watch(&mut rig, of("#"));
    rig.lose(lamp);
    let found = glance(&rig, of("#"));
    assert_eq!(found.topics[0].publisher.as_deref(), Some("lamp"));
}

#[test]
fn messages_are_counted_for_who_published_them_and_outlive_sessions() {
    let mut rig = Rig::with(config(), limits());
    rig.door = Box::new(|request| {
        let name = request.client_id.split('-').next().unwrap_or_default();
        accept(name, grants(&["ok"], &[]), limits())
    });
    let taken = |rig: &mut Rig| {
        let mut all = std::collections::BTreeMap::new();
        rig.broker.take_published(|name, count| {
            *all.entry(name.to_string()).or_insert(0) += count;
        });
        all.into_iter().collect::<Vec<(String, u64)>>()
    };
    let own = |name: &str, count| (name.to_owned(), count);
    let (one, two) = (client(&mut rig, "lamp-1"), client(&mut rig, "lamp-2"));
    let plug = client(&mut rig, "plug-1");
    for conn in [one, two, plug] {
        rig.publish(conn, 2, "ok", "1");
    }
    // A refused one was sent all the same.
    rig.publish(one, 0, "no", "1");
    rig.lose(one);
    assert_eq!(taken(&mut rig), [own("lamp", 3), own("plug", 1)]);
    assert_eq!(taken(&mut rig), []);
    for number in 0..3_000 {
        let name = format!("d{number}-1");
        let conn = client(&mut rig, &name);
        rig.publish(conn, 0, "ok", "1");
        rig.lose(conn);
    }
    assert_eq!(taken(&mut rig).len(), 1_024);
}
