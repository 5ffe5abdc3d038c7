//! One end of the daemon's inbox, as its parts see it.

use std::fmt;
use std::sync::Arc;

/// Where a part of the daemon puts what it has to say, without knowing who reads it or what else
/// goes the same way. The inbox behind it is bounded.
pub struct Outlet<T>(Arc<dyn Fn(T, Wait) -> Result<(), Closed> + Send + Sync>);

#[derive(Clone, Copy)]
enum Wait {
    ForRoom,
    No,
}

/// The inbox is gone, or, where nobody waits, full. What was to be sent is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed;

impl<T> Outlet<T> {
    /// An outlet into an inbox of another type, which `wrap` makes of a `T`.
    pub fn new<U: Send + 'static>(
        inbox: std::sync::mpsc::SyncSender<U>,
        wrap: impl Fn(T) -> U + Send + Sync + 'static,
    ) -> Outlet<T> {
        Outlet(Arc::new(move |item, wait| match wait {
            Wait::ForRoom => inbox.send(wrap(item)).map_err(|_| Closed),
            Wait::No => inbox.try_send(wrap(item)).map_err(|_| Closed),
        }))
    }

    /// Waits for room.
    ///
    /// # Errors
    ///
    /// When nobody will ever read it.
    pub fn send(&self, item: T) -> Result<(), Closed> {
        (self.0)(item, Wait::ForRoom)
    }

    /// Does not wait.
    ///
    /// # Errors
    ///
    /// When there is no room now, or nobody will ever read it.
    pub fn try_send(&self, item: T) -> Result<(), Closed> {
        (self.0)(item, Wait::No)
    }
}

impl<T: Send + 'static> From<std::sync::mpsc::SyncSender<T>> for Outlet<T> {
    /// An outlet into a channel of its own.
    fn from(inbox: std::sync::mpsc::SyncSender<T>) -> Self {
        Outlet::new(inbox, |item| item)
    }
}

impl<T> Clone for Outlet<T> {
    fn clone(&self) -> Self {
        Outlet(self.0.clone())
    }
}

impl<T> fmt::Debug for Outlet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Outlet")
    }
}
