//! Keeps our table as it is wanted, whoever else works on the router's rulesets.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

use super::watch::Watch;
use super::{Applied, Drops, NftError, Ruleset};

/// The table is looked at this often even if nothing was heard of a change, and what failed is
/// tried again.
const LOOK: Duration = Duration::from_secs(10);
/// Changes are answered at most this often: somebody who works on rulesets all the time is not to
/// keep a processor busy.
const PAUSE: Duration = Duration::from_secs(1);

/// A thread that keeps our table in the kernel.
///
/// Dropping it leaves the table standing, as the kernel program is left; [`Keeper::stop`] removes
/// it.
pub struct Keeper {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// How the table that was asked for last is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It is being made.
    Pending,
    /// It stands, or none is wanted and there is none.
    Standing,
    /// It does not stand; why, in plain words. It is tried again.
    Failing(String),
}

struct Shared {
    wish: Mutex<Wish>,
    wake: OwnedFd,
}

struct Wish {
    /// None until something is asked for: what a predecessor left stays until then.
    ruleset: Option<Arc<Ruleset>>,
    state: State,
    /// How often the table was put back that somebody had removed or changed.
    restored: u64,
    drops: Drops,
    ends: bool,
}

impl Keeper {
    /// Starts. Whatever table a predecessor left is replaced when a first ruleset is asked for.
    ///
    /// # Errors
    ///
    /// No thread could be started.
    pub fn start() -> io::Result<Keeper> {
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let shared = Arc::new(Shared {
            wish: Mutex::new(Wish {
                ruleset: None,
                state: State::Pending,
                restored: 0,
                drops: Drops::default(),
                ends: false,
            }),
            wake,
        });
        let keeping = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("nft".into())
            .spawn(move || run(&keeping))?;
        Ok(Keeper {
            shared,
            thread: Some(thread),
        })
    }

    /// Asks for another ruleset. It takes force some milliseconds later; see [`Keeper::state`].
    pub fn want(&self, ruleset: Ruleset) {
        let mut wish = self.shared.wish();
        wish.ruleset = Some(Arc::new(ruleset));
        wish.state = State::Pending;
        drop(wish);
        self.shared.wake();
    }

    /// How the ruleset is that was asked for last.
    pub fn state(&self) -> State {
        self.shared.wish().state.clone()
    }

    /// How often the table was put back that somebody had removed or changed.
    pub fn restored(&self) -> u64 {
        self.shared.wish().restored
    }

    /// What all its tables have refused, as of at most ten seconds ago. What was refused in the last
    /// moments of a table that somebody else removed is missing.
    pub fn drops(&self) -> Drops {
        self.shared.wish().drops
    }

    /// Removes the table, and returns when that is done or has failed.
    ///
    /// # Errors
    ///
    /// As [`apply`](super::apply), and when the thread has ended before.
    pub fn stop(mut self) -> Result<(), NftError> {
        self.want(Ruleset::default());
        self.end();
        match self.state() {
            State::Standing => Ok(()),
            State::Failing(error) => Err(NftError::Run(io::Error::other(error))),
            State::Pending => Err(NftError::Run(io::Error::other("the thread has ended"))),
        }
    }

    fn end(&mut self) {
        self.shared.wish().ends = true;
        self.shared.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.end();
        }
    }
}

impl Shared {
    fn wish(&self) -> MutexGuard<'_, Wish> {
        self.wish.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        // A full counter wakes as well.
        let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
    }
}

/// What is in the kernel, as far as the thread knows.
struct Table {
    ruleset: Arc<Ruleset>,
    /// None if it could not be set.
    applied: Option<Applied>,
    /// What it had refused at the last look.
    drops: Drops,
}

