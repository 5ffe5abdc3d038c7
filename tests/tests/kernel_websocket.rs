//! MQTT over WebSockets in the clear, in every spelling, and what only looks like it: on the real
//! verifier and JIT through both hooks, and with real clients.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::io::{BufRead, BufReader};
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use mqttguard::config::Mode;
use mqttguard::enforce::Rules;
use mqttguard::registry::{DevicePolicy, Standing};
use mqttguard_common::{Mac, Reason};
use mqttguard_lab::{PATIENCE, tools};
use mqttguard_tests::bpf::{GOOD, HOOKS, Kernel, Verdict, rules};
use mqttguard_tests::frames::{ACK, Frame, SYN, connect};
use mqttguard_tests::net::Namespace;

const DEVICE: Mac = Mac([0x02, 0xc1, 0x1e, 0, 0, 1]);

fn clouds() -> [IpAddr; 2] {
    ["192.0.2.10", "2001:db8::10"].map(|address| address.parse().unwrap())
}

fn kernel(rules: &Rules) -> Kernel {
    let mut kernel = Kernel::load(rules);
    kernel.tables.set_device(DEVICE, &GOOD).unwrap();
    kernel
}

/// What a browser sends, with these lines at the end of the head.
fn request(lines: &str) -> Vec<u8> {
    format!(
        "GET /chat HTTP/1.1\r\nHost: broker.example:8080\r\nConnection: Upgrade\r\n\
         Pragma: no-cache\r\nCache-Control: no-cache\r\n\
         User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36\r\nUpgrade: websocket\r\n\
         Origin: http://broker.example\r\nSec-WebSocket-Version: 13\r\n\
         Accept-Encoding: gzip, deflate\r\nAccept-Language: en-GB,en;q=0.9\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n{lines}\r\n"
    )
    .into_bytes()
}

#[track_caller]
fn expect(kernel: &mut Kernel, payload: &[u8], reason: Reason) {
    for to in clouds() {
        let frame = Frame::tcp(DEVICE, to, 8080, ACK, payload).bytes();
        kernel.expect(&frame, reason);
    }
}

