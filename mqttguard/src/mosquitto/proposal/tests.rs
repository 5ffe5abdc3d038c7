use std::path::Path;

use super::super::{conf, uci};
use super::*;
use crate::config;
use crate::config::{ListenerKind, Settings};

/// What is proposed for this text, and the settings that come of it.
fn proposed(text: &str) -> (Proposal, Settings) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("mosquitto.conf");
    std::fs::write(&file, text).unwrap();
    checked(&conf::load(&file).unwrap())
}

fn checked(conf: &Conf) -> (Proposal, Settings) {
    let proposal = propose(conf);
    let settings = config::parse("proposal", &proposal.uci);
    let settings = settings.unwrap_or_else(|error| panic!("{error}\n{}", proposal.uci));
    (proposal, settings)
}

fn notes_on<'a>(proposal: &'a Proposal, name: &str) -> Vec<&'a String> {
    let marked = format!(": {name}: ");
    let notes = proposal.notes.iter();
    notes.filter(|note| note.contains(&marked)).collect()
}

#[test]
fn listeners_and_limits_become_options() {
    let (proposal, settings) = proposed(
        "# LAN\nlistener 1883 192.168.1.1\nmax_connections 20\n\
         listener 8884\nprotocol websockets\n\
         listener 8885\ncafile /etc/ca.pem\ncertfile /etc/s.pem\nkeyfile /etc/s.key\n\
         require_certificate true\nuse_identity_as_username true\ncrlfile /etc/crl.pem\n\
         listener 1884 127.0.0.1\nlistener 0 /run/m.sock\nlistener 70000\n\
         max_inflight_messages 40\nmax_queued_messages 0\nmessage_size_limit 65536\n\
         persistent_client_expiration 2w\nsys_interval 30\nallow_anonymous true\n\
         retain_available false\nwhatever 3\n",
    );
    let of = |kind| {
        settings
            .listeners
            .iter()
            .find(|one| one.kind == kind)
            .unwrap()
    };
    assert_eq!(of(ListenerKind::Plain).port, 1883);
    assert_eq!(of(ListenerKind::Plain).connections, 20);
    assert_eq!(of(ListenerKind::Wss).port, 8884);
    let tls = of(ListenerKind::Tls);
    assert_eq!(tls.port, 8885);
    let clients = tls.tls.clients.as_ref().unwrap();
    assert!(clients.required && clients.ca.as_deref() == Some(Path::new("/etc/ca.pem")));
    assert_eq!(clients.crls, [Path::new("/etc/crl.pem")]);
    assert_eq!(settings.listeners.len(), 3);
    let limits = &settings.default_limits.broker;
    assert_eq!(limits.in_flight, 40);
    assert_eq!(limits.packet_size, 65_536);
    assert_eq!(limits.session_expiry_s, 14 * 86_400);
    assert_eq!(settings.main.sys_interval.as_secs(), 30);
    for name in [
        "certfile",
        "require_certificate",
        "listener",
        "max_queued_messages",
        "allow_anonymous",
        "retain_available",
        "whatever",
    ] {
        let count = if name == "listener" { 2 } else { 1 };
        assert_eq!(
            notes_on(&proposal, name).len(),
            count,
            "{name}: {:#?}",
            proposal.notes
        );
    }
    // By file and line.
    assert!(notes_on(&proposal, "whatever")[0].contains("mosquitto.conf, line 23: "));
    let left_out: Vec<_> = proposal
        .notes
        .iter()
        .filter(|note| note.contains("left out"))
        .collect();
    assert!(
        left_out[0].contains("port") && left_out[0].contains("70000"),
        "{left_out:?}"
    );
}

