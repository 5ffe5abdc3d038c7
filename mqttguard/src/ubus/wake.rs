//! Waiting on descriptors, and being woken.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

/// Wakes a thread out of [`wait`], and tells it to stop.
#[derive(Debug)]
pub(crate) struct Wake {
    fd: OwnedFd,
    stopped: AtomicBool,
}

impl Wake {
    pub(crate) fn new() -> io::Result<Self> {
        let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Wake {
            fd,
            stopped: AtomicBool::new(false),
        })
    }

    /// Ends a [`wait`] that is under way, or the next one.
    pub(crate) fn wake(&self) {
        // Fails only when the counter is full, and then it is readable anyway.
        let _ = rustix::io::write(&self.fd, &1_u64.to_ne_bytes());
    }

    /// Makes [`Self::stopped`] true for good.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.wake();
    }

    pub(crate) fn stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// Takes back what [`Self::wake`] did. To be called before looking at what it may announce.
    pub(crate) fn drain(&self) {
        let _ = rustix::io::read(&self.fd, &mut [0_u8; 8]);
    }

    /// Sleeps for `pause`, woken or not, unless stopped.
    pub(crate) fn pause(&self, pause: Duration) {
        let until = Instant::now() + pause;
        while !self.stopped() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || wait(&[self.as_fd()], Some(left)).is_err() {
                return;
            }
            self.drain();
        }
    }
}

impl AsFd for Wake {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Waits until one of `fds` is readable or broken, or `timeout` has passed.
pub(crate) fn wait(fds: &[BorrowedFd<'_>], timeout: Option<Duration>) -> io::Result<()> {
    let mut polled: Vec<_> = fds
        .iter()
        .map(|fd| PollFd::new(fd, PollFlags::IN))
        .collect();
    poll_for(&mut polled, timeout)
}

pub(super) fn poll_for(fds: &mut [PollFd<'_>], timeout: Option<Duration>) -> io::Result<()> {
    // A duration too long for the system's time type is as good as none.
    let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
    match poll(fds, timeout.as_ref()) {
        // Interrupted: the caller looks at everything and comes back.
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Waits longer after each failure, and starts over after a success.
#[derive(Debug)]
pub(crate) struct Backoff(Duration);

impl Backoff {
    const FIRST: Duration = Duration::from_millis(100);
    const LONGEST: Duration = Duration::from_secs(5);

    pub(crate) fn new() -> Self {
        Backoff(Self::FIRST)
    }

    pub(crate) fn reset(&mut self) {
        self.0 = Self::FIRST;
    }

    pub(crate) fn pause(&mut self, wake: &Wake) {
        wake.pause(self.0);
        self.0 = (self.0 * 2).min(Self::LONGEST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wake_before_the_wait_is_not_lost() {
        let wake = Wake::new().unwrap();
        wake.wake();
        let begun = Instant::now();
        wait(&[wake.as_fd()], Some(Duration::from_secs(10))).unwrap();
        assert!(begun.elapsed() < Duration::from_secs(5));
        wake.drain();
        wait(&[wake.as_fd()], Some(Duration::from_millis(20))).unwrap();
        assert!(begun.elapsed() >= Duration::from_millis(20));
    }

    #[test]
    fn a_pause_ends_early_only_when_stopped() {
        let wake = Wake::new().unwrap();
        wake.wake();
        let begun = Instant::now();
        wake.pause(Duration::from_millis(50));
        assert!(begun.elapsed() >= Duration::from_millis(50));
        wake.stop();
        wake.pause(Duration::from_secs(60));
        assert!(begun.elapsed() < Duration::from_secs(30));
    }
}
