//! Which interface and address a device is bound to.

use std::net::Ipv4Addr;

use super::*;
use crate::discovery::Link;

const A: Ipv4Addr = Ipv4Addr::new(192, 168, 77, 20);
const B: Ipv4Addr = Ipv4Addr::new(192, 168, 77, 77);

fn seen(source: Source, address: Ipv4Addr, present: bool) -> Sighting {
    Sighting {
        source,
        address: Some(address.into()),
        ..lease(PLUG, "plug", present)
    }
}

fn address(registry: &Registry) -> Option<Ipv4Addr> {
    registry.policy(registry.device(PLUG)?).address
}

fn interface(registry: &Registry) -> Option<u32> {
    registry.policy(registry.device(PLUG)?).interface
}

fn link(name: &str, index: u32) -> Link {
    Link {
        name: name.into(),
        index,
        is_bridge: name.starts_with("br-"),
        ..Link::default()
    }
}

#[test]
fn only_what_a_lease_gives_binds() {
    for (source, bound) in [
        (Source::LeaseFile, Some(A)),
        (Source::Odhcpd, Some(A)),
        // Also comes for an address that the device made up.
        (Source::Dnsmasq, None),
        (Source::Neighbours, None),
    ] {
        let mut registry = registry();
        registry.sighting(1, &seen(source, A, true));
        registry.take_effects();
        assert_eq!(address(&registry), bound, "{source:?}");
        registry.sighting(2, &seen(Source::Neighbours, B, true));
        assert_eq!(address(&registry), bound, "{source:?}");
    }
    let mut registry = registry();
    let v6 = Sighting {
        address: Some("fd77::1".parse().expect("an address")),
        ..seen(Source::LeaseFile, A, true)
    };
    registry.sighting(1, &v6);
    assert_eq!(address(&registry), None);
}

#[test]
fn the_kernel_is_told_of_every_change_and_of_no_other() {
    let mut registry = registry();
    registry.sighting(1, &seen(Source::LeaseFile, A, true));
    registry.take_effects();
    registry.sighting(2, &seen(Source::LeaseFile, A, true));
    assert!(registry.take_effects().policies.is_empty());
    registry.sighting(3, &seen(Source::LeaseFile, A, false));
    assert!(registry.take_effects().policies.contains(&PLUG));
    assert_eq!(address(&registry), None);
}

#[test]
fn several_leases_bind_to_none() {
    let mut registry = registry();
    registry.sighting(1, &seen(Source::LeaseFile, A, true));
    registry.sighting(2, &seen(Source::Odhcpd, A, true));
    assert_eq!(address(&registry), Some(A), "two servers, one lease");
    registry.sighting(3, &seen(Source::LeaseFile, B, true));
    assert_eq!(address(&registry), None);
    registry.address_lost(20_000, Source::LeaseFile, PLUG, B.into());
    assert_eq!(address(&registry), Some(A));
}

#[test]
fn a_crowd_of_leases_binds_to_none_until_all_are_gone() {
    let mut registry = registry();
    let all: Vec<Ipv4Addr> = (1..=40).map(|n| Ipv4Addr::new(10, 0, 0, n)).collect();
    for one in &all {
        registry.sighting(1, &seen(Source::LeaseFile, *one, true));
    }
    for one in &all[1..] {
        registry.address_lost(2, Source::LeaseFile, PLUG, (*one).into());
    }
    assert_eq!(address(&registry), None);
    registry.sighting(3, &seen(Source::LeaseFile, all[0], false));
    registry.sighting(20_000, &seen(Source::LeaseFile, A, true));
    assert_eq!(address(&registry), Some(A));
}

