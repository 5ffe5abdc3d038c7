//! A client that keeps to the protocol, whatever becomes of its connections.

use super::packet::{Connect, Publishing, Subscription, Up};
use super::plan::Kind;
use super::wire::{self, Packet};

/// A QoS 1 or 2 message that is not yet through.
#[derive(Debug)]
struct Unacknowledged {
    publishing: Publishing,
    received: bool,
    /// The link it was sent over last.
    link: usize,
}

/// What the client keeps of its session, and its connection of now.
#[derive(Debug)]
pub(super) struct Device {
    pub(super) number: usize,
    pub(super) kind: Kind,
    pub(super) link: Option<usize>,
    /// The CONNACK came.
    pub(super) is_in: bool,
    last_id: u16,
    unacknowledged: Vec<Unacknowledged>,
    /// Packet identifiers of SUBSCRIBE and UNSUBSCRIBE.
    asked: Vec<u16>,
    /// QoS 2 packet identifiers received and not released.
    unreleased: Vec<u16>,
    aliases: Vec<String>,
    /// The first link of the session that it knows.
    session: usize,
    /// Everything that was taken in this session: QoS, topic and payload.
    pub(super) taken: Vec<(u8, String, String)>,
}

impl Device {
    pub(super) fn new(number: usize, kind: Kind) -> Device {
        Device {
            number,
            kind,
            link: None,
            is_in: false,
            last_id: 0,
            unacknowledged: Vec::new(),
            asked: Vec::new(),
            unreleased: Vec::new(),
            aliases: Vec::new(),
            session: usize::MAX,
            taken: Vec::new(),
        }
    }

    fn v5(&self) -> bool {
        self.kind.level == 5
    }

    /// Whether it sends anything now.
    pub(super) fn may_speak(&self) -> bool {
        self.link.is_some() && (self.is_in || self.kind.eager)
    }

    /// Everything that it published is acknowledged.
    pub(super) fn is_done(&self) -> bool {
        self.unacknowledged.is_empty()
    }

    pub(super) fn gone(&mut self) {
        self.link = None;
        self.is_in = false;
    }

    /// The packets identifiers are few, so that they are soon used again.
    fn next_id(&mut self) -> u16 {
        loop {
            self.last_id = self.last_id % 20 + 1;
            let id = self.last_id;
            let used = self
                .unacknowledged
                .iter()
                .any(|sent| sent.publishing.id == id);
            if !used && !self.asked.contains(&id) {
                return id;
            }
        }
    }

    pub(super) fn connect(&mut self, link: usize, connect: &Connect) -> Vec<u8> {
        self.link = Some(link);
        self.is_in = false;
        self.asked.clear();
        self.aliases.clear();
        let mut body = Vec::new();
        let v5 = self.v5();
        wire::text(
            &mut body,
            if self.kind.level == 3 {
                b"MQIsdp"
            } else {
                b"MQTT"
            },
        );
        body.push(self.kind.level);
        let mut flags = 0x80 | u8::from(connect.clean) << 1;
        if let Some(will) = &connect.will {
            flags |= 0x04 | will.message.qos << 3 | u8::from(will.message.retain) << 5;
        }
        body.push(flags);
        body.extend_from_slice(&self.kind.keep_alive.to_be_bytes());
        let mut list = Vec::new();
        list.push(0x11);
        list.extend_from_slice(&connect.expiry_s.to_be_bytes());
        if self.kind.receive_maximum != u16::MAX {
            list.push(0x21);
            list.extend_from_slice(&self.kind.receive_maximum.to_be_bytes());
        }
        if self.kind.maximum_packet_size != u32::MAX {
            list.push(0x27);
            list.extend_from_slice(&self.kind.maximum_packet_size.to_be_bytes());
        }
        list.push(0x22);
        list.extend_from_slice(&self.kind.alias_maximum.to_be_bytes());
        wire::properties(&mut body, v5, &list);
        wire::text(&mut body, self.kind.name.as_bytes());
        if let Some(will) = &connect.will {
            let mut list = vec![0x18];
            list.extend_from_slice(&will.delay_s.to_be_bytes());
            list.extend(message_properties(&will.message));
            wire::properties(&mut body, v5, &list);
            wire::text(&mut body, will.message.topic.as_bytes());
            wire::text(&mut body, will.message.payload.as_bytes());
        }
        // Who it is, as the caller decides.
        wire::text(&mut body, &[b'0' + self.number as u8]);
        wire::packet(0x10, &body)
    }

    /// A PUBLISH, unless as many as the broker takes are under way. `publishing` gets its packet
    /// identifier here.
    pub(super) fn publish(
        &mut self,
        most: u16,
        mut publishing: Publishing,
        by_alias: bool,
    ) -> Option<(Vec<u8>, Up)> {
        let link = self.link?;
        if publishing.qos > 0 {
            if self.unacknowledged.len() >= usize::from(most) {
                return None;
            }
            publishing.id = self.next_id();
            self.unacknowledged.push(Unacknowledged {
                publishing: publishing.clone(),
                received: false,
                link,
            });
        }
        let by_alias = by_alias && self.v5() && self.is_in;
        let bytes = self.encode(&publishing, false, by_alias);
        Some((bytes, Up::Publish(publishing)))
    }

