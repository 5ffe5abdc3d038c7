//! A real ubus broker, and objects that others than mqttguard put on it.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::fd::OwnedFd;
use rustix::pipe::{PipeFlags, pipe_with};
use serde_json::{Value, json};
use tempfile::TempDir;
use ubus::client::UbusClient;
use ubus::envelope::{EnvBuilder, UbusAttr, find};
use ubus::json::{blobmsg_to_json, json_to_blobmsg};
use ubus::unix::UnixUbusTransport;
use ubus::wire::Frame;
use ubus::{BlobBuilder, MsgType, Transport, UbusError};

/// How long a test waits for what must happen.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A ubusd on a socket of its own, which can be stopped and started.
pub struct TestBus {
    directory: TempDir,
    running: Option<(OwnedFd, JoinHandle<()>)>,
}

impl TestBus {
    /// A place for a bus, with none on it yet.
    pub fn absent() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        TestBus {
            directory,
            running: None,
        }
    }

    /// A running bus.
    pub fn started() -> Self {
        let mut bus = Self::absent();
        bus.start();
        bus
    }

    /// The socket's path.
    pub fn socket(&self) -> PathBuf {
        self.directory.path().join("ubus.sock")
    }

    /// A file's path beside the socket.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Starts ubusd.
    pub fn start(&mut self) {
        assert!(self.running.is_none(), "the bus runs already");
        let config = ubusd::Config {
            socket_path: self.socket().to_str().expect("a path in UTF-8").to_owned(),
            ..ubusd::Config::default()
        };
        let (wake, stop) = pipe_with(PipeFlags::CLOEXEC).expect("a pipe");
        let (bound, is_bound) = channel();
        let broker = thread::spawn(move || {
            let mut broker = ubusd::Broker::bind(config).expect("ubusd binds its socket");
            broker.set_wake_pipe(wake);
            bound.send(()).expect("the test waits");
            broker.run().expect("ubusd runs");
        });
        is_bound.recv().expect("ubusd starts");
        self.running = Some((stop, broker));
    }

    /// Stops ubusd; all connections break.
    pub fn stop(&mut self) {
        if let Some((stop, broker)) = self.running.take() {
            rustix::io::write(&stop, b"T").expect("ubusd listens to its wake pipe");
            broker.join().expect("ubusd ends well");
        }
    }
}

impl Drop for TestBus {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.stop();
        }
    }
}

/// A client of another implementation than mqttguard's own.
pub fn foreign_client(socket: &Path) -> UbusClient<UnixUbusTransport> {
    let socket = socket.to_str().expect("a path in UTF-8");
    let mut transport = UnixUbusTransport::connect(socket).expect("a connection to ubusd");
    transport.set_deadline(Some(2 * PATIENCE));
    UbusClient::connect(transport).expect("a hello from ubusd")
}

/// Calls a method as a stranger would: every reply, then the status.
pub fn foreign_call(
    client: &mut UbusClient<UnixUbusTransport>,
    object: &str,
    method: &str,
    args: &Value,
) -> (Vec<Value>, i32) {
    let object = client.lookup(object).expect("the object");
    let mut envelope = EnvBuilder::new();
    envelope.push_u32(UbusAttr::ObjId, object);
    envelope.push_str(UbusAttr::Method, method);
    envelope.push_data(json_to_blobmsg(args).expect("arguments").contents());
    let mut replies = Vec::new();
    let status = client.request(MsgType::Invoke, object, envelope, |frame| {
        let data = find(&frame.payload, UbusAttr::Data).expect("data").payload;
        replies.push(blobmsg_to_json(data)?);
        Ok(())
    });
    match status {
        Ok(()) => (replies, 0),
        Err(UbusError::Status(status)) => (replies, status),
        Err(error) => panic!("{method}: {error}"),
    }
}

/// What a foreign object is told to do.
enum Order {
    Notify(String, Value),
    Leave,
}

/// An object of some other daemon: it answers its methods with fixed replies, and notifies.
pub struct ForeignObject {
    orders: Sender<Order>,
    thread: Option<JoinHandle<()>>,
}

