//! A device appears, named, the moment it joins.

use mqttguard_lab::{Lab, PATIENCE, wait_for};
use serde_json::Value;

#[test]
fn a_device_appears_with_name_and_address_when_it_gets_its_lease() {
    let mut lab = Lab::new_before_dhcp(&["lamp"]).unwrap();
    let guard = lab.start_guard("", "").unwrap();
    let mac = lab.device(0).mac_text();
    let named = |guard: &mqttguard_lab::Guard| {
        guard
            .device("lamp")
            .ok()
            .filter(|d| d.get("mac").and_then(Value::as_str) == Some(&mac))
    };
    assert!(named(&guard).is_none(), "named before it asked for a lease");
    let address = lab.device_mut(0).request_address().unwrap().to_string();
    let device = wait_for("the lamp", PATIENCE, || Ok(named(&guard))).unwrap();
    let addresses = device.get("addresses").and_then(Value::as_array).unwrap();
    assert!(
        addresses.iter().any(|a| a.as_str() == Some(&address)),
        "{device}"
    );
    assert_eq!(device.get("hostname").and_then(Value::as_str), Some("lamp"));
    assert_eq!(device.get("state").and_then(Value::as_str), Some("new"));
    guard.wait_event("device-seen", Some(&mac)).unwrap();
}

#[test]
fn leases_of_before_the_start_are_known() {
    let lab = Lab::new(&["lamp", "plug"]).unwrap();
    let guard = lab.start_guard("", "").unwrap();
    for device in lab.devices() {
        let known = wait_for(device.name(), PATIENCE, || {
            Ok(guard.device(device.name()).ok())
        });
        assert_eq!(
            known.unwrap().get("mac").and_then(Value::as_str),
            Some(&*device.mac_text())
        );
    }
}

#[test]
fn devices_answer_to_mac_name_and_address() {
    let lab = Lab::new(&["lamp"]).unwrap();
    let guard = lab.start_guard("", "").unwrap();
    let lamp = lab.device(0);
    wait_for("the lamp", PATIENCE, || Ok(guard.device("lamp").ok())).unwrap();
    for key in [
        lamp.mac_text(),
        lamp.name().to_owned(),
        lamp.address().unwrap().to_string(),
    ] {
        let device = guard.device(&key).unwrap();
        assert_eq!(
            device.get("mac").and_then(Value::as_str),
            Some(&*lamp.mac_text()),
            "{key}"
        );
    }
}
