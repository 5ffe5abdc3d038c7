//! A bridge between two brokers, on a wire that is cut wherever it hurts.

use super::packets::Connect;
use super::rig::{Rig, brief, config, limits};
use crate::bridge::{Bridge, BridgeAction, BridgeConfig, BridgeNotice};
use crate::{ConnId, Limits, Time, Transmit, Version};

/// Two brokers and the bridge of the first to the second.
pub(super) struct Wire {
    pub here: Rig,
    pub there: Rig,
    pub bridge: Bridge,
    near: Option<ConnId>,
    far: Option<ConnId>,
    pub reachable: bool,
    /// Bytes that may still pass to or from `there` before the wire is cut.
    pub budget: usize,
    pub cuts: usize,
    pub notices: Vec<BridgeNotice>,
}

pub(super) fn both_ways(qos: u8) -> BridgeConfig {
    BridgeConfig {
        name: "cloud".into(),
        client_id: "router".into(),
        username: None,
        v5: true,
        keep_alive_s: 60,
        qos,
        outward: vec!["tele/#".into()],
        inward: vec!["cmnd/#".into()],
        local_prefix: String::new(),
        remote_prefix: "home/".into(),
        packet_size: 16 * 1024,
        in_flight: 10,
        session_expiry_s: 3_600,
    }
}

fn room() -> Limits {
    Limits {
        queue_messages: 10_000,
        ..limits()
    }
}

impl Wire {
    pub(super) fn new(config: BridgeConfig) -> Wire {
        Wire::between(
            Rig::with(super::rig::config(), room()),
            Rig::with(super::rig::config(), room()),
            config,
        )
    }

    pub(super) fn between(here: Rig, there: Rig, config: BridgeConfig) -> Wire {
        Wire {
            here,
            there,
            bridge: Bridge::new(config, 1),
            near: None,
            far: None,
            reachable: true,
            budget: usize::MAX,
            cuts: 0,
            notices: Vec::new(),
        }
    }

    fn now(&self) -> Time {
        self.here.now
    }

    pub(super) fn run(&mut self) {
        let mut rounds = 0;
        while self.step() {
            rounds += 1;
            assert!(rounds < 100_000, "{:?}", self.bridge.status());
        }
    }

    fn step(&mut self) -> bool {
        let now = self.now();
        let mut moved = false;
        if self.bridge.deadline().is_some_and(|due| due <= now) {
            self.bridge.tick(now);
            moved = true;
        }
        while let Some(action) = self.bridge.next_action() {
            moved = true;
            self.act(action);
        }
        moved |= self.move_local();
        moved |= self.move_upstream();
        moved |= self.bridge.work(now);
        while let Some(notice) = self.bridge.next_notice() {
            self.notices.push(notice);
        }
        moved
    }

    fn act(&mut self, action: BridgeAction) {
        let now = self.now();
        match action {
            BridgeAction::OpenLocal => {
                let conn = self.here.open();
                self.here.deaf.push(conn);
                self.near = Some(conn);
                self.bridge.local_opened(now);
            }
            BridgeAction::CloseLocal => {
                self.move_local();
                if let Some(conn) = self.near.take() {
                    self.here.lose(conn);
                }
            }
            BridgeAction::Dial if self.reachable => {
                let conn = self.there.open();
                self.there.deaf.push(conn);
                self.far = Some(conn);
                let id = self.bridge.local_client_id();
                let session = self.here.broker.session("all", &id);
                let unreleased = session.map(|view| view.unreleased);
                self.bridge.connected(now, None, unreleased);
            }
            BridgeAction::Dial => self.bridge.lost(now, "unreachable"),
            BridgeAction::HangUp => {
                let rest = std::mem::take(self.bridge.to_upstream());
                if let Some(conn) = self.far.take() {
                    self.there.send(conn, &rest);
                    self.there.lose(conn);
                }
            }
        }
    }

