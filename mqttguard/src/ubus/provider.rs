//! The thread that keeps the object on the bus.

use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use std::{io, thread};

use serde_json::{Map, Value};

use super::Status;
use super::connection::{Bus, BusError, Invoke, Message, Return};
use super::method::{Answer, Call, MethodError, MethodSpec, Reply, Said, signature};
use super::unanswered::Unanswered;
use super::wake::{Backoff, Wake, wait};
use crate::outlet::Outlet;

/// The object's name on the bus.
pub const OBJECT: &str = "mqttguard";

/// How long a method may take that says nothing else. Callers give up later: `ubus call` after 30 s.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// Most calls that wait for an answer at once.
const MAX_PENDING: usize = 64;
/// Most notifications that wait to be sent.
const MAX_NOTIFICATIONS: usize = 256;
/// Most messages taken in a row before answers and notifications get their turn.
const BATCH: usize = 64;

/// Whether the object is on the bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It can be called.
    Up,
    /// It cannot, and why; the provider keeps trying.
    Down(String),
}

/// What the thread and its handle share.
struct Shared {
    wake: Arc<Wake>,
    state: Mutex<State>,
    subscribed: AtomicBool,
    /// Not 64 bits wide: 32-bit MIPS has no such atomics.
    dropped: AtomicUsize,
}

impl Shared {
    fn set_state(&self, state: State) {
        let mut current = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if *current != state {
            match &state {
                State::Up => log::info!("ubus: object {OBJECT} is on the bus"),
                State::Down(why) => log::warn!("ubus: object {OBJECT} is not on the bus: {why}"),
            }
            *current = state;
        }
    }
}

/// Keeps the object on the bus. Dropping it takes the object off.
pub struct UbusHandle {
    shared: Arc<Shared>,
    notifications: SyncSender<Notification>,
    thread: Option<JoinHandle<()>>,
}

struct Notification {
    name: String,
    data: Value,
}

