use core::fmt;
use core::str::FromStr;

/// An IEEE 802 MAC address (EUI-48), in transmission order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// Whether the group bit is set: broadcast or multicast, never a device's own address.
    pub const fn is_multicast(self) -> bool {
        self.0[0] & 1 != 0
    }

    /// Whether the address was made up locally instead of assigned by a vendor. Phones that
    /// randomize their address per network use these.
    pub const fn is_locally_administered(self) -> bool {
        self.0[0] & 2 != 0
    }

    /// Whether this can be a device's own address: neither a group address nor all zero.
    pub const fn is_device(self) -> bool {
        !self.is_multicast()
            && (self.0[0] | self.0[1] | self.0[2] | self.0[3] | self.0[4] | self.0[5]) != 0
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text was not a MAC address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseMacError;

impl fmt::Display for ParseMacError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected a MAC address such as 02:c1:1e:17:00:01")
    }
}

impl core::error::Error for ParseMacError {}

/// Reads `02:c1:1e:17:00:01`, `02-C1-1E-17-00-01` and odhcpd's `02c11e170001`.
impl FromStr for Mac {
    type Err = ParseMacError;

    fn from_str(text: &str) -> Result<Self, ParseMacError> {
        let text = text.as_bytes();
        let stride = match text.len() {
            17 => 3,
            12 => 2,
            _ => return Err(ParseMacError),
        };
        let mut mac = [0u8; 6];
        for (byte, chunk) in mac.iter_mut().zip(text.chunks(stride)) {
            let (high, low) = match *chunk {
                [high, low] | [high, low, b':' | b'-'] => (high, low),
                _ => return Err(ParseMacError),
            };
            *byte = hex(high)? << 4 | hex(low)?;
        }
        Ok(Mac(mac))
    }
}

fn hex(digit: u8) -> Result<u8, ParseMacError> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        b'A'..=b'F' => Ok(digit - b'A' + 10),
        _ => Err(ParseMacError),
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString;

    #[test]
    fn reads_every_spelling_openwrt_uses() {
        let mac = Mac([0x02, 0xc1, 0x1e, 0x17, 0x00, 0x01]);
        for text in [
            "02:c1:1e:17:00:01",
            "02:C1:1E:17:00:01",
            "02-c1-1e-17-00-01",
            "02c11e170001",
        ] {
            assert_eq!(text.parse(), Ok(mac), "{text}");
        }
        assert_eq!(mac.to_string(), "02:c1:1e:17:00:01");
    }

    #[test]
    fn refuses_what_is_no_mac() {
        for text in [
            "",
            "02:c1:1e:17:00",
            "02:c1:1e:17:00:0g",
            "02:c1:1e:17:00:01:02",
            "02c11e17000",
            "02:c1:1e:17:00x01",
            "0:2:c1:1e:17:00:1",
        ] {
            assert_eq!(text.parse::<Mac>(), Err(ParseMacError), "{text}");
        }
    }

    #[test]
    fn tells_device_addresses_from_others() {
        assert!(!Mac([0xff; 6]).is_device());
        assert!(!Mac([0; 6]).is_device());
        assert!(!Mac([0x01, 0, 0x5e, 0, 0, 1]).is_device());
        assert!(Mac([0x02, 0, 0, 0, 0, 1]).is_device());
    }
}
