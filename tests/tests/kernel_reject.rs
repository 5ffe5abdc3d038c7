//! The reset that answers plaintext MQTT: byte by byte, and as the TCP stack of a device takes
//! it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

use mqttguard::config::{KernelLimits, Mode};
use mqttguard::enforce::Rules;
use mqttguard::registry::{DevicePolicy, Standing};
use mqttguard_common::{Mac, Reason, event_flags};
use mqttguard_lab::PATIENCE;
use mqttguard_tests::bpf::{GOOD, HOOKS, Hook, Kernel, Verdict, WIDE, rules};
use mqttguard_tests::frames::{ACK, Frame, SYN, connect};
use mqttguard_tests::net::Namespace;
use mqttguard_tests::reset::{answer, checksum};

const DEVICE: Mac = Mac([0x02, 0xc1, 0x1e, 0, 0, 1]);

const FIN: u8 = 0x01;
const RST: u8 = 0x04;

fn rejecting() -> Rules {
    Rules {
        reject: true,
        ..rules()
    }
}

fn kernel(rules: &Rules) -> Kernel {
    let mut kernel = Kernel::load(rules);
    kernel.tables.set_device(DEVICE, &GOOD).unwrap();
    kernel
}

fn clouds() -> [IpAddr; 2] {
    ["192.0.2.10", "2001:db8::10"].map(|address| address.parse().unwrap())
}

/// A segment with numbers of its own.
fn segment(to: IpAddr, port: u16, flags: u8, payload: &[u8]) -> Frame {
    let mut frame = Frame::tcp(DEVICE, to, port, flags, payload);
    frame.body[4..12].copy_from_slice(&[0xff, 0xff, 0xff, 0xfe, 0x12, 0x34, 0x56, 0x78]);
    frame
}

/// Puts a packet into a PPPoE session.
fn dial(frame: &mut Vec<u8>, tags: usize, to: IpAddr) {
    let protocol = if to.is_ipv4() { 0x21 } else { 0x57 };
    let kind = 12 + 4 * tags;
    let session = [0x88, 0x64, 0x11, 0, 0, 7, 0, 99, 0, protocol];
    frame.splice(kind..kind + 2, session);
}

/// What the standard says of one segment, written out by hand.
#[test]
fn a_syn_is_answered_as_a_closed_port_would() {
    let mut kernel = kernel(&rejecting());
    let frame = segment(clouds()[0], 1883, SYN, &[]).bytes();
    #[rustfmt::skip]
    let expected = [
        // To the device, from where it sent to.
        0x02, 0xc1, 0x1e, 0, 0, 1, 0x02, 0, 0, 0, 0, 0xfe, 0x08, 0x00,
        0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6, 0xb6, 0xd0, 192, 0, 2, 10, 192, 168, 1, 77,
        // From port 1883 to 50,000; number 0, acknowledges 0xfffffffe and the SYN; RST, ACK.
        0x07, 0x5b, 0xc3, 0x50, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x50, 0x14, 0, 0,
        0x61, 0x25, 0, 0,
        // Ethernet's least.
        0, 0, 0, 0, 0, 0,
    ];
    for hook in HOOKS {
        let (verdict, found) = kernel.transform(hook, &frame);
        assert_eq!(verdict, Verdict::Answer);
        assert_eq!(found, expected, "{hook:?}\n{found:02x?}");
    }
}

