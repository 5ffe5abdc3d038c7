//! Packages, read back by others than those who write them: tar and openssl where they can, and a
//! reader of apk's format of the tests' own.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, SHA512, digest};
use ring::signature::{ED25519, UnparsedPublicKey};

use super::contents::Contents;
use super::keys::Keys;
use super::{Format, apk, feed, ipk};
use crate::command::workspace;

const TIME: u64 = 1_700_000_000;
/// Larger than what a blob with a length of two bytes holds, and no text.
static PROGRAM: [u8; 70_000] = [0x7f; 70_000];

/// The real package, of a program that is none.
fn daemon(directory: &Path) -> Contents {
    let program = directory.join("program");
    fs::write(&program, PROGRAM).unwrap();
    let openwrt = workspace().join("openwrt/mqttguard");
    Contents::of_daemon(&openwrt, "mips_24kc", &program, TIME).unwrap()
}

/// What has to be on a router, and how.
const FILES: [(&str, u32); 7] = [
    ("/etc/capabilities/mqttguard.json", 0o644),
    ("/etc/config/mqttguard", 0o600),
    ("/etc/hotplug.d/dhcp/50-mqttguard", 0o644),
    ("/etc/init.d/mqttguard", 0o755),
    ("/etc/uci-defaults/90_mqttguard", 0o755),
    ("/lib/upgrade/keep.d/mqttguard", 0o644),
    ("/usr/sbin/mqttguard", 0o755),
];

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

fn tar(arguments: &[&str], directory: &Path) -> String {
    output(Command::new("tar").args(arguments).current_dir(directory))
}

