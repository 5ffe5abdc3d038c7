//! Every bound there is on what a client can make the broker hold or do, in one table: counters,
//! documentation and tests all go by it.

/// What happens where a bound is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Its name, in counters and [`crate::NoticeKind::Limit`]: the field of [`crate::Limits`] or
    /// [`crate::Config`], where it is one.
    pub name: &'static str,
    /// What is bounded.
    pub of: &'static str,
    /// What then happens.
    pub effect: &'static str,
    /// The reason code of MQTT 5 that says so, and the packet it is in.
    pub reason: Option<(&'static str, u8)>,
}

const fn bound(
    name: &'static str,
    of: &'static str,
    effect: &'static str,
    reason: Option<(&'static str, u8)>,
) -> Bound {
    Bound {
        name,
        of,
        effect,
        reason,
    }
}

/// All bounds. Those met most often in the busiest moments stand first: they are searched for by
/// name whenever one is met.
pub const BOUNDS: &[Bound] = &[
    bound(
        "queue_messages",
        "messages waiting for one session",
        "QoS 0 that waits makes way for QoS 1 and 2; then what is new is dropped for this session",
        None,
    ),
    bound(
        "queue_bytes",
        "bytes of the messages waiting for one session",
        "as `queue_messages`",
        None,
    ),
    bound(
        "messages_per_s",
        "PUBLISH and AUTH packets a second",
        "the client is not read from for a while; with `over_rate` `refuse`, a client of MQTT 5 is \
         read and its PUBLISH refused",
        Some(("PUBACK", 0x97)),
    ),
    bound(
        "bytes_per_s",
        "bytes a second",
        "the client is not read from for a while",
        None,
    ),
    bound(
        "memory",
        "bytes held for all together",
        "at 80 % new sessions and more retained messages are refused; at 95 % new subscriptions \
         too, and the largest queues that are not read are cut; at 100 % messages are refused, and \
         a client of MQTT 3 whose message cannot be refused is cut off",
        Some(("PUBACK", 0x97)),
    ),
    bound(
        "connect_timeout_ms",
        "time until CONNECT is complete",
        "the connection is closed",
        None,
    ),
    bound(
        "connect_size",
        "bytes of a CONNECT, or before a CONNACK",
        "closed at the fixed header, before it is known how to say why",
        None,
    ),
    bound(
        "packet_size",
        "bytes of a packet",
        "refused at the fixed header",
        Some(("DISCONNECT", 0x95)),
    ),
    bound(
        "user_properties",
        "User Properties of a message or will; any other property comes once",
        "the message or CONNECT is refused",
        Some(("PUBACK", 0x97)),
    ),
    bound(
        "topic_length",
        "bytes of a topic name or filter",
        "the message, will or subscription is refused",
        Some(("PUBACK", 0x90)),
    ),
    bound(
        "topic_levels",
        "levels of a topic name or filter",
        "the message, will or subscription is refused",
        Some(("PUBACK", 0x90)),
    ),
    bound(
        "topic_alias_bytes",
        "bytes of the topic names behind a connection's aliases",
        "the client is cut off",
        Some(("DISCONNECT", 0x97)),
    ),
    bound(
        "subscriptions",
        "subscriptions of one session",
        "the subscription is refused",
        Some(("SUBACK", 0x97)),
    ),
    bound(
        "filters_per_subscribe",
        "filters in one SUBSCRIBE",
        "those beyond are refused without a look",
        Some(("SUBACK", 0x97)),
    ),
    bound(
        "in_flight",
        "QoS 2 messages of a client's that it has not released",
        "the client is cut off",
        Some(("DISCONNECT", 0x93)),
    ),
    bound(
        "will_size",
        "bytes of a will: topic, properties, payload",
        "the CONNECT is refused",
        Some(("CONNACK", 0x95)),
    ),
    bound(
        "retained_messages",
        "retained messages of one identity",
        "the message is refused",
        Some(("PUBACK", 0x97)),
    ),
    bound(
        "retained_bytes",
        "bytes of the retained messages of one identity",
        "the message is refused",
        Some(("PUBACK", 0x97)),
    ),
    bound(
        "retained_messages_total",
        "retained messages in all",
        "the message is refused",
        Some(("PUBACK", 0x97)),
    ),
    bound(
        "retained_bytes_total",
        "bytes of the retained messages in all",
        "the message is refused",
        Some(("PUBACK", 0x97)),
    ),
    bound(
        "connections",
        "connections of one identity at the same time, and half of the sessions it may leave",
        "the CONNECT is refused; of the sessions the one left first ends",
        Some(("CONNACK", 0x97)),
    ),
    bound(
        "sessions",
        "sessions in all",
        "the CONNECT is refused",
        Some(("CONNACK", 0x97)),
    ),
    bound(
        "authentication_steps",
        "AUTH packets of one exchange",
        "the client is cut off, or its CONNECT refused",
        Some(("DISCONNECT", 0x87)),
    ),
];

/// How often each bound was met, told or not.
#[derive(Clone, Copy, Default)]
pub(crate) struct Met([u64; BOUNDS.len()]);

impl Met {
    pub(crate) fn count(&mut self, name: &str) {
        let mut rows = BOUNDS.iter().zip(&mut self.0);
        if let Some((_, count)) = rows.find(|(bound, _)| bound.name == name) {
            *count += 1;
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        BOUNDS
            .iter()
            .zip(self.0)
            .map(|(bound, count)| (bound.name, count))
    }
}