    fn move_local(&mut self) -> bool {
        let now = self.now();
        let Some(conn) = self.near else { return false };
        let bytes = std::mem::take(self.bridge.to_local());
        if !bytes.is_empty() {
            self.here.send(conn, &bytes);
        }
        let mut out = Vec::new();
        if self.bridge.takes_local() {
            let end = self.here.broker.transmit(now, conn, &mut out, 1_000);
            self.bridge.from_local(now, &out);
            if end == Transmit::Close {
                self.here.lose(conn);
                self.near = None;
                self.bridge.local_lost(now, "closed");
            }
        }
        !bytes.is_empty() || !out.is_empty()
    }

    fn move_upstream(&mut self) -> bool {
        let now = self.now();
        let Some(conn) = self.far else { return false };
        let mut bytes = std::mem::take(self.bridge.to_upstream());
        bytes.truncate(self.budget);
        self.budget -= bytes.len();
        if !bytes.is_empty() {
            self.there.send(conn, &bytes);
        }
        let mut out = Vec::new();
        let mut end = Transmit::Drained;
        if self.bridge.takes_upstream() {
            end = self.there.broker.transmit(now, conn, &mut out, 1_000);
            out.truncate(self.budget);
            self.budget -= out.len();
            self.bridge.from_upstream(now, &out);
        }
        if self.budget == 0 {
            self.cut();
        } else if end == Transmit::Close {
            self.there.lose(conn);
            self.far = None;
            self.bridge.lost(now, "closed");
        }
        !bytes.is_empty() || !out.is_empty()
    }

    /// Cuts the wire; it can be had again at once.
    pub(super) fn cut(&mut self) {
        self.budget = usize::MAX;
        self.cuts += 1;
        if let Some(conn) = self.far.take() {
            self.there.lose(conn);
            self.bridge.lost(self.now(), "cut");
        }
    }

    pub(super) fn pass(&mut self, ms: u64) {
        let end = Time(self.now().0 + ms);
        while self.now() < end {
            let next = self.bridge.deadline().unwrap_or(end).min(end);
            let wait = next.0.saturating_sub(self.now().0).max(1);
            self.here.pass(wait);
            self.there.pass(wait);
            self.run();
        }
    }

    pub(super) fn is_up(&self) -> bool {
        self.bridge.status().up.is_some()
    }

    pub(super) fn up(config: BridgeConfig) -> Wire {
        let mut wire = Wire::new(config);
        wire.run();
        assert!(wire.is_up(), "{:?}", wire.bridge.status());
        wire
    }

    pub(super) fn downs(&self) -> Vec<&str> {
        let downs = self.notices.iter().filter_map(|notice| match notice {
            BridgeNotice::Down { why } => Some(why.as_str()),
            _ => None,
        });
        downs.collect()
    }
}

pub(super) fn client(rig: &mut Rig, name: &str, filter: &str) -> ConnId {
    let conn = rig.connect(&Connect::new(5, name));
    if !filter.is_empty() {
        rig.subscribe(conn, &[(filter, 0)]);
    }
    conn
}

fn flags(qos: u8) -> u8 {
    qos << 1
}

#[test]
fn messages_pass_both_ways_renamed_at_each_qos_and_version() {
    for (qos, v5) in [
        (0, true),
        (1, true),
        (2, true),
        (0, false),
        (1, false),
        (2, false),
    ] {
        let mut wire = Wire::up(BridgeConfig {
            v5,
            ..both_ways(qos)
        });
        let (lamp, watcher) = (
            client(&mut wire.here, "lamp", "cmnd/#"),
            client(&mut wire.there, "watcher", "#"),
        );
        wire.here.publish(lamp, flags(qos), "tele/lamp", "on");
        wire.here.publish(lamp, flags(qos), "other/lamp", "stays");
        wire.run();
        let got = brief(&wire.there.messages(watcher));
        assert_eq!(got, [("home/tele/lamp".into(), "on".into())], "{qos} {v5}");
        wire.there
            .publish(watcher, flags(qos), "home/cmnd/lamp", "off");
        wire.there
            .publish(watcher, flags(qos), "cmnd/lamp", "elsewhere");
        wire.run();
        let got = brief(&wire.here.messages(lamp));
        assert_eq!(got, [("cmnd/lamp".into(), "off".into())], "{qos} {v5}");
        let status = wire.bridge.status();
        assert_eq!((status.messages_in, status.messages_out), (1, 1));
        let version = if v5 { Version::V5 } else { Version::V311 };
        assert_eq!(status.up.unwrap().0, version);
        assert!(wire.downs().is_empty());
    }
}

