//! One client's TLS, on rustls's unbuffered interface: all buffers but the unfinished record
//! are the caller's and shared by all clients, which keeps an idle client small.

use std::mem;
use std::sync::Arc;

use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, EncryptError, InsufficientSizeError,
    UnbufferedStatus,
};
use rustls::{HandshakeKind, ServerConfig};
use rustls_pki_types::CertificateDer;

/// Most ciphertext kept between two reads: one record (RFC 8446 section 5.2, RFC 5246 section
/// 6.2.3) and part of a handshake message before it.
pub(super) const MAX_PARTIAL: usize = 20 * 1024;

/// Room for header, tag, nonce and content type of one record.
const RECORD_OVERHEAD: usize = 64;

/// Larger than any record of the handshake that rustls emits in one go.
const CONTROL_ROOM: usize = 512;

/// A server's side of one TLS connection.
pub(super) struct Session {
    connection: Box<UnbufferedServerConnection>,
    /// Ciphertext that is not a whole record yet.
    partial: Vec<u8>,
    /// Plaintext that fits one record.
    record: usize,
    established: bool,
}

/// What came of ciphertext.
#[derive(Debug)]
pub(super) enum Received {
    /// All whole records were taken.
    Taken,
    /// The client has said close_notify: it sends no more.
    Closed,
}

impl Session {
    pub(super) fn new(config: &Arc<ServerConfig>) -> Result<Session, rustls::Error> {
        let record = config.max_fragment_size.unwrap_or(16 * 1024);
        Ok(Session {
            connection: Box::new(UnbufferedServerConnection::new(Arc::clone(config))?),
            partial: Vec::new(),
            record: record.saturating_sub(RECORD_OVERHEAD).max(1),
            established: false,
        })
    }

    /// Whether application data may be sent.
    pub(super) fn is_established(&self) -> bool {
        self.established
    }

    /// The certificates that the client has shown, its own first.
    pub(super) fn certificates(&self) -> Option<&[CertificateDer<'static>]> {
        self.connection.peer_certificates()
    }

