//! A bus of its own, with the object on it as the daemon serves it.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use crate::cli::output::Output;
use crate::cli::{Failure, dispatch};
use crate::daemon::METHODS;
use crate::ubus::{self, MethodError, State, UbusHandle};

pub(super) type Answer = fn(&str, &Map<String, Value>) -> Result<Value, MethodError>;

/// A ubusd of its own, on a socket in a directory of its own.
pub(super) struct Bus {
    dir: tempfile::TempDir,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Bus {
    pub(super) fn start() -> Bus {
        let dir = tempfile::tempdir().unwrap();
        let config = ubusd::Config {
            socket_path: dir.path().join("ubus.sock").to_str().unwrap().into(),
            ..ubusd::Config::default()
        };
        let mut broker = ubusd::Broker::bind(config).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                broker.poll_once(20).unwrap();
            }
        });
        Bus {
            dir,
            stop,
            thread: Some(thread),
        }
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.dir.path().join("ubus.sock")
    }

    /// Puts the object on the bus; the calls that came are handed back.
    pub(super) fn serve(&self, answer: Answer) -> (UbusHandle, Receiver<(String, Value)>) {
        let (calls, called) = sync_channel::<ubus::Call>(16);
        let (seen, log) = channel();
        thread::spawn(move || {
            for call in called {
                let result = answer(call.method, &call.args);
                let _ = seen.send((call.method.to_owned(), Value::Object(call.args)));
                call.reply.send(result);
            }
        });
        let handle = ubus::serve(self.socket(), &METHODS, calls).unwrap();
        wait_for(|| handle.state() == State::Up);
        (handle, log)
    }

    pub(super) fn run(&self, args: &[&str]) -> (Result<ExitCode, Failure>, String) {
        let written = Written::default();
        let socket = self.socket();
        let all = ["--socket", socket.to_str().unwrap()]
            .into_iter()
            .chain(args.iter().copied());
        let mut output = Output::plain(Box::new(written.clone()));
        let result = dispatch(all.map(OsString::from), &mut output);
        (result, written.text())
    }

    /// What a command that succeeds prints.
    pub(super) fn prints(&self, args: &[&str]) -> String {
        match self.run(args) {
            (Ok(code), text) if code == ExitCode::SUCCESS => text,
            other => panic!("{args:?}: {other:?}"),
        }
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() || thread::panicking());
    }
}

#[derive(Clone, Default)]
pub(super) struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(super) fn wait_for(done: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !done() {
        assert!(Instant::now() < end, "not within ten seconds");
        thread::sleep(Duration::from_millis(5));
    }
}
