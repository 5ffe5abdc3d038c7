//! The answer to plaintext MQTT over TCP: a reset, as the far end's stack would send it if
//! nobody listened there (RFC 9293, 3.10.7.1). The device's program learns at once that it is
//! refused, instead of waiting for what was dropped to time out.
//!
//! It is put over the frame itself, with all its VLAN tags and its PPPoE session, and goes back
//! where that came from. It is never longer than what it answers.
//!
//! Not answered, and so plainly dropped, is what no ordinary stack sends on this way: IPv4 with
//! options or in fragments, IPv6 with extension headers, what is from or to a group of hosts
//! (RFC 9293, 3.9.2.3), and headers that contradict each other. Nor is a reset: there would be
//! no end to it.

use core::mem::{align_of, offset_of};

use aya_ebpf::bindings::xdp_action::{XDP_DROP, XDP_TX};
use aya_ebpf::bindings::{BPF_F_PSEUDO_HDR, TC_ACT_SHOT};
use aya_ebpf::helpers::{bpf_redirect, bpf_skb_change_tail, bpf_xdp_adjust_tail};
use aya_ebpf::programs::{TcContext, XdpContext};

use crate::cell::{Cell, forget};
use crate::frame::Frame;
use crate::header::{
    IP_TCP, Ipv4, Ipv6, PPP_IPV4, PPP_IPV6, Session, TCP_ACK, TCP_FIN, TCP_RST, Tcp, is_group,
};
use crate::packet::{NETWORK, Packet};

/// Hops that it may take, as ordinary stacks give theirs.
const HOPS: u8 = 64;
/// IPv4's flag not to fragment; with it the identification means nothing (RFC 6864, 4.1).
const DO_NOT_FRAGMENT: u16 = 0x4000;
/// IPv4's flag of more fragments, and the offset.
const FRAGMENT: u16 = 0x3fff;
/// IPv4 without options.
const V4_HEADER: u8 = 0x45;
/// The least that a frame carries (IEEE 802.3, 4.2.3.3: 64 bytes with header and checksum). Not
/// every driver fills up what a program sends.
const LEAST: usize = 46;
/// Where the checksum stands in TCP's header.
const CHECKSUM: usize = offset_of!(Tcp, checksum);
/// Where the length stands in PPPoE's.
const SESSION_LENGTH: usize = offset_of!(Session, length);

/// A reset, to be put over a frame.
pub(crate) struct Reset {
    /// Both MACs, the other way round.
    macs: [u16; 6],
    /// The length that PPPoE's header is to say; 0: there is none.
    session: u16,
    /// Where the IP header starts.
    network: usize,
    ip: Ip,
    tcp: Tcp,
    /// Whether there are [`LEAST`] bytes to keep.
    is_padded: bool,
    /// Zeros, which nobody changes: written as such they would become a call of `memset`, and some
    /// JIT compilers know no calls between functions.
    padding: [u16; (LEAST - 40) / 2],
    /// Sums over the pseudo-header of TCP's checksum and over TCP's header without it.
    sums: (u32, u32),
}

enum Ip {
    V4(Ipv4),
    V6(Ipv6),
}

