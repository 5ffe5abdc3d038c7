//! What is held of one device, and what it has used.

use std::time::{Duration, Instant};

/// Connections of one device at the same time. Firmware opens one; a gateway opens one for each of
/// what is behind it.
pub(super) const CONNECTIONS: u32 = 16;
/// A new connection every so often in the long run: each is a TLS handshake, of which a small
/// router does some tens a second.
const EVERY: Duration = Duration::from_millis(500);
/// New connections at once, after a quiet time.
const BURST: u32 = 32;

/// What a device has used since the daemon's start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceStats {
    /// The section it is in.
    pub section: String,
    /// Connections now.
    pub open: u32,
    /// Connections that were carried on.
    pub connections: u64,
    /// Connections that were refused.
    pub refused: u64,
    /// Bytes from the device to its server, inside TLS.
    pub bytes_out: u64,
    /// Bytes from its server to the device.
    pub bytes_in: u64,
    /// Why the last connection was refused, in words, unless one was carried on since.
    pub last_error: Option<String>,
}

/// One device.
#[derive(Debug, Default)]
pub(super) struct Device {
    pub(super) stats: DeviceStats,
    /// The theoretical arrival time of the next connection (generic cell rate algorithm).
    next: Option<Instant>,
}

impl Device {
    /// Counts a new connection.
    ///
    /// # Errors
    ///
    /// Why there is not to be another one now.
    pub(super) fn admit(&mut self, now: Instant) -> Result<(), String> {
        if self.stats.open >= CONNECTIONS {
            return Err(format!(
                "it has {CONNECTIONS} connections already, the most for one device"
            ));
        }
        let from = self.next.map_or(now, |next| next.max(now));
        if from.saturating_duration_since(now) > EVERY.saturating_mul(BURST.saturating_sub(1)) {
            return Err("it connects too often".to_owned());
        }
        self.next = from.checked_add(EVERY);
        self.stats.open = self.stats.open.saturating_add(1);
        Ok(())
    }

    /// A connection has ended.
    pub(super) fn release(&mut self) {
        self.stats.open = self.stats.open.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_bounded_at_once_and_in_the_long_run() {
        let (mut device, start) = (Device::default(), Instant::now());
        for _ in 0..CONNECTIONS {
            assert_eq!(device.admit(start), Ok(()));
        }
        assert!(device.admit(start).unwrap_err().contains("16 connections"));
        for _ in CONNECTIONS..BURST {
            device.release();
            assert_eq!(device.admit(start), Ok(()));
        }
        device.release();
        assert!(device.admit(start).unwrap_err().contains("too often"));
        // What is refused takes no turn.
        assert_eq!(device.admit(start + EVERY), Ok(()));
        device.release();
        assert!(device.admit(start + EVERY).is_err());
    }
}
