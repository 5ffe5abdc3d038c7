//! The connection to a server: TCP, and TLS as a client that verifies whom it speaks to.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use rustix::net::sockopt;
use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConfig, ClientConnection, InvalidMessage};

/// Plaintext that TLS may hold encrypted, and what waits for a socket in the clear.
const WAITING: usize = 128 * 1024;
/// Probes of a silent server after a minute; given up after two.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
const KEEPALIVE_PROBES: u32 = 4;

/// A connection that is being made or stands.
pub(crate) struct Link {
    stream: TcpStream,
    pub(crate) address: SocketAddr,
    tls: Option<Box<ClientConnection>>,
    connected: bool,
    readable: bool,
    writable: bool,
    /// The end was announced, and is out.
    farewell: bool,
    finished: bool,
}

/// What a read found.
pub(crate) enum Input {
    /// So many bytes.
    Some(usize),
    /// Nothing now.
    Nothing,
    /// The end.
    End,
}

impl Link {
    /// Begins to connect.
    pub(crate) fn open(
        address: SocketAddr,
        tls: Option<&Arc<ClientConfig>>,
        host: &str,
        registry: &Registry,
        token: Token,
    ) -> Result<Link, String> {
        let tls = match tls {
            None => None,
            Some(config) => {
                let name = ServerName::try_from(host.to_owned())
                    .map_err(|_| format!("{host} is no name that a certificate can have"))?;
                let connection = ClientConnection::new(Arc::clone(config), name)
                    .map_err(|error| error.to_string())?;
                Some(Box::new(connection))
            }
        };
        let mut stream = TcpStream::connect(address).map_err(|error| error.to_string())?;
        let both = Interest::READABLE | Interest::WRITABLE;
        registry
            .register(&mut stream, token, both)
            .map_err(|error| error.to_string())?;
        Ok(Link {
            stream,
            address,
            tls,
            connected: false,
            readable: false,
            writable: false,
            farewell: false,
            finished: false,
        })
    }

    /// What the poll said.
    pub(crate) fn event(&mut self, event: &mio::event::Event) {
        self.readable |= event.is_readable() || event.is_read_closed() || event.is_error();
        self.writable |= event.is_writable() || event.is_error();
    }

    /// Goes on connecting: true once application data can pass.
    pub(crate) fn establish(&mut self, host: &str, ca: &str) -> Result<bool, String> {
        if !self.connected {
            if let Some(error) = self.stream.take_error().unwrap_or_else(Some) {
                return Err(error.to_string());
            }
            match self.stream.peer_addr() {
                Ok(_) => self.connected = true,
                Err(error) if error.kind() == io::ErrorKind::NotConnected => return Ok(false),
                Err(error) => return Err(error.to_string()),
            }
            // Small packets that are waited for are the rule here.
            let _ = self.stream.set_nodelay(true);
            let _ = self.keep_alive();
        }
        let handshake = |link: &Link| link.tls.as_ref().is_some_and(|tls| tls.is_handshaking());
        while handshake(self) {
            self.flush().map_err(|error| words(&error, host, ca))?;
            if !handshake(self) || !self.readable {
                break;
            }
            match self.fill().map_err(|error| words(&error, host, ca))? {
                Input::End => return Err("it closed the connection in the TLS handshake".into()),
                Input::Some(_) | Input::Nothing => {}
            }
        }
        Ok(!handshake(self))
    }

    /// Has the kernel find out about a server that went away without a word.
    fn keep_alive(&self) -> rustix::io::Result<()> {
        sockopt::set_tcp_keepidle(&self.stream, KEEPALIVE_IDLE)?;
        sockopt::set_tcp_keepintvl(&self.stream, KEEPALIVE_INTERVAL)?;
        sockopt::set_tcp_keepcnt(&self.stream, KEEPALIVE_PROBES)?;
        sockopt::set_socket_keepalive(&self.stream, true)
    }

    /// Whether a read may find something.
    pub(crate) fn is_readable(&self) -> bool {
        self.readable
    }

