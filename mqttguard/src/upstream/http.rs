//! One request over HTTP/1.1 (RFC 9112), bounded in time and size: what is asked of servers elsewhere
//! and no more. No redirects, no proxies, no reuse of connections.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use zeroize::Zeroizing;

use crate::config::Url;

/// Longest answer to what is posted, head and body, in bytes.
const MAX_ANSWER: usize = 32 * 1024;
const MAX_HEADERS: usize = 64;
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
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Accept: application/json\r\nConnection: close\r\n\r\n",
        url.path,
        url.authority(),
        json.len()
    );
    let mut request = Zeroizing::new(Vec::with_capacity(head.len().saturating_add(json.len())));
    request.extend_from_slice(head.as_bytes());
    request.extend_from_slice(json);
    let addresses = (url.host.as_str(), url.port).to_socket_addrs();
    let addresses = addresses.map_err(|error| error.to_string())?;
    ask(url, addresses, &request, tls, deadline, MAX_ANSWER).map_err(|error| words(&error))
}

/// Gets what is at a URL of HTTPS: the body of the answer, which has to be a 200, of at most `most`
/// bytes. Connects to none but these addresses: whoever has looked the name up has judged them.
///
/// # Errors
///
/// What went wrong; [`words`] says it.
pub(crate) fn get(
    url: &Url,
    accept: &str,
    addresses: &[SocketAddr],
    tls: &Arc<ClientConfig>,
    deadline: Instant,
    most: usize,
) -> io::Result<Vec<u8>> {
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nAccept: {accept}\r\nConnection: close\r\n\r\n",
        url.path,
        url.authority(),
    );
    let addresses = addresses.iter().copied();
    ask(
        url,
        addresses,
        request.as_bytes(),
        Some(tls),
        deadline,
        most,
    )
}

/// What went wrong.
pub(crate) fn words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "it did not answer in time".into(),
        _ => error.to_string(),
    }
}

fn ask(
    url: &Url,
    addresses: impl Iterator<Item = SocketAddr>,
    request: &[u8],
    tls: Option<&Arc<ClientConfig>>,
    deadline: Instant,
    most: usize,
) -> io::Result<Vec<u8>> {
    let stream = connect(addresses, deadline)?;
    match tls {
        None => exchange(stream, request, most),
        Some(config) => {
            let name = ServerName::try_from(url.host.clone()).map_err(io::Error::other)?;
            let connection =
                ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
            exchange(StreamOwned::new(connection, stream), request, most)
        }
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

/// A stream whose every read and write ends with the deadline.
struct Timed {
    stream: TcpStream,
    deadline: Instant,
}

impl Timed {
    fn left(&self) -> io::Result<Option<Duration>> {
        left(self.deadline).map(Some)
    }
}

fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    match left.is_zero() {
        true => Err(io::ErrorKind::TimedOut.into()),
        false => Ok(left),
    }
}

impl Read for Timed {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(self.left()?)?;
        self.stream.read(buf)
    }
}

impl Write for Timed {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(self.left()?)?;
        self.stream.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
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

fn exchange(mut stream: impl Read + Write, request: &[u8], most: usize) -> io::Result<Vec<u8>> {
    stream.write_all(request)?;
    stream.flush()?;
    let mut answer = Vec::new();
    let mut room = [0; 2048];
    loop {
        let found = stream.read(&mut room)?;
        answer.extend_from_slice(room.get(..found).unwrap_or_default());
        if let Some(body) = body(&answer, found == 0, most)? {
            return Ok(body);
        }
        if found == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if answer.len() > most {
            return Err(wrong(format_args!("an answer of more than {most} bytes")));
        }
    }
}

fn wrong(what: impl std::fmt::Display) -> io::Error {
    io::Error::other(format!("found {what}"))
}

/// The body of an answer, once it is whole.
fn body(answer: &[u8], ended: bool, most: usize) -> io::Result<Option<Vec<u8>>> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let head = match response.parse(answer) {
        Ok(httparse::Status::Complete(head)) => head,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(wrong(format_args!("what is no HTTP: {error}"))),
    };
    let code = response.code.unwrap_or_default();
    if code != 200 {
        return Err(wrong(format_args!("status {code}, expected 200")));
    }
    let rest = answer.get(head..).unwrap_or_default();
    let named = |name: &str| {
        let mut all = response.headers.iter();
        all.find(|header| header.name.eq_ignore_ascii_case(name))
            .map(|header| header.value)
    };
    if let Some(coding) = named("transfer-encoding") {
        return match coding.eq_ignore_ascii_case(b"chunked") {
            true => chunks(rest, most),
            false => Err(wrong("a transfer coding other than chunked")),
        };
    }
    let Some(length) = named("content-length") else {
        return Ok(ended.then(|| rest.to_vec()));
    };
    let length = std::str::from_utf8(length).ok();
    let length: usize = length
        .and_then(|length| length.trim().parse().ok())
        .filter(|length| *length <= most)
        .ok_or_else(|| wrong("a content length that is none, or too large"))?;
    Ok(rest.get(..length).map(<[u8]>::to_vec))
}

/// RFC 9112 section 7.1, without extensions and trailers of any meaning.
fn chunks(mut rest: &[u8], most: usize) -> io::Result<Option<Vec<u8>>> {
    let mut out = Vec::new();
    loop {
        let (head, length) = match httparse::parse_chunk_size(rest) {
            Ok(httparse::Status::Complete(found)) => found,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err(wrong("a chunk without its size")),
        };
        if length == 0 {
            return Ok(Some(out));
        }
        let length = usize::try_from(length)
            .ok()
            .filter(|length| *length <= most)
            .ok_or_else(|| wrong("a chunk that is too large"))?;
        let Some(chunk) = rest.get(head..head.saturating_add(length)) else {
            return Ok(None);
        };
        out.extend_from_slice(chunk);
        let end = head.saturating_add(length);
        match rest.get(end..end.saturating_add(2)) {
            Some(b"\r\n") => rest = rest.get(end.saturating_add(2)..).unwrap_or_default(),
            Some(_) => return Err(wrong("a chunk that is longer than it says")),
            None => return Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(answer: &str) -> Option<String> {
        let found = body(answer.as_bytes(), true, MAX_ANSWER).ok()??;
        Some(String::from_utf8(found).unwrap())
    }

    #[test]
    fn answers_in_every_framing() {
        for (answer, expected) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "{}"),
            ("HTTP/1.0 200 OK\r\n\r\n{}", "{}"),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1;x=y\r\n}\r\n0\r\n\r\n",
                "{}",
            ),
        ] {
            assert_eq!(whole(answer).as_deref(), Some(expected), "{answer}");
            // Cut anywhere, it is not whole; without a length only the end tells.
            for cut in 0..answer.len() - 4 {
                let found = body(&answer.as_bytes()[..cut], false, MAX_ANSWER);
                assert!(matches!(found, Ok(None)), "{cut} of {answer}: {found:?}");
            }
        }
    }

    #[test]
    fn answers_that_are_none() {
        for answer in [
            "SSH-2.0-OpenSSH\r\n\r\n",
            "HTTP/1.1 204 No Content\r\n\r\n",
            "HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFF\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n",
        ] {
            assert!(
                body(answer.as_bytes(), true, MAX_ANSWER).is_err(),
                "{answer}"
            );
        }
    }
}