/// Numbers that have arrived, in their order.
fn numbers(messages: &[super::packets::Publish]) -> Vec<u32> {
    let text = brief(messages).into_iter().map(|(_, payload)| payload);
    text.map(|payload| payload.parse().unwrap()).collect()
}

/// Sends 40 numbered messages each way over a wire that is cut after every `every` bytes.
fn cut_every(every: usize, qos: u8, v5: bool) -> (Vec<u32>, Vec<u32>, usize) {
    let mut wire = Wire::up(BridgeConfig {
        v5,
        ..both_ways(qos)
    });
    let (lamp, watcher) = (
        client(&mut wire.here, "lamp", "cmnd/#"),
        client(&mut wire.there, "watcher", "home/tele/#"),
    );
    let (mut out, mut back) = (Vec::new(), Vec::new());
    for number in 0..40 {
        wire.here
            .publish(lamp, flags(qos), "tele/lamp", &number.to_string());
        wire.there
            .publish(watcher, flags(qos), "home/cmnd/lamp", &number.to_string());
        wire.budget = wire.budget.min(every);
        wire.run();
        wire.pass(50);
    }
    for _ in 0..400 {
        if wire.budget == usize::MAX {
            wire.budget = every;
        }
        wire.pass(1_000);
        out.extend(numbers(&wire.there.messages(watcher)));
        back.extend(numbers(&wire.here.messages(lamp)));
        if out.contains(&39) && back.contains(&39) {
            break;
        }
    }
    wire.budget = usize::MAX;
    wire.pass(120_000);
    out.extend(numbers(&wire.there.messages(watcher)));
    back.extend(numbers(&wire.here.messages(lamp)));
    (out, back, wire.cuts)
}

#[test]
fn mqtt_4_3_3_at_qos_2_a_cut_wire_loses_nothing_and_doubles_nothing() {
    let all: Vec<u32> = (0..40).collect();
    for v5 in [true, false] {
        let mut cuts = 0;
        for every in (90..600).step_by(7) {
            let (out, back, cut) = cut_every(every, 2, v5);
            assert_eq!(out, all, "out, cut every {every} bytes, v5 {v5}");
            assert_eq!(back, all, "in, cut every {every} bytes, v5 {v5}");
            cuts += cut;
        }
        assert!(cuts > 500, "{cuts}");
    }
}

#[test]
fn mqtt_4_3_2_at_qos_1_a_cut_wire_loses_nothing() {
    for every in (90..600).step_by(31) {
        for (mut got, way) in {
            let (out, back, _) = cut_every(every, 1, true);
            [(out, "out"), (back, "in")]
        } {
            got.sort_unstable();
            got.dedup();
            let all: Vec<u32> = (0..40).collect();
            assert_eq!(got, all, "{way}, cut every {every} bytes");
        }
    }
}

#[test]
fn what_is_published_while_there_is_no_server_waits_from_the_start_on() {
    let mut wire = Wire::new(both_ways(2));
    wire.reachable = false;
    wire.run();
    assert_eq!(wire.downs(), ["unreachable"]);
    let lamp = client(&mut wire.here, "lamp", "");
    let watcher = client(&mut wire.there, "watcher", "home/#");
    for number in 0..50 {
        wire.here
            .publish(lamp, flags(1), "tele/lamp", &number.to_string());
    }
    wire.pass(600_000);
    assert_eq!(wire.downs(), ["unreachable"], "told once");
    let view = wire.here.broker.session("all", "$bridge/cloud").unwrap();
    assert_eq!(view.queued, 50);
    wire.reachable = true;
    wire.pass(60_000);
    assert!(wire.is_up());
    let all: Vec<u32> = (0..50).collect();
    assert_eq!(numbers(&wire.there.messages(watcher)), all);
}

