use super::{NftError, process, text};

/// Packets that the table has refused, or would have in monitor mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drops {
    /// MQTT in the clear, by its port.
    pub plaintext: u64,
    /// Of devices that are cut off, and whatever was not forwarded from closed interfaces.
    pub other: u64,
}

impl Drops {
    /// Those of the table as it stands, since it was set.
    pub(super) fn read() -> Result<Drops, NftError> {
        let listing = process::nft(&["list", "counters", "table", "inet", text::TABLE], &[])?;
        Ok(Drops::parse(&String::from_utf8_lossy(&listing)))
    }

    fn parse(listing: &str) -> Drops {
        let mut drops = Drops::default();
        let mut place = None;
        for line in listing.lines() {
            let mut words = line.split_whitespace();
            match (words.next(), words.next()) {
                (Some("counter"), Some(name)) => {
                    place = match name.trim_matches('"') {
                        text::PLAINTEXT => Some(&mut drops.plaintext),
                        text::OTHER => Some(&mut drops.other),
                        _ => None,
                    };
                }
                (Some("packets"), Some(packets)) => {
                    if let (Some(place), Ok(packets)) = (place.take(), packets.parse()) {
                        *place = packets;
                    }
                }
                _ => {}
            }
        }
        drops
    }

    /// With what has been counted since `before`, which counts from nothing when a table is set.
    pub(super) fn grown(self, before: Drops, now: Drops) -> Drops {
        let more = |total: u64, before: u64, now: u64| {
            total.saturating_add(now.checked_sub(before).unwrap_or(now))
        };
        Drops {
            plaintext: more(self.plaintext, before.plaintext, now.plaintext),
            other: more(self.other, before.other, now.other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_listed_is_read_and_added_up() {
        let listing = "table inet mqttguard {\n\tcounter plaintext {\n\t\tpackets 12 bytes 720\n\t}\n\
                       \tcounter else {\n\t\tpackets 99 bytes 1\n\t}\n\
                       \tcounter other {\n\t\tpackets 3 bytes 180\n\t}\n}\n";
        let now = Drops::parse(listing);
        let (plaintext, other) = (12, 3);
        assert_eq!(now, Drops { plaintext, other });
        let before = Drops {
            plaintext: 10,
            other: 7,
        };
        let total = Drops::default().grown(before, now);
        assert_eq!((total.plaintext, total.other), (2, 3));
        assert_eq!(
            Drops::parse("counter\npackets\ncounter x\npackets y"),
            Drops::default()
        );
    }
}