impl UbusHandle {
    /// Tells all subscribers. `data` is an object. Never blocks: what does not fit the queue is
    /// dropped and counted. Without subscribers there is nobody to tell and nothing is queued.
    pub fn notify(&self, name: &str, data: Value) {
        if !self.has_subscribers() {
            return;
        }
        match self.notifications.try_send(Notification {
            name: name.to_owned(),
            data,
        }) {
            Ok(()) => self.shared.wake.wake(),
            Err(_) => {
                self.shared.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Whether anybody subscribed, so that a caller can spare itself making the data.
    pub fn has_subscribers(&self) -> bool {
        self.shared.subscribed.load(Ordering::Relaxed)
    }

    /// Notifications that subscribers missed because the queue was full or they did not fit a
    /// message.
    pub fn dropped(&self) -> usize {
        self.shared.dropped.load(Ordering::Relaxed)
    }

    /// Whether the object is on the bus.
    pub fn state(&self) -> State {
        self.shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Drop for UbusHandle {
    fn drop(&mut self) {
        self.shared.wake.stop();
        if let Some(thread) = self.thread.take() {
            // It never waits for anything but the bus, and for that not long.
            let _ = thread.join();
        }
    }
}

/// Puts the object `mqttguard` with these methods on the bus behind `socket`, now or whenever the
/// bus appears, and again after the bus restarts. Calls go to `calls`; while that is full, callers
/// are told to come back.
///
/// # Errors
///
/// When the system gives no descriptor or no thread. A missing bus is no error.
pub fn serve(
    socket: PathBuf,
    methods: &'static [MethodSpec],
    calls: impl Into<Outlet<Call>>,
) -> io::Result<UbusHandle> {
    let shared = Arc::new(Shared {
        wake: Arc::new(Wake::new()?),
        state: Mutex::new(State::Down("not connected yet".to_owned())),
        subscribed: AtomicBool::new(false),
        dropped: AtomicUsize::new(0),
    });
    let (notifications, queued) = sync_channel(MAX_NOTIFICATIONS);
    let (answers, answered) = sync_channel(2 * MAX_PENDING);
    let mut provider = Provider {
        socket,
        methods,
        calls: calls.into(),
        shared: Arc::clone(&shared),
        queued,
        answers,
        answered,
        pending: Vec::new(),
        next_token: 0,
    };
    let thread = thread::Builder::new()
        .name("ubus-provider".to_owned())
        .spawn(move || provider.run())?;
    Ok(UbusHandle {
        shared,
        notifications,
        thread: Some(thread),
    })
}

/// A call whose answer is awaited.
struct Pending {
    token: u64,
    to: Return,
    method: &'static str,
    until: Instant,
}

struct Provider {
    socket: PathBuf,
    methods: &'static [MethodSpec],
    calls: Outlet<Call>,
    shared: Arc<Shared>,
    queued: Receiver<Notification>,
    answers: SyncSender<Answer>,
    answered: Receiver<Answer>,
    pending: Vec<Pending>,
    next_token: u64,
}

impl Provider {
    fn run(&mut self) {
        let mut backoff = Backoff::new();
        while !self.shared.wake.stopped() {
            let ended = self.session(&mut backoff);
            self.shared.subscribed.store(false, Ordering::Relaxed);
            // Their callers are gone with the connection; answers still under way find no token.
            self.pending.clear();
            match ended {
                Ok(()) => return,
                Err(error) => self.shared.set_state(State::Down(error.to_string())),
            }
            backoff.pause(&self.shared.wake);
        }
    }

    /// One connection, from hello to its end; `Ok` when told to stop.
    fn session(&mut self, backoff: &mut Backoff) -> Result<(), BusError> {
        let mut bus = Bus::connect(&self.socket)?;
        let object = bus.add_object(OBJECT, &signature(self.methods))?;
        backoff.reset();
        self.shared.set_state(State::Up);
        loop {
            let more = self.take_messages(&mut bus)?;
            self.send_answers(&mut bus)?;
            self.send_notifications(&mut bus, object)?;
            self.expire(&mut bus)?;
            let timeout = if more {
                Some(Duration::ZERO)
            } else {
                let first = self.pending.iter().map(|pending| pending.until).min();
                first.map(|until| until.saturating_duration_since(Instant::now()))
            };
            wait(&[bus.as_fd(), self.shared.wake.as_fd()], timeout)
                .map_err(|error| BusError::Malformed(error.to_string()))?;
            self.shared.wake.drain();
            if self.shared.wake.stopped() {
                return Ok(());
            }
        }
    }

    /// Takes what has arrived; true if there may be more.
    fn take_messages(&mut self, bus: &mut Bus) -> Result<bool, BusError> {
        for _ in 0..BATCH {
            match bus.next()? {
                None => return Ok(false),
                Some(Message::Invoke(invoke)) => {
                    let to = invoke.to;
                    if let Err(error) = self.dispatch(invoke) {
                        refuse(bus, to, &error)?;
                    }
                }
                Some(Message::Active(active)) => {
                    self.shared.subscribed.store(active, Ordering::Relaxed);
                }
                Some(Message::Unsubscribed { .. } | Message::Other) => {}
            }
        }
        Ok(true)
    }

    fn dispatch(&mut self, invoke: Invoke) -> Result<(), MethodError> {
        let Some(spec) = self.methods.iter().find(|spec| spec.name == invoke.method) else {
            let text = format!("{OBJECT} has no method {:?}", invoke.method);
            return Err(MethodError::new(Status::MethodNotFound, text));
        };
        let given = invoke
            .data
            .map_err(|error| MethodError::new(Status::InvalidArgument, error.to_string()))?;
        let args = spec.check(given)?;
        if self.pending.len() >= MAX_PENDING {
            return Err(Unanswered::Busy.into());
        }
        let token = self.next_token;
        self.next_token = self.next_token.wrapping_add(1);
        let reply = Reply {
            token,
            answers: self.answers.clone(),
            wake: Arc::clone(&self.shared.wake),
            answered: false,
        };
        let call = Call {
            method: spec.name,
            args,
            reply,
        };
        // A call that is not taken answers for itself, to a token that nobody knows.
        self.calls.try_send(call).map_err(|_| Unanswered::Busy)?;
        let until = Instant::now() + CALL_TIMEOUT;
        self.pending.push(Pending {
            token,
            to: invoke.to,
            method: spec.name,
            until,
        });
        Ok(())
    }

    fn send_answers(&mut self, bus: &mut Bus) -> Result<(), BusError> {
        while let Ok(answer) = self.answered.try_recv() {
            let waiting = self
                .pending
                .iter()
                .position(|pending| pending.token == answer.token);
            let Some(waiting) = waiting else { continue };
            let result = match answer.said {
                Said::Result(result) => result,
                Said::Later(time) => {
                    if let Some(pending) = self.pending.get_mut(waiting) {
                        pending.until = Instant::now() + time;
                    }
                    continue;
                }
            };
            let pending = self.pending.swap_remove(waiting);
            let data = match result {
                Ok(Value::Object(data)) => data,
                Ok(Value::Null) => Map::new(),
                Ok(other) => Map::from_iter([("result".to_owned(), other)]),
                Err(error) => {
                    refuse(bus, pending.to, &error)?;
                    continue;
                }
            };
            match bus.answer(pending.to, Some(&data), None) {
                Err(BusError::Blob(error)) => {
                    let text = format!("the reply of {} does not fit: {error}", pending.method);
                    refuse(bus, pending.to, &MethodError::new(Status::NoMemory, text))?;
                }
                other => other?,
            }
        }
        Ok(())
    }

    fn send_notifications(&mut self, bus: &mut Bus, object: u32) -> Result<(), BusError> {
        while let Ok(notification) = self.queued.try_recv() {
            let Value::Object(data) = notification.data else {
                continue;
            };
            match bus.notify(object, &notification.name, &data) {
                Err(BusError::Blob(error)) => {
                    self.shared.dropped.fetch_add(1, Ordering::Relaxed);
                    log::debug!("ubus: notification {} not sent: {error}", notification.name);
                }
                other => other?,
            }
        }
        Ok(())
    }

    /// Answers for methods that did not in time.
    fn expire(&mut self, bus: &mut Bus) -> Result<(), BusError> {
        let now = Instant::now();
        while let Some(late) = self.pending.iter().position(|pending| pending.until <= now) {
            let pending = self.pending.swap_remove(late);
            let late = Unanswered::Late(pending.method);
            log::warn!("ubus: {late}");
            refuse(bus, pending.to, &late.into())?;
        }
        Ok(())
    }
}

/// Answers with the error's text and its code as data, then with its number.
fn refuse(bus: &mut Bus, to: Return, error: &MethodError) -> Result<(), BusError> {
    let mut data = error.coded.clone();
    data.insert("error".to_owned(), Value::from(error.message.as_str()));
    bus.answer(to, Some(&data), Some(error.status))
}