#[test]
fn every_segment_in_every_wrapping() {
    let mut kernel = kernel(&rejecting());
    let packet = connect("MQTT", 4, 60);
    let mut answered = 0;
    for to in clouds() {
        for tags in [vec![], vec![0x8100], vec![0x8100; 2], vec![0x88a8, 0x8100]] {
            for in_session in [false, true] {
                for (port, flags, payload) in [
                    (1883, SYN, &[][..]),
                    (1883, SYN, &packet),
                    (1883, SYN | FIN, &packet),
                    (1883, 0, &packet),
                    (1883, ACK, &[]),
                    (1883, ACK | FIN, &[]),
                    (1883, SYN | ACK, &[]),
                    (443, ACK, &packet),
                    (443, SYN, &packet),
                ] {
                    let mut frame = segment(to, port, flags, payload);
                    frame.tags.clone_from(&tags);
                    let mut bytes = frame.bytes();
                    if in_session {
                        dial(&mut bytes, tags.len(), to);
                    }
                    let expected = answer(&bytes).unwrap();
                    assert!(expected.len() <= bytes.len());
                    for hook in HOOKS {
                        let (verdict, found) = kernel.transform(hook, &bytes);
                        assert_eq!(verdict, Verdict::Answer, "{hook:?}");
                        assert_eq!(found, expected, "{hook:?}");
                        answered += 1;
                    }
                }
            }
        }
    }
    let counters = kernel.counters(DEVICE).frames;
    let plaintext: u64 = [Reason::PlaintextPort, Reason::PlaintextConnect]
        .iter()
        .map(|&reason| counters[reason as usize])
        .sum();
    assert_eq!((plaintext, counters.iter().sum()), (answered, answered));
}

#[test]
fn a_router_that_takes_no_plaintext_answers_too() {
    let mut kernel = kernel(&rejecting());
    for to in ["192.168.1.1", "fd00::1"] {
        let frame = segment(to.parse().unwrap(), 1883, SYN, &[]).bytes();
        for hook in HOOKS {
            assert_eq!(kernel.run(hook, &frame), Verdict::Answer);
        }
    }
    assert_eq!(kernel.frames(DEVICE, Reason::PlaintextLocal), 4);
}

/// A runt of a virtual link stays one; what came longer does not become one.
#[test]
fn no_answer_is_longer_than_what_it_answers() {
    let mut kernel = kernel(&rejecting());
    let mut segment = segment(clouds()[0], 1883, SYN, &[]);
    segment.body.truncate(20);
    segment.body[12] = 5 << 4;
    let mut frame = segment.bytes();
    for length in 54..70 {
        frame.resize(length, 0xee);
        let expected = if length < 60 { 54 } else { 60 };
        for hook in HOOKS {
            let (verdict, found) = kernel.transform(hook, &frame);
            assert_eq!((verdict, found.len()), (Verdict::Answer, expected));
            assert!(!found.contains(&0xee), "{length}: {found:02x?}");
        }
    }
}

#[test]
fn what_gets_no_answer() {
    let mut kernel = kernel(&rejecting());
    let [to, to6] = clouds();
    let mut frames = Vec::new();
    for to in [to, to6] {
        frames.push(segment(to, 1883, RST, &[]).bytes());
        frames.push(segment(to, 1883, RST | ACK, &[]).bytes());
        // To a group on the wire.
        let mut frame = segment(to, 1883, SYN, &[]).bytes();
        frame[..6].fill(0xff);
        frames.push(frame);
        // A TCP header that says it ends before it does, and one longer than the packet.
        let mut frame = segment(to, 1883, SYN, &[]);
        frame.body[12] = 4 << 4;
        frames.push(frame.bytes());
        frame.body[12] = 15 << 4;
        frames.push(frame.bytes());
    }
    for to in ["224.0.0.1", "255.255.255.255", "ff02::1"] {
        frames.push(segment(to.parse().unwrap(), 1883, SYN, &[]).bytes());
    }
    let mut frame = segment(to, 1883, SYN, &[]);
    frame.source = "239.1.1.1".parse().unwrap();
    frames.push(frame.bytes());
    let mut frame = segment(to6, 1883, SYN, &[]);
    frame.source = "ff05::1".parse().unwrap();
    frames.push(frame.bytes());
    let mut frame = segment(to, 1883, SYN, &[]);
    frame.options = vec![1; 4];
    frames.push(frame.bytes());
    let mut frame = segment(to, 1883, ACK, &[0; 40]);
    frame.fragment = 0x2000;
    frames.push(frame.bytes());
    let mut frame = segment(to6, 1883, SYN, &[]);
    frame.extensions = vec![(60, vec![0; 8])];
    frames.push(frame.bytes());
    for frame in &frames {
        kernel.expect(frame, Reason::PlaintextPort);
        assert!(answer(frame).is_none());
    }
    // An honest sender repeats these, with more bytes.
    kernel.expect(
        &segment(to, 443, ACK, &connect("MQTT", 4, 0)[..5]).bytes(),
        Reason::PlaintextSplit,
    );
    kernel.expect(
        &Frame::udp(DEVICE, to, 1, 1883, &[2, 4]).bytes(),
        Reason::MqttSn,
    );
    let plain = segment(to, 1883, SYN, &[]).bytes();
    for (standing, reason) in [
        (Standing::Blocked, Reason::Blocked),
        (Standing::Quarantined, Reason::Quarantined),
    ] {
        let policy = DevicePolicy { standing, ..GOOD };
        kernel.tables.set_device(DEVICE, &policy).unwrap();
        kernel.expect(&plain, reason);
    }
    let limits = KernelLimits {
        packets_per_s: 1,
        ..WIDE
    };
    let policy = DevicePolicy { limits, ..GOOD };
    let mut kernel = Kernel::load(&rejecting());
    kernel.tables.set_device(DEVICE, &policy).unwrap();
    for verdict in [Verdict::Answer, Verdict::Drop, Verdict::Drop] {
        assert_eq!(kernel.run(Hook::Xdp, &plain), verdict);
    }
}

