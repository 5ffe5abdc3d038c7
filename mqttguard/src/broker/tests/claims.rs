//! Logins by accounts that wait for their device.

use super::client::{Client, socket, tls, tls_config};
use super::*;
use crate::registry::Waiting;

/// `tasmota` waits for anybody, `sensor` for the lamp; `camera` is enrolled.
fn waiting() -> Directory {
    let mut house = (*directory([account("camera", CAMERA)])).clone();
    for (name, mac, serial) in [("tasmota", None, 1), ("sensor", Some(LAMP), 2)] {
        let nobody = Account {
            hash: Hidden::default(),
            scram: Vec::new(),
            ..account(name, LAMP)
        };
        let waiting = Waiting {
            mac,
            hash: HASH.clone(),
            serial,
            account: Arc::new(nobody),
        };
        house.claims.insert(name.into(), waiting);
    }
    house
}

#[test]
fn whoever_shows_the_password_is_in_once_the_registry_has_it() {
    let rig = Rig::with(Arc::new(waiting()), bounds(10_000));
    let mut wrong = rig.tls_client(LAMP_IP, true);
    assert_eq!(wrong.login("c", Some(("tasmota", "another"))), 0x86);
    std::thread::scope(|scope| {
        let (ca, to) = (rig.pki.ca_pem(), rig.tls);
        let login = scope.spawn(move || {
            let config = tls_config(ca, rustls::ALL_VERSIONS);
            let stream = tls(&config, "router.lan", socket(LAMP_IP, to)).unwrap();
            Client::new(stream, true).login("c", Some(("tasmota", PASSWORD)))
        });
        let (mac, verifiers) = rig.event(|event| match &event.kind {
            BrokerEventKind::Paired {
                username,
                verifiers,
                claim: Some(1),
                ..
            } if **username == *"tasmota" => Some((event.mac, verifiers.clone())),
            _ => None,
        });
        assert_eq!(mac, Some(LAMP));
        // Hashed anew, not as it came.
        assert!(verifiers.hash.starts_with("$7$10000$"));
        let mut theirs = account("tasmota", LAMP);
        theirs.hash = verifiers.hash;
        theirs.scram = verifiers.scram;
        rig.handle.set_directory(directory([theirs]));
        assert_eq!(login.join().unwrap(), 0);
    });
}

#[test]
fn whom_it_does_not_wait_for_learns_nothing() {
    // The same peer is told of once a second.
    let rig = || Rig::with(Arc::new(waiting()), bounds(10_000));
    let refused = |address, login, why| {
        let rig = rig();
        let mut client = rig.tls_client(address, true);
        // As for a wrong password.
        assert_eq!(client.login("c", Some(login)), 0x86, "{login:?}");
        assert_eq!(rig.denial().1, why, "{login:?}");
    };
    refused(CAMERA_IP, ("tasmota", PASSWORD), Denial::ClaimSecond);
    refused(CAMERA_IP, ("sensor", PASSWORD), Denial::OtherDevice);
    refused(LAMP_IP, ("sensor", "another"), Denial::WrongPassword);
    let rig = rig();
    let mut plain = rig.plain_client(LAMP_IP, true);
    assert_eq!(plain.login("c", Some(("sensor", PASSWORD))), 0x86);
    assert_eq!(rig.denial().1, Denial::PlaintextNotAllowed);
}

#[test]
fn a_window_does_not_take_the_name_of_one_that_waits() {
    let mut house = waiting();
    house.pairings.insert(LAMP, Arc::new(account("", LAMP)));
    let rig = Rig::with(Arc::new(house), bounds(10_000));
    let mut client = rig.tls_client(LAMP_IP, true);
    assert_eq!(client.login("c", Some(("tasmota", "made up here"))), 0x86);
    assert_eq!(rig.denial().1, Denial::PairingNameTaken);
}
