//! A CONNECT in pieces: every way to cut, order, repeat and overlap the first bytes of a TCP
//! stream that somebody might try, one test each, on the real verifier and JIT.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::thread::sleep;
use std::time::Duration;

use mqttguard::enforce::Rules;
use mqttguard_common::{Flow, Mac, Reason};
use mqttguard_tests::bpf::{GOOD, Hook, Kernel, Verdict, rules};
use mqttguard_tests::frames::{ACK, CLIENT_HELLO, Frame, SYN, connect};
use mqttguard_tests::house::{IN_VAIN, PATIENCE};
use mqttguard_tests::net::Namespace;

const DEVICE: Mac = Mac([0x02, 0xc1, 0x1e, 0, 0, 1]);
/// The number of the SYN: the first byte is 5 before the numbers go round.
const SYN_NUMBER: u32 = u32::MAX - 5;

fn clouds() -> [IpAddr; 2] {
    ["192.0.2.10", "2001:db8::10"].map(|address| address.parse().unwrap())
}

/// A device with one stream, on one hook.
struct Stream<'a> {
    kernel: &'a mut Kernel,
    hook: Hook,
    to: IpAddr,
    port: u16,
}

impl<'a> Stream<'a> {
    /// One that nothing was sent of yet.
    fn new(kernel: &'a mut Kernel, (hook, to): (Hook, IpAddr)) -> Self {
        kernel.forget_streams();
        kernel.tables.set_device(DEVICE, &GOOD).unwrap();
        let port = 443;
        Stream {
            kernel,
            hook,
            to,
            port,
        }
    }

    /// One that was opened.
    fn open(kernel: &'a mut Kernel, at: (Hook, IpAddr)) -> Self {
        let mut stream = Self::new(kernel, at);
        stream.syn(SYN_NUMBER);
        stream
    }

    fn syn(&mut self, number: u32) {
        self.send(SYN, number, &[], Reason::Pass);
    }

    /// Sends bytes that stand `offset` bytes from the first.
    #[track_caller]
    fn bytes(&mut self, offset: i32, payload: &[u8], reason: Reason) {
        let number = SYN_NUMBER.wrapping_add(1).wrapping_add(offset as u32);
        self.send(ACK, number, payload, reason);
    }

    #[track_caller]
    fn send(&mut self, flags: u8, number: u32, payload: &[u8], reason: Reason) {
        let mut frame = Frame::tcp(DEVICE, self.to, self.port, flags, payload);
        frame.body[4..8].copy_from_slice(&number.to_be_bytes());
        let before = self.kernel.frames(DEVICE, reason);
        let verdict = self.kernel.run(self.hook, &frame.bytes());
        assert_eq!(
            self.kernel.frames(DEVICE, reason) - before,
            1,
            "{payload:02x?}"
        );
        assert_eq!(verdict == Verdict::Drop, reason.is_drop());
    }
}

fn everywhere(test: impl Fn(&mut Kernel, (Hook, IpAddr))) {
    let mut kernel = Kernel::load(&rules());
    for hook in [Hook::Xdp, Hook::Tc] {
        for to in clouds() {
            test(&mut kernel, (hook, to));
        }
    }
}

fn packets() -> [Vec<u8>; 5] {
    [
        connect("MQTT", 4, 0),
        connect("MQTT", 5, 200),
        connect("MQTT", 0x84, 20_000),
        connect("MQIsdp", 3, 4),
        connect("MQIsdp", 0x83, 300),
    ]
}

#[test]
fn cut_at_every_byte() {
    everywhere(|kernel, at| {
        for packet in packets() {
            for cut in 1..14 {
                let mut stream = Stream::open(kernel, at);
                for _ in 0..3 {
                    stream.bytes(0, &packet[..cut], Reason::PlaintextSplit);
                }
                // What the sender has more of by then comes along.
                stream.bytes(0, &packet[..packet.len().min(60)], Reason::PlaintextConnect);
                // Nor does it help to go on.
                stream.bytes(cut as i32, &packet[cut..14], Reason::PlaintextSplit);
                stream.bytes(0, &packet[..cut], Reason::PlaintextSplit);
            }
        }
    });
}

