//! A package's Makefile in `openwrt/`, read as far as such Makefiles go: the feed and
//! `cargo xtask package` make the same package of the same lines.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

/// What a Makefile says of its package.
#[derive(Debug)]
pub(super) struct Recipe {
    /// The package's name, that of its directory.
    pub(super) name: String,
    /// Assignments, those of the package's own section too; without what was not understood.
    variables: BTreeMap<String, String>,
    /// `define NAME` … `endef`.
    sections: BTreeMap<String, String>,
}

/// A line of the section `install`: what is put where.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Install {
    /// Permissions, as OpenWrt's `INSTALL_…` has them.
    pub(super) mode: u32,
    /// Where it comes from: below the package's directory, or `$(PKG_INSTALL_DIR)/…`.
    pub(super) from: String,
    /// Where it goes: an absolute path.
    pub(super) to: String,
}

impl Recipe {
    /// Reads `directory/Makefile`.
    pub(super) fn read(directory: &Path) -> Result<Self> {
        let file = directory.join("Makefile");
        let text =
            fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let name = directory.file_name().context("a package without a name")?;
        let name = name.to_string_lossy().into_owned();
        Self::parse(name, &text).with_context(|| file.display().to_string())
    }

    fn parse(name: String, text: &str) -> Result<Self> {
        let mut recipe = Recipe {
            name,
            variables: BTreeMap::new(),
            sections: BTreeMap::new(),
        };
        let mut section: Option<(String, String)> = None;
        for line in text.lines() {
            match &mut section {
                Some((name, body)) if line.trim() == "endef" => {
                    recipe
                        .sections
                        .insert(std::mem::take(name), std::mem::take(body));
                    section = None;
                }
                Some((name, body)) => {
                    ensure!(
                        !line.starts_with("define "),
                        "'define {name}' has no 'endef'"
                    );
                    body.push_str(line);
                    body.push('\n');
                }
                None => match line.strip_prefix("define ") {
                    Some(name) => section = Some((name.trim().to_owned(), String::new())),
                    None => recipe.assign(line),
                },
            }
        }
        ensure!(section.is_none(), "a 'define' without its 'endef'");
        let own = recipe.section("").unwrap_or_default().to_owned();
        for line in own.lines() {
            recipe.assign(line);
        }
        Ok(recipe)
    }

    fn assign(&mut self, line: &str) {
        if line.trim_start().starts_with('#') {
            return;
        }
        if let Some((name, value)) = line.split_once('=') {
            let name = name.trim().trim_end_matches([':', '?', '+']);
            let value = value.trim().to_owned();
            self.variables.insert(name.trim().to_owned(), value);
        }
    }

    /// The section `Package/NAME/WHAT`; `Package/NAME` for an empty `what`.
    pub(super) fn section(&self, what: &str) -> Option<&str> {
        let slash = if what.is_empty() { "" } else { "/" };
        let key = format!("Package/{}{slash}{what}", self.name);
        self.sections.get(&key).map(String::as_str)
    }

    /// A variable, which must be there and refer to no other.
    pub(super) fn variable(&self, name: &str) -> Result<&str> {
        let value = self.variables.get(name).with_context(|| {
            format!("{name} is not set where packages for routers are told apart by it")
        })?;
        ensure!(
            !value.contains("$("),
            "{name}: found '{value}', expected a value"
        );
        Ok(value)
    }

    /// Whether a variable is set.
    pub(super) fn has(&self, name: &str) -> bool {
        self.variables.contains_key(name)
    }

    /// `PKG_VERSION-rPKG_RELEASE`.
    pub(super) fn version(&self) -> Result<String> {
        let (version, release) = (self.variable("PKG_VERSION")?, self.variable("PKG_RELEASE")?);
        Ok(format!("{version}-r{release}"))
    }

    /// The packages of `variable` that have to be there: of `+a +b @C $(D)` that is a and b.
    pub(super) fn depends(&self, variable: &str) -> Vec<String> {
        let list = self.variables.get(variable);
        list.map_or("", String::as_str)
            .split_whitespace()
            .filter_map(|word| word.strip_prefix('+'))
            .map(str::to_owned)
            .collect()
    }

