use core::net::IpAddr;

use crate::{MAX_EXCEPTIONS, Mac, Policy};

/// What holds for every device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Rules {
    /// [`rule_flags`].
    pub flags: u32,
    /// TCP port of the router's plaintext listener; 0: it is off.
    pub local_plaintext_port: u16,
    /// Zero.
    pub reserved: u16,
    /// What strangers may do.
    pub strangers: Policy,
}

/// Bits of [`Rules::flags`].
pub mod rule_flags {
    /// Carry verdicts out; without it they are only counted and told.
    pub const ENFORCE: u32 = 1;
    /// Catch an MQTT CONNECT on any TCP port.
    pub const DETECT_CONNECT: u32 = 2;
    /// Catch MQTT-SN.
    pub const MQTT_SN: u32 = 4;
    /// Catch MQTT over a plaintext WebSocket.
    pub const WEBSOCKET: u32 = 8;
    /// Answer plaintext MQTT over TCP with a reset, where the hook allows it.
    pub const REJECT: u32 = 16;
    /// Drop what does not fit a device's bindings; without it that is only told.
    pub const DROP_MISMATCH: u32 = 32;
    /// The router stands ready to take connections over: [`super::policy_flags::UPLIFT`] holds.
    pub const UPLIFT: u32 = 64;
    /// There are exceptions.
    pub const EXCEPTIONS: u32 = 128;
}

/// Which of 64 consecutive TCP ports are special, a bit each; port p is bit p % 64 of word
/// p / 64.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct PortWord {
    /// Plaintext MQTT, whatever is said there.
    pub plaintext: u64,
    /// The broker's own.
    pub broker: u64,
}

impl PortWord {
    /// How many words there are.
    pub const COUNT: u32 = 65_536 / 64;

    /// The index of a port's word.
    #[inline(always)]
    pub const fn index(port: u16) -> u32 {
        port as u32 / 64
    }

    /// A port's bit.
    #[inline(always)]
    pub const fn bit(port: u16) -> u64 {
        1 << (port % 64)
    }
}

/// Length of the prefix under which IPv4 addresses stand in a map of IPv6 addresses
/// (`::ffff:0:0/96`, RFC 4291, 2.5.5.2).
pub const V4_PREFIX: u32 = 96;

/// An address as it stands in a map, in network order; IPv4 is mapped into IPv6.
pub const fn address_key(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

/// One exception on a destination prefix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct ExceptionRule {
    /// Only this device; all zero: any.
    pub mac: [u8; 6],
    /// Only this TCP or UDP port; 0: any.
    pub port: u16,
}

impl ExceptionRule {
    /// Whether plaintext MQTT of this device to this port may leave.
    #[inline(always)]
    pub fn admits(&self, mac: Mac, port: u16) -> bool {
        let any = self.mac[0] | self.mac[1] | self.mac[2] | self.mac[3] | self.mac[4] | self.mac[5];
        (any == 0 || self.mac == mac.0) && (self.port == 0 || self.port == port)
    }
}

/// Every exception that applies to a destination prefix. The kernel finds the longest prefix
/// only, so the exceptions of all shorter prefixes that cover it are repeated in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Exceptions {
    /// How many of `rules` are set.
    pub count: u64,
    /// The exceptions.
    pub rules: [ExceptionRule; MAX_EXCEPTIONS],
}

const _: () = {
    assert!(size_of::<Rules>() == 8 + size_of::<Policy>());
    assert!(size_of::<PortWord>() == 16);
    assert!(size_of::<ExceptionRule>() == 8);
    assert!(size_of::<Exceptions>() == 8 + 8 * MAX_EXCEPTIONS);
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exceptions_match_device_and_port() {
        let mac = Mac([2, 0, 0, 0, 0, 7]);
        let other = Mac([2, 0, 0, 0, 0, 8]);
        let any = ExceptionRule::default();
        assert!(any.admits(mac, 1883));
        let one = ExceptionRule {
            mac: mac.0,
            port: 1884,
        };
        assert!(one.admits(mac, 1884));
        assert!(!one.admits(mac, 1883));
        assert!(!one.admits(other, 1884));
    }

    #[test]
    fn every_port_has_its_own_bit() {
        assert_eq!(PortWord::index(65_535), PortWord::COUNT - 1);
        assert_eq!((PortWord::index(1883), PortWord::bit(1883)), (29, 1 << 27));
    }
}
