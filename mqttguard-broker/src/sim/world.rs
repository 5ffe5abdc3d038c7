//! A broker, the devices around it, and the links between them, which hold back, cut and lose.

use std::collections::{HashMap, VecDeque};

use super::device::Device;
use super::model::Model;
use super::packet::{Connect, Publishing, Subscription, Up, Will};
use super::plan::{DEVICES, FILTERS, IDENTITIES, Plan, SESSION_EXPIRY_S, Setup, TOPICS, grants};
use super::wire::{self, Packet};
use crate::{Boot, Broker, Clock, ConnId, Decision, Flow, Kick, Restore, Time, Transmit};

/// One connection, both directions.
struct Link {
    conn: ConnId,
    device: usize,
    v5: bool,
    /// Packets that the device sent, with what they mean, and how much of the first went in.
    up: VecDeque<(Vec<u8>, Up)>,
    sent: usize,
    /// A CONNECT that was received, and what came behind it before it was decided on.
    asked: Option<Connect>,
    early: Vec<Up>,
    /// When its CONNECT has to be whole, until it is.
    connect_by: Option<u64>,
    /// The client is in.
    is_in: bool,
    /// The number of the first link of its session, by which sessions are told apart.
    session: usize,
    /// Bytes of packets that did not come out whole.
    partial: Vec<u8>,
    aliases: HashMap<u16, String>,
    down: VecDeque<Packet>,
    /// What the broker is to answer, in order.
    answers: VecDeque<Packet>,
    /// The broker is to close it.
    closing: bool,
    /// The broker asked for it to be fetched from.
    ready: bool,
    /// Not to be read from until the broker asks for it, or the time is come.
    paused: Option<Option<Time>>,
}

/// The simulation.
pub(super) struct World {
    setup: Setup,
    broker: Broker,
    model: Model,
    devices: Vec<Device>,
    /// By number; none is used twice.
    links: Vec<Option<Link>>,
    by_conn: HashMap<ConnId, usize>,
    /// CONNECTs to be decided on.
    requests: VecDeque<(ConnId, usize)>,
    now: u64,
    /// Messages published so far: each is unlike the others.
    number: u32,
    trace: bool,
    /// The journal's segments.
    disk: Vec<Vec<u8>>,
    /// Messages dropped before the last crash.
    dropped: u64,
    delivered: u64,
}

impl World {
    pub(super) fn new(plan: &Plan, trace: bool) -> World {
        let setup = Setup::of(&plan.setup);
        if trace {
            eprintln!("{setup:#?}");
        }
        let device =
            |(number, kind): (usize, &super::plan::Kind)| Device::new(number, kind.clone());
        World {
            broker: Broker::new(setup.config()),
            model: Model::new(setup.clone()),
            devices: setup.devices.iter().enumerate().map(device).collect(),
            setup,
            links: Vec::new(),
            by_conn: HashMap::new(),
            requests: VecDeque::new(),
            now: 1_000_000,
            number: 0,
            trace,
            disk: Vec::new(),
            dropped: 0,
            delivered: 0,
        }
    }

    fn tell(&self, what: impl FnOnce() -> String) {
        if self.trace {
            eprintln!("{:>9} {}", self.now, what());
        }
    }

    /// Runs a whole schedule. How many messages reached a client.
    pub(super) fn run(mut self, plan: &Plan) -> u64 {
        if self.setup.journaled {
            self.restart();
        }
        if plan.setup[14] & 3 > 0 {
            for device in 0..DEVICES - 1 {
                let [b, c] = [plan.setup[14] >> 2, plan.setup[15]]
                    .map(|byte| byte.rotate_left(device as u32));
                self.connect(device, b & !3, c);
            }
            self.settle();
            for device in 0..DEVICES - 1 {
                let pick = plan.setup[15].rotate_left(device as u32);
                self.subscribe(device, pick, plan.setup[14] ^ pick, pick);
            }
            self.settle();
        }
        for step in &plan.steps {
            self.step(*step);
            self.pass(1);
            self.look();
        }
        self.finish();
        self.delivered
    }

