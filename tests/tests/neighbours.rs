//! Discovery against the kernel's neighbour table and a real DHCP server, in namespaces.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mqttguard::discovery::{Source, Update, local_addresses, neighbour_mac};
use mqttguard_common::Mac;
use mqttguard_tests::bus::eventually;
use mqttguard_tests::net::Namespace;
use mqttguard_tests::watch::{Watch, sighting};

const PHONE: &str = "02:c1:1e:17:00:01";

/// A router with a bridge, and one device on it.
struct House {
    router: Namespace,
    device: Namespace,
}

impl House {
    fn new() -> Self {
        let house = House {
            router: Namespace::new(),
            device: Namespace::new(),
        };
        house.build_bridge();
        house.device.ip("link set dev0 address 02:c1:1e:17:00:01");
        for args in [
            "addr add 192.168.77.2/24 dev dev0",
            "addr add fd77::2/64 dev dev0 nodad",
        ] {
            house.device.ip(args);
        }
        house.device.ip("link set dev0 up");
        house
    }

    fn build_bridge(&self) {
        self.router.ip("link add br-lan type bridge");
        self.router.ip("link add lan0 type veth peer name dev0");
        self.router
            .ip(&format!("link set dev0 netns {}", self.device.path()));
        self.router.ip("link set lan0 master br-lan");
        self.router.ip("addr add 192.168.77.1/24 dev br-lan");
        self.router.ip("addr add fd77::1/64 dev br-lan nodad");
        self.router.ip("link set br-lan up");
        self.router.ip("link set lan0 up");
    }

    /// The device sends the router a packet, and so asks for its MAC and tells its own.
    fn speak(&self, from: &str, to: &str) {
        let (from, to) = (format!("{from}:0"), format!("{to}:9"));
        self.device.run(move || {
            UdpSocket::bind(from)
                .unwrap()
                .send_to(b"hello", to)
                .unwrap();
        });
    }

    fn watch(&self) -> Watch {
        // Threads start where their parent is.
        let nowhere = PathBuf::from("/nonexistent");
        self.router.run(move || {
            Watch::with_room(
                nowhere.join("ubus.sock"),
                nowhere.join("dhcp.leases"),
                &["br-lan"],
                64,
            )
        })
    }

    fn mac_of(&self, address: &str) -> Option<Mac> {
        let address: IpAddr = address.parse().unwrap();
        self.router.run(move || neighbour_mac(address).unwrap())
    }
}

#[test]
fn neighbours_are_seen_as_they_speak_and_missed_when_they_fall_silent() {
    let house = House::new();
    // One from before discovery, one after.
    house.speak("192.168.77.2", "192.168.77.1");
    let watch = house.watch();
    assert_eq!(watch.source(Source::Neighbours, true), "br-lan");
    let seen = |ip, present| sighting(Source::Neighbours, PHONE, ip, None, present);
    assert_eq!(
        watch.sighting(Source::Neighbours),
        seen("192.168.77.2", true)
    );
    house.speak("[fd77::2]", "[fd77::1]");
    watch.next("the IPv6 address", |update| match update {
        Update::Sighting(sighting) if sighting == seen("fd77::2", true) => Some(()),
        _ => None,
    });
    // Administrators' entries, groups and nobody are no devices.
    for entry in [
        "192.168.77.50 lladdr 02:00:00:00:00:50 nud permanent",
        "192.168.77.51 lladdr 01:00:5e:00:00:51 nud reachable",
        "192.168.77.52 lladdr 00:00:00:00:00:00 nud reachable",
    ] {
        house.router.ip(&format!("neigh add {entry} dev br-lan"));
    }
    // Another MAC at the address of one that is known.
    house
        .router
        .ip("neigh add 192.168.77.60 lladdr 02:00:00:00:00:60 nud reachable dev br-lan");
    let lamp = |mac, present| sighting(Source::Neighbours, mac, "192.168.77.60", None, present);
    assert_eq!(
        watch.sighting(Source::Neighbours),
        lamp("02:00:00:00:00:60", true)
    );
    house
        .router
        .ip("neigh replace 192.168.77.60 lladdr 02:00:00:00:00:61 nud reachable dev br-lan");
    assert_eq!(
        watch.sighting(Source::Neighbours),
        lamp("02:00:00:00:00:60", false)
    );
    assert_eq!(
        watch.sighting(Source::Neighbours),
        lamp("02:00:00:00:00:61", true)
    );
    // Asked for and not answering: the kernel gives up after a few seconds.
    house
        .router
        .ip("neigh change 192.168.77.60 nud probe dev br-lan");
    assert_eq!(
        watch.sighting(Source::Neighbours),
        lamp("02:00:00:00:00:61", false)
    );
    // The bridge goes, with all behind it, and comes back.
    house.router.ip("link del lan0");
    house.router.ip("link del br-lan");
    let gone = watch.sighting(Source::Neighbours);
    assert_eq!((gone.mac, gone.present), (PHONE.parse().unwrap(), false));
    watch.source(Source::Neighbours, false);
    house.build_bridge();
    assert_eq!(watch.source(Source::Neighbours, true), "br-lan");
    house.device.ip("addr add 192.168.77.3/24 dev dev0");
    house.device.ip("link set dev0 address 02:c1:1e:17:00:01");
    house.device.ip("link set dev0 up");
    house.speak("192.168.77.3", "192.168.77.1");
    watch.next("the device behind the new bridge", |update| match update {
        Update::Sighting(sighting) if sighting == seen("192.168.77.3", true) => Some(()),
        _ => None,
    });
}

