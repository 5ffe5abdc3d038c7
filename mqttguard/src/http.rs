//! One request over HTTP/1.1 (RFC 9112), bounded in time and size: what an external check, makers'
//! descriptions and the local web interfaces of devices need, and no more. No redirects, no proxies, no reuse of
//! connections.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

const MAX_HEADERS: usize = 64;

/// What is asked.
pub(crate) struct Request<'a> {
    /// `GET` or `POST`.
    pub(crate) method: &'static str,
    /// Path and query, encoded; begins with `/`.
    pub(crate) target: &'a str,
    /// Host and port.
    pub(crate) authority: &'a str,
    /// Further header fields.
    pub(crate) headers: &'a [(&'static str, &'a str)],
    /// What is posted.
    pub(crate) body: &'a [u8],
}

/// What comes back; all of it is the server's word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Response {
    /// The status code (RFC 9110 section 15).
    pub(crate) status: u16,
    /// `WWW-Authenticate` fields, in their order.
    pub(crate) challenges: Vec<String>,
    pub(crate) body: Vec<u8>,
}

/// A stream whose every read and write ends with the deadline.
pub(crate) struct Timed {
    pub(crate) stream: TcpStream,
    pub(crate) deadline: Instant,
}

/// The time that is left until the deadline; an error once there is none.
pub(crate) fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    match left.is_zero() {
        true => Err(io::ErrorKind::TimedOut.into()),
        false => Ok(left),
    }
}

impl Read for Timed {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(left(self.deadline)?))?;
        self.stream.read(buf)
    }
}

impl Write for Timed {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(left(self.deadline)?))?;
        self.stream.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// What went wrong, in words.
pub(crate) fn words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "it did not answer in time".into(),
        io::ErrorKind::UnexpectedEof => "it closed the connection before it had answered".into(),
        _ => error.to_string(),
    }
}

/// Sends the request and takes the answer, head and body of which are at most `most` bytes.
///
/// # Errors
///
/// When the stream fails, or what comes back is no answer or too long.
pub(crate) fn exchange(
    mut stream: impl Read + Write,
    request: &Request<'_>,
    most: usize,
) -> io::Result<Response> {
    stream.write_all(&written(request))?;
    stream.flush()?;
    let mut answer = Vec::new();
    let mut room = [0; 2048];
    loop {
        let found = match stream.read(&mut room) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return cut(&answer, most)?.ok_or(error);
            }
            Err(error) => return Err(error),
        };
        answer.extend_from_slice(room.get(..found).unwrap_or_default());
        if answer.len() > most {
            return Err(wrong(format_args!("an answer of more than {most} bytes")));
        }
        if let Some(response) = read(&answer, found == 0, most)? {
            return Ok(response);
        }
        if found == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// An answer over TLS whose end nobody vouches for, as many servers leave it. It may have been cut, which
/// does no harm where only the status matters.
fn cut(answer: &[u8], most: usize) -> io::Result<Option<Response>> {
    let found = read(answer, true, most)?;
    Ok(found.filter(|response| !(200..300).contains(&response.status)))
}

/// The request as it goes out, in one piece: small servers take no other.
fn written(request: &Request<'_>) -> Zeroizing<Vec<u8>> {
    let Request {
        method,
        target,
        authority,
        headers,
        body,
    } = request;
    let mut size = 128usize
        .saturating_add(target.len())
        .saturating_add(authority.len())
        .saturating_add(body.len());
    for (name, value) in *headers {
        size = size.saturating_add(name.len()).saturating_add(value.len());
        size = size.saturating_add(4);
    }
    // Never grown: what was left behind by that would not be wiped.
    let mut out = Zeroizing::new(Vec::with_capacity(size));
    let mut put = |parts: &[&str]| {
        for part in parts {
            out.extend_from_slice(part.as_bytes());
        }
    };
    put(&[method, " ", target, " HTTP/1.1\r\nHost: ", authority]);
    put(&["\r\nConnection: close\r\n"]);
    for (name, value) in *headers {
        put(&[name, ": ", value, "\r\n"]);
    }
    if *method != "GET" {
        put(&["Content-Length: ", &body.len().to_string(), "\r\n"]);
    }
    put(&["\r\n"]);
    out.extend_from_slice(body);
    out
}

