//! The broker's thread: polls sockets, reads, feeds the core, and writes what it gives.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Poll, Token, Waker};
use mqttguard_broker::{Broker, ConnId, Flow, Grants, Limits, Time, Transmit};
use mqttguard_common::Mac;

use super::bridge::{self, Bridges};
use super::command::Command;
use super::conn::{Input, READ, READ_STRANGER, ROOM, Reading};
use super::conns::Conns;
use super::door::Met;
use super::event::{BrokerEventKind, Events};
use super::journal::{self, Journal, SteadyClock};
use super::listen::{Accepted, FIRST_TOKEN, Listeners};
use super::login::verdict::{LoginStats, Verdict};
use super::login::worker::Worker;
use super::peers::Peers;
use super::sys::Sys;
use super::tls::MAX_PARTIAL;
use super::{Bounds, Logins, Resolve, Startup};
use crate::registry::Directory;

const WAKER: Token = Token(usize::MAX);

/// Bytes read before what they caused is written: enough to write in bulk, and less than what
/// would fill a subscriber's queue.
const FLUSH_AFTER: usize = 32 * 1024;
/// Bytes read before sockets are asked again who can take or has something: subscribers drain
/// while publishers go on.
const TURN: usize = 128 * 1024;
/// Connections that nobody has logged in on read in one turn. Each read may be a step of a TLS
/// handshake, which on a small router takes the time of thousands of messages.
const STRANGERS: usize = 4;
/// Times [`ROOM`] written to one client before others have their turn.
const SENDS: usize = 4;
/// Scratch buffers that one large packet has grown are cut back to this.
const SCRATCH: usize = 256 * 1024;

/// Owns the core, the sockets and everything that is known of them.
pub(super) struct Reactor {
    pub(super) poll: Poll,
    pub(super) core: Broker,
    pub(super) conns: Conns,
    pub(super) listeners: Listeners,
    pub(super) bridges: Bridges,
    pub(super) waker: Arc<Waker>,
    pub(super) peers: Peers,
    pub(super) bounds: Bounds,
    pub(super) login: Worker,
    pub(super) login_stats: LoginStats,
    /// PUBLISH packets from the clients of each device.
    pub(super) published: HashMap<Mac, u64>,
    /// What everybody is let in with, unasked.
    #[cfg(feature = "open")]
    pub(super) everybody: Option<mqttguard_broker::Decision>,
    pub(super) directory: Arc<Directory>,
    pub(super) logins: Arc<Logins>,
    pub(super) resolve: Arc<Resolve>,
    pub(super) events: Events,
    pub(super) commands: Receiver<Command>,
    pub(super) sys: Sys,
    /// Bounds met before the core was asked.
    pub(super) met: Met,
    /// Bytes of all connections' buffers.
    pub(super) buffers: u64,
    /// Answers to logins held back, by when they are due; the number tells those of one time
    /// apart.
    pub(super) answers: BTreeMap<(Time, u64), Verdict>,
    pub(super) answered: u64,
    /// Connections by when they expire: time, slot and serial.
    pub(super) expiries: BTreeSet<(Time, u32, u32)>,
    pub(super) accepted: Vec<Accepted>,
    /// Until when the clients have time to hear that the broker stops.
    pub(super) stop_by: Option<Time>,
    clock: SteadyClock,
    pub(super) journal: Option<Journal>,
    /// Clients to be read.
    readable: VecDeque<ConnId>,
    /// Connections to be read that nobody has logged in on.
    strangers: VecDeque<ConnId>,
    /// Connections whose turn of writing was over before they were done.
    unfinished: Vec<ConnId>,
    /// When connections above their rate may be read again.
    pub(super) resume: BinaryHeap<Reverse<(Time, u32, u32)>>,
    /// Closed sockets that wait for their peers to close, and until when.
    pub(super) lingering: VecDeque<(Time, TcpStream)>,
    /// When connections that wait for their end are looked at.
    pub(super) sweep_at: Option<Time>,
    /// Scratch: what was read.
    pub(super) input: Vec<u8>,
    /// Scratch: what the core sends.
    pub(super) plain: Vec<u8>,
    /// Scratch: what TLS sends.
    pub(super) wire: Vec<u8>,
}

