/// Why the kernel program decided as it did. Counted by device and reason; named in events,
/// on ubus, in LuCI and on the command line by [`Reason::name`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Reason {
    /// Nothing spoke against the frame.
    Pass = 0,
    /// Plaintext MQTT that a destination exception lets out.
    Excepted = 1,
    /// Plaintext MQTT to the router's own LAN listener, by a device that may use it.
    LocalPlaintext = 2,
    /// TCP to a plaintext MQTT port beyond the router.
    PlaintextPort = 3,
    /// An MQTT CONNECT as first payload on some other TCP port.
    PlaintextConnect = 4,
    /// Plaintext MQTT to the router itself that is not allowed: the LAN listener is off, or
    /// this device may not use it.
    PlaintextLocal = 5,
    /// MQTT-SN over UDP.
    MqttSn = 6,
    /// A first fragment too short to show its ports and the first bytes of what it says, a later
    /// one that reaches into them, or an IPv6 header chain too long to find them.
    TinyFragment = 7,
    /// The device is blocked by the owner.
    Blocked = 8,
    /// The device is in quarantine and spoke MQTT, or to the broker.
    Quarantined = 9,
    /// More packets in a second than the device's limits allow.
    FloodPackets = 10,
    /// More bytes in a second than the device's limits allow.
    FloodBytes = 11,
    /// More new TCP connections in a second than the device's limits allow.
    FloodConnections = 12,
    /// The first bytes of a TCP stream in pieces that could hide an MQTT CONNECT: a segment too
    /// short to tell, out of order, or reaching back before the start.
    PlaintextSplit = 13,
    /// More UDP packets in a second than the device's limits allow.
    FloodUdp = 14,
    /// More broadcasts and multicasts in a second than the device's limits allow.
    FloodBroadcasts = 15,
    /// MQTT over a WebSocket that is not encrypted.
    PlaintextWebSocket = 16,
    /// Plaintext MQTT that the router takes over, to carry it on over TLS.
    Uplifted = 17,
    /// The device is bound to another interface.
    InterfaceMismatch = 18,
    /// The device is bound to another IPv4 address.
    AddressMismatch = 19,
    /// It may be MQTT over a WebSocket, and the program that reads those could not be called.
    Unread = 20,
}

/// The number stands for no [`Reason`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownReason(pub u8);

impl Reason {
    /// How many reasons there are; the length of a row of counters.
    pub const COUNT: usize = Self::ALL.len();

    /// All reasons, each at the index of its own number.
    pub const ALL: [Reason; 21] = [
        Reason::Pass,
        Reason::Excepted,
        Reason::LocalPlaintext,
        Reason::PlaintextPort,
        Reason::PlaintextConnect,
        Reason::PlaintextLocal,
        Reason::MqttSn,
        Reason::TinyFragment,
        Reason::Blocked,
        Reason::Quarantined,
        Reason::FloodPackets,
        Reason::FloodBytes,
        Reason::FloodConnections,
        Reason::PlaintextSplit,
        Reason::FloodUdp,
        Reason::FloodBroadcasts,
        Reason::PlaintextWebSocket,
        Reason::Uplifted,
        Reason::InterfaceMismatch,
        Reason::AddressMismatch,
        Reason::Unread,
    ];

    /// The stable name, as scripts see it.
    pub const fn name(self) -> &'static str {
        match self {
            Reason::Pass => "pass",
            Reason::Excepted => "excepted",
            Reason::LocalPlaintext => "local-plaintext",
            Reason::PlaintextPort => "plaintext-port",
            Reason::PlaintextConnect => "plaintext-connect",
            Reason::PlaintextLocal => "plaintext-local",
            Reason::MqttSn => "mqtt-sn",
            Reason::TinyFragment => "tiny-fragment",
            Reason::Blocked => "blocked",
            Reason::Quarantined => "quarantined",
            Reason::FloodPackets => "flood-packets",
            Reason::FloodBytes => "flood-bytes",
            Reason::FloodConnections => "flood-connections",
            Reason::PlaintextSplit => "plaintext-split",
            Reason::FloodUdp => "flood-udp",
            Reason::FloodBroadcasts => "flood-broadcasts",
            Reason::PlaintextWebSocket => "plaintext-websocket",
            Reason::Uplifted => "uplifted",
            Reason::InterfaceMismatch => "interface-mismatch",
            Reason::AddressMismatch => "address-mismatch",
            Reason::Unread => "unread",
        }
    }

    /// Whether a frame with this reason is dropped when the program enforces; a mismatch only if
    /// the rules drop those. Otherwise it passes all the same, and is counted here.
    pub const fn is_drop(self) -> bool {
        !matches!(
            self,
            Reason::Pass | Reason::Excepted | Reason::LocalPlaintext | Reason::Uplifted
        )
    }

    /// Whether this is one of the device's flood limits.
    pub const fn is_flood(self) -> bool {
        matches!(
            self,
            Reason::FloodPackets
                | Reason::FloodBytes
                | Reason::FloodConnections
                | Reason::FloodUdp
                | Reason::FloodBroadcasts
        )
    }

    /// Whether the frame does not come from where its device is bound to.
    pub const fn is_mismatch(self) -> bool {
        matches!(self, Reason::InterfaceMismatch | Reason::AddressMismatch)
    }

    /// Whether this is MQTT in the clear.
    pub const fn is_plaintext(self) -> bool {
        matches!(
            self,
            Reason::PlaintextPort
                | Reason::PlaintextConnect
                | Reason::PlaintextLocal
                | Reason::PlaintextSplit
                | Reason::PlaintextWebSocket
                | Reason::MqttSn
        )
    }
}

impl TryFrom<u8> for Reason {
    type Error = UnknownReason;

    fn try_from(number: u8) -> Result<Self, UnknownReason> {
        Self::ALL
            .get(usize::from(number))
            .copied()
            .ok_or(UnknownReason(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_stands_at_its_own_number() {
        for (index, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(reason as u8), index);
            assert_eq!(Reason::try_from(reason as u8), Ok(reason));
        }
        assert_eq!(Reason::try_from(21), Err(UnknownReason(21)));
    }
}