impl ForeignObject {
    /// Puts it on the bus. A method that is not among the replies is not found.
    pub fn new(socket: &Path, name: &str, replies: Value) -> Self {
        let mut client = foreign_client(socket);
        let mut signature = BlobBuilder::new();
        for method in replies.as_object().expect("replies by method").keys() {
            signature.open_table(Some(method));
            signature.close_table();
        }
        let mut envelope = EnvBuilder::new();
        envelope.push_str(UbusAttr::ObjPath, name);
        envelope.push_signature(&signature.finish());
        let mut object = None;
        client
            .request(MsgType::AddObject, 0, envelope, |frame| {
                object = find(&frame.payload, UbusAttr::ObjId).and_then(|id| id.as_u32());
                Ok(())
            })
            .expect("ADD_OBJECT");
        let object = object.expect("an object id");
        let (orders, taken) = channel();
        let thread = thread::spawn(move || serve(&mut client, object, &replies, &taken));
        ForeignObject {
            orders,
            thread: Some(thread),
        }
    }

    /// Sends a notification to its subscribers.
    pub fn notify(&self, name: &str, data: Value) {
        self.orders
            .send(Order::Notify(name.to_owned(), data))
            .expect("the object is there");
    }
}

impl Drop for ForeignObject {
    fn drop(&mut self) {
        let _ = self.orders.send(Order::Leave);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
            && !thread::panicking()
        {
            panic!("the foreign object failed");
        }
    }
}

fn serve(
    client: &mut UbusClient<UnixUbusTransport>,
    object: u32,
    replies: &Value,
    orders: &Receiver<Order>,
) {
    loop {
        client.transport_mut().set_deadline(None);
        match orders.recv_timeout(Duration::from_millis(5)) {
            Ok(Order::Notify(name, data)) => {
                let mut envelope = EnvBuilder::new();
                envelope.push_u32(UbusAttr::ObjId, object);
                envelope.push_str(UbusAttr::Method, &name);
                envelope.push_data(json_to_blobmsg(&data).expect("data").contents());
                envelope.push_u8(UbusAttr::NoReply, 1);
                let frame = Frame::to_broker(MsgType::Notify, 0, envelope.finish());
                client.transport_mut().send(&frame).expect("NOTIFY");
            }
            Ok(Order::Leave) => return,
            Err(_) => {}
        }
        loop {
            let frame = match client.recv_frame() {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                // The bus was stopped under it.
                Err(_) => return,
            };
            if frame.hdr.ty != MsgType::Invoke {
                continue;
            }
            let method = find(&frame.payload, UbusAttr::Method);
            let reply = method
                .and_then(|name| name.as_str())
                .and_then(|name| replies.get(name));
            if let Some(reply) = reply {
                let mut envelope = EnvBuilder::new();
                envelope.push_u32(UbusAttr::ObjId, object);
                envelope.push_data(json_to_blobmsg(reply).expect("a reply").contents());
                let data = Frame::to_peer(
                    MsgType::Data,
                    frame.hdr.seq,
                    frame.hdr.peer,
                    envelope.finish(),
                );
                client.transport_mut().send(&data).expect("DATA");
            }
            client
                .acknowledge(&frame, if reply.is_some() { 0 } else { 3 })
                .expect("STATUS");
        }
    }
}

/// Waits until `is_so`, or fails.
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(
            begun.elapsed() < PATIENCE,
            "not within {PATIENCE:?}: {what}"
        );
        thread::sleep(Duration::from_millis(10));
    }
}

/// A reply of `dhcp ipv4leases` with these leases on `br-lan`: MAC without colons, address, name.
pub fn ipv4_leases(leases: &[(&str, &str, &str)]) -> Value {
    let leases: Vec<_> = leases
        .iter()
        .map(|(mac, address, hostname)| {
            json!({"mac": mac, "hostname": hostname, "accept-reconf": false, "flags": ["bound"],
                   "address": address, "valid": 43199})
        })
        .collect();
    json!({"device": {"br-lan": {"leases": leases}}})
}
