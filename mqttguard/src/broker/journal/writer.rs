use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::Wake;
use super::segments::Segments;

/// What is written at once.
pub(super) struct Batch {
    /// Begins a segment first.
    pub(super) begins: bool,
    pub(super) bytes: Vec<u8>,
    /// The segment is complete with it.
    pub(super) complete: bool,
}

type Done = (Batch, io::Result<()>);

/// Who writes.
pub(super) enum Writer {
    /// Whoever asks, at once.
    Here(Segments),
    /// A thread, which takes its time; one batch at a time.
    Thread {
        batches: SyncSender<Batch>,
        done: Receiver<Done>,
    },
    /// Nobody.
    Nobody,
}

impl Writer {
    /// A thread that ends with the `Writer`.
    pub(super) fn thread(mut segments: Segments, wake: Wake) -> io::Result<Writer> {
        let (batches, todo) = sync_channel::<Batch>(1);
        let (told, done) = sync_channel(1);
        thread::Builder::new()
            .name("broker-journal".into())
            .spawn(move || {
                for batch in todo {
                    let result = write(&mut segments, &batch);
                    if told.send((batch, result)).is_err() {
                        return;
                    }
                    let _ = wake.wake();
                }
            })?;
        Ok(Writer::Thread { batches, done })
    }

    /// Writes, if that is done here; otherwise it is under way.
    pub(super) fn write(&mut self, batch: Batch) -> Option<Done> {
        match self {
            Writer::Here(segments) => {
                let result = write(segments, &batch);
                Some((batch, result))
            }
            Writer::Thread { batches, .. } => match batches.send(batch) {
                Ok(()) => None,
                Err(back) => Some((back.0, Err(io::Error::other("its thread has ended")))),
            },
            Writer::Nobody => Some((batch, Err(io::Error::other("it was not opened")))),
        }
    }

    pub(super) fn poll(&mut self) -> Option<Done> {
        match self {
            Writer::Thread { done, .. } => done.try_recv().ok(),
            Writer::Here(_) | Writer::Nobody => None,
        }
    }

    /// Waits for the batch that is under way.
    pub(super) fn wait(&mut self) -> Option<Done> {
        match self {
            Writer::Thread { done, .. } => done.recv().ok(),
            Writer::Here(_) | Writer::Nobody => None,
        }
    }
}

fn write(segments: &mut Segments, batch: &Batch) -> io::Result<()> {
    if batch.begins {
        segments.begin()?;
    }
    segments.write(&batch.bytes)?;
    if batch.complete {
        segments.complete();
    }
    Ok(())
}
