//! Network namespaces that live as long as a thread.

use std::process::Command;
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};

use rustix::thread::{UnshareFlags, gettid, unshare_unsafe};

type Task = Box<dyn FnOnce() + Send>;

/// A thread in a network namespace of its own, which runs what it is given. The namespace ends
/// with it, and with all that was made in it.
pub struct Namespace {
    tasks: Option<Sender<Task>>,
    thread: Option<JoinHandle<()>>,
    path: String,
}

impl Namespace {
    /// A new namespace with nothing in it but a loopback device, which is up.
    pub fn new() -> Self {
        let (tasks, taken) = channel::<Task>();
        let (ready, is_ready) = channel();
        let thread = thread::spawn(move || {
            // SAFETY: only `UnshareFlags::FILES` is of concern to file descriptors.
            unsafe { unshare_unsafe(UnshareFlags::NEWNET) }.expect("a network namespace; root?");
            ip("link set lo up");
            let path = format!("/proc/{}/task/{}/ns/net", std::process::id(), gettid());
            ready.send(path).expect("the test waits");
            for task in taken {
                task();
            }
        });
        let path = is_ready.recv().expect("a namespace");
        Namespace {
            tasks: Some(tasks),
            thread: Some(thread),
            path,
        }
    }

    /// Runs `task` in the namespace and waits for its result.
    pub fn run<T: Send + 'static>(&self, task: impl FnOnce() -> T + Send + 'static) -> T {
        let (done, is_done) = channel();
        let task: Task = Box::new(move || {
            let _ = done.send(task());
        });
        self.tasks
            .as_ref()
            .expect("not dropped")
            .send(task)
            .expect("the namespace's thread");
        is_done.recv().expect("the task ends well")
    }

    /// Runs `ip` with these arguments in the namespace; fails if it does.
    pub fn ip(&self, args: &str) {
        let args = args.to_owned();
        self.run(move || ip(&args));
    }

    /// A path by which `ip link set ... netns` finds the namespace.
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl Default for Namespace {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        self.tasks = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn ip(args: &str) {
    let output = Command::new("ip")
        .args(args.split(' '))
        .output()
        .expect("ip of iproute2");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {args}: {errors}");
}