    fn step(&mut self, [op, a, b, c]: [u8; 4]) {
        let device = usize::from(a) % DEVICES;
        match op {
            0..=15 => {
                // Mostly those that have no connection, and now and then a takeover.
                if self.devices[device].link.is_none() || c >= 200 {
                    self.connect(device, b, c);
                }
            }
            16..=80 => self.publish(device, b, c, a),
            81..=103 => self.subscribe(device, b, c, a),
            104..=106 => self.unsubscribe(device, b),
            107..=212 => {
                if let Some(link) = self.some_link(a) {
                    self.carry(link, op - 107, b);
                }
            }
            213..=219 => self.decide(),
            220..=223 => {
                if let Some(link) = self.some_link(a) {
                    self.lose(link);
                }
            }
            224..=226 => self.disconnect(device, b),
            227 => self.say(device, &[(vec![0xC0, 0], Up::Ping)]),
            228 if b < 128 => self.kick(usize::from(a) % 2),
            228 => self.crash(b),
            229..=230 => {
                let variant = [0, 0, 0, 1, 2, 3][usize::from(b) % 6];
                self.regrant(usize::from(a) % 2, variant);
            }
            231 if b < 80 => self.forget(usize::from(a) % 2),
            232 if b < 128 => self.crash(b),
            232 => self.begin_segment(),
            231..=237 => self.pass(u64::from(b) * 20),
            238 if b >= 240 => self.pass(3_700_000),
            238..=239 => self.pass([100, 1_000, 5_000, 61_000][usize::from(b & 3)]),
            // Asleep for a while: what was due comes late, and all at once.
            240 => {
                self.now += [1_000, 7_000, 70_000, 700_000][usize::from(b & 3)];
                self.tell(|| "wakes up".to_owned());
                self.tick();
                self.model.blur();
            }
            _ => self.settle(),
        }
    }

    /// Moves something over a link, some of it or all.
    fn carry(&mut self, link: usize, kind: u8, most: u8) {
        match kind {
            0..=29 => self.up(
                link,
                if most < 60 {
                    usize::from(most)
                } else {
                    usize::MAX
                },
            ),
            30..=49 => self.fetch(link, if most < 60 { usize::from(most) } else { 10_000 }),
            50..=69 => self.down(link, usize::from(most)),
            _ => {
                self.up(link, usize::MAX);
                self.fetch(link, 10_000);
                self.down(link, usize::from(most));
            }
        }
    }

    /// One of the links there are.
    fn some_link(&self, pick: u8) -> Option<usize> {
        let open: Vec<usize> = (0..self.links.len())
            .filter(|n| self.links[*n].is_some())
            .collect();
        (!open.is_empty()).then(|| open[usize::from(pick) % open.len()])
    }

    fn link(&mut self, number: usize) -> &mut Link {
        self.links[number].as_mut().expect("an open link")
    }

    // What devices do.

    fn message(&mut self, topic: &str, b: u8, c: u8) -> Publishing {
        self.number += 1;
        let padding = [0, 0, 10, 70][usize::from(c & 3)];
        let payload = format!("{:04}{}", self.number, ".".repeat(padding));
        Publishing {
            id: 0,
            topic: topic.to_owned(),
            payload,
            properties: Vec::new(),
            expiry_s: None,
            qos: b % 3,
            retain: b & 0x30 == 0x30,
        }
    }

    fn publish(&mut self, device: usize, b: u8, c: u8, a: u8) {
        if !self.devices[device].may_speak() {
            return;
        }
        let mut message = self.message(TOPICS[usize::from(c >> 2) % 16], b, c);
        if self.devices[device].kind.level == 5 {
            let may_expire = !(message.retain && self.setup.few_retained());
            if a >> 5 == 7 && may_expire {
                message.expiry_s = Some([1, 5, 60, 4_000][usize::from(a >> 3 & 3)]);
            }
            if a >> 5 == 6 {
                message.properties = b"\x01\x01\x26\0\x01n\0\x01v".to_vec();
            }
        }
        // Before MQTT 5 nobody could tell one that is empty from another.
        let all_v5 = self.setup.devices.iter().all(|kind| kind.level == 5);
        if message.retain && c >> 5 == 7 && all_v5 {
            // It is unlike the others all the same.
            let name = std::mem::take(&mut message.payload);
            let name = name.trim_end_matches('.');
            message.properties = b"\x26\0\x04".to_vec();
            message.properties.extend_from_slice(name.as_bytes());
            message.properties.extend_from_slice(b"\0\x01v");
        }
        let most = self.setup.in_flight;
        let said = self.devices[device].publish(most, message, a >> 5 < 3);
        self.say(device, &Vec::from_iter(said));
    }

