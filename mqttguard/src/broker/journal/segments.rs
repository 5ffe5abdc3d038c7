//! The journal's files.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use mqttguard_broker::{Restore, Segment};
use rustix::fs::{FlockOperation, flock};

const SUFFIX: &str = ".journal";
/// What a damaged segment is kept as; there is one such file at most.
const DAMAGED: &str = "damaged";
/// Bytes read at once.
const PIECE: usize = 64 * 1024;
/// How long to wait for a daemon that is about to end, in steps.
const PATIENCE: Duration = Duration::from_millis(100);
const STEPS: u32 = 20;

/// The directory, locked, with the segment that is written and those before it.
pub(super) struct Segments {
    path: PathBuf,
    /// Holds the lock.
    directory: File,
    /// Every write is to be on the disk.
    sync: bool,
    /// None: nothing may be written until a segment is begun.
    file: Option<File>,
    number: u64,
    /// Segments that are there besides, and whether something has damaged them.
    old: Vec<(u64, bool)>,
}

/// What was found in one file.
pub(super) struct Found {
    pub(super) file: PathBuf,
    pub(super) segment: Segment,
}

impl Segments {
    /// Opens and locks the directory, and makes it if need be.
    pub(super) fn open(path: &Path, sync: bool) -> io::Result<Segments> {
        match DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let directory = File::open(path)?;
        lock(&directory)?;
        let mut old = Vec::new();
        for entry in fs::read_dir(path)? {
            let name = entry?.file_name();
            let number = name.to_str().and_then(|name| name.strip_suffix(SUFFIX));
            if let Some(number) = number.and_then(|number| number.parse().ok()) {
                old.push((number, false));
            }
        }
        old.sort_unstable();
        Ok(Segments {
            path: path.to_owned(),
            directory,
            sync,
            file: None,
            number: old.last().map_or(0, |(number, _)| *number),
            old,
        })
    }

    fn file(&self, number: u64) -> PathBuf {
        self.path.join(format!("{number:08}{SUFFIX}"))
    }

    /// Reads all segments in their order.
    pub(super) fn read(&mut self, restore: &mut Restore) -> io::Result<Vec<Found>> {
        let mut all = Vec::new();
        let mut piece = vec![0; PIECE];
        for place in 0..self.old.len() {
            let Some((number, _)) = self.old.get(place).copied() else {
                continue;
            };
            let path = self.file(number);
            let mut file = File::open(&path)?;
            loop {
                match file.read(&mut piece) {
                    Ok(0) => break,
                    Ok(len) => restore.feed(piece.get(..len).unwrap_or_default()),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
            let segment = restore.end_segment();
            if let Some((_, damaged)) = self.old.get_mut(place) {
                *damaged = segment.damaged;
            }
            all.push(Found {
                file: path,
                segment,
            });
        }
        Ok(all)
    }

    /// Begins a segment. What is written of the one before stays until [`Segments::complete`].
    pub(super) fn begin(&mut self) -> io::Result<()> {
        if self.file.take().is_some() {
            self.old.push((self.number, false));
        }
        self.number = self.number.saturating_add(1);
        let file = File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(self.file(self.number))?;
        if self.sync {
            self.directory.sync_all()?;
        }
        self.file = Some(file);
        Ok(())
    }

    /// Writes for good. After an error nothing more goes to this segment: its end is not known.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let file = self.file.as_mut();
        let file = file.ok_or_else(|| io::Error::other("no segment was begun"))?;
        let mut write = || {
            file.write_all(bytes)?;
            if self.sync { file.sync_data() } else { Ok(()) }
        };
        let written = write();
        if written.is_err() {
            self.file = None;
            self.old.push((self.number, false));
        }
        written
    }

    /// The segment has everything: the others go. One that was damaged is kept aside.
    pub(super) fn complete(&mut self) {
        let old = std::mem::take(&mut self.old);
        for (number, damaged) in old {
            let path = self.file(number);
            let gone = if damaged {
                fs::rename(&path, self.path.join(DAMAGED))
            } else {
                fs::remove_file(&path)
            };
            if let Err(error) = gone {
                log::warn!("{}: {error}", path.display());
            }
        }
    }
}

fn lock(directory: &File) -> io::Result<()> {
    let mut steps = 0;
    loop {
        match flock(directory, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(()),
            Err(rustix::io::Errno::WOULDBLOCK) if steps < STEPS => {
                steps += 1;
                sleep(PATIENCE);
            }
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(io::Error::other("another daemon keeps its journal there"));
            }
            Err(error) => return Err(error.into()),
        }
    }
}
