//! The init script: what it tells procd.

use super::{SHELLS, Stage, good, openwrt};

/// rc.common and procd.sh, as far as the script calls them. `uci` lists go by the variable
/// NETWORKS.
const STUBS: &str = r#"
note() { echo "$*" >> "$STAGE/calls"; }
for name in procd_open_instance procd_set_param procd_close_instance procd_send_signal \
	procd_add_jail procd_add_reload_trigger procd_add_reload_interface_trigger config_load; do
	eval "$name() { note $name \"\$@\"; }"
done
extra_command() { :; }
config_get() { eval "$1=\"\${NETWORKS-\$4}\""; }
procd_running() { [ "$RUNNING" = "$1" ]; }
rc_procd() { note rc_procd "$@"; }
sleep() { command sleep 0.2; }
. "$SCRIPT"
"#;

struct Init {
    stage: Stage,
    shell: &'static [&'static str],
}

impl Init {
    fn each(test: impl Fn(&Init)) {
        for shell in SHELLS {
            let stage = Stage::new();
            test(&Init { stage, shell });
        }
    }

    fn run(&self, command: &str, variables: &[(&str, &str)]) -> Vec<String> {
        let script = openwrt().join("mqttguard/files/mqttguard.init");
        let variables = [variables, &[("SCRIPT", script.to_str().unwrap())]].concat();
        let script = format!("{STUBS}\n{command}");
        good(&self.stage.run(self.shell, &script, &variables));
        self.stage.calls()
    }
}

#[test]
fn procd_is_told_to_run_the_daemon_for_good() {
    Init::each(|init| {
        let calls = init.run("start_service", &[]);
        assert_eq!(calls.first().unwrap(), "procd_open_instance");
        assert_eq!(calls.last().unwrap(), "procd_close_instance");
        for call in [
            "procd_set_param command /usr/sbin/mqttguard daemon",
            "procd_set_param env PATH=/usr/sbin:/usr/bin:/sbin:/bin",
            "procd_set_param respawn 3600 5 0",
            "procd_set_param term_timeout 30",
            // "unlimited unlimited" procd leaves out without a word.
            "procd_set_param limits nofile=8192 8192 memlock=unlimited",
            "procd_set_param capabilities /etc/capabilities/mqttguard.json",
            "procd_set_param no_new_privs 1",
            // Without mounts: a jail that only takes capabilities.
            "procd_add_jail mqttguard",
        ] {
            assert!(calls.iter().any(|made| made == call), "{call}: {calls:#?}");
        }
    });
}

#[test]
fn a_reload_is_a_signal_and_no_restart() {
    Init::each(|init| {
        let calls = init.run("reload_service", &[]);
        assert_eq!(calls, ["procd_send_signal mqttguard"]);
    });
}

#[test]
fn a_restart_and_an_upgrade_hand_the_kernel_program_over_and_a_stop_does_not() {
    Init::each(|init| {
        let none: [&str; 0] = [];
        let running = ("RUNNING", "mqttguard");
        for variables in [
            &[("action", "stop"), running][..],
            &[("action", "shutdown"), running],
            &[("action", "stop"), ("PKG_UPGRADE", "0"), running],
            // opkg stops it twice: procd complains of a signal to nobody.
            &[("action", "stop"), ("PKG_UPGRADE", "1")],
            &[("action", "restart")],
        ] {
            assert_eq!(init.run("stop_service", variables), none, "{variables:?}");
        }
        for variables in [
            &[("action", "stop"), ("PKG_UPGRADE", "1"), running][..],
            &[("action", "restart"), running],
        ] {
            // The daemon ends within a second.
            let ends = "sleep() { note sleep $1; RUNNING=\"${RUNNING#mqtt}\"; }";
            let calls = init.run(&format!("{ends}\nstop_service"), variables);
            let expected = ["procd_send_signal mqttguard * USR1", "sleep 1"];
            assert_eq!(calls, expected, "{variables:?}");
        }
        // One that does not end is stopped by procd.
        let calls = init.run(
            "sleep() { note sleep $1; }\nstop_service",
            &[("action", "restart"), running],
        );
        assert_eq!(calls.len(), 31);
    });
}

#[test]
fn the_configuration_and_the_guarded_networks_trigger_a_reload() {
    Init::each(|init| {
        let calls = init.run("service_triggers", &[]);
        let expected = [
            "procd_add_reload_trigger mqttguard",
            "config_load mqttguard",
            "procd_add_reload_interface_trigger lan",
        ];
        assert_eq!(calls, expected);
        let calls = init.run("service_triggers", &[("NETWORKS", "iot guest")]);
        let expected = ["iot", "guest"].map(|n| format!("procd_add_reload_interface_trigger {n}"));
        assert_eq!(calls[2..], expected);
    });
}

/// A program in place of the daemon notes the configuration that it is started with, and takes the
/// pins off as the daemon does when it is switched off.
const DAEMON: &str = r#"echo "$1 $2 $(tr -d '\n\t' < "$3")" >> "$STAGE/calls"
rm -r "$STAGE/pins""#;

#[test]
fn a_dead_daemons_kernel_program_is_taken_off() {
    Init::each(|init| {
        init.stage.program("guard", DAEMON);
        let pins = init.stage.path("pins");
        std::fs::create_dir_all(pins.join("2/links")).unwrap();
        let command = "PROG=guard PINS=\"$STAGE/pins\" RUN=\"$STAGE\"\ntake_off";
        let calls = init.run(command, &[]);
        assert_eq!(
            calls,
            [
                "rc_procd true",
                "daemon --config config mqttguard 'main'option enabled '0'"
            ]
        );
        assert!(!pins.exists());
        // Nothing left: nothing started.
        assert_eq!(init.run(command, &[]), ["rc_procd true"]);
    });
}