    fn subscribe(&mut self, device: usize, b: u8, c: u8, a: u8) {
        if !self.devices[device].may_speak() {
            return;
        }
        let v5 = self.devices[device].kind.level == 5;
        let id = if v5 { u32::from(a >> 4) } else { 0 };
        let mut filters = Vec::new();
        for (pick, bits) in [(b, c), (b.wrapping_mul(31) >> 1, c.rotate_left(3))] {
            let filter = FILTERS[usize::from(pick) % FILTERS.len()];
            let plain = !filter.starts_with("$share");
            filters.push(Subscription {
                filter,
                id,
                qos: bits % 3,
                no_local: v5 && plain && bits & 0x0C == 0x0C,
                retain_as_published: v5 && bits & 0x10 != 0,
                retain_handling: if v5 {
                    [0, 0, 1, 2][usize::from(bits >> 5 & 3)]
                } else {
                    0
                },
            });
        }
        filters.truncate(1 + usize::from(b & 1));
        let said = self.devices[device].subscribe(filters);
        self.say(device, &Vec::from_iter(said));
    }

    fn unsubscribe(&mut self, device: usize, b: u8) {
        if !self.devices[device].may_speak() {
            return;
        }
        let filter = FILTERS[usize::from(b) % FILTERS.len()];
        let said = self.devices[device].unsubscribe(vec![filter]);
        self.say(device, &Vec::from_iter(said));
    }

    fn connect(&mut self, device: usize, b: u8, c: u8) {
        let level = self.devices[device].kind.level;
        let clean = b & 3 == 3;
        let expiry_s = match level {
            5 => [0, 5, 60, u32::MAX][usize::from(b >> 2 & 3)],
            _ if clean => 0,
            _ => u32::MAX,
        };
        let mut will = None;
        if c & 3 == 3 {
            let mut message = self.message(["w/0", "w/1", "w/2", "w/3", "w/4"][device], c >> 2, b);
            // Which of those that fall due together meets a quota depends on their order.
            message.retain &= !self.setup.few_retained();
            let mut delay_s = 0;
            if level == 5 {
                delay_s = [0, 0, 3, 100][usize::from(b >> 4 & 3)];
                if b >> 6 == 3 && !self.setup.few_retained() {
                    message.expiry_s = Some(4);
                }
            }
            will = Some(Will {
                delay_s,
                orphan: false,
                message,
            });
        }
        self.connect_as(Connect {
            device,
            clean,
            expiry_s,
            will,
        });
    }

    fn connect_as(&mut self, connect: Connect) {
        let device = connect.device;
        // A connection of before goes on by itself, if the broker knows whose it is.
        if let Some(old) = self.devices[device].link
            && !self.link(old).is_in
        {
            self.lose(old);
        }
        let conn = self.broker.open(Time(self.now)).expect("there is room");
        let number = self.links.len();
        self.tell(|| format!("link {number}: device {device} connects: {connect:?}"));
        let bytes = self.devices[device].connect(number, &connect);
        self.by_conn.insert(conn, number);
        self.links.push(Some(Link {
            conn,
            device,
            v5: self.devices[device].kind.level == 5,
            up: VecDeque::from([(bytes, Up::Connect(connect))]),
            sent: 0,
            asked: None,
            early: Vec::new(),
            connect_by: Some(self.now + self.setup.config().connect_timeout_ms),
            is_in: false,
            session: usize::MAX,
            partial: Vec::new(),
            aliases: HashMap::new(),
            down: VecDeque::new(),
            answers: VecDeque::new(),
            closing: false,
            ready: false,
            paused: None,
        }));
    }

