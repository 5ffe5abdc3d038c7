//! Our nftables table as the kernel takes it, in a network namespace with nothing else in it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot be set up has failed"
)]

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use mqttguard::config::Exception;
use mqttguard::enforce::nft::{Action, Keeper, NftError, Plaintext, Ruleset, State, Uplift, apply};
use mqttguard_common::Mac;
use mqttguard_lab::{PATIENCE, until, wait_for};
use mqttguard_tests::net::Namespace;

fn mac(last: u8) -> Mac {
    Mac([2, 0, 0, 0, 0, last])
}

fn macs(number: u8) -> BTreeSet<Mac> {
    (0..number).map(mac).collect()
}

fn exception(destination: &str, mac: Option<Mac>, port: Option<u16>) -> Exception {
    Exception {
        name: "test".into(),
        mac,
        destination: destination.parse().unwrap(),
        port,
    }
}

/// A ruleset with something of everything.
fn full() -> Ruleset {
    let devices = ["br-lan", "br-lan.10", "wlan0-sta1"].map(String::from);
    Ruleset {
        plaintext: Some(Plaintext {
            devices: devices.to_vec(),
            action: Action::Reject,
            ports: vec![1883, 1884],
            mqtt_sn: true,
            exceptions: vec![
                exception("192.0.2.0/24", None, None),
                exception("192.0.2.77/24", Some(mac(1)), Some(1883)),
                exception("0.0.0.0/0", Some(mac(1)), Some(1884)),
                exception("::/0", Some(mac(1)), Some(1884)),
                exception("2001:db8::1/128", None, Some(1883)),
            ],
            broker_ports: vec![8883, 8884],
            local_port: Some(1885),
            local_macs: macs(3),
            blocked: macs(200),
            quarantined: macs(2),
        }),
        closed: devices.to_vec(),
        uplift: vec![
            uplift(1, &[1883], 18_884),
            uplift(2, &[1883], 18_884),
            uplift(3, &[1883, 1884], 18_885),
        ],
    }
}

fn uplift(last: u8, ports: &[u16], listener: u16) -> Uplift {
    Uplift {
        mac: mac(last),
        ports: ports.to_vec(),
        listener,
    }
}

/// Runs `nft` in the calling thread's namespace; what it prints, None if it fails.
fn nft(args: &str) -> Option<String> {
    let output = Command::new("nft").args(args.split(' ')).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    output.status.success().then_some(printed)
}

#[test]
fn every_kind_of_rule_is_taken_by_the_kernel() {
    Namespace::new().run(|| {
        let whole = full();
        let applied = apply(&whole).unwrap();
        assert!(applied.is_standing());
        let listing = nft("list table inet mqttguard").unwrap();
        for part in [
            "closed",
            "reject with tcp reset",
            "redirect to :18885",
            "ct status dnat accept",
            "192.0.2.0/24",
            "\"br-lan.10\"",
        ] {
            assert!(listing.contains(part), "{part:?} is not in {listing}");
        }
        for action in [Action::Drop, Action::Count] {
            let mut ruleset = whole.clone();
            let plaintext = ruleset.plaintext.as_mut().unwrap();
            plaintext.action = action;
            plaintext.local_port = None;
            plaintext.mqtt_sn = false;
            plaintext.exceptions.clear();
            (ruleset.closed, ruleset.uplift) = (Vec::new(), Vec::new());
            let before = applied.clone();
            assert!(apply(&ruleset).unwrap().is_standing(), "{action:?}");
            assert!(!before.is_standing(), "{action:?}");
        }
        apply(&Ruleset::default()).unwrap();
        assert_eq!(nft("list table inet mqttguard"), None);
        assert!(!applied.is_standing());
    });
}

#[test]
fn a_rule_in_anothers_place_shows() {
    Namespace::new().run(|| {
        for harm in [
            "add chain inet mqttguard more",
            "insert rule inet mqttguard forward accept",
            "flush chain inet mqttguard leaving",
            "add table inet mqttguard { flags dormant; }",
            "flush ruleset",
        ] {
            let applied = apply(&full()).unwrap();
            assert!(applied.is_standing());
            nft(harm).unwrap_or_else(|| panic!("{harm}"));
            assert!(!applied.is_standing(), "{harm}");
        }
        // What others do beside it does not.
        let applied = apply(&full()).unwrap();
        nft("add table inet fw4").unwrap();
        nft("delete table inet fw4").unwrap();
        assert!(applied.is_standing());
    });
}

#[test]
fn what_cannot_be_done_leaves_all_as_it_was() {
    Namespace::new().run(|| {
        let applied = apply(&full()).unwrap();
        let with = |device: &str| Ruleset {
            closed: vec![device.to_owned()],
            ..Ruleset::default()
        };
        for device in ["br\"lan", "eth*", "", "sixteen-letters-", "a b", "a\\"] {
            let error = apply(&with(device)).unwrap_err();
            assert!(matches!(error, NftError::Name(_)), "{device}: {error}");
        }
        assert!(applied.is_standing());
        apply(&with("br-lan}")).unwrap();
    });
}

#[test]
fn a_keeper_replaces_restores_and_removes() {
    Namespace::new().run(|| {
        apply(&full()).unwrap();
        let predecessors = nft("list table inet mqttguard");
        let keeper = Keeper::start().unwrap();
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(nft("list table inet mqttguard"), predecessors);

        let closed = Ruleset {
            closed: vec!["br-lan".into()],
            ..Ruleset::default()
        };
        keeper.want(closed.clone());
        assert!(until(PATIENCE, || keeper.state() == State::Standing));
        let listing = nft("list table inet mqttguard").unwrap();
        assert!(!listing.contains("redirect"), "{listing}");

        nft("flush ruleset").unwrap();
        let is_back = || nft("list table inet mqttguard").is_some();
        assert!(until(PATIENCE, is_back));
        assert!(until(PATIENCE, || keeper.restored() == 1));

        // Dropped, it leaves all standing for a successor.
        drop(keeper);
        assert!(is_back());
        let keeper = Keeper::start().unwrap();
        keeper.want(closed);
        keeper.stop().unwrap();
        assert!(!is_back());
    });
}

#[test]
fn a_keeper_that_is_to_keep_nothing_yet_sleeps() {
    Namespace::new().run(|| {
        let _keeper = Keeper::start().unwrap();
        let namespace = std::fs::read_link("/proc/thread-self/ns/net").unwrap();
        // Other tests have keepers, too.
        let is_its = |path: &PathBuf| {
            std::fs::read_to_string(path.join("comm")).is_ok_and(|name| name == "nft\n")
                && std::fs::read_link(path.join("ns/net")).is_ok_and(|net| net == namespace)
        };
        let path = wait_for("the keeper's thread", PATIENCE, || {
            let threads = std::fs::read_dir("/proc/self/task")?;
            let mut paths = threads.flatten().map(|thread| thread.path());
            Ok(paths.find(is_its))
        })
        .unwrap();
        let cpu = || {
            let stat = std::fs::read_to_string(path.join("schedstat")).unwrap();
            let nanos = stat.split(' ').next().unwrap().parse().unwrap();
            Duration::from_nanos(nanos)
        };
        std::thread::sleep(Duration::from_millis(300));
        let before = cpu();
        // Somebody else's firewall.
        nft("add table inet other").unwrap();
        std::thread::sleep(Duration::from_secs(1));
        assert!(cpu() - before < Duration::from_millis(50));
        // Longer than it takes to look again.
        std::thread::sleep(Duration::from_secs(10));
        assert!(cpu() - before < Duration::from_millis(50));
    });
}
