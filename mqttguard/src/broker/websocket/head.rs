//! The request that opens a WebSocket: RFC 6455 section 4.2, MQTT 5 section 6.
//!
//! Browsers say which page opens a WebSocket, and let every page of the world open one to any
//! host they can reach. A page from elsewhere is refused: it could try passwords from within the
//! house, with the browser's client certificate even log in. Pages from the same host are let
//! through (LuCI is on another port of it), and those that the owner names. The path is not
//! looked at: clients differ in it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use httparse::{EMPTY_HEADER, Error, Header, Status};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use crate::text::clip;

/// The longest request head. Browsers send the cookies of all ports of the host with it.
pub(super) const MAX: usize = 8 * 1024;
/// Headers in it at most.
const HEADERS: usize = 64;

/// What a client's key is hashed with: section 1.3.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// What has come of a request.
pub(super) enum Request {
    /// There is more to come.
    Partial,
    Accepted {
        response: Vec<u8>,
        /// Bytes of the request.
        length: usize,
    },
    Refused {
        response: Vec<u8>,
        why: String,
    },
}

/// Reads a request, as far as it is there.
pub(super) fn read(bytes: &[u8], origins: &[String]) -> Request {
    let mut headers = [EMPTY_HEADER; HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let refused = match request.parse(bytes) {
        Ok(Status::Complete(length)) if length <= MAX => match upgrade(&request, origins) {
            Ok(key) => {
                let response = switching(key);
                return Request::Accepted { response, length };
            }
            Err(refusal) => refusal,
        },
        Ok(Status::Partial) if bytes.len() <= MAX => return Request::Partial,
        Ok(_) => refusal(TOO_LARGE, "a request head of more than 8 KiB"),
        Err(Error::TooManyHeaders) => refusal(TOO_LARGE, "more than 64 headers"),
        Err(error) => refusal(BAD_REQUEST, format!("no HTTP request ({error})")),
    };
    let response = refused.response();
    let why = refused.why;
    Request::Refused { response, why }
}

const BAD_REQUEST: &str = "400 Bad Request";
const FORBIDDEN: &str = "403 Forbidden";
const NOT_ALLOWED: &str = "405 Method Not Allowed";
const UPGRADE_REQUIRED: &str = "426 Upgrade Required";
const TOO_LARGE: &str = "431 Request Header Fields Too Large";

struct Refusal {
    status: &'static str,
    why: String,
}

fn refusal(status: &'static str, why: impl Into<String>) -> Refusal {
    Refusal {
        status,
        why: why.into(),
    }
}

impl Refusal {
    fn response(&self) -> Vec<u8> {
        let Refusal { status, why } = self;
        let more = match *status {
            // RFC 9110 section 15.5.22, RFC 6455 section 4.4
            UPGRADE_REQUIRED => {
                "Upgrade: websocket\r\nConnection: Upgrade, close\r\nSec-WebSocket-Version: 13\r\n"
            }
            NOT_ALLOWED => "Allow: GET\r\nConnection: close\r\n",
            _ => "Connection: close\r\n",
        };
        let body = format!("This port speaks MQTT over WebSocket, subprotocol mqtt.\n{why}\n");
        let length = body.len();
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\n\
             Content-Length: {length}\r\n{more}\r\n{body}"
        )
        .into_bytes()
    }
}

/// The client's key, if the request opens a WebSocket for MQTT.
fn upgrade<'a>(
    request: &httparse::Request<'_, 'a>,
    origins: &[String],
) -> Result<&'a [u8], Refusal> {
    let headers = &*request.headers;
    if request.method != Some("GET") {
        return Err(refusal(NOT_ALLOWED, "not a GET"));
    }
    if request.version != Some(1) {
        return Err(refusal(BAD_REQUEST, "not HTTP/1.1"));
    }
    let host = one(headers, "Host")?.ok_or_else(|| refusal(BAD_REQUEST, "no Host"))?;
    if !has_token(headers, "Connection", "upgrade") || !has_token(headers, "Upgrade", "websocket") {
        return Err(refusal(UPGRADE_REQUIRED, "no upgrade to a WebSocket"));
    }
    if one(headers, "Sec-WebSocket-Version")? != Some(b"13") {
        return Err(refusal(UPGRADE_REQUIRED, "not version 13 of WebSocket"));
    }
    if let Some(origin) = one(headers, "Origin")?
        && !is_allowed(origin, host, origins)
    {
        let origin = String::from_utf8_lossy(origin);
        let why = format!("pages of origin {} may not connect", clip(&origin));
        return Err(refusal(FORBIDDEN, why));
    }
    // MQTT-6.0.0-3. Of names that are sent only "mqtt" is defined; case counts in it.
    let offered = |name: &str| name == "mqtt";
    if !tokens(headers, "Sec-WebSocket-Protocol").any(offered) {
        return Err(refusal(BAD_REQUEST, "no subprotocol mqtt"));
    }
    let key = one(headers, "Sec-WebSocket-Key")?;
    let mut nonce = [0; 18];
    key.filter(|key| STANDARD.decode_slice(key, &mut nonce) == Ok(16))
        .ok_or_else(|| refusal(BAD_REQUEST, "no Sec-WebSocket-Key of 16 bytes in base64"))
}

fn switching(key: &[u8]) -> Vec<u8> {
    let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, &[key, GUID].concat());
    let accept = STANDARD.encode(hash);
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"
    )
    .into_bytes()
}

/// The value of a header that may stand there once.
fn one<'a>(headers: &[Header<'a>], name: &str) -> Result<Option<&'a [u8]>, Refusal> {
    let mut found = headers
        .iter()
        .filter(|header| header.name.eq_ignore_ascii_case(name));
    let first = found.next().map(|header| header.value.trim_ascii());
    match found.next() {
        None => Ok(first),
        Some(_) => Err(refusal(BAD_REQUEST, format!("{name} twice"))),
    }
}

/// The words of a header that is a list.
fn tokens<'a>(headers: &'a [Header<'_>], name: &'a str) -> impl Iterator<Item = &'a str> {
    headers
        .iter()
        .filter(move |header| header.name.eq_ignore_ascii_case(name))
        .filter_map(|header| std::str::from_utf8(header.value).ok())
        .flat_map(|value| value.split(',').map(str::trim))
}

fn has_token(headers: &[Header<'_>], name: &str, token: &str) -> bool {
    tokens(headers, name).any(|found| found.eq_ignore_ascii_case(token))
}

/// Whether pages of this origin may connect to this host.
fn is_allowed(origin: &[u8], host: &[u8], origins: &[String]) -> bool {
    let (Ok(origin), Ok(host)) = (std::str::from_utf8(origin), std::str::from_utf8(host)) else {
        return false;
    };
    let named = |allowed: &String| allowed == "*" || allowed.eq_ignore_ascii_case(origin);
    if origins.iter().any(named) {
        return true;
    }
    let page = origin
        .strip_prefix("https://")
        .or_else(|| origin.strip_prefix("http://"));
    page.is_some_and(|page| {
        let (page, host) = (without_port(page), without_port(host));
        !host.is_empty() && page.eq_ignore_ascii_case(host)
    })
}

fn without_port(authority: &str) -> &str {
    let end = match authority.find(']') {
        Some(end) => end.saturating_add(1),
        None => authority.find(':').unwrap_or(authority.len()),
    };
    authority.get(..end).unwrap_or(authority)
}