    fn disconnect(&mut self, device: usize, b: u8) {
        let kind = &self.devices[device].kind;
        if !self.devices[device].is_in {
            return;
        }
        let with_will = kind.level == 5 && b & 1 != 0;
        let expiry_s = (kind.level == 5 && b & 2 != 0).then_some(0);
        let mut body = Vec::new();
        if with_will || expiry_s.is_some() {
            body.push(if with_will { 4 } else { 0 });
        }
        if let Some(seconds) = expiry_s {
            let [p, q, r, s] = u32::to_be_bytes(seconds);
            body.extend_from_slice(&[5, 0x11, p, q, r, s]);
        }
        let packet = wire::packet(0xE0, &body);
        self.say(
            device,
            &[(
                packet,
                Up::Disconnect {
                    with_will,
                    expiry_s,
                },
            )],
        );
        self.devices[device].gone();
    }

    /// Puts packets of a device on its way.
    fn say(&mut self, device: usize, packets: &[(Vec<u8>, Up)]) {
        if !self.devices[device].may_speak() {
            return;
        }
        if let Some(link) = self.devices[device].link {
            for packet in packets {
                self.tell(|| format!("link {link}: device {device} says {:?}", packet.1));
                self.link(link).up.push_back(packet.clone());
            }
        }
    }

    // What the links do.

    /// Brings bytes to the broker.
    fn up(&mut self, number: usize, most: usize) {
        let now = Time(self.now);
        let link = self.link(number);
        match link.paused {
            Some(None) => return,
            Some(Some(until)) if now < until => return,
            _ => link.paused = None,
        }
        let mut bytes = Vec::new();
        let mut whole = Vec::new();
        while bytes.len() < most
            && let Some((packet, _)) = link.up.front()
        {
            let left = &packet[link.sent..];
            let taken = left.len().min(most - bytes.len());
            bytes.extend_from_slice(&left[..taken]);
            link.sent += taken;
            if link.sent == packet.len() {
                link.sent = 0;
                whole.extend(link.up.pop_front().map(|(_, meaning)| meaning));
            }
        }
        if bytes.is_empty() {
            return;
        }
        let conn = link.conn;
        self.tell(|| format!("link {number}: {} bytes in, whole: {whole:?}", bytes.len()));
        let flow = self.broker.receive(now, conn, &bytes);
        for packet in whole {
            let link = self.link(number);
            match packet {
                Up::Connect(connect) if !link.closing => {
                    link.connect_by = None;
                    link.asked = Some(connect);
                }
                packet if link.asked.is_some() => link.early.push(packet),
                packet if link.is_in => self.model.packet(now.0, number, &packet),
                _ => {}
            }
            self.follow();
        }
        let link = self.link(number);
        match flow {
            Flow::Read => {}
            Flow::Pause(until) => link.paused = Some(until),
            Flow::Close => assert!(link.closing, "link {number} was closed for no reason"),
        }
    }

    /// Takes what the model answers to where it is to come from.
    fn follow(&mut self) {
        for (link, answer) in std::mem::take(&mut self.model.answers) {
            if let Some(link) = &mut self.links[link] {
                link.answers.push_back(answer);
            }
        }
        for number in std::mem::take(&mut self.model.closed) {
            if let Some(link) = &mut self.links[number] {
                link.closing = true;
            }
        }
    }

    /// Sees what the broker has to tell.
    fn look(&mut self) {
        while let Some((conn, request)) = self.broker.next_request() {
            let device = request
                .username
                .expect("a user name")
                .parse()
                .expect("a number");
            self.requests.push_back((conn, device));
        }
        while let Some(conn) = self.broker.next_ready() {
            let number = self.by_conn[&conn];
            let link = self.link(number);
            link.ready = true;
            link.paused = None;
        }
        while self.broker.next_notice().is_some() {}
        self.write();
        self.broker.check();
    }

    /// Decides on the first CONNECT.
    fn decide(&mut self) {
        self.look();
        let Some((conn, device)) = self.requests.pop_front() else {
            return;
        };
        let number = self.by_conn[&conn];
        let identity = self.devices[device].kind.identity;
        let decision = Decision::Accept {
            identity: IDENTITIES[identity].into(),
            grants: grants(self.model.variants[identity]),
            limits: self.setup.limits(),
            data: None,
        };
        self.broker.decide(Time(self.now), conn, decision);
        // One that is gone meanwhile is not missed.
        if self.links[number].is_none() {
            return;
        }
        let Some(connect) = self.link(number).asked.take() else {
            return;
        };
        let is_in = self.model.connect(self.now, number, &connect);
        self.tell(|| format!("link {number}: decided, {is_in}"));
        self.follow();
        self.link(number).is_in = is_in;
        let session = self.model.of_link(number).map(|session| session.first_link);
        self.link(number).session = session.unwrap_or(usize::MAX);
        for packet in std::mem::take(&mut self.link(number).early) {
            if is_in {
                self.model.packet(self.now, number, &packet);
                self.follow();
            }
        }
        self.look();
    }