    /// Whether it goes on with the secrets and certificates of an earlier session.
    pub(super) fn is_resumed(&self) -> bool {
        self.connection.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// Bytes kept of a record that is not whole.
    pub(super) fn kept(&self) -> usize {
        self.partial.capacity()
    }

    /// Moves what is left of the last read to the front of `input`. Returns its length: the
    /// next read goes behind it.
    pub(super) fn restore(&mut self, input: &mut [u8]) -> usize {
        let partial = mem::take(&mut self.partial);
        match input.get_mut(..partial.len()) {
            Some(front) => front.copy_from_slice(&partial),
            None => return 0,
        }
        partial.len()
    }

    /// Keeps what [`Session::restore`] gave, as nothing came behind it.
    pub(super) fn keep(&mut self, partial: &[u8]) {
        if !partial.is_empty() {
            self.partial = partial.to_vec();
        }
    }

    /// Takes ciphertext, hands plaintext to `deliver`, and appends to `wire` what the handshake
    /// has to say. On an error `wire` ends with the alert, and the session is over.
    pub(super) fn receive(
        &mut self,
        input: &mut [u8],
        wire: &mut Vec<u8>,
        deliver: impl FnMut(&[u8]),
    ) -> Result<Received, rustls::Error> {
        let received = self.process(input, wire, deliver);
        // rustls would go on where it stopped, in input that is not there any more.
        self.established &= received.is_ok();
        received
    }

    fn process(
        &mut self,
        input: &mut [u8],
        wire: &mut Vec<u8>,
        mut deliver: impl FnMut(&[u8]),
    ) -> Result<Received, rustls::Error> {
        let mut rest = input;
        let outcome = loop {
            let UnbufferedStatus { discard, state } = self.connection.process_tls_records(rest);
            let mut blocked = false;
            let mut closed = false;
            match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(record) = traffic.next_record() {
                        deliver(record?.payload);
                    }
                }
                Ok(ConnectionState::EncodeTlsData(mut data)) => encode(&mut data, wire)?,
                Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                Ok(ConnectionState::PeerClosed | ConnectionState::Closed) => closed = true,
                Ok(ConnectionState::WriteTraffic(_)) => {
                    self.established = true;
                    blocked = true;
                }
                Ok(ConnectionState::BlockedHandshake) => blocked = true,
                // Early data is never accepted (ServerConfig::max_early_data_size is 0).
                Ok(_) => return Err(rustls::Error::General("unexpected TLS state".into())),
                Err(error) => {
                    self.alert(wire);
                    return Err(error);
                }
            }
            rest = mem::take(&mut rest)
                .get_mut(discard..)
                .ok_or_else(|| rustls::Error::General("TLS input out of step".into()))?;
            if closed {
                break Received::Closed;
            }
            if blocked {
                break Received::Taken;
            }
        };
        if rest.len() > MAX_PARTIAL {
            return Err(rustls::Error::General("TLS message too long".into()));
        }
        if !rest.is_empty() {
            self.partial = rest.to_vec();
        }
        Ok(outcome)
    }

    /// Appends `plain`, encrypted, to `wire`. Only for an established session.
    pub(super) fn encrypt(
        &mut self,
        plain: &[u8],
        wire: &mut Vec<u8>,
    ) -> Result<(), rustls::Error> {
        let records = plain.len().div_ceil(self.record).max(1);
        let room = plain
            .len()
            .saturating_add(records.saturating_mul(RECORD_OVERHEAD));
        self.write(wire, room, |traffic, out| traffic.encrypt(plain, out))
    }

    /// Appends a close_notify to `wire`. Only for an established session.
    pub(super) fn close(&mut self, wire: &mut Vec<u8>) {
        // A client to whom this cannot be said finds out by the FIN.
        let _ = self.write(wire, CONTROL_ROOM, |traffic, out| {
            traffic.queue_close_notify(out)
        });
    }

    fn write(
        &mut self,
        wire: &mut Vec<u8>,
        room: usize,
        mut encrypt: impl FnMut(&mut WriteTraffic<'_>, &mut [u8]) -> Result<usize, EncryptError>,
    ) -> Result<(), rustls::Error> {
        loop {
            let UnbufferedStatus { discard, state } =
                self.connection.process_tls_records(&mut self.partial);
            match state? {
                ConnectionState::WriteTraffic(mut traffic) => {
                    return append(wire, room, |out| {
                        encrypt(&mut traffic, out).map_err(|error| match error {
                            EncryptError::InsufficientSize(more) => Some(more),
                            EncryptError::EncryptExhausted => None,
                        })
                    });
                }
                ConnectionState::EncodeTlsData(mut data) => encode(&mut data, wire)?,
                ConnectionState::TransmitTlsData(data) => data.done(),
                ConnectionState::PeerClosed => {}
                _ => return Ok(()),
            }
            self.partial.drain(..discard.min(self.partial.len()));
        }
    }

    /// Appends the alert that an error left behind.
    fn alert(&mut self, wire: &mut Vec<u8>) {
        // No input: what failed must not be looked at again. Nothing is, as long as there is
        // something to send.
        while self.connection.wants_write() {
            match self.connection.process_tls_records(&mut []).state {
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    if encode(&mut data, wire).is_err() {
                        return;
                    }
                }
                _ => return,
            }
        }
    }
}

type WriteTraffic<'c> = rustls::unbuffered::WriteTraffic<'c, ServerConnectionData>;

/// Appends a record of the handshake to `wire`.
fn encode(
    data: &mut EncodeTlsData<'_, ServerConnectionData>,
    wire: &mut Vec<u8>,
) -> Result<(), rustls::Error> {
    append(wire, CONTROL_ROOM, |out| {
        data.encode(out).map_err(|error| match error {
            EncodeError::InsufficientSize(more) => Some(more),
            EncodeError::AlreadyEncoded => None,
        })
    })
}

/// Lets `encode` write behind what is in `wire`, with as much room as it says it needs.
fn append(
    wire: &mut Vec<u8>,
    room: usize,
    mut encode: impl FnMut(&mut [u8]) -> Result<usize, Option<InsufficientSizeError>>,
) -> Result<(), rustls::Error> {
    let start = wire.len();
    let mut room = room;
    // The first answer may be that there is too little room, the second may not.
    for _ in 0..2 {
        wire.resize(start.saturating_add(room), 0);
        match encode(wire.get_mut(start..).unwrap_or_default()) {
            Ok(written) => {
                wire.truncate(start.saturating_add(written));
                return Ok(());
            }
            Err(Some(more)) => room = more.required_size,
            Err(None) => break,
        }
    }
    wire.truncate(start);
    Err(rustls::Error::EncryptError)
}
