use crate::frames::{CLIENT_HELLO, connect};
use crate::random::Random;

/// The beginning of what a stream says.
pub(super) fn payload(random: &mut Random) -> Vec<u8> {
    match random.below(10) {
        0 => Vec::new(),
        1 => CLIENT_HELLO.to_vec(),
        2 => {
            let count = random.below(40);
            random.bytes(count)
        }
        8 => request(random),
        9 => websocket_frame(random),
        kind => {
            let (name, level) = random.one_of(&[
                ("MQTT", 4),
                ("MQTT", 5),
                ("MQIsdp", 3),
                ("MQTT", 0x84),
                ("MQIsdp", 0x83),
                ("MQTT", 3),
                ("MQIsdp", 4),
                ("MQXX", 4),
            ]);
            let more = random.one_of(&[0, 0, 5, 120, 700]);
            let mut payload = connect(name, level, more);
            if kind == 3 {
                let at = random.below(payload.len().min(14));
                payload[at] ^= 1 << random.below(8);
            }
            if kind == 4 {
                // Other lengths, whole and never-ending ones among them.
                let length = random.one_of(&[
                    &[0x0b][..],
                    &[0x0c],
                    &[0x8b, 0x00],
                    &[0x8c, 0x00],
                    &[0xff, 0xff, 0x01],
                    &[0x80, 0x80, 0x00],
                    &[0xff, 0xff, 0xff, 0x7f],
                    &[0x8b, 0x80, 0x80, 0x00],
                    &[0xff, 0xff, 0xff, 0xff, 0x01],
                ]);
                let body = connect(name, level, 0).split_off(2);
                payload = [&[0x10][..], length, &body].concat();
            }
            payload
        }
    }
}

/// The beginning of a stream that goes on for several segments.
pub(super) fn beginning(random: &mut Random) -> Vec<u8> {
    let mut bytes = match random.below(6) {
        0..=1 => payload(random),
        2..=4 => request(random),
        _ => Vec::new(),
    };
    if random.once_in(2) {
        bytes.extend(message(random));
    }
    bytes
}

/// What goes through a WebSocket in frames of any size, with control frames in between.
fn message(random: &mut Random) -> Vec<u8> {
    let (name, level) = random.one_of(&[("MQTT", 4), ("MQTT", 5), ("MQIsdp", 3), ("MQTT", 3)]);
    let mut rest = connect(name, level, 200);
    if random.once_in(5) {
        let at = random.below(14);
        rest[at] = random.byte();
    }
    if random.once_in(4) {
        // A length of four bytes.
        rest.splice(1..2, [0x80, 0x80, 0x80, 0x01]);
    }
    let mut frames = Vec::new();
    while !rest.is_empty() && frames.len() < 900 {
        let size = random.one_of(&[0, 1, 1, 2, 3, 7, 14, 125, 126, 300]);
        let mut payload: Vec<u8> = rest.drain(..size.min(rest.len())).collect();
        let mut first = random.one_of(&[0x82, 0x02, 0x00, 0x80, 0x80, 0x81]);
        if random.once_in(5) {
            first = random.one_of(&[0x89, 0x89, 0x8a, 0x88, 0x8b, 0xc2]);
            rest.splice(0..0, payload);
            let size = random.one_of(&[0, 1, 8, 40]);
            payload = random.bytes(size);
        }
        frame(random, &mut frames, first, &payload);
    }
    frames
}

/// Appends one frame.
fn frame(random: &mut Random, frames: &mut Vec<u8>, first: u8, payload: &[u8]) {
    let masked = if random.once_in(5) { 0 } else { 0x80 };
    frames.push(first);
    match (random.below(8), payload.len()) {
        (0, length) => {
            frames.push(masked | 127);
            frames.extend((length as u64).to_be_bytes());
        }
        (2.., length @ ..126) => frames.push(masked | length as u8),
        (_, length) => {
            frames.push(masked | 126);
            frames.extend((length as u16).to_be_bytes());
        }
    }
    let mask = match masked {
        0 => vec![0; 4],
        _ => random.bytes(4),
    };
    if masked != 0 {
        frames.extend(&mask);
    }
    let bytes = payload.iter().zip(mask.iter().cycle());
    frames.extend(bytes.map(|(byte, mask)| byte ^ mask));
}