    /// Fetches what the broker has for a client.
    fn fetch(&mut self, number: usize, room: usize) {
        self.look();
        let now = Time(self.now);
        let link = self.links[number].as_mut().expect("an open link");
        if !link.ready {
            return;
        }
        let before = link.partial.len();
        let result = self
            .broker
            .transmit(now, link.conn, &mut link.partial, room);
        assert!(
            link.partial.len() - before <= room + 200,
            "more than there was room for"
        );
        let v5 = link.v5;
        self.write();
        while let Some(packet) = wire::take(&mut self.link(number).partial, v5) {
            self.fetched(number, packet);
        }
        let link = self.link(number);
        match result {
            Transmit::More => {}
            Transmit::Drained => {
                link.ready = false;
                assert!(
                    link.answers.is_empty(),
                    "link {number}: not answered: {:?}",
                    link.answers
                );
                assert!(!link.closing, "link {number}: not closed");
            }
            Transmit::Close => {
                assert!(link.closing, "link {number} was closed for no reason");
                assert!(
                    link.answers.is_empty(),
                    "link {number}: not answered: {:?}",
                    link.answers
                );
                let (conn, down) = (link.conn, std::mem::take(&mut link.down));
                self.tell(|| format!("link {number}: closed by the broker"));
                self.broker.lost(now, conn);
                let device = self.link(number).device;
                if self.devices[device].link == Some(number) {
                    for packet in down {
                        self.heard(number, packet);
                    }
                    self.devices[device].gone();
                }
                self.links[number] = None;
            }
        }
        self.look();
    }

    /// A packet came out of the broker.
    fn fetched(&mut self, number: usize, packet: Packet) {
        self.tell(|| format!("link {number}: out {packet:?}"));
        let now = self.now;
        let link = self.link(number);
        let mut packet = packet;
        if let Packet::Publish(publish) = &mut packet {
            if let Some(alias) = publish.alias {
                let most = self.devices[self.links[number].as_ref().expect("open").device]
                    .kind
                    .alias_maximum;
                assert!((1..=most).contains(&alias), "topic alias {alias}");
                let link = self.link(number);
                if publish.topic.is_empty() {
                    publish.topic = link
                        .aliases
                        .get(&alias)
                        .expect("an alias set before")
                        .clone();
                } else {
                    link.aliases.insert(alias, publish.topic.clone());
                }
            }
            self.model.sent(now, number, publish);
            self.delivered += 1;
        } else if link.answers.front() == Some(&packet) {
            link.answers.pop_front();
        } else {
            let released = self.model.of_link(number).is_some_and(|session| {
                session.flights.iter().any(|flight| {
                    flight.released
                        && packet
                            == (Packet::Ack {
                                first: wire::PUBREL,
                                id: flight.id,
                                code: 0,
                            })
                })
            });
            let wanted = self.link(number).answers.front();
            assert!(
                released,
                "link {number}: {packet:?} came in the place of {wanted:?}"
            );
        }
        self.link(number).down.push_back(packet);
    }

    /// Brings packets to the device.
    fn down(&mut self, number: usize, most: usize) {
        for _ in 0..=most {
            let Some(link) = &mut self.links[number] else {
                return;
            };
            let Some(packet) = link.down.pop_front() else {
                return;
            };
            self.heard(number, packet);
        }
    }

    fn heard(&mut self, number: usize, packet: Packet) {
        let device = self.link(number).device;
        if self.devices[device].link != Some(number) {
            return;
        }
        // MQTT 3.1 does not tell, and a CONNACK may get lost: a client knows by other means.
        let session = self.link(number).session;
        let said = self.devices[device].take(packet, session);
        self.say(device, &said);
    }

