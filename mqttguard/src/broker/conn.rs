//! One connection: its socket, its TLS, and what it could not take yet.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use mio::net::TcpStream;
use mqttguard_broker::{ConnId, Time, Version};
use mqttguard_common::Mac;
use rustls_pki_types::CertificateDer;
use zeroize::Zeroize;

use super::login::scram::Exchange;
use super::peers::Origin;
use super::tls::{Received, Session};
use super::websocket::{self, WebSocket};
use crate::config::ListenerKind;

/// Bytes read at once from a client that is let in; a multiple of what most clients send in a
/// burst.
pub(super) const READ: usize = 64 * 1024;
/// Bytes read at once from anybody else: the core may have to keep what comes after a CONNECT
/// until it is decided on.
pub(super) const READ_STRANGER: usize = 4 * 1024;
/// Bytes asked from the core at once, which is also about the most that waits here for a
/// client's socket.
pub(super) const ROOM: usize = 64 * 1024;

/// A client that takes nothing for this long, while something waits for it, is gone.
const STALLED: Duration = Duration::from_secs(30);
/// How long the last words to a client may take.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Who the client is that was let in.
pub(super) struct Login {
    pub(super) identity: Arc<str>,
    pub(super) client_id: Arc<str>,
    pub(super) version: Version,
    pub(super) since: Time,
}

/// Whether the core wants the client read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    Wanted,
    /// Not before the core names the connection.
    UntilNamed,
    /// Not before this time.
    Until(Time),
    /// Never again.
    Done,
}

/// A connection.
pub(super) struct Conn {
    pub(super) id: ConnId,
    stream: TcpStream,
    tls: Option<Session>,
    /// What MQTT is wrapped in within TLS, if in anything.
    websocket: Option<Box<WebSocket>>,
    pub(super) peer: IpAddr,
    /// Whom it is put down to, over its whole life.
    pub(super) origin: Origin,
    pub(super) listener: Arc<str>,
    pub(super) kind: ListenerKind,
    pub(super) mac: Option<Mac>,
    pub(super) login: Option<Box<Login>>,
    /// Tells the password that it came in by from others; None if it came in otherwise.
    pub(super) secret: Option<u64>,
    /// Serial number of its certificate, if the router's own client CA has issued it.
    pub(super) serial: Option<String>,
    /// Until when it waits for the registry to have what it was paired with.
    pub(super) pairing: Option<Time>,
    /// Enhanced authentication between two of its steps.
    pub(super) exchange: Option<Box<Exchange>>,
    /// When what the client has proven itself with expires, and when that is looked at next.
    pub(super) expires: Option<SystemTime>,
    pub(super) until: Option<Time>,
    pub(super) reading: Reading,
    /// The socket may have bytes.
    pub(super) readable: bool,
    /// The peer has sent its FIN: reads go on until they find it.
    pub(super) read_closed: bool,
    /// The socket may take bytes.
    pub(super) writable: bool,
    /// Whether the connection stands in the queue of those to be read.
    pub(super) queued: bool,
    /// Whether the core has something to say.
    pub(super) named: bool,
    /// Whether something for it waits for the journal.
    pub(super) staged: bool,
    /// Whether it ends once what waits is written.
    pub(super) closing: bool,
    /// What its buffers were last counted for.
    pub(super) counted: u64,
    waiting: Vec<u8>,
    blocked_since: Option<Time>,
    close_by: Option<Time>,
}

/// What a read found.
pub(super) enum Input {
    /// Something, handed on.
    Some,
    /// Nothing now.
    Nothing,
    /// The end.
    End,
    /// The end, after a goodbye that was answered.
    Goodbye,
    /// TLS that is none.
    BadTls(rustls::Error),
    /// A WebSocket that is none, and why.
    BadWebSocket(String),
}

fn of_tls(received: Result<Received, rustls::Error>) -> Input {
    match received {
        Ok(Received::Taken) => Input::Some,
        Ok(Received::Closed) => Input::End,
        Err(error) => Input::BadTls(error),
    }
}

