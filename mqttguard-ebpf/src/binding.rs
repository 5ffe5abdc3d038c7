//! Whether a frame fits what its device is bound to.

use mqttguard_common::{Policy, Reason};

use crate::frame::Frame;
use crate::packet::Packet;

/// In what a frame does not fit, a bit each; apart from those of
/// [`Mqtt`](crate::finding::Mqtt), because both go through one word.
#[derive(Clone, Copy)]
pub(crate) struct Mismatch(pub(crate) u64);

impl Mismatch {
    pub(crate) const NONE: Mismatch = Mismatch(0);
    const INTERFACE: u64 = 1 << 32;
    const ADDRESS: u64 = 1 << 33;

    /// Compares an IP packet or ARP with the bindings of its device. What is neither is not
    /// asked for: without EAPOL no device gets as far as to show an address.
    ///
    /// An IPv4 address is a packet's source and, as what an impostor would claim, the sender's in
    /// ARP. 0.0.0.0 is not one yet: so speak DHCP clients and ARP probes (RFC 5227, 1.1).
    #[inline(always)]
    pub(crate) fn of(frame: &Frame, packet: &Packet, policy: &Policy) -> Self {
        if policy.interface != 0 && frame.ifindex != 0 && policy.interface != frame.ifindex {
            return Mismatch(Self::INTERFACE);
        }
        let bound = u32::from_ne_bytes(policy.address);
        if bound == 0 {
            return Self::NONE;
        }
        let source = packet.v4_source(frame);
        if source == 0 || source == bound {
            return Self::NONE;
        }
        Mismatch(Self::ADDRESS)
    }

    /// Whether a device is bound to anything.
    #[inline(always)]
    pub(crate) fn is_possible(policy: &Policy) -> bool {
        policy.interface | u32::from_ne_bytes(policy.address) != 0
    }

    /// The reason that stands for it.
    #[inline(always)]
    pub(crate) fn reason(self) -> Option<Reason> {
        if self.0 & Self::INTERFACE != 0 {
            Some(Reason::InterfaceMismatch)
        } else if self.0 & Self::ADDRESS != 0 {
            Some(Reason::AddressMismatch)
        } else {
            None
        }
    }
}
