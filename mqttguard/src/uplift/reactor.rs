//! All connections, on one thread.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::unix::SourceFd;
use mio::{Interest, Poll, Token, Waker};
use mqttguard_common::Mac;

use super::connection::{Connection, Ending, READ, Turn, reset_on_close};
use super::device::Device;
use super::listen::{SOCKETS, Sockets};
use super::origin::{Origin, origin};
use super::terms::Terms;
use super::watch::Watch;
use super::{Command, Resolve, UpliftEvent, UpliftStats};
use crate::config::Uplift;
use crate::outlet::Outlet;
use crate::text::clip;

const WAKER: Token = Token(0);
const WATCH: Token = Token(1);
const LISTEN: Token = Token(2);
/// A connection has two tokens: of its device, and the next one of its server.
const FIRST: usize = LISTEN.0 + SOCKETS;

/// Connections of all devices together. Each takes two descriptors and, while TLS is idle, some
/// tens of kilobytes.
const CONNECTIONS: usize = 128;
/// Connections accepted from one socket before others have their turn.
const AT_ONCE: usize = 16;
/// Turns that a connection has before others have theirs.
const TURNS: usize = 4;
/// How long accepting rests when it fails, most likely for want of file descriptors.
const REST: Duration = Duration::from_millis(250);
/// How soon to try again to say what has to be said and found no room.
const UNTOLD: Duration = Duration::from_millis(5);

pub(super) struct Reactor {
    poll: Poll,
    sockets: Sockets,
    watch: Watch,
    commands: Receiver<Command>,
    resolve: Box<Resolve>,
    events: Outlet<UpliftEvent>,
    terms: Vec<Terms>,
    /// Devices that are not served, though they are in a section.
    barred: BTreeSet<Mac>,
    devices: BTreeMap<Mac, Device>,
    /// By number; a token is made of it.
    connections: Vec<Option<Connection>>,
    /// Connections that have more to do.
    busy: BTreeSet<usize>,
    /// Connections may wait to be accepted.
    waiting: bool,
    rest_until: Option<Instant>,
    /// Our rules were taken away, which is still to be told.
    rules_lost: bool,
    strangers: u64,
    events_lost: u64,
    stopped: bool,
    scratch: Vec<u8>,
}

