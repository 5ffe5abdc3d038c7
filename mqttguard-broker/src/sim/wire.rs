//! Packets as a client writes and reads them; nothing here is the broker's own codec.

/// A packet from its first byte and the rest.
pub(super) fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    varint(&mut out, body.len());
    out.extend_from_slice(body);
    out
}

pub(super) fn varint(out: &mut Vec<u8>, mut value: usize) {
    while value >= 128 {
        out.push((value % 128) as u8 | 0x80);
        value /= 128;
    }
    out.push(value as u8);
}

/// A string or binary data with its length.
pub(super) fn text(out: &mut Vec<u8>, text: &[u8]) {
    out.extend_from_slice(&(text.len() as u16).to_be_bytes());
    out.extend_from_slice(text);
}

/// Properties with their length; nothing before MQTT 5.
pub(super) fn properties(out: &mut Vec<u8>, v5: bool, list: &[u8]) {
    if v5 {
        varint(out, list.len());
        out.extend_from_slice(list);
    }
}

/// PUBACK, PUBREC, PUBREL or PUBCOMP by its first byte.
pub(super) fn ack(first: u8, id: u16) -> Vec<u8> {
    packet(first, &id.to_be_bytes())
}

pub(super) const PUBACK: u8 = 0x40;
pub(super) const PUBREC: u8 = 0x50;
pub(super) const PUBREL: u8 = 0x62;
pub(super) const PUBCOMP: u8 = 0x70;

/// A packet from the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Packet {
    ConnAck { present: bool, code: u8 },
    Publish(Publish),
    Ack { first: u8, id: u16, code: u8 },
    SubAck { id: u16, codes: Vec<u8> },
    UnsubAck { id: u16, codes: Vec<u8> },
    PingResp,
    Disconnect { code: u8 },
}

/// A PUBLISH from the broker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Publish {
    pub(super) topic: String,
    pub(super) payload: String,
    pub(super) qos: u8,
    pub(super) retain: bool,
    pub(super) dup: bool,
    /// 0 with QoS 0.
    pub(super) id: u16,
    pub(super) alias: Option<u16>,
    pub(super) expiry_s: Option<u32>,
    /// Subscription identifiers, sorted.
    pub(super) ids: Vec<u32>,
    /// All other properties.
    pub(super) properties: Vec<u8>,
    /// Bytes of the whole packet.
    pub(super) size: usize,
}

/// Takes the first packet off the stream, once it is whole.
pub(super) fn take(stream: &mut Vec<u8>, v5: bool) -> Option<Packet> {
    let mut len = 0;
    let mut header = 1;
    loop {
        let byte = *stream.get(header)?;
        len |= usize::from(byte & 0x7F) << (7 * (header - 1));
        header += 1;
        if byte < 0x80 {
            break;
        }
        assert!(header < 5, "a remaining length of more than four bytes");
    }
    if stream.len() < header + len {
        return None;
    }
    let bytes: Vec<u8> = stream.drain(..header + len).collect();
    let mut left = Reader(&bytes[header..]);
    let mut packet = read(bytes[0], &mut left, v5);
    assert!(left.0.is_empty(), "bytes left over in {packet:?}");
    if let Packet::Publish(publish) = &mut packet {
        publish.size = bytes.len();
    }
    Some(packet)
}

fn read(first: u8, left: &mut Reader<'_>, v5: bool) -> Packet {
    match first {
        0x20 => {
            let [flags, code] = left.array();
            assert!(flags < 2, "CONNACK flags {flags:02x}");
            // A client of an unknown version is answered as one of MQTT 3.
            if v5 {
                left.properties();
            }
            Packet::ConnAck {
                present: flags == 1,
                code,
            }
        }
        0x30..=0x3F => Packet::Publish(publish(first, left, v5)),
        PUBACK | PUBREC | PUBREL | PUBCOMP => {
            let id = left.u16();
            let mut code = 0;
            if !left.0.is_empty() {
                assert!(v5, "a reason code before MQTT 5");
                [code] = left.array();
            }
            if !left.0.is_empty() {
                left.properties();
            }
            Packet::Ack { first, id, code }
        }
        0x90 | 0xB0 => {
            let id = left.u16();
            if v5 {
                left.properties();
            }
            let codes = left.take(left.0.len()).to_vec();
            if first == 0x90 {
                Packet::SubAck { id, codes }
            } else {
                Packet::UnsubAck { id, codes }
            }
        }
        0xD0 => Packet::PingResp,
        0xE0 => {
            assert!(v5, "DISCONNECT before MQTT 5");
            let [code] = left.array();
            if !left.0.is_empty() {
                left.properties();
            }
            Packet::Disconnect { code }
        }
        _ => panic!("packet {first:02x} from the broker"),
    }
}

fn publish(first: u8, left: &mut Reader<'_>, v5: bool) -> Publish {
    let mut publish = Publish {
        qos: first >> 1 & 3,
        retain: first & 1 != 0,
        dup: first & 8 != 0,
        topic: left.text(),
        ..Publish::default()
    };
    assert!(publish.qos < 3, "QoS 3");
    if publish.qos > 0 {
        publish.id = left.u16();
        assert!(publish.id > 0, "packet identifier 0");
    }
    if v5 {
        let mut list = Reader(left.properties());
        while !list.0.is_empty() {
            let before = list.0;
            let [id] = list.array();
            match id {
                0x02 => publish.expiry_s = Some(u32::from_be_bytes(list.array())),
                0x23 => publish.alias = Some(list.u16()),
                0x0B => publish.ids.push(list.varint() as u32),
                _ => {
                    match id {
                        0x01 => drop(list.take(1)),
                        0x26 => drop((list.text(), list.text())),
                        _ => drop(list.text()),
                    }
                    let used = before.len() - list.0.len();
                    publish.properties.extend_from_slice(&before[..used]);
                }
            }
        }
        publish.ids.sort_unstable();
    }
    publish.payload = String::from_utf8(left.take(left.0.len()).to_vec()).expect("text");
    publish
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, left) = self.0.split_at(len);
        self.0 = left;
        taken
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        self.take(N).try_into().expect("as long as asked for")
    }

    fn u16(&mut self) -> u16 {
        u16::from_be_bytes(self.array())
    }

    fn varint(&mut self) -> usize {
        let mut value = 0;
        for shift in 0..4 {
            let [byte] = self.array();
            value |= usize::from(byte & 0x7F) << (7 * shift);
            if byte < 0x80 {
                return value;
            }
        }
        panic!("a variable byte integer of more than four bytes");
    }

    fn text(&mut self) -> String {
        let len = self.u16();
        String::from_utf8(self.take(len.into()).to_vec()).expect("UTF-8")
    }

    fn properties(&mut self) -> &'a [u8] {
        let len = self.varint();
        self.take(len)
    }
}
