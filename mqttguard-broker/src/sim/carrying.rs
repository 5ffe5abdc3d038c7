//! What links carry between devices and the broker; they hold back, cut and lose.

use super::packet::Up;
use super::plan::{IDENTITIES, grants};
use super::wire::{self, Packet};
use super::world::World;
use crate::{Decision, Flow, Time, Transmit};

impl World {
    /// Brings bytes to the broker.
    pub(super) fn up(&mut self, number: usize, most: usize) {
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
    pub(super) fn follow(&mut self) {
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
    pub(super) fn look(&mut self) {
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
    pub(super) fn decide(&mut self) {
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
    pub(super) fn fetch(&mut self, number: usize, room: usize) {
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
    pub(super) fn down(&mut self, number: usize, most: usize) {
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

    pub(super) fn lose(&mut self, number: usize) {
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
}
