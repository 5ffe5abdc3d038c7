//! The first bytes of a connection: what is taken over is MQTT, and no tunnel for anything else.

/// Type CONNECT with its reserved flags (MQTT 3.1.1 and 5.0 section 3.1.1).
const CONNECT: u8 = 0x10;
/// Bytes that a Remaining Length may have (MQTT 5 section 1.5.5).
const LENGTH_MAX: usize = 4;
/// The protocol names of MQTT 3.1.1 and 5.0, and of 3.1, each with its length.
const NAMES: [&[u8]; 2] = [b"\x00\x04MQTT", b"\x00\x06MQIsdp"];

/// What a connection begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opening {
    /// A CONNECT.
    Connect,
    /// So far nothing else than a CONNECT.
    Unfinished,
    /// Something else.
    Other,
}

impl Opening {
    /// Looks at the first bytes, up to the protocol's name.
    pub(super) fn of(bytes: &[u8]) -> Opening {
        let Some((first, rest)) = bytes.split_first() else {
            return Opening::Unfinished;
        };
        if *first != CONNECT {
            return Opening::Other;
        }
        let length = rest.iter().take(LENGTH_MAX);
        let Some(last) = length.clone().position(|byte| byte & 0x80 == 0) else {
            return match length.len() < LENGTH_MAX {
                true => Opening::Unfinished,
                false => Opening::Other,
            };
        };
        let name = rest.get(last.saturating_add(1)..).unwrap_or_default();
        if NAMES.iter().any(|known| name.starts_with(known)) {
            Opening::Connect
        } else if NAMES.iter().any(|known| known.starts_with(name)) {
            Opening::Unfinished
        } else {
            Opening::Other
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connect_is_known_at_the_last_byte_of_its_name_and_not_before() {
        for connect in [
            b"\x10\x10\x00\x04MQTT".as_slice(),
            b"\x10\xff\xff\xff\x7f\x00\x04MQTT",
            b"\x10\x90\x01\x00\x06MQIsdp",
        ] {
            for end in 0..connect.len() {
                assert_eq!(Opening::of(&connect[..end]), Opening::Unfinished, "{end}");
            }
            assert_eq!(Opening::of(connect), Opening::Connect);
            assert_eq!(
                Opening::of(&[connect, b"\x04rest"].concat()),
                Opening::Connect
            );
        }
    }

    #[test]
    fn nothing_else_is_taken() {
        for other in [
            b"GET / HTTP/1.1\r\n".as_slice(),
            b"\x16\x03\x01",
            b"\x11\x10\x00\x04MQTT",
            b"\x30\x10\x00\x04MQTT",
            b"\x10\xff\xff\xff\xff",
            b"\x10\x10\x00\x05MQTT",
            b"\x10\x10\x00\x04HTTP",
            b"\x10\x10MQTT",
        ] {
            assert_eq!(Opening::of(other), Opening::Other, "{other:?}");
        }
    }
}