    fn lose(&mut self, number: usize) {
        let conn = self.link(number).conn;
        self.tell(|| format!("link {number}: lost"));
        self.broker.lost(Time(self.now), conn);
        self.model.lost(self.now, number);
        self.follow();
        let device = self.link(number).device;
        if self.devices[device].link == Some(number) {
            self.devices[device].gone();
        }
        self.links[number] = None;
    }

    // What the caller does.

    fn kick(&mut self, identity: usize) {
        self.tell(|| format!("kick {identity}"));
        self.broker
            .kick(Time(self.now), IDENTITIES[identity], Kick::Banned);
        self.model.kick(self.now, identity);
        self.follow();
    }

    fn regrant(&mut self, identity: usize, variant: usize) {
        self.tell(|| format!("identity {identity} is granted {variant}"));
        let limits = self.setup.limits();
        self.broker.regrant(
            Time(self.now),
            IDENTITIES[identity],
            |_| grants(variant),
            &limits,
        );
        self.model.regrant(identity, variant);
        self.follow();
    }

    fn forget(&mut self, identity: usize) {
        self.tell(|| format!("forget {identity}"));
        self.broker.forget(Time(self.now), IDENTITIES[identity]);
        self.model.forget(self.now, identity);
        self.follow();
    }

    /// What changed is written before anything is sent that tells of it.
    fn write(&mut self) {
        let Some(last) = self.disk.last_mut() else {
            return;
        };
        let clock = Clock {
            now: Time(self.now),
            wall_ms: 0,
        };
        if self.broker.take_journal(clock, last) {
            // The segment has all that those before it have.
            self.disk.drain(..self.disk.len() - 1);
        }
    }

    fn begin_segment(&mut self) {
        if self.setup.journaled {
            self.tell(|| "begins a segment".to_owned());
            self.write();
            self.broker.begin_segment(Boot::default());
            self.disk.push(Vec::new());
        }
    }

    /// A broker from what is in the journal.
    fn restart(&mut self) {
        let mut restore = Restore::new();
        for segment in &self.disk {
            restore.feed(segment);
            assert!(!restore.end_segment().damaged, "the journal is damaged");
        }
        let variants = self.model.variants;
        let limits = self.setup.limits();
        let (broker, outcome) = restore.finish(self.setup.config(), Time(self.now), |name, _| {
            let identity = IDENTITIES.iter().position(|known| *known == name)?;
            Some((grants(variants[identity]), limits.clone()))
        });
        assert_eq!((outcome.missing, outcome.disowned), (0, 0), "{outcome:?}");
        self.broker = broker;
        self.begin_segment();
    }

    /// The broker is killed. Some of what it was just about to write may be there.
    fn crash(&mut self, torn: u8) {
        if !self.setup.journaled {
            return;
        }
        self.tell(|| "crash".to_owned());
        self.look();
        self.dropped += self.broker.stats().messages_dropped;
        if let Some(last) = self.disk.last_mut() {
            let beginning = last
                .get(..usize::from(torn % 8))
                .unwrap_or_default()
                .to_vec();
            last.extend(beginning);
        }
        self.links.iter_mut().for_each(|link| *link = None);
        self.by_conn.clear();
        self.requests.clear();
        for device in &mut self.devices {
            device.gone();
        }
        self.model.crash(self.now);
        self.restart();
        self.look();
    }

    fn tick(&mut self) {
        self.broker.tick(Time(self.now));
        for link in self.links.iter_mut().flatten() {
            link.closing |= link.connect_by.is_some_and(|by| by <= self.now);
        }
        self.model.tick(self.now);
        self.follow();
        self.look();
    }

    /// Lets time pass; the broker is called when it asked to be.
    fn pass(&mut self, ms: u64) {
        let end = self.now + ms;
        while let Some(due) = self.broker.deadline().filter(|due| due.0 <= end) {
            self.now = self.now.max(due.0);
            self.tick();
        }
        self.now = end;
        self.model.tick(end);
        assert!(self.model.closed.is_empty(), "the broker missed a deadline");
    }

