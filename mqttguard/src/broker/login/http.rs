//! The question to an external check: one POST, whose answer has to be a 200.

use std::fs::File;
use std::io::{self, Read};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};

use crate::config::Url;
use crate::http::{Request, Timed, exchange, left, words};

/// Longest answer, head and body, in bytes.
const MAX_ANSWER: usize = 32 * 1024;
/// Longest file of certificates. The Mozilla bundle has 230 kB.
const MAX_CA_FILE: u64 = 2 << 20;

/// Posts JSON and returns the body of the answer, which has to be a 200.
///
/// # Errors
///
/// What went wrong, in words for the log.
pub(in crate::broker) fn post(
    url: &Url,
    json: &[u8],
    tls: Option<&Arc<ClientConfig>>,
    deadline: Instant,
) -> Result<Vec<u8>, String> {
    let stream = connect(url, deadline).map_err(|error| error.to_string())?;
    let request = Request {
        method: "POST",
        target: &url.path,
        authority: &url.authority(),
        headers: &[("Content-Type", "application/json")],
        body: json,
    };
    let answer = match tls {
        None => exchange(stream, &request, MAX_ANSWER),
        Some(config) => {
            let name = ServerName::try_from(url.host.clone()).map_err(|error| error.to_string())?;
            let connection = ClientConnection::new(Arc::clone(config), name)
                .map_err(|error| error.to_string())?;
            exchange(StreamOwned::new(connection, stream), &request, MAX_ANSWER)
        }
    };
    let answer = answer.map_err(|error| words(&error))?;
    match answer.status {
        200 => Ok(answer.body),
        status => Err(format!("found status {status}, expected 200")),
    }
}

/// Trusts the certificates of a PEM file, and nobody else.
pub(in crate::broker) fn trust(file: &Path) -> Result<Arc<ClientConfig>, String> {
    let said = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let mut pem = Vec::new();
    File::open(file)
        .and_then(|file| file.take(MAX_CA_FILE).read_to_end(&mut pem))
        .map_err(|error| said(&error))?;
    let mut roots = RootCertStore::empty();
    let found = CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok);
    let (added, _) = roots.add_parsable_certificates(found);
    if added == 0 {
        return Err(said(&"found no certificate, expected some in PEM"));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| said(&error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

fn connect(url: &Url, deadline: Instant) -> io::Result<Timed> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in (url.host.as_str(), url.port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, left(deadline)?) {
            Ok(stream) => return Ok(Timed { stream, deadline }),
            Err(error) => last = error,
        }
    }
    Err(last)
}
