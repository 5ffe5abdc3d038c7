//! A program of somebody else.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use super::Hook;
use super::calls::{Instruction, SCHED_CLS, XDP, load, pin};

/// A program that does nothing but answer: what a run costs in any case, or somebody else's.
pub struct Nop {
    program: OwnedFd,
}

impl Nop {
    /// Its name in the kernel, of at most 15 characters.
    pub const NAME: &str = "somebody_else";

    /// Loads one that lets every frame go on its way.
    ///
    /// # Panics
    ///
    /// If the kernel refuses.
    pub fn load(hook: Hook) -> Self {
        // XDP_PASS and TC_ACT_UNSPEC.
        match hook {
            Hook::Xdp => Self::answering(hook, 2),
            Hook::Tc => Self::answering(hook, -1),
        }
    }

    /// Loads one that answers this to every frame.
    ///
    /// # Panics
    ///
    /// If the kernel refuses.
    pub fn answering(hook: Hook, verdict: i32) -> Self {
        let kind = match hook {
            Hook::Xdp => XDP,
            Hook::Tc => SCHED_CLS,
        };
        let code = [Instruction::set(0, verdict), Instruction::EXIT];
        let program = load(kind, Self::NAME, &code).unwrap_or_else(|error| panic!("{error}"));
        Nop { program }
    }

    /// The program.
    pub fn program(&self) -> BorrowedFd<'_> {
        self.program.as_fd()
    }

    /// Pins the program.
    ///
    /// # Panics
    ///
    /// If the kernel refuses.
    pub fn pin(&self, path: &Path) {
        pin(self.program(), path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}