#[test]
fn only_if_the_rules_say_so() {
    let plain = segment(clouds()[0], 1883, SYN, &[]).bytes();
    kernel(&rules()).expect(&plain, Reason::PlaintextPort);
    let mut kernel = kernel(&Rules {
        mode: Mode::Monitor,
        ..rejecting()
    });
    for hook in HOOKS {
        let (verdict, left) = kernel.transform(hook, &plain);
        assert_eq!(verdict, Verdict::Pass);
        assert_eq!(left, plain);
    }
    assert_eq!(kernel.frames(DEVICE, Reason::PlaintextPort), 2);
    assert_eq!(kernel.events()[0].flags, 0);
}

#[test]
fn events_tell_that_it_was_answered() {
    let mut kernel = kernel(&rejecting());
    kernel.run(Hook::Xdp, &segment(clouds()[0], 1883, SYN, &[]).bytes());
    let payload = connect("MQTT", 4, 0);
    kernel.run(Hook::Tc, &segment(clouds()[1], 443, ACK, &payload).bytes());
    let mut optioned = segment("192.168.1.1".parse().unwrap(), 1883, SYN, &[]);
    optioned.options = vec![1; 4];
    kernel.run(Hook::Tc, &optioned.bytes());
    let told: Vec<(Reason, u8)> = kernel
        .events()
        .iter()
        .map(|event| (event.reason().unwrap(), event.flags))
        .collect();
    let rejected = event_flags::DROPPED | event_flags::REJECTED;
    assert_eq!(
        told,
        [
            (Reason::PlaintextPort, rejected),
            (Reason::PlaintextConnect, rejected),
            (Reason::PlaintextLocal, event_flags::DROPPED),
        ]
    );
}

/// What a network card has merged is answered as one segment.
#[test]
fn a_merged_packet() {
    let mut kernel = kernel(&rejecting());
    let frame = segment(clouds()[0], 1883, ACK, &[0x10; 1400]).bytes();
    assert_eq!(kernel.run_merged(&frame, 40), Verdict::Answer);
}

/// A device and a router, each with a TCP stack of its own, between them a link.
struct Link {
    device: Namespace,
    router: Namespace,
    kernel: Kernel,
    _peer: Option<Kernel>,
}

const DEVICE_END: &str = "mqgr0";
const ROUTER_END: &str = "mqgr1";
const ROUTER: [&str; 2] = ["198.51.100.1", "2001:db8:51::1"];

/// linux/ethtool.h.
const ETHTOOL_STXCSUM: u32 = 0x17;

