use super::{Decoded, Malformed};

/// Takes fields off the front of a packet.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    left: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { left: bytes }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    /// Everything that is left.
    pub(crate) fn rest(self) -> &'a [u8] {
        self.left
    }

    pub(crate) fn take(&mut self, len: usize, field: &'static str) -> Decoded<&'a [u8]> {
        let (taken, left) = self.left.split_at_checked(len).ok_or(short(field))?;
        self.left = left;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, field: &'static str) -> Decoded<[u8; N]> {
        let (taken, left) = self.left.split_first_chunk::<N>().ok_or(short(field))?;
        self.left = left;
        Ok(*taken)
    }

    pub(crate) fn u8(&mut self, field: &'static str) -> Decoded<u8> {
        self.array(field).map(u8::from_be_bytes)
    }

    pub(crate) fn u16(&mut self, field: &'static str) -> Decoded<u16> {
        self.array(field).map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self, field: &'static str) -> Decoded<u32> {
        self.array(field).map(u32::from_be_bytes)
    }

    /// A packet identifier, which is never 0 (`MQTT-2.2.1-3`).
    pub(crate) fn packet_id(&mut self) -> Decoded<u16> {
        match self.u16("packet identifier")? {
            0 => Err(Malformed::protocol("packet identifier", "0 is not allowed")),
            id => Ok(id),
        }
    }

    /// A variable byte integer in as few bytes as it needs (`MQTT-1.5.5-1`).
    pub(crate) fn varint(&mut self, field: &'static str) -> Decoded<u32> {
        let mut value = 0u32;
        for shift in [0, 7, 14, 21] {
            let byte = self.u8(field)?;
            value |= u32::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                if byte == 0 && shift > 0 {
                    return Err(Malformed::packet(field, "variable byte integer too long"));
                }
                return Ok(value);
            }
        }
        Err(Malformed::packet(
            field,
            "variable byte integer of more than four bytes",
        ))
    }

    /// Binary data (section 1.5.6).
    pub(crate) fn binary(&mut self, field: &'static str) -> Decoded<&'a [u8]> {
        let len = self.u16(field)?;
        self.take(usize::from(len), field)
    }

    /// A UTF-8 encoded string (section 1.5.4): well-formed, no surrogates (`MQTT-1.5.4-1`), no
    /// U+0000 (`MQTT-1.5.4-2`).
    pub(crate) fn text(&mut self, field: &'static str) -> Decoded<&'a str> {
        let bytes = self.binary(field)?;
        let text = std::str::from_utf8(bytes)
            .map_err(|_| Malformed::packet(field, "not well-formed UTF-8"))?;
        if bytes.contains(&0) {
            return Err(Malformed::packet(field, "contains U+0000"));
        }
        Ok(text)
    }

    /// The packet must end here.
    pub(crate) fn finish(self) -> Decoded<()> {
        if self.left.is_empty() {
            Ok(())
        } else {
            Err(Malformed::packet(
                "remaining length",
                "bytes left after the last field",
            ))
        }
    }
}

fn short(field: &'static str) -> Malformed {
    Malformed::packet(field, "the packet ends before the field does")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mqtt_1_5_5_1_variable_byte_integers_are_minimal_and_at_most_four_bytes() {
        for (bytes, value) in [
            (&[0x00][..], 0),
            (&[0x7F], 127),
            (&[0x80, 0x01], 128),
            (&[0xFF, 0x7F], 16_383),
            (&[0x80, 0x80, 0x01], 16_384),
            (&[0xFF, 0xFF, 0xFF, 0x7F], 268_435_455),
        ] {
            assert_eq!(Reader::new(bytes).varint("x"), Ok(value));
        }
        for bytes in [
            &[0x80, 0x00][..],
            &[0x81, 0x80, 0x00],
            &[0xFF, 0xFF, 0xFF, 0xFF, 0x01],
            &[0x80],
            &[],
        ] {
            assert!(Reader::new(bytes).varint("x").is_err(), "{bytes:02x?}");
        }
    }

    #[test]
    fn mqtt_1_5_4_strings_are_strict_utf8() {
        let good: [&[u8]; 3] = [b"\0\x01a", b"\0\x03\xEF\xBB\xBF", b"\0\x04\xF0\xAA\x9B\x94"];
        for bytes in good {
            assert!(Reader::new(bytes).text("x").is_ok(), "{bytes:02x?}");
        }
        let bad: [&[u8]; 6] = [
            b"\0\x01\0",
            b"\0\x03\xED\xA0\x80",
            b"\0\x02\xC0\xAF",
            b"\0\x01\xFF",
            b"\0\x02a",
            b"\0",
        ];
        for bytes in bad {
            assert!(Reader::new(bytes).text("x").is_err(), "{bytes:02x?}");
        }
    }
}
