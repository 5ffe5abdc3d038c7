//! MQTT over a WebSocket in pieces: requests and messages cut, out of order, repeated and
//! overlapping, on the real verifier and JIT through both hooks.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::net::IpAddr;

use mqttguard::config::Mode;
use mqttguard::enforce::Rules;
use mqttguard_common::{Mac, Reason};
use mqttguard_tests::bpf::{GOOD, HOOKS, Hook, Kernel, Verdict, rules};
use mqttguard_tests::frames::{ACK, Frame, SYN, connect};

const DEVICE: Mac = Mac([0x02, 0xc1, 0x1e, 0, 0, 1]);
/// The first byte is 100 before the numbers go round.
const SYN_NUMBER: u32 = u32::MAX - 100;

const ASKS: &[u8] = b"GET /mqtt HTTP/1.1\r\nHost: broker.example\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Version: 13\r\n\r\n";
const ASKS_NOTHING: &[u8] = b"GET /graphql HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Protocol: graphql-ws\r\nSec-WebSocket-Version: 13\r\n\r\n";

struct Stream<'a> {
    kernel: &'a mut Kernel,
    hook: Hook,
    to: IpAddr,
}

impl Stream<'_> {
    /// Sends bytes that stand `offset` bytes from the first; true if they pass.
    fn passes(&mut self, flags: u8, offset: i32, payload: &[u8]) -> bool {
        let mut frame = Frame::tcp(DEVICE, self.to, 8080, flags, payload);
        let number = SYN_NUMBER.wrapping_add(1).wrapping_add(offset as u32);
        frame.body[4..8].copy_from_slice(&number.to_be_bytes());
        self.kernel.run(self.hook, &frame.bytes()) == Verdict::Pass
    }

    #[track_caller]
    fn expect(&mut self, offset: usize, payload: &[u8], reason: Reason) {
        let before = self.kernel.frames(DEVICE, reason);
        let passed = self.passes(ACK, offset as i32, payload);
        let counted = self.kernel.frames(DEVICE, reason) - before;
        assert_eq!((counted, passed), (1, !reason.is_drop()), "{offset}");
    }
}

fn everywhere(rules: &Rules, test: impl Fn(Stream<'_>)) {
    let mut kernel = Kernel::load(rules);
    kernel.tables.set_device(DEVICE, &GOOD).unwrap();
    for hook in HOOKS {
        for to in ["192.0.2.10", "2001:db8::10"] {
            let to = to.parse().unwrap();
            let kernel = &mut kernel;
            test(Stream { kernel, hook, to });
        }
    }
}

fn open(stream: &mut Stream<'_>) {
    stream.kernel.forget_streams();
    assert!(stream.passes(SYN, -1, &[]));
}

/// A masked frame.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let masked = payload.iter().zip(MASK.iter().cycle());
    let mut frame = vec![first, 0x80 | payload.len() as u8];
    frame.extend(MASK);
    frame.extend(masked.map(|(byte, mask)| byte ^ mask));
    frame
}

/// Where the protocol's name ends.
fn named() -> usize {
    ASKS.windows(6)
        .position(|bytes| bytes == b" mqtt\r")
        .unwrap()
        + 6
}

#[test]
fn a_request_cut_at_every_byte() {
    everywhere(&rules(), |mut stream| {
        for cut in 1..named() {
            open(&mut stream);
            stream.expect(0, &ASKS[..cut], Reason::Pass);
            stream.expect(cut, &ASKS[cut..], Reason::PlaintextWebSocket);
            // Once more, with what came before, or only what comes behind.
            stream.expect(cut, &ASKS[cut..], Reason::PlaintextWebSocket);
            stream.expect(0, ASKS, Reason::PlaintextWebSocket);
            stream.expect(named(), &ASKS[named()..], Reason::PlaintextSplit);
        }
    });
}

#[test]
fn a_request_byte_by_byte() {
    everywhere(&rules(), |mut stream| {
        open(&mut stream);
        for at in 0..named() - 1 {
            stream.expect(at, &ASKS[at..=at], Reason::Pass);
        }
        for _ in 0..3 {
            stream.expect(named() - 1, b"\r", Reason::PlaintextWebSocket);
        }
    });
}

/// Who reads it puts the pieces in order.
#[test]
fn a_request_with_the_end_first() {
    everywhere(&rules(), |mut stream| {
        for cut in [20, 60, named() - 3] {
            open(&mut stream);
            stream.passes(ACK, cut as i32, &ASKS[cut..]);
            stream.expect(0, &ASKS[..cut], Reason::PlaintextSplit);
            // A gap, once it has begun.
            open(&mut stream);
            stream.expect(0, &ASKS[..10], Reason::Pass);
            stream.expect(cut, &ASKS[cut..], Reason::PlaintextSplit);
            stream.expect(10, &ASKS[10..], Reason::PlaintextWebSocket);
        }
    });
}

