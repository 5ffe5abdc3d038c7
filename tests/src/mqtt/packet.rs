//! Packets as a client writes them.

use super::props;

/// A version of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Version {
    /// MQTT 3.1.
    V31 = 3,
    /// MQTT 3.1.1.
    V311 = 4,
    /// MQTT 5.0.
    V5 = 5,
}

use Version::V5;

impl Version {
    /// All of them.
    pub const ALL: [Version; 3] = [Version::V31, Version::V311, V5];

    /// The protocol name and level that a CONNECT of it begins with.
    pub fn protocol(self) -> Vec<u8> {
        let name = match self {
            Version::V31 => text("MQIsdp"),
            Version::V311 | V5 => text("MQTT"),
        };
        [name, vec![self as u8]].concat()
    }

    /// An empty list of properties where the version has properties.
    pub fn no_properties(self) -> &'static [u8] {
        if self == V5 { &[0] } else { &[] }
    }
}

/// A variable byte integer (MQTT 5 section 1.5.5).
pub fn varint(mut value: usize) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let low = (value % 128) as u8;
        value /= 128;
        if value == 0 {
            out.push(low);
            return out;
        }
        out.push(low | 0x80);
    }
}

/// A string or binary data behind its length of two bytes.
pub fn text(text: impl AsRef<[u8]>) -> Vec<u8> {
    let text = text.as_ref();
    let length = u16::try_from(text.len()).unwrap();
    [&length.to_be_bytes()[..], text].concat()
}

/// A packet of its first byte and what follows the fixed header.
pub fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    [&[first][..], &varint(body.len()), body].concat()
}

/// A CONNECT.
#[derive(Clone, Debug)]
pub struct Connect {
    version: Version,
    client_id: Vec<u8>,
    clean: bool,
    keep_alive: u16,
    properties: Vec<Vec<u8>>,
    will: Option<Will>,
    username: Option<String>,
    password: Option<Vec<u8>>,
}

#[derive(Clone, Debug)]
struct Will {
    topic: String,
    payload: Vec<u8>,
    qos: u8,
    retain: bool,
    properties: Vec<Vec<u8>>,
}

impl Connect {
    /// With a clean start, no keep alive and nothing else.
    pub fn new(version: Version, client_id: impl AsRef<[u8]>) -> Self {
        Self {
            version,
            client_id: client_id.as_ref().to_vec(),
            clean: true,
            keep_alive: 0,
            properties: Vec::new(),
            will: None,
            username: None,
            password: None,
        }
    }

    /// The version it speaks.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Without a clean start.
    pub fn resume(mut self) -> Self {
        self.clean = false;
        self
    }

    /// A session that outlives its connection: for MQTT 5 by an expiry interval of an hour, for
    /// MQTT 3 by not being clean.
    pub fn lasting(self) -> Self {
        match self.version {
            V5 => self.expiry(3600),
            _ => self.resume(),
        }
    }

    /// The keep alive in seconds.
    pub fn keep_alive(mut self, seconds: u16) -> Self {
        self.keep_alive = seconds;
        self
    }

    /// With one more property.
    pub fn with(mut self, property: impl AsRef<[u8]>) -> Self {
        self.properties.push(property.as_ref().to_vec());
        self
    }

    /// With a Session Expiry Interval in seconds.
    pub fn expiry(self, seconds: u32) -> Self {
        self.with(props::four(props::SESSION_EXPIRY, seconds))
    }

    /// With a will of payload `gone`.
    pub fn will(mut self, topic: &str, qos: u8, retain: bool) -> Self {
        self.will = Some(Will {
            topic: topic.into(),
            payload: b"gone".to_vec(),
            qos,
            retain,
            properties: Vec::new(),
        });
        self
    }

    /// With one more property of the will.
    pub fn will_with(mut self, property: impl AsRef<[u8]>) -> Self {
        let will = self.will.as_mut().unwrap();
        will.properties.push(property.as_ref().to_vec());
        self
    }

    /// With another payload of the will.
    pub fn will_payload(mut self, payload: impl AsRef<[u8]>) -> Self {
        self.will.as_mut().unwrap().payload = payload.as_ref().to_vec();
        self
    }

    /// With a user name and a password.
    pub fn login(mut self, username: &str, password: &str) -> Self {
        self.username = Some(username.into());
        self.password = Some(password.into());
        self
    }

    /// Its bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let mut body = self.version.protocol();
        let mut flags = u8::from(self.clean) << 1;
        if let Some(will) = &self.will {
            flags |= 0x04 | will.qos << 3 | u8::from(will.retain) << 5;
        }
        flags |= u8::from(self.username.is_some()) << 7;
        flags |= u8::from(self.password.is_some()) << 6;
        body.push(flags);
        body.extend(self.keep_alive.to_be_bytes());
        body.extend(list(self.version, &self.properties));
        body.extend(text(&self.client_id));
        if let Some(will) = &self.will {
            body.extend(list(self.version, &will.properties));
            body.extend(text(&will.topic));
            body.extend(text(&will.payload));
        }
        if let Some(username) = &self.username {
            body.extend(text(username));
        }
        if let Some(password) = &self.password {
            body.extend(text(password));
        }
        packet(0x10, &body)
    }
}

