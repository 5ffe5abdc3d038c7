use std::io;
use std::path::PathBuf;

use aya::EbpfError;
use aya::maps::MapError;
use aya::programs::ProgramError;

/// Why the kernel does not enforce, or not what it was told.
#[derive(Debug, thiserror::Error)]
pub enum EnforceError {
    /// No BPF file system to pin maps and links in.
    #[error(
        "{path}: not on a BPF file system ({why}); mount one with: mount -t bpf bpf /sys/fs/bpf"
    )]
    NotBpfFs {
        /// Where one was expected.
        path: PathBuf,
        /// What is there instead.
        why: String,
    },
    /// A file operation on the BPF file system failed.
    #[error("{path}: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// The error.
        error: io::Error,
    },
    /// The object could not be loaded.
    #[error("loading the kernel program: {0}")]
    Load(#[from] EbpfError),
    /// The kernel refused a program.
    #[error("kernel program {name}: {error}")]
    Program {
        /// Which program.
        name: &'static str,
        /// The error.
        error: ProgramError,
    },
    /// The kernel refused a program before, and was not asked again: what it said then.
    #[error("{0}")]
    Refused(String),
    /// The object lacks a program or map.
    #[error("the kernel object has no {0}")]
    Missing(&'static str),
    /// A map could not be read or written.
    #[error("map {map}: {error}")]
    Map {
        /// Which map.
        map: &'static str,
        /// The error.
        error: MapError,
    },
    /// More of something than the kernel program has room for.
    #[error("{found} {what}: the kernel program has room for {room}")]
    Room {
        /// What there is too much of.
        what: String,
        /// How many there are.
        found: usize,
        /// How many there may be.
        room: usize,
    },
    /// The list of network interfaces could not be had.
    #[error("netlink: {0}")]
    Netlink(io::Error),
    /// The thread that watches the kernel could not be started, or has ended.
    #[error("the enforcement thread: {0}")]
    Thread(io::Error),
}

/// An error of this map.
pub(super) fn on(map: &'static str) -> impl Fn(MapError) -> EnforceError {
    move |error| EnforceError::Map { map, error }
}
