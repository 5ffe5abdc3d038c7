use super::super::file;
use super::*;

const LAMP: &[u8] = include_bytes!("../testdata/lamp.json");

fn entry(change: impl FnOnce(&mut Entry)) -> Result<Hole, String> {
    let mut entry = file::read(LAMP).unwrap().entries.swap_remove(0);
    change(&mut entry);
    judge(&entry, &[1883])
}

#[test]
fn plaintext_mqtt_to_a_named_server_is_taken_over() {
    let hole = Hole {
        to: Destination::Name("mqtt.maker.example".into()),
        port: 1883,
    };
    assert_eq!(entry(|_| ()), Ok(hole.clone()));
    let lamp = file::read(LAMP).unwrap();
    assert_eq!(holes(&lamp, &[1883]), [hole]);
    // What is plaintext is up to the configuration.
    assert_eq!(holes(&lamp, &[1884]), []);
    let needs = needs(&lamp, &[1883]);
    assert_eq!(
        needs[0].says,
        "sends to mqtt.maker.example: TCP port 1883, which the device opens"
    );
    assert_eq!(needs[2].says, "sends to the local networks: UDP");
    assert_eq!(
        needs[3].says,
        "is sent by mqtt.maker.example: TCP port 1883"
    );
    let taken: Vec<bool> = needs.iter().map(|need| need.hole.is_some()).collect();
    assert_eq!(taken, [true, false, false, false]);
    let net: IpNet = "203.0.113.0/24".parse().unwrap();
    let hole = entry(|entry| entry.peer = Peer::Network(net)).unwrap();
    assert_eq!(hole.to, Destination::Network(net));
}

#[test]
fn all_else_is_not_and_says_why() {
    type Change = fn(&mut Entry);
    let cases: [(Change, &str); 14] = [
        (|entry| entry.accepts = false, "forbids no more"),
        (|entry| entry.from_device = false, "up to the firewall"),
        (|entry| entry.ports = Ports::Range(8883, 8883), "over TLS"),
        (
            |entry| entry.ports = Ports::Range(443, 443),
            "no MQTT in the clear",
        ),
        (|entry| entry.protocol = Some(1), "no MQTT in the clear"),
        (|entry| entry.ports = Ports::Any, "no single port"),
        (
            |entry| entry.ports = Ports::Range(1, 65535),
            "no single port",
        ),
        (|entry| entry.ports = Ports::Not(80), "no single port"),
        (|entry| entry.peer = Peer::Any, "names no server"),
        (
            |entry| entry.peer = Peer::MyController,
            "broker of this router",
        ),
        (
            |entry| entry.peer = Peer::LocalNetworks,
            "devices of the house",
        ),
        (
            |entry| entry.peer = Peer::Network("192.168.0.0/24".parse().unwrap()),
            "not on the internet",
        ),
        (
            |entry| entry.opened_by_device = Some(false),
            "the other end opens",
        ),
        (|entry| entry.conditions.push("flags".into()), "(flags)"),
    ];
    for (change, words) in cases {
        let why = entry(change).unwrap_err();
        assert!(why.contains(words), "{why}");
    }
    for net in [
        "0.0.0.0/0",
        "203.0.0.0/15",
        "2000::/3",
        "2001:db8::/31",
        "192.0.0.0/2",
    ] {
        let why = entry(|entry| entry.peer = Peer::Network(net.parse().unwrap())).unwrap_err();
        assert!(why.starts_with("not taken over"), "{net}: {why}");
    }
}

#[test]
fn no_more_is_taken_over_than_there_is_room_for() {
    let mut lamp = file::read(LAMP).unwrap();
    let one = lamp.entries[0].clone();
    lamp.entries = (0..20)
        .map(|number| Entry {
            peer: Peer::Name(format!("mqtt{number}.maker.example")),
            ..one.clone()
        })
        .collect();
    assert_eq!(holes(&lamp, &[1883]).len(), MAX_HOLES);
    let last = needs(&lamp, &[1883]).pop().unwrap();
    assert!(
        last.hole.is_none() && last.why.contains("one more than 8"),
        "{last:?}"
    );
    // The same one often is one.
    lamp.entries = vec![one; 20];
    assert!(needs(&lamp, &[1883]).iter().all(|need| need.hole.is_some()));
    assert_eq!(holes(&lamp, &[1883]).len(), 1);
}

#[test]
fn a_maker_who_names_tls_and_nothing_else_is_noticed() {
    let mut lamp = file::read(LAMP).unwrap();
    assert!(!is_tls_only(&lamp, &[1883]));
    // What it sends in the house is of no account.
    lamp.entries[0].ports = Ports::Range(8883, 8883);
    assert!(is_tls_only(&lamp, &[1883]));
    lamp.entries[1].ports = Ports::Any;
    assert!(!is_tls_only(&lamp, &[1883]));
}
