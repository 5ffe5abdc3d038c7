use super::*;

const MASK: [u8; 4] = [0x12, 0x00, 0xff, 0x5a];

/// A client's frame with its first byte and a mask, its length in as few bytes as it needs.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    frame::write(0, payload, &mut frame);
    let header = frame.len() - payload.len();
    frame.truncate(header);
    frame[0] = first;
    frame[1] |= 0x80;
    frame.extend(MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(b, m)| b ^ m));
    frame
}

const REQUEST: &str = "GET /mqtt HTTP/1.1\r\nHost: router.lan:8884\r\nUpgrade: websocket\r\n\
    Connection: keep-alive, Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Version: 13\r\n";

fn waiting() -> WebSocket {
    WebSocket::new(Arc::from(["https://ha.lan:8123".to_owned()]))
}

fn open() -> WebSocket {
    let mut websocket = waiting();
    let mut reply = Vec::new();
    let received = websocket.receive(format!("{REQUEST}\r\n").as_bytes(), &mut reply, |_| ());
    assert_eq!(received, Received::Taken);
    websocket
}

/// What comes of bytes on an open WebSocket: MQTT, the answer and the end; the same in one piece
/// and byte by byte.
fn fed(input: &[u8]) -> (Vec<u8>, Vec<u8>, Received) {
    let mut pieces = [vec![input], input.chunks(1).collect()].map(|pieces| {
        let (mut mqtt, mut reply) = (Vec::new(), Vec::new());
        let mut websocket = open();
        let mut received = Received::Taken;
        for piece in pieces {
            if received == Received::Taken {
                received = websocket.receive(piece, &mut reply, |bytes| mqtt.extend(bytes));
            }
        }
        (mqtt, reply, received)
    });
    assert_eq!(pieces[0], pieces[1], "{input:x?}");
    std::mem::replace(&mut pieces[0], (Vec::new(), Vec::new(), Received::Taken))
}

/// RFC 6455's own example.
/// v5: [MQTT-6.0.0-4]
/// v3: [MQTT-6.0.0-4]
#[test]
fn the_request_is_answered_as_in_the_standard() {
    let expected = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
        Sec-WebSocket-Protocol: mqtt\r\n\r\n";
    let request = format!("{REQUEST}Origin: https://router.lan\r\n\r\n");
    for size in [1, 7, request.len()] {
        let (mut websocket, mut reply) = (waiting(), Vec::new());
        for piece in request.as_bytes().chunks(size) {
            let received = websocket.receive(piece, &mut reply, |_| panic!());
            assert_eq!(received, Received::Taken);
        }
        assert_eq!(String::from_utf8_lossy(&reply), expected);
    }
    // A client may not wait for the answer.
    let (mut websocket, mut reply) = (waiting(), Vec::new());
    let mut mqtt: Vec<u8> = Vec::new();
    let all = [format!("{REQUEST}\r\n").as_bytes(), &masked(0x82, b"mqtt")].concat();
    websocket.receive(&all, &mut reply, |bytes| mqtt.extend(bytes));
    assert_eq!(mqtt, b"mqtt");
}

/// v5: [MQTT-6.0.0-3]
/// v3: [MQTT-6.0.0-3]
#[test]
fn other_requests_are_refused_with_a_reason() {
    let with = |header: &str| format!("{REQUEST}{header}\r\n\r\n");
    let without = |from: &str, to: &str| format!("{}\r\n", REQUEST.replace(from, to));
    let long = format!("Cookie: {}", "x".repeat(9000));
    let many = "A: b\r\n".repeat(60);
    for (request, status) in [
        (without("GET", "POST"), "405 "),
        (without("HTTP/1.1", "HTTP/1.0"), "400 "),
        (without("Host: router.lan:8884\r\n", ""), "400 "),
        (without("Upgrade: websocket\r\n", ""), "426 "),
        (without("keep-alive, Upgrade", "keep-alive"), "426 "),
        (without("Version: 13", "Version: 8"), "426 "),
        (without("Sec-WebSocket-Protocol: mqtt\r\n", ""), "400 "),
        (
            without("Protocol: mqtt", "Protocol: mqttv3.1, chat"),
            "400 ",
        ),
        (without("dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ="), "400 "),
        (
            without("dGhlIHNhbXBsZSBub25jZQ==", &"A".repeat(400)),
            "400 ",
        ),
        ("GET / HTTP/1.1\r\nHost: x\r\n\r\n".into(), "426 "),
        ("\u{10}\u{12}\0\u{4}MQTT".into(), "400 "),
        (with("Host: other"), "400 "),
        (with("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="), "400 "),
        (with(&long), "431 "),
        (with(&many), "431 "),
        ("G".repeat(8193), "431 "),
        (with("Origin: https://evil.example"), "403 "),
        (with("Origin: https://router.lan.evil.example"), "403 "),
        (with("Origin: https://evil.example/router.lan"), "403 "),
        (with("Origin: https://ha.lan"), "403 "),
        (with("Origin: null"), "403 "),
        (with("Origin: "), "403 "),
        (with("Origin: file://router.lan"), "403 "),
        (
            with("Origin: https://router.lan\r\nOrigin: https://x"),
            "400 ",
        ),
    ] {
        let (mut websocket, mut reply) = (waiting(), Vec::new());
        let received = websocket.receive(request.as_bytes(), &mut reply, |_| panic!());
        let text = String::from_utf8(reply).unwrap();
        let expected = format!("HTTP/1.1 {status}");
        assert!(text.starts_with(&expected), "{request}: {text}");
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(
            head.contains(&format!("Content-Length: {}\r\n", body.len())),
            "{text}"
        );
        assert!(matches!(received, Received::Broken(_)), "{request}");
        // And nothing more is said or taken.
        let (mut more, mut end) = (Vec::new(), Vec::new());
        websocket.receive(&masked(0x82, b"x"), &mut more, |_| panic!());
        websocket.close(&mut end);
        assert_eq!((more, end), (Vec::new(), Vec::new()));
    }
}

