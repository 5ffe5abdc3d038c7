//! MQTT over WebSocket over TLS, on the wire.

use std::io::{self, Read, Write};

use super::client::{Client, Stream, connect, socket, tls, tls_config};
use super::*;

const WSS_IP: Ipv4Addr = Ipv4Addr::new(127, 0, 1, 3);

impl Rig {
    /// The WebSocket listener's address; there is one from now on.
    fn wss(&self, origins: &[&str]) -> SocketAddr {
        let mut all = listeners();
        let mut wss = listener("wss", ListenerKind::Wss, WSS_IP, 0);
        wss.origins = origins.iter().map(|origin| (*origin).to_owned()).collect();
        all.push(wss);
        self.set_listeners(all);
        let stats = self.handle.stats().unwrap();
        stats.listeners[2].addresses[0]
    }

    fn https(&self, from: Ipv4Addr, to: SocketAddr) -> impl Stream + use<> {
        let config = tls_config(self.pki.ca_pem(), rustls::ALL_VERSIONS);
        tls(&config, "router.lan", socket(from, to)).unwrap()
    }

    fn websocket(&self, from: Ipv4Addr, to: SocketAddr) -> WebSocket<impl Stream + use<>> {
        let mut stream = self.https(from, to);
        stream.write_all(REQUEST.as_bytes()).unwrap();
        let answer = head(&mut stream);
        assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
        assert!(answer.contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
        WebSocket {
            stream,
            mqtt: Vec::new(),
        }
    }

    fn broken(&self) -> String {
        self.event(|event| match &event.kind {
            BrokerEventKind::ProtocolError {
                packet: "WebSocket",
                what,
            } => Some(what.clone()),
            _ => None,
        })
    }
}

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: router.lan\r\nUpgrade: WebSocket\r\n\
    Connection: upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Protocol: mqttv3.1, mqtt\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// The head of an answer, and not a byte more.
fn head(stream: &mut impl Read) -> String {
    let (mut head, mut byte) = (String::new(), [0]);
    while !head.ends_with("\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(char::from(byte[0]));
    }
    head
}

/// A client's side. What it writes goes out in frames of three bytes each, of one message.
struct WebSocket<S> {
    stream: S,
    /// MQTT that came in a frame and was not read yet.
    mqtt: Vec<u8>,
}

fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    // Masked with zeros, which is a mask like others.
    let length = u8::try_from(payload.len()).unwrap();
    [&[first, 0x80 | length, 0, 0, 0, 0][..], payload].concat()
}

impl<S: Stream> WebSocket<S> {
    /// The next frame: its first byte and its payload.
    fn receive(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let mut header = [0; 2];
        self.stream.read_exact(&mut header)?;
        let mut length = usize::from(header[1]);
        let more = match length {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        if more > 0 {
            let mut bytes = [0; 8];
            self.stream.read_exact(&mut bytes[8 - more..])?;
            length = usize::try_from(u64::from_be_bytes(bytes)).unwrap();
        }
        let mut payload = vec![0; length];
        self.stream.read_exact(&mut payload)?;
        Ok((header[0], payload))
    }

    /// The broker closes, with this code, and in order.
    fn expect_close(&mut self, code: u16) {
        assert_eq!(self.receive().unwrap(), (0x88, code.to_be_bytes().to_vec()));
        assert_eq!(self.stream.read(&mut [0]).expect("an orderly end"), 0);
    }
}

impl<S: Stream> Read for WebSocket<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.mqtt.is_empty() {
            let (first, payload) = self.receive()?;
            assert_eq!(first, 0x82, "{payload:?}");
            self.mqtt = payload;
        }
        let length = buffer.len().min(self.mqtt.len());
        buffer[..length].copy_from_slice(&self.mqtt[..length]);
        self.mqtt.drain(..length);
        Ok(length)
    }
}

impl<S: Stream> Write for WebSocket<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut frames = frame(0x02, b"");
        for piece in bytes.chunks(3) {
            frames.extend(frame(0x00, piece));
            frames.extend(frame(0x8a, b""));
        }
        frames.extend(frame(0x80, b""));
        self.stream.write_all(&frames)?;
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