impl Reset {
    /// The answer to a TCP segment, if it gets one. It is kept with the processor: the stack of a
    /// program is 512 bytes.
    #[inline(always)]
    pub(crate) fn answer<'a>(
        frame: &Frame,
        packet: &Packet,
        reset: *mut Self,
        cell: *mut Cell,
    ) -> Option<&'a Self> {
        let [d0, d1, d2, s0, s1, s2] = *frame.at::<[u16; 6]>(0)?;
        if is_group(d0 | s0) {
            return None;
        }
        // SAFETY: this processor's own; rows of arrays stay where they are.
        let reset = unsafe { &mut *reset };
        let network = packet.network();
        let (mut tcp, addresses) = if packet.is_v6() {
            let ip = frame.at::<Ipv6>(network)?;
            let tcp = frame.at::<Tcp>(network + size_of::<Ipv6>())?;
            let groups = is_multicast_v6(&ip.source) || is_multicast_v6(&ip.destination);
            if ip.next != IP_TCP || groups {
                return None;
            }
            let answer = Ipv6 {
                version: 0x60,
                class: 0,
                flow: 0,
                payload_length: (size_of::<Tcp>() as u16).to_be(),
                next: IP_TCP,
                hops: HOPS,
                source: ip.destination,
                destination: ip.source,
            };
            // At once: a value that only one of two ways sets leads old verifiers astray.
            reset.ip = Ip::V6(answer);
            let addresses = sum(&ip.source) + sum(&ip.destination);
            (segment(packet, tcp)?, addresses)
        } else {
            let ip = frame.at::<Ipv4>(network)?;
            let tcp = frame.at::<Tcp>(network + size_of::<Ipv4>())?;
            let groups = is_multicast_v4(&ip.source) || is_multicast_v4(&ip.destination);
            if ip.version_ihl != V4_HEADER || ip.fragment & FRAGMENT.to_be() != 0 || groups {
                return None;
            }
            let mut answer = Ipv4 {
                version_ihl: V4_HEADER,
                service: 0,
                total_length: ((size_of::<Ipv4>() + size_of::<Tcp>()) as u16).to_be(),
                identification: 0,
                fragment: DO_NOT_FRAGMENT.to_be(),
                ttl: HOPS,
                protocol: IP_TCP,
                checksum: 0,
                source: ip.destination,
                destination: ip.source,
            };
            answer.checksum = !fold(sum(&answer));
            reset.ip = Ip::V4(answer);
            let addresses = sum(&ip.source) + sum(&ip.destination);
            (segment(packet, tcp)?, addresses)
        };
        let pseudo = addresses
            + u32::from(u16::from(IP_TCP).to_be())
            + u32::from((size_of::<Tcp>() as u16).to_be());
        let sums = (pseudo, sum(&tcp));
        tcp.checksum = !fold(sums.0 + sums.1);
        reset.macs = [s0, s1, s2, d0, d1, d2];
        reset.session = 0;
        reset.network = network;
        reset.tcp = tcp;
        reset.is_padded = frame.at::<[u8; LEAST]>(network).is_some();
        reset.sums = sums;
        // An offset of its own, or the compiler would leave out a check that was made with
        // another address, from which the verifier does not know this one to follow.
        let before = forget(cell, (network - size_of::<u16>()) as u64, NETWORK) as usize;
        let [protocol] = *frame.at::<[u16; 1]>(before)?;
        if protocol == PPP_IPV4.to_be() || protocol == PPP_IPV6.to_be() {
            // PPP's protocol counts.
            reset.session = (reset.length() as u16 + 2).to_be();
        }
        Some(reset)
    }

    /// Where the IP header starts, within the bounds that the verifier knew when it was stored.
    #[inline(always)]
    fn network(&self) -> usize {
        self.network & NETWORK as usize
    }

    /// Length of the IP packet.
    #[inline(always)]
    fn length(&self) -> usize {
        size_of::<Tcp>()
            + match self.ip {
                Ip::V4(_) => size_of::<Ipv4>(),
                Ip::V6(_) => size_of::<Ipv6>(),
            }
    }

    /// Length of the frame.
    #[inline(always)]
    fn frame_length(&self) -> u32 {
        let length = match self.ip {
            Ip::V4(_) if self.is_padded => LEAST,
            _ => self.length(),
        };
        (self.network() + length) as u32
    }

    /// Puts it over what it answers.
    #[inline(always)]
    fn put(&self, canvas: &impl Canvas) -> Option<()> {
        canvas.put(0, &self.macs)?;
        let network = self.network();
        if self.session != 0 {
            let length = network - size_of::<Session>() + SESSION_LENGTH;
            canvas.put(length & NETWORK as usize, &self.session)?;
        }
        match &self.ip {
            Ip::V4(ip) => {
                canvas.put(network, ip)?;
                canvas.put(network + size_of::<Ipv4>(), &self.tcp)?;
                if self.is_padded {
                    let end = network + self.length();
                    canvas.put(end, &self.padding)?;
                }
            }
            Ip::V6(ip) => {
                canvas.put(network, ip)?;
                canvas.put(network + size_of::<Ipv6>(), &self.tcp)?;
            }
        }
        Some(())
    }

    /// Makes the frame the answer: the verdict on it.
    #[inline(always)]
    pub(crate) fn over_xdp(&self, context: &XdpContext) -> u32 {
        if self.put(context).is_none() {
            return XDP_DROP;
        }
        let length = (context.data_end() - context.data()) as i32;
        // SAFETY: a valid context.
        match unsafe { bpf_xdp_adjust_tail(context.ctx, self.frame_length() as i32 - length) } {
            0 => XDP_TX,
            _ => XDP_DROP,
        }
    }

    /// Likewise for a socket buffer.
    #[inline(always)]
    pub(crate) fn over_skb(&self, context: &TcContext) -> i32 {
        match self.try_over_skb(context) {
            // SAFETY: a valid context.
            Some(()) => unsafe { bpf_redirect((*context.skb.skb).ifindex, 0) as i32 },
            None => TC_ACT_SHOT as i32,
        }
    }

    #[inline(always)]
    fn try_over_skb(&self, context: &TcContext) -> Option<()> {
        // It is made for this: it also makes one segment of a merged packet.
        // SAFETY: a valid context.
        let result = unsafe { bpf_skb_change_tail(context.skb.skb, self.frame_length(), 0) };
        if result != 0 {
            return None;
        }
        self.put(context)?;
        let checksum = self.network() + self.length() - size_of::<Tcp>() + CHECKSUM;
        complete_checksum(context, checksum, self.sums)
    }
}

