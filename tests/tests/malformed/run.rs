//! Runs the cases, each on a connection of its own.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use mqttguard_lab::{tools, until};
use mqttguard_tests::mqtt::packet::PINGREQ;
use mqttguard_tests::mqtt::{Answer, Connect, answer};

use super::table::{Case, Table, Want};

/// No answer takes so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Runs all cases; names those that come out wrong, with what came.
pub(crate) fn run(address: SocketAddr, patience: Duration, table: &Table) -> Vec<String> {
    let outcomes = table.cases.iter().filter_map(|case| {
        let found = one(address, patience, case);
        let right = found == Ok(case.want);
        (!right).then(|| {
            let (name, want) = (&case.name, case.want);
            let shown = &case.bytes[..case.bytes.len().min(48)];
            format!("{name}: {found:02x?} instead of {want:02x?}\n    {shown:02x?}")
        })
    });
    outcomes.collect()
}

fn one(address: SocketAddr, patience: Duration, case: &Case) -> Result<Want, String> {
    let mut wire = Wire::open(address, patience);
    if case.connected {
        // Named in every version: MQTT 3.1 knows no other way.
        let connect = Connect::new(case.version, "matrix");
        wire.send(&connect.bytes());
        match wire.take(case) {
            Ok(Some(Answer::ConnAck { code: 0, .. })) => {}
            other => return Err(format!("not let in: {other:?}")),
        }
    }
    wire.send(&case.bytes);
    wire.outcome(case)
}

struct Wire {
    stream: TcpStream,
    bytes: Vec<u8>,
}

impl Wire {
    fn open(address: SocketAddr, patience: Duration) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(patience)).unwrap();
        stream.set_write_timeout(Some(patience)).unwrap();
        Self {
            stream,
            bytes: Vec::new(),
        }
    }

    /// The other side may have closed already: what it said before tells.
    fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// The next packet; None at the end.
    fn take(&mut self, case: &Case) -> Result<Option<Answer>, String> {
        loop {
            if let Some(answer) = answer::take(&mut self.bytes, case.version)? {
                return Ok(Some(answer));
            }
            let mut buffer = [0; 4096];
            match self.stream.read(&mut buffer) {
                Ok(0) if self.bytes.is_empty() => return Ok(None),
                Ok(0) => return Err(format!("half a packet: {:02x?}", self.bytes)),
                Ok(count) => self.bytes.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(None),
                Err(error) => return Err(format!("neither answer nor end: {error}")),
            }
        }
    }

    fn outcome(&mut self, case: &Case) -> Result<Want, String> {
        // Answers to a packet that is taken come before that to the ping.
        if case.want == Want::Taken {
            self.send(&PINGREQ);
        }
        let mut end = Want::Closed;
        let mut connected = case.connected;
        loop {
            match self.take(case)? {
                None => return Ok(end),
                Some(Answer::PingResp) if connected && end == Want::Closed => {
                    return Ok(Want::Taken);
                }
                Some(Answer::ConnAck { code: 0, .. }) if !connected => {
                    connected = true;
                    if case.want != Want::Taken {
                        return Ok(Want::Taken);
                    }
                }
                Some(Answer::ConnAck { code, .. }) if !connected && end == Want::Closed => {
                    end = Want::ConnAck(code);
                }
                Some(Answer::Disconnect(code, _)) if connected && end == Want::Closed => {
                    end = Want::Disconnect(code);
                }
                Some(
                    Answer::Ack(_) | Answer::SubAck(..) | Answer::UnsubAck(..) | Answer::Publish(_),
                ) if end == Want::Closed && case.want == Want::Taken => {}
                Some(other) => return Err(format!("{other:?}, after {end:?}")),
            }
        }
    }
}

/// Debian's mosquitto, open on a port of its own.
pub(crate) struct Mosquitto {
    pub(crate) address: SocketAddr,
    child: Child,
    _directory: tempfile::TempDir,
}

impl Mosquitto {
    pub(crate) fn start() -> Self {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("mosquitto.conf");
        let port = address.port();
        let text = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\n\
             message_size_limit 1000000\nmax_packet_size 1048576\nset_tcp_nodelay true\n"
        );
        std::fs::write(&file, text).unwrap();
        let child = Command::new(tools::system("mosquitto").unwrap())
            .arg("-c")
            .arg(&file)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        assert!(until(PATIENCE, || TcpStream::connect(address).is_ok()));
        Self {
            address,
            child,
            _directory: directory,
        }
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
