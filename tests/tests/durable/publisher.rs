//! A client that publishes numbers at QoS 2, keeps its session, and goes on where it was after a
//! connection has broken (MQTT 3.1.1 section 4.4).

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Messages in flight.
const WINDOW: usize = 10;
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Publisher {
    /// Messages that may be sent so far.
    allowed: Arc<AtomicUsize>,
    all: usize,
    thread: JoinHandle<u32>,
}

impl Publisher {
    pub(super) fn start(address: SocketAddr, all: usize) -> Publisher {
        let allowed = Arc::new(AtomicUsize::new(all / 20));
        let state = State {
            address,
            allowed: Arc::clone(&allowed),
            all,
            next: 0,
            in_flight: VecDeque::new(),
        };
        Publisher {
            allowed,
            all,
            thread: thread::spawn(move || state.run()),
        }
    }

    pub(super) fn go_on(&self, allowed: usize) {
        self.allowed.store(allowed, Ordering::Relaxed);
    }

    /// How often the connection broke.
    pub(super) fn finish(self) -> u32 {
        self.go_on(self.all);
        self.thread.join().unwrap()
    }
}

struct State {
    address: SocketAddr,
    allowed: Arc<AtomicUsize>,
    all: usize,
    next: usize,
    /// Packet identifier, number, and whether PUBREC has come.
    in_flight: VecDeque<(u16, usize, bool)>,
}

impl State {
    fn run(mut self) -> u32 {
        let end = Instant::now() + PATIENCE;
        let mut broken = 0;
        while self.next < self.all || !self.in_flight.is_empty() {
            assert!(Instant::now() < end, "stuck at {}", self.next);
            if self.connection(end).is_err() {
                broken += 1;
                thread::sleep(Duration::from_millis(20));
            }
        }
        broken
    }

    fn connection(&mut self, end: Instant) -> std::io::Result<()> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(Duration::from_millis(20)))?;
        stream.set_nodelay(true)?;
        stream.write_all(b"\x10\x0F\0\x04MQTT\x04\0\0\0\0\x03pub")?;
        let mut connack = [0; 4];
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.read_exact(&mut connack)?;
        stream.set_read_timeout(Some(Duration::from_millis(20)))?;
        assert_eq!(connack[..2], [0x20, 2]);
        if connack[2] == 0 {
            // A new session: nothing of it can be in flight.
            assert!(self.next == 0, "the session is gone after {}", self.next);
        }
        let again: Vec<u8> = self
            .in_flight
            .iter()
            .flat_map(|&(id, number, received)| match received {
                true => ack(0x62, id),
                false => publish(id, number, true),
            })
            .collect();
        stream.write_all(&again)?;
        let mut bytes = Vec::new();
        while self.next < self.all || !self.in_flight.is_empty() {
            assert!(Instant::now() < end, "stuck at {}", self.next);
            let allowed = self.allowed.load(Ordering::Relaxed).min(self.all);
            while self.next < allowed && self.in_flight.len() < WINDOW {
                let id = (self.next % 60_000 + 1) as u16;
                self.in_flight.push_back((id, self.next, false));
                let number = self.next;
                self.next += 1;
                stream.write_all(&publish(id, number, false))?;
            }
            let mut piece = [0; 4096];
            match stream.read(&mut piece) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(len) => bytes.extend_from_slice(&piece[..len]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            while bytes.len() >= 4 {
                let packet: Vec<u8> = bytes.drain(..4).collect();
                let id = u16::from_be_bytes([packet[2], packet[3]]);
                let place = self.in_flight.iter().position(|entry| entry.0 == id);
                match (packet[0], place) {
                    (0x50, Some(place)) => {
                        self.in_flight[place].2 = true;
                        stream.write_all(&ack(0x62, id))?;
                    }
                    (0x70, Some(place)) => {
                        self.in_flight.remove(place);
                    }
                    other => panic!("{other:02x?}"),
                }
            }
        }
        Ok(())
    }
}

fn ack(first: u8, id: u16) -> Vec<u8> {
    [&[first, 2][..], &id.to_be_bytes()].concat()
}

fn publish(id: u16, number: usize, again: bool) -> Vec<u8> {
    let payload = number.to_string();
    let first = if again { 0x3C } else { 0x34 };
    let mut packet = vec![first, 7 + payload.len() as u8, 0, 3, b't', b'/', b'x'];
    packet.extend(id.to_be_bytes());
    packet.extend(payload.as_bytes());
    packet
}