#[test]
fn what_is_published_there_while_the_wire_is_cut_waits_there() {
    let mut wire = Wire::up(both_ways(1));
    let lamp = client(&mut wire.here, "lamp", "cmnd/#");
    let watcher = client(&mut wire.there, "watcher", "");
    wire.reachable = false;
    wire.cut();
    wire.pass(5_000);
    wire.there
        .publish(watcher, flags(1), "home/cmnd/lamp", "late");
    wire.reachable = true;
    wire.pass(60_000);
    let got = brief(&wire.here.messages(lamp));
    assert_eq!(got, [("cmnd/lamp".into(), "late".into())]);
}

#[test]
fn retained_messages_go_both_ways_with_their_flag_and_not_again_at_each_connection() {
    for v5 in [true, false] {
        let mut wire = Wire::new(BridgeConfig { v5, ..both_ways(1) });
        let lamp = client(&mut wire.here, "lamp", "cmnd/#");
        let watcher = client(&mut wire.there, "watcher", "home/tele/#");
        wire.here.publish(lamp, 1 | flags(1), "tele/lamp", "here");
        wire.there
            .publish(watcher, 1 | flags(1), "home/cmnd/lamp", "there");
        wire.run();
        let payloads = |messages: &[_]| -> Vec<String> {
            brief(messages)
                .into_iter()
                .map(|(_, payload)| payload)
                .collect()
        };
        assert_eq!(payloads(&wire.there.messages(watcher)), ["here"]);
        assert_eq!(payloads(&wire.here.messages(lamp)), ["there"]);
        // Retained on the other side too.
        let late = client(&mut wire.there, "late", "home/tele/#");
        let got = wire.there.messages(late);
        assert!(got.len() == 1 && got[0].retain, "{got:?}");
        let late = client(&mut wire.here, "late", "cmnd/#");
        assert!(wire.here.messages(late)[0].retain);
        for _ in 0..3 {
            wire.cut();
            wire.pass(60_000);
            assert!(wire.is_up());
        }
        assert!(wire.there.messages(watcher).is_empty(), "v5 {v5}");
        assert!(wire.here.messages(lamp).is_empty(), "v5 {v5}");
        // What changes goes on, and what is cleared is cleared there.
        wire.here.publish(lamp, 1 | flags(1), "tele/lamp", "");
        wire.run();
        let later = client(&mut wire.there, "later", "home/tele/#");
        assert!(wire.there.messages(later).is_empty());
    }
}

#[test]
fn a_server_that_lost_its_session_is_given_what_is_retained_and_what_waits() {
    let mut wire = Wire::up(both_ways(2));
    let lamp = client(&mut wire.here, "lamp", "cmnd/#");
    wire.here.publish(lamp, 1 | flags(1), "tele/lamp", "kept");
    wire.run();
    wire.reachable = false;
    wire.cut();
    wire.here.publish(lamp, flags(2), "tele/plug", "waits");
    wire.there = Rig::with(config(), room());
    wire.there.now = wire.here.now;
    let watcher = client(&mut wire.there, "watcher", "home/#");
    wire.reachable = true;
    wire.pass(60_000);
    let mut got = brief(&wire.there.messages(watcher));
    got.sort();
    let want = [("home/tele/lamp", "kept"), ("home/tele/plug", "waits")];
    assert_eq!(got, want.map(|(t, p)| (t.to_owned(), p.to_owned())));
}

