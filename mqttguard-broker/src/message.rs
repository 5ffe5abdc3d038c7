use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use crate::Time;
use crate::codec::QoS;
use crate::codec::content::Content;

/// What an allocation costs besides its bytes, about.
pub(crate) const ALLOCATION: usize = 16;
/// What a message costs besides its bytes: its own fields and the allocator's.
const OVERHEAD: usize = 96;

/// Bytes of all messages alive. Every message reports to it, so that what is counted is what
/// is held, wherever it is held.
#[derive(Clone, Default)]
pub(crate) struct Gauge(Arc<AtomicUsize>);

impl Gauge {
    pub(crate) fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Bytes that count in a gauge as long as this lives.
pub(crate) struct Hold {
    gauge: Gauge,
    bytes: usize,
}

impl Hold {
    pub(crate) fn new(gauge: &Gauge, bytes: usize) -> Hold {
        gauge.0.fetch_add(bytes, Ordering::Relaxed);
        Hold {
            gauge: gauge.clone(),
            bytes,
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.gauge.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Topic, properties, payload; of a message or a will, where the journal has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Body<'a> {
    pub(crate) topic: &'a str,
    pub(crate) properties: &'a [u8],
    pub(crate) payload: &'a [u8],
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
}

/// An application message, shared by everybody who waits for it.
pub(crate) struct Message {
    gauge: Gauge,
    /// Topic name, properties, payload.
    bytes: Box<[u8]>,
    topic_len: u16,
    properties_len: u32,
    /// `u64::MAX` for never.
    expires: Time,
    pub(crate) qos: QoS,
    /// As the publisher set it.
    pub(crate) retain: bool,
    /// Names it in the journal; 0 until it is written there. Two halves, the lower one first: MIPS
    /// has no atomics of 64 bits, and the one thread that owns the core never sees one half only.
    serial: [AtomicU32; 2],
    /// The journal's segment that it was last written to; 0 is none.
    pub(crate) generation: AtomicU32,
}

impl Message {
    /// Copies the content out of the packet. `topic` stands in for a topic alias. A message
    /// expiry runs from `now`.
    pub(crate) fn new(
        gauge: &Gauge,
        now: Time,
        topic: &str,
        content: &Content<'_>,
        qos: QoS,
        retain: bool,
    ) -> Message {
        let len = topic.len() + content.properties.len() + content.payload.len();
        let mut bytes = Vec::with_capacity(len);
        bytes.extend_from_slice(topic.as_bytes());
        content.forward_properties(&mut bytes);
        let properties_len = bytes.len().saturating_sub(topic.len());
        bytes.extend_from_slice(content.payload);
        let message = Message {
            gauge: gauge.clone(),
            bytes: bytes.into_boxed_slice(),
            topic_len: u16::try_from(topic.len()).unwrap_or(u16::MAX),
            properties_len: u32::try_from(properties_len).unwrap_or(u32::MAX),
            expires: content
                .expiry_s
                .map_or(Time(u64::MAX), |s| now + Duration::from_secs(u64::from(s))),
            qos,
            retain,
            serial: halves(0),
            generation: AtomicU32::new(0),
        };
        gauge.0.fetch_add(message.size(), Ordering::Relaxed);
        message
    }

    /// A message as the journal has it.
    pub(crate) fn restored(gauge: &Gauge, serial: u64, expires: Time, body: &Body<'_>) -> Message {
        let bytes = [body.topic.as_bytes(), body.properties, body.payload].concat();
        let message = Message {
            gauge: gauge.clone(),
            bytes: bytes.into_boxed_slice(),
            topic_len: u16::try_from(body.topic.len()).unwrap_or(u16::MAX),
            properties_len: u32::try_from(body.properties.len()).unwrap_or(u32::MAX),
            expires,
            qos: body.qos,
            retain: body.retain,
            serial: halves(serial),
            generation: AtomicU32::new(0),
        };
        gauge.0.fetch_add(message.size(), Ordering::Relaxed);
        message
    }

    /// What a message of this content would count for.
    pub(crate) fn size_of(topic: &str, content: &Content<'_>) -> usize {
        OVERHEAD + topic.len() + content.properties.len() + content.payload.len()
    }

    pub(crate) fn topic(&self) -> &str {
        std::str::from_utf8(self.topic_bytes()).unwrap_or_default()
    }

    /// The topic name where it is only copied, for the check of UTF-8 takes its time.
    pub(crate) fn topic_bytes(&self) -> &[u8] {
        self.bytes
            .get(..usize::from(self.topic_len))
            .unwrap_or_default()
    }

    /// Without their length, and without what the broker writes itself.
    pub(crate) fn properties(&self) -> &[u8] {
        let start = usize::from(self.topic_len);
        self.bytes
            .get(start..start + self.properties_len as usize)
            .unwrap_or_default()
    }

    pub(crate) fn payload(&self) -> &[u8] {
        let start = usize::from(self.topic_len) + self.properties_len as usize;
        self.bytes.get(start..).unwrap_or_default()
    }

    /// What names it in the journal; 0 until it is written there.
    pub(crate) fn serial(&self) -> u64 {
        let [low, high] = &self.serial;
        u64::from(high.load(Ordering::Relaxed)) << 32 | u64::from(low.load(Ordering::Relaxed))
    }

    pub(crate) fn set_serial(&self, serial: u64) {
        for (half, value) in self.serial.iter().zip(halves(serial)) {
            half.store(value.into_inner(), Ordering::Relaxed);
        }
    }

    pub(crate) fn expires(&self) -> Option<Time> {
        (self.expires.0 != u64::MAX).then_some(self.expires)
    }

    pub(crate) fn is_expired(&self, now: Time) -> bool {
        self.expires <= now
    }

    /// Bytes that it counts for.
    pub(crate) fn size(&self) -> usize {
        OVERHEAD + self.bytes.len()
    }
}

fn halves(serial: u64) -> [AtomicU32; 2] {
    [serial as u32, (serial >> 32) as u32].map(AtomicU32::new)
}

impl Drop for Message {
    fn drop(&mut self) {
        self.gauge.0.fetch_sub(self.size(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_is_all_of_its_64_bits() {
        let content = Content::default();
        let gauge = Gauge::default();
        let message = Message::new(&gauge, Time(0), "t", &content, QoS::AtMostOnce, false);
        for serial in [0, 1, u64::from(u32::MAX), 1 << 32, (7 << 32) + 9, u64::MAX] {
            message.set_serial(serial);
            assert_eq!(message.serial(), serial);
        }
    }
}
