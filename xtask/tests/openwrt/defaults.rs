//! The defaults script: the router's own name into a fresh configuration, and into no other.

use std::fs;

use super::{SHELLS, Stage, good, openwrt};

/// `uci` on files that hold a value each.
const UCI: &str = r#"shift
case "$1" in
get) cat "$STAGE/uci/$2" ;;
batch) while read -r verb what; do
	case "$verb" in
	set) name="${what%%=*}" value="${what#*=\'}"
		printf %s "${value%\'}" > "$STAGE/uci/$name" ;;
	commit) echo "commit $what" >> "$STAGE/calls" ;;
	esac
done ;;
esac 2> /dev/null"#;

struct Router {
    stage: Stage,
    shell: &'static [&'static str],
}

impl Router {
    fn each(test: impl Fn(&Router)) {
        for shell in SHELLS {
            let stage = Stage::new();
            stage.program("uci", UCI);
            fs::create_dir(stage.path("uci")).unwrap();
            test(&Router { stage, shell });
        }
    }

    fn set(&self, option: &str, value: &str) {
        fs::write(self.stage.path("uci").join(option), value).unwrap();
    }

    /// Runs the script; gives the broker's name then, and whether anything was committed.
    fn run(&self) -> (String, bool) {
        let script = fs::read_to_string(openwrt().join("mqttguard/files/mqttguard.defaults"));
        let data = self.stage.path("data");
        let script = script
            .unwrap()
            .replace("/etc/mqttguard", data.to_str().unwrap());
        good(&self.stage.run(self.shell, &script, &[]));
        let name = fs::read_to_string(self.stage.path("uci/mqttguard.main.hostname"));
        (name.unwrap_or_default(), !self.stage.calls().is_empty())
    }
}

#[test]
fn a_fresh_configuration_gets_the_routers_name_once() {
    Router::each(|router| {
        router.set("mqttguard.main.hostname", "openwrt.lan");
        router.set("system.@system[0].hostname", "Attic");
        router.set("dhcp.@dnsmasq[0].domain", "home");
        assert_eq!(router.run(), ("attic.home".into(), true));
        assert_eq!(router.run(), ("attic.home".into(), false));
    });
}

#[test]
fn what_the_owner_or_a_certificate_says_stays() {
    Router::each(|router| {
        router.set("system.@system[0].hostname", "attic");
        router.set("mqttguard.main.hostname", "mqtt.home");
        assert_eq!(router.run(), ("mqtt.home".into(), false));
        router.set("mqttguard.main.hostname", "openwrt.lan");
        fs::create_dir(router.stage.path("data")).unwrap();
        fs::write(router.stage.path("data/server.crt"), "").unwrap();
        assert_eq!(router.run(), ("openwrt.lan".into(), false));
    });
}

#[test]
fn names_that_are_none_are_left_out() {
    Router::each(|router| {
        for name in ["", "OpenWrt", "my router", "a'b", "büro"] {
            router.set("mqttguard.main.hostname", "openwrt.lan");
            router.set("system.@system[0].hostname", name);
            assert_eq!(router.run(), ("openwrt.lan".into(), false), "{name}");
        }
    });
}
