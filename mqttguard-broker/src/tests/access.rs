use super::packets::{self, Connect, In};
use super::rig::{Rig, accept, brief, grants, limits};
use crate::{Access, Kick, NoticeKind};

fn rig() -> Rig {
    let mut rig = Rig::new();
    rig.door = Box::new(|request| {
        let own = format!("{}/#", request.client_id);
        let grants = match request.client_id.as_str() {
            "admin" => grants(&["#"], &["#"]),
            _ => grants(&[&own], &[&own, "news/+"]),
        };
        accept(&request.client_id, grants, limits())
    });
    rig
}

fn refused(rig: &Rig, access: Access, topic: &str) -> bool {
    rig.notices.iter().any(|kind| {
        *kind
            == NoticeKind::Refused {
                access,
                topic: topic.to_owned(),
            }
    })
}

#[test]
fn a_publish_without_a_grant_is_refused_in_the_way_of_its_version() {
    let mut rig = rig();
    let admin = rig.connect(&Connect::new(5, "admin"));
    rig.subscribe(admin, &[("#", 2)]);
    let new = rig.connect(&Connect::new(5, "new"));
    assert_eq!(rig.publish(new, 2, "other/a", "x"), 0x87);
    assert_eq!(rig.publish(new, 4, "other/b", "x"), 0x87);
    assert_eq!(rig.publish(new, 0, "other/c", "x"), 0);
    for topic in ["other/a", "other/b", "other/c"] {
        assert!(refused(&rig, Access::Publish, topic), "{topic}");
    }
    // MQTT 3 has no word for it: acknowledged, and dropped.
    let old = rig.connect(&Connect::new(4, "old"));
    assert_eq!(rig.publish(old, 2, "other/d", "x"), 0);
    assert_eq!(rig.publish(old, 4, "other/e", "x"), 0);
    assert!(refused(&rig, Access::Publish, "other/e"));
    assert_eq!(rig.messages(admin), []);
    assert_eq!(rig.broker.stats().refused, 5);
    assert!(!rig.is_closed(new) && !rig.is_closed(old));
    assert_eq!(rig.publish(old, 2, "old/a", "x"), 0);
    assert_eq!(rig.messages(admin).len(), 1);
}

#[test]
fn a_subscription_wider_than_its_grant_is_refused() {
    let mut rig = rig();
    let conn = rig.connect(&Connect::new(5, "dev"));
    let filters = [
        "dev/#",
        "dev",
        "dev/+/x",
        "news/+",
        "news/a",
        "news/#",
        "#",
        "+/a",
        "$share/g/#",
    ];
    let asked: Vec<_> = filters.iter().map(|&f| (f, 0)).collect();
    let codes = rig.subscribe(conn, &asked);
    assert_eq!(codes, [0, 0, 0, 0, 0, 0x87, 0x87, 0x87, 0x87]);
    assert!(refused(&rig, Access::Subscribe, "news/#"));
    assert_eq!(rig.subscribe(conn, &[("$share/g/dev/#", 1)]), [1]);
}

#[test]
fn nothing_is_granted_by_default() {
    let mut rig = Rig::new();
    rig.door = Box::new(|_| accept("i", grants(&[], &[]), limits()));
    let conn = rig.connect(&Connect::new(5, "c"));
    assert_eq!(rig.publish(conn, 2, "a", "x"), 0x87);
    assert_eq!(rig.subscribe(conn, &[("a", 0)]), [0x87]);
}

#[test]
fn after_a_regrant_nothing_is_read_that_is_no_longer_granted() {
    let mut rig = rig();
    let admin = rig.connect(&Connect::new(5, "admin"));
    let sleeper = Connect::new(5, "dev").resume().expiry(100);
    let conn = rig.connect(&sleeper);
    rig.subscribe(conn, &[("dev/#", 1), ("news/+", 1)]);
    rig.lose(conn);
    rig.publish(admin, 2, "dev/a", "waits");
    rig.publish(admin, 2, "news/a", "waits");
    rig.broker.regrant(
        rig.now,
        "dev",
        |_| grants(&[], &["news/+"]).into(),
        &limits().into(),
    );
    rig.publish(admin, 2, "dev/a", "after");
    rig.publish(admin, 2, "news/a", "after");
    rig.door = Box::new(|_| accept("dev", grants(&[], &["news/+"]), limits()));
    let conn = rig.connect(&sleeper);
    let want = [
        ("news/a".into(), "waits".into()),
        ("news/a".into(), "after".into()),
    ];
    assert_eq!(brief(&rig.messages(conn)), want);
    assert_eq!(rig.broker.stats().subscriptions, 1);
    rig.broker.regrant(
        rig.now,
        "dev",
        |_| grants(&[], &[]).into(),
        &limits().into(),
    );
    rig.publish(admin, 1, "news/a", "later");
    assert_eq!(rig.messages(conn), []);
    assert_eq!(rig.subscribe(conn, &[("news/a", 0)]), [0x87]);
}

