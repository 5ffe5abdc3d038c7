//! Packets as a server sends them, read so strictly that every test is a test of their form too.

use super::packet::Version;
use super::props::{self, Props, Type, Value};

/// A packet from the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// CONNACK.
    ConnAck {
        /// Session Present.
        present: bool,
        /// The reason code, or the return code of MQTT 3.
        code: u8,
        /// Its properties.
        props: Props,
    },
    /// PUBLISH.
    Publish(Delivery),
    /// PUBACK, PUBREC, PUBREL or PUBCOMP.
    Ack(Ack),
    /// SUBACK: packet identifier, code by filter, properties.
    SubAck(u16, Vec<u8>, Props),
    /// UNSUBACK: the same; no codes in MQTT 3.
    UnsubAck(u16, Vec<u8>, Props),
    /// PINGRESP.
    PingResp,
    /// DISCONNECT: reason code, properties.
    Disconnect(u8, Props),
    /// AUTH: reason code, properties.
    Auth(u8, Props),
}

/// PUBACK, PUBREC, PUBREL or PUBCOMP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ack {
    /// The first byte: which of them it is.
    pub first: u8,
    /// The packet identifier.
    pub id: u16,
    /// The reason code.
    pub code: u8,
    /// Its properties.
    pub props: Props,
}

/// A PUBLISH from the server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// The topic name; empty if there is an alias instead.
    pub topic: String,
    /// The payload.
    pub payload: Vec<u8>,
    /// The QoS.
    pub qos: u8,
    /// RETAIN.
    pub retain: bool,
    /// DUP.
    pub dup: bool,
    /// The packet identifier; 0 with QoS 0.
    pub id: u16,
    /// Its properties.
    pub props: Props,
}

impl Delivery {
    /// Topic and payload, for comparisons.
    pub fn brief(&self) -> (&str, &[u8]) {
        (&self.topic, &self.payload)
    }
}

/// Reason codes that a server may send, by the first byte of the packet (tables of MQTT 5
/// chapter 3).
fn codes(first: u8) -> &'static [u8] {
    match first {
        0x20 => &[
            0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90,
            0x95, 0x97, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F,
        ],
        0x40 | 0x50 => &[0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99],
        0x62 | 0x70 => &[0x00, 0x92],
        0x90 => &[
            0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2,
        ],
        0xB0 => &[0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91],
        0xE0 => &[
            0x00, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8D, 0x8E, 0x8F, 0x90, 0x93, 0x94,
            0x95, 0x96, 0x97, 0x98, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2,
        ],
        0xF0 => &[0x00, 0x18],
        _ => &[],
    }
}

/// Properties that a server may send, by the first byte of the packet (table 2-4 and the
/// sections of each packet).
fn allowed(first: u8) -> &'static [u8] {
    match first {
        0x20 => &[
            0x11, 0x12, 0x13, 0x15, 0x16, 0x1A, 0x1C, 0x1F, 0x21, 0x22, 0x24, 0x25, 0x26, 0x27,
            0x28, 0x29, 0x2A,
        ],
        0x30..=0x3F => &[0x01, 0x02, 0x03, 0x08, 0x09, 0x0B, 0x23, 0x26],
        0x40 | 0x50 | 0x62 | 0x70 | 0x90 | 0xB0 => &[0x1F, 0x26],
        // MQTT-3.14.2-2: no Session Expiry Interval from a server.
        0xE0 => &[0x1C, 0x1F, 0x26],
        0xF0 => &[0x15, 0x16, 0x1F, 0x26],
        _ => &[],
    }
}

/// Takes the first packet off `bytes`; None if it is not whole. An error says what the server
/// has done wrong.
pub fn take(bytes: &mut Vec<u8>, version: Version) -> Result<Option<Answer>, String> {
    let Some(&first) = bytes.first() else {
        return Ok(None);
    };
    let mut fields = Fields(&bytes[1..]);
    let length = match fields.varint() {
        Ok(length) => length as usize,
        Err(_) if bytes.len() < 5 => return Ok(None),
        Err(what) => return Err(format!("{first:02x}: remaining length: {what}")),
    };
    let Some(body) = fields.0.get(..length) else {
        return Ok(None);
    };
    let used = bytes.len() - fields.0.len() + length;
    let found = read(first, body, version)
        .map_err(|what| format!("{:02x?} from the server: {what}", &bytes[..used]))?;
    bytes.drain(..used);
    Ok(Some(found))
}

