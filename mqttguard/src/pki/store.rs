//! Certificate and key files, written so that a power cut leaves the old file or the new one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use zeroize::Zeroizing;

use super::PkiError;

/// Mode of files that everybody may read.
pub(super) const PUBLIC: u32 = 0o644;
/// Mode of files with a private key.
pub(super) const SECRET: u32 = 0o600;

/// Larger than any file of ours; a file above it is not one.
const MAX_FILE: u64 = 64 * 1024;
/// A revocation list takes some 40 bytes for each certificate.
const MAX_LARGE_FILE: u64 = 1024 * 1024;

/// Makes the directory if it is not there. What is secret in it has its own mode.
pub(super) fn create_dir(dir: &Path) -> Result<(), PkiError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(dir)
        .map_err(|error| PkiError::io("create", dir, error))
}

/// The file's text; None if there is no such file.
pub(super) fn read(path: &Path) -> Result<Option<Zeroizing<String>>, PkiError> {
    read_up_to(path, MAX_FILE, PkiError::damaged)
}

/// The same, for one that the owner brings.
pub(super) fn read_large(path: &Path) -> Result<Option<Zeroizing<String>>, PkiError> {
    read_up_to(path, MAX_LARGE_FILE, |path, what| {
        PkiError::unusable(path, what)
    })
}

fn read_up_to(
    path: &Path,
    most: u64,
    unfit: fn(&Path, String) -> PkiError,
) -> Result<Option<Zeroizing<String>>, PkiError> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(PkiError::io("read", path, error)),
    };
    if metadata.len() > most {
        let what = format!("it is larger than {} KiB", most / 1024);
        return Err(unfit(path, what));
    }
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(Zeroizing::new(text))),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            Err(unfit(path, "it is not text".to_owned()))
        }
        Err(error) => Err(PkiError::io("read", path, error)),
    }
}

/// Takes group and others their rights to a secret file, should they have any.
pub(super) fn tighten(path: &Path) -> Result<(), PkiError> {
    let metadata = fs::metadata(path).map_err(|error| PkiError::io("read", path, error))?;
    if metadata.permissions().mode() & 0o077 != 0 {
        log::warn!("{}: was readable by others, now 0600", path.display());
        fs::set_permissions(path, fs::Permissions::from_mode(SECRET))
            .map_err(|error| PkiError::io("set the mode of", path, error))?;
    }
    Ok(())
}

/// Writes the whole file or leaves the old one. It has its mode before it has its content.
pub(super) fn write(path: &Path, text: &str, mode: u32) -> Result<(), PkiError> {
    let temporary = path.with_added_extension("tmp");
    let failed = |error| PkiError::io("write", path, error);
    // One of an earlier start that lost power.
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&temporary)?;
        // The umask may have taken bits away that others need (0644).
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        match path.parent() {
            Some(dir) => File::open(dir)?.sync_all(),
            None => Ok(()),
        }
    };
    write().map_err(|error| {
        let _ = fs::remove_file(&temporary);
        failed(error)
    })
}
