mod bindings;
mod claims;
mod described;
mod disk;
mod exceptions;
mod identity;
mod notes;

use super::*;
use crate::discovery::{Sighting, Source};

const PLUG: Mac = Mac([0x02, 0xc1, 0x1e, 0x17, 0, 1]);
const LAMP: Mac = Mac([0x02, 0xc1, 0x1e, 0x17, 0, 2]);
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

fn registry_with(uci: &str) -> Registry {
    let settings = config::parse("test", uci).expect("a valid configuration");
    Registry::new(Contents::default(), Arc::new(settings), 0)
}

fn registry() -> Registry {
    registry_with("config mqttguard 'main'\n")
}

fn lease(mac: Mac, hostname: &str, present: bool) -> Sighting {
    Sighting {
        source: Source::LeaseFile,
        mac,
        address: Some([192, 168, 77, mac.0[5]].into()),
        hostname: (!hostname.is_empty()).then(|| hostname.to_owned()),
        interface: None,
        present,
    }
}

fn state(registry: &Registry, mac: Mac) -> Option<State> {
    registry.device(mac).map(Device::state)
}

fn codes(registry: &mut Registry) -> Vec<&'static str> {
    registry
        .take_effects()
        .told
        .iter()
        .map(|(_, _, kind)| kind.code())
        .collect()
}

fn note(why: &str) -> Because {
    Because::Note(why.to_owned())
}

fn verifiers(hash: &str) -> Verifiers {
    Verifiers {
        hash: hash.into(),
        scram: vec![format!("SCRAM-SHA-256 of {hash}").into()],
    }
}

#[test]
fn a_first_lease_makes_a_named_new_device_with_a_policy() {
    let mut registry = registry();
    registry.take_effects();
    registry.sighting(5, &lease(PLUG, "Kitchen Plug", true));
    let device = registry.device(PLUG).expect("known");
    assert_eq!(
        (device.state(), device.name.as_str()),
        (State::New, "Kitchen-Plug")
    );
    assert_eq!(registry.policy(device).standing, Standing::Good);
    let effects = registry.take_effects();
    assert!(effects.policies.contains(&PLUG));
    assert_eq!(effects.told.len(), 1, "told once: {:?}", effects.told);
    registry.sighting(6, &lease(PLUG, "Kitchen Plug", true));
    assert!(
        registry.take_effects().told.is_empty(),
        "a renewal is no news"
    );
}

#[test]
fn an_enrolled_device_cannot_rename_itself_into_another_devices_topics() {
    let mut registry = registry();
    registry.sighting(1, &lease(PLUG, "plug", true));
    registry.sighting(1, &lease(LAMP, "lamp", true));
    registry
        .enrol(2, PLUG, None, None, verifiers("hash"))
        .expect("enrolled");
    registry.sighting(3, &lease(PLUG, "lamp", true));
    assert_eq!(
        registry.device(PLUG).map(|device| device.name.as_str()),
        Some("plug")
    );
    registry.sighting(3, &lease(LAMP, "plug", true));
    assert_eq!(
        registry.device(LAMP).map(|device| device.name.as_str()),
        Some("plug-0002")
    );
}

#[test]
fn enrolling_again_replaces_the_password_and_keeps_name_and_profile() {
    let mut registry = registry();
    registry.sighting(1, &lease(PLUG, "plug", true));
    assert_eq!(
        registry.enrol(2, PLUG, Some("hub"), None, verifiers("one")),
        Ok("plug".into())
    );
    assert_eq!(
        registry.enrol(3, PLUG, None, None, verifiers("two")),
        Ok("plug".into())
    );
    let directory = registry.directory();
    assert_eq!(directory.accounts.len(), 1);
    let account = &directory.accounts["plug"];
    assert_eq!(
        (&*account.hash, account.profile_name.as_str()),
        ("two", "hub")
    );
    assert_eq!(registry.take_effects().save, Save::Now);
}

