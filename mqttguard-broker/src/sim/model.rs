//! What a broker owes its clients, in lists that are looked through from end to end.
//!
//! The model is told of every packet when its last byte went in, of every tick, and of every
//! packet that came out. What goes in changes what is owed; what comes out must be owed.

use std::rc::Rc;

use super::packet::{Connect, Publishing, Subscription, Up, Will};
use super::plan::{SESSION_EXPIRY_S, Setup, granted};
use super::topics;
use super::wire::{self, Packet};

/// An application message.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) topic: String,
    pub(super) payload: String,
    pub(super) properties: Vec<u8>,
    pub(super) qos: u8,
    pub(super) retain: bool,
    /// In milliseconds.
    pub(super) expires: Option<u64>,
}

impl Message {
    pub(super) fn is_expired(&self, now: u64) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

/// A message owed to a session.
#[derive(Debug)]
pub(super) struct Copy {
    pub(super) message: Rc<Message>,
    pub(super) qos: u8,
    pub(super) retain: bool,
    /// Sorted.
    pub(super) ids: Vec<u32>,
    /// It may stay away without a reason.
    pub(super) optional: bool,
    /// The queue may have been full.
    pub(super) droppable: bool,
    /// The subscription that a retained message is for.
    pub(super) filter: &'static str,
}

/// A message owed to one member of a shared subscription.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) message: Rc<Message>,
    /// More than one where it is not known which it came by.
    pub(super) filters: Vec<&'static str>,
    /// Those, and what they were when they ended.
    pub(super) names: Vec<&'static str>,
    pub(super) members: Vec<Member>,
    /// Sessions that were owed the same besides: which of the two came is not known.
    pub(super) twins: Vec<u64>,
    pub(super) optional: bool,
    pub(super) droppable: bool,
}

/// How a member would get it.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) session: u64,
    pub(super) qos: u8,
    pub(super) retain: bool,
    pub(super) id: u32,
}

/// A message that was sent and not yet acknowledged.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) id: u16,
    pub(super) qos: u8,
    pub(super) message: Rc<Message>,
    pub(super) released: bool,
    /// The link that its PUBLISH went over last.
    pub(super) link: usize,
}

#[derive(Debug)]
pub(super) struct Session {
    pub(super) serial: u64,
    pub(super) device: usize,
    pub(super) name: &'static str,
    pub(super) identity: usize,
    /// The link of its connection.
    pub(super) link: Option<usize>,
    /// The link that it began with.
    pub(super) first_link: usize,
    /// Nothing but its will is left of it after a crash.
    ghost: bool,
    heard: u64,
    asked_expiry_s: u32,
    expiry_s: u32,
    left: u64,
    will: Option<Will>,
    variant: usize,
    pub(super) subscriptions: Vec<Subscription>,
    /// What is to come by subscriptions that are not shared, in order.
    pub(super) live: Vec<Copy>,
    /// Retained messages that are to come for new subscriptions.
    pub(super) replays: Vec<Copy>,
    /// In the order of their first PUBLISH.
    pub(super) flights: Vec<Flight>,
    /// QoS 2 from the client, not yet released.
    unreleased: Vec<u16>,
    /// All that was sent, but for what was sent again.
    pub(super) sent: Vec<(u8, Rc<Message>)>,
}

impl Session {
    fn ends(&self) -> u64 {
        if self.expiry_s == u32::MAX {
            return u64::MAX;
        }
        self.left + u64::from(self.expiry_s) * 1_000
    }

    fn will_due(&self) -> u64 {
        let delay = |will: &Will| self.left + u64::from(will.delay_s) * 1_000;
        self.will.as_ref().map_or(u64::MAX, delay)
    }

    pub(super) fn may_read(&self, topic: &str) -> bool {
        granted(self.variant).may_read(topic)
    }
}

struct Kept {
    message: Rc<Message>,
    identity: usize,
    session: u64,
}

/// So long a client that was connected has to come back after a crash, in seconds.
const GRACE_S: u32 = 60;

pub(super) struct Model {
    pub(super) setup: Setup,
    /// What the identities are granted.
    pub(super) variants: [usize; 2],
    pub(super) sessions: Vec<Session>,
    /// Of the last session.
    serial: u64,
    retained: Vec<Kept>,
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

