use std::os::fd::OwnedFd;
use std::time::Duration;

use anyhow::{Context, Result};
use mqttguard_tests::bpf::{Instruction, XDP, load, send};
use mqttguard_tests::net::Namespace;
use rustix::time::{ClockId, clock_gettime};

use crate::bpf::{self, NAME};
use crate::network::index_of;
use crate::priority::have_processor;

/// Where an IPv4 packet without VLAN tags has its time to live, and its checksum.
const TTL: usize = 22;
const CHECKSUM: usize = 24;

/// Sends a frame from inside the kernel: a program under test redirects it to an interface, whose
/// other end gets it as from a driver, in memory that comes back when the frame is gone. This is
/// how xdp-trafficgen of xdp-tools does it.
pub(crate) struct Blaster {
    program: OwnedFd,
    frame: Vec<u8>,
}

impl Blaster {
    /// A blaster of an IPv4 frame, whose checksums are filled in, in a namespace.
    pub(crate) fn new(namespace: &Namespace, interface: &str, mut frame: Vec<u8>) -> Result<Self> {
        fill_checksums(&mut frame).context("not an IPv4 packet with TCP or UDP")?;
        let interface = interface.to_owned();
        let index = namespace.run(move || index_of(&interface))?;
        let program = load(XDP, NAME, &restoring(&frame, index)?)?;
        Ok(Blaster { program, frame })
    }

    /// Sends, on the first processor, and gives the processor's time for it, which has all the work
    /// in it: the kernel receives and forwards where it sends. The best of `tries`.
    pub(crate) fn send(&self, namespace: &Namespace, count: u32, tries: u32) -> Result<Duration> {
        let (program, frame) = (self.program.try_clone()?, self.frame.clone());
        namespace.run(move || {
            have_processor(0)?;
            let mut best = Duration::MAX;
            for _ in 0..tries {
                let start = thread_time()?;
                send(&program, &frame, count).context("sending frames")?;
                best = best.min(thread_time()?.saturating_sub(start));
            }
            Ok(best)
        })
    }
}

/// This thread's time on a processor. Waiting is not in it, as when the kernel gives back what a
/// test took.
fn thread_time() -> Result<Duration> {
    Ok(clock_gettime(ClockId::ThreadCPUTime).try_into()?)
}

/// A program that writes anew what a router changes of the frame, since its memory is used again,
/// and redirects it.
fn restoring(frame: &[u8], interface: u32) -> Result<Vec<Instruction>> {
    let word = |at: usize| -> Result<i32> {
        let bytes = frame.get(at..).and_then(|rest| rest.first_chunk());
        Ok(i32::from_ne_bytes(*bytes.context("a short frame")?))
    };
    let half = |at: usize| -> Result<i32> {
        let bytes = frame.get(at..).and_then(|rest| rest.first_chunk());
        Ok(i16::from_ne_bytes(*bytes.context("a short frame")?).into())
    };
    let mut code = vec![
        // r2, r3 = data, data_end; if r2 + 34 > r3 goto the end.
        Instruction::new(0x61, 2, 1, 0, 0),
        Instruction::new(0x61, 3, 1, 4, 0),
        Instruction::new(0xbf, 4, 2, 0, 0),
        Instruction::new(0x07, 4, 0, 0, 34),
        Instruction::set(0, 0),
        Instruction::new(0x2d, 4, 3, 8, 0),
    ];
    for at in [0, 4, 8] {
        code.push(Instruction::new(0x62, 2, 0, at as i16, word(at)?));
    }
    for at in [TTL, CHECKSUM] {
        code.push(Instruction::new(0x6a, 2, 0, at as i16, half(at)?));
    }
    code.extend(bpf::redirect(interface));
    Ok(code)
}

/// Fills the checksums of an IPv4 header without options (RFC 791) and of the TCP or UDP above it
/// in (RFC 9293, RFC 768).
fn fill_checksums(frame: &mut [u8]) -> Option<()> {
    let (_, packet) = frame.split_at_mut_checked(14)?;
    let (header, body) = packet.split_at_mut_checked(20)?;
    let protocol = *header.get(9)?;
    let at = match protocol {
        6 => 16,
        17 => 6,
        _ => return None,
    };
    let mut pseudo = header.get(12..20)?.to_vec();
    pseudo.extend([0, protocol]);
    pseudo.extend(u16::try_from(body.len()).ok()?.to_be_bytes());
    let sum = checksum(&[&pseudo, body]);
    body.get_mut(at..at + 2)?
        .copy_from_slice(&sum.to_be_bytes());
    let sum = checksum(&[header]);
    header.get_mut(10..12)?.copy_from_slice(&sum.to_be_bytes());
    Some(())
}

/// RFC 1071, over parts of which all but the last are even.
fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum = 0u32;
    for pair in parts.iter().flat_map(|part| part.chunks(2)) {
        let [high, low] = [pair.first(), pair.get(1)].map(|byte| byte.copied().unwrap_or(0));
        sum += u32::from(u16::from_be_bytes([high, low]));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_add_up_to_nothing() {
        let header = [
            0x45, 0, 0, 0x3c, 0x1c, 0x46, 0x40, 0, 0x40, 6, 0xb1, 0xe6, 0xac, 0x10, 0x0a, 0x63,
            0xac, 0x10, 0x0a, 0x0c,
        ];
        assert_eq!(checksum(&[&header]), 0);
        assert_eq!(checksum(&[&[0x12], &[]]), !0x1200);
    }
}
