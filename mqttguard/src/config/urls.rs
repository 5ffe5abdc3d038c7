//! The kind of value that is a URL.

use std::net::{IpAddr, Ipv6Addr};

use serde_json::Value as Json;

use crate::json::json;

use super::kinds::{Kind, Port};
use super::names::HOSTNAME;
use super::settings::Url;

/// Where to ask: a URL that no password leaves the router for in the clear.
pub(super) struct HttpUrl;

impl Kind for HttpUrl {
    type Value = Url;
    fn read(&self, text: &str) -> Option<Url> {
        if text.len() > 400
            || !text
                .bytes()
                .all(|b| b.is_ascii_graphic() && !b"#@\\".contains(&b))
        {
            return None;
        }
        let (is_tls, rest) = match text.strip_prefix("https://") {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix("http://")?),
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end)?;
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']')?;
                host.parse::<Ipv6Addr>().ok()?;
                (
                    host,
                    port.strip_prefix(':').or(port.is_empty().then_some(port))?,
                )
            }
            None => authority.split_once(':').unwrap_or((authority, "")),
        };
        let is_address = host.parse::<IpAddr>();
        let is_here = match &is_address {
            Ok(address) => address.is_loopback(),
            Err(_) => host == "localhost",
        };
        if (is_address.is_err() && HOSTNAME.read(host).is_none()) || !(is_tls || is_here) {
            return None;
        }
        let port = match port {
            "" if authority.ends_with(':') => return None,
            "" if is_tls => 443,
            "" => 80,
            port => Port("TCP").read(port)?,
        };
        Some(Url {
            is_tls,
            host: host.to_owned(),
            port,
            path: match path.starts_with('/') {
                true => path.to_owned(),
                false => format!("/{path}"),
            },
        })
    }
    fn expected(&self) -> String {
        "a URL such as https://auth.example/mqtt or http://127.0.0.1:8080/mqtt; http only to this \
         router itself"
            .into()
    }
    fn form(&self) -> Json {
        json!({ "type": "url" })
    }
}