    fn place(&self, serial: u64) -> Option<usize> {
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

    fn publish(&mut self, now: u64, link: usize, serial: u64, v5: bool, publishing: &Publishing) {
        let id = publishing.id;
        let (first, second) = match publishing.qos {
            0 => (0, false),
            1 => (wire::PUBACK, false),
            _ => (wire::PUBREC, true),
        };
        let Some(place) = self.place(serial) else {
            return;
        };
        let known = second && self.sessions[place].unreleased.contains(&id);
        let code = if known {
            0
        } else {
            self.distribute(now, serial, publishing)
        };
        let failed = v5 && code >= 0x80;
        if second && !known && !failed {
            self.sessions[place].unreleased.push(id);
        }
        if first != 0 {
            let code = if v5 { code } else { 0 };
            self.answers.push((link, Packet::Ack { first, id, code }));
        }
    }

    /// Publishes under the rights of a session. The reason code of MQTT 5.
    fn distribute(&mut self, now: u64, serial: u64, publishing: &Publishing) -> u8 {
        let Some(place) = self.place(serial) else {
            return 0x87;
        };
        let (identity, variant) = (self.sessions[place].identity, self.sessions[place].variant);
        let topic = &publishing.topic;
        if !granted(variant).may_publish(topic) {
            return 0x87;
        }
        let keeps = publishing.retain && !publishing.payload.is_empty();
        if keeps {
            let own = self
                .retained
                .iter()
                .filter(|kept| kept.identity == identity);
            let others = own.filter(|kept| kept.message.topic != *topic);
            if others.count() >= self.setup.retained_messages as usize {
                self.turned_away += 1;
                return 0x97;
            }
        }
        let message = Rc::new(Message {
            topic: topic.clone(),
            payload: publishing.payload.clone(),
            properties: publishing.properties.clone(),
            qos: publishing.qos,
            retain: publishing.retain,
            expires: publishing
                .expiry_s
                .map(|seconds| now + u64::from(seconds) * 1_000),
        });
        let anybody = self.route(serial, &message);
        if publishing.retain {
            self.retained.retain(|kept| kept.message.topic != *topic);
            self.forget_replays(topic);
        }
        if keeps {
            let session = serial;
            self.retained.push(Kept {
                message,
                identity,
                session,
            });
        }
        if anybody { 0 } else { 0x10 }
    }

    /// What is no longer retained is not sent as such.
    fn forget_replays(&mut self, topic: &str) {
        for session in &mut self.sessions {
            session.replays.retain(|copy| copy.message.topic != topic);
        }
    }

    fn route(&mut self, publisher: u64, message: &Rc<Message>) -> bool {
        let mut anybody = false;
        let groups = self.groups(&message.topic);
        // What comes by shared subscriptions may come first.
        let backlogs = self.sessions.iter().map(|s| self.backlog(s) + groups.len());
        let backlogs: Vec<usize> = backlogs.collect();
        let room = self.setup.queue_messages as usize;
        for (session, backlog) in self.sessions.iter_mut().zip(&backlogs) {
            // A topic that is denied does not come by a filter that is wider.
            if !session.may_read(&message.topic) {
                continue;
            }
            let matching = session.subscriptions.iter().filter(|subscription| {
                topics::share(subscription.filter).0.is_none()
                    && topics::matches(subscription.filter, &message.topic)
                    && !(subscription.no_local && session.serial == publisher)
            });
            let matching: Vec<&Subscription> = matching.collect();
            let Some(highest) = matching.iter().map(|subscription| subscription.qos).max() else {
                continue;
            };
            anybody = true;
            let qos = highest.min(message.qos);
            if session.link.is_none() && qos == 0 {
                continue;
            }
            let mut ids: Vec<u32> = matching.iter().map(|s| s.id).filter(|id| *id > 0).collect();
            ids.sort_unstable();
            let retain = message.retain && matching.iter().any(|s| s.retain_as_published);
            let droppable = *backlog >= room;
            if droppable {
                make_way(session, &mut self.shared);
            }
            session.live.push(Copy {
                message: message.clone(),
                qos,
                retain,
                ids,
                optional: false,
                droppable,
                filter: "",
            });
        }
        for filter in groups {
            anybody |= self.share(filter, message);
        }
        anybody
    }

    /// Owes a message to one member of a shared subscription, if there is any who may get it.
    fn share(&mut self, filter: &'static str, message: &Rc<Message>) -> bool {
        // What it matches besides may come first.
        let others = self.groups(&message.topic).len();
        let mut members = Vec::new();
        let mut eligible = false;
        let mut droppable = false;
        for session in &self.sessions {
            if !session.may_read(&message.topic) {
                continue;
            }
            for subscription in session.subscriptions.iter().filter(|s| s.filter == filter) {
                let member = Member::new(session.serial, subscription, message);
                eligible |= session.link.is_some() || member.qos > 0;
                droppable |= self.backlog(session) + others >= self.setup.queue_messages as usize
                    || !self.fits(session.device, message, member.qos, &[member.id]);
                members.push(member);
            }
        }
        if eligible {
            // With every queue: whose it waits in is not known.
            if droppable {
                for session in &mut self.sessions {
                    make_way(session, &mut self.shared);
                }
            }
            let message = message.clone();
            let optional = false;
            self.shared.push(Shared {
                message,
                filters: vec![filter],
                names: vec![filter],
                members,
                twins: Vec::new(),
                optional,
                droppable,
            });
        }
        eligible
    }

    /// The most that may be waiting for a session.
    fn backlog(&self, session: &Session) -> usize {
        let has = |shared: &&Shared| shared.members.iter().any(|m| m.session == session.serial);
        session.live.len() + self.shared.iter().filter(has).count()
    }

    fn acknowledge(&mut self, link: usize, v5: bool, first: u8, id: u16) {
        let Some(session) = self.of_link(link) else {
            return;
        };
        if first == wire::PUBREL {
            let known = session
                .unreleased
                .iter()
                .position(|unreleased| *unreleased == id);
            if let Some(place) = known {
                session.unreleased.remove(place);
            }
            let code = if known.is_none() && v5 { 0x92 } else { 0 };
            let first = wire::PUBCOMP;
            self.answers.push((link, Packet::Ack { first, id, code }));
            return;
        }
        let place = session.flights.iter().position(|flight| flight.id == id);
        let flight = place.map(|place| &mut session.flights[place]);
        match (first, flight) {
            (wire::PUBACK, Some(flight)) => {
                assert!(
                    flight.qos == 1,
                    "the client acknowledged a QoS 2 message as QoS 1"
                );
                session.flights.retain(|flight| flight.id != id);
            }
            (wire::PUBREC, flight) => {
                let code = if flight.is_none() && v5 { 0x92 } else { 0 };
                if let Some(flight) = flight {
                    flight.released = true;
                }
                let first = wire::PUBREL;
                self.answers.push((link, Packet::Ack { first, id, code }));
            }
            (_, Some(flight)) => {
                assert!(flight.released, "the client sent PUBCOMP before PUBREC");
                session.flights.retain(|flight| flight.id != id);
            }
            (_, None) => {}
        }
    }

    fn subscribe(&mut self, now: u64, serial: u64, v5: bool, wanted: &Subscription) -> u8 {
        let Some(place) = self.place(serial) else {
            return 0x80;
        };
        let (share, path) = topics::share(wanted.filter);
        let code = granted(self.sessions[place].variant).refuses(path);
        if code != 0 {
            return if v5 { code } else { 0x80 };
        }
        let session = &mut self.sessions[place];
        let held = session
            .subscriptions
            .iter_mut()
            .find(|held| held.filter == wanted.filter);
        let is_new = held.is_none();
        match held {
            Some(held) => *held = wanted.clone(),
            None => session.subscriptions.push(wanted.clone()),
        }
        if share.is_some() {
            let small = self.setup.devices[session.device].maximum_packet_size < 200;
            for shared in self
                .shared
                .iter_mut()
                .filter(|shared| shared.filters.contains(&wanted.filter))
            {
                let member = Member::new(serial, wanted, &shared.message);
                shared.members.push(member);
                shared.droppable |= small;
            }
            return wanted.qos;
        }
        if wanted.retain_handling == 0 || (wanted.retain_handling == 1 && is_new) {
            session.replays.retain(|copy| copy.filter != wanted.filter);
            for kept in &self.retained {
                let own = wanted.no_local && kept.session == serial;
                let message = &kept.message;
                if own || message.is_expired(now) || !topics::matches(path, &message.topic) {
                    continue;
                }
                session.replays.push(Copy {
                    message: message.clone(),
                    qos: wanted.qos.min(message.qos),
                    retain: true,
                    ids: Vec::from_iter((wanted.id > 0).then_some(wanted.id)),
                    // It may be granted until its turn comes.
                    optional: !session.may_read(&message.topic),
                    droppable: false,
                    filter: wanted.filter,
                });
            }
        }
        wanted.qos
    }

    fn unsubscribe(&mut self, serial: u64, filter: &str) -> u8 {
        let Some(place) = self.place(serial) else {
            return 0x11;
        };
        let session = &mut self.sessions[place];
        session.replays.retain(|copy| copy.filter != filter);
        let before = session.subscriptions.len();
        session.subscriptions.retain(|held| held.filter != filter);
        let held = session.subscriptions.len() < before;
        self.close_groups();
        if held { 0 } else { 0x11 }
    }

    /// The link is gone.
    pub(super) fn lost(&mut self, now: u64, link: usize) {
        if let Some(session) = self.of_link(link) {
            let serial = session.serial;
            self.detach(now, serial);
        }
    }

    /// The broker ends a session's connection with a reason.
    fn cut(&mut self, now: u64, serial: u64, code: u8) {
        let Some(place) = self.place(serial) else {
            return;
        };
        let session = &self.sessions[place];
        let Some(link) = session.link else { return };
        if self.level(session.device) == 5 {
            self.answers.push((link, Packet::Disconnect { code }));
        }
        self.closed.push(link);
        self.detach(now, serial);
    }

    /// A session has lost its connection.
    fn detach(&mut self, now: u64, serial: u64) {
        let Some(place) = self.place(serial) else {
            return;
        };
        let session = &mut self.sessions[place];
        session.link = None;
        session.left = now;
        if session.expiry_s == 0 {
            self.end(now, serial);
            return;
        }
        session.live.retain(|copy| copy.qos > 0);
        for copy in session.replays.iter_mut().filter(|copy| copy.qos == 0) {
            copy.optional = true;
        }
        for shared in &mut self.shared {
            let own = |member: &Member| member.session == serial && member.qos == 0;
            shared.optional |= shared.members.iter().any(own);
        }
        self.due(now, serial);
    }

    /// Does what is due for a session without a connection.
    fn due(&mut self, now: u64, serial: u64) {
        let Some(place) = self.place(serial) else {
            return;
        };
        let session = &mut self.sessions[place];
        if session.ends() <= now {
            self.end(now, serial);
        } else if session.will_due() <= now
            && let Some(will) = session.will.take()
        {
            self.distribute(now, serial, &will.message);
        }
    }

    fn end(&mut self, now: u64, serial: u64) {
        let Some(place) = self.place(serial) else {
            return;
        };
        if let Some(will) = self.sessions[place].will.take() {
            self.distribute(now, serial, &will.message);
        }
        let session = self.sessions.remove(place);
        let room = self.setup.queue_messages as usize;
        let full = self
            .sessions
            .iter()
            .filter(|other| self.backlog(other) >= room);
        let full: Vec<u64> = full.map(|other| other.serial).collect();
        for shared in &mut self.shared {
            let Some(own) = shared
                .members
                .iter()
                .find(|member| member.session == serial)
            else {
                continue;
            };
            // It may have waited there; others get what was to come at QoS 1 or 2.
            let at_risk = own.qos == 0 || shared.twins.contains(&serial);
            shared.members.retain(|member| member.session != serial);
            let left = |member: &Member| {
                let other = self
                    .sessions
                    .iter()
                    .find(|other| other.serial == member.session);
                other.is_some_and(|other| {
                    let is_member = other
                        .subscriptions
                        .iter()
                        .any(|s| shared.filters.contains(&s.filter));
                    is_member
                        && other.may_read(&shared.message.topic)
                        && (other.link.is_some() || member.qos > 0)
                })
            };
            shared.optional |= at_risk || !shared.members.iter().any(left);
            let is_full = |member: &Member| full.contains(&member.session);
            shared.droppable |= shared.members.iter().any(is_full);
        }
        self.close_groups();
        // What was sent at QoS 1 and not acknowledged goes to another member, if it came by a
        // shared subscription; by which it came is not always clear.
        for flight in session.flights.iter().filter(|flight| flight.qos == 1) {
            for filter in self.groups(&flight.message.topic) {
                if self.share(filter, &flight.message)
                    && let Some(shared) = self.shared.last_mut()
                {
                    shared.optional = true;
                }
            }
        }
    }

    /// A shared subscription without members ends; one of the same name is another.
    fn close_groups(&mut self) {
        for shared in &mut self.shared {
            shared.filters.retain(|filter| {
                let subscriptions = self.sessions.iter().flat_map(|s| &s.subscriptions);
                subscriptions.into_iter().any(|held| held.filter == *filter)
            });
        }
    }

    /// The shared subscriptions that match a topic name.
    fn groups(&self, topic: &str) -> Vec<&'static str> {
        let mut found = Vec::new();
        let subscriptions = self
            .sessions
            .iter()
            .flat_map(|session| &session.subscriptions);
        for Subscription { filter, .. } in subscriptions {
            let (share, path) = topics::share(filter);
            if share.is_some() && topics::matches(path, topic) && !found.contains(filter) {
                found.push(*filter);
            }
        }
        found
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

    /// A crash has ended a connection: its will is void once the client is back. Whether nothing
    /// else is left.
    fn discharge(&mut self, serial: u64) -> bool {
        let Some(place) = self.place(serial) else {
            return false;
        };
        let session = &mut self.sessions[place];
        session.will = session.will.take().filter(|will| !will.orphan);
        session.ghost
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

/// The queue may be full: what waits at QoS 0 may be dropped.
fn make_way(session: &mut Session, shared: &mut [Shared]) {
    for copy in session.live.iter_mut().filter(|copy| copy.qos == 0) {
        copy.droppable = true;
    }
    for shared in shared {
        let own = |member: &Member| member.session == session.serial && member.qos == 0;
        shared.droppable |= shared.members.iter().any(own);
    }
}

impl Member {
    fn new(session: u64, subscription: &Subscription, message: &Message) -> Member {
        Member {
            session,
            qos: subscription.qos.min(message.qos),
            retain: message.retain && subscription.retain_as_published,
            id: subscription.id,
        }
    }
}
