use super::*;

fn order(place: impl FnOnce(&mut Place)) -> Order {
    let mac = Mac([2, 0xc1, 0x1e, 0x17, 0, 1]);
    let mut order = Order {
        mac,
        address: "192.168.77.100".parse().unwrap(),
        firmware: Pushable::Tasmota,
        name: "kettle".into(),
        username: "kettle".into(),
        place: Place {
            server: "openwrt.lan".into(),
            tls: Some(8883),
            island: None,
            plaintext: false,
            mac,
            ca: "-----BEGIN CERTIFICATE-----".into(),
            keys: Vec::new(),
        },
        login: Some(Login {
            user: None,
            password: Zeroizing::new("web p&ss".into()),
        }),
        dry_run: false,
    };
    place(&mut order.place);
    order
}

#[test]
fn who_has_no_tls_comes_by_the_island_only_if_it_may() {
    assert_eq!(way(&order(|_| ()), true), Ok((8883, true)));
    // Never in the clear because the listener with TLS is missing.
    let lacking = order(|place| {
        (place.tls, place.island, place.plaintext) = (None, Some(1883), true);
    });
    assert!(
        way(&lacking, true)
            .unwrap_err()
            .to_string()
            .contains("no listener with TLS")
    );
    let off = way(&order(|place| place.plaintext = true), false)
        .unwrap_err()
        .to_string();
    assert!(
        off.contains("tasmota32") && off.contains("that is off"),
        "{off}"
    );
    let barred = way(&order(|place| place.island = Some(1883)), false)
        .unwrap_err()
        .to_string();
    assert!(barred.contains("needs option plaintext '1'"), "{barred}");
    let allowed = order(|place| {
        (place.island, place.plaintext) = (Some(1883), true);
    });
    assert_eq!(way(&allowed, false), Ok((1883, false)));
}

#[test]
fn what_a_device_says_is_shown_without_secrets_and_escaped() {
    let order = order(|_| ());
    let mut session = Session::new(&order, Instant::now() + DEADLINE);
    session.hide(&Zeroizing::new("s3cret".into()));
    let shown = session.shown("as3cretb web p&ss web%20p%26ss \x1b[31m");
    assert_eq!(shown, "a***b *** *** \\u{1b}[31m");
    // As it went to the device: in Basic, and as JSON.
    let asked = session.shown("Authorization: Basic YWRtaW46d2ViIHAmc3M=");
    assert_eq!(asked, "Authorization: Basic ***");
    session.hide(&Zeroizing::new("a\"b\\c\"".into()));
    assert_eq!(
        session.shown(r#"{"Input":"a\"b\\c\""}"#),
        r#"{"Input":"***"}"#
    );
    let long = session.shown(&"x".repeat(10_000));
    assert!(long.len() < 250, "{}", long.len());
    // An empty secret is in everything.
    session.hide(&Zeroizing::default());
    assert_eq!(session.shown("abc"), "abc");
}

#[test]
fn every_firmware_that_takes_a_push_is_one() {
    for pushable in Pushable::ALL {
        assert_eq!(Pushable::of(pushable.firmware()), Some(pushable));
    }
    assert_eq!(Pushable::of(Firmware::EspHome), None);
    assert_eq!(Pushable::of(Firmware::ShellyGen1), None);
}
