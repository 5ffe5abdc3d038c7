//! Whom to trust as a server, and how to prove who the router is to it.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

/// Largest file with certificates.
const PEM_MAX: u64 = 1 << 20;
/// Bits of a mode that let others than the owner read or write.
const OTHERS: u32 = 0o066;

/// Reads a file that nobody but its owner can.
pub(crate) fn secret(path: &Path, most: u64) -> Result<Zeroizing<Vec<u8>>, String> {
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

/// TLS with servers whose certificate is from an authority in `ca`. `identity` is the router's own
/// certificate and its key. Every connection verifies the server anew: none goes on with the
/// secrets of an earlier one.
pub(crate) fn client_config(
    ca: &Path,
    identity: Option<&(PathBuf, PathBuf)>,
) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    // A bundle may hold certificates that are not fit for this; one that is will do.
    let (trusted, _) = roots.add_parsable_certificates(certificates(ca)?);
    if trusted == 0 {
        return Err(format!(
            "{}: found no certificate of an authority in it (package ca-bundle)",
            ca.display()
        ));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots);
    let mut config = match identity {
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
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let pem = read(path)?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    all.map_err(|error| format!("{}: {error}", path.display()))
}

/// Reads a file with certificates.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, String> {
    let pem = File::open(path).and_then(|file| take(file, PEM_MAX));
    pem.map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_without_a_certificate_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let ca = dir.path().join("ca.pem");
        std::fs::write(&ca, "nothing\n").unwrap();
        let why = client_config(&ca, None).unwrap_err();
        assert!(why.contains("no certificate of an authority"), "{why}");
    }
}
