//! `.ipk`, for opkg (OpenWrt 24.10 and older): a gzip tar of `debian-binary`, `data.tar.gz` and
//! `control.tar.gz`, in GNU's tar format, as OpenWrt's `ipkg-build` makes it.
//!
//! opkg installs nothing of an archive in another compression, and says nothing about it.

use std::io::Write;

use anyhow::Result;
use flate2::{Compression, GzBuilder};

use super::contents::Contents;

/// The name of the file.
pub(super) fn file_name(contents: &Contents) -> String {
    let Contents {
        name,
        version,
        arch,
        ..
    } = contents;
    format!("{name}_{version}_{arch}.ipk")
}

/// The package.
pub(super) fn pack(contents: &Contents) -> Result<Vec<u8>> {
    let mut data = Archive::new(contents.mtime);
    data.directory("./")?;
    let directories = contents.directories();
    let mut entries: Vec<(&String, bool)> =
        contents.files.keys().map(|path| (path, true)).collect();
    entries.extend(directories.iter().map(|path| (path, false)));
    entries.sort();
    for (path, is_file) in entries {
        match contents.files.get(path).filter(|_| is_file) {
            Some(file) => data.file(&format!(".{path}"), file.mode, &file.bytes)?,
            None => data.directory(&format!(".{path}/"))?,
        }
    }
    let (data, installed_size) = data.finish()?;

    let mut inner = Archive::new(contents.mtime);
    inner.directory("./")?;
    let conffiles: String = contents
        .own_conffiles()
        .map(|(path, _)| format!("{path}\n"))
        .collect();
    if !conffiles.is_empty() {
        inner.file("./conffiles", 0o644, conffiles.as_bytes())?;
    }
    let control = control(contents, installed_size);
    inner.file("./control", 0o644, control.as_bytes())?;
    // default_postinst and default_prerm enable, start, stop and disable the service, and source
    // what the package adds.
    for (script, own) in [("postinst", &contents.postinst), ("prerm", &contents.prerm)] {
        let skip = match script {
            "postinst" => "[ \"${IPKG_NO_SCRIPT}\" = \"1\" ] && exit 0\n",
            _ => "",
        };
        let text = format!(
            "#!/bin/sh\n{skip}[ -s ${{IPKG_INSTROOT}}/lib/functions.sh ] || exit 0\n\
             . ${{IPKG_INSTROOT}}/lib/functions.sh\ndefault_{script} $0 $@\n"
        );
        inner.file(&format!("./{script}"), 0o755, text.as_bytes())?;
        if !own.is_empty() {
            let text = format!("#!/bin/sh\n{own}");
            inner.file(&format!("./{script}-pkg"), 0o755, text.as_bytes())?;
        }
    }
    let (control, _) = inner.finish()?;

    let mut package = Archive::new(contents.mtime);
    package.file("./debian-binary", 0o644, b"2.0\n")?;
    package.file("./data.tar.gz", 0o644, &data)?;
    package.file("./control.tar.gz", 0o644, &control)?;
    Ok(package.finish()?.0)
}

/// The paragraph that describes the package, in it and in an index.
fn control(contents: &Contents, installed_size: usize) -> String {
    let mut text = String::new();
    let mut field = |name: &str, value: &str| {
        if !value.is_empty() {
            text.push_str(&format!("{name}: {value}\n"));
        }
    };
    field("Package", &contents.name);
    field("Version", &contents.version);
    field("Depends", &contents.depends.join(", "));
    field("License", &contents.license);
    field("Section", &contents.section);
    field("URL", &contents.url);
    field("SourceDateEpoch", &contents.mtime.to_string());
    field("Maintainer", &contents.maintainer);
    field("Architecture", &contents.arch);
    field("Installed-Size", &installed_size.to_string());
    field("Description", &contents.description.replace('\n', "\n "));
    text
}

/// A tar archive of root's, all of one time.
struct Archive {
    tar: tar::Builder<Vec<u8>>,
    mtime: u64,
}

impl Archive {
    fn new(mtime: u64) -> Self {
        let tar = tar::Builder::new(Vec::new());
        Archive { tar, mtime }
    }

    fn directory(&mut self, path: &str) -> Result<()> {
        self.entry(path, tar::EntryType::Directory, 0o755, &[])
    }

    fn file(&mut self, path: &str, mode: u32, bytes: &[u8]) -> Result<()> {
        self.entry(path, tar::EntryType::Regular, mode, bytes)
    }

    fn entry(&mut self, path: &str, kind: tar::EntryType, mode: u32, bytes: &[u8]) -> Result<()> {
        let mut header = tar::Header::new_gnu();
        // Not `set_path`, which takes the leading './' off.
        let field = &mut header.as_old_mut().name;
        anyhow::ensure!(path.len() < field.len(), "{path}: too long a path");
        for (to, from) in field.iter_mut().zip(path.bytes()) {
            *to = from;
        }
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(self.mtime);
        header.set_size(bytes.len() as u64);
        header.set_cksum();
        Ok(self.tar.append(&header, bytes)?)
    }

    /// The archive, compressed, and how long it is when it is not.
    fn finish(self) -> Result<(Vec<u8>, usize)> {
        let plain = self.tar.into_inner()?;
        // Neither a name nor a time in the header, and always the same system.
        let mut gzip = GzBuilder::new()
            .operating_system(3)
            .write(Vec::new(), Compression::best());
        gzip.write_all(&plain)?;
        Ok((gzip.finish()?, plain.len()))
    }
}

/// The control paragraph out of a package, for an index.
pub(super) fn read_control(package: &[u8]) -> Result<String> {
    use std::io::Read;

    let mut found = None;
    let mut outer = tar::Archive::new(flate2::read::GzDecoder::new(package));
    for entry in outer.entries()? {
        let entry = entry?;
        if entry.path()?.ends_with("control.tar.gz") {
            let mut inner = tar::Archive::new(flate2::read::GzDecoder::new(entry));
            for entry in inner.entries()? {
                let mut entry = entry?;
                if entry.path()?.ends_with("control") {
                    let mut text = String::new();
                    entry.read_to_string(&mut text)?;
                    found = Some(text);
                }
            }
        }
    }
    anyhow::Context::context(found, "a package without a control file")
}
