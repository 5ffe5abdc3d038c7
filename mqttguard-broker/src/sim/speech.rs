//! What devices do: they connect, publish, subscribe and leave.

use std::collections::{HashMap, VecDeque};

use super::link::Link;
use super::packet::{Connect, Publishing, Subscription, Up, Will};
use super::plan::{FILTERS, TOPICS};
use super::wire;
use super::world::World;
use crate::Time;

impl World {
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

    pub(super) fn publish(&mut self, device: usize, b: u8, c: u8, a: u8) {
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

    pub(super) fn subscribe(&mut self, device: usize, b: u8, c: u8, a: u8) {
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

    pub(super) fn unsubscribe(&mut self, device: usize, b: u8) {
        if !self.devices[device].may_speak() {
            return;
        }
        let filter = FILTERS[usize::from(b) % FILTERS.len()];
        let said = self.devices[device].unsubscribe(vec![filter]);
        self.say(device, &Vec::from_iter(said));
    }

    pub(super) fn connect(&mut self, device: usize, b: u8, c: u8) {
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

    pub(super) fn connect_as(&mut self, connect: Connect) {
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

    pub(super) fn disconnect(&mut self, device: usize, b: u8) {
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
    pub(super) fn say(&mut self, device: usize, packets: &[(Vec<u8>, Up)]) {
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
}