impl Reactor {
    pub(super) fn new(
        resolve: Box<Resolve>,
        events: Outlet<UpliftEvent>,
        commands: Receiver<Command>,
    ) -> io::Result<(Reactor, Arc<Waker>)> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let mut sockets = Sockets::open()?;
        sockets.register(poll.registry(), LISTEN)?;
        let watch = Watch::open()?;
        poll.registry()
            .register(&mut SourceFd(&watch.fd()), WATCH, Interest::READABLE)?;
        let reactor = Reactor {
            poll,
            sockets,
            watch,
            commands,
            resolve,
            events,
            terms: Vec::new(),
            barred: BTreeSet::new(),
            devices: BTreeMap::new(),
            connections: Vec::new(),
            busy: BTreeSet::new(),
            waiting: false,
            rest_until: None,
            rules_lost: false,
            strangers: 0,
            events_lost: 0,
            stopped: false,
            scratch: vec![0; READ],
        };
        Ok((reactor, waker))
    }

    pub(super) fn port(&self) -> u16 {
        self.sockets.port()
    }

    /// Works until it is told to stop.
    pub(super) fn run(&mut self) {
        let mut events = mio::Events::with_capacity(256);
        while !self.stopped {
            let timeout = self.timeout();
            match self.poll.poll(&mut events, timeout) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    log::error!("uplift stops: poll: {error}");
                    break;
                }
            }
            for event in &events {
                match event.token() {
                    WAKER => self.take_commands(),
                    WATCH => self.read_watch(),
                    Token(token) if token < FIRST => self.waiting = true,
                    Token(token) => self.connection_event(token.saturating_sub(FIRST), event),
                }
            }
            if self.rules_lost && self.events.try_send(UpliftEvent::RulesLost).is_ok() {
                self.rules_lost = false;
            }
            let now = Instant::now();
            self.accept(now);
            self.serve_all(now);
        }
        for number in 0..self.connections.len() {
            self.cut(number);
        }
    }

    fn timeout(&self) -> Option<Duration> {
        if !self.busy.is_empty() || (self.waiting && self.rest_until.is_none()) {
            return Some(Duration::ZERO);
        }
        let all = self.connections.iter().flatten();
        let first = all.filter_map(Connection::deadline).chain(self.rest_until);
        let wait = first
            .min()
            .map(|first| first.saturating_duration_since(Instant::now()));
        if self.rules_lost {
            return Some(wait.map_or(UNTOLD, |wait| wait.min(UNTOLD)));
        }
        // The poll counts whole milliseconds: no turn is for nothing.
        wait.map(|wait| wait.saturating_add(Duration::from_millis(1)))
    }

    fn take_commands(&mut self) {
        while let Ok(command) = self.commands.try_recv() {
            match command {
                Command::Sections(sections, barred) => self.set_sections(sections, barred),
                Command::Stats(reply) => {
                    // Whoever asked may have stopped waiting.
                    let _ = reply.try_send(self.stats());
                }
                Command::Stop => self.stopped = true,
            }
        }
    }

    fn set_sections(&mut self, sections: Vec<Uplift>, barred: BTreeSet<Mac>) {
        self.terms = Terms::of(sections, std::mem::take(&mut self.terms));
        self.barred = barred;
        let stays = |connection: &Connection| {
            let terms = self.terms_of(connection.mac);
            terms.is_some_and(|terms| terms.server == connection.server)
        };
        let numbered = self.connections.iter().enumerate();
        let gone: Vec<usize> = numbered
            .filter(|(_, held)| held.as_ref().is_some_and(|held| !stays(held)))
            .map(|(number, _)| number)
            .collect();
        for number in gone {
            self.cut(number);
        }
        let mut known = std::mem::take(&mut self.devices);
        for terms in &self.terms {
            for mac in terms.macs() {
                let mut device = known.remove(mac).unwrap_or_default();
                device.stats.section = terms.section.to_string();
                self.devices.insert(*mac, device);
            }
        }
    }

    /// The terms that hold for a device; None if it is not to be served.
    fn terms_of(&self, mac: Mac) -> Option<&Terms> {
        let served = !self.barred.contains(&mac);
        let mut all = self.terms.iter();
        served
            .then(|| all.find(|terms| terms.covers(mac)))
            .flatten()
    }

    fn stats(&self) -> UpliftStats {
        let devices = self.devices.iter();
        UpliftStats {
            devices: devices
                .map(|(mac, device)| (*mac, device.stats.clone()))
                .collect(),
            strangers: self.strangers,
            events_lost: self.events_lost,
        }
    }

    fn read_watch(&mut self) {
        loop {
            let (lost, more) = self.watch.read();
            self.rules_lost |= lost;
            if !more {
                return;
            }
        }
    }

    fn connection_event(&mut self, token: usize, event: &mio::event::Event) {
        let (number, is_device) = (token / 2, token.is_multiple_of(2));
        // An event of a connection that is gone does the one in its place no harm: it finds that
        // there is nothing.
        if let Some(Some(connection)) = self.connections.get_mut(number) {
            match is_device {
                true => connection.device_event(event),
                false => connection.server_event(event),
            }
            self.busy.insert(number);
        }
    }

    fn accept(&mut self, now: Instant) {
        if self.rest_until.is_some_and(|until| until <= now) {
            self.rest_until = None;
        }
        if !self.waiting || self.rest_until.is_some() {
            return;
        }
        self.waiting = false;
        for place in 0..SOCKETS {
            for turn in 0..AT_ONCE {
                match self.sockets.accept(place) {
                    Ok(Some(stream)) => self.accepted(stream, now),
                    Ok(None) => break,
                    Err(error) => {
                        log::debug!("uplift: cannot accept: {error}");
                        self.rest_until = now.checked_add(REST);
                        self.waiting = true;
                        return;
                    }
                }
                self.waiting |= turn.saturating_add(1) == AT_ONCE;
            }
        }
    }

    /// Takes a connection over if it is of a device that is served, and was redirected.
    fn accepted(&mut self, stream: TcpStream, now: Instant) {
        let origin = origin(&stream).ok().flatten();
        let mac = origin.and_then(|origin| (self.resolve)(origin.device));
        let terms = mac.and_then(|mac| self.terms_of(mac));
        let (Some(origin), Some(mac), Some(terms)) = (origin, mac, terms) else {
            self.strangers = self.strangers.saturating_add(1);
            reset_on_close(&stream);
            return;
        };
        let whose = (Arc::clone(&terms.section), Arc::clone(&terms.server));
        if let Err(why) = self.admit(mac, now) {
            self.refused(mac, origin, &whose, &why);
            reset_on_close(&stream);
            return;
        }
        let number = self.free_number();
        let place = (self.poll.registry(), Token(device_token(number)));
        let made = Connection::new(stream, mac, origin, whose.clone(), place, now);
        match (made, self.connections.get_mut(number)) {
            (Ok(connection), Some(free)) => {
                *free = Some(connection);
                self.busy.insert(number);
            }
            (made, _) => {
                let why = made.err().map(|error| error.to_string());
                self.release(mac);
                self.refused(mac, origin, &whose, &why.unwrap_or_default());
            }
        }
    }

    fn admit(&mut self, mac: Mac, now: Instant) -> Result<(), String> {
        let open = self.connections.iter().flatten().count();
        if open >= CONNECTIONS {
            return Err(format!(
                "there are {CONNECTIONS} connections already, the most for all devices"
            ));
        }
        self.devices.entry(mac).or_default().admit(now)
    }

    fn release(&mut self, mac: Mac) {
        if let Some(device) = self.devices.get_mut(&mac) {
            device.release();
        }
    }

    fn free_number(&mut self) -> usize {
        let free = self.connections.iter().position(Option::is_none);
        free.unwrap_or_else(|| {
            self.connections.push(None);
            self.connections.len().saturating_sub(1)
        })
    }

    /// Serves who has something to do, and whose time is up.
    fn serve_all(&mut self, now: Instant) {
        for (number, connection) in self.connections.iter().enumerate() {
            let deadline = connection.as_ref().and_then(Connection::deadline);
            if deadline.is_some_and(|deadline| deadline <= now) {
                self.busy.insert(number);
            }
        }
        for number in std::mem::take(&mut self.busy) {
            self.serve(number, now);
        }
    }

    fn serve(&mut self, number: usize, now: Instant) {
        for _ in 0..TURNS {
            let Some(Some(connection)) = self.connections.get_mut(number) else {
                return;
            };
            let turn = connection.turn(&mut self.scratch, now);
            let (out, inward) = connection.take_passed();
            let (mac, origin) = (connection.mac, connection.origin);
            let whose = (
                Arc::clone(&connection.section),
                Arc::clone(&connection.server),
            );
            if let Some(device) = self.devices.get_mut(&mac) {
                let stats = &mut device.stats;
                stats.bytes_out = stats.bytes_out.saturating_add(out);
                stats.bytes_in = stats.bytes_in.saturating_add(inward);
            }
            match turn {
                Turn::Idle => return,
                Turn::Busy => {}
                Turn::Wanted => {
                    if let Err(why) = self.dial(number, now) {
                        self.refused(mac, origin, &whose, &why);
                        self.cut(number);
                        return;
                    }
                }
                Turn::Connected => self.connected(mac, origin, &whose),
                Turn::Over(ending) => {
                    let good = matches!(ending, Ending::Closed);
                    match ending {
                        Ending::Closed => {}
                        Ending::Refused(why) => self.refused(mac, origin, &whose, &why),
                        Ending::Lost(why) => {
                            log::debug!("uplift: {mac}: {}: {why}", server_name(&whose));
                        }
                    }
                    self.end(number, !good);
                    return;
                }
            }
        }
        self.busy.insert(number);
    }

    fn dial(&mut self, number: usize, now: Instant) -> Result<(), String> {
        let Some(Some(connection)) = self.connections.get_mut(number) else {
            return Ok(());
        };
        let mut all = self.terms.iter_mut();
        let terms = all.find(|terms| terms.covers(connection.mac));
        let tls = terms.ok_or("it is in no section")?.tls()?;
        let token = Token(device_token(number).saturating_add(1));
        connection.dial(&tls, (self.poll.registry(), token), now)
    }

    fn connected(&mut self, mac: Mac, origin: Origin, whose: &Whose) {
        if let Some(device) = self.devices.get_mut(&mac) {
            device.stats.connections = device.stats.connections.saturating_add(1);
            device.stats.last_error = None;
        }
        self.tell_connection(mac, origin, whose, None);
    }

    fn refused(&mut self, mac: Mac, origin: Origin, whose: &Whose, why: &str) {
        // A library's words about a certificate may be those of a stranger.
        let why = clip(why).into_owned();
        if let Some(device) = self.devices.get_mut(&mac) {
            device.stats.refused = device.stats.refused.saturating_add(1);
            device.stats.last_error = Some(why.clone());
        }
        self.tell_connection(mac, origin, whose, Some(why));
    }

    fn tell_connection(
        &mut self,
        mac: Mac,
        origin: Origin,
        whose: &Whose,
        refused: Option<String>,
    ) {
        self.tell(UpliftEvent::Connection {
            mac,
            section: Arc::clone(&whose.0),
            destination: origin.destination,
            server: server_name(whose),
            refused,
        });
    }

    fn tell(&mut self, event: UpliftEvent) {
        if self.events.try_send(event).is_err() {
            self.events_lost = self.events_lost.saturating_add(1);
        }
    }

    /// Ends a connection that is not to go on.
    fn cut(&mut self, number: usize) {
        self.end(number, true);
    }

    fn end(&mut self, number: usize, reset: bool) {
        let held = self.connections.get_mut(number).and_then(Option::take);
        if let Some(connection) = held {
            self.release(connection.mac);
            connection.close(self.poll.registry(), reset);
        }
        self.busy.remove(&number);
    }
}

type Whose = (Arc<str>, Arc<super::terms::Server>);

fn server_name(whose: &Whose) -> String {
    let (host, port) = (&whose.1.host, whose.1.port);
    match host.contains(':') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    }
}

fn device_token(number: usize) -> usize {
    FIRST.saturating_add(number.saturating_mul(2))
}