#[test]
fn refuses_what_an_owner_mistypes() {
    let mut registry = registry();
    let refused = registry.enrol(1, PLUG, Some("nope"), None, Verifiers::default());
    assert!(
        matches!(refused, Err(Refused::NoSuchProfile { .. })),
        "{refused:?}"
    );
    let refused = registry.enrol(1, PLUG, None, Some("a/b"), Verifiers::default());
    assert_eq!(refused, Err(Refused::BadUsername("a/b".into())));
    registry
        .enrol(1, PLUG, None, Some("me"), Verifiers::default())
        .expect("enrolled unseen");
    let refused = registry.enrol(1, LAMP, None, Some("me"), Verifiers::default());
    assert_eq!(
        refused,
        Err(Refused::UsernameTaken {
            username: "me".into(),
            owner: PLUG
        })
    );
    assert!(
        registry.device(LAMP).is_none(),
        "a refused wish leaves nothing behind"
    );
}

#[test]
fn guessing_passwords_quarantines_for_a_time() {
    let mut registry = registry_with(
        "config mqttguard 'main'\n\toption login_failures '3'\n\toption quarantine '10m'\n",
    );
    registry.sighting(0, &lease(PLUG, "plug", true));
    for now in [1_000, 2_000] {
        registry.login_failed(now, PLUG);
        assert_eq!(state(&registry, PLUG), Some(State::New));
    }
    registry.login_failed(3_000, PLUG);
    assert_eq!(state(&registry, PLUG), Some(State::Quarantined));
    assert_eq!(
        registry.directory().standings.get(&PLUG),
        Some(&Standing::Quarantined)
    );
    assert!(codes(&mut registry).contains(&"state-changed"));
    registry.tick(3_000 + 599_999);
    assert_eq!(state(&registry, PLUG), Some(State::Quarantined));
    registry.tick(3_000 + 600_000);
    assert_eq!(state(&registry, PLUG), Some(State::New));
}

#[test]
fn one_bad_client_does_not_silence_a_hub_that_works() {
    let mut registry = registry_with("config mqttguard 'main'\n\toption login_failures '3'\n");
    registry.sighting(0, &lease(PLUG, "hub", true));
    registry.connected(&BTreeSet::from([PLUG]));
    for now in 1..18 {
        registry.login_failed(now, PLUG);
        assert_eq!(state(&registry, PLUG), Some(State::New), "after {now}");
    }
    registry.login_failed(18, PLUG);
    assert_eq!(
        state(&registry, PLUG),
        Some(State::Quarantined),
        "trust has an end"
    );
}

#[test]
fn a_quarantine_set_by_a_wrong_clock_ends_in_time() {
    let mut registry = registry_with(
        "config mqttguard 'main'\n\toption login_failures '1'\n\toption quarantine '10m'\n",
    );
    registry.sighting(0, &lease(PLUG, "plug", true));
    registry.login_failed(100 * DAY_MS, PLUG);
    registry.tick(1_000);
    registry.tick(1_000 + 600_000);
    assert_eq!(state(&registry, PLUG), Some(State::New));
}

#[test]
fn a_block_holds_until_the_owner_lifts_it() {
    let mut registry = registry();
    registry
        .block(1, PLUG, note("too chatty"))
        .expect("blocked before it was ever seen");
    registry.tick(1_000 * DAY_MS);
    assert_eq!(state(&registry, PLUG), Some(State::Blocked));
    let effects = registry.take_effects();
    assert!(effects.policies.contains(&PLUG) && !effects.freed.contains(&PLUG));
    registry.unblock(PLUG).expect("unblocked");
    assert_eq!(state(&registry, PLUG), Some(State::Gone));
}

#[test]
fn the_configuration_has_the_last_word() {
    let mut registry = registry_with(&format!(
        "config mqttguard 'main'\nconfig device 'plug'\n\toption mac '{PLUG}'\n\toption name 'boiler'\n\toption blocked '1'\n"
    ));
    assert_eq!(state(&registry, PLUG), Some(State::Blocked));
    assert_eq!(registry.find("boiler"), Ok(PLUG));
    assert_eq!(registry.unblock(PLUG), Err(Refused::BlockedByConfig(PLUG)));
    let open = config::parse("test", "config mqttguard 'main'\n").expect("valid");
    registry.set_settings(Arc::new(open), 2);
    assert_eq!(state(&registry, PLUG), Some(State::New));
}

