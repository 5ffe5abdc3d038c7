use std::ops::Deref;

use zeroize::Zeroize;

/// Bytes of a packet that is not whole, wiped in the end if they may hold a secret: whatever comes
/// before the CONNACK, and every AUTH.
pub(super) struct Partial {
    pub(super) bytes: Vec<u8>,
    secret: bool,
}

impl Partial {
    pub(super) fn new(bytes: Vec<u8>, secret: bool) -> Partial {
        Partial { bytes, secret }
    }

    /// Makes room for `capacity` bytes in all, and leaves no copy behind.
    pub(super) fn grow(&mut self, capacity: usize) {
        if !self.is_secret() {
            let more = capacity.saturating_sub(self.bytes.len());
            return self.bytes.reserve_exact(more);
        }
        let mut grown = Vec::with_capacity(capacity);
        grown.extend_from_slice(&self.bytes);
        self.wipe();
        self.bytes = grown;
    }

    pub(super) fn extend(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn into_bytes(mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    fn is_secret(&self) -> bool {
        self.secret || self.bytes.first().is_some_and(|first| first >> 4 == 15)
    }

    fn wipe(&mut self) {
        if self.is_secret() {
            self.bytes.zeroize();
        }
    }
}

impl Deref for Partial {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        self.wipe();
    }
}
