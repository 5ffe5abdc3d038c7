//! What records are made of: fields, to bytes and back.

use std::borrow::Cow;

use crate::Time;
use crate::codec::QoS;
use crate::codec::subscribe::{Options, RetainHandling};
use crate::message::Body;

/// A message for one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reference<'a> {
    /// The message's serial.
    pub(crate) message: u64,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    /// Subscription identifiers.
    pub(crate) ids: Cow<'a, [u32]>,
    /// The filter, `$share` and all, of the shared subscription it came by.
    pub(crate) share: Option<&'a str>,
}

pub(super) struct Writer<'o>(pub(super) &'o mut Vec<u8>);

impl Writer<'_> {
    pub(super) fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    pub(super) fn int(&mut self, value: u64) {
        let mut left = value;
        while left >= 0x80 {
            self.0.push(left as u8 | 0x80);
            left >>= 7;
        }
        self.0.push(left as u8);
    }

    pub(super) fn ints(&mut self, kind: u8, values: &[u64]) {
        self.byte(kind);
        for value in values {
            self.int(*value);
        }
    }

    pub(super) fn ids(&mut self, kind: u8, session: u64, packet_id: u16) {
        self.ints(kind, &[session, u64::from(packet_id)]);
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.int(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn body(&mut self, body: &Body<'_>) {
        self.byte(body.qos as u8 | u8::from(body.retain) << 2);
        self.bytes(body.topic.as_bytes());
        self.bytes(body.properties);
        self.bytes(body.payload);
    }

    pub(super) fn reference(&mut self, what: &Reference<'_>) {
        self.int(what.message);
        self.byte(
            what.qos as u8 | u8::from(what.retain) << 2 | u8::from(what.share.is_some()) << 3,
        );
        self.int(what.ids.len() as u64);
        for id in &*what.ids {
            self.int(u64::from(*id));
        }
        if let Some(share) = what.share {
            self.bytes(share.as_bytes());
        }
    }
}

pub(super) struct Reader<'r, 'a>(pub(super) &'r mut &'a [u8]);

impl<'a> Reader<'_, 'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        *self.0 = rest;
        Some(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn int(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7F).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.int()?.try_into().ok()
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.int()?.try_into().ok()
    }

    /// Never is the shortest, and the most frequent.
    pub(super) fn time(&mut self) -> Option<Time> {
        Some(Time(self.int()?.wrapping_sub(1)))
    }

    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = self.int()?;
        self.take(usize::try_from(len).ok()?)
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    pub(super) fn body(&mut self) -> Option<Body<'a>> {
        let flags = self.byte()?;
        Some(Body {
            qos: QoS::from_bits(flags)?,
            retain: flags & 0x04 != 0,
            topic: self.text()?,
            properties: self.bytes()?,
            payload: self.bytes()?,
        })
    }

    pub(super) fn reference(&mut self) -> Option<Reference<'a>> {
        let message = self.int()?;
        let flags = self.byte()?;
        let mut ids = Vec::new();
        for _ in 0..self.int()? {
            ids.push(self.u32()?);
        }
        Some(Reference {
            message,
            qos: QoS::from_bits(flags)?,
            retain: flags & 0x04 != 0,
            ids: ids.into(),
            share: if flags & 0x08 != 0 {
                Some(self.text()?)
            } else {
                None
            },
        })
    }
}

/// As in a SUBSCRIBE (MQTT 5 section 3.8.3.1).
pub(super) fn bits(options: Options) -> u8 {
    options.qos as u8
        | u8::from(options.no_local) << 2
        | u8::from(options.retain_as_published) << 3
        | match options.retain_handling {
            RetainHandling::Send => 0,
            RetainHandling::SendIfNew => 0x10,
            RetainHandling::DoNotSend => 0x20,
        }
}

/// Likewise.
pub(super) fn options(bits: u8) -> Option<Options> {
    Some(Options {
        qos: QoS::from_bits(bits)?,
        no_local: bits & 0x04 != 0,
        retain_as_published: bits & 0x08 != 0,
        retain_handling: match bits & 0x30 {
            0 => RetainHandling::Send,
            0x10 => RetainHandling::SendIfNew,
            0x20 => RetainHandling::DoNotSend,
            _ => return None,
        },
    })
}
