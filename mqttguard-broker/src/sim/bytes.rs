//! What may be done with any bytes at all.

use super::plan::{self, Setup};
use crate::codec::content::Content;
use crate::codec::publish::{Alias, Outgoing};
use crate::codec::{ack, connect, control, fixed, publish, reader::Reader, subscribe};
use crate::message::{Gauge, Message};
use crate::{Restore, Time, Version};

/// Decodes a packet, after a first byte that picks the version. A PUBLISH or acknowledgement is
/// encoded again, and must decode to the same.
pub fn there_and_back(bytes: &[u8]) {
    let Some((pick, packet)) = bytes.split_first() else {
        return;
    };
    let version = [Version::V31, Version::V311, Version::V5][usize::from(pick % 3)];
    let Ok(Some(found)) = fixed::decode(version, packet) else {
        return;
    };
    let Some(body) = packet.get(found.header..found.total) else {
        return;
    };
    match found.kind {
        fixed::Kind::Connect => {
            let mut body = Reader::new(body);
            if let Ok(connect::Protocol::Known(version)) = connect::protocol(&mut body) {
                let _ = connect::decode(version, body);
            }
        }
        fixed::Kind::Publish { dup, qos, retain } => {
            publish_again(version, body, (dup, qos, retain));
        }
        fixed::Kind::PubAck | fixed::Kind::PubRec | fixed::Kind::PubRel | fixed::Kind::PubComp => {
            let first = packet[0] & 0xF0 | u8::from(packet[0] >> 4 == 6) << 1;
            let Ok(decoded) = ack::decode(version, first, body) else {
                return;
            };
            let mut out = Vec::new();
            ack::encode(&mut out, version, first, decoded);
            assert_eq!(ack::decode(version, first, &out[2..]), Ok(decoded));
        }
        fixed::Kind::Subscribe => {
            if let Ok(mut filters) = subscribe::decode(version, body) {
                while filters.next_subscription().expect("checked").is_some() {}
            }
        }
        fixed::Kind::Unsubscribe => {
            if let Ok(mut filters) = subscribe::decode_unsubscribe(version, body) {
                while filters.next_filter().expect("checked").is_some() {}
            }
        }
        fixed::Kind::PingReq => drop(control::decode_pingreq(body)),
        fixed::Kind::Disconnect => drop(control::decode_disconnect(version, body)),
        fixed::Kind::Auth => drop(control::decode_auth(body)),
    }
}

fn publish_again(version: Version, body: &[u8], flags: (bool, crate::codec::QoS, bool)) {
    let (dup, qos, retain) = flags;
    let Ok(first) = publish::decode(version, qos, body) else {
        return;
    };
    let gauge = Gauge::default();
    let now = Time(7);
    let topic = first.content.topic;
    let message = Message::new(&gauge, now, topic, &first.content, qos, retain);
    let outgoing = Outgoing {
        message: &message,
        qos,
        dup,
        retain,
        packet_id: first.packet_id,
        subscription_ids: &[],
        alias: first.alias.map(|number| Alias {
            number,
            known: false,
        }),
    };
    let mut out = Vec::new();
    assert!(publish::encode(&mut out, now, version, u32::MAX, &outgoing));
    let found = fixed::decode(version, &out).expect("well-formed");
    let found = found.expect("whole");
    assert_eq!(found.total, out.len());
    assert_eq!(found.kind, fixed::Kind::Publish { dup, qos, retain });
    let body = &out[found.header..];
    let second = publish::decode(version, qos, body).expect("well-formed");
    assert_eq!(
        (second.packet_id, second.alias),
        (first.packet_id, first.alias)
    );
    assert_eq!(second.content.topic, topic);
    assert_eq!(second.content.expiry_s, first.content.expiry_s);
    assert_eq!(second.content.payload, first.content.payload);
    let forwarded = |content: &Content<'_>| {
        let mut out = Vec::new();
        content.forward_properties(&mut out);
        out
    };
    assert_eq!(forwarded(&second.content), forwarded(&first.content));
}

/// Restores a broker from a journal of these bytes, in one segment or, at a first byte that is
/// odd, two.
pub fn restore(bytes: &[u8]) {
    let Some((pick, journal)) = bytes.split_first() else {
        return;
    };
    let middle = if pick & 1 == 0 { 0 } else { journal.len() / 2 };
    let (first, second) = journal.split_at(middle);
    let mut restore = Restore::new();
    for segment in [first, second] {
        for piece in segment.chunks(usize::from(*pick).max(1)) {
            restore.feed(piece);
        }
        restore.end_segment();
    }
    let setup = Setup::of(&[0; 16]);
    let (mut broker, _) = restore.finish(setup.config(), Time(1_000_000), |_, _| {
        Some((plan::grants(0), setup.limits()))
    });
    broker.check();
    broker.tick(Time(u64::from(u32::MAX)));
    broker.check();
}
