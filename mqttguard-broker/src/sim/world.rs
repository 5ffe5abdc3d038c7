//! A broker, the devices around it, the caller, and the time that passes for all of them.

use std::collections::{HashMap, VecDeque};

use super::device::Device;
use super::link::Link;
use super::model::Model;
use super::packet::{Connect, Up};
use super::plan::{DEVICES, IDENTITIES, Plan, SESSION_EXPIRY_S, Setup, grants};
use crate::{Boot, Broker, Clock, ConnId, Kick, Restore, Time};

/// The simulation.
pub(super) struct World {
    pub(super) setup: Setup,
    pub(super) broker: Broker,
    pub(super) model: Model,
    pub(super) devices: Vec<Device>,
    /// By number; none is used twice.
    pub(super) links: Vec<Option<Link>>,
    pub(super) by_conn: HashMap<ConnId, usize>,
    /// CONNECTs to be decided on.
    pub(super) requests: VecDeque<(ConnId, usize)>,
    pub(super) now: u64,
    /// Messages published so far: each is unlike the others.
    pub(super) number: u32,
    pub(super) trace: bool,
    /// The journal's segments.
    pub(super) disk: Vec<Vec<u8>>,
    /// Messages dropped before the last crash.
    pub(super) dropped: u64,
    pub(super) delivered: u64,
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

    pub(super) fn tell(&self, what: impl FnOnce() -> String) {
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

    pub(super) fn link(&mut self, number: usize) -> &mut Link {
        self.links[number].as_mut().expect("an open link")
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
    pub(super) fn write(&mut self) {
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
            let same = |one: &&(u8, std::rc::Rc<super::message::Message>)| {
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
