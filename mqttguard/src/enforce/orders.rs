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
    /// The thread waits for the verifier, which takes a small router many seconds.
    verifying: bool,
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
            wanted: Mutex::new(Wanted {
                target,
                end: None,
                verifying: false,
            }),
            wake: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
        })
    }

    /// Where the program is to attach; the last word counts.
    pub(super) fn retarget(&self, target: Target) {
        self.wanted().target = target;
        self.wake();
    }

    /// Tells the thread to end. False if it waits for the verifier: nobody should wait for it, and
    /// it ends later without another look at what is attached or pinned.
    pub(super) fn end(&self, end: End) -> bool {
        let mut wanted = self.wanted();
        wanted.end = Some(end);
        let obeys = !wanted.verifying;
        drop(wanted);
        self.wake();
        obeys
    }

    /// The thread is about to wait for the verifier. False if it was told to end.
    pub(super) fn begin_verifying(&self) -> bool {
        let mut wanted = self.wanted();
        wanted.verifying = wanted.end.is_none();
        wanted.verifying
    }

    /// It has waited. False if it was told to end meanwhile, which others have done in its place.
    pub(super) fn end_verifying(&self) -> bool {
        let mut wanted = self.wanted();
        wanted.verifying = false;
        wanted.end.is_none()
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
