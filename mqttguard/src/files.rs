//! Files that the owner names.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Largest file that is read, in bytes.
const FILE_MAX: u64 = 1 << 20;

/// A file's text, and whether others than its owner may read it.
///
/// # Errors
///
/// Why it cannot be read: missing, no regular file, larger than 1 MiB, not UTF-8.
pub fn read(path: &Path) -> Result<(String, bool), String> {
    let shown = path.display();
    let failed = |error: io::Error| format!("{shown}: {error}");
    // A pipe would be waited for without end, before there is anything to be told of it.
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(format!("{shown}: found no regular file, expected one"));
    }
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(FILE_MAX.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > FILE_MAX) {
        return Err(format!(
            "{shown}: found more than 1 MiB, expected at most that"
        ));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let before = error.as_bytes().get(..valid).unwrap_or_default();
        let line = before.split(|byte| *byte == b'\n').count();
        format!("{shown}: line {line}: found bytes that are not UTF-8, expected text")
    })?;
    Ok((text, metadata.mode() & 0o077 != 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_named_and_nothing_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let told = |path: &Path| read(path).unwrap_err();
        assert!(told(dir.path()).contains("found no regular file"));
        assert!(told(&dir.path().join("gone")).contains("No such file"));
        let pipe = dir.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        assert!(told(&pipe).contains("found no regular file"));
        let file = dir.path().join("file");
        std::fs::write(&file, b"one\ntwo \xff").unwrap();
        assert!(told(&file).contains("line 2: found bytes that are not UTF-8"));
        std::fs::write(&file, vec![b' '; (1 << 20) + 1]).unwrap();
        assert!(told(&file).contains("more than 1 MiB"));
        std::fs::write(&file, "good").unwrap();
        use std::os::unix::fs::PermissionsExt as _;
        for (mode, others) in [(0o600, false), (0o640, true), (0o604, true)] {
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(read(&file), Ok(("good".to_owned(), others)));
        }
    }
}
