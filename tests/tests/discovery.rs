//! Discovery against a real bus and a real file system.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use mqttguard::discovery::{NetworkWatch, Networks, Source};
use mqttguard_tests::bus::{ForeignObject, PATIENCE, TestBus, ipv4_leases};
use mqttguard_tests::watch::{Watch, sighting};
use serde_json::json;

const PHONE: &str = "02:c1:1e:17:00:01";
const PLUG: &str = "02:c1:1e:17:00:02";

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
fn networks_are_followed_through_an_outage_of_netifd() {
    let bus = TestBus::started();
    let (out, answers) = sync_channel(8);
    let watch = NetworkWatch::start(bus.socket(), out).unwrap();
    assert_eq!(watch.first(Duration::from_millis(100)), None);
    let dump = |lan: &str| {
        json!({"dump": {"interface": [
            {"interface": "lan", "up": true, "l3_device": lan, "device": lan},
            {"interface": "guest", "up": false, "device": "br-guest"},
        ]}})
    };
    let networks = |lan: &str| {
        let pair = |network: &str, device: &str| (network.to_owned(), device.to_owned());
        Networks::from([pair("lan", lan), pair("guest", "br-guest")])
    };
    let netifd = ForeignObject::new(&bus.socket(), "network.interface", dump("br-lan"));
    assert_eq!(watch.first(PATIENCE), Some(networks("br-lan")));
    assert_eq!(answers.recv_timeout(PATIENCE), Ok(networks("br-lan")));
    drop(netifd);
    let silence = answers.recv_timeout(Duration::from_secs(4));
    assert_eq!(silence, Err(RecvTimeoutError::Timeout));
    let _netifd = ForeignObject::new(&bus.socket(), "network.interface", dump("br-home"));
    assert_eq!(answers.recv_timeout(PATIENCE), Ok(networks("br-home")));
}
