use std::fmt;
use std::sync::Arc;

use crate::reason::Reason;
use crate::topic;
use zeroize::Zeroizing;

/// The protocol a client speaks, by the level in its CONNECT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Version {
    /// MQTT 3.1, protocol name `MQIsdp`, level 3.
    V31,
    /// MQTT 3.1.1, level 4.
    V311,
    /// MQTT 5.0, level 5.
    V5,
}

/// What a client may do: topic filters, already expanded for this client. Nothing that no
/// filter of the first two covers is allowed, nor what [`Grants::deny`] takes out again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// A PUBLISH (and a will) is allowed if one of these filters matches its topic.
    pub publish: Vec<String>,
    /// A SUBSCRIBE is allowed if its filter is no wider than one of these.
    pub subscribe: Vec<String>,
    /// Topics out of reach all the same. A PUBLISH or will to one is refused, and so is a
    /// SUBSCRIBE that lies within one of these; what a wider subscription brings of them is
    /// withheld.
    pub deny: Vec<String>,
}

impl Grants {
    /// Whether a PUBLISH or a will to this topic name is allowed.
    pub fn may_publish(&self, name: &str) -> bool {
        !topic::is_reserved(name)
            && topic::any_matches(&self.publish, name)
            && !topic::any_matches(&self.deny, name)
    }

    pub(crate) fn may_read(&self, name: &str) -> bool {
        topic::any_matches(&self.subscribe, name) && !topic::any_matches(&self.deny, name)
    }

    /// Whether a SUBSCRIBE with this filter, without the share name, is allowed.
    pub fn allows_filter(&self, filter: &str) -> bool {
        self.may_subscribe(filter).is_ok()
    }

    /// Whether a filter, without the share name, may be subscribed to. Where an exception
    /// stands against it the client is not told that it is one (0x80, unspecified error).
    pub(crate) fn may_subscribe(&self, filter: &str) -> Result<(), Reason> {
        if topic::any_covers(&self.deny, filter) {
            return Err(Reason::UNSPECIFIED_ERROR);
        }
        if topic::any_covers(&self.subscribe, filter) {
            return Ok(());
        }
        Err(Reason::NOT_AUTHORIZED)
    }
}

/// The most that one identity may make the broker hold or do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest packet accepted, in bytes, fixed header included.
    pub packet_size: u32,
    /// PUBLISH packets a second, averaged over [`Limits::burst_ms`].
    pub messages_per_s: u32,
    /// Bytes a second from the client, averaged over [`Limits::burst_ms`].
    pub bytes_per_s: u32,
    /// What a client meets above [`Limits::messages_per_s`].
    pub over_rate: OverRate,
    /// How long, in milliseconds, a client may run above its rates after a quiet time.
    pub burst_ms: u32,
    /// Connections at the same time.
    pub connections: u32,
    /// Subscriptions of one session.
    pub subscriptions: u32,
    /// Bytes of a topic name or filter.
    pub topic_length: u32,
    /// Levels in a topic name or filter.
    pub topic_levels: u32,
    /// User Properties of one message or will.
    pub user_properties: u32,
    /// Bytes of a will: its topic name, properties and payload.
    pub will_size: u32,
    /// QoS 1 and 2 messages in flight in one direction (Receive Maximum, MQTT 5 section 3.1.2.11.3).
    pub in_flight: u16,
    /// Messages waiting for one session.
    pub queue_messages: u32,
    /// Bytes of the messages waiting for one session.
    pub queue_bytes: u32,
    /// Retained messages owned by the identity.
    pub retained_messages: u32,
    /// Bytes of the retained messages owned by the identity.
    pub retained_bytes: u32,
    /// Longest time, in seconds, that a session outlives its connection.
    pub session_expiry_s: u32,
}

impl Limits {
    /// Whether a topic name or filter is short enough; otherwise the limit.
    pub(crate) fn fit_topic(&self, topic: &str) -> Result<(), (&'static str, u32)> {
        if topic.len() > self.topic_length as usize {
            return Err(("topic_length", self.topic_length));
        }
        if topic::levels(topic) > self.topic_levels as usize {
            return Err(("topic_levels", self.topic_levels));
        }
        Ok(())
    }
}

/// What a client meets that publishes more often than it may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OverRate {
    /// It is not read from until it is within its rate again: nothing is lost.
    #[default]
    Pace,
    /// Its PUBLISH is refused (0x97, quota exceeded), and at QoS 0 dropped. MQTT 3 has no way to
    /// say so: its clients are paced all the same.
    Refuse,
}

/// What an [`AuthRequest`] comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// A CONNECT.
    Connect,
    /// An AUTH that answers a [`Decision::Continue`], before or after the CONNACK.
    Continue,
    /// An AUTH that begins a re-authentication (MQTT 5 section 4.12.1). Messages go on meanwhile.
    Again,
}

/// A CONNECT or AUTH that was well-formed and now needs a decision.
pub struct AuthRequest {
    /// What it comes from.
    pub stage: Stage,
    /// The protocol level of the CONNECT.
    pub version: Version,
    /// The client identifier; may be empty.
    pub client_id: String,
    /// The user name, if the client sent one; only with [`Stage::Connect`].
    pub username: Option<String>,
    /// The password, if the client sent one; only with [`Stage::Connect`].
    pub password: Option<Zeroizing<Vec<u8>>>,
    /// The Authentication Method, if the client uses enhanced authentication (MQTT 5 section
    /// 4.12): the same over the whole life of the connection.
    pub method: Option<String>,
    /// The Authentication Data, if the packet had any.
    pub data: Option<Zeroizing<Vec<u8>>>,
}

/// Never shows the password or the data.
impl fmt::Debug for AuthRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthRequest")
            .field("stage", &self.stage)
            .field("version", &self.version)
            .field("client_id", &self.client_id)
            .field("username", &self.username)
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}

/// The answer to an [`AuthRequest`].
#[derive(Clone, Debug)]
pub enum Decision {
    /// The client may in.
    Accept {
        /// Who this is; sessions, quotas and takeovers go by it.
        identity: Arc<str>,
        /// What it may do.
        grants: Arc<Grants>,
        /// What it may use.
        limits: Arc<Limits>,
        /// Authentication Data to end the exchange with. Without a method there is no place for
        /// it.
        data: Option<Vec<u8>>,
    },
    /// Enhanced authentication needs another step: an AUTH with this data goes out, and the
    /// client's answer comes as another request.
    Continue {
        /// The Authentication Data.
        data: Vec<u8>,
    },
    /// The client may not.
    Refuse(Refusal),
}

/// Why a client may not in, as the CONNACK tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Wrong or missing user name or password (MQTT 5: 0x86, MQTT 3: 4).
    BadCredentials,
    /// Known, but not let in (MQTT 5: 0x87, MQTT 3: 5).
    NotAuthorized,
    /// Quarantined or blocked (MQTT 5: 0x8A, MQTT 3: 5).
    Banned,
    /// The decision cannot be made now (MQTT 5: 0x88, MQTT 3: 3).
    Unavailable,
    /// The Authentication Method is not supported (MQTT 5: 0x8C).
    BadMethod,
}