fn read(first: u8, body: &[u8], version: Version) -> Result<Answer, String> {
    let v5 = version == Version::V5;
    let mut fields = Fields(body);
    let answer = match first {
        0x20 => {
            let flags = fields.u8()?;
            if flags > 1 {
                return Err("reserved CONNACK flags are set".into());
            }
            let code = fields.u8()?;
            let present = flags == 1;
            if present && code != 0 {
                return Err("Session Present in a refusal".into());
            }
            // A refused client may have spoken another version.
            let props = match fields.0 {
                [] => Props::default(),
                _ => fields.properties(first)?,
            };
            let v3 = body.len() == 2;
            if v3 && code > 5 || !v3 && !codes(first).contains(&code) {
                return Err(format!("CONNACK with code {code:02x}"));
            }
            Answer::ConnAck {
                present,
                code,
                props,
            }
        }
        0x30..=0x3F => Answer::Publish(fields.publish(first, v5)?),
        0x40 | 0x50 | 0x62 | 0x70 => {
            let id = fields.id()?;
            let code = match fields.0 {
                [] => 0,
                _ if v5 => fields.code(first)?,
                _ => return Err("an acknowledgement of more than its identifier".into()),
            };
            let props = fields.rest_properties(first)?;
            Answer::Ack(Ack {
                first,
                id,
                code,
                props,
            })
        }
        0x90 | 0xB0 => {
            let id = fields.id()?;
            let props = match v5 {
                true => fields.properties(first)?,
                false => Props::default(),
            };
            let found = std::mem::take(&mut fields.0).to_vec();
            let known: &[u8] = match (v5, first) {
                (true, _) => codes(first),
                (false, 0x90) => &[0, 1, 2, 0x80],
                (false, _) => &[],
            };
            if let Some(code) = found.iter().find(|code| !known.contains(code)) {
                return Err(format!("code {code:02x}"));
            }
            match first {
                0x90 => Answer::SubAck(id, found, props),
                _ => Answer::UnsubAck(id, found, props),
            }
        }
        0xD0 => Answer::PingResp,
        0xE0 if v5 => {
            let code = match fields.0 {
                [] => 0,
                _ => fields.code(first)?,
            };
            Answer::Disconnect(code, fields.rest_properties(first)?)
        }
        0xF0 if v5 => {
            let code = match fields.0 {
                [] => 0,
                _ => fields.code(first)?,
            };
            Answer::Auth(code, fields.rest_properties(first)?)
        }
        _ => return Err("not a packet that a server sends".into()),
    };
    match fields.0 {
        [] => Ok(answer),
        left => Err(format!("{} bytes are left", left.len())),
    }
}

struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], String> {
        let (taken, left) = self.0.split_at_checked(length).ok_or("it is too short")?;
        self.0 = left;
        Ok(taken)
    }

    fn u8(&mut self) -> Result<u8, String> {
        Ok(self.take(1)?[0])
    }

    fn u16(&mut self) -> Result<u16, String> {
        Ok(u16::from_be_bytes(self.take(2)?.try_into().unwrap()))
    }

    fn id(&mut self) -> Result<u16, String> {
        match self.u16()? {
            0 => Err("packet identifier 0".into()),
            id => Ok(id),
        }
    }

    fn code(&mut self, first: u8) -> Result<u8, String> {
        let code = self.u8()?;
        match codes(first).contains(&code) {
            true => Ok(code),
            false => Err(format!("reason code {code:02x}")),
        }
    }

    fn varint(&mut self) -> Result<u32, String> {
        let mut value = 0;
        for shift in [0, 7, 14, 21] {
            let byte = self.u8()?;
            value |= u32::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                if byte == 0 && shift > 0 {
                    return Err("a variable byte integer longer than it need be".into());
                }
                return Ok(value);
            }
        }
        Err("a variable byte integer of five bytes".into())
    }

    fn data(&mut self) -> Result<Vec<u8>, String> {
        let length = self.u16()?;
        Ok(self.take(length.into())?.to_vec())
    }

    fn text(&mut self) -> Result<String, String> {
        let text = String::from_utf8(self.data()?).map_err(|_| "a string that is not UTF-8")?;
        match text.contains('\0') {
            true => Err("a string with U+0000".into()),
            false => Ok(text),
        }
    }

    fn publish(&mut self, first: u8, v5: bool) -> Result<Delivery, String> {
        let (qos, dup, retain) = (first >> 1 & 3, first & 8 != 0, first & 1 != 0);
        if qos == 3 || dup && qos == 0 {
            return Err("flags".into());
        }
        let topic = self.text()?;
        let id = if qos > 0 { self.id()? } else { 0 };
        let props = match v5 {
            true => self.properties(first)?,
            false => Props::default(),
        };
        if topic.contains(['+', '#']) || topic.is_empty() && !props.has(props::TOPIC_ALIAS) {
            return Err("topic name".into());
        }
        if props.number(props::TOPIC_ALIAS) == Some(0) {
            return Err("Topic Alias 0".into());
        }
        Ok(Delivery {
            topic,
            payload: std::mem::take(&mut self.0).to_vec(),
            qos,
            retain,
            dup,
            id,
            props,
        })
    }

    fn rest_properties(&mut self, first: u8) -> Result<Props, String> {
        match self.0 {
            [] => Ok(Props::default()),
            _ => self.properties(first),
        }
    }

    fn properties(&mut self, first: u8) -> Result<Props, String> {
        let length = self.varint()?;
        let mut fields = Fields(self.take(length as usize)?);
        let mut found = Props::default();
        while !fields.0.is_empty() {
            let id = fields.u8()?;
            if !allowed(first).contains(&id) {
                return Err(format!("property {id:02x}"));
            }
            // Several only of what may come several times.
            let several = [props::USER_PROPERTY, props::SUBSCRIPTION_ID].contains(&id);
            if found.has(id) && !several {
                return Err(format!("property {id:02x} twice"));
            }
            found.0.push((id, fields.value(id)?));
        }
        Ok(found)
    }

    fn value(&mut self, id: u8) -> Result<Value, String> {
        let kind = props::TYPES.iter().find(|(known, _)| *known == id);
        Ok(match kind.ok_or("an unknown property")?.1 {
            Type::Byte => Value::Number(self.u8()?.into()),
            Type::Two => Value::Number(self.u16()?.into()),
            Type::Four => Value::Number(u32::from_be_bytes(self.take(4)?.try_into().unwrap())),
            Type::Varint => Value::Number(self.varint()?),
            Type::Text => Value::Text(self.text()?),
            Type::Data => Value::Data(self.data()?),
            Type::Pair => Value::Pair(self.text()?, self.text()?),
        })
    }
}