/// A frame that can be written to.
trait Canvas {
    /// Writes a header to `offset` bytes into the frame.
    fn put<T: Copy>(&self, offset: usize, header: &T) -> Option<()>;
}

impl Canvas for XdpContext {
    #[inline(always)]
    fn put<T: Copy>(&self, offset: usize, header: &T) -> Option<()> {
        const { assert!(align_of::<T>() <= 2) };
        let start = self.data() + offset;
        if start + size_of::<T>() > self.data_end() {
            return None;
        }
        // SAFETY: in bounds as just checked, aligned as `Frame::at` says.
        unsafe { (start as *mut T).write(*header) };
        Some(())
    }
}

/// By a helper: a program that writes by itself copies every buffer that it shares with others
/// beforehand, also those that it lets pass.
impl Canvas for TcContext {
    #[inline(always)]
    fn put<T: Copy>(&self, offset: usize, header: &T) -> Option<()> {
        self.store(offset, header, 0).ok()
    }
}

/// Sets TCP's checksum by the sums over pseudo-header and header. A segment that another host
/// on this machine has sent leaves its checksum to the network card, and then this one will, too:
/// only the kernel knows, and takes of both sums what has to be in it.
#[inline(always)]
fn complete_checksum(context: &TcContext, at: usize, (pseudo, segment): (u32, u32)) -> Option<()> {
    // That of a sum of 0.
    context.store(at, &0xffffu16, 0).ok()?;
    context
        .l4_csum_replace(at, 0, pseudo.into(), BPF_F_PSEUDO_HDR.into())
        .ok()?;
    context.l4_csum_replace(at, 0, segment.into(), 0).ok()
}

/// TCP's header of the answer, without its checksum.
#[inline(always)]
fn segment(packet: &Packet, tcp: &Tcp) -> Option<Tcp> {
    let is_whole = (tcp.data_offset >> 4) as usize >= size_of::<Tcp>() / 4;
    if tcp.flags & TCP_RST != 0 || !is_whole || packet.payload() > packet.end() {
        return None;
    }
    let (sequence, acknowledgement, flags) = if tcp.flags & TCP_ACK != 0 {
        (tcp.acknowledgement, [0; 2], TCP_RST)
    } else {
        let length = (packet.end() - packet.payload()) as u32;
        let fin = u32::from(tcp.flags & TCP_FIN);
        let next = packet.sequence().wrapping_add(length).wrapping_add(fin);
        let next = [((next >> 16) as u16).to_be(), (next as u16).to_be()];
        ([0; 2], next, TCP_RST | TCP_ACK)
    };
    Some(Tcp {
        source: tcp.destination,
        destination: tcp.source,
        sequence,
        acknowledgement,
        data_offset: (size_of::<Tcp>() as u8 / 4) << 4,
        flags,
        window: 0,
        checksum: 0,
        urgent: 0,
    })
}

/// Broadcast among them (RFC 1112, 4; RFC 919, 7).
#[inline(always)]
fn is_multicast_v4(address: &[u16; 2]) -> bool {
    u16::from_be(address[0]) >= 0xe000
}

/// RFC 4291, 2.7.
#[inline(always)]
fn is_multicast_v6(address: &[u16; 8]) -> bool {
    u16::from_be(address[0]) >= 0xff00
}

/// The sum of a header's words, of which the Internet checksum is made; in whatever byte order
/// (RFC 1071, 2).
#[inline(always)]
fn sum<T: Copy>(header: &T) -> u32 {
    const { assert!(align_of::<T>() == 2 && size_of::<T>() % 2 == 0 && size_of::<T>() <= 40) };
    let words = (header as *const T).cast::<u16>();
    let mut sum = 0;
    for index in 0..size_of::<T>() / 2 {
        // SAFETY: within the header, which has no padding.
        sum += u32::from(unsafe { *words.add(index) });
    }
    sum
}

/// Adds the carries: up to two of them for a sum of a few words.
#[inline(always)]
fn fold(sum: u32) -> u16 {
    let sum = (sum & 0xffff) + (sum >> 16);
    (sum + (sum >> 16)) as u16
}