/// Receivers cut off what they have had, before the first byte too.
#[test]
fn a_request_that_reaches_back() {
    everywhere(&rules(), |mut stream| {
        open(&mut stream);
        let early = [b"xxxxx", &ASKS[..40]].concat();
        assert!(stream.passes(ACK, -5, &early));
        stream.expect(40, &ASKS[40..], Reason::PlaintextWebSocket);
        // Old bytes do not count a second time.
        open(&mut stream);
        stream.expect(0, &ASKS[..named() - 4], Reason::Pass);
        stream.expect(0, &ASKS[..30], Reason::Pass);
        let overlap = [b"zzzzz", &ASKS[named() - 4..]].concat();
        stream.expect(named() - 9, &overlap, Reason::PlaintextWebSocket);
    });
}

#[test]
fn empty_lines_and_other_requests_before_it() {
    everywhere(&rules(), |mut stream| {
        let page = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        let text = [b"\r\n\r\n", &page[..], page, ASKS].concat();
        for size in [1, 7, 100] {
            open(&mut stream);
            let mut passed = 0;
            for (index, piece) in text.chunks(size).enumerate() {
                if !stream.passes(ACK, (index * size) as i32, piece) {
                    break;
                }
                passed += piece.len();
            }
            assert!(passed < text.len() - (ASKS.len() - named()), "{size}");
        }
    });
}

/// Of a server that does not insist on the protocol's name.
#[test]
fn a_connect_in_frames_cut_at_every_byte() {
    everywhere(&rules(), |mut stream| {
        let packet = connect("MQTT", 4, 4);
        let whole = frame(0x82, &packet);
        let pieces: Vec<u8> = packet
            .iter()
            .enumerate()
            .flat_map(|(index, byte)| {
                let first = if index == 0 { 0x02 } else { 0 };
                let ping = if index % 3 == 0 {
                    frame(0x89, b"hi")
                } else {
                    Vec::new()
                };
                [frame(first, &[*byte]), ping].concat()
            })
            .collect();
        for bytes in [whole, pieces] {
            for cut in 1..bytes.len() {
                open(&mut stream);
                stream.expect(0, ASKS_NOTHING, Reason::Pass);
                let at = ASKS_NOTHING.len();
                let first = stream.passes(ACK, at as i32, &bytes[..cut]);
                let second = stream.passes(ACK, (at + cut) as i32, &bytes[cut..]);
                assert!(!(first && second), "{cut}");
            }
            // Behind the request, in the same segment.
            open(&mut stream);
            let together = [ASKS_NOTHING, &bytes].concat();
            stream.expect(0, &together, Reason::PlaintextWebSocket);
        }
    });
}

#[test]
fn pages_and_other_websockets_pass_in_any_pieces() {
    everywhere(&rules(), |mut stream| {
        let cookies = "c".repeat(6_000);
        let page = format!("GET /mqtt HTTP/1.1\r\nCookie: mqtt={cookies}\r\n\r\n");
        let hello = frame(0x81, b"{\"type\":\"connection_init\"}");
        let binary = frame(0x82, &[0x10, 2, 7, 7]);
        for text in [
            page.as_bytes(),
            &[ASKS_NOTHING, &hello[..], &hello].concat(),
            &[ASKS_NOTHING, &frame(0x89, b""), &binary].concat(),
            b"G",
            b"POST /mqtt HTTP/1.1\r\nSec-WebSocket-Protocol: mqtt\r\n\r\nmqtt",
        ] {
            for size in [1, 3, 100, 1_400] {
                open(&mut stream);
                for (index, piece) in text.chunks(size).enumerate() {
                    // Each once more, as after a loss behind the router.
                    stream.expect(index * size, piece, Reason::Pass);
                    stream.expect(index * size, piece, Reason::Pass);
                }
                // What comes then is nobody's business.
                let end = text.len();
                if end > 1 {
                    stream.expect(end, &[0x55; 900], Reason::Pass);
                    stream.expect(end + 5_000, &[0x55; 900], Reason::Pass);
                }
            }
        }
    });
}

/// One that reports holds nothing, and does not report every segment that follows.
#[test]
fn a_report_loses_track_and_does_not_go_on_about_it() {
    let monitor = Rules {
        mode: Mode::Monitor,
        ..rules()
    };
    everywhere(&monitor, |mut stream| {
        open(&mut stream);
        assert!(stream.passes(ACK, 0, &ASKS[..30]));
        let before = stream.kernel.frames(DEVICE, Reason::PlaintextSplit);
        for at in [60, 90, 120] {
            assert!(stream.passes(ACK, at, b"xxxxxxxxxx"));
        }
        let counted = stream.kernel.frames(DEVICE, Reason::PlaintextSplit) - before;
        assert_eq!(counted, 1);
    });
}