#[test]
fn bridges_become_sections_and_their_passwords_files() {
    let (proposal, settings) = proposed(
        "connection cloud-1\naddress mqtt.example.org:8883 second.example.org\n\
         topic tele/# out 1 \"\" home/\ntopic cmnd/# in 2 \"\" home/\ntopic x/# both\n\
         topic \"\" out 0 a b\nremote_username house\nremote_password not to be shown\n\
         remote_clientid house-7\nbridge_cafile /etc/ssl/cloud.pem\nbridge_insecure true\n\
         keepalive_interval 120\nnotifications false\nbridge_protocol_version mqttv311\n\
         connection plain\naddress 192.0.2.7\ntopic #\n",
    );
    let [first, second, third] = settings.bridges.as_slice() else {
        panic!("{:#?}", settings.bridges)
    };
    assert_eq!(
        (&*first.name, &*first.host, first.port),
        ("cloud_1", "mqtt.example.org", 8883)
    );
    assert_eq!(
        first.tls.as_ref().unwrap().ca,
        Path::new("/etc/ssl/cloud.pem")
    );
    assert_eq!(first.username.as_deref(), Some("house"));
    let file = first.password_file.as_ref().unwrap();
    assert_eq!(file, Path::new("/etc/mqttguard/cloud_1.password"));
    assert_eq!(first.client_id.as_deref(), Some("house-7"));
    assert_eq!(first.keep_alive_s, 120);
    assert_eq!(&*second.name, "cloud_1_2");
    assert_eq!(second.client_id, None);
    assert_eq!(
        (&*third.name, third.port, third.tls.is_none()),
        ("plain", 1883, true)
    );
    let text = format!("{proposal:#?}");
    assert!(!text.contains("not to be shown"));
    let sed = &proposal.commands[0];
    assert!(
        sed.contains("sed -n '8s/") && sed.contains("umask 077"),
        "{sed}"
    );
    for name in [
        "address",
        "topic",
        "bridge_insecure",
        "notifications",
        "remote_clientid",
    ] {
        assert_eq!(
            notes_on(&proposal, name).len(),
            1,
            "{name}: {:#?}",
            proposal.notes
        );
    }
}

#[test]
fn accounts_become_commands() {
    let (proposal, _) = proposed(
        "per_listener_settings true\npassword_file /etc/mosquitto/it's passwd\n\
         acl_file /etc/mosquitto/acl\nauth_plugin /usr/lib/x.so\npsk_file /etc/psk\n",
    );
    assert_eq!(
        proposal.commands,
        [
            "mqttguard import --passwords '/etc/mosquitto/it'\\''s passwd' --acl '/etc/mosquitto/acl'"
        ]
    );
    for name in ["per_listener_settings", "auth_plugin", "psk_file"] {
        assert_eq!(notes_on(&proposal, name).len(), 1, "{name}");
    }
    let text = "password_file /a\nacl_file /b\nacl_file /c\n";
    let (proposal, _) = proposed(text);
    assert_eq!(proposal.commands, ["mqttguard import --passwords '/a'"]);
    assert_eq!(notes_on(&proposal, "acl_file").len(), 2);
}

#[test]
fn included_files_are_read_in_their_order_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let more = dir.path().join("conf.d");
    std::fs::create_dir(&more).unwrap();
    std::fs::write(more.join("b.conf"), "max_connections 7\n").unwrap();
    std::fs::write(more.join("a.conf"), "\n  listener 1890\r\n").unwrap();
    std::fs::write(more.join("c.txt"), "listener 1891\n").unwrap();
    std::fs::write(more.join("d.conf"), [0xff]).unwrap();
    let file = dir.path().join("mosquitto.conf");
    let text = format!(
        "include_dir {}\ninclude_dir /nowhere/at/all\n",
        more.display()
    );
    std::fs::write(&file, text).unwrap();
    let (proposal, settings) = checked(&conf::load(&file).unwrap());
    let plain = settings
        .listeners
        .iter()
        .find(|one| one.kind == ListenerKind::Plain);
    assert_eq!(
        plain.map(|one| (one.port, one.connections)),
        Some((1890, 7))
    );
    assert!(proposal.uci.contains("a.conf, line 2"), "{}", proposal.uci);
    let told = proposal.notes.join("\n");
    assert!(
        told.contains("d.conf: line 1: found bytes that are not UTF-8"),
        "{told}"
    );
    assert!(
        told.contains("line 2: include_dir: /nowhere/at/all"),
        "{told}"
    );
}

