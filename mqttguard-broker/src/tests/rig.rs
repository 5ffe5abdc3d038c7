//! A broker with clients around it and no sockets between them.

use std::collections::HashMap;
use std::sync::Arc;

use super::packets::{self, Connect, In, Publish};
use crate::{
    AuthRequest, Broker, Config, ConnId, Decision, Flow, Grants, Limits, Notice, NoticeKind,
    OverRate, Time, Transmit, Version,
};

type Door = Box<dyn FnMut(&AuthRequest) -> Decision>;

pub(super) struct Rig {
    pub broker: Broker,
    pub now: Time,
    /// Decides on CONNECTs. The user name is the identity; `all` without one.
    pub door: Door,
    pub notices: Vec<NoticeKind>,
    /// What has come for each client.
    inbox: HashMap<ConnId, Vec<In>>,
    v5: HashMap<ConnId, bool>,
    pub closed: Vec<ConnId>,
    /// These do not take what is sent to them.
    pub deaf: Vec<ConnId>,
}

pub(super) fn config() -> Config {
    Config {
        connections: 1_000,
        connect_timeout_ms: 5_000,
        connect_size: 4_096,
        sessions: 1_000,
        retained_messages_total: 100_000,
        retained_bytes_total: 64 << 20,
        memory: 64 << 20,
    }
}

pub(super) fn limits() -> Limits {
    Limits {
        packet_size: 64 << 10,
        messages_per_s: 1_000_000,
        bytes_per_s: 1_000_000_000,
        over_rate: OverRate::Pace,
        burst_ms: 1_000,
        connections: 100,
        subscriptions: 100,
        topic_length: 65_535,
        topic_levels: 16,
        user_properties: 64,
        will_size: 4_096,
        in_flight: 10,
        queue_messages: 100,
        queue_bytes: 1 << 20,
        retained_messages: 1_000,
        retained_bytes: 1 << 20,
        session_expiry_s: 3_600,
    }
}

pub(super) fn grants(publish: &[&str], subscribe: &[&str]) -> Grants {
    let own = |list: &[&str]| list.iter().map(|&filter| filter.to_owned()).collect();
    Grants {
        publish: own(publish),
        subscribe: own(subscribe),
        deny: Vec::new(),
    }
}

pub(super) fn accept(identity: &str, grants: Grants, limits: Limits) -> Decision {
    Decision::Accept {
        identity: identity.into(),
        grants: Arc::new(grants),
        limits: Arc::new(limits),
        data: None,
    }
}

impl Rig {
    pub(super) fn new() -> Rig {
        Rig::with(config(), limits())
    }

    pub(super) fn with(config: Config, limits: Limits) -> Rig {
        Rig {
            broker: Broker::new(config),
            now: Time(1_000_000),
            door: Box::new(move |request| {
                let identity = request.username.as_deref().unwrap_or("all");
                accept(identity, grants(&["#"], &["#", "$SYS/#"]), limits.clone())
            }),
            notices: Vec::new(),
            inbox: HashMap::new(),
            v5: HashMap::new(),
            closed: Vec::new(),
            deaf: Vec::new(),
        }
    }

    pub(super) fn open(&mut self) -> ConnId {
        let conn = self.broker.open(self.now).unwrap();
        self.v5.insert(conn, false);
        conn
    }

    /// Sends and lets the broker have its say.
    pub(super) fn send(&mut self, conn: ConnId, bytes: &[u8]) -> Flow {
        let flow = self.broker.receive(self.now, conn, bytes);
        self.pump();
        flow
    }

    pub(super) fn pump(&mut self) {
        while let Some((conn, request)) = self.broker.next_request() {
            self.v5.insert(conn, request.version == Version::V5);
            let decision = (self.door)(&request);
            self.broker.decide(self.now, conn, decision);
        }
        while let Some(conn) = self.broker.next_ready() {
            if !self.deaf.contains(&conn) {
                self.drain(conn);
            }
        }
        while let Some(Notice { kind, .. }) = self.broker.next_notice() {
            self.notices.push(kind);
        }
        self.broker.check();
    }

    fn drain(&mut self, conn: ConnId) {
        let mut out = Vec::new();
        let last = loop {
            match self.broker.transmit(self.now, conn, &mut out, 1_000) {
                Transmit::More => {}
                last => break last,
            }
        };
        let v5 = self.v5.get(&conn).copied().unwrap_or_default();
        self.inbox
            .entry(conn)
            .or_default()
            .extend(packets::read(&out, v5));
        if last == Transmit::Close {
            self.broker.lost(self.now, conn);
            self.closed.push(conn);
        }
    }

    pub(super) fn lose(&mut self, conn: ConnId) {
        self.broker.lost(self.now, conn);
        self.pump();
    }

    /// Lets time pass, ticking when the broker asks for it.
    pub(super) fn pass(&mut self, ms: u64) {
        let end = Time(self.now.0 + ms);
        while let Some(due) = self.broker.deadline().filter(|&due| due <= end) {
            self.now = self.now.max(due);
            self.broker.tick(self.now);
            self.pump();
        }
        self.now = end;
    }

