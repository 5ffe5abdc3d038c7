use crate::Mac;

/// Known devices that are found without a look-up in a hash map: each has a place in the array of
/// these that its MAC leads to, unless others took all of them before. Those without one are in the
/// hash map alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Places {
    /// The MAC in the upper 48 bits, the row plus one in the others; 0: free.
    pub places: [u64; Places::PLACES],
    /// How many devices should have a place here and have none.
    pub more: u64,
}

impl Places {
    /// Room in one.
    pub const PLACES: usize = 3;
    /// How many of these there are, a power of two. All take 32 KiB.
    pub const COUNT: u32 = 1024;

    /// What stands for a device, without its row.
    #[inline(always)]
    pub const fn word(mac: Mac) -> u64 {
        let [a, b, c, d, e, f] = mac.0;
        u64::from_le_bytes([0, 0, a, b, c, d, e, f])
    }

    /// The index of those where a device may have its place.
    #[inline(always)]
    pub const fn index(word: u64) -> u32 {
        // The upper bits are those that every bit of the address reaches.
        (word.wrapping_mul(0x9e37_79b1_85eb_ca87) >> (64 - Self::COUNT.trailing_zeros())) as u32
    }

    /// The row of a device plus one, or 0 if it has no place here.
    #[inline(always)]
    pub fn find(&self, word: u64) -> u64 {
        let mut found = 0;
        for place in self.places {
            if (place ^ word) >> 16 == 0 {
                found = place & 0xffff;
            }
        }
        found
    }
}

const _: () = assert!(size_of::<Places>() == 32 && Places::COUNT.is_power_of_two());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_spread_over_the_buckets() {
        let mut used = [0u8; Places::COUNT as usize];
        for vendor in 0..4 {
            for last in 0..=255u8 {
                let mac = Mac([0x24, 0x0a, 0xc4, vendor, 0x31, last]);
                used[Places::index(Places::word(mac)) as usize] += 1;
            }
        }
        let alone = used
            .iter()
            .filter(|&&devices| usize::from(devices) > Places::PLACES);
        assert!(alone.count() < 32);
    }

    #[test]
    fn a_device_is_found_in_its_place_alone() {
        let word = Places::word(Mac([2, 0, 0, 0, 0, 7]));
        let mut bucket = Places::default();
        assert_eq!(bucket.find(word), 0);
        bucket.places[2] = word | 5;
        assert_eq!(bucket.find(word), 5);
        assert_eq!(bucket.find(Places::word(Mac([2, 0, 0, 0, 0, 8]))), 0);
    }
}
