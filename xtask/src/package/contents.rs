//! What a package holds, whatever it is packed in.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::recipe::Recipe;

/// A package, ready to be packed. Everything in it belongs to root.
#[derive(Debug, Clone)]
pub(super) struct Contents {
    pub(super) name: String,
    /// As opkg and apk have it: `0.1.0-r1`.
    pub(super) version: String,
    /// OpenWrt's name of the architecture; `all` for every one.
    pub(super) arch: String,
    /// Packages that have to be there.
    pub(super) depends: Vec<String>,
    pub(super) title: String,
    pub(super) description: String,
    /// SPDX.
    pub(super) license: String,
    pub(super) maintainer: String,
    pub(super) section: String,
    pub(super) url: String,
    /// Files by their absolute path.
    pub(super) files: BTreeMap<String, File>,
    /// Paths whose contents are the owner's: files of the package, and what the daemon writes.
    pub(super) conffiles: Vec<String>,
    /// What `postinst` and `prerm` do beside the usual, without a shebang.
    pub(super) postinst: String,
    pub(super) prerm: String,
    /// Seconds since 1970 of everything in it.
    pub(super) mtime: u64,
}

/// A regular file.
#[derive(Debug, Clone)]
pub(super) struct File {
    pub(super) mode: u32,
    pub(super) bytes: Vec<u8>,
}

impl Contents {
    /// What the Makefile in `directory` puts into the package of the daemon, with `program` as what
    /// cargo has built.
    pub(super) fn of_daemon(
        directory: &Path,
        arch: &str,
        program: &Path,
        mtime: u64,
    ) -> Result<Self> {
        Self::of_makefile(directory, arch, Some(program), mtime)
    }

    /// What the Makefile in `directory` puts into a package of data, the same for all.
    pub(super) fn of_data(directory: &Path, mtime: u64) -> Result<Self> {
        Self::of_makefile(directory, "all", None, mtime)
    }

    fn of_makefile(
        directory: &Path,
        arch: &str,
        program: Option<&Path>,
        mtime: u64,
    ) -> Result<Self> {
        let recipe = Recipe::read(directory)?;
        let mut contents = Self::new(&recipe, arch, mtime)?;
        contents.depends = recipe.depends("DEPENDS");
        contents.section = recipe.variable("SECTION")?.to_owned();
        contents.title = recipe.variable("TITLE")?.to_owned();
        contents.description = recipe.lines("description").join("\n");
        for install in recipe.installs()? {
            let from = match install.from.strip_prefix("$(PKG_INSTALL_DIR)/") {
                Some(_) => program
                    .context("a program in a package of data")?
                    .to_owned(),
                None => directory.join(&install.from),
            };
            contents.add(&install.to, install.mode, &from)?;
        }
        contents.conffiles = recipe
            .lines("conffiles")
            .iter()
            .map(|&line| line.to_owned())
            .collect();
        contents.keep();
        contents.postinst = script(&recipe, "postinst")?;
        contents.prerm = script(&recipe, "prerm")?;
        Ok(contents)
    }

    /// What luci.mk makes of a LuCI application: `htdocs` below /www, `root` below /.
    pub(super) fn of_luci(directory: &Path, mtime: u64) -> Result<Self> {
        let recipe = Recipe::read(directory)?;
        let mut contents = Self::new(&recipe, "all", mtime)?;
        contents.depends = recipe.depends("LUCI_DEPENDS");
        contents.section = "luci".into();
        contents.title = recipe.variable("LUCI_TITLE")?.to_owned();
        contents.description = contents.title.clone();
        for (from, to) in [("htdocs", "/www"), ("root", "")] {
            let from = directory.join(from);
            if from.is_dir() {
                contents.add_tree(to, &from)?;
            }
        }
        ensure!(
            !contents.files.is_empty(),
            "{}: holds no file",
            directory.display()
        );
        // As luci.mk: menus and ACLs are read anew. rpcd knows its ACLs from its start only.
        contents.postinst = "[ -n \"${IPKG_INSTROOT}\" ] || {\n\
             \trm -f /tmp/luci-indexcache.*\n\
             \trm -rf /tmp/luci-modulecache/\n\
             \tkillall -HUP rpcd 2>/dev/null\n\
             \ttrue\n\
             }\n"
        .into();
        Ok(contents)
    }

