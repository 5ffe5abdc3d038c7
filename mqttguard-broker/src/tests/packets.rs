//! Packets as a client writes and reads them, independent of the broker's own codec.

/// Appends a variable byte integer.
pub(super) fn varint(out: &mut Vec<u8>, mut value: usize) {
    loop {
        let low = (value % 128) as u8;
        value /= 128;
        if value == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

/// A string or binary data with its length.
pub(super) fn text(text: impl AsRef<[u8]>) -> Vec<u8> {
    let text = text.as_ref();
    let mut out = (text.len() as u16).to_be_bytes().to_vec();
    out.extend_from_slice(text);
    out
}

/// A packet from its first byte and the rest.
pub(super) fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    varint(&mut out, body.len());
    out.extend_from_slice(body);
    out
}

/// Properties with their length.
pub(super) fn props(list: &[&[u8]]) -> Vec<u8> {
    let all = list.concat();
    let mut out = Vec::new();
    varint(&mut out, all.len());
    out.extend_from_slice(&all);
    out
}

/// A CONNECT to be built.
#[derive(Clone)]
pub(super) struct Connect {
    pub level: u8,
    pub client_id: String,
    pub clean: bool,
    pub keep_alive: u16,
    pub props: Vec<Vec<u8>>,
    pub will: Option<Will>,
    pub username: Option<String>,
}

#[derive(Clone)]
pub(super) struct Will {
    pub topic: String,
    pub payload: Vec<u8>,
    pub qos: u8,
    pub retain: bool,
    pub props: Vec<Vec<u8>>,
}

impl Connect {
    pub(super) fn new(level: u8, client_id: &str) -> Connect {
        Connect {
            level,
            client_id: client_id.into(),
            clean: true,
            keep_alive: 0,
            props: Vec::new(),
            will: None,
            username: None,
        }
    }

    pub(super) fn resume(mut self) -> Connect {
        self.clean = false;
        self
    }

    pub(super) fn keep_alive(mut self, seconds: u16) -> Connect {
        self.keep_alive = seconds;
        self
    }

    pub(super) fn prop(mut self, bytes: &[u8]) -> Connect {
        self.props.push(bytes.to_vec());
        self
    }

    /// Session Expiry Interval.
    pub(super) fn expiry(self, seconds: u32) -> Connect {
        let [a, b, c, d] = seconds.to_be_bytes();
        self.prop(&[0x11, a, b, c, d])
    }

    pub(super) fn user(mut self, name: &str) -> Connect {
        self.username = Some(name.into());
        self
    }

    pub(super) fn will(mut self, topic: &str, qos: u8, retain: bool, props: &[&[u8]]) -> Connect {
        self.will = Some(Will {
            topic: topic.into(),
            payload: b"gone".to_vec(),
            qos,
            retain,
            props: props.iter().map(|p| p.to_vec()).collect(),
        });
        self
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut body = if self.level == 3 {
            text("MQIsdp")
        } else {
            text("MQTT")
        };
        body.push(self.level);
        let mut flags = u8::from(self.clean) << 1;
        if let Some(will) = &self.will {
            flags |= 0x04 | will.qos << 3 | u8::from(will.retain) << 5;
        }
        if self.username.is_some() {
            flags |= 0x80;
        }
        body.push(flags);
        body.extend_from_slice(&self.keep_alive.to_be_bytes());
        let props5 = |list: &[Vec<u8>]| {
            if self.level == 5 {
                props(&list.iter().map(Vec::as_slice).collect::<Vec<_>>())
            } else {
                Vec::new()
            }
        };
        body.extend(props5(&self.props));
        body.extend(text(&self.client_id));
        if let Some(will) = &self.will {
            body.extend(props5(&will.props));
            body.extend(text(&will.topic));
            body.extend(text(&will.payload));
        }
        if let Some(username) = &self.username {
            body.extend(text(username));
        }
        packet(0x10, &body)
    }
}

/// A PUBLISH; `properties` is `None` before MQTT 5.
pub(super) fn publish(
    flags: u8,
    topic: &str,
    id: u16,
    properties: Option<&[&[u8]]>,
    payload: &[u8],
) -> Vec<u8> {
    let mut body = text(topic);
    if flags & 0x06 != 0 {
        body.extend_from_slice(&id.to_be_bytes());
    }
    if let Some(list) = properties {
        body.extend(props(list));
    }
    body.extend_from_slice(payload);
    packet(0x30 | flags, &body)
}

/// A SUBSCRIBE; `properties` is `None` before MQTT 5.
pub(super) fn subscribe(id: u16, properties: Option<&[&[u8]]>, filters: &[(&str, u8)]) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    if let Some(list) = properties {
        body.extend(props(list));
    }
    for (filter, options) in filters {
        body.extend(text(filter));
        body.push(*options);
    }
    packet(0x82, &body)
}

