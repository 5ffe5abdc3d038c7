use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::event::{EventfdFlags, eventfd};

use super::Target;

/// What the enforcement thread is told to do. Who tells never waits: the thread may be loading.
pub(super) struct Orders {
    wanted: Mutex<Wanted>,
    wake: OwnedFd,
}

struct Wanted {
    target: Target,
    end: Option<End>,
}

/// How the thread is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Everything stays as it is, for a successor.
    Standing,
    /// Nothing stays attached or pinned.
    Detached,
}

impl Orders {
    /// # Errors
    ///
    /// The kernel gives no eventfd.
    pub(super) fn new(target: Target) -> io::Result<Self> {
        Ok(Orders {
            wanted: Mutex::new(Wanted { target, end: None }),
            wake: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
        })
    }

    /// Where the program is to attach; the last word counts.
    pub(super) fn retarget(&self, target: Target) {
        self.wanted().target = target;
        self.wake();
    }

    pub(super) fn end(&self, end: End) {
        self.wanted().end = Some(end);
        self.wake();
    }

    pub(super) fn target(&self) -> Target {
        self.wanted().target.clone()
    }

    pub(super) fn ending(&self) -> Option<End> {
        self.wanted().end
    }

    /// Readable when there is a new word.
    pub(super) fn news(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }

    /// The words so far are about to be read.
    pub(super) fn clear(&self) {
        let _ = rustix::io::read(&self.wake, &mut [0; 8]);
    }

    fn wake(&self) {
        // It fails if the count is full, and then it is readable.
        let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
    }

    fn wanted(&self) -> MutexGuard<'_, Wanted> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
