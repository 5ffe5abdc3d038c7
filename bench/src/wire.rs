//! As much of MQTT 3.1.1 as a load generator speaks.

/// A packet from a broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packet<'a> {
    /// CONNACK and its return code.
    Connack(u8),
    /// PUBLISH; the identifier is 0 at QoS 0.
    Publish {
        qos: u8,
        id: u16,
        payload: &'a [u8],
    },
    Puback,
    Pubrec(u16),
    Pubrel(u16),
    Pubcomp,
    /// SUBACK and its first return code.
    Suback(u8),
    Other,
}

/// Takes the first whole packet off `bytes`: the packet, and the bytes behind it. None if more
/// bytes are needed.
pub(crate) fn split(bytes: &[u8]) -> Option<(Packet<'_>, &[u8])> {
    let (&first, mut rest) = bytes.split_first()?;
    let mut length = 0usize;
    for shift in [0, 7, 14, 21] {
        let (&byte, after) = rest.split_first()?;
        rest = after;
        length |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            let (body, behind) = rest.split_at_checked(length)?;
            return Some((packet(first, body), behind));
        }
    }
    Some((Packet::Other, &[]))
}

fn packet(first: u8, body: &[u8]) -> Packet<'_> {
    let read = || match first >> 4 {
        2 => Some(Packet::Connack(*body.get(1)?)),
        3 => {
            let (topic, rest) = body.split_at_checked(2)?;
            let (_, rest) = rest.split_at_checked(number(topic)?.into())?;
            let qos = (first >> 1) & 3;
            let (id, payload) = rest.split_at_checked(if qos > 0 { 2 } else { 0 })?;
            let id = number(id).unwrap_or_default();
            Some(Packet::Publish { qos, id, payload })
        }
        4 => Some(Packet::Puback),
        5 => Some(Packet::Pubrec(number(body)?)),
        6 => Some(Packet::Pubrel(number(body)?)),
        7 => Some(Packet::Pubcomp),
        9 => Some(Packet::Suback(*body.get(2)?)),
        _ => None,
    };
    read().unwrap_or(Packet::Other)
}

fn number(bytes: &[u8]) -> Option<u16> {
    bytes.first_chunk().copied().map(u16::from_be_bytes)
}

/// CONNECT with a clean session and a keep-alive of one minute.
pub(crate) fn connect(out: &mut Vec<u8>, client_id: &str) {
    let mut body = vec![0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 60];
    string(&mut body, client_id);
    frame(out, 0x10, &body);
}

pub(crate) fn subscribe(out: &mut Vec<u8>, filter: &str, qos: u8) {
    let mut body = vec![0, 1];
    string(&mut body, filter);
    body.push(qos);
    frame(out, 0x82, &body);
}

/// What does not change from one PUBLISH of a load to the next.
#[derive(Clone, Debug)]
pub(crate) struct Publication {
    pub(crate) topic: String,
    pub(crate) qos: u8,
    pub(crate) retain: bool,
}

impl Publication {
    pub(crate) fn new(topic: impl Into<String>, qos: u8) -> Publication {
        Publication {
            topic: topic.into(),
            qos,
            retain: false,
        }
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>, id: u16, payload: &[u8]) {
        let mut body = Vec::with_capacity(self.topic.len() + payload.len() + 4);
        string(&mut body, &self.topic);
        if self.qos > 0 {
            body.extend_from_slice(&id.to_be_bytes());
        }
        body.extend_from_slice(payload);
        frame(out, 0x30 | self.qos << 1 | u8::from(self.retain), &body);
    }
}

/// PUBACK, PUBREC, PUBREL or PUBCOMP, by its first byte.
pub(crate) fn acknowledge(out: &mut Vec<u8>, first: u8, id: u16) {
    frame(out, first, &id.to_be_bytes());
}

pub(crate) fn disconnect(out: &mut Vec<u8>) {
    frame(out, 0xe0, &[]);
}

fn string(out: &mut Vec<u8>, text: &str) {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

fn frame(out: &mut Vec<u8>, first: u8, body: &[u8]) {
    out.push(first);
    let mut length = body.len();
    loop {
        let low = (length & 0x7f) as u8;
        length >>= 7;
        out.push(if length > 0 { low | 0x80 } else { low });
        if length == 0 {
            break;
        }
    }
    out.extend_from_slice(body);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let mut bytes = Vec::new();
        let publication = Publication::new("a/b", 1);
        publication.encode(&mut bytes, 7, &[b'x'; 300]);
        acknowledge(&mut bytes, 0x62, 9);
        assert_eq!(split(&bytes[..bytes.len() - 5]), None);
        let (packet, rest) = split(&bytes).unwrap();
        let payload = &[b'x'; 300][..];
        let (qos, id) = (1, 7);
        assert_eq!(packet, Packet::Publish { qos, id, payload });
        assert_eq!(split(rest), Some((Packet::Pubrel(9), &[][..])));
    }
}