#[test]
fn what_a_stock_openwrt_has_needs_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("mosquitto");
    let text = "config owrt owrt\n\toption use_uci 0\n\nconfig mosquitto mosquitto\n\n\
                config persistence persistence\n";
    std::fs::write(&file, text).unwrap();
    let uci = uci::load(&file).unwrap();
    assert!(!uci.is_used);
    let (proposal, _) = checked(&uci.conf);
    assert!(proposal.uci.is_empty() && proposal.commands.is_empty());
    assert_eq!(proposal.notes.len(), 1, "{:?}", proposal.notes);
}

#[test]
fn whatever_stands_in_the_file_the_proposal_is_valid() {
    let hostile = [
        "listener 1883 ' ; config bridge 'x'\n",
        "listener 99999999999999999999\nlistener\n",
        "connection '\naddress ' '\ntopic # both 1 ../ ../\n",
        "connection \u{202e}\naddress [::1\ntopic a/# sideways\ntopic\n",
        "connection a\nconnection a\naddress b\ntopic c\nconnection a\naddress b\ntopic d\n",
        "password_file\nacl_file\nsys_interval -3\nmax_queued_bytes 1e9\n",
        "topic above\nremote_password x\n\u{0}\n",
        "include_dir\nport x\nbind_address y\nmax_connections lots\n",
    ];
    for text in hostile {
        let (proposal, _) = proposed(text);
        assert!(
            !proposal.notes.is_empty() || !proposal.uci.is_empty(),
            "{text}"
        );
    }
    // More than there is room for.
    let many: String = (0..40)
        .map(|n| format!("listener {}\n", 2000 + n))
        .collect();
    let (proposal, settings) = proposed(&many);
    assert!(settings.listeners.len() >= 15);
    assert!(proposal.notes.len() >= 20, "{}", proposal.notes.len());
}

#[test]
fn what_openwrt_starts_mosquitto_by_is_proposed_for_too() {
    let dir = tempfile::tempdir().unwrap();
    let more = dir.path().join("conf.d");
    std::fs::create_dir(&more).unwrap();
    std::fs::write(more.join("a.conf"), "max_inflight_messages 30\n").unwrap();
    let file = dir.path().join("mosquitto");
    let text = format!(
        "config owrt owrt\n\toption use_uci 1\n\
         config mosquitto mosquitto\n\toption password_file '/etc/mosquitto/passwd'\n\
         \toption max_queued_messages 50\n\toption include_dir '{}'\n\
         config listener\n\toption port 8883\n\toption certfile /etc/s.crt\n\toption keyfile /etc/s.key\n\
         \toption auth_opt_x 1\n\toption wild 1\n\
         config bridge\n\toption connection cloud\n\toption address mqtt.example.org:8883\n\
         \tlist topic 'tele/# out 1'\n\toption username house\n\toption password 'not to be shown'\n\
         \toption cafile /etc/ssl/cert.pem\n\
         config bridge\n\toption connection single\n\toption address x\n\toption topic 'a/#'\n",
        more.display()
    );
    std::fs::write(&file, text).unwrap();
    let uci = uci::load(&file).unwrap();
    assert!(uci.is_used);
    let (proposal, settings) = checked(&uci.conf);
    let [bridge] = settings.bridges.as_slice() else {
        panic!("{:?}", settings.bridges)
    };
    assert_eq!(
        (&*bridge.name, bridge.username.as_deref()),
        ("cloud", Some("house"))
    );
    assert_eq!(settings.default_limits.broker.queue_messages, 50);
    assert_eq!(settings.default_limits.broker.in_flight, 30);
    let told = proposal.notes.join("\n");
    for expected in [
        "auth_opt_x",
        "wild",
        "lacks connection, address or topic",
        "certfile",
    ] {
        assert!(told.contains(expected), "{expected}: {told}");
    }
    let [import, password] = proposal.commands.as_slice() else {
        panic!("{:?}", proposal.commands)
    };
    assert_eq!(
        import,
        "mqttguard import --passwords '/etc/mosquitto/passwd'"
    );
    let expected = format!(
        "uci -c '{}' -q get 'mosquitto.@bridge[0].password'",
        dir.path().display()
    );
    assert!(password.contains(&expected), "{password}");
    assert!(!format!("{proposal:?}").contains("not to be shown"));
}