impl Reactor {
    pub(super) fn new(
        startup: Startup,
        commands: Receiver<Command>,
        rights: impl FnMut(&str, &str) -> Option<(Arc<Grants>, Arc<Limits>)>,
    ) -> io::Result<(Reactor, Arc<Waker>)> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let resolve: Arc<Resolve> = startup.resolve.into();
        let started = journal::start(
            startup.journal,
            startup.bounds.core.clone(),
            Arc::clone(&waker),
            rights,
        );
        let mut reactor = Reactor {
            core: started.core,
            conns: Conns::default(),
            listeners: Listeners::new(poll.registry().try_clone()?),
            poll,
            bridges: Bridges::default(),
            waker: Arc::clone(&waker),
            peers: Peers::default(),
            bounds: startup.bounds,
            #[cfg(feature = "open")]
            everybody: None,
            login_stats: LoginStats::default(),
            published: HashMap::new(),
            login: Worker::start(Arc::clone(&resolve), Arc::clone(&waker))?,
            directory: startup.directory,
            logins: startup.logins,
            resolve,
            events: Events::new(startup.events),
            commands,
            sys: Sys::default(),
            met: Met::default(),
            buffers: 0,
            answers: BTreeMap::new(),
            answered: 0,
            expiries: BTreeSet::new(),
            accepted: Vec::new(),
            stop_by: None,
            clock: started.clock,
            journal: started.journal,
            readable: VecDeque::new(),
            strangers: VecDeque::new(),
            unfinished: Vec::new(),
            resume: BinaryHeap::new(),
            lingering: VecDeque::new(),
            sweep_at: None,
            input: vec![0; MAX_PARTIAL + READ.max(READ_STRANGER)],
            plain: Vec::new(),
            wire: Vec::new(),
        };
        let now = reactor.now();
        for news in started.news {
            reactor.events.journal(news);
        }
        let interval = startup.sys_interval;
        reactor.sys.set_interval(now, interval, &mut reactor.core);
        reactor
            .listeners
            .set(now, startup.listeners, startup.tls, &mut reactor.events);
        reactor.set_bridges(now, startup.bridges);
        Ok((reactor, waker))
    }

    /// Works until it is told to stop.
    pub(super) fn run(&mut self) {
        let mut events = mio::Events::with_capacity(256);
        while !self.is_over() {
            let timeout = self.timeout();
            match self.poll.poll(&mut events, timeout) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    log::error!("the broker stops: poll: {error}");
                    return;
                }
            }
            let now = self.now();
            for event in &events {
                match event.token() {
                    WAKER => {
                        self.take_commands(now);
                        self.take_verdicts(now);
                        self.take_dialled(now);
                        self.journal_done(now);
                    }
                    token if token.0 >= FIRST_TOKEN => self.listeners.ready(token),
                    token if token.0 >= bridge::FIRST_TOKEN => self.bridge_event(now, event),
                    Token(slot) => self.socket_event(now, slot, event),
                }
            }
            self.due(now);
            self.accept(now);
            self.read_all(now);
            self.settle(now);
            for id in std::mem::take(&mut self.unfinished) {
                self.serve(now, id);
            }
            self.commit(now);
            self.shrink();
        }
        self.close_journal();
    }

    pub(super) fn now(&self) -> Time {
        self.clock.now()
    }

    fn timeout(&self) -> Option<Duration> {
        let reads = !self.readable.is_empty() || !self.strangers.is_empty();
        let busy = (reads && !self.holds_reading())
            || self.journal_waits()
            || !self.unfinished.is_empty()
            || self.listeners.is_ready();
        if busy {
            return Some(Duration::ZERO);
        }
        let next = [
            self.core.deadline(),
            self.resume.peek().map(|Reverse((time, ..))| *time),
            self.answers.first_key_value().map(|((time, _), _)| *time),
            self.expiries.first().map(|(time, ..)| *time),
            self.listeners.deadline(),
            self.sweep_at,
            self.stop_by,
            self.journal.as_ref().and_then(Journal::deadline),
            self.sys.deadline(),
            self.bridges.deadline(),
        ];
        let now = self.now();
        // One more, as the clock shows whole milliseconds: no turn is for nothing.
        let wait = |time: Time| match time.since(now) {
            Duration::ZERO => Duration::ZERO,
            wait => wait.saturating_add(Duration::from_millis(1)),
        };
        next.into_iter().flatten().min().map(wait)
    }

    fn is_over(&self) -> bool {
        self.stop_by
            .is_some_and(|by| by <= self.now() || self.conns.iter().next().is_none())
    }

    /// Does what is due by the clock.
    fn due(&mut self, now: Time) {
        if self.core.deadline().is_some_and(|deadline| deadline <= now) {
            self.core.tick(now);
        }
        self.sys.publish(now, &mut self.core);
        self.listeners.retry(now, &mut self.events);
        while let Some(Reverse((time, slot, serial))) = self.resume.peek().copied()
            && time <= now
        {
            self.resume.pop();
            self.wanted(ConnId { slot, serial });
        }
        self.give_answers(now);
        self.bridges_due(now);
        self.expire(now);
        if self.sweep_at.is_some_and(|at| at <= now) {
            self.sweep(now);
        }
    }

    fn socket_event(&mut self, now: Time, slot: usize, event: &mio::event::Event) {
        let Some(conn) = self.conns.in_slot(slot) else {
            return;
        };
        let id = conn.id;
        conn.readable |= event.is_readable() || event.is_read_closed() || event.is_error();
        conn.read_closed |= event.is_read_closed() || event.is_error();
        if event.is_writable() {
            conn.writable = true;
        }
        if event.is_writable() && (conn.named || !conn.is_flushed()) {
            self.serve(now, id);
        }
        self.enqueue(id);
    }

    /// The core wants the connection read again.
    fn wanted(&mut self, id: ConnId) {
        if let Some(conn) = self.conns.get_mut(id) {
            if conn.reading != Reading::Done {
                conn.reading = Reading::Wanted;
            }
            self.enqueue(id);
        }
    }

    pub(super) fn enqueue(&mut self, id: ConnId) {
        if let Some(conn) = self.conns.get_mut(id)
            && conn.wants_read()
            && !conn.queued
        {
            conn.queued = true;
            match conn.login {
                Some(_) => self.readable.push_back(id),
                None => self.strangers.push_back(id),
            }
        }
    }

    /// Reads once from each connection that has something, as far as one turn goes.
    fn read_all(&mut self, now: Time) {
        let (mut taken, mut unwritten) = (0usize, 0usize);
        for _ in 0..self.readable.len() {
            if self.holds_reading() {
                return;
            }
            let Some(id) = self.readable.pop_front() else {
                break;
            };
            let found = self.read(now, id);
            if let Some(journal) = &mut self.journal {
                journal.has_read(found);
            }
            unwritten = unwritten.saturating_add(found);
            if unwritten >= FLUSH_AFTER {
                self.settle(now);
                taken = taken.saturating_add(unwritten);
                unwritten = 0;
            }
            if taken >= TURN {
                break;
            }
        }
        for _ in 0..self.strangers.len().min(STRANGERS) {
            if let Some(id) = self.strangers.pop_front() {
                self.read(now, id);
            }
        }
    }

    /// Reads once. Returns how many bytes the core was given.
    fn read(&mut self, now: Time, id: ConnId) -> usize {
        let Some(conn) = self.conns.get_mut(id) else {
            return 0;
        };
        conn.queued = false;
        if !conn.wants_read() {
            return 0;
        }
        let mut taken = 0usize;
        let mut flow = Flow::Read;
        let core = &mut self.core;
        let found = conn.read(now, &mut self.input, &mut self.wire, |bytes| {
            if flow != Flow::Close {
                taken = taken.saturating_add(bytes.len());
                flow = core.receive(now, id, bytes);
            }
        });
        match flow {
            Flow::Read => {}
            Flow::Pause(None) => conn.reading = Reading::UntilNamed,
            Flow::Pause(Some(time)) => {
                conn.reading = Reading::Until(time);
                self.resume.push(Reverse((time, id.slot, id.serial)));
            }
            Flow::Close => {
                conn.named = true;
                conn.end(now);
                self.unfinished.push(id);
            }
        }
        match found {
            Ok(Input::Some | Input::Nothing) => self.enqueue(id),
            // What came before the end may be answered yet, if only by a DISCONNECT.
            Ok(Input::End | Input::Goodbye) if flow == Flow::Close => {}
            Ok(Input::End) | Err(_) => self.lose(now, id),
            Ok(Input::Goodbye) => self.part(now, id),
            Ok(Input::BadWebSocket(what)) => {
                let packet = "WebSocket";
                self.tell_peer(now, id, BrokerEventKind::ProtocolError { packet, what });
                self.finish(now, id);
            }
            Ok(Input::BadTls(error)) => {
                let kind = self.tls_failure(id, &error);
                self.tell_peer(now, id, kind);
                self.finish(now, id);
            }
        }
        self.watch(now, id);
        taken
    }

    /// Takes out of the core all it has to ask, tell and send.
    pub(super) fn settle(&mut self, now: Time) {
        loop {
            while let Some((id, request)) = self.core.next_request() {
                self.request(now, id, request);
            }
            self.report(now);
            if self.is_gated() {
                self.commit(now);
                if self.is_gated() {
                    return;
                }
            }
            let Some(id) = self.core.next_ready() else {
                break;
            };
            if let Some(conn) = self.conns.get_mut(id) {
                conn.named = true;
                if conn.reading == Reading::UntilNamed {
                    self.wanted(id);
                }
                self.serve(now, id);
            } else {
                self.bridge_named(now, id);
            }
        }
        self.commit(now);
    }

    /// Writes what waits for a connection, then what the core has for it.
    pub(super) fn serve(&mut self, now: Time, id: ConnId) {
        if self.try_serve(now, id).is_err() {
            self.lose(now, id);
        }
        self.watch(now, id);
    }

    fn try_serve(&mut self, now: Time, id: ConnId) -> io::Result<()> {
        let Some(conn) = self.conns.get_mut(id) else {
            return Ok(());
        };
        conn.flush(now)?;
        for _ in 0..SENDS {
            if !conn.named || !conn.writable || conn.staged {
                break;
            }
            if self.journal.as_mut().is_some_and(Journal::passes_over) {
                break;
            }
            self.plain.clear();
            match self.core.transmit(now, id, &mut self.plain, ROOM) {
                Transmit::Drained => conn.named = false,
                Transmit::More => {}
                Transmit::Close => {
                    conn.named = false;
                    conn.end(now);
                }
            }
            match &mut self.journal {
                // What came with changes waits until they are written.
                Some(journal) if self.core.journal_len() > 0 => {
                    if !self.plain.is_empty() {
                        conn.staged = true;
                        journal.stage(id, &self.plain);
                    }
                }
                _ => conn.send(now, &self.plain, &mut self.wire)?,
            }
        }
        self.conclude(now, id);
        Ok(())
    }

    /// After something was written for a connection: ends it, or lets it have another turn.
    pub(super) fn conclude(&mut self, now: Time, id: ConnId) {
        let Some(conn) = self.conns.get_mut(id) else {
            return;
        };
        if conn.staged {
            return;
        }
        if conn.closing && !conn.named && conn.is_flushed() {
            self.finish(now, id);
        } else if conn.named && conn.writable && !self.is_gated() {
            self.unfinished.push(id);
        }
    }

    fn shrink(&mut self) {
        for scratch in [&mut self.plain, &mut self.wire] {
            if scratch.capacity() > SCRATCH {
                *scratch = Vec::new();
            }
        }
    }
}
