//! The end of threads that go on until they are told.

use std::sync::atomic::{AtomicBool, Ordering};

/// Tells the other threads of a scope to end when it is dropped: by a panic too, which would wait for
/// them without end.
pub struct Ender<'a>(pub &'a AtomicBool);

impl Ender<'_> {
    /// Tells them.
    pub fn end(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Drop for Ender<'_> {
    fn drop(&mut self) {
        self.end();
    }
}
