//! One connection to the bus, on a descriptor that can be polled along with others.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use ubus::client::UbusClient;
use ubus::envelope::{EnvBuilder, UbusAttr, find};
use ubus::wire::Frame;
use ubus::{MsgType, Transport, UbusError};

use super::Status;
use super::blobmsg::{self, BlobError};
use super::socket::Socket;

pub(crate) use super::socket::BUS_TIMEOUT;

/// The object behind which ubusd keeps events: `UBUS_SYSTEM_OBJECT_EVENT`.
const EVENT_OBJECT: u32 = 1;

/// Why something did not work on the bus.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BusError {
    /// No connection.
    #[error("cannot connect to {}: {error}", socket.display())]
    Connect { socket: PathBuf, error: io::Error },
    /// The connection broke or was closed.
    #[error("the bus closed the connection")]
    Closed,
    /// No answer in time.
    #[error("no answer in time")]
    Timeout,
    /// An answer that says no; text where the other side sent one.
    #[error("{}", message.clone().unwrap_or_else(|| status.to_string()))]
    Refused {
        status: Status,
        message: Option<String>,
        /// All that it sent.
        data: Map<String, Value>,
    },
    /// The other side does not speak the protocol.
    #[error("{0}")]
    Malformed(String),
    /// The message does not fit.
    #[error(transparent)]
    Blob(#[from] BlobError),
}

impl From<UbusError> for BusError {
    fn from(error: UbusError) -> Self {
        match error {
            UbusError::Closed | UbusError::Io(_) => BusError::Closed,
            UbusError::Timeout(_) => BusError::Timeout,
            UbusError::Status(code) => BusError::Refused {
                status: Status::from_code(code),
                message: None,
                data: Map::new(),
            },
            other => BusError::Malformed(other.to_string()),
        }
    }
}

/// A message that came without being asked for.
#[derive(Debug)]
pub(crate) enum Message {
    /// A method call; also a notification or an event, to an object of a subscriber.
    Invoke(Invoke),
    /// An object that was subscribed to is gone.
    Unsubscribed { target: u32 },
    /// The first subscriber of one's own object came, or the last one left.
    Active(bool),
    /// Nothing of interest, such as an answer that is too late.
    Other,
}

/// A call, and where its answer goes.
#[derive(Debug)]
pub(crate) struct Invoke {
    pub(crate) method: String,
    pub(crate) data: Result<Map<String, Value>, BlobError>,
    pub(crate) to: Return,
}

/// Where an answer goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Return {
    seq: u16,
    peer: u32,
    /// The object that was called.
    pub(crate) object: u32,
    /// The caller wants none.
    no_reply: bool,
}

/// A connection to ubusd.
pub(crate) struct Bus {
    client: UbusClient<Socket>,
    stream: Arc<UnixStream>,
}

impl Bus {
    /// Connects and says hello.
    pub(crate) fn connect(socket: &Path) -> Result<Self, BusError> {
        let mut transport = Socket::connect(socket).map_err(|error| BusError::Connect {
            socket: socket.to_owned(),
            error,
        })?;
        transport.deadline = Some(Instant::now() + BUS_TIMEOUT);
        let stream = Arc::clone(&transport.stream);
        let mut client = UbusClient::connect(transport)?;
        client.transport_mut().deadline = None;
        Ok(Bus { client, stream })
    }

    /// Runs a request with a time limit.
    fn within<T>(
        &mut self,
        limit: Duration,
        request: impl FnOnce(&mut UbusClient<Socket>) -> Result<T, BusError>,
    ) -> Result<T, BusError> {
        self.client.transport_mut().deadline = Some(Instant::now() + limit);
        let result = request(&mut self.client);
        self.client.transport_mut().deadline = None;
        result
    }

    /// The number of the object of this name; `Refused` with `NotFound` if there is none.
    pub(crate) fn lookup(&mut self, object: &str) -> Result<u32, BusError> {
        self.within(BUS_TIMEOUT, |client| Ok(client.lookup(object)?))
    }

    /// Calls a method and returns its reply, empty if it made none.
    pub(crate) fn invoke(
        &mut self,
        object: u32,
        method: &str,
        args: &Map<String, Value>,
        limit: Duration,
    ) -> Result<Map<String, Value>, BusError> {
        let args = blobmsg::encode(args)?;
        let mut envelope = EnvBuilder::new();
        envelope.push_u32(UbusAttr::ObjId, object);
        envelope.push_str(UbusAttr::Method, method);
        envelope.push_data(args.contents());
        let mut reply = Ok(Map::new());
        let answer = self.within(limit, |client| {
            Ok(client.request(MsgType::Invoke, object, envelope, |frame| {
                reply = find(&frame.payload, UbusAttr::Data)
                    .map_or_else(|| Ok(Map::new()), |data| blobmsg::decode(data.payload));
                Ok(())
            })?)
        });
        match answer {
            Ok(()) => Ok(reply?),
            Err(BusError::Refused { status, .. }) => {
                let data = reply.unwrap_or_default();
                let message = match data.get("error") {
                    Some(Value::String(text)) => Some(text.clone()),
                    _ => None,
                };
                Err(BusError::Refused {
                    status,
                    message,
                    data,
                })
            }
            Err(error) => Err(error),
        }
    }

    /// Registers an object with methods; returns its number.
    pub(crate) fn add_object(&mut self, name: &str, signature: &[u8]) -> Result<u32, BusError> {
        let mut envelope = EnvBuilder::new();
        envelope.push_str(UbusAttr::ObjPath, name);
        envelope.push_signature(signature);
        let mut object = None;
        self.within(BUS_TIMEOUT, |client| {
            Ok(client.request(MsgType::AddObject, 0, envelope, |frame| {
                object = find(&frame.payload, UbusAttr::ObjId).and_then(|id| id.as_u32());
                Ok(())
            })?)
        })?;
        object.ok_or_else(|| BusError::Malformed("ADD_OBJECT was answered without an id".into()))
    }