impl Link {
    fn new(hook: Hook) -> Self {
        let (device, router) = (Namespace::new(), Namespace::new());
        let path = router.path();
        device.ip(&format!(
            "link add {DEVICE_END} address {DEVICE} type veth peer name {ROUTER_END} netns {path}"
        ));
        device.ip(&format!("addr add 198.51.100.2/24 dev {DEVICE_END}"));
        device.ip(&format!(
            "addr add 2001:db8:51::2/64 dev {DEVICE_END} nodad"
        ));
        router.ip(&format!("addr add 198.51.100.1/24 dev {ROUTER_END}"));
        router.ip(&format!(
            "addr add 2001:db8:51::1/64 dev {ROUTER_END} nodad"
        ));
        device.ip(&format!("link set {DEVICE_END} up"));
        router.ip(&format!("link set {ROUTER_END} up"));
        // A veth device wakes its peer for what an XDP program sends only if that has one, too:
        // here one that lets everything pass.
        let peer = (hook == Hook::Xdp).then(|| {
            device.run(|| {
                let mut peer = Kernel::load(&Rules {
                    mode: Mode::Monitor,
                    ..rules()
                });
                peer.attach_xdp(DEVICE_END);
                peer
            })
        });
        let kernel = router.run(move || {
            let mut kernel = kernel(&rejecting());
            match hook {
                Hook::Xdp => kernel.attach_xdp(ROUTER_END),
                Hook::Tc => kernel.attach_tc(ROUTER_END),
            }
            kernel
        });
        Link {
            device,
            router,
            kernel,
            _peer: peer,
        }
    }

    fn listen(&self, address: SocketAddr) -> TcpListener {
        self.router.run(move || TcpListener::bind(address).unwrap())
    }

    fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        self.device
            .run(move || TcpStream::connect_timeout(&address, PATIENCE))
    }
}

fn set_feature(interface: &str, command: u32, on: bool) {
    // struct ifreq: a name and, of a union, a pointer to struct ethtool_value.
    let value = [command, u32::from(on)];
    let mut request = [0u8; 40];
    request[..interface.len()].copy_from_slice(interface.as_bytes());
    request[16..24].copy_from_slice(&(value.as_ptr() as u64).to_ne_bytes());
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    // SAFETY: request and value are as the kernel expects them and outlive the call.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), 0x8946, request.as_mut_ptr()) };
    assert!(result == 0, "{interface}: {}", io::Error::last_os_error());
}

/// All that arrives at an interface, as bytes.
struct Capture(OwnedFd);

impl Capture {
    fn open(interface: &str) -> Self {
        let protocol = (libc::ETH_P_ALL as u16).to_be();
        // SAFETY: no pointers; the descriptor is owned by nobody else.
        let socket = unsafe {
            let fd = libc::socket(libc::AF_PACKET, libc::SOCK_RAW, protocol.into());
            assert!(fd >= 0, "{}", io::Error::last_os_error());
            OwnedFd::from_raw_fd(fd)
        };
        let name = std::ffi::CString::new(interface).unwrap();
        let timeout = libc::timeval {
            tv_sec: 30,
            tv_usec: 0,
        };
        // SAFETY: plain structures that outlive the calls, of the sizes given.
        let result = unsafe {
            let mut address: libc::sockaddr_ll = std::mem::zeroed();
            address.sll_family = libc::AF_PACKET as u16;
            address.sll_protocol = protocol;
            address.sll_ifindex = libc::if_nametoindex(name.as_ptr()) as i32;
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_RCVTIMEO,
                (&raw const timeout).cast(),
                size_of_val(&timeout) as u32,
            );
            libc::bind(
                socket.as_raw_fd(),
                (&raw const address).cast(),
                size_of_val(&address) as u32,
            )
        };
        assert!(result == 0, "{}", io::Error::last_os_error());
        Capture(socket)
    }

    /// The next reset to the device.
    fn reset(&self) -> Vec<u8> {
        loop {
            let mut frame = vec![0u8; 2048];
            // SAFETY: writes to the buffer alone, as long as it is.
            let length = unsafe {
                libc::recv(
                    self.0.as_raw_fd(),
                    frame.as_mut_ptr().cast(),
                    frame.len(),
                    0,
                )
            };
            assert!(length > 0, "no reset came: {}", io::Error::last_os_error());
            frame.truncate(length as usize);
            let tcp = match frame[12..14] {
                [0x08, 0x00] if frame[23] == 6 => 34,
                [0x86, 0xdd] if frame[20] == 6 => 54,
                _ => continue,
            };
            if frame[..6] == DEVICE.0 && frame[tcp + 13] & RST != 0 {
                return frame;
            }
        }
    }
}

