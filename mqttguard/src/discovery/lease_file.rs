//! Watches dnsmasq's lease file.
//!
//! dnsmasq rewrites the file in place, other tools replace it by renaming, and it may not exist
//! yet. So the directory is watched for names and the file itself for content; only the file,
//! since the directory is `/tmp`, where others write all the time.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use rustix::fs::inotify::{self, CreateFlags, Reader, WatchFlags};

use super::leases::{self, Leases};
use super::reporter::{Fact, Reporter};
use super::{Source, Update};
use crate::outlet::{Closed, Outlet};
use crate::ubus::wake::{Wake, wait};

/// The file is read anew at least this often: clocks jump, and a file system may not tell.
const REREAD: Duration = Duration::from_secs(60);
/// How long the file must be left alone before it is read, so as not to read half of it.
const SETTLE: Duration = Duration::from_millis(200);
/// After this long it is read all the same.
const SETTLE_MAX: Duration = Duration::from_secs(2);
/// More of the file than this is not looked at: some ten thousand leases.
const MAX_BYTES: u64 = 1 << 20;

pub(super) struct LeaseFile {
    path: PathBuf,
    wake: Arc<Wake>,
    inotify: OwnedFd,
    reporter: Reporter,
    /// Whether garbage was reported and is still there.
    warned: bool,
}

impl LeaseFile {
    pub(super) fn new(path: PathBuf, wake: Arc<Wake>, out: Outlet<Update>) -> io::Result<Self> {
        Ok(LeaseFile {
            path,
            wake,
            inotify: inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?,
            reporter: Reporter::new(Source::LeaseFile, out),
            warned: false,
        })
    }

    /// Runs until told to stop or nobody listens.
    pub(super) fn run(mut self) -> Result<(), Closed> {
        loop {
            // Before reading: what changes after that is announced.
            self.watch();
            let next = self.read()?;
            if !self.wait_for_change(next) {
                return Ok(());
            }
        }
    }

    /// Watches the directory and the file, as far as they exist. Adding a watch that is there
    /// changes nothing; one on a file that was deleted goes away by itself.
    fn watch(&self) {
        let directory = match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let names =
            WatchFlags::CREATE | WatchFlags::MOVE | WatchFlags::DELETE | WatchFlags::ONLYDIR;
        let content = WatchFlags::MODIFY | WatchFlags::CLOSE_WRITE;
        // Missing ones are found by the regular reading.
        let _ = inotify::add_watch(&self.inotify, directory, names);
        let _ = inotify::add_watch(&self.inotify, &self.path, content);
    }

    /// Reads the file and reports; returns in how long to look again.
    fn read(&mut self) -> Result<Duration, Closed> {
        let leases = match read(&self.path) {
            Ok(text) => leases::parse(&text, SystemTime::now()),
            Err(error) => {
                self.reporter
                    .source(false, format!("{}: {error}", self.path.display()))?;
                self.reporter.keep_only(&HashSet::new())?;
                return Ok(REREAD);
            }
        };
        self.warn_once(&leases);
        self.reporter
            .source(true, self.path.display().to_string())?;
        let mut there = HashSet::new();
        for lease in leases.leases {
            let key = (lease.mac, Some(lease.address));
            there.insert(key);
            let (hostname, lease_end) = (lease.hostname, Some(lease.expiry));
            self.reporter.present(
                key,
                Fact {
                    hostname,
                    lease_end,
                    ..Fact::default()
                },
            )?;
        }
        if !leases.complete {
            // Half a file says nothing about who left.
            return Ok(SETTLE_MAX);
        }
        self.reporter.keep_only(&there)?;
        Ok(leases.next_expiry.map_or(REREAD, |left| left.min(REREAD)))
    }

    fn warn_once(&mut self, leases: &Leases) {
        if let Some((line, text)) = &leases.garbage
            && !self.warned
        {
            log::warn!(
                "{}: line {line}: expected `expiry mac ip host clientid`, found {text:?}; \
                 such lines are skipped",
                self.path.display()
            );
        }
        self.warned = leases.garbage.is_some();
    }

    /// Waits until the file changed and was then left alone, or `limit` has passed; false when
    /// told to stop.
    fn wait_for_change(&self, limit: Duration) -> bool {
        let until = Instant::now() + limit;
        while !self.sleep(until.saturating_duration_since(Instant::now())) {
            if self.wake.stopped() {
                return false;
            }
            if Instant::now() >= until {
                return true;
            }
        }
        let until = Instant::now() + SETTLE_MAX;
        while Instant::now() < until && self.sleep(SETTLE) {}
        !self.wake.stopped()
    }

    /// Sleeps for so long, or until something happens; true if it happened to the file.
    fn sleep(&self, limit: Duration) -> bool {
        if self.wake.stopped()
            || wait(&[self.inotify.as_fd(), self.wake.as_fd()], Some(limit)).is_err()
        {
            return false;
        }
        let name = self.path.file_name().map(|name| name.as_encoded_bytes());
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut events = Reader::new(&self.inotify, &mut buffer);
        let mut changed = false;
        while let Ok(event) = events.next() {
            // Events of the file's own watch have no name.
            let of = event.file_name().map(|name| name.to_bytes());
            changed |= of.is_none() || of == name;
        }
        changed
    }
}

fn read(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
