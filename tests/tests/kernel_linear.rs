//! The TC program on socket buffers of which only the beginning is linear, as drivers make them:
//! a tap device takes such frames from a test.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsRawFd;

use mqttguard_common::{Mac, Reason};
use mqttguard_tests::bpf::{GOOD, Kernel, require_root, rules};
use mqttguard_tests::frames::{ACK, Frame, SYN, connect};
use mqttguard_tests::net::Namespace;

const DEVICE: Mac = Mac([0x02, 0xc1, 0x1e, 0, 0, 1]);
const TAP: &str = "mqgtap";

/// Opens a tap device whose frames come with a `struct virtio_net_hdr` (linux/virtio_net.h).
fn open_tap() -> File {
    let file = File::options()
        .read(true)
        .write(true)
        .open("/dev/net/tun")
        .expect("/dev/net/tun");
    // struct ifreq: a name and, of a union, the flags.
    let mut request = [0u8; 40];
    request[..TAP.len()].copy_from_slice(TAP.as_bytes());
    let flags = (libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_VNET_HDR) as u16;
    request[16..18].copy_from_slice(&flags.to_ne_bytes());
    // SAFETY: reads and writes a request, which lives long enough.
    let result = unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, request.as_mut_ptr()) };
    assert!(result == 0, "TUNSETIFF: {}", io::Error::last_os_error());
    file
}

/// Hands a frame in; the kernel keeps at most 54 bytes of it, Ethernet and IPv6, linear.
fn send(mut tap: &File, frame: &[u8]) {
    // Shorter ones are made linear.
    assert!(frame.len() > 4096);
    // flags, gso_type, hdr_len, gso_size, csum_start, csum_offset.
    let mut bytes = vec![0u8; 10];
    bytes[2..4].copy_from_slice(&54u16.to_ne_bytes());
    bytes.extend(frame);
    tap.write_all(&bytes).unwrap();
}

#[test]
fn headers_that_are_not_linear_hide_nothing() {
    require_root();
    let namespace = Namespace::new();
    let tap = namespace.run(open_tap);
    namespace.ip(&format!("link set {TAP} up mtu 9000"));
    namespace.run(move || {
        let mut kernel = Kernel::load(&rules());
        kernel.tables.set_device(DEVICE, &GOOD).unwrap();
        kernel.attach_tc(TAP);
        let to = "2001:db8::10".parse().unwrap();
        let connect = connect("MQTT", 4, 5_000);
        let other = [0x17; 5_000];
        let mut request = b"GET / HTTP/1.1\r\nCookie: ".to_vec();
        request.resize(1_300, b'c');
        request.extend(b"\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n");
        request.resize(5_000, b'x');
        for (port, flags, payload, options, reason) in [
            (443, ACK, &other[..], 0, Reason::Pass),
            (1883, SYN, &other, 0, Reason::PlaintextPort),
            (443, ACK, &connect, 0, Reason::PlaintextConnect),
            (80, ACK, &request, 0, Reason::PlaintextWebSocket),
            (80, ACK, &request, 128, Reason::PlaintextWebSocket),
            (443, ACK, &connect, 128, Reason::PlaintextConnect),
            // What the program has made linear ends before the CONNECT, and before the ports.
            (443, ACK, &connect, 160, Reason::TinyFragment),
            (443, ACK, &connect, 1_024, Reason::TinyFragment),
            (1883, SYN, &other, 1_024, Reason::TinyFragment),
        ] {
            let mut frame = Frame::tcp(DEVICE, to, port, flags, payload);
            if options > 0 {
                frame.extensions = vec![(60, vec![0; options])];
            }
            let before = kernel.frames(DEVICE, reason);
            send(&tap, &frame.bytes());
            let counted = kernel.frames(DEVICE, reason) - before;
            assert_eq!(counted, 1, "port {port}, {options} bytes of options");
        }
    });
}