#[test]
fn a_device_that_moves_is_free_for_a_moment() {
    let mut registry = registry();
    registry.sighting(1_000, &seen(Source::LeaseFile, A, true));
    // As the lease file is read: what is new, then what is gone.
    registry.sighting(10_000, &seen(Source::LeaseFile, B, true));
    registry.address_lost(10_000, Source::LeaseFile, PLUG, A.into());
    assert_eq!(address(&registry), None);
    registry.tick(14_999);
    assert_eq!(address(&registry), None);
    registry.take_effects();
    registry.tick(15_000);
    assert_eq!(address(&registry), Some(B));
    assert!(registry.take_effects().policies.contains(&PLUG));
    let device = registry.device(PLUG).expect("known");
    assert!(!device.addresses.contains(&A.into()), "{device:?}");
}

#[test]
fn a_device_that_keeps_moving_gets_no_more_free_moments() {
    let mut registry = registry();
    registry.sighting(1_000, &seen(Source::LeaseFile, A, true));
    registry.sighting(10_000, &seen(Source::LeaseFile, B, true));
    registry.address_lost(10_000, Source::LeaseFile, PLUG, A.into());
    registry.tick(15_000);
    registry.sighting(20_000, &seen(Source::LeaseFile, A, true));
    registry.address_lost(20_000, Source::LeaseFile, PLUG, B.into());
    assert_eq!(address(&registry), Some(A));
}

#[test]
fn the_owner_can_leave_addresses_free() {
    for uci in [
        "config mqttguard 'main'\n\toption bindings 'off'\n".to_owned(),
        format!("config device\n\toption mac '{PLUG}'\n\toption bind_address '0'\n"),
    ] {
        let mut registry = registry_with(&uci);
        registry.sighting(1, &seen(Source::LeaseFile, A, true));
        assert_eq!(address(&registry), None, "{uci}");
    }
}

#[test]
fn other_sources_begin_anew() {
    let mut registry = registry();
    registry.sighting(1, &seen(Source::LeaseFile, A, true));
    registry.forget_presence();
    assert_eq!(address(&registry), None);
    registry.sighting(2, &seen(Source::LeaseFile, A, true));
    assert_eq!(address(&registry), Some(A));
}

#[test]
fn an_interface_is_followed_by_its_name() {
    let uci = format!("config device\n\toption mac '{PLUG}'\n\toption interface 'lan3'\n");
    let mut registry = registry_with(&uci);
    registry.take_effects();
    registry.follow_links(&[link("lan2", 4), link("lan3", 5)]);
    assert_eq!(interface(&registry), Some(5));
    assert!(codes(&mut registry).is_empty(), "as it should be");
    // It went and came back.
    registry.follow_links(&[link("lan2", 4), link("lan3", 9)]);
    assert_eq!(interface(&registry), Some(9));
    let effects = registry.take_effects();
    assert!(effects.policies.contains(&PLUG) && effects.told.is_empty());
    registry.follow_links(&[link("lan2", 4), link("lan3", 9)]);
    assert!(registry.take_effects().policies.is_empty());
    registry.follow_links(&[link("lan2", 4)]);
    assert_eq!(interface(&registry), None);
    assert_eq!(codes(&mut registry), ["not-bound"]);
    registry.follow_links(&[link("lan3", 12)]);
    assert_eq!(interface(&registry), Some(12));
    assert_eq!(codes(&mut registry), ["bound"]);
    registry.set_settings(Arc::new(config::parse("test", "").expect("valid")), 1);
    registry.follow_links(&[link("lan3", 12)]);
    assert_eq!(interface(&registry), None);
    assert!(!registry.names_links());
}

#[test]
fn a_bridge_is_no_interface_that_frames_come_in_on() {
    let uci = format!("config device\n\toption mac '{PLUG}'\n\toption interface 'br-lan'\n");
    let mut registry = registry_with(&uci);
    registry.follow_links(&[link("br-lan", 3)]);
    assert_eq!(interface(&registry), None);
    let device = registry.device(PLUG).expect("known");
    let (name, missing) = registry.place(device).expect("named");
    assert!(name == "br-lan" && missing.is_some_and(|why| why.contains("bridge")));
}
