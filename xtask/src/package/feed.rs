//! Feeds: directories that a web server serves as they are, one for each architecture and package
//! manager, with a signed index.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use flate2::{Compression, GzBuilder};
use ring::digest::{SHA256, digest};

use super::contents::Contents;
use super::keys::Keys;
use super::{Format, apk, ipk};

/// What was written.
pub(super) struct Written {
    pub(super) file: PathBuf,
    pub(super) bytes: usize,
}

/// Writes the packages of one architecture and their index to `directory/FORMAT/ARCH`, in place of
/// what was there.
pub(super) fn write(
    directory: &Path,
    format: Format,
    arch: &str,
    packages: &[Contents],
    keys: &Keys,
) -> Result<Vec<Written>> {
    let above = directory.join(format.name());
    let feed = above.join(arch);
    if feed.exists() {
        fs::remove_dir_all(&feed)?;
    }
    fs::create_dir_all(&feed)?;
    let mut files = Vec::new();
    match format {
        Format::Ipk => {
            for contents in packages {
                files.push((ipk::file_name(contents), ipk::pack(contents)?));
            }
            let index = ipk_index(&files)?;
            let mut gzip = GzBuilder::new()
                .operating_system(3)
                .write(Vec::new(), Compression::best());
            gzip.write_all(index.as_bytes())?;
            let signature = keys.opkg.sign(index.as_bytes());
            files.push(("Packages.gz".into(), gzip.finish()?));
            files.push(("Packages.sig".into(), signature.into_bytes()));
            files.push(("Packages".into(), index.into_bytes()));
            save(&above.join(keys.opkg.name()), keys.opkg.public().as_bytes())?;
        }
        Format::Apk => {
            let mut packed = Vec::new();
            for contents in packages {
                packed.push(apk::pack(contents)?);
            }
            let index = apk::index(&packed, &keys.apk)?;
            for package in packed {
                files.push((package.file_name, package.bytes));
            }
            files.push(("packages.adb".into(), index));
            save(&above.join("mqttguard.pem"), &keys.apk.public()?)?;
        }
    }
    let mut written = Vec::new();
    for (name, bytes) in files {
        let file = feed.join(name);
        save(&file, &bytes)?;
        written.push(Written {
            file,
            bytes: bytes.len(),
        });
    }
    Ok(written)
}

/// `Packages`: the control paragraphs, with where the file is and what it has to be.
fn ipk_index(files: &[(String, Vec<u8>)]) -> Result<String> {
    let mut sorted: Vec<_> = files.iter().collect();
    sorted.sort();
    let mut index = String::new();
    for (name, bytes) in sorted {
        let hash: String = digest(&SHA256, bytes)
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let place = format!(
            "Filename: {name}\nSize: {}\nSHA256sum: {hash}\nDescription:",
            bytes.len()
        );
        let control = ipk::read_control(bytes)?;
        index.push_str(&control.replacen("Description:", &place, 1));
        index.push('\n');
    }
    Ok(index)
}

fn save(file: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(file, bytes).with_context(|| file.display().to_string())
}
