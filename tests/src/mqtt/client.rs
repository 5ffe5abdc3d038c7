//! A connection over which a test sends bytes and sees every packet that comes back.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::answer::{self, Ack, Answer, Delivery};
use super::packet::{self, Connect, DISCONNECT, PINGREQ, Publish, Subscribe, Version};
use super::props::Props;

/// How long an answer may take. It is there to end a test that has failed; no test waits for it.
const PATIENCE: Duration = Duration::from_secs(30);
/// After so long without a packet there comes none.
const SILENCE: Duration = Duration::from_millis(100);

/// A bare MQTT client.
pub struct Client {
    stream: TcpStream,
    version: Version,
    bytes: Vec<u8>,
    /// The properties of the CONNACK.
    pub connack: Props,
    /// Session Present of the CONNACK.
    pub present: bool,
    next_id: u16,
}

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Without a word.
    Silent,
    /// After a CONNACK of this code.
    ConnAck(u8),
    /// After a DISCONNECT of this code.
    Disconnect(u8),
}

impl Client {
    /// A TCP connection without a CONNECT.
    pub fn open(address: SocketAddr, version: Version) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self {
            stream,
            version,
            bytes: Vec::new(),
            connack: Props::default(),
            present: false,
            next_id: 0,
        }
    }

    /// Connects, and is let in.
    pub fn connect(address: SocketAddr, connect: &Connect) -> Self {
        let mut client = Self::open(address, connect.version());
        client.send(connect.bytes());
        client.expect_connack();
        client
    }

    /// Sends a CONNECT and gives the answer: how the connection ends.
    pub fn refused(address: SocketAddr, connect: &Connect) -> End {
        let mut client = Self::open(address, connect.version());
        client.send(connect.bytes());
        client.end()
    }

    /// Takes the CONNACK that lets it in.
    pub fn expect_connack(&mut self) {
        match self.take() {
            Answer::ConnAck {
                present,
                code: 0,
                props,
            } => (self.connack, self.present) = (props, present),
            other => panic!("not let in: {other:?}"),
        }
    }

    /// Sends bytes. The broker may have closed: what it has said before that tells.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        match self.stream.write_all(bytes.as_ref()) {
            Ok(()) => {}
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::BrokenPipe | ErrorKind::ConnectionReset
                ) => {}
            Err(error) => panic!("cannot send: {error}"),
        }
    }

    /// The next packet, if one comes in time; None at the end of the stream.
    fn next(&mut self, patience: Duration) -> Result<Option<Answer>, Duration> {
        let until = Instant::now() + patience;
        loop {
            match answer::take(&mut self.bytes, self.version) {
                Ok(Some(answer)) => return Ok(Some(answer)),
                Ok(None) => {}
                Err(wrong) => panic!("{wrong}"),
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(patience);
            }
            self.stream.set_read_timeout(Some(left)).unwrap();
            let mut buffer = [0; 16 * 1024];
            match self.stream.read(&mut buffer) {
                Ok(0) => return Ok(None),
                Ok(count) => self.bytes.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(None),
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => panic!("cannot read: {error}"),
            }
        }
    }

    /// The next packet.
    #[track_caller]
    pub fn take(&mut self) -> Answer {
        match self.next(PATIENCE) {
            Ok(Some(answer)) => answer,
            Ok(None) => panic!("the broker has closed the connection"),
            Err(patience) => panic!("no packet within {patience:?}"),
        }
    }

    /// Waits for the end of the connection: nothing may come but one CONNACK or DISCONNECT.
    #[track_caller]
    pub fn end(&mut self) -> End {
        self.end_within(PATIENCE)
    }

    /// The same, with another limit.
    #[track_caller]
    pub fn end_within(&mut self, patience: Duration) -> End {
        let mut end = End::Silent;
        loop {
            match (self.next(patience), &end) {
                (Ok(None), _) => return end,
                (Ok(Some(Answer::ConnAck { code, .. })), End::Silent) if code != 0 => {
                    end = End::ConnAck(code);
                }
                (Ok(Some(Answer::Disconnect(code, _))), End::Silent) => end = End::Disconnect(code),
                (Ok(Some(other)), _) => panic!("{other:?} instead of the end"),
                (Err(patience), _) => panic!("still open after {patience:?}, {end:?}"),
            }
        }
    }

    /// Everything that comes until nothing comes any more, but for the answer to a PINGREQ, before
    /// which there is all that was under way; deliveries are not acknowledged.
    #[track_caller]
    pub fn rest(&mut self) -> Vec<Answer> {
        let mut found = self.ping();
        while let Ok(Some(answer)) = self.next(SILENCE) {
            found.push(answer);
        }
        found
    }

    /// Nothing comes, and the connection stands.
    #[track_caller]
    pub fn quiet(&mut self) {
        match self.next(SILENCE) {
            Err(_) => {}
            Ok(Some(answer)) => panic!("{answer:?} where nothing was to come"),
            Ok(None) => panic!("the broker has closed the connection"),
        }
    }

    /// A round trip of PINGREQ and PINGRESP; what came before it.
    #[track_caller]
    pub fn ping(&mut self) -> Vec<Answer> {
        self.send(PINGREQ);
        let mut before = Vec::new();
        loop {
            match self.take() {
                Answer::PingResp => return before,
                other => before.push(other),
            }
        }
    }

    /// A packet identifier that this client has not used yet.
    pub fn id(&mut self) -> u16 {
        self.next_id += 1;
        self.next_id
    }

    /// Subscribes to one filter; the code it got.
    #[track_caller]
    pub fn subscribe(&mut self, filter: &str, options: u8) -> u8 {
        let id = self.id();
        self.subscribe_with(Subscribe::new(id).to(filter, options), id)[0]
    }

    /// Sends this SUBSCRIBE; the codes it got.
    #[track_caller]
    pub fn subscribe_with(&mut self, subscribe: Subscribe, id: u16) -> Vec<u8> {
        self.send(subscribe.bytes(self.version));
        match self.take() {
            Answer::SubAck(found, codes, _) if found == id => codes,
            other => panic!("{other:?} instead of SUBACK {id}"),
        }
    }

    /// Unsubscribes; the codes it got.
    #[track_caller]
    pub fn unsubscribe(&mut self, filters: &[&str]) -> Vec<u8> {
        let id = self.id();
        self.send(packet::unsubscribe(self.version, id, filters));
        match self.take() {
            Answer::UnsubAck(found, codes, _) if found == id => codes,
            other => panic!("{other:?} instead of UNSUBACK {id}"),
        }
    }

    /// Publishes through all steps of the QoS; the code of the first acknowledgement.
    #[track_caller]
    pub fn publish(&mut self, publish: Publish, qos: u8) -> u8 {
        let id = if qos > 0 { self.id() } else { 0 };
        self.send(publish.qos(qos, id).bytes(self.version));
        match qos {
            0 => 0,
            1 => self.expect_ack(packet::PUBACK, id),
            _ => {
                let code = self.expect_ack(packet::PUBREC, id);
                if code < 0x80 {
                    self.send(packet::ack(packet::PUBREL, id));
                    assert_eq!(self.expect_ack(packet::PUBCOMP, id), 0);
                }
                code
            }
        }
    }

    /// Takes this acknowledgement; its code.
    #[track_caller]
    pub fn expect_ack(&mut self, first: u8, id: u16) -> u8 {
        match self.take() {
            Answer::Ack(Ack {
                first: found_first,
                id: found_id,
                code,
                ..
            }) if (found_first, found_id) == (first, id) => code,
            other => panic!("{other:?} instead of {first:02x} for {id}"),
        }
    }

    /// The next packet, which is a PUBLISH; it is not acknowledged.
    #[track_caller]
    pub fn delivery(&mut self) -> Delivery {
        match self.take() {
            Answer::Publish(delivery) => delivery,
            other => panic!("{other:?} instead of a PUBLISH"),
        }
    }

    /// The next PUBLISH, taken through all steps of its QoS.
    #[track_caller]
    pub fn receive(&mut self) -> Delivery {
        let delivery = self.delivery();
        match delivery.qos {
            0 => {}
            1 => self.send(packet::ack(packet::PUBACK, delivery.id)),
            _ => {
                self.send(packet::ack(packet::PUBREC, delivery.id));
                assert_eq!(self.expect_ack(packet::PUBREL, delivery.id), 0);
                self.send(packet::ack(packet::PUBCOMP, delivery.id));
            }
        }
        delivery
    }

    /// Leaves with a DISCONNECT, and waits until the broker has closed.
    #[track_caller]
    pub fn leave(mut self) {
        self.send(DISCONNECT);
        while let Ok(Some(_)) = self.next(PATIENCE) {}
    }

    /// Loses the connection, and waits until the broker has seen that.
    pub fn lose(mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
        while let Ok(Some(_)) = self.next(PATIENCE) {}
    }

    /// The socket below.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }
}