#[test]
fn pages_of_the_same_host_and_named_ones_may_connect() {
    for (host, origin) in [
        ("router.lan:8884", "https://router.lan"),
        ("Router.lan:8884", "http://router.lan:8080"),
        ("192.168.1.1:8884", "https://192.168.1.1"),
        ("[fd00::1]:8884", "https://[fd00::1]:443"),
        ("router.lan:8884", "https://ha.lan:8123"),
    ] {
        let request = REQUEST.replace("router.lan:8884", host);
        let (mut websocket, mut reply) = (waiting(), Vec::new());
        let request = format!("{request}Origin: {origin}\r\n\r\n");
        websocket.receive(request.as_bytes(), &mut reply, |_| ());
        assert!(reply.starts_with(b"HTTP/1.1 101 "), "{host} {origin}");
    }
    let mut everybody = WebSocket::new(Arc::from(["*".to_owned()]));
    let mut reply = Vec::new();
    let request = format!("{REQUEST}Origin: null\r\n\r\n");
    everybody.receive(request.as_bytes(), &mut reply, |_| ());
    assert!(reply.starts_with(b"HTTP/1.1 101 "));
}

/// v5: [MQTT-6.0.0-2]
/// v3: [MQTT-6.0.0-2]
#[test]
fn mqtt_comes_out_as_it_went_in_however_it_is_cut() {
    let long = vec![7; 70_000];
    let medium: Vec<u8> = (0..=255).collect();
    let input = [
        masked(0x82, b""),
        masked(0x02, b"ab"),
        masked(0x89, b"ping"),
        masked(0x00, b""),
        masked(0x8a, b"unasked"),
        masked(0x80, b"c"),
        masked(0x82, &medium),
        masked(0x82, &long),
        masked(0x88, &[0x03, 0xe8, b'b', b'y', b'e']),
        masked(0x82, b"behind the end"),
    ];
    let (mqtt, reply, received) = fed(&input.concat());
    assert_eq!(mqtt, [b"abc", &medium[..], &long].concat());
    assert_eq!(reply, b"\x8a\x04ping\x88\x02\x03\xe8");
    assert_eq!(received, Received::Closed);
    assert_eq!(fed(&masked(0x88, b"")).1, b"\x88\x00");
}

/// v5: [MQTT-6.0.0-1]
/// v3: [MQTT-6.0.0-1]
#[test]
fn what_the_standard_forbids_ends_it_with_a_code() {
    let unmasked = b"\x82\x01x".to_vec();
    let of_length = |length: u64| [&[0x82, 0xff][..], &length.to_be_bytes(), &MASK].concat();
    for (input, code) in [
        (unmasked, 1002),
        (masked(0x81, b"text"), 1003),
        (masked(0x01, b"te"), 1003),
        (masked(0xc2, b"compressed"), 1002),
        (masked(0xa2, b""), 1002),
        (masked(0x92, b""), 1002),
        (masked(0x83, b""), 1002),
        (masked(0x8b, b""), 1002),
        (masked(0x80, b"of nothing"), 1002),
        ([masked(0x02, b"a"), masked(0x82, b"b")].concat(), 1002),
        (masked(0x09, b"ping in fragments"), 1002),
        (masked(0x89, &[0; 126]), 1002),
        (masked(0x88, b"1"), 1002),
        (masked(0x88, &[0x03, 0xed]), 1002),
        (masked(0x88, &[0xff, 0xff]), 1002),
        (masked(0x88, &[0x03, 0xe8, 0xff]), 1007),
        ([&[0x82, 0xfe, 0, 125][..], &MASK].concat(), 1002),
        (of_length(65_535), 1002),
        (of_length(1 << 63), 1002),
        (of_length(u64::MAX), 1002),
    ] {
        let (mqtt, reply, received) = fed(&input);
        assert!(mqtt.len() <= 1, "{input:x?}");
        let [high, low] = u16::to_be_bytes(code);
        assert_eq!(reply, [0x88, 2, high, low], "{input:x?}");
        assert!(matches!(received, Received::Broken(_)), "{input:x?}");
    }
}

/// A frame may claim what it likes: nothing is kept for it.
#[test]
fn a_frame_without_end_is_handed_on_as_it_comes() {
    let mut websocket = open();
    let (mut taken, mut reply) = (0, Vec::new());
    let header = [&[0x82, 0xff][..], &(u64::MAX >> 1).to_be_bytes(), &MASK].concat();
    websocket.receive(&header, &mut reply, |_| ());
    for _ in 0..1000 {
        websocket.receive(&[0; 4096], &mut reply, |bytes| taken += bytes.len());
    }
    assert_eq!((taken, reply), (4_096_000, Vec::new()));
    assert!(size_of::<WebSocket>() <= 80, "{}", size_of::<WebSocket>());
}

#[test]
fn random_bytes_never_panic() {
    let mut seed = 0x9e37_79b9_7f4a_7c15u64;
    for _ in 0..20_000 {
        let mut websocket = open();
        let (mut taken, mut given, mut reply) = (0, 0, Vec::new());
        for _ in 0..8 {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            let mut bytes = seed.to_le_bytes();
            // Half of them begin well.
            if seed & 1 == 0 {
                (bytes[0], bytes[1]) = (0x82 | bytes[0] & 0x09, 0x80 | bytes[1] & 0x87);
            }
            given += bytes.len();
            websocket.receive(&bytes, &mut reply, |mqtt| taken += mqtt.len());
        }
        assert!(taken <= given && reply.len() <= given + 4);
    }
}
