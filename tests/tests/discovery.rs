//! Discovery against a real bus, a real file system and a real neighbour table.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::net::{IpAddr, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use mqttguard::discovery::{
    Discovery, DiscoveryConfig, Sighting, Source, Update, local_addresses, neighbour_mac,
    resolve_networks, start,
};
use mqttguard_common::Mac;
use mqttguard_tests::bus::{ForeignObject, PATIENCE, TestBus, ipv4_leases};
use mqttguard_tests::net::Namespace;
use serde_json::json;

const PHONE: &str = "02:c1:1e:17:00:01";
const PLUG: &str = "02:c1:1e:17:00:02";

/// Running discovery and what it says.
struct Watch {
    updates: Receiver<Update>,
    discovery: Discovery,
}

impl Watch {
    fn new(bus: &TestBus, interfaces: &[&str]) -> Self {
        Self::with_room(bus.socket(), bus.file("dhcp.leases"), interfaces, 64)
    }

    fn with_room(socket: PathBuf, leases: PathBuf, interfaces: &[&str], room: usize) -> Self {
        let config = DiscoveryConfig {
            ubus_socket: socket,
            lease_file: leases,
            interfaces: interfaces.iter().map(|name| (*name).to_owned()).collect(),
        };
        let (out, updates) = sync_channel(room);
        Watch {
            updates,
            discovery: start(config, out).unwrap(),
        }
    }

    /// The next update that `wanted` takes; others are passed over.
    fn next<T>(&self, what: &str, mut wanted: impl FnMut(Update) -> Option<T>) -> T {
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.updates.recv_timeout(left) {
                Ok(update) => {
                    if let Some(found) = wanted(update) {
                        return found;
                    }
                }
                Err(error) => panic!("no {what} within {PATIENCE:?}: {error}"),
            }
        }
    }

    fn source(&self, wanted: Source, is_up: bool) -> String {
        self.next(&format!("{wanted:?} up {is_up}"), |update| match update {
            Update::Source { source, up, detail } if source == wanted && up == is_up => {
                Some(detail)
            }
            _ => None,
        })
    }

    fn sighting(&self, wanted: Source) -> Sighting {
        self.next(&format!("sighting by {wanted:?}"), |update| match update {
            Update::Sighting(sighting) if sighting.source == wanted => Some(sighting),
            _ => None,
        })
    }

    /// Fails if this source has anything to say in the next moments.
    fn silence(&self, of: Source) {
        let until = Instant::now() + Duration::from_millis(800);
        while let Ok(update) = self
            .updates
            .recv_timeout(until.saturating_duration_since(Instant::now()))
        {
            match update {
                Update::Sighting(sighting) if sighting.source == of => panic!("{sighting:?}"),
                _ => {}
            }
        }
    }
}

fn sighting(
    source: Source,
    mac: &str,
    address: &str,
    name: Option<&str>,
    present: bool,
) -> Sighting {
    Sighting {
        source,
        mac: mac.parse().unwrap(),
        address: Some(address.parse().unwrap()),
        hostname: name.map(str::to_owned),
        interface: (source != Source::LeaseFile).then(|| "br-lan".to_owned()),
        present,
    }
}

/// dnsmasq's object, by an implementation of ubus that is neither ours nor the bus's.
struct Dnsmasq {
    client: ubus_rs::UbusClient,
    object: u32,
}

impl Dnsmasq {
    fn new(bus: &TestBus) -> Self {
        let mut client = ubus_rs::UbusClient::connect(bus.socket().to_str().unwrap()).unwrap();
        let object = client.add_object("dnsmasq").unwrap();
        Dnsmasq { client, object }
    }

    fn ack(&mut self, mac: &str, ip: &str, name: Option<&str>) {
        self.client
            .notify(self.object, "dhcp.ack", |data| {
                data.blobmsg_add_string("mac", mac);
                data.blobmsg_add_string("ip", ip);
                if let Some(name) = name {
                    data.blobmsg_add_string("name", name);
                }
                data.blobmsg_add_string("interface", "br-lan");
            })
            .unwrap();
    }

    fn release(&mut self, mac: &str, ip: &str) {
        self.client
            .notify(self.object, "dhcp.release", |data| {
                data.blobmsg_add_string("mac", mac);
                data.blobmsg_add_string("ip", ip);
                data.blobmsg_add_string("interface", "br-lan");
            })
            .unwrap();
    }
}

