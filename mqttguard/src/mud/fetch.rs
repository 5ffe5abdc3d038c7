//! A file and its signature, over HTTPS.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ring::digest;
use rustls::ClientConfig;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};

use super::address::is_outside;
use super::cms::{self, Signature};
use super::file::{self, Description};
use crate::config::{self, Url};
use crate::http::words;
use crate::upstream::{http, link, trust};

/// How long file and signature may take together. A call on ubus has ten seconds.
const PATIENCE: Duration = Duration::from_secs(8);
/// Addresses of one name that are tried.
const ADDRESSES: usize = 4;
/// Longest signature, in bytes.
const SIGNATURE_BYTES: usize = 64 * 1024;

/// What is to be fetched, and what to trust for it.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) url: String,
    /// The owner's word, and not the device's: its host may be anywhere.
    pub(crate) by_hand: bool,
    /// Who may vouch for servers, and for signers too.
    pub(crate) ca: PathBuf,
    /// Who may vouch for signers beside them.
    pub(crate) signers: Option<PathBuf>,
    /// The router's own addresses.
    pub(crate) own: Vec<IpAddr>,
}

/// A file that was fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fetched {
    pub(crate) url: String,
    pub(crate) by_hand: bool,
    /// SHA-256 of the file, in hexadecimal: which file it was.
    pub(crate) sha256: String,
    pub(crate) description: Description,
    pub(crate) signature: Signature,
}

/// Fetches a file and its signature, reads the one and verifies the other.
///
/// # Errors
///
/// Why there is no file, or none that can be read. A signature that cannot be had makes it
/// [`Signature::Invalid`].
pub(crate) fn fetch(wish: &Wish) -> Result<Fetched, String> {
    let deadline = Instant::now() + PATIENCE;
    let tls = trust::client_config(&wish.ca, None)?;
    let most = file::MAX_BYTES;
    let home = url(&wish.url)?;
    let accept = "application/mud+json";
    let bytes = get(wish, &home, &home, accept, &tls, deadline, most)?;
    let description = file::read(&bytes).map_err(|error| format!("the MUD file: {error}"))?;
    if description.url != wish.url {
        // A signed file of another product must not stand for this one.
        return Err(format!(
            "the MUD file: mud-url: found '{}', expected '{}'",
            description.url, wish.url
        ));
    }
    let signature = match &description.signature_url {
        None => Signature::Absent,
        Some(at) => {
            let fetched = url(at).and_then(|at| {
                let accept = "application/pkcs7-signature";
                get(wish, &home, &at, accept, &tls, deadline, SIGNATURE_BYTES)
            });
            let verified = fetched
                .map_err(|error| format!("the signature cannot be fetched: {error}"))
                .and_then(|signature| {
                    let anchors = anchors(wish)?;
                    Ok(cms::verify(&bytes, &signature, &anchors, UnixTime::now()))
                });
            verified.unwrap_or_else(|why| Signature::Invalid { why })
        }
    };
    let sha256 = digest::digest(&digest::SHA256, &bytes);
    let sha256 = sha256.as_ref().iter().map(|byte| format!("{byte:02x}"));
    Ok(Fetched {
        url: wish.url.clone(),
        by_hand: wish.by_hand,
        sha256: sha256.collect(),
        description,
        signature,
    })
}

/// A URL that a MUD file or its signature may have (RFC 8520 section 5): HTTPS, no user name, no
/// fragment.
fn url(text: &str) -> Result<Url, String> {
    config::url(text)
        .filter(|url| url.is_tls && text.len() <= super::URL_BYTES)
        .ok_or_else(|| {
            let found = crate::text::clip(text);
            format!("found '{found}', expected a URL such as https://maker.example/lamp.json")
        })
}

fn get(
    wish: &Wish,
    home: &Url,
    url: &Url,
    accept: &str,
    tls: &Arc<ClientConfig>,
    deadline: Instant,
    most: usize,
) -> Result<Vec<u8>, String> {
    // The owner's word is for the host that it names, and not for where the file there points to.
    let anywhere = wish.by_hand && (&home.host, home.port) == (&url.host, url.port);
    let addresses = addresses(url, |address| anywhere || is_outside(address, &wish.own))?;
    http::get(url, accept, &addresses, tls, deadline, most).map_err(|error| {
        let told = match error
            .get_ref()
            .is_some_and(|inner| inner.is::<rustls::Error>())
        {
            true => link::words(&error, &url.host, &wish.ca.display().to_string()),
            false => words(&error),
        };
        format!("{url}: {told}")
    })
}

fn addresses(url: &Url, may: impl Fn(IpAddr) -> bool) -> Result<Vec<SocketAddr>, String> {
    let host = &url.host;
    let found = (host.as_str(), url.port).to_socket_addrs();
    let found = found.map_err(|error| format!("the name {host} cannot be looked up: {error}"))?;
    let (outside, inside): (Vec<_>, Vec<_>) = found.partition(|found| may(found.ip()));
    match (outside.is_empty(), inside.first()) {
        (false, _) => Ok(outside.into_iter().take(ADDRESSES).collect()),
        (true, None) => Err(format!("the name {host} has no address")),
        (true, Some(found)) => Err(format!(
            "{host} is at {}, which is not on the internet: a device could have the router reach what \
             it cannot itself (--url, by your own hand, may name it)",
            found.ip()
        )),
    }
}

/// Whom to trust to vouch for signers.
fn anchors(wish: &Wish) -> Result<Vec<TrustAnchor<'static>>, String> {
    let mut anchors = Vec::new();
    let files = [Some(wish.ca.as_path()), wish.signers.as_deref()];
    for path in files.into_iter().flatten() {
        anchors.extend(anchors_in(path)?);
    }
    Ok(anchors)
}

fn anchors_in(path: &Path) -> Result<Vec<TrustAnchor<'static>>, String> {
    let pem = trust::read(path)?;
    let found: Vec<CertificateDer<'_>> = CertificateDer::pem_slice_iter(&pem)
        .filter_map(Result::ok)
        .collect();
    let anchors = found
        .iter()
        .filter_map(|der| Some(webpki::anchor_from_trusted_cert(der).ok()?.to_owned()));
    Ok(anchors.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_urls_of_https_without_a_user_are_followed() {
        for text in [
            "https://maker.example/lamp.json",
            "https://maker.example:8443/lamp.json?v=1",
            "https://203.0.113.10/a",
        ] {
            assert!(url(text).is_ok(), "{text}");
        }
        let long = format!("https://maker.example/{}", "a".repeat(300));
        for text in [
            "http://maker.example/lamp.json",
            "http://127.0.0.1/lamp.json",
            "ftp://maker.example/",
            "file:///etc/mqttguard/registry.json",
            "https://user:password@maker.example/",
            "https://maker.example/#part",
            "https:///lamp.json",
            "https://maker.example\\@127.0.0.1/",
            "https://maker.example/a b",
            "https://maker.example/\r\nHost: other",
            "",
            &long,
        ] {
            assert!(url(text).is_err(), "{text}");
        }
    }

    #[test]
    fn names_of_the_house_are_not_asked() {
        let home = url("https://127.0.0.1:1/").unwrap();
        let error = addresses(&home, |address| is_outside(address, &[])).unwrap_err();
        assert!(error.contains("not on the internet"), "{error}");
        assert_eq!(addresses(&home, |_| true).unwrap().len(), 1);
        let home = url("https://localhost/").unwrap();
        assert!(addresses(&home, |address| is_outside(address, &[])).is_err());
    }
}