#[test]
fn byte_by_byte_backwards() {
    everywhere(|kernel, at| {
        for packet in packets() {
            let mut stream = Stream::open(kernel, at);
            for at in (0..14).rev() {
                stream.bytes(at as i32, &packet[at..=at], Reason::PlaintextSplit);
            }
        }
    });
}

/// The rest first, then a first byte with nonsense over the rest: which of the two a receiver
/// takes is its own affair (it differs between systems), so neither may pass.
#[test]
fn the_rest_first_and_nonsense_over_it() {
    everywhere(|kernel, at| {
        let packet = connect("MQTT", 4, 0);
        let mut stream = Stream::open(kernel, at);
        stream.bytes(1, &packet[1..], Reason::PlaintextSplit);
        let mut nonsense = packet.clone();
        nonsense[4..].fill(b'x');
        stream.bytes(0, &nonsense, Reason::Pass);
        // From here on that is the beginning, and stays it.
        stream.bytes(0, &packet, Reason::PlaintextConnect);
        stream.bytes(0, &packet[..3], Reason::PlaintextSplit);
        stream.bytes(14, &packet[..3], Reason::Pass);
    });
}

/// Receivers cut off what they have had, and the number of the SYN is such a byte.
#[test]
fn reaching_back_before_the_start() {
    everywhere(|kernel, at| {
        for packet in packets() {
            for back in [1, 2, 13, 200] {
                let mut stream = Stream::open(kernel, at);
                let early = [&vec![0x17; back][..], &packet[..14]].concat();
                stream.bytes(-(back as i32), &early, Reason::PlaintextSplit);
                stream.bytes(-(back as i32), &early[..back + 1], Reason::PlaintextSplit);
                stream.bytes(-(back as i32), &early[..back], Reason::Pass);
                // Also when something else was seen to start the stream.
                stream.bytes(0, CLIENT_HELLO, Reason::Pass);
                stream.bytes(-(back as i32), &early, Reason::PlaintextSplit);
            }
        }
    });
}

#[test]
fn in_pieces_from_the_syn_of_tcp_fast_open_on() {
    everywhere(|kernel, at| {
        let packet = connect("MQTT", 4, 0);
        let mut stream = Stream::new(kernel, at);
        stream.send(SYN, SYN_NUMBER, &packet[..5], Reason::PlaintextSplit);
        // A receiver without Fast Open takes no byte of a SYN.
        stream.send(SYN, SYN_NUMBER, b"hello, how are you", Reason::Pass);
        stream.bytes(0, &packet[..5], Reason::PlaintextSplit);
        stream.bytes(0, &packet, Reason::PlaintextConnect);
    });
}

/// The stream is older than the program, or a flood of others has taken its place.
#[test]
fn a_stream_whose_start_is_not_known() {
    everywhere(|kernel, at| {
        for packet in packets() {
            let mut stream = Stream::new(kernel, at);
            for cut in 1..14 {
                stream.bytes(0, &packet[..cut], Reason::PlaintextSplit);
            }
            stream.bytes(0, CLIENT_HELLO, Reason::Pass);
            stream.bytes(20, b"x", Reason::Pass);
        }
    });
}

/// Another SYN with another number, that the receiver takes for an error, to move the start away.
#[test]
fn a_made_up_syn() {
    everywhere(|kernel, at| {
        let packet = connect("MQTT", 4, 0);
        let mut stream = Stream::open(kernel, at);
        for number in [77, 0x8000_0000, SYN_NUMBER - 20] {
            stream.syn(number);
            stream.bytes(0, &packet[..1], Reason::PlaintextSplit);
            stream.bytes(0, &packet[..9], Reason::PlaintextSplit);
        }
        // Or first a flood that makes the slot forget whose it was.
        for port in 0..60_000u16 {
            let mut frame = Frame::tcp(DEVICE, at.1, port, SYN, &[]);
            frame.body[0..2].copy_from_slice(&port.to_be_bytes());
            if port != 1883 {
                assert_eq!(stream.kernel.run(at.0, &frame.bytes()), Verdict::Pass);
            }
        }
        stream.syn(99);
        stream.bytes(0, &packet[..1], Reason::PlaintextSplit);
    });
}