/// A masked frame (RFC 6455, 5.2) with the length in this many bytes.
fn frame(first: u8, bytes: usize, mask: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    let length = payload.len();
    match bytes {
        0 => frame.push(0x80 | u8::try_from(length).unwrap()),
        2 => {
            frame.push(0x80 | 126);
            frame.extend((length as u16).to_be_bytes());
        }
        _ => {
            frame.push(0x80 | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend(mask);
    let masked = payload.iter().zip(mask.iter().cycle());
    frame.extend(masked.map(|(byte, mask)| byte ^ mask));
    frame
}

#[test]
fn a_request_for_mqtt_in_every_spelling() {
    let mut kernel = kernel(&rules());
    for lines in [
        "Sec-WebSocket-Protocol: mqtt\r\n",
        "Sec-WebSocket-Protocol: mqttv3.1\r\n",
        "Sec-WebSocket-Protocol: mqttv3.1.1\r\n",
        "Sec-WebSocket-Protocol: mqtt-v5\r\n",
        "Sec-WebSocket-Protocol: mqtt-v3.1.1\r\n",
        "sec-websocket-protocol:mqtt\r\n",
        "SEC-WEBSOCKET-PROTOCOL:\t MQTT \r\n",
        "Sec-WebSocket-Protocol: graphql-ws, mqtt\r\n",
        "Sec-WebSocket-Protocol: mqtt,graphql-ws\r\n",
        "Sec-WebSocket-Protocol: xmqtt,,mqtt-foo , mqttv3.1,\r\n",
        "Sec-WebSocket-Protocol: graphql-ws\r\nSec-WebSocket-Protocol: mqtt\r\n",
        "Sec-WebSocket-Protocol: graphql-ws,\r\n mqtt\r\n",
        "Sec-WebSocket-Protocol : mqtt\r\n",
        "Sec-WebSocket-Protocol: mqtt\n",
        // What a segment ends with counts as soon as the protocol's name is whole.
        "Sec-WebSocket-Protocol: mqtt,",
    ] {
        expect(&mut kernel, &request(lines), Reason::PlaintextWebSocket);
    }
    let asks = request("Sec-WebSocket-Protocol: mqtt\r\n");
    // Behind another request of the same connection.
    let two = [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", &asks[..]].concat();
    expect(&mut kernel, &two, Reason::PlaintextWebSocket);
    // In the SYN of TCP Fast Open, and behind VLAN tags.
    let mut wrapped = Frame::tcp(DEVICE, clouds()[0], 80, SYN, &asks);
    kernel.expect(&wrapped.bytes(), Reason::PlaintextWebSocket);
    wrapped.tags = vec![0x88a8, 0x8100];
    kernel.expect(&wrapped.bytes(), Reason::PlaintextWebSocket);
}

/// Wherever it stands in a segment, of which Ethernet carries 1460 bytes at most.
#[test]
fn a_request_with_long_cookies() {
    let mut kernel = kernel(&rules());
    let ask = "Sec-WebSocket-Protocol: mqtt\r\n";
    let bare = request(ask).len();
    for length in (bare + 12..=1_440).step_by(7).chain(1_430..=1_448) {
        let filler = "c".repeat(length - bare - 10);
        let payload = request(&format!("Cookie: {filler}\r\n{ask}"));
        assert_eq!(payload.len(), length);
        let frame = Frame::tcp(DEVICE, clouds()[0], 8080, ACK, &payload).bytes();
        kernel.expect(&frame, Reason::PlaintextWebSocket);
    }
    // And behind them, in what the kernel merged of several.
    for length in (1_440..1_490).chain(2_800..2_820) {
        let filler = "c".repeat(length - bare);
        let payload = request(&format!("Cookie: {filler}\r\n{ask}"));
        let frame = Frame::tcp(DEVICE, clouds()[0], 8080, ACK, &payload).bytes();
        for hook in HOOKS {
            assert_eq!(kernel.run(hook, &frame), Verdict::Drop);
        }
    }
}

#[test]
fn web_pages_and_other_websockets_pass() {
    let mut kernel = kernel(&rules());
    for lines in [
        "",
        "Sec-WebSocket-Protocol: graphql-ws\r\n",
        "Sec-WebSocket-Protocol: graphql-transport-ws, graphql-ws\r\n",
        "Sec-WebSocket-Protocol: xmqtt\r\n",
        "Sec-WebSocket-Protocol: mqtt-foo\r\n",
        "Sec-WebSocket-Protocol: mqttv3.1.2, mqtt5, mqt, mqttmqtt\r\n",
        "Sec-WebSocket-Protocol: vnd.mqtt\r\n",
        "Sec-WebSocket-Protocol: foo;mqtt\r\n",
        "Sec-WebSocket-Protocol: \"mqtt\"\r\n",
        "Sec-WebSocket-Protocol:\r\nAccept: mqtt\r\n",
        "X-Sec-WebSocket-Protocol: mqtt\r\n",
        "Sec-WebSocket-Protocols: mqtt\r\n",
        "Sec-WebSocket-Protocol-Version: mqtt\r\n",
        "Cookie: mqtt=1; Sec-WebSocket-Protocol: mqtt\r\n",
        "Cookie: a=b, mqtt, mqttv3.1\r\n",
        "Referer: http://broker.example/?q=Sec-WebSocket-Protocol:%20mqtt\r\n",
        // Behind the head, in a body.
        "\r\nSec-WebSocket-Protocol: mqtt\r\n",
        // It might go on as another name.
        "Sec-WebSocket-Protocol: mqtt",
    ] {
        let mut payload = request(lines);
        if !lines.ends_with('\n') && !lines.is_empty() {
            payload.truncate(payload.len() - 2);
        }
        expect(&mut kernel, &payload, Reason::Pass);
    }
    for payload in [
        &b"GET /mqtt HTTP/1.1\r\nHost: mqtt.example\r\n\r\n"[..],
        b"GET /Sec-WebSocket-Protocol: mqtt\r\n HTTP/1.1\r\n\r\n",
        b"GET /a HTTP/1.1 Sec-WebSocket-Protocol: mqtt\r\n\r\n",
        b"POST /a HTTP/1.1\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n",
        b"GARBAGE\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n",
        b"G",
        b"GET",
        b"GET ",
    ] {
        expect(&mut kernel, payload, Reason::Pass);
    }
}

#[test]
fn a_connect_in_every_kind_of_frame() {
    let mut kernel = kernel(&rules());
    let packets = [
        connect("MQTT", 4, 0),
        connect("MQTT", 5, 40),
        connect("MQTT", 0x84, 20),
        connect("MQIsdp", 3, 4),
    ];
    for first in [0x82, 0x02, 0x81, 0x01, 0x80, 0x00] {
        for bytes in [0, 2, 8] {
            for mask in [[0x37, 0xfa, 0x21, 0x3d], [0; 4], [0x10; 4]] {
                for packet in &packets {
                    let whole = frame(first, bytes, mask, packet);
                    expect(&mut kernel, &whole, Reason::PlaintextWebSocket);
                    // Nothing has to be there behind the protocol level.
                    let name = packet.iter().position(|byte| *byte == b'M').unwrap();
                    let length = usize::from(packet[name - 1]);
                    let head = &whole[..2 + bytes + 4 + name + length + 1];
                    expect(&mut kernel, head, Reason::PlaintextWebSocket);
                    expect(&mut kernel, &head[..head.len() - 1], Reason::Pass);
                }
            }
        }
    }
    // Servers that do not insist on a mask.
    let packet = connect("MQTT", 4, 0);
    let plain = [&[0x82, packet.len() as u8], &packet[..]].concat();
    expect(&mut kernel, &plain, Reason::PlaintextWebSocket);
}

#[test]
fn other_frames_pass() {
    let mut kernel = kernel(&rules());
    let mask = [0x37, 0xfa, 0x21, 0x3d];
    let packet = connect("MQTT", 4, 40);
    for other in [
        &b"{\"type\":\"connection_init\",\"payload\":{\"protocol\":\"MQTT\"}}"[..],
        // PINGREQ, PUBLISH, a CONNECT that is none, and one that is not at the beginning.
        &[0xc0, 0x00],
        b"\x30\x20\x00\x04MQTT\x04hello, how are you today",
        b"\x10\x20\x00\x04MQTX\x04\x02\x00\x3c\x00\x00 and so on and on",
        b"\x00\x10\x20\x00\x04MQTT\x04\x02\x00\x3c\x00\x00 and so on",
    ] {
        for bytes in [0, 2, 8] {
            expect(&mut kernel, &frame(0x82, bytes, mask, other), Reason::Pass);
        }
    }
    // Control frames, reserved opcodes, compressed ones; the wrong mask.
    for first in [0x88, 0x89, 0x8a, 0x83, 0xc2, 0xa2, 0x92] {
        expect(&mut kernel, &frame(first, 0, mask, &packet), Reason::Pass);
    }
    let mut broken = frame(0x82, 0, mask, &packet);
    broken[3] ^= 1;
    expect(&mut kernel, &broken, Reason::Pass);
    // What follows a short frame is no part of it, but another one.
    let mut short = frame(0x82, 0, mask, &packet);
    short[1] = 0x80 | 8;
    expect(&mut kernel, &short, Reason::Pass);
}

#[test]
fn what_cannot_be_read_is_counted_and_dropped_unless_only_watched() {
    for (mode, expected) in [
        (Mode::Enforce, Verdict::Drop),
        (Mode::Monitor, Verdict::Pass),
    ] {
        let mut kernel = kernel(&Rules { mode, ..rules() });
        kernel.lose_calls();
        let stranger = Mac([0x02, 0xc1, 0x1e, 0, 0, 9]);
        for from in [DEVICE, stranger] {
            let page = b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n";
            let frame = Frame::tcp(from, clouds()[0], 8080, ACK, page).bytes();
            for (hook, count) in HOOKS.into_iter().zip(1..) {
                assert_eq!(kernel.run(hook, &frame), expected, "{hook:?}, {mode:?}");
                let counters = kernel.counters(from);
                assert_eq!(counters.frames[Reason::Unread as usize], count, "{hook:?}");
                assert_eq!(counters.frames.iter().sum::<u64>(), count, "{hook:?}");
            }
        }
    }
}

#[test]
fn where_a_connect_may_go_a_websocket_may() {
    let asks = request("Sec-WebSocket-Protocol: mqtt\r\n");
    let carries = frame(0x82, 0, [1, 2, 3, 4], &connect("MQTT", 4, 0));
    let strict = Rules {
        exceptions: vec![mqttguard::config::Exception {
            name: "old".into(),
            mac: None,
            destination: "192.0.2.10/32".parse().unwrap(),
            port: None,
        }],
        ..rules()
    };
    let mut kernel = kernel(&strict);
    let quarantined = DevicePolicy {
        standing: Standing::Quarantined,
        ..GOOD
    };
    for payload in [&asks, &carries] {
        let to = |to: &str| Frame::tcp(DEVICE, to.parse().unwrap(), 8080, ACK, payload).bytes();
        kernel.expect(&to("192.0.2.10"), Reason::Excepted);
        kernel.expect(&to("192.0.2.11"), Reason::PlaintextWebSocket);
        kernel.expect(&to("192.168.1.1"), Reason::PlaintextLocal);
        kernel.tables.set_device(DEVICE, &quarantined).unwrap();
        kernel.expect(&to("192.0.2.10"), Reason::Quarantined);
        let off = Rules {
            websocket: false,
            ..rules()
        };
        kernel.tables.set_rules(&off).unwrap();
        kernel.expect(&to("192.0.2.11"), Reason::Quarantined);
        kernel.tables.set_device(DEVICE, &GOOD).unwrap();
        kernel.expect(&to("192.0.2.11"), Reason::Pass);
        // One is not looked for with the other.
        let alone = Rules {
            detect_connect: false,
            ..rules()
        };
        kernel.tables.set_rules(&alone).unwrap();
        kernel.expect(&to("192.0.2.11"), Reason::PlaintextWebSocket);
        kernel.tables.set_rules(&strict).unwrap();
    }
}

/// A server that takes every WebSocket, and the lines it tells of what came in.
struct Server {
    child: Child,
    lines: Receiver<String>,
}

impl Server {
    fn start(namespace: &Namespace, port: &str) -> Self {
        let mut node = node("websocket_server.js");
        node.args(["198.51.100.1", port]).stdout(Stdio::piped());
        let mut child = namespace.run(move || node.spawn().unwrap());
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (tell, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let _ = tell.send(line);
            }
        });
        let server = Server { child, lines };
        assert_eq!(server.next().as_deref(), Some("listening"));
        server
    }

    fn next(&self) -> Option<String> {
        self.lines.recv_timeout(PATIENCE).ok()
    }

    /// The next so many lines, and what comes within a moment after them.
    fn told(&self, lines: usize) -> Vec<String> {
        let mut told: Vec<_> = (0..lines).map_while(|_| self.next()).collect();
        std::thread::sleep(Duration::from_millis(300));
        told.extend(self.lines.try_iter());
        told
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A file of `clients/`.
fn client(file: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "clients", file]
        .iter()
        .collect()
}

fn installed(path: &str) -> PathBuf {
    let found = tools::tools_dir().unwrap().join(path);
    assert!(
        found.exists(),
        "{} is missing: run `cargo xtask setup`",
        found.display()
    );
    found
}

fn node(file: &str) -> Command {
    let mut node = Command::new(tools::system("node").unwrap());
    node.env("NODE_PATH", installed("mqttjs/node_modules"))
        .arg(client(file));
    node
}

#[test]
fn real_clients() {
    let (device, guarded) = (Namespace::new(), Namespace::new());
    let path = guarded.path();
    device.ip(&format!(
        "link add mqgw0 address {DEVICE} type veth peer name mqgw1 netns {path}"
    ));
    device.ip("addr add 198.51.100.2/24 dev mqgw0");
    device.ip("link set mqgw0 up");
    guarded.ip("addr add 198.51.100.1/24 dev mqgw1");
    guarded.ip("link set mqgw1 up");
    let mut kernel = guarded.run(|| {
        let mut kernel = Kernel::load(&rules());
        kernel.tables.set_device(DEVICE, &GOOD).unwrap();
        kernel.attach_tc("mqgw1");
        kernel
    });
    let server = Server::start(&guarded, "8080");
    let run = |mut command: Command| device.run(move || command.status().unwrap().success());
    let paho = |port: &str| {
        let mut python = Command::new(installed("python/bin/python"));
        python.arg(client("websocket_paho.py"));
        python.args(["198.51.100.1", port]);
        python
    };
    let mqtt_js = |port: &str| {
        let mut node = node("websocket_mqttjs.js");
        node.arg(format!("ws://198.51.100.1:{port}"));
        node
    };
    let websocket = |protocol: &str, bytes: &[u8]| {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut node = node("websocket_client.js");
        node.args(["ws://198.51.100.1:8080/mqtt", protocol, &hex]);
        node
    };

    // Neither gets as far as to open one.
    for mqtt in [paho("8080"), mqtt_js("8080")] {
        let before = kernel.frames(DEVICE, Reason::PlaintextWebSocket);
        run(mqtt);
        assert_eq!(server.told(0), [""; 0]);
        assert!(kernel.frames(DEVICE, Reason::PlaintextWebSocket) > before);
    }

    // Others do, and pages are read.
    assert!(run(websocket("graphql-ws", b"hello")));
    assert_eq!(
        server.told(2),
        ["websocket graphql-ws", "message 68656c6c6f"]
    );
    let mut curl = Command::new(tools::system("curl").unwrap());
    curl.args([
        "--silent",
        "--show-error",
        "--max-time",
        "5",
        "--output",
        "/dev/null",
    ]);
    curl.args([
        "--header",
        "Cookie: protocol=mqtt",
        "http://198.51.100.1:8080/mqtt",
    ]);
    assert!(run(curl));
    assert_eq!(server.told(1), ["request /mqtt"]);

    // A CONNECT does not get through a WebSocket that was opened as something else.
    let before = kernel.frames(DEVICE, Reason::PlaintextWebSocket);
    for packet in [connect("MQTT", 4, 3), connect("MQTT", 5, 300)] {
        assert!(!run(websocket("-", &packet)));
        assert_eq!(server.told(1), ["websocket -"]);
    }
    assert!(kernel.frames(DEVICE, Reason::PlaintextWebSocket) > before);

    // All of this is the guard's doing. On another port: what was dropped before is sent again.
    drop(server);
    let server = Server::start(&guarded, "8081");
    let off = Rules {
        websocket: false,
        ..rules()
    };
    kernel.tables.set_rules(&off).unwrap();
    for mqtt in [paho("8081"), mqtt_js("8081")] {
        run(mqtt);
        let told = server.told(2);
        assert_eq!(told[0], "websocket mqtt");
        assert!(told[1].starts_with("message 10"), "{told:?}");
    }
}