    fn encode(&mut self, publishing: &Publishing, dup: bool, by_alias: bool) -> Vec<u8> {
        let mut list = message_properties(publishing);
        let mut topic = publishing.topic.as_str();
        if by_alias {
            let known = self.aliases.iter().position(|alias| *alias == topic);
            let number = known.unwrap_or(self.aliases.len());
            if number < 16 {
                list.push(0x23);
                list.extend_from_slice(&(number as u16 + 1).to_be_bytes());
                match known {
                    Some(_) => topic = "",
                    None => self.aliases.push(topic.to_owned()),
                }
            }
        }
        let mut body = Vec::new();
        wire::text(&mut body, topic.as_bytes());
        if publishing.qos > 0 {
            body.extend_from_slice(&publishing.id.to_be_bytes());
        }
        wire::properties(&mut body, self.v5(), &list);
        body.extend_from_slice(publishing.payload.as_bytes());
        let flags = u8::from(dup) << 3 | publishing.qos << 1 | u8::from(publishing.retain);
        wire::packet(0x30 | flags, &body)
    }

    pub(super) fn subscribe(&mut self, filters: Vec<Subscription>) -> Option<(Vec<u8>, Up)> {
        self.link?;
        let id = self.next_id();
        self.asked.push(id);
        let mut body = id.to_be_bytes().to_vec();
        let mut list = Vec::new();
        if let Some(first) = filters.first()
            && first.id > 0
        {
            list.push(0x0B);
            wire::varint(&mut list, first.id as usize);
        }
        wire::properties(&mut body, self.v5(), &list);
        for filter in &filters {
            wire::text(&mut body, filter.filter.as_bytes());
            body.push(
                filter.qos
                    | u8::from(filter.no_local) << 2
                    | u8::from(filter.retain_as_published) << 3
                    | filter.retain_handling << 4,
            );
        }
        Some((wire::packet(0x82, &body), Up::Subscribe { id, filters }))
    }

    pub(super) fn unsubscribe(&mut self, filters: Vec<&'static str>) -> Option<(Vec<u8>, Up)> {
        self.link?;
        let id = self.next_id();
        self.asked.push(id);
        let mut body = id.to_be_bytes().to_vec();
        wire::properties(&mut body, self.v5(), &[]);
        for filter in &filters {
            wire::text(&mut body, filter.as_bytes());
        }
        Some((wire::packet(0xA2, &body), Up::Unsubscribe { id, filters }))
    }

    /// Takes a packet of its connection's; answers what it says to it. `session` is the
    /// first link of its session.
    pub(super) fn take(&mut self, packet: Packet, session: usize) -> Vec<(Vec<u8>, Up)> {
        match packet {
            Packet::ConnAck { code: 0, .. } => self.resume(session),
            Packet::ConnAck { .. } | Packet::Disconnect { .. } | Packet::PingResp => Vec::new(),
            Packet::Publish(publish) => {
                let taken = (publish.qos, publish.topic, publish.payload);
                match publish.qos {
                    0 => self.taken.push(taken),
                    1 => self.taken.push(taken),
                    _ if self.unreleased.contains(&publish.id) => {}
                    _ => {
                        self.unreleased.push(publish.id);
                        self.taken.push(taken);
                    }
                }
                match publish.qos {
                    0 => Vec::new(),
                    1 => vec![acknowledge(wire::PUBACK, publish.id)],
                    _ => vec![acknowledge(wire::PUBREC, publish.id)],
                }
            }
            Packet::Ack {
                first: wire::PUBREL,
                id,
                ..
            } => {
                self.unreleased.retain(|unreleased| *unreleased != id);
                vec![acknowledge(wire::PUBCOMP, id)]
            }
            Packet::Ack { first, id, code } => {
                let sent = self
                    .unacknowledged
                    .iter_mut()
                    .find(|sent| sent.publishing.id == id);
                let Some(sent) = sent else { return Vec::new() };
                if first == wire::PUBREC && code < 0x80 {
                    sent.received = true;
                    return vec![acknowledge(wire::PUBREL, id)];
                }
                self.unacknowledged.retain(|sent| sent.publishing.id != id);
                Vec::new()
            }
            Packet::SubAck { id, .. } | Packet::UnsubAck { id, .. } => {
                let before = self.asked.len();
                self.asked.retain(|asked| *asked != id);
                assert!(self.asked.len() < before, "an answer to what was not asked");
                Vec::new()
            }
        }
    }

    /// The client is in: what is not acknowledged is sent again, if the broker has the session.
    fn resume(&mut self, session: usize) -> Vec<(Vec<u8>, Up)> {
        let link = self.link;
        self.is_in = true;
        if self.session != session {
            self.session = session;
            self.unacknowledged.retain(|sent| sent.link >= session);
            self.unreleased.clear();
            self.taken.clear();
        }
        let mut again = Vec::new();
        for place in 0..self.unacknowledged.len() {
            let sent = &mut self.unacknowledged[place];
            if Some(sent.link) == link {
                continue;
            }
            sent.link = link.unwrap_or_default();
            let (publishing, received) = (sent.publishing.clone(), sent.received);
            again.push(if received {
                acknowledge(wire::PUBREL, publishing.id)
            } else {
                (
                    self.encode(&publishing, true, false),
                    Up::Publish(publishing),
                )
            });
        }
        again
    }
}

fn acknowledge(first: u8, id: u16) -> (Vec<u8>, Up) {
    (wire::ack(first, id), Up::Ack { first, id })
}

fn message_properties(publishing: &Publishing) -> Vec<u8> {
    let mut list = Vec::new();
    if let Some(seconds) = publishing.expiry_s {
        list.push(0x02);
        list.extend_from_slice(&seconds.to_be_bytes());
    }
    list.extend_from_slice(&publishing.properties);
    list
}