/// An HTTP request, or what looks like one: parts in odd spellings and orders.
fn request(random: &mut Random) -> Vec<u8> {
    let mut text = random
        .one_of(&[
            "GET ", "GET ", "GET ", "GET ", "GET\t", "Get ", "GET", "POST ", "\r\nGET ",
        ])
        .to_string();
    text += random.one_of(&["/mqtt HTTP/1.1", "/ HTTP/1.1", "/?a=mqtt, HTTP/1.0", "x"]);
    let end = |random: &mut Random| random.one_of(&["\r\n", "\r\n", "\r\n", "\r\n", "\n", "\r"]);
    text += end(random);
    for _ in 0..random.below(5) {
        text += random.one_of(&[
            "Host: broker.example:8080",
            "Cookie: a=mqtt; Sec-WebSocket-Protocol: mqtt",
            "X-Sec-WebSocket-Protocol: mqtt",
            "Sec-WebSocket-Protocols: mqtt",
            "Upgrade: websocket",
            "Sec-WebSocket-Key: bXF0dA==",
            " mqtt",
            "\tmqtt, graphql-ws",
            "Sec-WebSocket-Protocol",
            "",
        ]);
        if random.once_in(10) {
            let length = 1_200 + random.below(300);
            text += &"x".repeat(length);
        }
        text += end(random);
        if random.once_in(30) {
            text += "\r\nGET /again HTTP/1.1\r\n";
        }
        if random.once_in(2) {
            text += random.one_of(&[
                "Sec-WebSocket-Protocol:",
                "sec-websocket-protocol:",
                "SEC-WEBSOCKET-PROTOCOL:",
                "Sec-WebSocket-Protocol :",
            ]);
            for _ in 0..random.below(4) {
                text += random.one_of(&["", " ", " ", "\t "]);
                text += random.one_of(&[
                    "mqtt",
                    "mqtt",
                    "MQTT",
                    "mqttv3.1",
                    "mqttv3.1.1",
                    "mqtt-v5",
                    "mqtt-v3.1.1",
                    "mqtt-foo",
                    "mqttv3",
                    "xmqtt",
                    "mqt",
                    "graphql-ws",
                    "",
                ]);
                text += random.one_of(&[",", ",", " ,", "", " "]);
            }
            text += end(random);
        }
    }
    text += end(random);
    text.truncate(1_500);
    text.into_bytes()
}

/// A WebSocket frame with a CONNECT, or almost.
fn websocket_frame(random: &mut Random) -> Vec<u8> {
    let (name, level) = random.one_of(&[("MQTT", 4), ("MQTT", 5), ("MQIsdp", 3), ("MQTT", 3)]);
    let more = random.one_of(&[0, 0, 5, 200]);
    let packet = connect(name, level, more);
    let mut frame =
        vec![random.one_of(&[0x82, 0x82, 0x82, 0x02, 0x81, 0x80, 0x00, 0xc2, 0x83, 0x89])];
    let masked = if random.once_in(5) { 0 } else { 0x80 };
    let length = random.one_of(&[packet.len(), packet.len(), packet.len(), 14, 13]);
    let form = random.below(3);
    match form {
        0 if length < 126 => frame.push(masked | length as u8),
        0 | 1 => {
            frame.push(masked | 126);
            frame.extend((length as u16).to_be_bytes());
        }
        _ => {
            frame.push(masked | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    let mask = match masked {
        0 => vec![0; 4],
        _ => random.bytes(4),
    };
    if masked != 0 {
        frame.extend(&mask);
    }
    frame.extend(
        packet
            .iter()
            .zip(mask.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
    frame
}
