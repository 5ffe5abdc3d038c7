use super::*;

fn granted(publish: &[&str], subscribe: &[&str]) -> Granted {
    let own = |list: &[&str]| list.iter().map(|&one| one.to_owned()).collect();
    Granted {
        publish: own(publish),
        subscribe: own(subscribe),
    }
}

#[test]
fn accepted_topics_are_beside_those_of_profile_and_section() {
    let uci = format!(
        "config mqttguard 'main'\n\toption profile 'narrow'\n\
         config profile 'narrow'\n\tlist publish '%d/#'\n\tlist deny '%d/secret'\n\
         config device\n\toption mac '{PLUG}'\n\tlist publish 'meter/power'\n"
    );
    let mut registry = registry_with(&uci);
    for mac in [PLUG, LAMP] {
        registry
            .enrol(1, mac, None, None, verifiers("hash"))
            .expect("enrolled");
    }
    registry.take_effects();
    let wanted = BTreeMap::from([(PLUG, granted(&["acme/%m/#"], &["acme/%m/set"]))]);
    registry.set_described_topics(wanted.clone());
    assert!(registry.take_effects().directory);
    let profile = |registry: &Registry, mac| {
        let directory = registry.directory();
        let mut accounts = directory.accounts.into_values();
        let account = accounts.find(|account| account.mac == mac);
        account.expect("an account").profile.clone()
    };
    let plug = profile(&registry, PLUG);
    assert_eq!(plug.publish, ["%d/#", "meter/power", "acme/%m/#"]);
    assert_eq!(plug.subscribe, ["acme/%m/set"]);
    assert_eq!(plug.deny, ["%d/secret"]);
    let lamp = profile(&registry, LAMP);
    assert_eq!(
        (&*lamp.publish, lamp.subscribe.len()),
        (&["%d/#".to_owned()][..], 0)
    );
    // The same again is nothing to tell the broker; nothing at all is.
    registry.set_described_topics(wanted);
    assert!(!registry.take_effects().directory);
    registry.set_described_topics(BTreeMap::new());
    assert!(registry.take_effects().directory);
    assert_eq!(profile(&registry, PLUG).publish, ["%d/#", "meter/power"]);
}

#[test]
fn what_is_accepted_of_a_device_is_lost_to_no_crowd_and_ends_with_the_device() {
    let mut registry = registry();
    for mac in [PLUG, LAMP] {
        registry.sighting(0, &lease(mac, "", true));
        registry.sighting(0, &lease(mac, "", false));
    }
    registry.set_described_topics(BTreeMap::from([(PLUG, Granted::default())]));
    registry.take_effects();
    for i in 0..3_000u32 {
        let [a, b, c, d] = i.to_be_bytes();
        let mac = Mac([0x0a, 0, a, b, c, d]);
        registry.sighting(1, &lease(mac, "", true));
        registry.sighting(1, &lease(mac, "", false));
    }
    assert!(registry.device(PLUG).is_some() && registry.device(LAMP).is_none());
    let dropped = registry.take_effects().dropped;
    assert!(dropped.contains(&LAMP) && !dropped.contains(&PLUG));
    registry.tick(31 * DAY_MS);
    assert!(registry.device(PLUG).is_none());
    assert!(registry.take_effects().dropped.contains(&PLUG));
}
