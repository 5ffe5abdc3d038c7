//! What a broker owes its clients, in lists that are looked through from end to end.
//!
//! The model is told of every packet when its last byte went in, of every tick, and of every
//! packet that came out. What goes in changes what is owed; what comes out must be owed.

use std::rc::Rc;

use super::message::{Member, Message, Shared};
use super::packet::{Connect, Up};
use super::plan::{SESSION_EXPIRY_S, Setup, granted};
use super::session::Session;
use super::topics;
use super::wire::Packet;

pub(super) struct Kept {
    pub(super) message: Rc<Message>,
    pub(super) identity: usize,
    pub(super) session: u64,
}

/// So long a client that was connected has to come back after a crash, in seconds.
const GRACE_S: u32 = 60;

pub(super) struct Model {
    pub(super) setup: Setup,
    /// What the identities are granted.
    pub(super) variants: [usize; 2],
    pub(super) sessions: Vec<Session>,
    /// Of the last session.
    pub(super) serial: u64,
    pub(super) retained: Vec<Kept>,
    pub(super) shared: Vec<Shared>,
    /// What clients are to be answered, and over which link.
    pub(super) answers: Vec<(usize, Packet)>,
    /// Links that the broker is to close.
    pub(super) closed: Vec<usize>,
    /// What did not come for want of room.
    pub(super) missing: u64,
    /// What was not taken for want of room.
    pub(super) turned_away: u64,
}

impl Model {
    pub(super) fn new(setup: Setup) -> Model {
        Model {
            setup,
            variants: [0; 2],
            sessions: Vec::new(),
            serial: 0,
            retained: Vec::new(),
            shared: Vec::new(),
            answers: Vec::new(),
            closed: Vec::new(),
            missing: 0,
            turned_away: 0,
        }
    }

    pub(super) fn level(&self, device: usize) -> u8 {
        self.setup.devices[device].level
    }

    /// The session that a link serves.
    pub(super) fn of_link(&mut self, link: usize) -> Option<&mut Session> {
        let mut sessions = self.sessions.iter_mut();
        sessions.find(|session| session.link == Some(link))
    }

    /// The session of a device; there may be one of another device with its name and identity.
    pub(super) fn of_device(&self, device: usize) -> Option<&Session> {
        let kind = &self.setup.devices[device];
        let mut sessions = self.sessions.iter();
        sessions.find(|session| (session.identity, session.name) == (kind.identity, kind.name))
    }

    pub(super) fn place(&self, serial: u64) -> Option<usize> {
        let mut sessions = self.sessions.iter();
        sessions.position(|session| session.serial == serial)
    }

    /// The broker was told to let this CONNECT in. Whether it does.
    pub(super) fn connect(&mut self, now: u64, link: usize, connect: &Connect) -> bool {
        let kind = self.setup.devices[connect.device].clone();
        let v5 = kind.level == 5;
        let code = self.refusal(connect);
        if code != 0 {
            let old = match code {
                0x85 => 2,
                0x87 => 5,
                _ => 3,
            };
            let code = if v5 { code } else { old };
            let present = false;
            self.answers.push((link, Packet::ConnAck { present, code }));
            self.closed.push(link);
            return false;
        }
        if let Some(serial) = self.of_device(connect.device).map(|session| session.serial) {
            self.cut(now, serial, 0x8E);
            let ghost = self.discharge(serial);
            if connect.clean || ghost {
                self.end(now, serial);
            }
        }
        let found = self.of_device(connect.device).map(|session| session.serial);
        let present = found.is_some() && kind.level != 3;
        let serial = found.unwrap_or_else(|| self.create(link, connect.device));
        let variant = self.variants[kind.identity];
        let Some(place) = self.place(serial) else {
            return false;
        };
        let session = &mut self.sessions[place];
        session.link = Some(link);
        session.heard = now;
        session.asked_expiry_s = connect.expiry_s;
        session.expiry_s = connect.expiry_s.min(SESSION_EXPIRY_S);
        session.will = connect.will.clone();
        session.variant = variant;
        let code = 0;
        self.answers.push((link, Packet::ConnAck { present, code }));
        self.reconcile(serial);
        true
    }