    /// Everything that is under way arrives.
    fn settle(&mut self) {
        self.tell(|| "settles".to_owned());
        for _ in 0..1_000 {
            let mut moved = false;
            while !self.requests.is_empty() {
                self.decide();
                moved = true;
            }
            for number in 0..self.links.len() {
                if self.links[number].is_none() {
                    continue;
                }
                let has_up = !self.link(number).up.is_empty();
                self.up(number, usize::MAX);
                self.look();
                moved |= has_up;
                while self.links[number].as_ref().is_some_and(|link| link.ready) {
                    self.fetch(number, 10_000);
                    moved = true;
                }
                if self.links[number].is_some() {
                    moved |= !self.link(number).down.is_empty();
                    self.down(number, usize::MAX - 1);
                }
            }
            self.pass(1);
            self.look();
            if !moved && self.requests.is_empty() {
                return;
            }
        }
        panic!("it does not come to rest");
    }

    /// Everybody comes back and gets all that is owed; then all leave, and nothing is left.
    fn finish(&mut self) {
        self.tell(|| "the end begins".to_owned());
        self.settle();
        for number in 0..self.links.len() {
            let left_behind = |link: &Link| self.devices[link.device].link != Some(number);
            if self.links[number].as_ref().is_some_and(left_behind) {
                self.lose(number);
            }
        }
        // Those that come first may get something of those that come last.
        for device in (0..DEVICES).chain(0..DEVICES) {
            self.bring_in(device);
        }
        for device in 0..DEVICES {
            self.bring_in(device);
            self.compare(device);
        }
        self.model.settle(self.now);
        let dropped = self.dropped + self.broker.stats().messages_dropped;
        assert!(
            self.model.missing + self.model.turned_away <= dropped,
            "{} did not come, {dropped} were told of",
            self.model.missing
        );
        if self.setup.queue_messages > 100 && self.model.missing == 0 {
            let small = self
                .setup
                .devices
                .iter()
                .any(|kind| kind.maximum_packet_size < 100);
            assert!(
                small || dropped == self.model.turned_away,
                "dropped without need: {dropped}"
            );
        }
        for number in 0..self.links.len() {
            if self.links[number].is_some() {
                self.lose(number);
            }
        }
        self.pass(u64::from(SESSION_EXPIRY_S) * 1_000 + 200_000);
        for identity in 0..IDENTITIES.len() {
            self.forget(identity);
        }
        self.look();
        let stats = self.broker.stats();
        assert_eq!((stats.connections, stats.sessions), (0, 0), "left behind");
        assert_eq!((stats.subscriptions, stats.retained), (0, 0), "left behind");
        assert_eq!(stats.held_bytes, 0, "left behind");
    }

    /// Connects a device, if need be in the place of others, and lets it have everything.
    fn bring_in(&mut self, device: usize) {
        // There may be room for few only.
        for other in 0..DEVICES {
            if let Some(link) = self.devices[other].link
                && self.devices[device].link.is_none()
                && self.setup.connections < 3
            {
                self.lose(link);
            }
        }
        if self.devices[device].link.is_none() {
            let expiry_s = u32::MAX;
            let will = None;
            self.connect_as(Connect {
                device,
                clean: false,
                expiry_s,
                will,
            });
        }
        self.settle();
        assert!(self.devices[device].is_in, "device {device} cannot get in");
        assert!(self.devices[device].is_done(), "{:?}", self.devices[device]);
    }

    /// What the device took is what it was sent: QoS 2 once, QoS 1 at least once.
    fn compare(&self, device: usize) {
        let session = self
            .model
            .of_device(device)
            .expect("a session of a client that is in");
        let taken = &self.devices[device].taken;
        let count = |qos: u8, topic: &str, payload: &str| {
            let same =
                |one: &&(u8, String, String)| one.0 == qos && one.1 == topic && one.2 == payload;
            taken.iter().filter(same).count()
        };
        for (qos, message) in &session.sent {
            let same = |one: &&(u8, std::rc::Rc<super::model::Message>)| {
                one.0 == *qos && one.1.topic == message.topic && one.1.payload == message.payload
            };
            let sent = session.sent.iter().filter(same).count();
            let came = count(*qos, &message.topic, &message.payload);
            let right = match qos {
                0 => came <= sent,
                1 => came >= sent,
                _ => came == sent,
            };
            assert!(
                right,
                "device {device} took {message:?} {came} times, sent {sent} times at QoS {qos}"
            );
        }
    }
}