#[test]
fn honest_streams_pass() {
    everywhere(|kernel, at| {
        let mut stream = Stream::open(kernel, at);
        // A keep-alive probe before the first byte, and an acknowledgement.
        stream.bytes(-1, &[0], Reason::Pass);
        stream.bytes(0, &[], Reason::Pass);
        // A short first segment, once more with what came meanwhile, and the rest.
        stream.bytes(0, b"HE", Reason::Pass);
        stream.bytes(0, b"HELO a.example", Reason::Pass);
        stream.bytes(2, b"LO a.example", Reason::Pass);
        stream.syn(SYN_NUMBER);
        stream.bytes(2, b"L", Reason::Pass);
        // Bytes that look like the beginning of a CONNECT later on: a serial line behind a
        // bridge, say.
        for offset in [3, 14, 1_000, 1 << 30] {
            for payload in [&[0x10][..], &[0x10, 0x20], &[0x10, 0x20, 0]] {
                stream.bytes(offset, payload, Reason::Pass);
            }
        }
        // Four gigabytes later the numbers are the same again.
        stream.bytes(-700, &[0x55; 1_400], Reason::Pass);
        stream.bytes(5, &[0x55; 1_400], Reason::Pass);
        // The second segment overtakes the first.
        let mut stream = Stream::open(kernel, at);
        stream.bytes(1_448, &[0x55; 1_000], Reason::Pass);
        stream.bytes(0, CLIENT_HELLO, Reason::Pass);
    });
}

/// A device that answers, of which the other side is the one that says SYN without ACK.
#[test]
fn servers_may_say_anything_within_a_stream() {
    everywhere(|kernel, at| {
        let mut stream = Stream::new(kernel, at);
        stream.send(SYN | ACK, SYN_NUMBER, &[], Reason::Pass);
        stream.bytes(0, b"hello", Reason::Pass);
        stream.bytes(5, &[0x10], Reason::Pass);
    });
}

#[test]
fn where_a_connect_may_go_its_pieces_may() {
    let mut kernel = Kernel::load(&Rules {
        exceptions: vec![mqttguard::config::Exception {
            name: "old".into(),
            mac: None,
            destination: "192.0.2.10/32".parse().unwrap(),
            port: None,
        }],
        ..rules()
    });
    for (to, reason) in [
        ("192.0.2.10", Reason::Excepted),
        ("192.0.2.11", Reason::PlaintextSplit),
        ("192.168.1.1", Reason::PlaintextLocal),
    ] {
        let to = to.parse().unwrap();
        let frame = Frame::tcp(DEVICE, to, 443, ACK, &[0x10, 0x20]).bytes();
        kernel.expect(&frame, reason);
    }
    kernel
        .tables
        .set_rules(&Rules {
            detect_connect: false,
            ..rules()
        })
        .unwrap();
    let frame = Frame::tcp(DEVICE, clouds()[0], 443, ACK, &[0x10, 0x20]).bytes();
    kernel.expect(&frame, Reason::Pass);
}

/// What a dropped SYN says is not remembered, and a flood of SYNs uses no more than there is.
#[test]
fn a_syn_beyond_the_limit_leaves_no_trace() {
    let mut kernel = Kernel::load(&rules());
    let mut stream = Stream::open(&mut kernel, (Hook::Xdp, clouds()[0]));
    let tight = mqttguard::registry::DevicePolicy {
        limits: mqttguard::config::KernelLimits {
            packets_per_s: 2,
            ..GOOD.limits
        },
        ..GOOD
    };
    stream.kernel.tables.set_device(DEVICE, &tight).unwrap();
    // A merged packet takes what there is for half an hour.
    let other = Frame::tcp(DEVICE, clouds()[1], 80, ACK, &[0x17; 64]).bytes();
    assert_eq!(stream.kernel.run_merged(&other, 3_600), Verdict::Pass);
    for number in 0..10 {
        stream.send(SYN, number, &[], Reason::FloodPackets);
    }
    let free = mqttguard::registry::DevicePolicy {
        limits: mqttguard::config::KernelLimits {
            packets_per_s: 0,
            ..GOOD.limits
        },
        ..GOOD
    };
    stream.kernel.tables.set_device(DEVICE, &free).unwrap();
    // The start is still known, and known for sure.
    stream.bytes(0, b"hello", Reason::Pass);
    stream.bytes(5, &[0x10], Reason::Pass);
    assert_eq!(Flow::SLOTS as usize * size_of::<Flow>(), 128 * 1024);
}

