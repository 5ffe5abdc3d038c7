use serde_json::json;

use super::*;

const LAMP: &[u8] = include_bytes!("../testdata/lamp.json");

fn changed(change: impl FnOnce(&mut Value)) -> Result<Description, String> {
    let mut file: Value = serde_json::from_slice(LAMP).unwrap();
    change(&mut file);
    read(file.to_string().as_bytes())
}

/// The file with these conditions in its first entry of what the device sends.
fn matching(conditions: Value) -> Result<Entry, String> {
    let place = "/ietf-access-control-list:acls/acl/1/aces/ace/0/matches";
    changed(|file| *file.pointer_mut(place).unwrap() = conditions)
        .map(|found| found.entries.into_iter().next().unwrap())
}

#[test]
fn a_file_is_read_as_it_is() {
    let found = read(LAMP).unwrap();
    assert_eq!(found.url, "https://maker.example/lamp.json");
    assert_eq!(
        found.signature_url.as_deref(),
        Some("https://maker.example/lamp.p7s")
    );
    assert_eq!((found.cache_validity_h, found.is_supported), (48, true));
    assert_eq!(found.mfg_name.as_deref(), Some("Acme"));
    // What the device sends comes first, whatever the order of the lists.
    let names: Vec<_> = found.entries.iter().map(|entry| &*entry.name).collect();
    assert_eq!(names, ["cloud", "update", "house", "cloud-back"]);
    let cloud = &found.entries[0];
    assert_eq!(cloud.peer, Peer::Name("mqtt.maker.example".into()));
    assert_eq!(
        (cloud.protocol, cloud.ports),
        (Some(6), Ports::Range(1883, 1883))
    );
    assert_eq!(cloud.opened_by_device, Some(true));
    assert_eq!(found.entries[2].peer, Peer::LocalNetworks);
    let back = &found.entries[3];
    assert!(!back.from_device);
    assert_eq!(back.ports, Ports::Range(1883, 1883));
}

#[test]
fn every_way_to_name_the_other_end_and_its_ports() {
    let tcp = |port: Value| json!({ "tcp": { "destination-port": port } });
    for (conditions, peer, ports) in [
        (json!({}), Peer::Any, Ports::Any),
        (
            json!({ "ietf-mud:mud": { "controller": "urn:ietf:params:mud:dns" } }),
            Peer::Controller("urn:ietf:params:mud:dns".into()),
            Ports::Any,
        ),
        (
            json!({ "ietf-mud:mud": { "my-controller": [null] } }),
            Peer::MyController,
            Ports::Any,
        ),
        (
            json!({ "ietf-mud:mud": { "same-manufacturer": [null] } }),
            Peer::SameManufacturer,
            Ports::Any,
        ),
        (
            json!({ "ietf-mud:mud": { "manufacturer": "acme.example" } }),
            Peer::Manufacturer("acme.example".into()),
            Ports::Any,
        ),
        (
            json!({ "ietf-mud:mud": { "model": "https://acme.example/l1.json" } }),
            Peer::Model("https://acme.example/l1.json".into()),
            Ports::Any,
        ),
        (
            json!({ "ipv4": { "destination-ipv4-network": "203.0.113.9/24" } }),
            Peer::Network("203.0.113.0/24".parse().unwrap()),
            Ports::Any,
        ),
        (
            json!({ "ipv6": { "ietf-acldns:dst-dnsname": "MQTT.Acme.Example." } }),
            Peer::Name("mqtt.acme.example".into()),
            Ports::Any,
        ),
        (tcp(json!({ "port": 80 })), Peer::Any, Ports::Range(80, 80)),
        (
            tcp(json!({ "operator": "lte", "port": 80 })),
            Peer::Any,
            Ports::Range(0, 80),
        ),
        (
            tcp(json!({ "operator": "gte", "port": 80 })),
            Peer::Any,
            Ports::Range(80, 65535),
        ),
        (
            tcp(json!({ "operator": "neq", "port": 80 })),
            Peer::Any,
            Ports::Not(80),
        ),
        (
            tcp(json!({ "lower-port": 80, "upper-port": 90 })),
            Peer::Any,
            Ports::Range(80, 90),
        ),
    ] {
        let found = matching(conditions.clone()).unwrap();
        assert_eq!((found.peer, found.ports), (peer, ports), "{conditions}");
    }
    let found = matching(json!({ "eth": {}, "tcp": { "flags": "syn" } })).unwrap();
    assert_eq!(found.conditions, ["eth", "flags"]);
    assert_eq!(found.protocol, Some(6));
}