#[test]
fn coming_back_with_fewer_rights_is_a_regrant() {
    let mut rig = rig();
    let admin = rig.connect(&Connect::new(5, "admin"));
    let sleeper = Connect::new(5, "dev").resume().expiry(100);
    let conn = rig.connect(&sleeper);
    rig.subscribe(conn, &[("dev/#", 1), ("news/+", 1)]);
    rig.lose(conn);
    rig.publish(admin, 2, "dev/a", "x");
    rig.door = Box::new(|_| accept("dev", grants(&[], &["news/+"]), limits()));
    let conn = rig.connect(&sleeper);
    rig.publish(admin, 2, "dev/a", "y");
    assert_eq!(rig.messages(conn), []);
}

#[test]
fn a_kicked_identity_is_told_why_and_keeps_its_session() {
    for (why, code) in [
        (Kick::Banned, 0x98),
        (Kick::Revoked, 0x87),
        (Kick::ShuttingDown, 0x8B),
    ] {
        let mut rig = rig();
        let conn = rig.connect(&Connect::new(5, "dev").expiry(100));
        let other = rig.connect(&Connect::new(5, "other"));
        rig.broker.kick(rig.now, "dev", why);
        rig.pump();
        assert_eq!(rig.got(conn), [In::Disconnect(code)]);
        assert!(rig.is_closed(conn) && !rig.is_closed(other));
        assert_eq!(rig.broker.stats().sessions, 2);
    }
}

#[test]
fn a_forgotten_identity_leaves_nothing() {
    let mut rig = rig();
    let conn = rig.connect(
        &Connect::new(5, "dev")
            .expiry(100)
            .will("dev/w", 0, true, &[]),
    );
    rig.subscribe(conn, &[("dev/#", 0)]);
    rig.publish(conn, 1, "dev/a", "x");
    let sleeper = rig.connect(&Connect::new(5, "dev").expiry(100));
    rig.lose(sleeper);
    rig.broker.forget(rig.now, "dev");
    rig.pump();
    let stats = rig.broker.stats();
    assert_eq!(
        (stats.sessions, stats.subscriptions, stats.retained),
        (0, 0, 0)
    );
    assert_eq!(stats.held_bytes, 0);
}

#[test]
fn notices_hold_the_beginning_of_a_long_topic() {
    let mut rig = rig();
    let conn = rig.connect(&Connect::new(5, "dev"));
    rig.publish(conn, 2, &"ü".repeat(10_000), "x");
    let shown = rig.notices.iter().find_map(|kind| match kind {
        NoticeKind::Refused { topic, .. } => Some(topic.clone()),
        _ => None,
    });
    assert_eq!(shown, Some("ü".repeat(128)));
}

#[test]
fn notices_of_one_kind_are_bounded_and_counted() {
    let mut rig = rig();
    let conn = rig.connect(&Connect::new(5, "dev"));
    for _ in 0..1_000 {
        rig.broker
            .receive(rig.now, conn, &packets::publish(0, "x", 0, Some(&[]), b""));
    }
    let mut told = Vec::new();
    while let Some(notice) = rig.broker.next_notice() {
        told.push(notice.suppressed);
    }
    assert!(told.len() < 10, "{}", told.len());
    rig.pass(5_000);
    rig.broker
        .receive(rig.now, conn, &packets::publish(0, "x", 0, Some(&[]), b""));
    let next = rig.broker.next_notice().unwrap();
    assert_eq!(next.suppressed as usize + told.len(), 1_000);
    assert_eq!(next.client_id.as_deref(), Some("dev"));
}

fn rig_with_exceptions() -> Rig {
    let mut rig = Rig::new();
    rig.door = Box::new(|request| {
        let mut grants = grants(&["#"], &["#", "$SYS/#"]);
        if request.client_id.starts_with("barred") {
            grants.deny = vec![
                "secret/#".into(),
                "+/key".into(),
                "$SYS/broker/load/#".into(),
            ];
        }
        accept(&request.client_id, grants, limits())
    });
    rig
}