/// A start that may be made up is not known for sure, unless what was remembered there before is
/// so old that nobody waits for it any more.
#[test]
fn a_slot_that_was_not_used_for_long_is_as_good_as_new() {
    everywhere(|kernel, at| {
        for (age, reason) in [
            (Flow::STALE - 60, Reason::PlaintextSplit),
            (Flow::STALE + 1, Reason::Pass),
        ] {
            let mut stream = Stream::open(kernel, at);
            stream.kernel.age_streams(age);
            let again = SYN_NUMBER.wrapping_add(5_000);
            stream.syn(again);
            stream.bytes(6_000, &[0x10], reason);
        }
    });
}

/// Linux at both ends: a client that writes single bytes, and a server that would read them.
#[test]
fn linux_does_not_get_a_connect_through_byte_by_byte() {
    let (device, guarded) = (Namespace::new(), Namespace::new());
    let path = guarded.path();
    device.ip(&format!(
        "link add mqgs0 address {DEVICE} type veth peer name mqgs1 netns {path}"
    ));
    device.ip("addr add 198.51.100.2/24 dev mqgs0");
    device.ip("link set mqgs0 up");
    guarded.ip("addr add 198.51.100.1/24 dev mqgs1");
    guarded.ip("link set mqgs1 up");
    let kernel = guarded.run(|| {
        let mut kernel = Kernel::load(&rules());
        kernel.tables.set_device(DEVICE, &GOOD).unwrap();
        kernel.attach_tc("mqgs1");
        kernel
    });
    let listener = guarded.run(|| TcpListener::bind("198.51.100.1:443").unwrap());
    let open = || {
        let client = device.run(|| TcpStream::connect("198.51.100.1:443").unwrap());
        client.set_nodelay(true).unwrap();
        let (server, _) = listener.accept().unwrap();
        (client, server)
    };
    let say = |client: &mut TcpStream, bytes: &[u8]| {
        for byte in bytes {
            client.write_all(&[*byte]).unwrap();
            sleep(Duration::from_millis(30));
        }
    };
    let mut buffer = [0; 64];

    let (mut client, mut server) = open();
    say(&mut client, &connect("MQTT", 4, 4));
    server.set_read_timeout(Some(IN_VAIN)).unwrap();
    let error = server.read(&mut buffer).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    assert!(kernel.frames(DEVICE, Reason::PlaintextSplit) > 0);

    // In two pieces, of which the client's stack makes one when it sends them once more.
    let (mut client, server) = open();
    let packet = connect("MQTT", 4, 4);
    client.write_all(&packet[..9]).unwrap();
    client.write_all(&packet[9..]).unwrap();
    server.set_read_timeout(Some(IN_VAIN)).unwrap();
    let error = (&server).read(&mut buffer).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    assert!(kernel.frames(DEVICE, Reason::PlaintextConnect) > 0);

    // What only begins the same way arrives, late: with the byte that tells it apart.
    let (mut client, mut server) = open();
    let other = [0x10, 0x20, 0x00, 0x07, 1, 2, 3];
    say(&mut client, &other);
    let mut found = [0; 7];
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    server.read_exact(&mut found).unwrap();
    assert_eq!(found, other);

    // And so does all else, at once.
    let (mut client, mut server) = open();
    let before = kernel.frames(DEVICE, Reason::PlaintextSplit);
    let line = [b'o', b'k', 0x10, 0x20, 0x00, 0x04, b'M'];
    say(&mut client, &line);
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    server.read_exact(&mut found).unwrap();
    assert_eq!(found, line);
    assert_eq!(kernel.frames(DEVICE, Reason::PlaintextSplit), before);
}
