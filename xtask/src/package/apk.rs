//! `.apk` of version 3, for apk (OpenWrt 25.12 and newer), and the index of a repository of them;
//! as OpenWrt's `package-pack.mk` has them made by `apk mkpkg` and `apk mkndx`.

use std::collections::BTreeMap;

use anyhow::Result;
use ring::digest::{SHA256, digest};

use super::adb::{Container, Schema, Value, tree};
use super::contents::{Contents, File};
use super::keys::ApkKey;

/// A package, and what an index says of it.
pub(super) struct Package {
    pub(super) file_name: String,
    pub(super) bytes: Vec<u8>,
    info: Info,
    /// SHA-256 of its tree: by this apk knows that a file is the package of an index.
    identity: Vec<u8>,
}

/// The fields of a package's description.
#[derive(Clone)]
struct Info {
    contents: Contents,
    installed_size: u64,
}

/// The unique identifier in a package is a part of a SHA-256, as long as a SHA-1.
const UNIQUE: usize = 20;

impl Info {
    /// The object, with what identifies the package and, in an index, how long its file is.
    fn value(&self, hash: &[u8], file_size: u64) -> Value {
        let contents = &self.contents;
        let arch = match contents.arch.as_str() {
            "all" => "noarch",
            arch => arch,
        };
        let mut depends = contents.depends.clone();
        depends.sort();
        let depends = depends
            .iter()
            .map(|name| Value::object([(1, Value::text(name))]))
            .collect();
        let file_size = match file_size {
            0 => Value::Null,
            size => Value::Int(size),
        };
        Value::object([
            (1, Value::text(&contents.name)),
            (2, Value::text(&contents.version)),
            (3, Value::Blob(hash.to_vec())),
            (4, Value::text(&contents.description.replace('\n', " "))),
            (5, Value::text(arch)),
            (6, Value::text(&contents.license)),
            (
                7,
                Value::text(&format!("feeds/mqttguard/{}", contents.name)),
            ),
            (8, Value::text(&contents.maintainer)),
            (9, Value::text(&contents.url)),
            (0x0c, Value::Int(self.installed_size)),
            (0x0d, file_size),
            (0x0f, Value::Array(depends)),
        ])
    }
}

/// The package.
pub(super) fn pack(contents: &Contents) -> Result<Package> {
    let mut contents = contents.clone();
    add_lists(&mut contents);
    let info = Info {
        installed_size: contents.size(),
        contents,
    };
    let contents = &info.contents;
    let (paths, data) = paths(contents);
    let package = |unique: &[u8]| {
        tree(&Value::object([
            (1, info.value(unique, 0)),
            (2, paths.clone()),
            (3, scripts(contents)),
        ]))
    };
    let unique = digest(&SHA256, &package(&[0; UNIQUE])?);
    let tree = package(unique.as_ref().get(..UNIQUE).unwrap_or_default())?;
    let identity = digest(&SHA256, &tree).as_ref().to_vec();
    let mut container = Container::new(Schema::Package, &tree)?;
    for (path, file, bytes) in data {
        container.data(path, file, bytes)?;
    }
    Ok(Package {
        file_name: format!("{}-{}.apk", contents.name, contents.version),
        bytes: container.finish()?,
        identity,
        info,
    })
}

/// The index of a repository.
pub(super) fn index(packages: &[Package], key: &ApkKey) -> Result<Vec<u8>> {
    let mut sorted: Vec<&Package> = packages.iter().collect();
    sorted.sort_by(|a, b| a.info.contents.name.cmp(&b.info.contents.name));
    let list = sorted
        .iter()
        .map(|package| {
            package
                .info
                .value(&package.identity, package.bytes.len() as u64)
        })
        .collect();
    let description = Value::text("mqttguard");
    let tree = tree(&Value::object([(1, description), (2, Value::Array(list))]))?;
    let mut container = Container::new(Schema::Index, &tree)?;
    container.signature(&key.sign(Schema::Index, &tree)?)?;
    container.finish()
}

