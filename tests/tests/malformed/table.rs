//! What a case is made of.

use mqttguard_tests::mqtt::Version;
use mqttguard_tests::mqtt::packet::packet;

/// The packet cannot be parsed.
pub(crate) const MALFORMED: u8 = 0x81;
/// The packet can be parsed and is not allowed.
pub(crate) const PROTOCOL: u8 = 0x82;
/// Unsupported Protocol Version.
pub(crate) const VERSION: u8 = 0x84;
/// Topic Name invalid.
pub(crate) const TOPIC_NAME: u8 = 0x90;
/// Topic Alias invalid.
pub(crate) const ALIAS: u8 = 0x94;
/// Packet too large.
pub(crate) const TOO_LARGE: u8 = 0x95;

/// What is to come of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    /// The connection is closed without a word.
    Closed,
    /// A CONNACK of this code, and the end.
    ConnAck(u8),
    /// A DISCONNECT of this code, and the end.
    Disconnect(u8),
    /// It is taken: the connection goes on.
    Taken,
}

pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) version: Version,
    /// A CONNECT comes first, and is accepted.
    pub(crate) connected: bool,
    pub(crate) bytes: Vec<u8>,
    pub(crate) want: Want,
}

#[derive(Default)]
pub(crate) struct Table {
    pub(crate) cases: Vec<Case>,
}

impl Table {
    fn push(
        &mut self,
        version: Version,
        name: impl Into<String>,
        connected: bool,
        bytes: &[u8],
        want: Want,
    ) {
        self.cases.push(Case {
            name: format!("{version:?} {}", name.into()),
            version,
            connected,
            bytes: bytes.to_vec(),
            want,
        });
    }

    /// A packet on a connection that stands.
    pub(crate) fn sent(
        &mut self,
        version: Version,
        name: impl Into<String>,
        bytes: &[u8],
        want: Want,
    ) {
        self.push(version, name, true, bytes, want);
    }

    /// A packet that ends the connection: MQTT 5 is told why, MQTT 3 has no packet for it.
    pub(crate) fn ends(
        &mut self,
        version: Version,
        name: impl Into<String>,
        bytes: &[u8],
        code: u8,
    ) {
        let want = match version {
            Version::V5 => Want::Disconnect(code),
            _ => Want::Closed,
        };
        self.push(version, name, true, bytes, want);
    }

    /// A packet that is taken.
    pub(crate) fn taken(&mut self, version: Version, name: impl Into<String>, bytes: &[u8]) {
        self.push(version, name, true, bytes, Want::Taken);
    }

    /// The first packet of a connection.
    pub(crate) fn first(
        &mut self,
        version: Version,
        name: impl Into<String>,
        bytes: &[u8],
        want: Want,
    ) {
        self.push(version, name, false, bytes, want);
    }

    /// A CONNECT that is not well-formed: MQTT 5 is told why (section 4.13), MQTT 3 must not be
    /// (MQTT-3.1.4-1 of 3.1.1).
    pub(crate) fn refused(
        &mut self,
        version: Version,
        name: impl Into<String>,
        bytes: &[u8],
        code: u8,
    ) {
        let want = match version {
            Version::V5 => Want::ConnAck(code),
            _ => Want::Closed,
        };
        self.push(version, name, false, bytes, want);
    }

    /// A packet whose body ends after each of its bytes, with a remaining length that says so.
    /// `want` knows the outcome by the bytes that are left, if it is not [`MALFORMED`].
    pub(crate) fn cut(
        &mut self,
        version: Version,
        name: &str,
        first: u8,
        body: &[u8],
        want: impl Fn(usize) -> Option<Want>,
    ) {
        for length in 0..body.len() {
            let name = format!("{name} cut to {length} of {} bytes", body.len());
            let bytes = packet(first, &body[..length]);
            match (want(length), first) {
                (Some(want), _) => self.push(version, name, first != 0x10, &bytes, want),
                (None, 0x10) => self.refused(version, name, &bytes, MALFORMED),
                (None, _) => self.ends(version, name, &bytes, MALFORMED),
            }
        }
    }
}
