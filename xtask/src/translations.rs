//! `cargo xtask translations`: the template that translators of luci-app-mqttguard start from.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::command::{cargo, workspace};
use crate::setup;

/// The package, from the root of the workspace.
const PACKAGE: &str = "openwrt/luci-app-mqttguard";
/// The template, in the package.
const TEMPLATE: &str = "po/templates/mqttguard.pot";
/// How such a template begins in LuCI.
const HEAD: &str = "msgid \"\"\nmsgstr \"Content-Type: text/plain; charset=UTF-8\"\n";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only fail if the template is not what the views say
    #[arg(long)]
    check: bool,
    /// Fail if anything is missing, instead of installing it
    #[arg(long)]
    no_install: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    setup::ensure(&[setup::TRANSLATIONS], args.no_install)?;
    let package = workspace().join(PACKAGE);
    let (template, made) = (package.join(TEMPLATE), template(&package)?);
    if !args.check {
        return fs::write(&template, made).with_context(|| template.display().to_string());
    }
    let found = fs::read_to_string(&template).unwrap_or_default();
    if found != made {
        bail!("{PACKAGE}/{TEMPLATE} is not what the views say: run `cargo xtask translations`");
    }
    Ok(())
}

/// The texts of the views, then those of the menu, as LuCI's own scanner collects them, and what the
/// daemon's report says in English and the views translate.
fn template(package: &Path) -> Result<String> {
    let mut scripts = Vec::new();
    find(package, Path::new("htdocs"), &mut scripts)?;
    scripts.sort();
    let output = Command::new("xgettext")
        .current_dir(package)
        .args(["--language=JavaScript", "--from-code=UTF-8", "--no-wrap"])
        .args(["--omit-header", "--add-location=file", "--output=-"])
        .args(["--keyword", "--keyword=_:1", "--keyword=N_:2,3"])
        .args(&scripts)
        .output()
        .context("cannot start xgettext")?;
    ensure!(
        output.status.success() && output.stderr.is_empty(),
        "xgettext: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut made = format!("{HEAD}\n{}", String::from_utf8(output.stdout)?);
    let menu = "root/usr/share/luci/menu.d/luci-app-mqttguard.json";
    for (_, entry) in json(package, menu)?.as_object().context("no object")? {
        add(&mut made, menu, entry.get("title"));
    }
    let acl = "root/usr/share/rpcd/acl.d/luci-app-mqttguard.json";
    for (_, group) in json(package, acl)?.as_object().context("no object")? {
        add(&mut made, acl, group.get("description"));
    }
    for text in report()? {
        add(&mut made, "mqttguard/src/report", Some(&text));
    }
    Ok(made)
}

/// What the daemon's report can say.
fn report() -> Result<Vec<Value>> {
    let output = cargo()
        .current_dir(workspace())
        .args(["run", "--quiet", "--package", "mqttguard", "--"])
        .args(["check", "--reference-report"])
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start cargo")?;
    ensure!(output.status.success(), "mqttguard: {}", output.status);
    serde_json::from_slice(&output.stdout).context("mqttguard check --reference-report")
}

/// Adds a text, if it is not there yet.
fn add(template: &mut String, file: &str, text: Option<&Value>) {
    if let Some(text) = text.filter(|text| text.is_string()) {
        // A JSON string is one of a template too, as far as titles go.
        let entry = format!("msgid {text}\n");
        if !template.contains(&entry) {
            template.push_str(&format!("\n#: {file}\n{entry}msgstr \"\"\n"));
        }
    }
}

fn json(package: &Path, file: &str) -> Result<Value> {
    let text = fs::read(package.join(file)).with_context(|| file.to_owned())?;
    serde_json::from_slice(&text).with_context(|| file.to_owned())
}

/// All scripts below `directory`, by their path in the package.
fn find(package: &Path, directory: &Path, scripts: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(package.join(directory))? {
        let entry = entry?;
        let path = directory.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            find(package, &path, scripts)?;
        } else if path.extension().is_some_and(|extension| extension == "js") {
            scripts.push(path);
        }
    }
    Ok(())
}