#[test]
fn who_is_not_seen_goes_and_who_holds_a_credential_keeps_it() {
    let mut registry = registry();
    for mac in [PLUG, LAMP] {
        registry.sighting(0, &lease(mac, "", true));
    }
    registry
        .enrol(1, LAMP, None, None, verifiers("hash"))
        .expect("enrolled");
    registry.tick(100 * DAY_MS);
    assert_eq!(
        state(&registry, PLUG),
        Some(State::New),
        "its lease says that it is there"
    );
    for mac in [PLUG, LAMP] {
        registry.sighting(100 * DAY_MS, &lease(mac, "", false));
    }
    registry.take_effects();
    registry.tick(131 * DAY_MS);
    assert_eq!(state(&registry, PLUG), None);
    assert_eq!(state(&registry, LAMP), Some(State::Gone));
    assert_eq!(
        registry
            .take_effects()
            .freed
            .into_iter()
            .collect::<Vec<_>>(),
        [PLUG, LAMP]
    );
    registry.sighting(132 * DAY_MS, &lease(LAMP, "", true));
    assert_eq!(state(&registry, LAMP), Some(State::Enrolled));
    assert!(registry.take_effects().policies.contains(&LAMP));
}

#[test]
fn rolling_addresses_neither_fill_the_registry_nor_push_anybody_out() {
    let mut registry = registry();
    registry
        .enrol(0, PLUG, None, None, verifiers("hash"))
        .expect("enrolled");
    for i in 0..100_000u32 {
        let [a, b, c, d] = i.to_be_bytes();
        registry.frame(1, Mac([0x06, 0, a, b, c, d]));
    }
    assert_eq!(
        registry.devices().count(),
        1 + Registry::STRANGERS_PER_MINUTE as usize
    );
    for i in 0..3_000u32 {
        let [a, b, c, d] = i.to_be_bytes();
        let mac = Mac([0x0a, 0, a, b, c, d]);
        registry.sighting(u64::from(i), &lease(mac, "", true));
        registry.sighting(u64::from(i), &lease(mac, "", false));
    }
    assert_eq!(registry.devices().count(), Registry::MAX_DEVICES);
    assert_eq!(state(&registry, PLUG), Some(State::Enrolled));
}

#[test]
fn finds_a_device_by_whatever_the_owner_knows() {
    let mut registry = registry();
    registry.sighting(1, &lease(PLUG, "plug", true));
    registry
        .enrol(2, PLUG, None, Some("user-1"), verifiers("hash"))
        .expect("enrolled");
    for wanted in ["02:c1:1e:17:00:01", "PLUG", "user-1", "192.168.77.1"] {
        assert_eq!(registry.find(wanted), Ok(PLUG), "{wanted}");
    }
    assert_eq!(
        registry.find("toaster"),
        Err(LookupError::Unknown("toaster".into()))
    );
}

#[test]
fn a_name_of_the_configuration_is_taken_from_whoever_has_it() {
    let mut registry = registry();
    registry.sighting(1, &lease(LAMP, "inverter", true));
    registry
        .enrol(2, LAMP, None, None, verifiers("hash"))
        .expect("enrolled");
    let uci = format!(
        "config mqttguard 'main'\nconfig device\n\toption mac '{PLUG}'\n\toption name 'inverter'\n"
    );
    let settings = config::parse("test", &uci).expect("valid");
    registry.set_settings(Arc::new(settings), 3);
    registry
        .enrol(4, PLUG, None, None, verifiers("hash"))
        .expect("enrolled");
    let directory = registry.directory();
    let names: BTreeSet<&str> = directory
        .accounts
        .values()
        .map(|account| account.device.as_str())
        .collect();
    assert_eq!(names, BTreeSet::from(["02c11e170002", "inverter"]));
}

#[test]
fn nobody_takes_the_name_that_another_device_bears_without_telling_one() {
    let mut registry = registry();
    registry.sighting(1, &lease(LAMP, "02c11e170001", true));
    registry.sighting(2, &lease(PLUG, "", true));
    let name = |mac| registry.device(mac).map(|device| device.name.as_str());
    assert_eq!(name(LAMP), Some("02c11e170002"));
    assert_eq!(name(PLUG), Some("02c11e170001"));
}

#[test]
fn a_username_is_never_given_twice() {
    let mut registry = registry();
    registry
        .enrol(1, LAMP, None, Some("02c11e170001"), verifiers("hash"))
        .expect("enrolled");
    let refused = registry.enrol(2, PLUG, None, None, verifiers("hash"));
    assert!(
        matches!(refused, Err(Refused::UsernameTaken { owner: LAMP, .. })),
        "{refused:?}"
    );
}

