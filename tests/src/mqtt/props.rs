//! Properties of MQTT 5 (section 2.2.2.2): how each is written, and where a server may send it.

use super::packet::{text, varint};

macro_rules! identifiers {
    ($($name:ident = $id:literal),* $(,)?) => {
        $(
            #[allow(missing_docs, reason = "the name in the standard's table 2-4")]
            pub const $name: u8 = $id;
        )*
    };
}

identifiers! {
    PAYLOAD_FORMAT = 0x01,
    MESSAGE_EXPIRY = 0x02,
    CONTENT_TYPE = 0x03,
    RESPONSE_TOPIC = 0x08,
    CORRELATION_DATA = 0x09,
    SUBSCRIPTION_ID = 0x0B,
    SESSION_EXPIRY = 0x11,
    ASSIGNED_CLIENT_ID = 0x12,
    SERVER_KEEP_ALIVE = 0x13,
    AUTHENTICATION_METHOD = 0x15,
    AUTHENTICATION_DATA = 0x16,
    REQUEST_PROBLEM_INFORMATION = 0x17,
    WILL_DELAY = 0x18,
    REQUEST_RESPONSE_INFORMATION = 0x19,
    RESPONSE_INFORMATION = 0x1A,
    SERVER_REFERENCE = 0x1C,
    REASON_STRING = 0x1F,
    RECEIVE_MAXIMUM = 0x21,
    TOPIC_ALIAS_MAXIMUM = 0x22,
    TOPIC_ALIAS = 0x23,
    MAXIMUM_QOS = 0x24,
    RETAIN_AVAILABLE = 0x25,
    USER_PROPERTY = 0x26,
    MAXIMUM_PACKET_SIZE = 0x27,
    WILDCARD_AVAILABLE = 0x28,
    SUBSCRIPTION_ID_AVAILABLE = 0x29,
    SHARED_AVAILABLE = 0x2A,
}

/// The type of a property's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// One byte.
    Byte,
    /// Two bytes.
    Two,
    /// Four bytes.
    Four,
    /// A variable byte integer.
    Varint,
    /// A UTF-8 string.
    Text,
    /// Binary data.
    Data,
    /// Two strings.
    Pair,
}

/// Every property and its type, by table 2-4.
pub const TYPES: [(u8, Type); 27] = [
    (PAYLOAD_FORMAT, Type::Byte),
    (MESSAGE_EXPIRY, Type::Four),
    (CONTENT_TYPE, Type::Text),
    (RESPONSE_TOPIC, Type::Text),
    (CORRELATION_DATA, Type::Data),
    (SUBSCRIPTION_ID, Type::Varint),
    (SESSION_EXPIRY, Type::Four),
    (ASSIGNED_CLIENT_ID, Type::Text),
    (SERVER_KEEP_ALIVE, Type::Two),
    (AUTHENTICATION_METHOD, Type::Text),
    (AUTHENTICATION_DATA, Type::Data),
    (REQUEST_PROBLEM_INFORMATION, Type::Byte),
    (WILL_DELAY, Type::Four),
    (REQUEST_RESPONSE_INFORMATION, Type::Byte),
    (RESPONSE_INFORMATION, Type::Text),
    (SERVER_REFERENCE, Type::Text),
    (REASON_STRING, Type::Text),
    (RECEIVE_MAXIMUM, Type::Two),
    (TOPIC_ALIAS_MAXIMUM, Type::Two),
    (TOPIC_ALIAS, Type::Two),
    (MAXIMUM_QOS, Type::Byte),
    (RETAIN_AVAILABLE, Type::Byte),
    (USER_PROPERTY, Type::Pair),
    (MAXIMUM_PACKET_SIZE, Type::Four),
    (WILDCARD_AVAILABLE, Type::Byte),
    (SUBSCRIPTION_ID_AVAILABLE, Type::Byte),
    (SHARED_AVAILABLE, Type::Byte),
];

/// A property of one byte.
pub fn byte(id: u8, value: u8) -> Vec<u8> {
    vec![id, value]
}

/// A property of two bytes.
pub fn two(id: u8, value: u16) -> Vec<u8> {
    [&[id][..], &value.to_be_bytes()].concat()
}

/// A property of four bytes.
pub fn four(id: u8, value: u32) -> Vec<u8> {
    [&[id][..], &value.to_be_bytes()].concat()
}

/// A property that is a variable byte integer.
pub fn integer(id: u8, value: usize) -> Vec<u8> {
    [vec![id], varint(value)].concat()
}

/// A property that is a string or binary data.
pub fn string(id: u8, value: impl AsRef<[u8]>) -> Vec<u8> {
    [vec![id], text(value)].concat()
}

/// A user property.
pub fn user(name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Vec<u8> {
    [vec![USER_PROPERTY], text(name), text(value)].concat()
}

/// Properties behind their length.
pub fn list(properties: &[u8]) -> Vec<u8> {
    [&varint(properties.len()), properties].concat()
}

/// What a property says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Of one, two or four bytes, or of variable length.
    Number(u32),
    /// A string.
    Text(String),
    /// Binary data.
    Data(Vec<u8>),
    /// A user property.
    Pair(String, String),
}

/// The properties of a packet, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Props(pub Vec<(u8, Value)>);

impl Props {
    /// All values of a property.
    pub fn all(&self, id: u8) -> impl Iterator<Item = &Value> {
        let found = self.0.iter().filter(move |(found, _)| *found == id);
        found.map(|(_, value)| value)
    }

    /// The value of a property that is a number.
    pub fn number(&self, id: u8) -> Option<u32> {
        self.all(id).find_map(|value| match value {
            Value::Number(number) => Some(*number),
            _ => None,
        })
    }

    /// The value of a property that is a string.
    pub fn text(&self, id: u8) -> Option<&str> {
        self.all(id).find_map(|value| match value {
            Value::Text(text) => Some(text.as_str()),
            _ => None,
        })
    }

    /// Whether the property is there.
    pub fn has(&self, id: u8) -> bool {
        self.all(id).next().is_some()
    }

    /// The user properties.
    pub fn users(&self) -> Vec<(&str, &str)> {
        let pairs = self.all(USER_PROPERTY).filter_map(|value| match value {
            Value::Pair(name, value) => Some((name.as_str(), value.as_str())),
            _ => None,
        });
        pairs.collect()
    }
}
