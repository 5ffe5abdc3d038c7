//! One client: its socket, its TLS, what it has yet to send and to understand.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientConnection, Resumption};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, HandshakeKind, SignatureScheme};

use crate::wire::{self, Packet};

/// Bytes read at once.
const READ: usize = 64 * 1024;

/// What a load hears of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard<'a> {
    /// Connected or subscribed, with this return code.
    Answer(u8),
    /// A message came. It is acknowledged already.
    Message(&'a [u8]),
    /// A publication was acknowledged to the last step.
    Acknowledged,
}

pub(crate) struct Client {
    stream: TcpStream,
    tls: Option<Box<ClientConnection>>,
    /// The beginning of a packet.
    partial: Vec<u8>,
    /// What is to be sent; TLS keeps its own.
    output: Vec<u8>,
    readable: bool,
    writable: bool,
    last_id: u16,
}

impl Client {
    /// Opens a connection and says CONNECT as soon as that is possible.
    pub(crate) fn open(
        address: SocketAddr,
        tls: Option<&Arc<ClientConfig>>,
        registry: &Registry,
        token: usize,
        client_id: &str,
    ) -> io::Result<Client> {
        let mut stream = TcpStream::connect(address)?;
        let both = Interest::READABLE | Interest::WRITABLE;
        registry.register(&mut stream, Token(token), both)?;
        let tls = match tls {
            Some(config) => {
                let name = ServerName::from(address.ip());
                let connection = ClientConnection::new(Arc::clone(config), name);
                let mut connection = connection.map_err(io::Error::other)?;
                connection.set_buffer_limit(None);
                Some(Box::new(connection))
            }
            None => None,
        };
        let mut client = Client {
            stream,
            tls,
            partial: Vec::new(),
            output: Vec::new(),
            readable: false,
            writable: false,
            last_id: 0,
        };
        wire::connect(&mut client.output, client_id);
        Ok(client)
    }

    /// Where to put packets; [`Client::flush`] sends them.
    pub(crate) fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// The next packet identifier.
    pub(crate) fn next_id(&mut self) -> u16 {
        self.last_id = self.last_id.checked_add(1).unwrap_or(1);
        self.last_id
    }

    /// Whether the socket took all there was.
    pub(crate) fn is_flushed(&self) -> bool {
        self.output.is_empty() && self.tls.as_ref().is_none_or(|tls| !tls.wants_write())
    }

    /// How the TLS handshake went, once it is done.
    pub(crate) fn handshake(&self) -> Option<HandshakeKind> {
        self.tls.as_ref()?.handshake_kind()
    }

    /// Takes what the poll says of the socket.
    pub(crate) fn notice(&mut self, event: &mio::event::Event) {
        self.readable |= event.is_readable() || event.is_read_closed() || event.is_error();
        if event.is_writable() && !self.writable {
            self.writable = true;
            // Before that there is no connection to set it on.
            let _ = self.stream.set_nodelay(true);
        }
    }

    /// Has the kernel acknowledge at once what comes next. A peer that leaves Nagle's algorithm on
    /// would otherwise wait 40 ms for that in the middle of a handshake, and not work.
    pub(crate) fn acknowledge_at_once(&self) {
        let _ = rustix::net::sockopt::set_tcp_quickack(&self.stream, true);
    }

    /// Sends what the socket takes.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        let Some(tls) = &mut self.tls else {
            while self.writable && !self.output.is_empty() {
                match self.stream.write(&self.output) {
                    Ok(sent) => drop(self.output.drain(..sent)),
                    Err(error) => self.writable = blocked(error)?,
                }
            }
            return Ok(());
        };
        if !tls.is_handshaking() && !self.output.is_empty() {
            tls.writer().write_all(&self.output)?;
            self.output.clear();
        }
        while self.writable && tls.wants_write() {
            if let Err(error) = tls.write_tls(&mut self.stream) {
                self.writable = blocked(error)?;
            }
        }
        Ok(())
    }

    /// Reads all there is, acknowledges messages, and tells `hear` of it.
    pub(crate) fn read(
        &mut self,
        scratch: &mut Scratch,
        mut hear: impl FnMut(&mut Client, Heard<'_>),
    ) -> io::Result<()> {
        while self.readable {
            let found = match self.stream.read(&mut scratch.wire) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(found) => found,
                Err(error) => {
                    self.readable = blocked(error)?;
                    continue;
                }
            };
            let mut input = scratch.wire.get(..found).unwrap_or_default();
            let plain = &mut scratch.plain;
            plain.clear();
            plain.append(&mut self.partial);
            match &mut self.tls {
                None => plain.extend_from_slice(input),
                Some(tls) => {
                    while !input.is_empty() {
                        tls.read_tls(&mut input)?;
                        let state = tls.process_new_packets().map_err(io::Error::other)?;
                        let length = plain.len();
                        plain.resize(length + state.plaintext_bytes_to_read(), 0);
                        if let Some(room) = plain.get_mut(length..) {
                            tls.reader().read_exact(room)?;
                        }
                    }
                }
            }
            let mut rest = plain.as_slice();
            while let Some((packet, behind)) = wire::split(rest) {
                rest = behind;
                self.take(packet, &mut hear);
            }
            self.partial.extend_from_slice(rest);
        }
        self.flush()
    }

    fn take(&mut self, packet: Packet<'_>, hear: &mut impl FnMut(&mut Client, Heard<'_>)) {
        match packet {
            Packet::Connack(code) | Packet::Suback(code) => hear(self, Heard::Answer(code)),
            Packet::Publish { qos, id, payload } => {
                match qos {
                    0 => {}
                    1 => wire::acknowledge(&mut self.output, 0x40, id),
                    _ => wire::acknowledge(&mut self.output, 0x50, id),
                }
                hear(self, Heard::Message(payload));
            }
            Packet::Puback | Packet::Pubcomp => hear(self, Heard::Acknowledged),
            Packet::Pubrec(id) => wire::acknowledge(&mut self.output, 0x62, id),
            Packet::Pubrel(id) => wire::acknowledge(&mut self.output, 0x70, id),
            Packet::Other => {}
        }
    }
}

/// False if the socket is blocked.
fn blocked(error: io::Error) -> io::Result<bool> {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected => Ok(false),
        io::ErrorKind::Interrupted => Ok(true),
        _ => Err(error),
    }
}

/// Buffers that all clients share.
pub(crate) struct Scratch {
    wire: Vec<u8>,
    plain: Vec<u8>,
}

impl Scratch {
    pub(crate) fn new() -> Scratch {
        Scratch {
            wire: vec![0; READ],
            plain: Vec::new(),
        }
    }
}

/// TLS as these clients speak it. They do not look at the certificate: the broker's time is
/// measured, not theirs.
pub(crate) fn tls_config(resume: bool) -> anyhow::Result<Arc<ClientConfig>> {
    let provider = Arc::new(ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Unseen(provider)))
        .with_no_client_auth();
    if !resume {
        config.resumption = Resumption::disabled();
    }
    Ok(Arc::new(config))
}

#[derive(Debug)]
struct Unseen(Arc<CryptoProvider>);

impl ServerCertVerifier for Unseen {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