fn wrong(what: impl std::fmt::Display) -> io::Error {
    io::Error::other(format!("found {what}"))
}

/// The answer, once it is whole.
fn read(answer: &[u8], ended: bool, most: usize) -> io::Result<Option<Response>> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let head = match response.parse(answer) {
        Ok(httparse::Status::Complete(head)) => head,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(wrong(format_args!("what is no HTTP: {error}"))),
    };
    let status = response.code.unwrap_or_default();
    let rest = answer.get(head..).unwrap_or_default();
    let named = |name: &'static str| {
        let all = response.headers.iter();
        all.filter(move |header| header.name.eq_ignore_ascii_case(name))
            .map(|header| header.value)
    };
    let body = if matches!(status, 204 | 304) {
        // They have none (RFC 9112 section 6.3).
        Some(Vec::new())
    } else if let Some(coding) = named("transfer-encoding").next() {
        match coding.eq_ignore_ascii_case(b"chunked") {
            true => chunks(rest, most)?,
            false => return Err(wrong("a transfer coding other than chunked")),
        }
    } else if let Some(length) = named("content-length").next() {
        let length = std::str::from_utf8(length).ok();
        let length: usize = length
            .and_then(|length| length.trim().parse().ok())
            .filter(|length| *length <= most)
            .ok_or_else(|| wrong("a content length that is none, or too large"))?;
        rest.get(..length).map(<[u8]>::to_vec)
    } else {
        ended.then(|| rest.to_vec())
    };
    let challenges = named("www-authenticate");
    let challenges = challenges.filter_map(|value| String::from_utf8(value.to_vec()).ok());
    Ok(body.map(|body| Response {
        status,
        challenges: challenges.collect(),
        body,
    }))
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

    const MOST: usize = 1024;

    fn whole(answer: &str) -> Option<String> {
        let found = read(answer.as_bytes(), true, MOST).ok()??;
        Some(String::from_utf8(found.body).unwrap())
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
                let found = read(&answer.as_bytes()[..cut], false, MOST);
                assert!(matches!(found, Ok(None)), "{cut} of {answer}: {found:?}");
            }
        }
    }

    #[test]
    fn of_an_answer_that_may_be_cut_only_a_refusal_counts() {
        let refused = cut(b"HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n", MOST);
        assert_eq!(refused.unwrap().unwrap().status, 302);
        let good = cut(b"HTTP/1.1 200 OK\r\n\r\n{}", MOST);
        assert_eq!(good.unwrap(), None);
        assert_eq!(cut(b"HTTP/1.1 302 Fou", MOST).unwrap(), None);
    }

    #[test]
    fn answers_that_are_none() {
        for answer in [
            "SSH-2.0-OpenSSH\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 1025\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFF\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n",
        ] {
            assert!(read(answer.as_bytes(), true, MOST).is_err(), "{answer}");
        }
    }

    #[test]
    fn a_request_goes_out_in_one_piece_that_is_not_grown() {
        let request = Request {
            method: "POST",
            target: "/rpc/Shelly.Reboot",
            authority: "192.168.1.7",
            headers: &[("Content-Type", "application/json"), ("X", "y")],
            body: b"{}",
        };
        let bytes = written(&request);
        assert_eq!(
            String::from_utf8_lossy(&bytes),
            "POST /rpc/Shelly.Reboot HTTP/1.1\r\nHost: 192.168.1.7\r\n\
             Connection: close\r\nContent-Type: application/json\r\nX: y\r\nContent-Length: 2\r\n\r\n{}"
        );
        assert!(bytes.capacity() >= bytes.len());
        let get = Request {
            method: "GET",
            body: b"",
            ..request
        };
        assert!(!String::from_utf8_lossy(&written(&get)).contains("Content-Length"));
    }
}
