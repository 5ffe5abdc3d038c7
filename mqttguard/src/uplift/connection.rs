//! One connection that was taken over: the device on one side, its server over TLS on the other.
//!
//! Bytes pass as they are. Each direction holds one read's worth and is not read again before that
//! has gone on, so that whoever reads slowly slows down who sends, and nothing piles up here. The
//! end of either direction is passed on as such.

use std::io::{self, Read as _, Write as _};
use std::net::Shutdown;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::net::TcpStream;
use mio::{Registry, Token};
use mqttguard_common::Mac;
use rustix::net::sockopt;
use rustls::ClientConfig;

use super::opening::Opening;
use super::origin::Origin;
use super::terms::Server;
use crate::upstream::link::{Input, Link, words};

/// Most that is read at once, and held in each direction. TLS holds as much again.
pub(super) const READ: usize = 16 * 1024;
/// How long a device may take for the first bytes of its CONNECT: it speaks first.
const OPENING: Duration = Duration::from_secs(10);
/// How long the server may take for TCP and TLS.
const CONNECTING: Duration = Duration::from_secs(10);
/// How long one direction may go on after the other has ended.
const HALF_CLOSED: Duration = Duration::from_secs(30);

/// One connection.
pub(super) struct Connection {
    pub(super) mac: Mac,
    pub(super) section: Arc<str>,
    pub(super) server: Arc<Server>,
    pub(super) origin: Origin,
    device: TcpStream,
    readable: bool,
    writable: bool,
    far: Far,
    out: Direction,
    inward: Direction,
    /// When it ends if nothing happens before.
    by: Option<Instant>,
}

/// The other side.
enum Far {
    /// The device has not said yet what it wants.
    None,
    Connecting(Link),
    Open(Link),
}

/// What goes one way.
#[derive(Default)]
struct Direction {
    held: Vec<u8>,
    /// Its sender has ended it.
    ended: bool,
    /// Its receiver was told so.
    closed: bool,
    /// Bytes that went since this was last asked for.
    passed: u64,
}

/// What a turn came to.
pub(super) enum Turn {
    /// Nothing can be done before something happens.
    Idle,
    /// There is more to do.
    Busy,
    /// It is MQTT: the server is wanted.
    Wanted,
    /// The server has proved who it is.
    Connected,
    /// It is over.
    Over(Ending),
}

/// How it ended.
pub(super) enum Ending {
    /// Both sides have said so, or the device is gone.
    Closed,
    /// It was not to be carried on; why, in words.
    Refused(String),
    /// The server was lost; why, in words.
    Lost(String),
}

impl Connection {
    /// Takes a connection over. Until it is [`closed`](Self::close) the poll tells of it by
    /// `token`.
    pub(super) fn new(
        mut device: TcpStream,
        mac: Mac,
        origin: Origin,
        (section, server): (Arc<str>, Arc<Server>),
        (registry, token): (&Registry, Token),
        now: Instant,
    ) -> io::Result<Connection> {
        let both = mio::Interest::READABLE | mio::Interest::WRITABLE;
        registry.register(&mut device, token, both)?;
        Ok(Connection {
            mac,
            section,
            server,
            origin,
            device,
            readable: false,
            writable: false,
            far: Far::None,
            out: Direction::default(),
            inward: Direction::default(),
            by: now.checked_add(OPENING),
        })
    }

    /// Begins to connect to the server: at the address that the device chose.
    pub(super) fn dial(
        &mut self,
        tls: &Arc<ClientConfig>,
        (registry, token): (&Registry, Token),
        now: Instant,
    ) -> Result<(), String> {
        let address = (self.origin.destination.ip(), self.server.port).into();
        let link = Link::open(address, Some(tls), &self.server.host, registry, token)?;
        self.far = Far::Connecting(link);
        self.by = now.checked_add(CONNECTING);
        Ok(())
    }

    /// The poll has something about the device.
    pub(super) fn device_event(&mut self, event: &Event) {
        self.readable |= event.is_readable() || event.is_read_closed() || event.is_error();
        self.writable |= event.is_writable() || event.is_error();
    }

