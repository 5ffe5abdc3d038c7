//! What it takes to reach a server and may take its time: files and names. On a thread of its
//! own for each attempt, so that the broker never waits for a disk or a name server, and so that
//! renewed certificates and passwords are in force with the next connection.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::thread;

use mio::Waker;
use rustls::ClientConfig;
use zeroize::Zeroizing;

use crate::config::Bridge;
use crate::upstream::trust::{client_config, secret};

/// Addresses of one name that are tried.
const ADDRESSES: usize = 8;
/// Largest file with a password.
const PASSWORD_MAX: u64 = 4 * 1024;
/// The resolver of musl keeps its answers on the stack.
const STACK: usize = 256 * 1024;

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
    let tls = bridge.tls.as_ref();
    let tls = tls.map(|tls| client_config(&tls.ca, tls.identity.as_ref()));
    let tls = tls.transpose()?;
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
}
