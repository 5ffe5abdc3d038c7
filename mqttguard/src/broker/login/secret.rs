//! A secret of the router's own, kept beside the registry.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use super::password::NoRandom;

const FILE: &str = "login.secret";
const LEN: usize = 32;

/// The secret in `dir`, made there (0600) if there is none. One that cannot be read or kept is
/// replaced by another for as long as the daemon runs, and the log says so.
///
/// # Errors
///
/// When the system has no random numbers.
pub fn load_or_create(dir: &Path) -> Result<Zeroizing<[u8; LEN]>, NoRandom> {
    let path = dir.join(FILE);
    let mut secret = Zeroizing::new([0; LEN]);
    match read(&path, &mut secret) {
        Ok(()) => return Ok(secret),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => log::warn!("{}: {error}; made anew", path.display()),
    }
    SystemRandom::new()
        .fill(secret.as_mut_slice())
        .map_err(|_| NoRandom)?;
    if let Err(error) = write(&path, &secret) {
        log::warn!(
            "{}: {error}; another one is used until then",
            path.display()
        );
    }
    Ok(secret)
}

fn read(path: &Path, secret: &mut [u8; LEN]) -> io::Result<()> {
    let mut file = fs::File::open(path)?;
    file.read_exact(secret)
}

fn write(path: &Path, secret: &[u8; LEN]) -> io::Result<()> {
    let new = path.with_extension("new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let mut file = options.open(&new)?;
    file.write_all(secret)?;
    file.sync_all()?;
    fs::rename(new, path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn it_is_made_once_kept_and_readable_by_root_alone() {
        let dir = tempfile::tempdir().unwrap();
        let first = load_or_create(dir.path()).unwrap();
        assert_eq!(first, load_or_create(dir.path()).unwrap());
        assert_ne!(*first, [0; LEN]);
        let file = dir.path().join(FILE);
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::write(&file, b"cut off").unwrap();
        let second = load_or_create(dir.path()).unwrap();
        assert_ne!(first, second);
        assert_eq!(second, load_or_create(dir.path()).unwrap());
    }
}