#[test]
fn what_makes_no_sense_is_told_with_its_place() {
    for (conditions, words) in [
        (json!([]), "matches: found a list of 0, expected an object"),
        (
            json!({ "ipv4": 4 }),
            "matches.ipv4: found 4, expected an object",
        ),
        (
            json!({ "ipv4": { "protocol": 256 } }),
            "protocol: found 256",
        ),
        (json!({ "ipv4": { "protocol": 17 }, "tcp": {} }), ""),
        (
            json!({ "ipv4": { "protocol": 17 }, "tcp": { "destination-port": { "port": 1 } } }),
            "expected protocol 17",
        ),
        (
            json!({ "tcp": { "destination-port": { "lower-port": 2, "upper-port": 1 } } }),
            "upper-port: found 1, expected a port from 2 on",
        ),
        (
            json!({ "tcp": { "destination-port": { "operator": "is", "port": 1 } } }),
            "expected eq, neq, lte or gte",
        ),
        (
            json!({ "tcp": { "ietf-mud:direction-initiated": "both" } }),
            "expected from-device or to-device",
        ),
        (
            json!({ "ipv4": { "destination-ipv4-network": "everywhere" } }),
            "expected a network",
        ),
        (
            json!({ "ipv4": { "ietf-acldns:dst-dnsname": "a" },
                    "ietf-mud:mud": { "local-networks": [null] } }),
            "expected one condition on the other end",
        ),
    ] {
        match matching(conditions.clone()) {
            Err(error) => assert!(!words.is_empty() && error.contains(words), "{error}"),
            Ok(_) => assert!(words.is_empty(), "{conditions}"),
        }
    }
    for host in [
        "",
        "a b",
        "10.0.0.1",
        "127.1",
        "::1",
        "-a.example",
        "a..b",
        "*.example",
        "ü.example",
    ] {
        let error = matching(json!({ "ipv4": { "ietf-acldns:dst-dnsname": host } })).unwrap_err();
        assert!(error.contains("expected a host name"), "{host}: {error}");
    }
    for (pointer, value, words) in [
        (
            "/ietf-mud:mud",
            json!(1),
            "ietf-mud:mud: found 1, expected an object",
        ),
        (
            "/ietf-mud:mud/mud-version",
            json!(2),
            "mud-version: found 2, expected 1",
        ),
        ("/ietf-mud:mud/cache-validity", json!(0), "from 1 to 168"),
        ("/ietf-mud:mud/cache-validity", json!(169), "from 1 to 168"),
        (
            "/ietf-mud:mud/is-supported",
            json!(null),
            "expected true or false",
        ),
        (
            "/ietf-mud:mud/systeminfo",
            json!("x".repeat(241)),
            "at most 240 bytes",
        ),
        ("/ietf-mud:mud/systeminfo", json!("\u{202e}x"), "printable"),
        (
            "/ietf-mud:mud/from-device-policy/access-lists/access-list/0/name",
            json!("other"),
            "the name of an access list in the file",
        ),
        (
            "/ietf-access-control-list:acls/acl/0/name",
            json!("from-lamp"),
            "no other access list",
        ),
        (
            "/ietf-access-control-list:acls/acl/1/aces/ace/0/actions/forwarding",
            json!("maybe"),
            "accept, drop or reject",
        ),
    ] {
        let error = changed(|file| *file.pointer_mut(pointer).unwrap() = value).unwrap_err();
        assert!(error.contains(words), "{pointer}: {error}");
    }
}

#[test]
fn no_file_is_too_much() {
    let entries = "/ietf-access-control-list:acls/acl/1/aces/ace";
    let many = |count: usize| {
        changed(|file| {
            let one = file.pointer(entries).unwrap()[0].clone();
            *file.pointer_mut(entries).unwrap() = Value::Array(vec![one; count]);
        })
    };
    // One more is in the other list.
    assert_eq!(many(MAX_ENTRIES - 1).unwrap().entries.len(), MAX_ENTRIES);
    assert!(
        many(MAX_ENTRIES)
            .unwrap_err()
            .contains("at most 128 entries")
    );
    assert!(many(MAX_ENTRIES + 1).unwrap_err().contains("at most 128"));
    // The same list by two policies, and by one of them often.
    let list = "/ietf-mud:mud/from-device-policy/access-lists/access-list";
    let often = changed(|file| {
        *file.pointer_mut(list).unwrap() = json!(vec![json!({ "name": "from-lamp" }); 33]);
    });
    assert!(often.unwrap_err().contains("at most 32"));
    let deep = "[".repeat(MAX_BYTES);
    assert!(read(deep.as_bytes()).unwrap_err().contains("recursion"));
    assert!(
        read(&vec![b' '; MAX_BYTES + 1])
            .unwrap_err()
            .contains("at most 131072")
    );
    assert!(
        changed(|file| {
            let place = "/ietf-access-control-list:acls/acl/1/aces/ace/0/matches";
            let many = (0..1000).map(|number| (format!("module-{number}"), json!({})));
            *file.pointer_mut(place).unwrap() = Value::Object(many.collect());
        })
        .is_ok_and(|found| found.entries[0].conditions.len() == 8)
    );
}