    /// What has come for a client since the last look.
    pub(super) fn got(&mut self, conn: ConnId) -> Vec<In> {
        std::mem::take(self.inbox.entry(conn).or_default())
    }

    /// Only the messages among it.
    pub(super) fn messages(&mut self, conn: ConnId) -> Vec<Publish> {
        let got = self.got(conn).into_iter();
        got.filter_map(|found| {
            if let In::Publish(publish) = found {
                Some(publish)
            } else {
                None
            }
        })
        .collect()
    }

    /// Takes the first packet that `wanted` knows, and leaves the others.
    pub(super) fn pick<T>(&mut self, conn: ConnId, wanted: impl Fn(&In) -> Option<T>) -> Option<T> {
        let inbox = self.inbox.entry(conn).or_default();
        let (place, found) = inbox
            .iter()
            .enumerate()
            .find_map(|(place, found)| Some((place, wanted(found)?)))?;
        inbox.remove(place);
        Some(found)
    }

    /// Connects; whether the session was there before.
    pub(super) fn connect_with(&mut self, connect: &Connect) -> (ConnId, bool) {
        let conn = self.open();
        self.send(conn, &connect.bytes());
        match self.inbox.entry(conn).or_default().remove(0) {
            In::ConnAck {
                present, code: 0, ..
            } => (conn, present),
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn connect(&mut self, connect: &Connect) -> ConnId {
        self.connect_with(connect).0
    }

    /// Tries to connect: the return or reason code, or `None` if there was no CONNACK.
    pub(super) fn try_connect(&mut self, bytes: &[u8]) -> Option<u8> {
        let conn = self.open();
        self.send(conn, bytes);
        let code = self.pick(conn, |found| match found {
            In::ConnAck { code, .. } => Some(*code),
            _ => None,
        });
        assert!(code == Some(0) || self.is_closed(conn));
        code
    }

    fn properties(&self, conn: ConnId) -> Option<&'static [&'static [u8]]> {
        if self.v5[&conn] { Some(&[]) } else { None }
    }

    /// Subscribes and answers the codes of the SUBACK.
    pub(super) fn subscribe(&mut self, conn: ConnId, filters: &[(&str, u8)]) -> Vec<u8> {
        self.send(conn, &packets::subscribe(9, self.properties(conn), filters));
        self.pick(conn, |found| match found {
            In::SubAck(9, codes) => Some(codes.clone()),
            _ => None,
        })
        .expect("no SUBACK")
    }

    /// Unsubscribes and answers the codes of the UNSUBACK.
    pub(super) fn unsubscribe(&mut self, conn: ConnId, filters: &[&str]) -> Vec<u8> {
        self.send(conn, &packets::unsubscribe(9, self.v5[&conn], filters));
        self.pick(conn, |found| match found {
            In::UnsubAck(9, codes) => Some(codes.clone()),
            _ => None,
        })
        .expect("no UNSUBACK")
    }

    /// Publishes, in full with QoS 2, and answers the reason code of the PUBACK or PUBREC; 0
    /// with QoS 0.
    pub(super) fn publish(&mut self, conn: ConnId, flags: u8, topic: &str, payload: &str) -> u8 {
        let properties = self.properties(conn);
        self.send(
            conn,
            &packets::publish(flags, topic, 77, properties, payload.as_bytes()),
        );
        let (answer, done) = match flags & 0x06 {
            0 => return 0,
            2 => (0x40, None),
            _ => (0x50, Some(0x70)),
        };
        let code = self.ack(conn, answer).expect("no acknowledgement");
        if let Some(done) = done
            && code < 0x80
        {
            self.send(conn, &packets::ack(0x62, 77));
            self.ack(conn, done).expect("no PUBCOMP");
        }
        code
    }

    /// Takes an acknowledgement of packet identifier 77 and answers its reason code.
    pub(super) fn ack(&mut self, conn: ConnId, first: u8) -> Option<u8> {
        self.pick(conn, |found| match found {
            In::Ack(kind, 77, code) if *kind == first => Some(*code),
            _ => None,
        })
    }

    /// The last notice of what was refused or limited, by its short form.
    pub(super) fn has_limit(&self, name: &str) -> bool {
        let mut notices = self.notices.iter();
        notices.any(|kind| matches!(kind, NoticeKind::Limit { limit, .. } if *limit == name))
    }

    /// The broker still knows the connection, and reads from it.
    pub(super) fn is_open(&mut self, conn: ConnId) -> bool {
        self.broker.receive(self.now, conn, &[]) != Flow::Close
    }

    pub(super) fn is_closed(&self, conn: ConnId) -> bool {
        self.closed.contains(&conn)
    }
}

/// Topic and payload, for short.
pub(super) fn brief(messages: &[Publish]) -> Vec<(String, String)> {
    let payload = |p: &Publish| String::from_utf8_lossy(&p.payload).into_owned();
    messages
        .iter()
        .map(|p| (p.topic.clone(), payload(p)))
        .collect()
}

impl Rig {
    /// Comes back to a client that did not take what was sent, and answers its messages.
    pub(super) fn drained(&mut self, conn: ConnId) -> Vec<Publish> {
        self.deaf.retain(|deaf| *deaf != conn);
        self.drain(conn);
        self.pump();
        self.messages(conn)
    }
}