#[test]
fn mqtt_goes_over_a_websocket() {
    let rig = Rig::new();
    let wss = rig.wss(&[]);
    for v5 in [false, true] {
        let mut lamp = Client::new(rig.websocket(LAMP_IP, wss), v5);
        assert_eq!(lamp.login("w", Some(("lamp", PASSWORD))), 0);
        assert_eq!(lamp.subscribe("lamp/#"), 0);
        // Also in frames that need two and eight bytes for their lengths.
        for size in [10, 1000, 70_000] {
            lamp.publish("lamp/x", &vec![b'x'; size]);
            assert_eq!(lamp.expect_publish("lamp/x"), vec![b'x'; size]);
        }
        // And between the two kinds.
        let mut other = rig.member("lamp", "t", v5);
        other.publish("lamp/y", b"hello");
        assert_eq!(lamp.expect_publish("lamp/y"), b"hello");
    }
    let stats = rig.until(|stats| stats.core.connections == 0);
    assert_eq!(stats.listeners[2].kind, ListenerKind::Wss);
}

/// Of the listener in the clear a WebSocket has nothing: neither its rule nor its exception.
#[test]
fn a_websocket_is_not_in_the_clear() {
    let rig = Rig::new();
    let wss = rig.wss(&[]);
    let mut lamp = Client::new(rig.websocket(LAMP_IP, wss), true);
    assert_eq!(lamp.login("w", Some(("lamp", PASSWORD))), 0);
    let mut wrong = Client::new(rig.websocket(LAMP_IP, wss), true);
    assert_eq!(wrong.login("v", Some(("lamp", "guess"))), 0x86);
    let mut clear = socket(LAMP_IP, wss);
    clear.write_all(REQUEST.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _ = clear.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
}

/// Several packets in a frame, and one over frames with a ping between.
#[test]
fn frames_are_not_packets() {
    let rig = Rig::new();
    let wss = rig.wss(&[]);
    let mut lamp = rig.websocket(LAMP_IP, wss);
    let login = connect(false, "w", Some(("lamp", PASSWORD)));
    let (front, back) = login.split_at(5);
    let ping = [0xc0, 0];
    let back = [back, &ping, &ping].concat();
    let all = [frame(0x82, front), frame(0x89, b"?"), frame(0x82, &back)].concat();
    lamp.stream.write_all(&all).unwrap();
    let pong = lamp.receive().unwrap();
    assert_eq!(pong, (0x8a, b"?".to_vec()));
    let mut answers = Vec::new();
    while answers.len() < 8 {
        answers.extend(lamp.receive().unwrap().1);
    }
    assert_eq!(answers, [0x20, 2, 0, 0, 0xd0, 0, 0xd0, 0]);
    lamp.stream.write_all(&frame(0x88, &[0x03, 0xe8])).unwrap();
    lamp.expect_close(1000);
}

#[test]
fn what_is_broken_is_answered_and_told() {
    let rig = Rig::new();
    let wss = rig.wss(&["https://ha.lan"]);
    // Each from an address of its own, as one peer is told of but once a second.
    let mut addresses = (1..).map(|host| Ipv4Addr::new(127, 0, 8, host));
    let mut next = || addresses.next().unwrap();
    for (bytes, code, what) in [
        (frame(0x81, b"text"), 1003, "text frame"),
        (frame(0xc2, b"deflate"), 1002, "reserved bits"),
        (b"\x82\x00".to_vec(), 1002, "not masked"),
    ] {
        let mut client = rig.websocket(next(), wss);
        client.stream.write_all(&bytes).unwrap();
        client.expect_close(code);
        let told = rig.broken();
        assert!(told.contains(what), "{told}");
    }
    for (request, status, what) in [
        (
            "GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
            "426",
            "no upgrade",
        ),
        (
            REQUEST.replace("mqttv3.1, mqtt", "chat"),
            "400",
            "subprotocol",
        ),
        (
            REQUEST.replace("\r\n\r\n", "\r\nOrigin: https://evil.example\r\n\r\n"),
            "403",
            "https://evil.example",
        ),
        (
            String::from_utf8(connect(true, "c", None)).unwrap(),
            "400",
            "no HTTP",
        ),
    ] {
        let mut client = rig.https(next(), wss);
        client.write_all(request.as_bytes()).unwrap();
        let answer = head(&mut client);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{answer}"
        );
        let mut body = Vec::new();
        client.read_to_end(&mut body).expect("an orderly end");
        let told = rig.broken();
        assert!(told.contains(what), "{told}");
    }
    let page = REQUEST.replace("\r\n\r\n", "\r\nOrigin: https://ha.lan\r\n\r\n");
    let mut client = rig.https(next(), wss);
    client.write_all(page.as_bytes()).unwrap();
    assert!(head(&mut client).starts_with("HTTP/1.1 101 "));
}

