use super::*;
use crate::codec::QoS;

fn body(topic: &str) -> Body<'_> {
    Body {
        topic,
        properties: b"\x01\x01",
        payload: b"\0\xFF",
        qos: QoS::ExactlyOnce,
        retain: true,
    }
}

fn every() -> Vec<Record<'static>> {
    let session = 300;
    let what = |ids: &[u32], share| Reference {
        message: u64::MAX,
        qos: QoS::AtLeastOnce,
        retain: false,
        ids: ids.to_vec().into(),
        share,
    };
    let mut all = vec![
        Record::Boot(Boot {
            id: [7; 16],
            offset_ms: -5,
        }),
        Record::Clock(Clock {
            now: Time(1 << 40),
            wall_ms: u64::MAX,
        }),
        Record::Gone { session },
        Record::WillGone { session },
        Record::Dropped {
            session,
            order: u32::MAX,
        },
        Record::Sent {
            session,
            order: 127,
            packet_id: 128,
        },
        Record::Unsubscribed {
            session,
            filter: "$share/g/#",
        },
        Record::Retained {
            message: 1,
            owner: "lamp",
            session,
        },
        Record::Cleared { topic: "ü/ß" },
        Record::Complete,
        Record::Restarted(Time(5)),
    ];
    for time in [Time(0), Time(99), Time::NEVER] {
        all.push(Record::Message {
            serial: 1,
            expires: time,
            body: body(""),
        });
        all.push(Record::Standing {
            session,
            expiry_s: u32::MAX,
            left: time,
        });
        for only_will in [false, true] {
            all.push(Record::Session {
                session,
                client_id: "c",
                identity: "lamp",
                expiry_s: 0,
                left: time,
                only_will,
            });
        }
    }
    for expiry_s in [None, Some(0), Some(u32::MAX)] {
        all.push(Record::Will {
            session,
            delay_s: 9,
            expiry_s,
            orphan: expiry_s.is_none(),
            body: body("w"),
        });
    }
    for packet_id in [1, 0x80, u16::MAX] {
        all.extend([
            Record::Acked { session, packet_id },
            Record::Released { session, packet_id },
            Record::Received { session, packet_id },
            Record::Forgotten { session, packet_id },
        ]);
    }
    for (ids, share) in [
        (&[][..], None),
        (&[1], Some("$share/g/a/+")),
        (&[1, 268_435_455], None),
    ] {
        let what = what(ids, share);
        all.push(Record::Queued {
            session,
            order: 1,
            what: what.clone(),
        });
        all.push(Record::InFlight {
            session,
            packet_id: 2,
            order: 3,
            what,
        });
    }
    for byte in 0..0x40 {
        if let Some(options) = options(byte) {
            assert_eq!(bits(options), byte);
            all.push(Record::Subscribed {
                session,
                filter: "a/#",
                id: 5,
                options,
            });
        }
    }
    all
}

#[test]
fn what_is_decoded_is_what_was_encoded() {
    let all = every();
    let mut bytes = Vec::new();
    for record in &all {
        record.encode(&mut bytes);
    }
    let mut left = &bytes[..];
    for record in &all {
        assert_eq!(Record::decode(&mut left).as_ref(), Some(record));
    }
    assert!(left.is_empty());
}

/// The checksum keeps such bytes away; all the same they cause no panic.
#[test]
fn cut_records_are_none_and_changed_ones_do_no_harm() {
    for record in every() {
        let mut bytes = Vec::new();
        record.encode(&mut bytes);
        for len in 0..bytes.len() {
            assert_eq!(Record::decode(&mut &bytes[..len]), None, "{record:?}");
        }
        for bit in 0..bytes.len() * 8 {
            let mut other = bytes.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            let _ = Record::decode(&mut &other[..]);
        }
    }
}