#[test]
fn a_crowd_does_not_keep_the_owner_from_acting() {
    let mut registry = registry();
    for number in 0..Registry::MAX_DEVICES {
        let [.., high, low] = number.to_be_bytes();
        let mac = Mac([2, 0, 0, 1, high, low]);
        registry.sighting(1, &lease(mac, "", true));
    }
    registry.sighting(2, &lease(PLUG, "plug", true));
    assert!(registry.device(PLUG).is_none(), "there is no room");
    registry.block(3, PLUG, note("by hand")).expect("blocked");
    assert_eq!(state(&registry, PLUG), Some(State::Blocked));
    assert_eq!(registry.devices().count(), Registry::MAX_DEVICES);
}

#[test]
fn a_clock_that_is_set_ends_no_quarantine_and_sends_nobody_away() {
    const BOOT: UnixMs = 1_600_000_000_000;
    const NOW: UnixMs = 1_800_000_000_000;
    let mut registry = registry();
    registry.frame(BOOT, PLUG);
    registry
        .enrol(BOOT, LAMP, None, None, verifiers("hash"))
        .expect("enrolled");
    for _ in 0..5 {
        registry.login_failed(BOOT, PLUG);
    }
    registry.clock_set(BOOT + 60_000, NOW);
    registry.tick(NOW);
    assert_eq!(state(&registry, PLUG), Some(State::Quarantined));
    assert_eq!(state(&registry, LAMP), Some(State::Enrolled));
    registry.tick(NOW + 9 * 60_000);
    assert_eq!(state(&registry, PLUG), Some(State::New));
}

#[test]
fn an_address_is_that_of_the_device_last_seen_with_it() {
    let mut registry = registry();
    registry.sighting(1, &lease(PLUG, "plug", true));
    let mut moved = lease(LAMP, "lamp", true);
    moved.address = Some([192, 168, 77, PLUG.0[5]].into());
    registry.sighting(2, &moved);
    assert_eq!(registry.find("192.168.77.1"), Ok(LAMP));
}

#[test]
fn a_frame_brings_a_gone_device_back() {
    let mut registry = registry();
    registry
        .enrol(0, PLUG, None, None, verifiers("hash"))
        .expect("enrolled");
    registry.tick(31 * DAY_MS);
    assert_eq!(state(&registry, PLUG), Some(State::Gone));
    registry.take_effects();
    registry.frame(31 * DAY_MS, PLUG);
    assert_eq!(state(&registry, PLUG), Some(State::Enrolled));
    assert!(registry.take_effects().policies.contains(&PLUG));
}

#[test]
fn sources_that_begin_anew_keep_nobody_present() {
    let mut registry = registry();
    registry.sighting(0, &lease(PLUG, "plug", true));
    registry.forget_presence();
    registry.tick(31 * DAY_MS);
    assert!(registry.device(PLUG).is_none(), "long gone");
}

#[test]
fn a_block_by_the_configuration_is_told_once() {
    let mut registry = registry();
    registry.sighting(1, &lease(PLUG, "plug", true));
    registry.take_effects();
    let uci = format!(
        "config mqttguard 'main'\nconfig device\n\toption mac '{PLUG}'\n\toption blocked '1'\n"
    );
    let settings = Arc::new(config::parse("test", &uci).expect("valid"));
    registry.set_settings(settings.clone(), 2);
    assert_eq!(codes(&mut registry), ["state-changed"]);
    registry.set_settings(settings, 3);
    assert_eq!(codes(&mut registry), [""; 0]);
}

#[test]
fn strangers_that_only_send_frames_wear_no_flash() {
    let mut registry = registry();
    registry.take_effects();
    for number in 0..20 {
        registry.frame(1, Mac([2, 0, 0, 1, 0, number]));
    }
    assert_eq!(registry.devices().count(), 20);
    registry.tick(31 * DAY_MS);
    assert_eq!(registry.devices().count(), 0);
    assert_eq!(registry.take_effects().save, Save::No);
    registry.sighting(31 * DAY_MS, &lease(PLUG, "plug", true));
    assert_eq!(registry.take_effects().save, Save::Soon);
}

#[test]
fn a_quarantine_that_was_not_written_down_begins_anew() {
    let mut registry = registry();
    assert!(registry.adopt(1, PLUG, Standing::Quarantined));
    assert!(registry.adopt(1, LAMP, Standing::Good));
    assert_eq!(state(&registry, PLUG), Some(State::Quarantined));
    assert_eq!(state(&registry, LAMP), Some(State::New));
}