    fn new(recipe: &Recipe, arch: &str, mtime: u64) -> Result<Self> {
        let url = if recipe.has("URL") {
            recipe.variable("URL")?.to_owned()
        } else {
            String::new()
        };
        Ok(Contents {
            name: recipe.name.clone(),
            version: recipe.version()?,
            arch: arch.to_owned(),
            depends: Vec::new(),
            title: String::new(),
            description: String::new(),
            license: recipe.variable("PKG_LICENSE")?.to_owned(),
            maintainer: recipe.variable("PKG_MAINTAINER")?.to_owned(),
            section: String::new(),
            url,
            files: BTreeMap::new(),
            conffiles: Vec::new(),
            postinst: String::new(),
            prerm: String::new(),
            mtime,
        })
    }

    fn add(&mut self, to: &str, mode: u32, from: &Path) -> Result<()> {
        let bytes = fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
        let file = File { mode, bytes };
        let before = self.files.insert(to.to_owned(), file);
        ensure!(before.is_none(), "{to} is installed twice");
        Ok(())
    }

    fn add_tree(&mut self, to: &str, from: &Path) -> Result<()> {
        for entry in fs::read_dir(from).with_context(|| from.display().to_string())? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_str().context("a file name that is not UTF-8")?;
            let (to, from) = (format!("{to}/{name}"), entry.path());
            if entry.file_type()?.is_dir() {
                self.add_tree(&to, &from)?;
            } else {
                let mode = match entry.metadata()?.permissions().mode() & 0o111 {
                    0 => 0o644,
                    _ => 0o755,
                };
                self.add(&to, mode, &from)?;
            }
        }
        Ok(())
    }

    /// As OpenWrt's package-pack.mk: what is the owner's and no file of the package survives an
    /// upgrade of the whole system if it is named here.
    fn keep(&mut self) {
        let kept: String = self
            .conffiles
            .iter()
            .filter(|path| !self.files.contains_key(*path))
            .map(|path| format!("{path}\n"))
            .collect();
        if !kept.is_empty() {
            let path = format!("/lib/upgrade/keep.d/{}", self.name);
            let bytes = kept.into_bytes();
            self.files.insert(path, File { mode: 0o644, bytes });
        }
    }

    /// The conffiles that are files of the package.
    pub(super) fn own_conffiles(&self) -> impl Iterator<Item = (&String, &File)> {
        self.files
            .iter()
            .filter(|(path, _)| self.conffiles.contains(path))
    }

    /// All directories above the files, without the root, each after the one it is in.
    pub(super) fn directories(&self) -> Vec<String> {
        let mut directories = std::collections::BTreeSet::new();
        for path in self.files.keys() {
            for (at, _) in path.match_indices('/').filter(|(at, _)| *at > 0) {
                directories.insert(path.split_at(at).0.to_owned());
            }
        }
        directories.into_iter().collect()
    }

    /// Bytes of all files.
    pub(super) fn size(&self) -> u64 {
        self.files
            .values()
            .map(|file| file.bytes.len() as u64)
            .sum()
    }
}

/// A script's section without its shebang, with `$$` as make has it.
fn script(recipe: &Recipe, name: &str) -> Result<String> {
    let Some(body) = recipe.section(name) else {
        return Ok(String::new());
    };
    let body = body
        .strip_prefix("#!/bin/sh\n")
        .with_context(|| format!("{name}: does not begin with #!/bin/sh"))?;
    let told = body.replace("$$", "\u{0}");
    ensure!(!told.contains('$'), "{name}: a '$' that is not '$$'");
    Ok(told.replace('\u{0}', "$"))
}