    /// The reason code of MQTT 5 that a CONNECT is refused with, or 0.
    fn refusal(&self, connect: &Connect) -> u8 {
        let kind = &self.setup.devices[connect.device];
        if let Some(will) = &connect.will {
            let granted = granted(self.variants[kind.identity]);
            if !granted.may_publish(&will.message.topic) {
                return 0x87;
            }
        }
        let connected = || {
            self.sessions
                .iter()
                .filter(|session| session.link.is_some())
        };
        let others =
            connected().filter(|other| other.identity == kind.identity && other.name != kind.name);
        if others.count() >= self.setup.connections as usize {
            return 0x97;
        }
        0
    }

    fn create(&mut self, link: usize, device: usize) -> u64 {
        let kind = &self.setup.devices[device];
        self.serial += 1;
        self.sessions.push(Session {
            serial: self.serial,
            device,
            name: kind.name,
            identity: kind.identity,
            link: None,
            first_link: link,
            ghost: false,
            heard: 0,
            asked_expiry_s: 0,
            expiry_s: 0,
            left: 0,
            will: None,
            variant: 0,
            subscriptions: Vec::new(),
            live: Vec::new(),
            replays: Vec::new(),
            flights: Vec::new(),
            unreleased: Vec::new(),
            sent: Vec::new(),
        });
        self.serial
    }

    /// A packet of a client that is in was received.
    pub(super) fn packet(&mut self, now: u64, link: usize, packet: &Up) {
        let Some(session) = self.of_link(link) else {
            return;
        };
        session.heard = now;
        let (serial, device) = (session.serial, session.device);
        let v5 = self.level(device) == 5;
        match packet {
            Up::Connect(_) => panic!("a client that is in does not CONNECT"),
            Up::Publish(publishing) => self.publish(now, link, serial, v5, publishing),
            Up::Ack { first, id } => self.acknowledge(link, v5, *first, *id),
            Up::Subscribe { id, filters } => {
                let codes = filters
                    .iter()
                    .map(|filter| self.subscribe(now, serial, v5, filter));
                let codes = codes.collect();
                self.answers.push((link, Packet::SubAck { id: *id, codes }));
            }
            Up::Unsubscribe { id, filters } => {
                let codes = filters
                    .iter()
                    .map(|filter| self.unsubscribe(serial, filter));
                let codes: Vec<u8> = codes.collect();
                let codes = if v5 { codes } else { Vec::new() };
                self.answers
                    .push((link, Packet::UnsubAck { id: *id, codes }));
            }
            Up::Ping => self.answers.push((link, Packet::PingResp)),
            Up::Disconnect {
                with_will,
                expiry_s,
            } => {
                let Some(session) = self.of_link(link) else {
                    return;
                };
                if !with_will {
                    session.will = None;
                }
                if let Some(seconds) = expiry_s {
                    session.expiry_s = *seconds.min(&SESSION_EXPIRY_S);
                }
                self.closed.push(link);
                self.detach(now, serial);
            }
        }
    }

    /// Everything that is due, the oldest first.
    pub(super) fn tick(&mut self, now: u64) {
        let silent = |session: &&Session| {
            let seconds = self.setup.devices[session.device].keep_alive;
            session.link.is_some()
                && seconds > 0
                && now - session.heard >= u64::from(seconds) * 1_500
        };
        let silent: Vec<u64> = self
            .sessions
            .iter()
            .filter(silent)
            .map(|s| s.serial)
            .collect();
        for serial in silent {
            self.cut(now, serial, 0x8D);
        }
        loop {
            let absent = self
                .sessions
                .iter()
                .filter(|session| session.link.is_none());
            let first = absent.min_by_key(|session| session.ends().min(session.will_due()));
            let Some(first) = first.filter(|s| s.ends().min(s.will_due()) <= now) else {
                return;
            };
            self.due(now, first.serial);
        }
    }

    /// Much fell due at once, and in which order is not known: of members that came and went at
    /// QoS 0 any may have been the one.
    pub(super) fn blur(&mut self) {
        for shared in &mut self.shared {
            shared.optional |= shared.members.iter().any(|member| member.qos == 0);
        }
    }

