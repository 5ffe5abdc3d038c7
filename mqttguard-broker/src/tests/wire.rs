//! Two brokers, a bridge, and a wire between them that can be cut.

use super::packets::Connect;
use super::rig::{Rig, limits};
use crate::bridge::{Bridge, BridgeAction, BridgeConfig, BridgeNotice};
use crate::{ConnId, Limits, Time, Transmit};

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

pub(super) fn room() -> Limits {
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

    pub(super) fn now(&self) -> Time {
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