/// An UNSUBSCRIBE; `v5` adds empty properties.
pub(super) fn unsubscribe(id: u16, v5: bool, filters: &[&str]) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    if v5 {
        body.push(0);
    }
    for filter in filters {
        body.extend(text(filter));
    }
    packet(0xA2, &body)
}

/// PUBACK, PUBREC, PUBREL or PUBCOMP by its first byte.
pub(super) fn ack(first: u8, id: u16) -> Vec<u8> {
    packet(first, &id.to_be_bytes())
}

/// An AUTH.
pub(super) fn auth(reason: u8, properties: &[&[u8]]) -> Vec<u8> {
    packet(0xF0, &[vec![reason], props(properties)].concat())
}

pub(super) const PINGREQ: [u8; 2] = [0xC0, 0];
pub(super) const DISCONNECT: [u8; 2] = [0xE0, 0];

/// A packet from the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum In {
    ConnAck {
        present: bool,
        code: u8,
        props: Vec<u8>,
    },
    Publish(Publish),
    /// PUBACK, PUBREC, PUBREL or PUBCOMP: first byte, packet identifier, reason code.
    Ack(u8, u16, u8),
    SubAck(u16, Vec<u8>),
    UnsubAck(u16, Vec<u8>),
    PingResp,
    Disconnect(u8),
    /// Reason code and properties.
    Auth(u8, Vec<u8>),
}

#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Publish {
    pub topic: String,
    pub payload: Vec<u8>,
    pub qos: u8,
    pub retain: bool,
    pub dup: bool,
    pub id: u16,
    pub props: Vec<u8>,
}

fn take<'a>(bytes: &mut &'a [u8], len: usize) -> &'a [u8] {
    let (taken, left) = bytes.split_at(len);
    *bytes = left;
    taken
}

fn take_u16(bytes: &mut &[u8]) -> u16 {
    u16::from_be_bytes(take(bytes, 2).try_into().unwrap())
}

fn take_varint(bytes: &mut &[u8]) -> usize {
    let mut value = 0;
    for shift in 0..4 {
        let byte = take(bytes, 1)[0];
        value |= usize::from(byte & 0x7F) << (7 * shift);
        if byte < 0x80 {
            return value;
        }
    }
    panic!("bad variable byte integer from the broker");
}

fn take_props(bytes: &mut &[u8], v5: bool) -> Vec<u8> {
    if !v5 {
        return Vec::new();
    }
    let len = take_varint(bytes);
    take(bytes, len).to_vec()
}

/// Reads whole packets.
pub(super) fn read(bytes: &[u8], v5: bool) -> Vec<In> {
    let mut found = Vec::new();
    let mut left = bytes;
    while !left.is_empty() {
        let first = take(&mut left, 1)[0];
        let len = take_varint(&mut left);
        let mut body = take(&mut left, len);
        found.push(one(first, &mut body, v5));
        assert!(
            body.is_empty(),
            "bytes left in a packet {first:02x} from the broker"
        );
    }
    found
}

fn one(first: u8, body: &mut &[u8], v5: bool) -> In {
    match first {
        0x20 => {
            let flags = take(body, 2);
            let (present, code) = (flags[0] == 1, flags[1]);
            In::ConnAck {
                present,
                code,
                props: take_props(body, !body.is_empty()),
            }
        }
        0x30..=0x3F => {
            let len = take_u16(body);
            let topic = String::from_utf8(take(body, len.into()).to_vec()).unwrap();
            let qos = first >> 1 & 3;
            let id = if qos > 0 { take_u16(body) } else { 0 };
            let props = take_props(body, v5);
            let payload = take(body, body.len()).to_vec();
            let (retain, dup) = (first & 1 != 0, first & 8 != 0);
            In::Publish(Publish {
                topic,
                payload,
                qos,
                retain,
                dup,
                id,
                props,
            })
        }
        0x40 | 0x50 | 0x62 | 0x70 => {
            let id = take_u16(body);
            let code = if body.is_empty() { 0 } else { take(body, 1)[0] };
            In::Ack(first, id, code)
        }
        0x90 | 0xB0 => {
            let id = take_u16(body);
            take_props(body, v5);
            let codes = take(body, body.len()).to_vec();
            if first == 0x90 {
                In::SubAck(id, codes)
            } else {
                In::UnsubAck(id, codes)
            }
        }
        0xD0 => In::PingResp,
        0xE0 => {
            let code = if body.is_empty() { 0 } else { take(body, 1)[0] };
            if !body.is_empty() {
                take_props(body, true);
            }
            In::Disconnect(code)
        }
        0xF0 => In::Auth(take(body, 1)[0], take_props(body, true)),
        _ => panic!("packet {first:02x} from the broker"),
    }
}
