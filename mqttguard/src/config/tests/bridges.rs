//! `bridge` sections.

use super::{FILE, mistakes, read};
use crate::config::{BridgeProtocol, BridgeTls};

#[test]
fn a_bridge_needs_little_and_has_safe_defaults() {
    let text = "config bridge 'cloud'\n\toption host 'mqtt.example.org'\n\tlist out 'tele/#'\n";
    let settings = read(text);
    let [bridge] = settings.bridges.as_slice() else {
        panic!("{:?}", settings.bridges);
    };
    assert_eq!(
        (bridge.port, bridge.qos, bridge.keep_alive_s),
        (8883, 1, 60)
    );
    assert_eq!(bridge.protocol, BridgeProtocol::V5);
    let tls = BridgeTls {
        ca: "/etc/ssl/certs/ca-certificates.crt".into(),
        identity: None,
    };
    assert_eq!(bridge.tls, Some(tls));
    assert_eq!(bridge.limits.queue_messages, 10_000);
    let plain = format!("{text}\toption tls '0'\n\toption protocol '3.1.1'\n");
    let settings = read(&plain);
    assert_eq!(settings.bridges[0].port, 1883);
    assert_eq!(settings.bridges[0].tls, None);
    assert_eq!(settings.bridges[0].protocol, BridgeProtocol::V311);
    assert!(
        read(&format!("{text}\toption enabled '0'\n"))
            .bridges
            .is_empty()
    );
}

fn one(more: &str) -> Vec<String> {
    mistakes(&format!(
        "config bridge 'b'\n\toption host 'h'\n\tlist out 'a/#'\n{more}"
    ))
}

#[test]
fn what_a_bridge_cannot_do_is_told() {
    for (more, words) in [
        ("\tlist out '$SYS/#'\n", "expected a topic pattern"),
        ("\tlist in 'a/#/b'\n", "expected a topic pattern"),
        ("\toption local_prefix 'cloud'\n", "that end with '/'"),
        ("\toption local_prefix '$x/'\n", "a '$' in front"),
        ("\toption remote_prefix 'a/+/'\n", "without '+' and '#'"),
        ("\toption qos '3'\n", "a number of QoS from 0 to 2"),
        ("\toption certificate '/c'\n", "option key: found nothing"),
        ("\toption key '/k'\n", "option certificate: found nothing"),
        (
            "\toption tls '0'\n\toption certificate '/c'\n",
            "only with tls '1'",
        ),
        (
            "\toption password_file '/p'\n",
            "option username: found nothing",
        ),
        ("\toption password 'x'\n", "did you mean 'password_file'?"),
        ("\toption protocol '4'\n", "expected one of: 5, 3.1.1"),
        ("\toption limits 'none'\n", "the name of a 'limits' section"),
    ] {
        let told = one(more).join("\n");
        let known =
            told.contains(words) || (words.contains("did you mean") && told.contains("unknown"));
        assert!(known, "{more}: {told}");
    }
    let nothing = mistakes("config bridge 'b'\n\toption host 'h'\n");
    assert!(
        nothing[0].contains("a bridge without topics does nothing"),
        "{nothing:?}"
    );
}

#[test]
fn two_bridges_that_would_make_a_loop_are_refused_by_name() {
    let two = |host: &str, prefix: &str| {
        format!(
            "config bridge 'x'\n\toption host 'Cloud.example'\n\tlist in 'a/#'\n\
             config bridge 'y'\n\toption host '{host}'\n\tlist out '+/b'\n{prefix}"
        )
    };
    assert_eq!(
        mistakes(&two("cloud.example", "")),
        [format!(
            "{FILE}:6: bridge 'y': option out: found '+/b', expected a pattern that makes no loop \
             with in 'a/#' of bridge 'x' to the same server"
        )]
    );
    assert!(mistakes(&two("other.example", "")).is_empty());
    assert!(mistakes(&two("cloud.example", "\toption remote_prefix 'z/'\n")).is_empty());
    // One bridge may do both: it keeps back what it had from the server.
    assert!(one("\tlist in 'a/#'\n").is_empty());
}