#[test]
fn an_exception_is_out_of_reach_though_a_wider_grant_covers_it() {
    let mut rig = rig_with_exceptions();
    let barred = rig.connect(&Connect::new(5, "barred"));
    for topic in ["secret", "secret/a/b", "door/key"] {
        assert_eq!(rig.publish(barred, 2, topic, "x"), 0x87, "{topic}");
        assert!(refused(&rig, Access::Publish, topic), "{topic}");
    }
    let filters = [
        ("secret/#", 0),
        ("secret/+/b", 0),
        ("door/key", 0),
        ("$share/g/secret/a", 0),
        ("$SYS/broker/load/+/1min", 0),
        ("#", 0),
        ("+/+", 0),
        ("$SYS/#", 0),
    ];
    let codes = rig.subscribe(barred, &filters);
    assert_eq!(codes, [0x80, 0x80, 0x80, 0x80, 0x80, 0, 0, 0]);
    let old = rig.connect(&Connect::new(4, "barred, old"));
    assert_eq!(rig.subscribe(old, &[("secret/#", 1), ("#", 1)]), [0x80, 1]);
    let will = Connect::new(5, "barred, dying").will("secret/w", 0, false, &[]);
    assert_eq!(rig.try_connect(&will.bytes()), Some(0x87));
}

#[test]
fn a_wider_subscription_brings_nothing_of_an_exception() {
    let mut rig = rig_with_exceptions();
    let barred = rig.connect(&Connect::new(5, "barred"));
    let free = rig.connect(&Connect::new(5, "free"));
    rig.publish(free, 1, "secret/kept", "x");
    rig.publish(free, 1, "kept", "x");
    rig.subscribe(barred, &[("#", 1), ("+/key", 1)]);
    rig.subscribe(free, &[("#", 0)]);
    rig.publish(free, 2, "secret/a", "x");
    rig.publish(free, 2, "door/key", "x");
    rig.publish(free, 2, "door/lock", "x");
    let dying = rig.connect(&Connect::new(5, "dying").will("secret/w", 0, false, &[]));
    rig.lose(dying);
    let topics = |rig: &mut Rig, conn| -> Vec<String> {
        let messages = rig.messages(conn).into_iter();
        messages.map(|message| message.topic).collect()
    };
    assert_eq!(topics(&mut rig, barred), ["kept", "door/lock"]);
    let all = [
        "kept",
        "secret/kept",
        "secret/a",
        "door/key",
        "door/lock",
        "secret/w",
    ];
    assert_eq!(topics(&mut rig, free), all);
}

#[test]
fn a_shared_subscription_passes_over_who_may_not_read_it() {
    let mut rig = rig_with_exceptions();
    let barred = rig.connect(&Connect::new(5, "barred"));
    let free = rig.connect(&Connect::new(5, "free"));
    let publisher = rig.connect(&Connect::new(5, "p"));
    for conn in [barred, free] {
        assert_eq!(rig.subscribe(conn, &[("$share/g/#", 1)]), [1]);
    }
    for _ in 0..4 {
        assert_eq!(rig.publish(publisher, 2, "secret/a", "x"), 0);
    }
    assert_eq!(rig.messages(barred).len(), 0);
    assert_eq!(rig.messages(free).len(), 4);
    // Nor is it handed over to them.
    rig.publish(publisher, 2, "secret/a", "in flight");
    rig.lose(free);
    assert_eq!(rig.messages(barred).len(), 0);
    assert_eq!(rig.publish(publisher, 2, "secret/a", "x"), 0x10);
}

#[test]
fn an_exception_made_later_holds_for_what_waits() {
    let mut rig = rig_with_exceptions();
    let sleeper = Connect::new(5, "sleeper").resume().expiry(100);
    let conn = rig.connect(&sleeper);
    rig.subscribe(conn, &[("secret/a", 1), ("#", 1)]);
    rig.lose(conn);
    let free = rig.connect(&Connect::new(5, "free"));
    rig.publish(free, 2, "secret/a", "x");
    rig.publish(free, 2, "other", "x");
    let barred = crate::Grants {
        deny: vec!["secret/#".into()],
        ..grants(&["#"], &["#"])
    };
    let given = barred.clone();
    let give = move |_: &str| given.clone().into();
    rig.broker
        .regrant(rig.now, "sleeper", give, &limits().into());
    rig.publish(free, 2, "secret/a", "x");
    rig.door = Box::new(move |_| accept("sleeper", barred.clone(), limits()));
    let conn = rig.connect(&sleeper);
    assert_eq!(brief(&rig.messages(conn)), [("other".into(), "x".into())]);
    assert_eq!(rig.broker.stats().subscriptions, 2 - 1);
}
