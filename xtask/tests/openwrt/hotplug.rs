//! The hotplug script for leases: who is told what, and that nothing a device chose is interpreted.

use std::fs;

use super::{SHELLS, Stage, good, openwrt};

/// Runs the script as hotplug-call does, sourced in a subshell, with a program that notes its
/// arguments and what it finds in its environment.
fn run(shell: &[&str], variables: &[(&str, &str)]) -> Vec<String> {
    let stage = Stage::new();
    stage.program(
        "mqttguard",
        "printf '%s|%s|%s|%s\\n' \"$*\" \"$MACADDR\" \"$DNSMASQ_VENDOR_CLASS\" \\\n\
         \"$DNSMASQ_MUD_URL\" >> \"$STAGE/calls\"; echo noise; exit 3",
    );
    let script = fs::read_to_string(openwrt().join("mqttguard/files/mqttguard.hotplug")).unwrap();
    let program = stage.path("bin/mqttguard");
    let script = script.replace("/usr/sbin/mqttguard", program.to_str().unwrap());
    let file = stage.path("50-mqttguard");
    fs::write(&file, script).unwrap();
    let source = format!("( [ -f {0} ] && . {0} )", file.display());
    assert_eq!(good(&stage.run(shell, &source, variables)), "");
    stage.calls()
}

#[test]
fn what_a_device_says_reaches_the_command_as_it_is() {
    let mac = ("MACADDR", "02:c1:1e:17:00:01");
    let class = ("DNSMASQ_VENDOR_CLASS", "udhcp 1.36.1");
    let url = ("DNSMASQ_MUD_URL", "https://maker.example/lamp.json");
    let hostile = (
        "DNSMASQ_VENDOR_CLASS",
        "'\";$(touch trap)`touch trap`|touch trap *",
    );
    for shell in SHELLS {
        for action in ["add", "update"] {
            let calls = run(shell, &[("ACTION", action), mac, class, url]);
            let expected =
                "sighting|02:c1:1e:17:00:01|udhcp 1.36.1|https://maker.example/lamp.json";
            assert_eq!(calls, [expected], "{shell:?} {action}");
        }
        let calls = run(shell, &[("ACTION", "add"), mac, hostile]);
        assert_eq!(calls, [format!("sighting|{}|{}|", mac.1, hostile.1)]);
        let calls = run(shell, &[("ACTION", "add"), mac, url]);
        assert_eq!(calls.len(), 1);
    }
}

#[test]
fn leases_that_say_nothing_cost_nothing() {
    let mac = ("MACADDR", "02:c1:1e:17:00:01");
    let class = ("DNSMASQ_VENDOR_CLASS", "udhcp 1.36.1");
    for shell in SHELLS {
        assert!(run(shell, &[("ACTION", "add"), mac]).is_empty());
        assert!(run(shell, &[("ACTION", "remove"), mac, class]).is_empty());
        assert!(run(shell, &[mac, class]).is_empty());
    }
}
