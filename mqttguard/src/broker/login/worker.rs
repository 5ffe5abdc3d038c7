//! The thread that checks what clients prove themselves with.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread;

use mio::Waker;

use super::checker::Checker;
use super::verdict::{Job, Verdict};
use crate::broker::Resolve;
use crate::events::Denial;

/// Logins that may wait for the worker. Beyond that, clients are told to come back later.
const QUEUE: usize = 256;

/// The thread that checks passwords and proofs.
pub(in crate::broker) struct Worker {
    jobs: SyncSender<Job>,
    verdicts: Receiver<Verdict>,
}

impl Worker {
    /// Starts the thread; it ends when the `Worker` is dropped.
    pub(in crate::broker) fn start(resolve: Arc<Resolve>, waker: Arc<Waker>) -> io::Result<Worker> {
        let (jobs, todo) = sync_channel::<Job>(QUEUE);
        let (done, verdicts) = sync_channel(QUEUE);
        let mut checker = Checker::new(done.clone(), Arc::clone(&waker))?;
        thread::Builder::new()
            .name("broker-login".into())
            .spawn(move || {
                for job in todo {
                    // None: another thread has it, and answers.
                    let Some(verdict) = checker.check(job, &*resolve) else {
                        continue;
                    };
                    if done.send(verdict).is_err() {
                        return;
                    }
                    let _ = waker.wake();
                }
            })?;
        Ok(Worker { jobs, verdicts })
    }

    /// Takes a job. If too many wait, the answer is a verdict at once.
    pub(in crate::broker) fn submit(&self, job: Job) -> Option<Verdict> {
        use std::sync::mpsc::TrySendError::{Disconnected, Full};
        match self.jobs.try_send(job) {
            Ok(()) => None,
            Err(Full(job) | Disconnected(job)) => Some(Verdict::unchecked(job, Err(Denial::Busy))),
        }
    }

    /// The next verdict, if one is there.
    pub(in crate::broker) fn next(&self) -> Result<Verdict, TryRecvError> {
        self.verdicts.try_recv()
    }
}
