use std::time::{SystemTime, UNIX_EPOCH};

use crate::registry::UnixMs;

/// The wall clock. A clock before 1970 reads 0.
pub(super) fn unix_ms() -> UnixMs {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| {
            u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
        })
}
