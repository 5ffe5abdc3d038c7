//! A bare MQTT client that shows every packet, over TLS or not.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketType};
use rustls::client::WantsClientCert;
use rustls::{
    CipherSuite, ClientConfig, ClientConnection, ConfigBuilder, RootCertStore, StreamOwned,
    SupportedProtocolVersion,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};

pub(super) trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

pub(super) struct Client {
    stream: Box<dyn Stream>,
    v5: bool,
}

/// A socket from one of the loopback addresses, that gives up after five seconds.
pub(super) fn socket(from: Ipv4Addr, to: SocketAddr) -> TcpStream {
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    rustix::net::bind(&socket, &SocketAddr::from((from, 0))).unwrap();
    rustix::net::connect(&socket, &to).unwrap();
    let socket = TcpStream::from(socket);
    let patience = Some(Duration::from_secs(5));
    socket.set_read_timeout(patience).unwrap();
    socket.set_write_timeout(patience).unwrap();
    socket
}

pub(super) fn tls_config(
    ca_pem: &str,
    versions: &[&'static SupportedProtocolVersion],
) -> Arc<ClientConfig> {
    tls_config_of(ca_pem, versions, None)
}

/// The same, with one cipher suite only.
pub(super) fn tls_config_of(
    ca_pem: &str,
    versions: &[&'static SupportedProtocolVersion],
    suite: Option<CipherSuite>,
) -> Arc<ClientConfig> {
    Arc::new(tls_builder(ca_pem, versions, suite).with_no_client_auth())
}

/// The same, but for the client's own certificate.
pub(super) fn tls_builder(
    ca_pem: &str,
    versions: &[&'static SupportedProtocolVersion],
    suite: Option<CipherSuite>,
) -> ConfigBuilder<ClientConfig, WantsClientCert> {
    let mut roots = RootCertStore::empty();
    let ca = CertificateDer::from_pem_slice(ca_pem.as_bytes()).unwrap();
    roots.add(ca).unwrap();
    let mut provider = rustls::crypto::ring::default_provider();
    if let Some(only) = suite {
        provider.cipher_suites.retain(|suite| suite.suite() == only);
    }
    ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
}

pub(super) fn tls(
    config: &Arc<ClientConfig>,
    name: &str,
    socket: TcpStream,
) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let connection = ClientConnection::new(Arc::clone(config), name).unwrap();
    let mut stream = StreamOwned::new(connection, socket);
    stream.conn.complete_io(&mut stream.sock)?;
    Ok(stream)
}

fn text(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap().to_be_bytes();
    [&length[..], text.as_bytes()].concat()
}

pub(super) fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![first];
    let mut rest = body.len();
    loop {
        let digit = u8::try_from(rest & 0x7f).unwrap();
        rest >>= 7;
        packet.push(if rest > 0 { digit | 0x80 } else { digit });
        if rest == 0 {
            break;
        }
    }
    packet.extend(body);
    packet
}

/// A CONNECT with a clean session and a keep-alive of a minute.
pub(super) fn connect(v5: bool, client_id: &str, login: Option<(&str, &str)>) -> Vec<u8> {
    let mut body = text("MQTT");
    body.push(if v5 { 5 } else { 4 });
    body.push(if login.is_some() { 0xc2 } else { 0x02 });
    body.extend([0, 60]);
    if v5 {
        body.push(0);
    }
    body.extend(text(client_id));
    if let Some((username, password)) = login {
        body.extend(text(username));
        body.extend(text(password));
    }
    packet(0x10, &body)
}

/// A CONNECT of version 5 with these properties.
pub(super) fn connect_with(
    properties: &[u8],
    client_id: &str,
    login: Option<(&str, &str)>,
) -> Vec<u8> {
    let mut body = text("MQTT");
    body.extend([5, if login.is_some() { 0xc2 } else { 0x02 }, 0, 60]);
    // A packet, without its first byte, is its length and its body.
    body.extend(&packet(0, properties)[1..]);
    body.extend(text(client_id));
    if let Some((username, password)) = login {
        body.extend(text(username));
        body.extend(text(password));
    }
    packet(0x10, &body)
}

impl Client {
    pub(super) fn new(stream: impl Stream + 'static, v5: bool) -> Client {
        Client {
            stream: Box::new(stream),
            v5,
        }
    }

    pub(super) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// The first byte and the body of the next packet.
    pub(super) fn receive(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let mut byte = [0];
        self.stream.read_exact(&mut byte)?;
        let first = byte[0];
        let (mut length, mut shift) = (0, 0);
        loop {
            self.stream.read_exact(&mut byte)?;
            length |= usize::from(byte[0] & 0x7f) << shift;
            shift += 7;
            if byte[0] & 0x80 == 0 {
                break;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok((first, body))
    }

    /// Logs in; the answer is the CONNACK's code.
    pub(super) fn login(&mut self, client_id: &str, login: Option<(&str, &str)>) -> u8 {
        self.send(&connect(self.v5, client_id, login));
        let (first, body) = self.receive().expect("a CONNACK");
        assert_eq!(first, 0x20, "{body:?}");
        body[1]
    }

    /// Subscribes with QoS 0; the answer is the SUBACK's code.
    pub(super) fn subscribe(&mut self, filter: &str) -> u8 {
        let mut body = vec![0, 1];
        if self.v5 {
            body.push(0);
        }
        body.extend(text(filter));
        body.push(0);
        self.send(&packet(0x82, &body));
        let (first, body) = self.receive().expect("a SUBACK");
        assert_eq!(first, 0x90, "{body:?}");
        *body.last().unwrap()
    }

    /// A PUBLISH with QoS 0.
    pub(super) fn publish_packet(&self, topic: &str, payload: &[u8]) -> Vec<u8> {
        let mut body = text(topic);
        if self.v5 {
            body.push(0);
        }
        body.extend(payload);
        packet(0x30, &body)
    }

    pub(super) fn publish(&mut self, topic: &str, payload: &[u8]) {
        let packet = self.publish_packet(topic, payload);
        self.send(&packet);
    }

    /// The payload of the PUBLISH that has to come next.
    pub(super) fn expect_publish(&mut self, topic: &str) -> Vec<u8> {
        let (first, body) = self.receive().expect("a PUBLISH");
        assert_eq!(first & 0xf0, 0x30, "{body:?}");
        let head = text(topic);
        let rest = body.strip_prefix(&head[..]).expect("the topic");
        rest[usize::from(self.v5)..].to_vec()
    }

    /// The reason code of the DISCONNECT that has to come next (version 5), and then the end.
    pub(super) fn expect_disconnect(&mut self) -> u8 {
        let (first, body) = self.receive().expect("a DISCONNECT");
        assert_eq!(first, 0xe0, "{body:?}");
        self.expect_end();
        body.first().copied().unwrap_or_default()
    }

    /// The stream has to end now, and in order: over TLS with a close_notify.
    pub(super) fn expect_end(&mut self) {
        let mut rest = [0; 64];
        assert_eq!(self.stream.read(&mut rest).expect("an orderly end"), 0);
    }
}