#[test]
fn dnsmasq_tells_who_comes_and_goes() {
    let bus = TestBus::started();
    let mut dnsmasq = Dnsmasq::new(&bus);
    let watch = Watch::new(&bus, &[]);
    watch.source(Source::Dnsmasq, true);
    let there = |mac, ip, name| sighting(Source::Dnsmasq, mac, ip, name, true);

    dnsmasq.ack(PHONE, "192.168.77.149", Some("phone1"));
    assert_eq!(
        watch.sighting(Source::Dnsmasq),
        there(PHONE, "192.168.77.149", Some("phone1"))
    );
    // A renewal is no news, and garbage is nothing.
    dnsmasq.ack(PHONE, "192.168.77.149", Some("phone1"));
    dnsmasq.ack("not a mac", "192.168.77.149", None);
    dnsmasq.ack("ff:ff:ff:ff:ff:ff", "192.168.77.150", None);
    dnsmasq.ack(PLUG, "192.168.77.151", None);
    assert_eq!(
        watch.sighting(Source::Dnsmasq),
        there(PLUG, "192.168.77.151", None)
    );
    dnsmasq.ack(PLUG, "192.168.77.151", Some("\u{1b}[31mplug\n\u{202e}"));
    assert_eq!(
        watch.sighting(Source::Dnsmasq),
        there(PLUG, "192.168.77.151", Some("[31mplug"))
    );
    dnsmasq.release(PHONE, "192.168.77.149");
    assert_eq!(
        watch.sighting(Source::Dnsmasq),
        sighting(
            Source::Dnsmasq,
            PHONE,
            "192.168.77.149",
            Some("phone1"),
            false
        )
    );
}

#[test]
fn dnsmasq_may_come_late_and_come_back() {
    let mut bus = TestBus::absent();
    let watch = Watch::new(&bus, &[]);
    assert!(
        watch
            .source(Source::Dnsmasq, false)
            .contains("cannot connect")
    );
    bus.start();
    assert!(
        watch
            .source(Source::Dnsmasq, false)
            .contains("is not on the bus")
    );
    for round in 0..2 {
        // Restarted by its init script: the object goes and comes.
        for _ in 0..2 {
            let mut dnsmasq = Dnsmasq::new(&bus);
            assert_eq!(watch.source(Source::Dnsmasq, true), "ubus object dnsmasq");
            let ip = format!("192.168.77.{}", 100 + round);
            dnsmasq.ack(PHONE, &ip, None);
            // News only the first time in each round.
            drop(dnsmasq);
            assert!(
                watch
                    .source(Source::Dnsmasq, false)
                    .contains("is not on the bus")
            );
        }
        bus.stop();
        watch.source(Source::Dnsmasq, false);
        bus.start();
        watch.source(Source::Dnsmasq, false);
    }
}

#[test]
fn odhcpd_is_read_and_heard() {
    let bus = TestBus::started();
    let watch = Watch::new(&bus, &[]);
    watch.source(Source::Odhcpd, false);
    let odhcpd = ForeignObject::new(
        &bus.socket(),
        "dhcp",
        json!({
            "ipv4leases": ipv4_leases(&[("02c11e170001", "192.168.77.147", "tablet7")]),
            "ipv6leases": {"device": {}},
        }),
    );
    watch.source(Source::Odhcpd, true);
    let seen = |mac, ip, name, present| sighting(Source::Odhcpd, mac, ip, name, present);
    // The lease from before.
    assert_eq!(
        watch.sighting(Source::Odhcpd),
        seen(PHONE, "192.168.77.147", Some("tablet7"), true)
    );
    let lease = |mac: &str, ip: &str, name: &str| json!({"interface": "br-lan", "ipv4": ip, "mac": mac, "hostname": name});
    odhcpd.notify("dhcp.lease4", lease(PHONE, "192.168.77.147", "tablet7"));
    odhcpd.notify("dhcp.lease4", lease(PLUG, "192.168.77.148", "plug"));
    assert_eq!(
        watch.sighting(Source::Odhcpd),
        seen(PLUG, "192.168.77.148", Some("plug"), true)
    );
    odhcpd.notify("dhcp.expire4", lease(PLUG, "192.168.77.148", "plug"));
    assert_eq!(
        watch.sighting(Source::Odhcpd),
        seen(PLUG, "192.168.77.148", Some("plug"), false)
    );
    odhcpd.notify("dhcp.release4", lease(PHONE, "192.168.77.147", "tablet7"));
    assert_eq!(
        watch.sighting(Source::Odhcpd),
        seen(PHONE, "192.168.77.147", Some("tablet7"), false)
    );
    // Who left while odhcpd was away is missed when it is back.
    odhcpd.notify("dhcp.lease4", lease(PLUG, "192.168.77.148", "plug"));
    watch.sighting(Source::Odhcpd);
    drop(odhcpd);
    watch.source(Source::Odhcpd, false);
    let empty = json!({"ipv4leases": {"device": {}}, "ipv6leases": {"device": {}}});
    let _odhcpd = ForeignObject::new(&bus.socket(), "dhcp", empty);
    assert_eq!(
        watch.sighting(Source::Odhcpd),
        seen(PLUG, "192.168.77.148", Some("plug"), false)
    );
}