    /// Makes the nameless object that notifications and events are sent to.
    pub(crate) fn add_subscriber(&mut self) -> Result<u32, BusError> {
        self.within(BUS_TIMEOUT, |client| Ok(client.add_anonymous_object()?))
    }

    /// Has notifications of `target` sent to `subscriber`.
    pub(crate) fn subscribe(&mut self, subscriber: u32, target: u32) -> Result<(), BusError> {
        self.within(BUS_TIMEOUT, |client| {
            Ok(client.subscribe(subscriber, target)?)
        })
    }

    /// Has events of this name sent to `subscriber`.
    pub(crate) fn listen(&mut self, subscriber: u32, event: &str) -> Result<(), BusError> {
        let args = registration(subscriber, event);
        self.invoke(EVENT_OBJECT, "register", &args, BUS_TIMEOUT)
            .map(drop)
    }

    /// The next message, if one is there. Until this returns `None`, waiting on the descriptor
    /// may miss messages that were already read from it.
    pub(crate) fn next(&mut self) -> Result<Option<Message>, BusError> {
        let Some(frame) = self.client.recv_frame()? else {
            return Ok(None);
        };
        let number = |id| find(&frame.payload, id).and_then(|attribute| attribute.as_u32());
        let flag = |id| find(&frame.payload, id).map(|attribute| attribute.as_bool_int8());
        Ok(Some(match frame.hdr.ty {
            MsgType::Invoke => {
                let method = find(&frame.payload, UbusAttr::Method).and_then(|name| name.as_str());
                let (Some(method), Some(object)) = (method, number(UbusAttr::ObjId)) else {
                    return Ok(Some(Message::Other));
                };
                Message::Invoke(Invoke {
                    method: method.to_owned(),
                    data: find(&frame.payload, UbusAttr::Data)
                        .map_or_else(|| Ok(Map::new()), |data| blobmsg::decode(data.payload)),
                    to: Return {
                        seq: frame.hdr.seq,
                        peer: frame.hdr.peer,
                        object,
                        no_reply: flag(UbusAttr::NoReply).unwrap_or(false),
                    },
                })
            }
            MsgType::Unsubscribe => match number(UbusAttr::Target) {
                Some(target) => Message::Unsubscribed { target },
                None => Message::Other,
            },
            MsgType::Notify => flag(UbusAttr::Active).map_or(Message::Other, Message::Active),
            _ => Message::Other,
        }))
    }

    /// Answers a call: data if there is any, then the status, `None` for success.
    pub(crate) fn answer(
        &mut self,
        to: Return,
        data: Option<&Map<String, Value>>,
        status: Option<Status>,
    ) -> Result<(), BusError> {
        if to.no_reply {
            return Ok(());
        }
        if let Some(data) = data {
            let data = blobmsg::encode(data)?;
            let mut envelope = EnvBuilder::with_capacity(data.contents().len() + 32);
            envelope.push_u32(UbusAttr::ObjId, to.object);
            envelope.push_data(data.contents());
            self.send(MsgType::Data, to.seq, to.peer, envelope)?;
        }
        let mut envelope = EnvBuilder::new();
        envelope.push_u32(UbusAttr::ObjId, to.object);
        envelope.push_i32(UbusAttr::Status, status.map_or(0, Status::code));
        self.send(MsgType::Status, to.seq, to.peer, envelope)
    }

    /// Tells the subscribers of `object`, without waiting for any of them.
    pub(crate) fn notify(
        &mut self,
        object: u32,
        name: &str,
        data: &Map<String, Value>,
    ) -> Result<(), BusError> {
        let data = blobmsg::encode(data)?;
        let mut envelope = EnvBuilder::with_capacity(data.contents().len() + name.len() + 64);
        envelope.push_u32(UbusAttr::ObjId, object);
        envelope.push_str(UbusAttr::Method, name);
        envelope.push_data(data.contents());
        envelope.push_u8(UbusAttr::NoReply, 1);
        self.send(MsgType::Notify, 0, 0, envelope)
    }

    fn send(
        &mut self,
        kind: MsgType,
        seq: u16,
        peer: u32,
        envelope: EnvBuilder,
    ) -> Result<(), BusError> {
        let frame = Frame::to_peer(kind, seq, peer, envelope.finish());
        Ok(self.client.transport_mut().send(&frame)?)
    }
}

/// What `register` of the event object takes.
fn registration(subscriber: u32, event: &str) -> Map<String, Value> {
    Map::from_iter([
        // ubusd draws its identifiers among all 32 bits, and takes an INT32 here, whose sign it
        // does not look at.
        ("object".to_owned(), Value::from(subscriber.cast_signed())),
        ("pattern".to_owned(), Value::from(event)),
    ])
}

impl AsFd for Bus {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use ubus::blobmsg::{BlobType, lookup};

    use super::*;

    #[test]
    fn every_identifier_is_registered_in_32_bits() {
        for subscriber in [1, 0x7fff_ffff, 0x8000_0000, 0xfad0_6ba5] {
            let table = blobmsg::encode(&registration(subscriber, "ubus.object.add")).unwrap();
            let object = lookup(table.contents(), "object").unwrap();
            assert_eq!(object.ty, BlobType::Int32);
            assert_eq!(object.payload, subscriber.to_be_bytes());
        }
    }

    #[test]
    fn a_silent_bus_is_given_up_on() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ubus.sock");
        let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let begun = Instant::now();
        assert!(matches!(Bus::connect(&path), Err(BusError::Timeout)));
        assert!(begun.elapsed() >= BUS_TIMEOUT);
    }
}