/// What OpenWrt's scripts and `sysupgrade` look for in place of opkg's lists.
fn add_lists(contents: &mut Contents) {
    let list: String = contents
        .files
        .keys()
        .map(|path| format!("{path}\n"))
        .collect();
    let conffiles: String = contents
        .conffiles
        .iter()
        .map(|path| format!("{path}\n"))
        .collect();
    let unchanged: String = contents
        .own_conffiles()
        .map(|(path, file)| format!("{path} {}\n", hex(digest(&SHA256, &file.bytes).as_ref())))
        .collect();
    for (kind, text) in [
        ("list", list),
        ("conffiles", conffiles),
        ("conffiles_static", unchanged),
    ] {
        if !text.is_empty() {
            let path = format!("/lib/apk/packages/{}.{kind}", contents.name);
            let bytes = text.into_bytes();
            contents.files.insert(path, File { mode: 0o644, bytes });
        }
    }
}

/// The bytes of a file, by the numbers of its directory and itself, both from 1.
type Data<'a> = (usize, usize, &'a [u8]);

/// The directories with their files, and the bytes of each file.
fn paths(contents: &Contents) -> (Value, Vec<Data<'_>>) {
    let mut directories: BTreeMap<&str, BTreeMap<&str, &File>> = BTreeMap::new();
    directories.entry("").or_default();
    let all = contents.directories();
    for directory in &all {
        directories
            .entry(directory.trim_start_matches('/'))
            .or_default();
    }
    for (path, file) in &contents.files {
        if let Some((directory, name)) = path.trim_start_matches('/').rsplit_once('/') {
            directories.entry(directory).or_default().insert(name, file);
        }
    }
    let mut data = Vec::new();
    let mut list = Vec::new();
    for (at, (directory, files)) in directories.into_iter().enumerate() {
        let mut entries = Vec::new();
        for (number, (name, file)) in files.into_iter().enumerate() {
            entries.push(Value::object([
                (1, Value::text(name)),
                (2, owner(file.mode)),
                (3, Value::Int(file.bytes.len() as u64)),
                (4, Value::Int(contents.mtime)),
                (
                    5,
                    Value::Blob(digest(&SHA256, &file.bytes).as_ref().to_vec()),
                ),
            ]));
            if !file.bytes.is_empty() {
                data.push((at + 1, number + 1, file.bytes.as_slice()));
            }
        }
        list.push(Value::object([
            (1, Value::text(directory)),
            (2, owner(0o755)),
            (3, Value::Array(entries)),
        ]));
    }
    (Value::Array(list), data)
}

fn owner(mode: u32) -> Value {
    Value::object([
        (1, Value::Int(u64::from(mode))),
        (2, Value::text("root")),
        (3, Value::text("root")),
    ])
}

fn scripts(contents: &Contents) -> Value {
    let begin = |what: &str| {
        format!(
            "[ -s ${{IPKG_INSTROOT}}/lib/functions.sh ] || exit 0\n\
             . ${{IPKG_INSTROOT}}/lib/functions.sh\n\
             export root=\"${{IPKG_INSTROOT}}\"\nexport pkgname=\"{}\"\n{what}\n",
            contents.name
        )
    };
    let install = format!(
        "[ \"${{IPKG_NO_SCRIPT}}\" = \"1\" ] && exit 0\n{}{}",
        begin("add_group_and_user\ndefault_postinst"),
        contents.postinst
    );
    let remove = format!("#!/bin/sh\n{}{}", begin("default_prerm"), contents.prerm);
    Value::object([
        (3, Value::text(&format!("#!/bin/sh\n{install}"))),
        (4, Value::text(&remove)),
        (
            7,
            Value::text(&format!("#!/bin/sh\nexport PKG_UPGRADE=1\n{install}")),
        ),
    ])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