/// MQTT's own errors end the WebSocket in order: DISCONNECT, close frame, close_notify.
#[test]
fn the_last_words_come_in_order() {
    let rig = Rig::new();
    let wss = rig.wss(&[]);
    let mut lamp = rig.websocket(LAMP_IP, wss);
    let login = connect(true, "w", Some(("lamp", PASSWORD)));
    lamp.stream.write_all(&frame(0x82, &login)).unwrap();
    assert_eq!(lamp.receive().unwrap().1[0], 0x20);
    // A second CONNECT.
    lamp.stream.write_all(&frame(0x82, &login)).unwrap();
    let (first, goodbye) = lamp.receive().unwrap();
    assert_eq!((first, goodbye[0], goodbye[2]), (0x82, 0xe0, 0x82));
    lamp.expect_close(1000);
    // The broker's own end.
    let mut lamp = rig.websocket(LAMP_IP, wss);
    lamp.stream.write_all(&frame(0x82, &login)).unwrap();
    assert_eq!(lamp.receive().unwrap().1[0], 0x20);
    rig.handle.stop();
    assert_eq!(lamp.receive().unwrap().1[0], 0xe0);
    lamp.expect_close(1000);
}

#[test]
fn slow_and_endless_requests_end() {
    let rig = Rig::with(directory(household()), bounds(1000));
    let wss = rig.wss(&[]);
    let start = Instant::now();
    let mut slow = rig.https(LAMP_IP, wss);
    slow.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    let mut idle = rig.websocket(LAMP_IP, wss);
    let mut rest = Vec::new();
    slow.read_to_end(&mut rest).expect("an orderly end");
    assert!(start.elapsed() < Duration::from_secs(4));
    idle.expect_close(1000);
    let mut endless = rig.https(LAMP_IP, wss);
    let line = format!("X: {}\r\n", "x".repeat(1000));
    endless.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    for _ in 0..12 {
        let _ = endless.write_all(line.as_bytes());
    }
    let answer = head(&mut endless);
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

/// Pings are answered as long as the answers are taken: they do not pile up in the broker.
#[test]
fn a_flood_of_pings_is_not_kept_for_later() {
    let rig = Rig::new();
    let wss = rig.wss(&[]);
    let pings = frame(0x89, &[b'!'; 125]).repeat(64);
    let sent = 5_000 * pings.len();
    let mut tries = 0;
    loop {
        let mut flood = rig.websocket(LAMP_IP, wss);
        for _ in 0..5_000 {
            flood.stream.write_all(&pings).unwrap();
        }
        flood.stream.write_all(&frame(0x88, b"")).unwrap();
        // The goodbye is likely to be read while answers still wait, and its own goes behind them.
        let start = Instant::now();
        std::thread::sleep(Duration::from_millis(300));
        let mut answers = Vec::new();
        let ended = flood.stream.read_to_end(&mut answers);
        // What lay in the sockets' buffers.
        assert!(answers.len() < sent / 3, "{} of {sent}", answers.len());
        // The broker waits for a second. This machine may be too slow to be done by then.
        if start.elapsed() > Duration::from_millis(900) && tries < 20 {
            tries += 1;
            continue;
        }
        ended.expect("an orderly end");
        assert!(answers.ends_with(&[0x88, 0]));
        break;
    }
}