/// That a receiver would take these checksums.
fn verify(frame: &[u8]) {
    let (addresses, tcp) = match frame[12] {
        0x08 => {
            assert_eq!(checksum(&frame[14..34]), 0, "IPv4: {frame:02x?}");
            (&frame[26..34], &frame[34..54])
        }
        _ => (&frame[22..54], &frame[54..74]),
    };
    let sum = checksum(&[addresses, &[0, 6, 0, 20], tcp].concat());
    assert_eq!(sum, 0, "TCP: {frame:02x?}");
}

fn a_devices_stack_understands(hook: Hook) {
    let link = Link::new(hook);
    let mut resets = 0;
    for address in ROUTER {
        let address: IpAddr = address.parse().unwrap();
        // It is there, and would be reached.
        let _listener = link.listen((address, 1883).into());
        let other = link.listen((address, 9000).into());
        // Whether either end leaves checksums to the network card.
        for (device, router) in [(true, true), (false, true), (true, false), (false, false)] {
            link.device
                .run(move || set_feature(DEVICE_END, ETHTOOL_STXCSUM, device));
            link.router
                .run(move || set_feature(ROUTER_END, ETHTOOL_STXCSUM, router));
            let capture = link.device.run(|| Capture::open(DEVICE_END));
            let is_whole = hook == Hook::Xdp || !device || !router;

            let error = link.connect((address, 1883).into()).unwrap_err();
            assert_eq!(
                error.kind(),
                ErrorKind::ConnectionRefused,
                "{error}; {address}, checksums {device} {router}; {:?}",
                link.kernel.counters(DEVICE).frames
            );
            let reset = capture.reset();
            if is_whole {
                verify(&reset);
            }

            let mut client = link.connect((address, 9000).into()).unwrap();
            let (mut server, _) = other.accept().unwrap();
            let mut buffer = [0; 64];
            client.write_all(b"hello").unwrap();
            server.read_exact(&mut buffer[..5]).unwrap();
            server.write_all(b"you").unwrap();
            client.read_exact(&mut buffer[..3]).unwrap();
            // One that starts with a CONNECT.
            let mut client = link.connect((address, 9000).into()).unwrap();
            let (mut server, _) = other.accept().unwrap();
            client.set_read_timeout(Some(PATIENCE)).unwrap();
            client.write_all(&connect("MQTT", 5, 9)).unwrap();
            let error = client.read(&mut buffer).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
            let reset = capture.reset();
            if is_whole {
                verify(&reset);
            }
            // Nothing of it has arrived; nor has the reset, which was the device's alone.
            server
                .set_read_timeout(Some(Duration::from_millis(300)))
                .unwrap();
            let error = server.read(&mut buffer).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}");
            // It learns when it speaks next.
            server.write_all(b"are you there?").unwrap();
            server.set_read_timeout(Some(PATIENCE)).unwrap();
            let error = server.read(&mut buffer).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
            resets += 1;
        }
    }
    let counted = [Reason::PlaintextPort, Reason::PlaintextConnect]
        .map(|reason| link.kernel.frames(DEVICE, reason));
    assert_eq!(counted, [resets, resets], "one frame each, none repeated");
}

#[test]
fn a_devices_stack_understands_it_from_native_xdp() {
    a_devices_stack_understands(Hook::Xdp);
}

#[test]
fn a_devices_stack_understands_it_from_tc() {
    a_devices_stack_understands(Hook::Tc);
}
