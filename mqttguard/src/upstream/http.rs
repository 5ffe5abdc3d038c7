//! What is asked of servers elsewhere over HTTP: one request, whose answer has to be a 200.

use std::fs::File;
use std::io::{self, Read};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};

use crate::config::Url;
use crate::http::{Request, Timed, exchange, left, words};

/// Longest answer to what is posted, head and body, in bytes.
const MAX_ANSWER: usize = 32 * 1024;
/// Room for the head of an answer whose body is bounded, in bytes.
const MAX_HEAD: usize = 8 * 1024;
/// Longest file of certificates. The Mozilla bundle has 230 kB.
const MAX_CA_FILE: u64 = 2 << 20;

/// Posts JSON and returns the body of the answer, which has to be a 200.
///
/// # Errors
///
/// What went wrong, in words for the log.
pub(crate) fn post(
    url: &Url,
    json: &[u8],
    tls: Option<&Arc<ClientConfig>>,
    deadline: Instant,
) -> Result<Vec<u8>, String> {
    let request = Request {
        method: "POST",
        target: &url.path,
        authority: &url.authority(),
        headers: &[
            ("Content-Type", "application/json"),
            ("Accept", "application/json"),
        ],
        body: json,
    };
    let addresses = (url.host.as_str(), url.port).to_socket_addrs();
    let addresses = addresses.map_err(|error| error.to_string())?;
    ask(url, addresses, &request, tls, deadline, MAX_ANSWER).map_err(|error| words(&error))
}

/// Gets what is at a URL of HTTPS: the body of the answer, which has to be a 200, of at most `most`
/// bytes. Connects to none but these addresses: whoever has looked the name up has judged them.
///
/// # Errors
///
/// What went wrong; [`crate::http::words`] says it.
pub(crate) fn get(
    url: &Url,
    accept: &str,
    addresses: &[SocketAddr],
    tls: &Arc<ClientConfig>,
    deadline: Instant,
    most: usize,
) -> io::Result<Vec<u8>> {
    let request = Request {
        method: "GET",
        target: &url.path,
        authority: &url.authority(),
        headers: &[("Accept", accept)],
        body: &[],
    };
    let addresses = addresses.iter().copied();
    let most_at_all = most.saturating_add(MAX_HEAD);
    let body = ask(url, addresses, &request, Some(tls), deadline, most_at_all)?;
    match body.len() > most {
        true => Err(io::Error::other(format!(
            "found an answer of more than {most} bytes"
        ))),
        false => Ok(body),
    }
}

fn ask(
    url: &Url,
    addresses: impl Iterator<Item = SocketAddr>,
    request: &Request<'_>,
    tls: Option<&Arc<ClientConfig>>,
    deadline: Instant,
    most: usize,
) -> io::Result<Vec<u8>> {
    let stream = connect(addresses, deadline)?;
    let answer = match tls {
        None => exchange(stream, request, most),
        Some(config) => {
            let name = ServerName::try_from(url.host.clone()).map_err(io::Error::other)?;
            let connection =
                ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
            exchange(StreamOwned::new(connection, stream), request, most)
        }
    }?;
    match answer.status {
        200 => Ok(answer.body),
        status => Err(io::Error::other(format!(
            "found status {status}, expected 200"
        ))),
    }
}

/// Trusts the certificates of a PEM file, and nobody else.
pub(crate) fn trust(file: &Path) -> Result<Arc<ClientConfig>, String> {
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

fn connect(addresses: impl Iterator<Item = SocketAddr>, deadline: Instant) -> io::Result<Timed> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in addresses {
        match TcpStream::connect_timeout(&address, left(deadline)?) {
            Ok(stream) => return Ok(Timed { stream, deadline }),
            Err(error) => last = error,
        }
    }
    Err(last)
}