#[test]
fn a_burst_that_overruns_the_socket_loses_no_device() {
    let house = House::new();
    let watch = house.watch();
    watch.source(Source::Neighbours, true);
    // Nobody reads meanwhile: the sources wait, and the socket's buffer runs over.
    let mut batch = String::new();
    for round in 0..40 {
        for number in 0..100 {
            let state = if round % 2 == 0 { "stale" } else { "reachable" };
            batch += &format!(
                "neigh replace 192.168.77.{} lladdr 02:00:00:00:01:{number:02x} nud {state} dev br-lan\n",
                100 + number
            );
        }
    }
    // What is announced last is what is lost: one comes, one goes.
    batch += "neigh replace 192.168.77.99 lladdr 02:00:00:00:02:00 nud reachable dev br-lan\n";
    batch += "neigh del 192.168.77.100 dev br-lan\n";
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), batch).unwrap();
    house
        .router
        .ip(&format!("-batch {}", file.path().display()));
    let begun = Instant::now();
    let mut there = BTreeSet::new();
    let mut expected: BTreeSet<Mac> = (1..100)
        .map(|number| Mac([2, 0, 0, 0, 1, number]))
        .collect();
    expected.insert(Mac([2, 0, 0, 0, 2, 0]));
    while there != expected {
        let sighting = watch.sighting(Source::Neighbours);
        if sighting.present {
            there.insert(sighting.mac);
        } else {
            there.remove(&sighting.mac);
        }
    }
    // Not only when the kernel happens to announce them anew.
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_peer_has_the_mac_that_the_kernel_knows() {
    let house = House::new();
    assert_eq!(house.mac_of("192.168.77.2"), None);
    house.speak("192.168.77.2", "192.168.77.1");
    house.speak("[fd77::2]", "[fd77::1]");
    let phone: Mac = PHONE.parse().unwrap();
    eventually("the packets arrive", || {
        house.mac_of("192.168.77.2").is_some() && house.mac_of("fd77::2").is_some()
    });
    assert_eq!(house.mac_of("192.168.77.2"), Some(phone));
    assert_eq!(house.mac_of("::ffff:192.168.77.2"), Some(phone));
    assert_eq!(house.mac_of("fd77::2"), Some(phone));
    // The router itself, nobody, and who is not on this link.
    for address in [
        "192.168.77.1",
        "127.0.0.1",
        "::1",
        "192.168.77.9",
        "fd77::9",
    ] {
        assert_eq!(house.mac_of(address), None, "{address}");
    }
    assert_eq!(house.mac_of("203.0.113.1"), None, "no route");
    house.router.ip("route add default via 192.168.77.2");
    assert_eq!(house.mac_of("203.0.113.1"), None, "behind another router");
    // Link-local addresses are those of a link each.
    house
        .router
        .ip("neigh add fe80::77 lladdr 02:c1:1e:17:00:77 nud stale dev br-lan");
    assert_eq!(
        house.mac_of("fe80::77"),
        Some("02:c1:1e:17:00:77".parse().unwrap())
    );
    house.router.ip("link add br-guest type bridge");
    house.router.ip("link set br-guest up");
    house
        .router
        .ip("neigh add fe80::77 lladdr 02:c1:1e:17:00:78 nud stale dev br-guest");
    assert_eq!(house.mac_of("fe80::77"), None, "two links disagree");
    // A device that does not answer is not there.
    house
        .router
        .ip("neigh add 192.168.77.70 lladdr 02:00:00:00:00:70 nud failed dev br-lan");
    assert_eq!(house.mac_of("192.168.77.70"), None);
}

#[test]
fn all_own_addresses_are_known() {
    let house = House::new();
    let addresses = house.router.run(|| local_addresses().unwrap());
    for address in ["127.0.0.1", "::1", "192.168.77.1", "fd77::1"] {
        assert!(
            addresses.contains(&address.parse().unwrap()),
            "{address} in {addresses:?}"
        );
    }
    assert!(!addresses.contains(&"192.168.77.2".parse().unwrap()));
}

/// A process that does not outlive the test.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_real_lease_of_a_real_dnsmasq_is_seen() {
    let house = House::new();
    let directory = tempfile::tempdir().unwrap();
    let leases = directory.path().join("dhcp.leases");
    let args = [
        "--keep-in-foreground",
        "--conf-file=/dev/null",
        "--port=0",
        "--interface=br-lan",
        "--bind-interfaces",
        "--dhcp-authoritative",
        "--no-ping",
        "--user=root",
        "--pid-file",
        "--dhcp-range=192.168.77.100,192.168.77.150,1h",
    ];
    let leasefile = format!("--dhcp-leasefile={}", leases.display());
    let _dnsmasq = house.router.run(move || {
        let mut command = Command::new("dnsmasq");
        Daemon(command.args(args).arg(leasefile).spawn().expect("dnsmasq"))
    });
    let watch = house
        .router
        .run(move || Watch::with_room("/nonexistent/ubus.sock".into(), leases, &["br-lan"], 64));
    watch.source(Source::LeaseFile, true);
    let client = || {
        let args = "udhcpc -i dev0 -f -n -q -t 10 -T 1 -s /bin/true -x hostname:phone1";
        let mut command = Command::new("busybox");
        command
            .args(args.split(' '))
            .stderr(Stdio::null())
            .status()
            .expect("busybox udhcpc")
    };
    assert!(house.device.run(client).success());
    let seen = watch.sighting(Source::LeaseFile);
    assert_eq!(seen.mac, PHONE.parse().unwrap());
    assert_eq!(seen.hostname.as_deref(), Some("phone1"));
    assert!(seen.present);
    let Some(IpAddr::V4(address)) = seen.address else {
        panic!("{seen:?}")
    };
    assert!((100..=150).contains(&address.octets()[3]), "{address}");
}
