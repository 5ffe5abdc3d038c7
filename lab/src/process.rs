use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::{Netns, PATIENCE, until};

/// A process of the house that runs in the background. Ended when dropped.
#[derive(Debug)]
pub struct Process {
    what: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command` in `netns`; what it says goes to `log` (appended).
    pub fn start(netns: &Netns, command: &mut Command, log: &Path) -> Result<Self> {
        let out = File::options()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("cannot write {}", log.display()))?;
        let what = command.get_program().to_string_lossy().into_owned();
        command
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out);
        Ok(Self {
            what,
            child: netns.start(command)?,
            log: log.to_owned(),
        })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has said so far.
    pub fn log(&self) -> String {
        std::fs::read(&self.log)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// Waits until `look` finds that the process is ready. If it ends before, or `limit` is over,
    /// the error shows the end of its log.
    pub fn wait_ready<T>(
        &mut self,
        limit: Duration,
        mut look: impl FnMut() -> Result<T>,
    ) -> Result<T> {
        let end = Instant::now() + limit;
        loop {
            let ended = self.child.try_wait()?;
            let missing = match look() {
                Ok(found) => return Ok(found),
                Err(missing) => missing,
            };
            if let Some(status) = ended {
                bail!(
                    "{} ended with {status}; its log ends:\n{}",
                    self.what,
                    self.log_end()
                );
            }
            if Instant::now() >= end {
                let log = self.log_end();
                let what = &self.what;
                return Err(missing.context(format!(
                    "{what} is not ready within {limit:?}; its log ends:\n{log}"
                )));
            }
            sleep(Duration::from_millis(20));
        }
    }

    /// The last lines of its log.
    fn log_end(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let start = lines.len().saturating_sub(30);
        lines.get(start..).unwrap_or_default().join("\n")
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = Pid::from_raw(i32::try_from(self.child.id())?).context("process id 0")?;
        kill_process(pid, signal).with_context(|| format!("cannot signal {}", self.what))
    }

    /// Kills it (SIGKILL) and waits for its end.
    pub fn kill(&mut self) -> Result<ExitStatus> {
        self.child.kill()?;
        Ok(self.child.wait()?)
    }

    /// Asks it to end (SIGTERM), and kills it if it does not within [`PATIENCE`].
    pub fn stop(&mut self) -> Result<ExitStatus> {
        if let Some(status) = self.child.try_wait()? {
            return Ok(status);
        }
        self.signal(Signal::TERM)?;
        until(PATIENCE, || !matches!(self.child.try_wait(), Ok(None)));
        match self.child.try_wait()? {
            Some(status) => Ok(status),
            None => self.kill(),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.stop();
    }
}