#[test]
fn an_ipk_holds_every_file_for_root_at_one_time() {
    let home = tempfile::tempdir().unwrap();
    let contents = daemon(home.path());
    let package = ipk::pack(&contents).unwrap();
    assert_eq!(package, ipk::pack(&contents).unwrap(), "not reproducible");
    assert_eq!(
        ipk::file_name(&contents),
        "mqttguard_0.1.0-r1_mips_24kc.ipk"
    );
    let dir = home.path();
    fs::write(dir.join("p.ipk"), package).unwrap();
    let list = ["--numeric-owner", "--utc", "-tvzf"];
    let names = tar(&["-tzf", "p.ipk"], dir);
    assert_eq!(names, "./debian-binary\n./data.tar.gz\n./control.tar.gz\n");
    tar(&["-xzf", "p.ipk"], dir);
    assert_eq!(fs::read(dir.join("debian-binary")).unwrap(), b"2.0\n");
    for archive in ["p.ipk", "data.tar.gz", "control.tar.gz"] {
        for line in tar(&[&list[..], &[archive]].concat(), dir).lines() {
            assert!(line.contains(" 0/0 "), "{line}");
            assert!(line.contains(" 2023-11-14 22:13 "), "{line}");
        }
    }
    let root = dir.join("root");
    fs::create_dir(&root).unwrap();
    tar(&["-xzpf", "../data.tar.gz"], &root);
    check_root(&root);
    let control = dir.join("control");
    fs::create_dir(&control).unwrap();
    tar(&["-xzpf", "../control.tar.gz"], &control);
    let text = fs::read_to_string(control.join("control")).unwrap();
    for line in [
        "Package: mqttguard",
        "Version: 0.1.0-r1",
        "Architecture: mips_24kc",
        "Depends: nftables, kmod-sched-core, kmod-sched-bpf, kmod-nf-conntrack-netlink",
        "License: (MIT OR Apache-2.0) AND GPL-2.0-only",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    let conffiles = fs::read_to_string(control.join("conffiles")).unwrap();
    assert_eq!(conffiles, "/etc/config/mqttguard\n");
    for script in ["postinst", "postinst-pkg", "prerm", "prerm-pkg"] {
        assert_eq!(mode(&control.join(script)), 0o755);
        for shell in [&["busybox", "ash"][..], &["dash"]] {
            let mut check = Command::new(shell[0]);
            check.args(&shell[1..]).arg("-n");
            output(check.arg(control.join(script)));
        }
    }
}

/// The scripts of both formats, on a machine without OpenWrt's functions and with them.
#[test]
fn scripts_do_the_usual_and_what_the_package_adds() {
    let home = tempfile::tempdir().unwrap();
    let contents = daemon(home.path());
    let lib = home.path().join("lib");
    fs::create_dir(&lib).unwrap();
    let functions = "default_postinst() { echo \"post $pkgname $PKG_UPGRADE\"; }\n\
                     default_prerm() { echo \"pre $pkgname $PKG_UPGRADE\"; }\n\
                     add_group_and_user() { :; }\n";
    let package = Tree::read(&apk::pack(&contents).unwrap().bytes);
    for (slot, said) in [
        (3, "post mqttguard \n"),
        (4, "pre mqttguard \n"),
        (7, "post mqttguard 1\n"),
    ] {
        let script = package.text(&[3, slot]);
        for shell in [&["busybox", "ash"][..], &["dash"]] {
            let run = || {
                let mut command = Command::new(shell[0]);
                command.args(&shell[1..]).args(["-c", &script]);
                output(command.env("IPKG_INSTROOT", home.path()))
            };
            let _ = fs::remove_file(lib.join("functions.sh"));
            assert_eq!(run(), "");
            fs::write(lib.join("functions.sh"), functions).unwrap();
            assert_eq!(run(), said);
        }
    }
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn check_root(root: &Path) {
    for (path, expected) in FILES {
        let at = root.join(path.trim_start_matches('/'));
        assert_eq!(mode(&at), expected, "{path}");
    }
    let all = output(Command::new("find").arg(root).args(["-type", "f"]));
    assert_eq!(all.lines().count(), FILES.len(), "{all}");
    let read = |path: &str| fs::read(root.join(path)).unwrap();
    assert_eq!(read("usr/sbin/mqttguard"), PROGRAM);
    assert_eq!(read("lib/upgrade/keep.d/mqttguard"), b"/etc/mqttguard/\n");
}

/// A tree of apk's, read by its documentation.
struct Tree {
    schema: [u8; 4],
    adb: Vec<u8>,
    /// The other blocks: their kind and contents.
    blocks: Vec<(u32, Vec<u8>)>,
}

impl Tree {
    fn read(file: &[u8]) -> Tree {
        assert_eq!(&file[..4], b"ADBd");
        let mut plain = Vec::new();
        let mut inflate = flate2::read::DeflateDecoder::new(&file[4..]);
        inflate.read_to_end(&mut plain).unwrap();
        assert_eq!(&plain[..4], b"ADB.");
        let mut blocks = Vec::new();
        let mut at = 8;
        while at < plain.len() {
            assert_eq!(at % 8, 0);
            let head = u32::from_le_bytes(plain[at..at + 4].try_into().unwrap());
            let (kind, size) = (head >> 30, (head & 0x3fff_ffff) as usize);
            blocks.push((kind, plain[at + 4..at + size].to_vec()));
            at = (at + size).next_multiple_of(8);
        }
        let (kind, adb) = blocks.remove(0);
        assert_eq!(kind, 0);
        let schema = plain[4..8].try_into().unwrap();
        Tree {
            schema,
            adb,
            blocks,
        }
    }

    fn word(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.adb[at..at + 4].try_into().unwrap())
    }

    /// The word of the value at the end of a path of slots.
    fn value(&self, path: &[usize]) -> u32 {
        path.iter().fold(self.word(4), |value, slot| {
            assert!(value >> 28 >= 0xd, "{path:?}: {value:x} is no object");
            let at = (value & 0xfff_ffff) as usize;
            match *slot < self.word(at) as usize {
                true => self.word(at + 4 * slot),
                false => 0,
            }
        })
    }

    /// The number of items of an array.
    fn items(&self, path: &[usize]) -> usize {
        match self.value(path) {
            0 => 0,
            value => self.word((value & 0xfff_ffff) as usize) as usize - 1,
        }
    }

    fn blob(&self, path: &[usize]) -> &[u8] {
        let value = self.value(path);
        let at = (value & 0xfff_ffff) as usize;
        let (width, length) = match value >> 28 {
            0 => return &[],
            0x8 => (1, usize::from(self.adb[at])),
            0x9 => (2, (self.word(at) & 0xffff) as usize),
            0xa => (4, self.word(at) as usize),
            kind => panic!("{path:?}: {kind:x} is no blob"),
        };
        &self.adb[at + width..at + width + length]
    }

    fn text(&self, path: &[usize]) -> String {
        String::from_utf8(self.blob(path).to_vec()).unwrap()
    }

    fn int(&self, path: &[usize]) -> u64 {
        let value = self.value(path);
        let at = (value & 0xfff_ffff) as usize;
        match value >> 28 {
            0x1 => at as u64,
            0x2 => u64::from(self.word(at)),
            kind => panic!("{path:?}: {kind:x} is no number"),
        }
    }

    /// The files of a package: mode and contents, which their hash has to be of.
    fn files(&self) -> BTreeMap<String, (u32, Vec<u8>)> {
        let mut files = BTreeMap::new();
        let mut data = self.blocks.iter();
        let mut directories = Vec::new();
        for path in 1..=self.items(&[2]) {
            let directory = self.text(&[2, path, 1]);
            assert_eq!(self.int(&[2, path, 2, 1]), 0o755);
            for file in 1..=self.items(&[2, path, 3]) {
                let at = |slot: usize| [2, path, 3, file, slot];
                let (kind, block) = data.next().unwrap();
                assert_eq!(*kind, 2);
                let index = [path as u32, file as u32].map(u32::to_le_bytes).concat();
                let bytes = block.strip_prefix(index.as_slice()).unwrap().to_vec();
                assert_eq!(self.int(&at(3)), bytes.len() as u64);
                assert_eq!(self.int(&at(4)), TIME);
                assert_eq!(self.blob(&at(5)), digest(&SHA256, &bytes).as_ref());
                let mode = self.int(&[2, path, 3, file, 2, 1]) as u32;
                for owner in [2, 3] {
                    assert_eq!(self.text(&[2, path, 3, file, 2, owner]), "root");
                }
                let name = format!("/{directory}/{}", self.text(&at(1)));
                files.insert(name, (mode, bytes));
            }
            directories.push(directory);
        }
        assert!(data.next().is_none());
        assert!(directories.is_sorted(), "{directories:?}");
        files
    }
}

#[test]
fn an_apk_holds_every_file_and_what_openwrts_scripts_look_for() {
    let home = tempfile::tempdir().unwrap();
    let contents = daemon(home.path());
    let package = apk::pack(&contents).unwrap();
    assert_eq!(package.bytes, apk::pack(&contents).unwrap().bytes);
    assert_eq!(package.file_name, "mqttguard-0.1.0-r1.apk");
    let tree = Tree::read(&package.bytes);
    assert_eq!(&tree.schema, b"pckg");
    assert_eq!(tree.text(&[1, 1]), "mqttguard");
    assert_eq!(tree.text(&[1, 2]), "0.1.0-r1");
    assert_eq!(tree.text(&[1, 5]), "mips_24kc");
    assert_eq!(tree.items(&[1, 0xf]), 4);
    assert_eq!(tree.text(&[1, 0xf, 1, 1]), "kmod-nf-conntrack-netlink");
    // The unique identifier is of the tree without itself.
    let unique = tree.blob(&[1, 3]).to_vec();
    let mut without = tree.adb.clone();
    let at = without.windows(20).position(|part| part == unique).unwrap();
    without[at..at + 20].fill(0);
    assert_eq!(unique, digest(&SHA256, &without).as_ref()[..20]);

    let mut files = tree.files();
    let mut list = |kind: &str| {
        let (mode, bytes) = files
            .remove(&format!("/lib/apk/packages/mqttguard.{kind}"))
            .unwrap();
        assert_eq!(mode, 0o644);
        String::from_utf8(bytes).unwrap()
    };
    let installed: String = FILES.iter().map(|(path, _)| format!("{path}\n")).collect();
    assert_eq!(list("list"), installed);
    assert_eq!(
        list("conffiles"),
        "/etc/config/mqttguard\n/etc/mqttguard/\n"
    );
    assert!(list("conffiles_static").starts_with("/etc/config/mqttguard "));
    let found: Vec<(&str, u32)> = files
        .iter()
        .map(|(path, (mode, _))| (path.as_str(), *mode))
        .collect();
    assert_eq!(found, FILES);
    assert_eq!(files["/usr/sbin/mqttguard"].1, PROGRAM);
}

#[test]
fn feeds_are_signed_by_keys_that_stay() {
    let home = tempfile::tempdir().unwrap();
    let contents = daemon(home.path());
    let directory = home.path().join("keys");
    let keys = Keys::open(&directory).unwrap();
    let name = keys.opkg.name();
    assert!(name.len() == 16 && !name.starts_with('0'), "{name}");
    for secret in ["opkg.sec", "apk.pem"] {
        assert_eq!(mode(&directory.join(secret)), 0o600);
    }
    let keys = Keys::open(&directory).unwrap();
    assert_eq!(keys.opkg.name(), name);
    let out = home.path().join("feed");
    for format in [Format::Ipk, Format::Apk] {
        feed::write(
            &out,
            format,
            "mips_24kc",
            std::slice::from_ref(&contents),
            &keys,
        )
        .unwrap();
    }

    let opkg = out.join("opkg");
    let decoded = |path: &Path| {
        let text = fs::read_to_string(path).unwrap();
        assert!(text.starts_with("untrusted comment: "));
        STANDARD.decode(text.lines().nth(1).unwrap()).unwrap()
    };
    let public = decoded(&opkg.join(&name));
    let signature = decoded(&opkg.join("mips_24kc/Packages.sig"));
    assert_eq!(public[..10], signature[..10]);
    assert!(public.starts_with(b"Ed"));
    let index = fs::read(opkg.join("mips_24kc/Packages")).unwrap();
    let key = UnparsedPublicKey::new(&ED25519, &public[10..]);
    key.verify(&index, &signature[10..]).unwrap();
    let package = fs::read(opkg.join("mips_24kc/mqttguard_0.1.0-r1_mips_24kc.ipk")).unwrap();
    let hash: String = digest(&SHA256, &package)
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let index = String::from_utf8(index).unwrap();
    assert!(index.contains(&format!("\nSHA256sum: {hash}\n")), "{index}");
    assert!(
        index.contains(&format!("\nSize: {}\n", package.len())),
        "{index}"
    );
    let zipped = output(Command::new("zcat").arg(opkg.join("mips_24kc/Packages.gz")));
    assert_eq!(zipped, index);

    let apk = out.join("apk");
    let package = fs::read(apk.join("mips_24kc/mqttguard-0.1.0-r1.apk")).unwrap();
    let tree = Tree::read(&fs::read(apk.join("mips_24kc/packages.adb")).unwrap());
    assert_eq!(&tree.schema, b"indx");
    assert_eq!(tree.int(&[2, 1, 0xd]), package.len() as u64);
    let identity = digest(&SHA256, &Tree::read(&package).adb);
    assert_eq!(tree.blob(&[2, 1, 3]), identity.as_ref());
    let [(1, block)] = tree.blocks.as_slice() else {
        panic!("not one signature");
    };
    let (head, signature) = block.split_at(18);
    let message = [b"indx", head, digest(&SHA512, &tree.adb).as_ref()].concat();
    fs::write(home.path().join("message"), message).unwrap();
    fs::write(home.path().join("signature"), signature).unwrap();
    let told = output(
        Command::new("openssl")
            .args(["dgst", "-sha512", "-verify"])
            .arg(apk.join("mqttguard.pem"))
            .args(["-signature", "signature", "message"])
            .current_dir(home.path()),
    );
    assert_eq!(told, "Verified OK\n");
}

/// An application as luci.mk takes it, made up.
#[test]
fn a_luci_application_is_packed_for_every_architecture() {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("luci-app-mqttguard");
    let view = "htdocs/luci-static/resources/view/mqttguard/status.js";
    let menu = "root/usr/share/luci/menu.d/luci-app-mqttguard.json";
    for file in [view, menu] {
        let path = directory.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, file).unwrap();
    }
    let makefile = "LUCI_TITLE:=Pages for mqttguard\nLUCI_DEPENDS:=+luci-base +mqttguard\n\
                    PKG_VERSION:=0.1.0\nPKG_RELEASE:=1\nPKG_LICENSE:=MIT\nPKG_MAINTAINER:=M\n";
    fs::write(directory.join("Makefile"), makefile).unwrap();
    let contents = Contents::of_luci(&directory, TIME).unwrap();
    assert_eq!(contents.depends, ["luci-base", "mqttguard"]);
    assert_eq!(
        ipk::file_name(&contents),
        "luci-app-mqttguard_0.1.0-r1_all.ipk"
    );
    let tree = Tree::read(&apk::pack(&contents).unwrap().bytes);
    assert_eq!(tree.text(&[1, 5]), "noarch");
    let files = tree.files();
    let found = &files["/www/luci-static/resources/view/mqttguard/status.js"];
    assert_eq!(*found, (0o644, view.as_bytes().to_vec()));
    assert!(files.contains_key("/usr/share/luci/menu.d/luci-app-mqttguard.json"));
}

#[test]
fn the_table_of_makers_is_a_package_for_all() {
    let openwrt = workspace().join("openwrt/mqttguard-vendors");
    let contents = Contents::of_data(&openwrt, TIME).unwrap();
    assert_eq!(
        ipk::file_name(&contents),
        "mqttguard-vendors_0.1.0-r1_all.ipk"
    );
    let files: Vec<_> = contents.files.keys().collect();
    assert_eq!(files, ["/usr/share/mqttguard/vendors"]);
    assert!(contents.depends.is_empty(), "{:?}", contents.depends);
}