fn run(shared: &Shared) {
    let mut watch = Watch::open()
        .inspect_err(|error| log::warn!("changes of the firewall are noticed late: {error}"))
        .ok();
    let mut table: Option<Table> = None;
    let mut next_look = Instant::now() + LOOK;
    let mut quiet_until = Instant::now();
    loop {
        let heard = sleep(shared, watch.as_ref(), quiet_until, next_look);
        let (wanted, ends) = {
            let wish = shared.wish();
            (wish.ruleset.clone(), wish.ends)
        };
        let now = Instant::now();
        match (&mut table, wanted) {
            (Some(table), Some(wanted)) if Arc::ptr_eq(&table.ruleset, &wanted) => {
                if heard || now >= next_look {
                    let changed = watch.as_mut().is_some_and(Watch::changed);
                    if changed || now >= next_look {
                        table.look_after(shared, watch.as_mut());
                        next_look = Instant::now() + LOOK;
                    }
                    quiet_until = Instant::now() + PAUSE;
                }
            }
            (table, Some(wanted)) => {
                if let Some(table) = table {
                    table.count(shared);
                }
                let table = table.insert(Table {
                    ruleset: wanted,
                    applied: None,
                    drops: Drops::default(),
                });
                table.set(shared, watch.as_mut());
                next_look = Instant::now() + LOOK;
            }
            // What somebody changes is of no interest yet.
            (_, None) => {
                if let Some(watch) = watch.as_mut() {
                    watch.changed();
                }
                next_look = now + LOOK;
            }
        }
        if ends {
            return;
        }
    }
}

impl Table {
    /// Puts it back if it is not as it was set.
    fn look_after(&mut self, shared: &Shared, watch: Option<&mut Watch>) {
        if self.applied.as_ref().is_some_and(Applied::is_standing) {
            self.count(shared);
            return;
        }
        let was_there = self.applied.is_some();
        self.set(shared, watch);
        if was_there && self.applied.is_some() {
            let mut wish = shared.wish();
            wish.restored = wish.restored.saturating_add(1);
        }
    }

    /// Takes in what it has refused since the last look.
    fn count(&mut self, shared: &Shared) {
        if self.applied.is_none() || !self.ruleset.stands_in() {
            return;
        }
        match Drops::read() {
            Ok(now) => {
                let mut wish = shared.wish();
                wish.drops = wish.drops.grown(self.drops, now);
                self.drops = now;
            }
            Err(error) => log::debug!("nftables: counters: {error}"),
        }
    }

    fn set(&mut self, shared: &Shared, mut watch: Option<&mut Watch>) {
        self.drops = Drops::default();
        let mut result = self.apply(watch.as_deref_mut());
        if matches!(result, Err(NftError::Refused(_))) {
            // Somebody may have removed it before it was read: nobody would tell of that any more.
            result = self.apply(watch);
        }
        let state = match result {
            Ok(applied) => {
                self.applied = Some(applied);
                State::Standing
            }
            Err(error) => {
                self.applied = None;
                State::Failing(error.to_string())
            }
        };
        let mut wish = shared.wish();
        let is_wanted = wish.ruleset.as_ref();
        if is_wanted.is_some_and(|wanted| Arc::ptr_eq(wanted, &self.ruleset)) {
            wish.state = state;
        }
    }

    fn apply(&self, watch: Option<&mut Watch>) -> Result<Applied, NftError> {
        super::set(&self.ruleset)?;
        // What is heard up to here was our own doing, or shows in what is read next.
        if let Some(watch) = watch {
            watch.changed();
        }
        Applied::read(&self.ruleset)
    }
}

/// Sleeps until something is asked for, `next_look`, or, but not before `quiet_until`, a ruleset
/// has changed: true then.
fn sleep(shared: &Shared, watch: Option<&Watch>, quiet_until: Instant, next_look: Instant) -> bool {
    let now = Instant::now();
    let watch = watch.filter(|_| now >= quiet_until);
    let until = match now < quiet_until {
        true => quiet_until.min(next_look),
        false => next_look,
    };
    let mut fds = vec![PollFd::new(&shared.wake, PollFlags::IN)];
    if let Some(watch) = watch {
        fds.push(PollFd::from_borrowed_fd(watch.changes(), PollFlags::IN));
    }
    let timeout = Timespec::try_from(until.saturating_duration_since(now)).ok();
    // Interrupted or not, what there is to do shows afterwards.
    let _ = poll(&mut fds, timeout.as_ref());
    let heard = fds.get(1).is_some_and(|fd| !fd.revents().is_empty());
    let _ = rustix::io::read(&shared.wake, &mut [0; 8]);
    heard
}
