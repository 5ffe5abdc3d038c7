//! What it takes to reach a server and may take its time: files and names. On a thread of its
//! own for each attempt, so that the broker never waits for a disk or a name server, and so that
//! renewed certificates and passwords are in force with the next connection.

use std::fs::File;
use std::io::{self, Read as _};
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::thread;

use mio::Waker;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use crate::config::{Bridge, BridgeTls};

/// Addresses of one name that are tried.
const ADDRESSES: usize = 8;
/// Largest file with a password, with certificates.
const PASSWORD_MAX: u64 = 4 * 1024;
const PEM_MAX: u64 = 1 << 20;
/// The resolver of musl keeps its answers on the stack.
const STACK: usize = 256 * 1024;
/// Bits of a mode that let others than the owner read or write.
const OTHERS: u32 = 0o066;

/// An attempt's number: answers to earlier ones are of no use.
pub(super) type Attempt = u64;

/// What came of it.
pub(super) struct Answer {
    pub(super) bridge: Arc<str>,
    pub(super) attempt: Attempt,
    pub(super) found: Result<Prepared, String>,
}

/// All that is needed to connect.
pub(super) struct Prepared {
    pub(super) addresses: Vec<SocketAddr>,
    pub(super) tls: Option<Arc<ClientConfig>>,
    pub(super) password: Option<Zeroizing<Vec<u8>>>,
}

/// Prepares a connection; the answer comes by `answers`.
pub(super) fn start(
    bridge: &Bridge,
    attempt: Attempt,
    answers: SyncSender<Answer>,
    waker: Arc<Waker>,
) -> io::Result<()> {
    let config = bridge.clone();
    let work = move || {
        let answer = Answer {
            bridge: config.name.as_str().into(),
            attempt,
            found: prepare(&config),
        };
        // A broker that is gone needs no answer.
        if answers.send(answer).is_ok() {
            let _ = waker.wake();
        }
    };
    let thread = thread::Builder::new().name("bridge".into());
    thread.stack_size(STACK).spawn(work).map(drop)
}

fn prepare(bridge: &Bridge) -> Result<Prepared, String> {
    let password = bridge.password_file.as_deref().map(password).transpose()?;
    let tls = bridge.tls.as_ref().map(client_config).transpose()?;
    let host = &bridge.host;
    let found = (host.as_str(), bridge.port).to_socket_addrs();
    let found = found.map_err(|error| format!("the name {host} cannot be looked up: {error}"))?;
    let addresses: Vec<SocketAddr> = found.take(ADDRESSES).collect();
    match addresses.is_empty() {
        true => Err(format!("the name {host} has no address")),
        false => Ok(Prepared {
            addresses,
            tls,
            password,
        }),
    }
}

fn password(path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    let mut password = secret(path, PASSWORD_MAX)?;
    while let Some(b'\n' | b'\r') = password.last() {
        password.pop();
    }
    match password.is_empty() {
        true => Err(format!(
            "{}: found nothing, expected a password",
            path.display()
        )),
        false => Ok(password),
    }
}

/// Reads a file that nobody but its owner can.
fn secret(path: &Path, most: u64) -> Result<Zeroizing<Vec<u8>>, String> {
    let unreadable = |error| format!("{}: {error}", path.display());
    let file = File::open(path).map_err(unreadable)?;
    let mode = file.metadata().map_err(unreadable)?.mode() & 0o777;
    if mode & OTHERS != 0 {
        return Err(format!(
            "{}: found mode {mode:04o}, expected 0600: others can read it",
            path.display()
        ));
    }
    take(file, most).map(Zeroizing::new).map_err(unreadable)
}

fn take(file: File, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|len| len > most) {
        let what = format!("larger than {most} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
    }
    Ok(bytes)
}

fn client_config(tls: &BridgeTls) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    // A bundle may hold certificates that are not fit for this; one that is will do.
    let (trusted, _) = roots.add_parsable_certificates(certificates(&tls.ca)?);
    if trusted == 0 {
        return Err(format!(
            "{}: found no certificate of an authority in it (package ca-bundle)",
            tls.ca.display()
        ));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots);
    let config = match &tls.identity {
        None => config.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = certificates(certificate)?;
            let pem = secret(key, PEM_MAX)?;
            let private = PrivateKeyDer::from_pem_slice(&pem)
                .map_err(|error| format!("{}: {error}", key.display()))?;
            config
                .with_client_auth_cert(chain, private)
                .map_err(|error| {
                    format!("{} and {}: {error}", certificate.display(), key.display())
                })?
        }
    };
    Ok(Arc::new(config))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let unreadable = |error| format!("{}: {error}", path.display());
    let pem = File::open(path)
        .and_then(|file| take(file, PEM_MAX))
        .map_err(unreadable)?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    all.map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_password_is_read_without_its_line_end_and_only_from_a_file_of_its_owner() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("password");
        fs::write(&path, "s3cret\n").unwrap();
        let mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        mode(0o600);
        assert_eq!(password(&path).unwrap().as_slice(), b"s3cret");
        mode(0o644);
        let why = password(&path).unwrap_err();
        assert!(why.contains("found mode 0644, expected 0600"), "{why}");
        mode(0o600);
        fs::write(&path, "\n").unwrap();
        assert!(password(&path).unwrap_err().contains("expected a password"));
        fs::write(&path, "x".repeat(5000)).unwrap();
        assert!(password(&path).unwrap_err().contains("larger than 4096"));
        assert!(password(&dir.path().join("none")).is_err());
    }

    #[test]
    fn a_bundle_without_a_certificate_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let ca = dir.path().join("ca.pem");
        fs::write(&ca, "nothing\n").unwrap();
        let tls = BridgeTls { ca, identity: None };
        let why = client_config(&tls).unwrap_err();
        assert!(why.contains("no certificate of an authority"), "{why}");
    }
}