    /// The poll has something about the server.
    pub(super) fn server_event(&mut self, event: &Event) {
        if let Far::Connecting(link) | Far::Open(link) = &mut self.far {
            link.event(event);
        }
    }

    /// When it wants a turn without an event.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.by
    }

    /// Bytes that went out and in since the last call.
    pub(super) fn take_passed(&mut self) -> (u64, u64) {
        let [out, inward] = [&mut self.out, &mut self.inward];
        (
            std::mem::take(&mut out.passed),
            std::mem::take(&mut inward.passed),
        )
    }

    /// Does once what there is to do. `scratch` is what is read into.
    pub(super) fn turn(&mut self, scratch: &mut [u8], now: Instant) -> Turn {
        let late = self.by.is_some_and(|by| by <= now);
        let turn = match &mut self.far {
            Far::None => self.listen(scratch),
            Far::Connecting(_) => self.connect(now),
            Far::Open(_) => self.exchange(scratch, now),
        };
        match turn {
            Ok(Turn::Idle | Turn::Busy) if late => Turn::Over(self.too_late()),
            Ok(turn) => turn,
            Err(ending) => Turn::Over(ending),
        }
    }

    fn too_late(&self) -> Ending {
        match self.far {
            Far::None => Ending::Refused(format!(
                "it did not begin with an MQTT CONNECT within {} s",
                OPENING.as_secs()
            )),
            Far::Connecting(_) => Ending::Refused("no answer in time".to_owned()),
            Far::Open(_) => Ending::Closed,
        }
    }

    /// Hears what the device begins with.
    fn listen(&mut self, scratch: &mut [u8]) -> Result<Turn, Ending> {
        if !self.read_device(scratch)? {
            return Ok(Turn::Idle);
        }
        match Opening::of(&self.out.held) {
            Opening::Connect => Ok(Turn::Wanted),
            // A device that looks whether the port is open is no news.
            Opening::Unfinished if self.out.ended => Err(Ending::Closed),
            Opening::Unfinished => Ok(Turn::Busy),
            Opening::Other => Err(Ending::Refused("it does not begin as MQTT does".to_owned())),
        }
    }

    fn connect(&mut self, now: Instant) -> Result<Turn, Ending> {
        let Far::Connecting(mut link) = std::mem::replace(&mut self.far, Far::None) else {
            return Ok(Turn::Idle);
        };
        let ca = self.server.ca.display().to_string();
        let established = link.establish(&self.server.host, &ca);
        match established {
            Ok(true) => {
                self.far = Far::Open(link);
                self.by = None;
                self.note_half_closed(now);
                Ok(Turn::Connected)
            }
            Ok(false) => {
                self.far = Far::Connecting(link);
                Ok(Turn::Idle)
            }
            Err(why) => {
                // Kept, so that it is deregistered.
                self.far = Far::Connecting(link);
                Err(Ending::Refused(why))
            }
        }
    }

    fn exchange(&mut self, scratch: &mut [u8], now: Instant) -> Result<Turn, Ending> {
        let mut busy = false;
        if self.out.held.is_empty() {
            busy |= self.read_device(scratch)?;
        }
        let moved = self.send_out().and_then(|sent| {
            let received = self.receive(scratch)?;
            Ok(sent || received)
        });
        match moved {
            Ok(moved) => busy |= moved,
            // A server that knows the end, or has ended, need not end well: what it said is on its
            // way to the device, and a reset could overtake it.
            Err(_) if self.out.closed || self.inward.closed => return Err(Ending::Closed),
            Err(error) => {
                let ca = self.server.ca.display().to_string();
                return Err(Ending::Lost(words(&error, &self.server.host, &ca)));
            }
        }
        busy |= self.send_in()?;
        if self.out.closed && self.inward.closed {
            return Err(Ending::Closed);
        }
        self.note_half_closed(now);
        Ok(match busy {
            true => Turn::Busy,
            false => Turn::Idle,
        })
    }

    fn note_half_closed(&mut self, now: Instant) {
        if (self.out.closed || self.inward.closed) && self.by.is_none() {
            self.by = now.checked_add(HALF_CLOSED);
        }
    }

    /// Reads once from the device. Whether there was anything, if only the end.
    fn read_device(&mut self, scratch: &mut [u8]) -> Result<bool, Ending> {
        if !self.readable || self.out.ended {
            return Ok(false);
        }
        match self.device.read(scratch) {
            Ok(0) => self.out.ended = true,
            Ok(found) => {
                let found = scratch.get(..found).unwrap_or_default();
                self.out.held.extend_from_slice(found);
            }
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => {
                    self.readable = false;
                    return Ok(false);
                }
                io::ErrorKind::Interrupted => {}
                _ => return Err(Ending::Closed),
            },
        }
        Ok(true)
    }

    /// Sends on what the device has said, and its end. Whether anything went.
    fn send_out(&mut self) -> io::Result<bool> {
        let (Far::Open(link), out) = (&mut self.far, &mut self.out) else {
            return Ok(false);
        };
        if out.closed {
            return Ok(false);
        }
        let before = out.held.len();
        let wrote = link.write(&mut out.held)?;
        let went = before.saturating_sub(out.held.len());
        out.passed = out.passed.saturating_add(count(went));
        if out.ended && out.held.is_empty() {
            out.closed = link.finish()?;
        }
        Ok(wrote || out.closed)
    }

    /// Reads once from the server, unless the device is behind. Whether there was anything.
    fn receive(&mut self, scratch: &mut [u8]) -> io::Result<bool> {
        let (Far::Open(link), inward) = (&mut self.far, &mut self.inward) else {
            return Ok(false);
        };
        if inward.ended || !inward.held.is_empty() || !link.is_readable() {
            return Ok(false);
        }
        match link.read(scratch)? {
            Input::Some(found) => {
                let found = scratch.get(..found).unwrap_or_default();
                inward.held.extend_from_slice(found);
                Ok(true)
            }
            Input::Nothing => Ok(false),
            Input::End => {
                inward.ended = true;
                Ok(true)
            }
        }
    }

    /// Sends the device what its server has said, and its end. Whether anything went.
    fn send_in(&mut self) -> Result<bool, Ending> {
        let inward = &mut self.inward;
        let mut sent = 0usize;
        while self.writable && sent < inward.held.len() {
            let rest = inward.held.get(sent..).unwrap_or_default();
            match self.device.write(rest) {
                Ok(wrote) => sent = sent.saturating_add(wrote),
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => self.writable = false,
                    io::ErrorKind::Interrupted => {}
                    _ => return Err(Ending::Closed),
                },
            }
        }
        inward.passed = inward.passed.saturating_add(count(sent));
        if sent == inward.held.len() {
            // An idle connection holds nothing.
            inward.held = Vec::new();
        } else {
            inward.held.drain(..sent);
        }
        if inward.ended && inward.held.is_empty() && !inward.closed {
            inward.closed = true;
            // A device that is gone already needs not be told.
            let _ = self.device.shutdown(Shutdown::Write);
            return Ok(true);
        }
        Ok(sent > 0)
    }

    /// Closes both sides; the device's with a reset, if it is to know that this is no good end.
    pub(super) fn close(mut self, registry: &Registry, reset: bool) {
        if reset {
            reset_on_close(&self.device);
        }
        let _ = registry.deregister(&mut self.device);
        if let Far::Connecting(link) | Far::Open(link) = self.far {
            link.close(registry, &mut Vec::new());
        }
    }
}

/// Has the connection end with a reset when it is dropped.
pub(super) fn reset_on_close(stream: &TcpStream) {
    // If this fails, it ends with a FIN: the device is as wise soon after.
    let _ = sockopt::set_socket_linger(stream, Some(Duration::ZERO));
}

fn count(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