    /// A section's lines, without those that are empty.
    pub(super) fn lines(&self, section: &str) -> Vec<&str> {
        let body = self.section(section).unwrap_or_default();
        body.lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect()
    }

    /// What the section `install` puts where. Directories come with what is in them.
    pub(super) fn installs(&self) -> Result<Vec<Install>> {
        let mut installs = Vec::new();
        for line in self.lines("install") {
            let words: Vec<&str> = line.split_whitespace().collect();
            let (mode, rest) = match words.split_first() {
                Some((&"$(INSTALL_DIR)", _)) => continue,
                Some((&"$(INSTALL_BIN)", rest)) => (0o755, rest),
                Some((&"$(INSTALL_CONF)", rest)) => (0o600, rest),
                Some((&"$(INSTALL_DATA)", rest)) => (0o644, rest),
                _ => bail!("install: found '{line}', expected $(INSTALL_BIN|CONF|DATA) FROM TO"),
            };
            let [from, to] = rest else {
                bail!("install: found '{line}', expected one file and where it goes");
            };
            let to = to
                .strip_prefix("$(1)/")
                .with_context(|| format!("install: found '{to}', expected $(1)/…"))?;
            let name = from.rsplit('/').next().unwrap_or(from);
            let to = match to.strip_suffix('/') {
                Some(directory) => format!("/{directory}/{name}"),
                None => format!("/{to}"),
            };
            let from = from.trim_start_matches("./").to_owned();
            installs.push(Install { mode, from, to });
        }
        ensure!(!installs.is_empty(), "installs nothing");
        Ok(installs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAKEFILE: &str = "\
include $(TOPDIR)/rules.mk
PKG_VERSION:=1.2.3
PKG_RELEASE:=4
define Package/x
  TITLE:=A thing
  DEPENDS:=$(RUST_ARCH_DEPENDS) @IPV6 +ubus +nftables
endef
define Package/x/conffiles
/etc/config/x
endef
define Package/x/install
\t$(INSTALL_DIR) $(1)/etc/config
\t$(INSTALL_CONF) ./files/x.config $(1)/etc/config/x
\t$(INSTALL_BIN) $(PKG_INSTALL_DIR)/bin/x $(1)/usr/sbin/
endef
";

    #[test]
    fn reads_what_the_feed_reads() {
        let recipe = Recipe::parse("x".into(), MAKEFILE).unwrap();
        assert_eq!(recipe.version().unwrap(), "1.2.3-r4");
        assert_eq!(recipe.variable("TITLE").unwrap(), "A thing");
        assert_eq!(recipe.depends("DEPENDS"), ["ubus", "nftables"]);
        assert_eq!(recipe.lines("conffiles"), ["/etc/config/x"]);
        let installs = recipe.installs().unwrap();
        let of: Vec<_> = installs
            .iter()
            .map(|one| (one.mode, one.from.as_str(), one.to.as_str()))
            .collect();
        let program = "$(PKG_INSTALL_DIR)/bin/x";
        assert_eq!(
            of,
            [
                (0o600, "files/x.config", "/etc/config/x"),
                (0o755, program, "/usr/sbin/x")
            ]
        );
    }

    #[test]
    fn refuses_what_it_would_get_wrong() {
        for (line, replacement) in [
            ("PKG_RELEASE:=4", "PKG_RELEASE:=$(OTHER)"),
            ("PKG_RELEASE:=4", "#"),
            ("\t$(INSTALL_CONF)", "\t$(CP)"),
            ("$(1)/etc/config/x", "/etc/config/x"),
            (
                "endef\ndefine Package/x/conffiles",
                "define Package/x/conffiles",
            ),
        ] {
            let text = MAKEFILE.replacen(line, replacement, 1);
            assert_ne!(text, MAKEFILE);
            let read = Recipe::parse("x".into(), &text)
                .and_then(|recipe| Ok((recipe.version()?, recipe.installs()?)));
            assert!(read.is_err(), "{replacement}: {read:?}");
        }
    }
}
