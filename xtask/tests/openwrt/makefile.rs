//! The Makefile, read by make with stand-ins for OpenWrt's: what it defines is what the feed sees.

use std::fs;
use std::process::Command;

use super::{Stage, good, openwrt};

/// Prints what the buildroot would go by.
const PACKAGE: &str = r#"
define BuildPackage
  $(eval $(Package/$(1)))
  all::
	@echo 'version $(PKG_VERSION) release $(PKG_RELEASE) license $(PKG_LICENSE)'
	@echo 'title $(TITLE)'
	@echo 'depends $(DEPENDS)'
	@echo 'section $(SECTION) category $(CATEGORY)'
	@echo 'conffiles $(strip $(Package/$(1)/conffiles))'
	@echo 'path $(MAKE_PATH) profile $(CARGO_PKG_PROFILE) with $(CARGO_PKG_VARS)'
endef
"#;

#[test]
fn make_reads_it_as_the_feed_would() {
    let stage = Stage::new();
    let top = stage.path("top");
    let rust = top.join("feeds/packages/lang/rust");
    fs::create_dir_all(&rust).unwrap();
    fs::create_dir(top.join("include")).unwrap();
    fs::write(top.join("rules.mk"), "INCLUDE_DIR:=$(TOPDIR)/include\n").unwrap();
    fs::write(top.join("include/package.mk"), PACKAGE).unwrap();
    let stub = "RUST_ARCH_DEPENDS:=@RUST\nCARGO_PKG_VARS=A=1\nCARGO_PKG_PROFILE:=release\ndefine RustBinPackage\n  rust:=$(1)\nendef\n";
    fs::write(rust.join("rust-package.mk"), stub).unwrap();
    let output = Command::new("make")
        .args(["--no-print-directory", "--warn-undefined-variables"])
        .arg(format!("TOPDIR={}", top.display()))
        .current_dir(openwrt().join("mqttguard"))
        .output()
        .unwrap();
    let told = good(&output);
    let expected = format!(
        "version {} release 1 license (MIT OR Apache-2.0) AND GPL-2.0-only",
        env!("CARGO_PKG_VERSION")
    );
    for line in [
        &expected,
        "depends @RUST +nftables +kmod-sched-core +kmod-sched-bpf +kmod-nf-conntrack-netlink",
        "section net category Network",
        "conffiles /etc/config/mqttguard /etc/mqttguard/",
        "path mqttguard profile router with A=1 CARGO_PROFILE_ROUTER_PANIC=abort",
    ] {
        assert!(told.lines().any(|found| found == line), "{line}\n{told}");
    }
    let root = openwrt().parent().unwrap().to_owned();
    assert!(root.join("mqttguard/Cargo.toml").exists());
}

/// In a feed that lies anywhere: luci.mk is found in LuCI's.
#[test]
fn make_reads_the_pages_makefile_too() {
    let stage = Stage::new();
    let top = stage.path("top");
    let luci = top.join("feeds/luci");
    fs::create_dir_all(&luci).unwrap();
    fs::write(top.join("rules.mk"), "").unwrap();
    let stub = "all:\n\t@echo '$(LUCI_TITLE)|$(LUCI_DEPENDS)|$(PKG_VERSION)'\n";
    fs::write(luci.join("luci.mk"), stub).unwrap();
    let output = Command::new("make")
        .args(["--no-print-directory", "--warn-undefined-variables"])
        .arg(format!("TOPDIR={}", top.display()))
        .current_dir(openwrt().join("luci-app-mqttguard"))
        .output()
        .unwrap();
    let expected = format!(
        "LuCI support for mqttguard|+luci-base +mqttguard +mqttguard-vendors|{}\n",
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(good(&output), expected);
}

/// Reviewers of OpenWrt's feeds want conffiles absolute and not indented.
#[test]
fn conffiles_are_written_as_opkg_wants_them() {
    let text = fs::read_to_string(openwrt().join("mqttguard/Makefile")).unwrap();
    let (_, rest) = text
        .split_once("define Package/mqttguard/conffiles\n")
        .unwrap();
    let (list, _) = rest.split_once("endef").unwrap();
    assert!(list.lines().count() > 0);
    for line in list.lines() {
        assert!(line.starts_with('/'), "{line:?}");
    }
}

/// The package's own scripts, as opkg and apk run them: nothing happens in an offline root, and
/// nothing they call can make them fail.
#[test]
fn the_packages_scripts_break_nothing() {
    let text = fs::read_to_string(openwrt().join("mqttguard/Makefile")).unwrap();
    for (name, upgrade, asked) in [
        ("postinst", "1", &["running", "restart"][..]),
        ("postinst", "0", &[]),
        ("prerm", "1", &[]),
        ("prerm", "0", &["take_off"]),
    ] {
        let (_, rest) = text
            .split_once(&format!("define Package/mqttguard/{name}\n"))
            .unwrap();
        let script = rest.split_once("\nendef").unwrap().0.replace("$$", "$");
        for shell in super::SHELLS {
            for status in [0, 1] {
                let stage = Stage::new();
                stage.program(
                    "mqttguard-init",
                    &format!("echo $1 >> \"$STAGE/calls\"; exit {status}"),
                );
                let script = script.replace("/etc/init.d/mqttguard", "mqttguard-init");
                good(&stage.run(shell, &script, &[("PKG_UPGRADE", upgrade)]));
                // Nothing runs: nothing is started again.
                let asked = if status == 0 {
                    asked
                } else {
                    &asked[..asked.len().min(1)]
                };
                assert_eq!(stage.calls(), asked, "{name} {upgrade}");
                let offline = [("PKG_UPGRADE", upgrade), ("IPKG_INSTROOT", "/mnt")];
                good(&stage.run(shell, &script, &offline));
                assert_eq!(stage.calls(), [""; 0], "{name} {upgrade}, offline");
            }
        }
    }
}
