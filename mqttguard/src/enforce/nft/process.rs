//! One run of `nft`, bounded in time.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::NftError;

/// A ruleset of ours takes some milliseconds, on a small router some tens.
const LIMIT: Duration = Duration::from_secs(5);
/// The most that is read of what it says. A table of ours with as many devices as the registry
/// holds is shorter.
const MOST: u64 = 1 << 20;
/// The most of its errors that is passed on.
const ERROR: usize = 500;

/// Runs `nft` and gives what it printed.
pub(super) fn nft(args: &[&str], input: &[u8]) -> Result<Vec<u8>, NftError> {
    run("nft", args, input, LIMIT)
}

/// Files in memory in the place of pipes: nobody has to read and write at the same time, and a
/// program that hangs holds nobody up.
fn run(
    program: &'static str,
    args: &[&str],
    input: &[u8],
    limit: Duration,
) -> Result<Vec<u8>, NftError> {
    let mut stdin = memory()?;
    stdin.write_all(input)?;
    stdin.rewind()?;
    let (mut stdout, mut stderr) = (memory()?, memory()?);
    let child = Command::new(program)
        .args(args)
        .stdin(stdin)
        .stdout(Stdio::from(stdout.try_clone()?))
        .stderr(Stdio::from(stderr.try_clone()?))
        .spawn()
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => NftError::Missing,
            _ => NftError::Run(error),
        })?;
    let status = wait(child, limit)?;
    if !status.success() {
        let said = read(&mut stderr)?;
        return Err(NftError::Refused(refusal(&said, status)));
    }
    read(&mut stdout)
}

fn memory() -> io::Result<File> {
    Ok(memfd_create("nft", MemfdFlags::CLOEXEC)?.into())
}

fn read(file: &mut File) -> Result<Vec<u8>, NftError> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.take(MOST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Waits for its end, and kills it if that takes too long.
fn wait(mut child: Child, limit: Duration) -> Result<ExitStatus, NftError> {
    let ended = ends_within(&child, limit);
    if !matches!(ended, Ok(true)) {
        let _ = child.kill();
    }
    let status = child.wait()?;
    match ended? {
        true => Ok(status),
        false => Err(NftError::Timeout(limit)),
    }
}

fn ends_within(child: &Child, limit: Duration) -> io::Result<bool> {
    let pid = Pid::from_child(child);
    let process = pidfd_open(pid, PidfdFlags::empty())?;
    let end = Instant::now() + limit;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).map_err(io::Error::other)?;
        let mut fds = [PollFd::new(&process, PollFlags::IN)];
        match poll(&mut fds, Some(&timeout)) {
            Ok(0) if left.is_zero() => return Ok(false),
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            Ok(_) => return Ok(true),
            Err(error) => return Err(error.into()),
        }
    }
}

/// What it said, on one line: `nft` underlines the place in the ruleset on lines of their own.
fn refusal(said: &[u8], status: ExitStatus) -> String {
    let said = String::from_utf8_lossy(said);
    let lines: Vec<&str> = said
        .lines()
        .map(str::trim)
        .filter(|line| line.chars().any(|c| c != '^' && c != '~' && c != ' '))
        .collect();
    match lines.is_empty() {
        true => status.to_string(),
        false => lines.join("; ").chars().take(ERROR).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out() {
        let input = vec![b'x'; 300_000];
        let output = run("cat", &[], &input, Duration::from_secs(5)).unwrap();
        assert_eq!(output, input);
    }

    #[test]
    fn what_hangs_is_killed() {
        let start = Instant::now();
        let error = run("sleep", &["60"], &[], Duration::from_millis(200)).unwrap_err();
        assert!(matches!(error, NftError::Timeout(_)), "{error}");
        assert!(start.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn what_is_not_there_is_named_with_its_package() {
        let error = run("nft-that-is-not-there", &[], &[], LIMIT).unwrap_err();
        assert_eq!(error.to_string(), "nft is not installed (package nftables)");
    }

    #[test]
    fn a_refusal_says_what_the_program_said() {
        let script = "echo 'here is a mistake' >&2; echo '   ^^^~~' >&2; exit 3";
        let error = run("sh", &["-c", script], &[], LIMIT).unwrap_err();
        assert_eq!(error.to_string(), "nft: here is a mistake");
        let error = run("sh", &["-c", "exit 3"], &[], LIMIT).unwrap_err();
        assert_eq!(error.to_string(), "nft: exit status: 3");
    }
}