#[test]
fn packet_identifiers_of_a_lost_session_are_not_taken_for_duplicates() {
    // The server has lost its session between PUBREC and PUBREL of the message in front.
    for every in 60..200 {
        let mut wire = Wire::up(both_ways(2));
        let lamp = client(&mut wire.here, "lamp", "cmnd/#");
        let watcher = client(&mut wire.there, "watcher", "");
        wire.budget = every;
        wire.there
            .publish(watcher, flags(2), "home/cmnd/lamp", "first");
        wire.run();
        wire.reachable = false;
        wire.cut();
        wire.there = Rig::with(config(), room());
        wire.there.now = wire.here.now;
        wire.reachable = true;
        wire.pass(60_000);
        assert!(wire.is_up());
        let watcher = client(&mut wire.there, "watcher", "");
        wire.there
            .publish(watcher, flags(2), "home/cmnd/lamp", "second");
        wire.run();
        let got = brief(&wire.here.messages(lamp));
        let second = got.iter().filter(|(_, payload)| payload == "second");
        assert_eq!(second.count(), 1, "cut after {every}: {got:?}");
    }
}

#[test]
fn a_local_session_that_is_lost_does_not_swallow_new_messages() {
    for v5 in [true, false] {
        // The router dies between PUBREC and PUBREL.
        for every in 40..120 {
            let mut wire = Wire::up(BridgeConfig { v5, ..both_ways(2) });
            let watcher = client(&mut wire.there, "watcher", "home/tele/#");
            let lamp = client(&mut wire.here, "lamp", "");
            wire.budget = every;
            wire.here.publish(lamp, flags(2), "tele/lamp", "first");
            wire.run();
            wire.cut();
            let (there, now) = (
                std::mem::replace(&mut wire.there, Rig::new()),
                wire.here.now,
            );
            let mut again = Wire::between(
                Rig::with(config(), room()),
                there,
                BridgeConfig { v5, ..both_ways(2) },
            );
            again.here.now = now;
            again.run();
            assert!(again.is_up());
            let lamp = client(&mut again.here, "lamp", "");
            again.here.publish(lamp, flags(2), "tele/lamp", "second");
            again.run();
            let got = brief(&again.there.messages(watcher));
            let second = got.iter().filter(|(_, payload)| payload == "second");
            assert_eq!(second.count(), 1, "cut after {every}: {got:?}");
            // And the session is one that stays.
            let other = client(&mut again.there, "other", "");
            again.reachable = false;
            again.cut();
            again.there.publish(other, flags(1), "home/cmnd/x", "kept");
            again.reachable = true;
            again.pass(60_000);
            assert!(again.bridge.status().messages_in > 0, "v5 {v5}");
        }
    }
}

#[test]
fn two_bridges_of_the_same_topics_do_not_loop() {
    // Both routers take `t/#` from the cluster and give it. The second router is a bridge whose
    // `there` is the same broker; the brokers take turns.
    let config = |name: &str| BridgeConfig {
        client_id: name.into(),
        outward: vec!["t/#".into()],
        inward: vec!["t/#".into()],
        remote_prefix: String::new(),
        ..both_ways(1)
    };
    let mut one = Wire::up(config("one"));
    let mut two = Wire::new(config("two"));
    let both = |one: &mut Wire, two: &mut Wire| {
        for _ in 0..20 {
            one.run();
            std::mem::swap(&mut one.there, &mut two.there);
            two.run();
            std::mem::swap(&mut one.there, &mut two.there);
        }
    };
    both(&mut one, &mut two);
    assert!(one.is_up() && two.is_up());
    let a = client(&mut one.here, "a", "#");
    let b = client(&mut two.here, "b", "#");
    let c = client(&mut one.there, "c", "#");
    one.here.publish(a, flags(1), "t/x", "1");
    both(&mut one, &mut two);
    two.here.publish(b, flags(1), "t/x", "2");
    both(&mut one, &mut two);
    let want = [("t/x", "1"), ("t/x", "2")].map(|(t, p)| (t.to_owned(), p.to_owned()));
    assert_eq!(brief(&one.here.messages(a)), want);
    assert_eq!(brief(&two.here.messages(b)), want);
    assert_eq!(brief(&one.there.messages(c)), want);
}