impl Conn {
    pub(super) fn new(
        id: ConnId,
        stream: TcpStream,
        (tls, websocket): (Option<Session>, Option<Box<WebSocket>>),
        peer: (IpAddr, Option<Mac>),
        (listener, kind): (Arc<str>, ListenerKind),
    ) -> Conn {
        let (peer, mac) = peer;
        Conn {
            id,
            stream,
            kind,
            tls,
            websocket,
            peer,
            origin: Origin::of(peer, mac),
            listener,
            mac,
            login: None,
            secret: None,
            serial: None,
            pairing: None,
            exchange: None,
            expires: None,
            until: None,
            reading: Reading::Wanted,
            readable: true,
            read_closed: false,
            writable: true,
            queued: false,
            named: false,
            staged: false,
            closing: false,
            counted: 0,
            waiting: Vec::new(),
            blocked_since: None,
            close_by: None,
        }
    }

    pub(super) fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// The certificates that the client has shown, its own first.
    pub(super) fn certificates(&self) -> Option<&[CertificateDer<'static>]> {
        self.tls.as_ref()?.certificates()
    }

    /// Whether its TLS is not yet there.
    pub(super) fn is_handshaking(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| !tls.is_established())
    }

    /// Whether its TLS goes on with the secrets and certificates of an earlier session.
    pub(super) fn is_resumed(&self) -> bool {
        self.tls.as_ref().is_some_and(Session::is_resumed)
    }

    /// Whether a read makes sense now.
    pub(super) fn wants_read(&self) -> bool {
        self.readable && self.reading == Reading::Wanted
    }

    /// Bytes that it takes, what the socket has not taken and the unfinished TLS record included.
    pub(super) fn buffers(&self) -> u64 {
        let partial = self.tls.as_ref().map_or(0, Session::kept);
        let bytes = size_of::<Conn>().saturating_add(self.waiting.capacity());
        bytes.saturating_add(partial) as u64
    }

    /// Whether nothing waits for the socket.
    pub(super) fn is_flushed(&self) -> bool {
        self.waiting.is_empty() && !self.staged
    }

    /// Reads once and hands plaintext to `deliver`. `input` and `wire` are scratch.
    pub(super) fn read(
        &mut self,
        now: Time,
        input: &mut [u8],
        wire: &mut Vec<u8>,
        mut deliver: impl FnMut(&[u8]),
    ) -> io::Result<Input> {
        let kept = match &mut self.tls {
            Some(tls) => tls.restore(input),
            None => 0,
        };
        let most = match self.login {
            Some(_) => READ,
            None => READ_STRANGER,
        };
        let room = input
            .get_mut(kept..kept.saturating_add(most))
            .ok_or(io::ErrorKind::OutOfMemory)?;
        let found = match self.stream.read(room) {
            Ok(found) => found,
            Err(error) => {
                if let Some(tls) = &mut self.tls {
                    tls.keep(input.get(..kept).unwrap_or_default());
                }
                return match error.kind() {
                    io::ErrorKind::WouldBlock => {
                        self.readable = false;
                        Ok(Input::Nothing)
                    }
                    io::ErrorKind::Interrupted => Ok(Input::Nothing),
                    _ => Err(error),
                };
            }
        };
        if found == 0 {
            return Ok(Input::End);
        }
        // A short read has emptied the socket: epoll(7), question 9. Unless the FIN is behind.
        if found < most && !self.read_closed {
            self.readable = false;
        }
        let input = input
            .get_mut(..kept.saturating_add(found))
            .unwrap_or_default();
        let Some(tls) = &mut self.tls else {
            deliver(input);
            self.wipe(input);
            return Ok(Input::Some);
        };
        wire.clear();
        let Some(websocket) = &mut self.websocket else {
            let received = tls.receive(input, wire, deliver);
            self.wipe(input);
            self.write(now, wire)?;
            return Ok(of_tls(received));
        };
        let mut reply = Vec::new();
        let mut unwrapped = websocket::Received::Taken;
        let received = tls.receive(input, wire, |plain| {
            if unwrapped == websocket::Received::Taken {
                unwrapped = websocket.receive(plain, &mut reply, &mut deliver);
            }
        });
        // Answers to pings do not pile up before a client that reads nothing.
        let is_last = unwrapped != websocket::Received::Taken;
        if tls.is_established() && (self.waiting.is_empty() || is_last) {
            tls.encrypt(&reply, wire).map_err(io::Error::other)?;
        }
        self.wipe(input);
        self.write(now, wire)?;
        Ok(match unwrapped {
            websocket::Received::Taken => of_tls(received),
            websocket::Received::Closed => Input::Goodbye,
            websocket::Received::Broken(why) => Input::BadWebSocket(why),
        })
    }

    /// Leaves no password in the shared buffer (TLS is decrypted in place there).
    fn wipe(&self, input: &mut [u8]) {
        if self.login.is_none() {
            input.zeroize();
        }
    }

    /// Sends what the core gave. What the socket does not take waits.
    pub(super) fn send(&mut self, now: Time, plain: &[u8], wire: &mut Vec<u8>) -> io::Result<()> {
        match &mut self.tls {
            None => self.write(now, plain),
            Some(tls) if tls.is_established() => {
                wire.clear();
                let encrypted = match &self.websocket {
                    None => tls.encrypt(plain, wire),
                    Some(websocket) => {
                        let mut frames = Vec::new();
                        websocket.send(plain, &mut frames);
                        if frames.is_empty() {
                            return Ok(());
                        }
                        tls.encrypt(&frames, wire)
                    }
                };
                encrypted.map_err(io::Error::other)?;
                self.write(now, wire)
            }
            // No words are possible before the handshake is done.
            Some(_) => Ok(()),
        }
    }

    /// Writes what waits. True once nothing does.
    pub(super) fn flush(&mut self, now: Time) -> io::Result<bool> {
        if self.waiting.is_empty() {
            return Ok(true);
        }
        let waiting = std::mem::take(&mut self.waiting);
        self.write(now, &waiting)?;
        Ok(self.waiting.is_empty())
    }

    fn write(&mut self, now: Time, mut bytes: &[u8]) -> io::Result<()> {
        if self.waiting.is_empty() {
            while self.writable && !bytes.is_empty() {
                match self.stream.write(bytes) {
                    Ok(written) => {
                        self.blocked_since = None;
                        // A short write has filled the socket.
                        self.writable = written >= bytes.len();
                        bytes = bytes.get(written..).unwrap_or_default();
                    }
                    Err(error) => match error.kind() {
                        io::ErrorKind::WouldBlock => self.writable = false,
                        io::ErrorKind::Interrupted => {}
                        _ => return Err(error),
                    },
                }
            }
        }
        if !bytes.is_empty() {
            self.blocked_since.get_or_insert(now);
            self.waiting.extend_from_slice(bytes);
        }
        Ok(())
    }

    /// From now on the connection only ends.
    pub(super) fn end(&mut self, now: Time) {
        self.closing = true;
        self.reading = Reading::Done;
        self.hurry(now);
    }

    /// Leaves the connection a moment for its last words.
    pub(super) fn hurry(&mut self, now: Time) {
        self.close_by.get_or_insert(now + LAST_WORDS);
    }

    /// When the connection is given up if nothing changes.
    pub(super) fn give_up_at(&self) -> Option<Time> {
        let stalled = self.blocked_since.map(|since| since + STALLED);
        [stalled, self.close_by].into_iter().flatten().min()
    }

    /// Says goodbye and sends the FIN. The socket is to be closed a little later: closed at
    /// once, with unread bytes in it, it would send a reset that overtakes the goodbye.
    pub(super) fn finish(mut self, now: Time, wire: &mut Vec<u8>) -> TcpStream {
        if let Some(tls) = &mut self.tls
            && tls.is_established()
        {
            wire.clear();
            if let Some(websocket) = &mut self.websocket {
                let mut frames = Vec::new();
                websocket.close(&mut frames);
                // A client to whom this cannot be said finds out by the FIN.
                let _ = tls.encrypt(&frames, wire);
            }
            tls.close(wire);
            let _ = self.write(now, wire);
        }
        let _ = self.stream.shutdown(Shutdown::Write);
        self.stream
    }
}
