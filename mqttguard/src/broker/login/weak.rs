//! Passwords that are easily guessed. Whoever made one chose it so; it is taken all the same, and told.

use crate::registry::Registry;

/// What people take for a password, most of it with something before or behind it; small letters.
const COMMON: [&str; 45] = [
    "abc",
    "abcd",
    "access",
    "admin",
    "administrator",
    "broker",
    "changeme",
    "changeit",
    "computer",
    "default",
    "dragon",
    "esphome",
    "football",
    "guest",
    "hallo",
    "hassio",
    "hello",
    "homeassistant",
    "homekit",
    "iloveyou",
    "internet",
    "iobroker",
    "letmein",
    "login",
    "master",
    "monkey",
    "mosquitto",
    "mqtt",
    "mqttpass",
    "mqttpassword",
    "mqttuser",
    "openhab",
    "openwrt",
    "passw0rd",
    "password",
    "passwort",
    "princess",
    "raspberry",
    "secret",
    "shelly",
    "sunshine",
    "tasmota",
    "test",
    "user",
    "welcome",
];

/// Rows of keys, and what is counted or spelled; walked in either direction.
const ROWS: [&[u8]; 7] = [
    b"01234567890",
    b"abcdefghijklmnopqrstuvwxyz",
    b"qwertyuiop",
    b"qwertzuiop",
    b"asdfghjkl",
    b"1qaz2wsx3edc4rfv5tgb6yhn",
    b"1q2w3e4r5t6y7u8i9o0p",
];

/// The longest piece that makes a password by being repeated, in bytes.
const PIECE: usize = 4;

/// Whether the password is short, the user name, or among the first that somebody would try.
pub(super) fn is_weak(username: &str, password: &[u8]) -> bool {
    let password = password.to_ascii_lowercase();
    let username = username.to_ascii_lowercase();
    let username = username.as_bytes();
    let word = stem(&password);
    password.len() < Registry::STRONG_PASSWORD
        || password == username
        // A name with digits behind it, such as a year.
        || (!word.is_empty() && (word == username || word == stem(username)))
        || COMMON.iter().any(|common| common.as_bytes() == word)
        || repeats(&password)
        || ROWS.iter().any(|row| walks(row, &password))
}

/// Without what is no letter at either end, if only a few bytes are.
fn stem(password: &[u8]) -> &[u8] {
    /// More could be as hard to guess as any.
    const AROUND: usize = 5;
    let is_letter = |byte: &u8| byte.is_ascii_alphabetic() || !byte.is_ascii();
    let first = password.iter().position(is_letter);
    let last = password.iter().rposition(is_letter);
    let word = match (first, last) {
        (Some(first), Some(last)) => password.get(first..=last).unwrap_or_default(),
        _ => &[],
    };
    match password.len().saturating_sub(word.len()) > AROUND {
        true => password,
        false => word,
    }
}

/// Whether it is a short piece again and again.
fn repeats(password: &[u8]) -> bool {
    (1..=PIECE).any(|length| {
        let again = password.iter().skip(length);
        password.len() >= length.saturating_mul(2) && again.zip(password).all(|(a, b)| a == b)
    })
}

/// Whether each byte is beside the one before in this row, all in one direction.
fn walks(row: &[u8], password: &[u8]) -> bool {
    let back: Vec<u8> = password.iter().rev().copied().collect();
    let is_in = |walk: &[u8]| row.windows(walk.len().max(1)).any(|part| part == walk);
    is_in(password) || is_in(&back)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_tried_first_is_weak() {
        for weak in [
            "",
            "a",
            "s3cret!",
            "kettle-1",
            "KETTLE-1",
            "kettle2024",
            "password",
            "Password1!",
            "passw0rd",
            "homeassistant",
            "mosquitto123",
            "!mqttuser!",
            "aaaaaaaaaa",
            "00000000",
            "mqttmqtt",
            "121212121",
            "12345678",
            "1234567890",
            "87654321",
            "abcdefgh",
            "qwertyuiop",
            "poiuztrewq",
            "1q2w3e4r5t",
            "1qaz2wsx",
            "abcd1234",
        ] {
            assert!(is_weak("kettle-1", weak.as_bytes()), "{weak}");
        }
    }

    #[test]
    fn what_has_to_be_searched_for_is_not() {
        for strong in [
            "correct horse",
            "kettle-1-of-mine",
            "password-manager",
            "4r9vq0x8ztkw2m5c7hjd3s6pna",
            "19283746",
            "1234567891",
            "mqtt-7f2c91",
            "\u{fc}berweg9",
        ] {
            assert!(!is_weak("kettle-1", strong.as_bytes()), "{strong}");
        }
        assert!(!is_weak("", b"k3-lm9-2w"));
        // Bytes that are no text.
        assert!(!is_weak("kettle", &[0xff, 0, 1, 9, 3, 7, 0xfe, 2, 8]));
    }
}
