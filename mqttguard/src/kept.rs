//! Files of the daemon's own: readable by root alone, replaced as a whole, so that a power cut
//! leaves the one before or the new one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// What is in a file; None if there is none.
///
/// # Errors
///
/// When it cannot be read, or has more than `most` bytes.
pub(crate) fn read(path: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > most {
        return Err(io::Error::other(format!("found more than {most} bytes")));
    }
    Ok(Some(bytes))
}

/// Replaces a file. When it returns, a power cut no longer loses it.
///
/// # Errors
///
/// When the directory cannot be written; the file of before is then still there.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    put(&prepare(path, bytes)?, path)
}

/// Writes what is to replace a file beside it, and makes the directory if there is none.
///
/// # Errors
///
/// When the directory cannot be written.
pub(crate) fn prepare(path: &Path, bytes: &[u8]) -> io::Result<PathBuf> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    let new = path.with_added_extension("new");
    // A half-written one of before, as after a power cut.
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    Ok(new)
}

/// Puts what was prepared in the file's place.
///
/// # Errors
///
/// When the directory cannot be written.
pub(crate) fn put(new: &Path, path: &Path) -> io::Result<()> {
    fs::rename(new, path)?;
    match path.parent() {
        Some(dir) => File::open(dir)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole_and_is_roots_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deeper/notes.json");
        assert_eq!(read(&path, 4).unwrap(), None);
        replace(&path, b"one").unwrap();
        // What a power cut left is in nobody's way.
        fs::write(dir.path().join("deeper/notes.json.new"), "half").unwrap();
        replace(&path, b"two!").unwrap();
        assert_eq!(read(&path, 4).unwrap().as_deref(), Some(&b"two!"[..]));
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(
            fs::read_dir(dir.path().join("deeper")).unwrap().count(),
            1,
            "nothing is left beside it"
        );
        let error = read(&path, 3).unwrap_err().to_string();
        assert_eq!(error, "found more than 3 bytes");
    }

    #[test]
    fn what_cannot_be_written_leaves_what_there_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notes.json");
        replace(&path, b"one").unwrap();
        // Not even root writes over a directory.
        fs::create_dir(dir.path().join("notes.json.new")).unwrap();
        assert!(replace(&path, b"two").is_err());
        assert_eq!(read(&path, 9).unwrap().as_deref(), Some(&b"one"[..]));
    }
}
