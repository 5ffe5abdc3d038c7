use std::io;
use std::time::{Duration, Instant};

use super::links::Link;
use super::tap::Tap;

/// Frames that have to be counted before they say anything.
const ENOUGH: u64 = 16;

/// Frames that were between the program and the tap when the trial began have passed after this.
const SETTLED: Duration = Duration::from_millis(500);

/// A comparison of what the program sees on an interface with what the kernel takes in there.
pub(super) struct Trial {
    tap: Tap,
    begun: Instant,
    settled: bool,
    /// The program's counter when the trial began.
    seen_before: u64,
    /// What the tap has counted since it settled.
    frames: u64,
}

/// What a trial has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Not enough frames yet.
    Open,
    /// The program sees what arrives.
    Sees,
    /// It sees less than half of it.
    Blind,
}

impl Trial {
    /// `seen` is the program's counter of frames.
    pub(super) fn begin(link: &Link, seen: u64) -> io::Result<Trial> {
        Ok(Trial {
            tap: Tap::open(link)?,
            begun: Instant::now(),
            settled: false,
            seen_before: seen,
            frames: 0,
        })
    }

    pub(super) fn age(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Frames that the program saw since the trial began.
    pub(super) fn seen(&self, seen: u64) -> u64 {
        seen.saturating_sub(self.seen_before)
    }

    /// Reads the tap. `seen` gives the program's counter: it is read after the tap's, so that the
    /// program's is never the lower one for that.
    pub(super) fn look(&mut self, seen: impl FnOnce() -> u64) -> io::Result<Verdict> {
        let frames = self.tap.frames()?;
        if !self.settled {
            self.settled = self.age() >= SETTLED;
            return Ok(Verdict::Open);
        }
        self.frames = self.frames.saturating_add(frames);
        Ok(verdict(self.frames, self.seen(seen())))
    }
}

fn verdict(frames: u64, seen: u64) -> Verdict {
    if frames < ENOUGH {
        Verdict::Open
    } else if seen < frames / 2 {
        Verdict::Blind
    } else {
        Verdict::Sees
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_frames_have_to_be_seen() {
        for (frames, seen, expected) in [
            (0, 0, Verdict::Open),
            (15, 0, Verdict::Open),
            (16, 0, Verdict::Blind),
            (16, 7, Verdict::Blind),
            (16, 8, Verdict::Sees),
            (1000, 499, Verdict::Blind),
            (1000, 1_000_000, Verdict::Sees),
        ] {
            assert_eq!(verdict(frames, seen), expected, "{seen} of {frames}");
        }
    }
}