/// A PUBLISH.
#[derive(Clone, Debug)]
pub struct Publish {
    topic: Vec<u8>,
    payload: Vec<u8>,
    flags: u8,
    id: u16,
    properties: Vec<Vec<u8>>,
}

impl Publish {
    /// With QoS 0.
    pub fn new(topic: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> Self {
        Self {
            topic: topic.as_ref().to_vec(),
            payload: payload.as_ref().to_vec(),
            flags: 0,
            id: 0,
            properties: Vec::new(),
        }
    }

    /// With a QoS and, unless that is 0, a packet identifier.
    pub fn qos(mut self, qos: u8, id: u16) -> Self {
        self.flags |= qos << 1;
        self.id = id;
        self
    }

    /// With RETAIN.
    pub fn retain(mut self) -> Self {
        self.flags |= 1;
        self
    }

    /// With DUP.
    pub fn dup(mut self) -> Self {
        self.flags |= 8;
        self
    }

    /// With one more property; MQTT 3 leaves it out.
    pub fn with(mut self, property: impl AsRef<[u8]>) -> Self {
        self.properties.push(property.as_ref().to_vec());
        self
    }

    /// Its bytes.
    pub fn bytes(&self, version: Version) -> Vec<u8> {
        let mut body = text(&self.topic);
        if self.flags & 0x06 != 0 {
            body.extend(self.id.to_be_bytes());
        }
        body.extend(list(version, &self.properties));
        body.extend(&self.payload);
        packet(0x30 | self.flags, &body)
    }
}

/// A SUBSCRIBE.
#[derive(Clone, Debug)]
pub struct Subscribe {
    id: u16,
    filters: Vec<(Vec<u8>, u8)>,
    properties: Vec<Vec<u8>>,
}

/// The subscription option No Local.
pub const NO_LOCAL: u8 = 0x04;
/// The subscription option Retain As Published.
pub const RETAIN_AS_PUBLISHED: u8 = 0x08;
/// Retain Handling: only for a new subscription.
pub const RETAINED_IF_NEW: u8 = 0x10;
/// Retain Handling: no retained messages.
pub const NO_RETAINED: u8 = 0x20;

impl Subscribe {
    /// Without a filter.
    pub fn new(id: u16) -> Self {
        Self {
            id,
            filters: Vec::new(),
            properties: Vec::new(),
        }
    }

    /// With one more filter and its options.
    pub fn to(mut self, filter: impl AsRef<[u8]>, options: u8) -> Self {
        self.filters.push((filter.as_ref().to_vec(), options));
        self
    }

    /// With one more property; MQTT 3 leaves it out.
    pub fn with(mut self, property: impl AsRef<[u8]>) -> Self {
        self.properties.push(property.as_ref().to_vec());
        self
    }

    /// Its bytes.
    pub fn bytes(&self, version: Version) -> Vec<u8> {
        let mut body = self.id.to_be_bytes().to_vec();
        body.extend(list(version, &self.properties));
        for (filter, options) in &self.filters {
            body.extend(text(filter));
            body.push(*options);
        }
        packet(0x82, &body)
    }
}

/// An UNSUBSCRIBE.
pub fn unsubscribe(version: Version, id: u16, filters: &[&str]) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    body.extend(version.no_properties());
    for filter in filters {
        body.extend(text(filter));
    }
    packet(0xA2, &body)
}

/// First byte of a PUBACK.
pub const PUBACK: u8 = 0x40;
/// First byte of a PUBREC.
pub const PUBREC: u8 = 0x50;
/// First byte of a PUBREL.
pub const PUBREL: u8 = 0x62;
/// First byte of a PUBCOMP.
pub const PUBCOMP: u8 = 0x70;

/// PUBACK, PUBREC, PUBREL or PUBCOMP that says success.
pub fn ack(first: u8, id: u16) -> Vec<u8> {
    packet(first, &id.to_be_bytes())
}

/// The same with a reason code, for MQTT 5.
pub fn ack_with(first: u8, id: u16, code: u8) -> Vec<u8> {
    packet(first, &[&id.to_be_bytes()[..], &[code]].concat())
}

/// A PINGREQ.
pub const PINGREQ: [u8; 2] = [0xC0, 0];
/// A DISCONNECT with nothing in it.
pub const DISCONNECT: [u8; 2] = [0xE0, 0];

/// A DISCONNECT of MQTT 5.
pub fn disconnect(code: u8, properties: &[&[u8]]) -> Vec<u8> {
    let properties = properties.concat();
    let body = [&[code][..], &varint(properties.len()), &properties].concat();
    packet(0xE0, &body)
}

fn list(version: Version, properties: &[Vec<u8>]) -> Vec<u8> {
    if version != V5 {
        return Vec::new();
    }
    props::list(&properties.concat())
}