    /// The broker crashes and comes back with what is in its journal.
    pub(super) fn crash(&mut self, now: u64) {
        let mut gone = Vec::new();
        for session in &mut self.sessions {
            session.replays.clear();
            session.live.retain(|copy| copy.qos > 0);
            if session.link.take().is_none() {
                continue;
            }
            session.left = now;
            if let Some(will) = &mut session.will {
                will.orphan = true;
                will.delay_s = will.delay_s.max(GRACE_S);
            }
            if session.expiry_s == 0 {
                gone.push(session.serial);
                session.ghost = true;
                session.expiry_s = session.will.as_ref().map_or(0, |will| will.delay_s);
                session.subscriptions.clear();
                session.live.clear();
                session.flights.clear();
                session.unreleased.clear();
            }
        }
        self.sessions
            .retain(|session| !session.ghost || session.will.is_some());
        for shared in &mut self.shared {
            let lost = |member: &Member| member.qos == 0 || gone.contains(&member.session);
            shared.optional |= shared.members.iter().any(lost);
            // They are told apart by name alone now.
            shared.filters.clone_from(&shared.names);
            for session in &self.sessions {
                for held in session
                    .subscriptions
                    .iter()
                    .filter(|s| shared.names.contains(&s.filter))
                {
                    shared
                        .members
                        .push(Member::new(session.serial, held, &shared.message));
                }
            }
        }
        self.close_groups();
    }

    pub(super) fn kick(&mut self, now: u64, identity: usize) {
        let fleeting = self.fleeting_shares(identity);
        for serial in self.of_identity(identity) {
            self.cut(now, serial, 0x98);
        }
        self.lose_wills(&fleeting);
    }

    pub(super) fn forget(&mut self, now: u64, identity: usize) {
        let fleeting = self.fleeting_shares(identity);
        for serial in self.of_identity(identity) {
            self.cut(now, serial, 0x87);
            self.end(now, serial);
        }
        self.lose_wills(&fleeting);
        let gone = self
            .retained
            .extract_if(.., |kept| kept.identity == identity);
        let gone: Vec<Kept> = gone.collect();
        for kept in gone {
            self.forget_replays(&kept.message.topic);
        }
    }

    /// The shared subscriptions that sessions of the identity are members of at QoS 0.
    fn fleeting_shares(&self, identity: usize) -> Vec<&'static str> {
        let own = self.sessions.iter().filter(|s| s.identity == identity);
        let held = own.flat_map(|session| &session.subscriptions);
        held.filter(|held| held.qos == 0)
            .map(|held| held.filter)
            .collect()
    }

    /// Sessions of one identity go in any order: the will of one may have gone to another that was
    /// next, and with it.
    fn lose_wills(&mut self, fleeting: &[&str]) {
        for shared in &mut self.shared {
            shared.optional |= shared.message.topic.starts_with("w/")
                && shared.names.iter().any(|name| fleeting.contains(name));
        }
    }

    pub(super) fn regrant(&mut self, identity: usize, variant: usize) {
        self.variants[identity] = variant;
        for serial in self.of_identity(identity) {
            if let Some(place) = self.place(serial) {
                self.sessions[place].variant = variant;
            }
            self.reconcile(serial);
        }
    }

    fn of_identity(&self, identity: usize) -> Vec<u64> {
        let own = self
            .sessions
            .iter()
            .filter(|session| session.identity == identity);
        own.map(|session| session.serial).collect()
    }

    /// Holds a session to what it is granted now.
    fn reconcile(&mut self, serial: u64) {
        let Some(place) = self.place(serial) else {
            return;
        };
        let session = &mut self.sessions[place];
        let granted = granted(session.variant);
        session.subscriptions.retain(|held| {
            let (_, path) = topics::share(held.filter);
            granted.refuses(path) == 0
        });
        let held: Vec<&str> = session
            .subscriptions
            .iter()
            .map(|held| held.filter)
            .collect();
        session.replays.retain(|copy| held.contains(&copy.filter));
        let readable = |topic: &str| granted.may_read(topic);
        let denied = session.replays.iter_mut();
        for copy in denied.filter(|copy| !readable(&copy.message.topic)) {
            copy.optional = true;
        }
        session.live.retain(|copy| readable(&copy.message.topic));
        for shared in self
            .shared
            .iter_mut()
            .filter(|s| !readable(&s.message.topic))
        {
            shared.optional |= shared.members.iter().any(|member| member.session == serial);
        }
        self.close_groups();
    }
}