    /// Reads once.
    pub(crate) fn read(&mut self, into: &mut [u8]) -> io::Result<Input> {
        if self.tls.is_none() {
            let found = self.stream.read(into);
            return self.found(found);
        }
        loop {
            if let Some(tls) = &mut self.tls {
                match tls.reader().read(into) {
                    Ok(0) => return Ok(Input::End),
                    Ok(found) => return Ok(Input::Some(found)),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error),
                }
            }
            if !self.readable {
                return Ok(Input::Nothing);
            }
            match self.fill()? {
                Input::Some(_) => {}
                // What was decrypted before is read first.
                Input::End => return Ok(Input::End),
                Input::Nothing => return Ok(Input::Nothing),
            }
        }
    }

    fn found(&mut self, found: io::Result<usize>) -> io::Result<Input> {
        match found {
            Ok(0) => Ok(Input::End),
            Ok(found) => Ok(Input::Some(found)),
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => {
                    self.readable = false;
                    Ok(Input::Nothing)
                }
                io::ErrorKind::Interrupted => Ok(Input::Nothing),
                _ => Err(error),
            },
        }
    }

    /// Reads records and decrypts them.
    fn fill(&mut self) -> io::Result<Input> {
        let Some(tls) = &mut self.tls else {
            return Ok(Input::Nothing);
        };
        let found = tls.read_tls(&mut self.stream);
        let found = self.found(found)?;
        if let (Input::Some(_), Some(tls)) = (&found, &mut self.tls)
            && let Err(error) = tls.process_new_packets()
        {
            // The alert, if it goes.
            let _ = tls.write_tls(&mut self.stream);
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        Ok(found)
    }

    /// Sends as much of `bytes` as goes, and takes it off. Whether any went.
    pub(crate) fn write(&mut self, bytes: &mut Vec<u8>) -> io::Result<bool> {
        if !self.flush()? || bytes.is_empty() {
            return Ok(false);
        }
        if let Some(tls) = &mut self.tls {
            let part = bytes.len().min(WAITING);
            tls.set_buffer_limit(None);
            tls.writer()
                .write_all(bytes.get(..part).unwrap_or_default())?;
            bytes.drain(..part);
            self.flush()?;
        } else {
            let mut sent = 0usize;
            while self.writable && sent < bytes.len() {
                let wrote = self.stream.write(bytes.get(sent..).unwrap_or_default());
                sent = sent.saturating_add(self.wrote(wrote)?);
            }
            if sent == 0 {
                return Ok(false);
            }
            bytes.drain(..sent);
        }
        if bytes.is_empty() {
            *bytes = Vec::new();
        }
        Ok(true)
    }

    /// Writes what TLS has. True once nothing waits.
    fn flush(&mut self) -> io::Result<bool> {
        loop {
            let Some(tls) = &mut self.tls else {
                return Ok(true);
            };
            if !tls.wants_write() {
                return Ok(true);
            }
            if !self.writable {
                return Ok(false);
            }
            let wrote = tls.write_tls(&mut self.stream);
            self.wrote(wrote)?;
        }
    }

    fn wrote(&mut self, wrote: io::Result<usize>) -> io::Result<usize> {
        match wrote {
            Ok(wrote) => Ok(wrote),
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => {
                    self.writable = false;
                    Ok(0)
                }
                io::ErrorKind::Interrupted => Ok(0),
                _ => Err(error),
            },
        }
    }

    /// Says that nothing more will be sent; what the server sends is still read. True once that
    /// is out, until then it is to be called again.
    pub(crate) fn finish(&mut self) -> io::Result<bool> {
        if self.finished {
            return Ok(true);
        }
        if !self.farewell {
            self.farewell = true;
            if let Some(tls) = &mut self.tls {
                tls.send_close_notify();
            }
        }
        if !self.flush()? {
            return Ok(false);
        }
        self.finished = true;
        match self.stream.shutdown(Shutdown::Write) {
            // It is gone, as reading will tell.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(true),
            shut => shut.map(|()| true),
        }
    }

    /// Says what is left, as far as it goes at once, and closes.
    pub(crate) fn close(mut self, registry: &Registry, rest: &mut Vec<u8>) {
        let established = self.tls.as_ref().is_none_or(|tls| !tls.is_handshaking());
        if self.connected && established {
            let _ = self.write(rest);
            if let Some(tls) = &mut self.tls
                && !self.farewell
            {
                tls.send_close_notify();
                let _ = tls.write_tls(&mut self.stream);
            }
            let _ = self.stream.shutdown(Shutdown::Write);
        }
        let _ = registry.deregister(&mut self.stream);
    }
}

/// What went wrong, for the owner: who has to mend it, and where.
pub(crate) fn words(error: &io::Error, host: &str, ca: &str) -> String {
    let tls = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let Some(tls) = tls else {
        return error.to_string();
    };
    let certificate = match tls {
        rustls::Error::InvalidCertificate(certificate) => certificate,
        rustls::Error::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        ) => return "it does not speak TLS".into(),
        other => return format!("TLS: {other}"),
    };
    match certificate {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired".into()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet: does this router know the time?".into()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("its certificate is for another name than {host}")
        }
        CertificateError::UnknownIssuer => {
            format!("its certificate is from no authority in {ca}")
        }
        other => format!("its certificate is not valid: {other}"),
    }
}