#[test]
fn the_lease_file_is_followed_through_everything() {
    let bus = TestBus::absent();
    let path = bus.file("dhcp.leases");
    let watch = Watch::new(&bus, &[]);
    watch.source(Source::LeaseFile, false);
    let seen = |mac, ip, name, present| sighting(Source::LeaseFile, mac, ip, name, present);
    let phone = format!("0 {PHONE} 192.168.77.149 phone1 01:{PHONE}\n");
    let plug = format!("0 {PLUG} 192.168.77.150 * *\n");

    // It appears.
    fs::write(&path, format!("nonsense\n{phone}")).unwrap();
    watch.source(Source::LeaseFile, true);
    assert_eq!(
        watch.sighting(Source::LeaseFile),
        seen(PHONE, "192.168.77.149", Some("phone1"), true)
    );
    // It is replaced.
    let replacement = bus.file("dhcp.leases.new");
    fs::write(&replacement, format!("{phone}{plug}")).unwrap();
    fs::rename(&replacement, &path).unwrap();
    assert_eq!(
        watch.sighting(Source::LeaseFile),
        seen(PLUG, "192.168.77.150", None, true)
    );
    // It is rewritten in place, as dnsmasq does, with half a line to be seen for a while.
    let mut file = fs::OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(&path)
        .unwrap();
    file.write_all(&plug.as_bytes()[..20]).unwrap();
    watch.silence(Source::LeaseFile);
    file.write_all(&plug.as_bytes()[20..]).unwrap();
    drop(file);
    assert_eq!(
        watch.sighting(Source::LeaseFile),
        seen(PHONE, "192.168.77.149", Some("phone1"), false)
    );
    // Others write beside it, and it is written anew with nothing new.
    fs::write(bus.file("other"), "x").unwrap();
    fs::write(&path, &plug).unwrap();
    watch.silence(Source::LeaseFile);
    // A lease runs out without a word.
    let soon = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs()
        + 3;
    fs::write(&path, plug.replacen('0', &soon.to_string(), 1)).unwrap();
    assert!(watch.sighting(Source::LeaseFile).present);
    assert_eq!(
        watch.sighting(Source::LeaseFile),
        seen(PLUG, "192.168.77.150", None, false)
    );
    // It is gone.
    fs::remove_file(&path).unwrap();
    watch.source(Source::LeaseFile, false);
}

#[test]
fn a_slow_reader_misses_nobody() {
    let bus = TestBus::absent();
    let path = bus.file("dhcp.leases");
    let mac = |number: usize| format!("02:00:00:00:{:02x}:{:02x}", number / 256, number % 256);
    let lines: String = (0..500)
        .map(|number| {
            format!(
                "0 {} 10.0.{}.{} * *\n",
                mac(number),
                number / 250,
                1 + number % 250
            )
        })
        .collect();
    fs::write(&path, lines).unwrap();
    let watch = Watch::with_room(bus.socket(), path, &[], 1);
    let mut seen = BTreeSet::new();
    while seen.len() < 500 {
        assert!(
            seen.insert(watch.sighting(Source::LeaseFile).mac),
            "told twice"
        );
    }
}

#[test]
fn dropping_it_ends_every_thread() {
    let bus = TestBus::started();
    let watch = Watch::new(&bus, &["no-such-device"]);
    watch.source(Source::Neighbours, false);
    let Watch { updates, discovery } = watch;
    drop(discovery);
    let until = Instant::now() + PATIENCE;
    // The channel closes when the last thread has let go of it.
    while let Err(RecvTimeoutError::Timeout) | Ok(_) = updates.recv_timeout(Duration::from_secs(1))
    {
        assert!(Instant::now() < until, "threads are left over");
    }
}

#[test]
fn networks_are_resolved_by_netifd() {
    let bus = TestBus::started();
    let networks = ["lan".to_owned(), "guest".to_owned(), "absent".to_owned()];
    assert!(resolve_networks(&bus.socket(), &networks).is_err());
    let dump = json!({"dump": {"interface": [
        {"interface": "loopback", "up": true, "l3_device": "lo", "device": "lo"},
        {"interface": "lan", "up": true, "l3_device": "br-lan", "device": "br-lan"},
        {"interface": "guest", "up": false, "device": "br-guest"},
    ]}});
    let _netifd = ForeignObject::new(&bus.socket(), "network.interface", dump);
    let pair = |network: &str, device: &str| (network.to_owned(), device.to_owned());
    assert_eq!(
        resolve_networks(&bus.socket(), &networks).unwrap(),
        [pair("lan", "br-lan"), pair("guest", "br-guest")]
    );
}

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
    mqttguard_tests::bus::eventually("the packets arrive", || {
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
