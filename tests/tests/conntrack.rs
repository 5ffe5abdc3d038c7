//! A device that is cut off loses the connections that the router tracks: an offloaded one
//! would go past the kernel program.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::process::Command;

use mqttguard::enforce::end_connections;
use mqttguard_lab::{Device, Guard, Lab, Means, Netns, address, until};
use mqttguard_tests::house::{IN_VAIN, PATIENCE, cloud, cloud6, guarded};
use mqttguard_tests::uplift::{House, reload, wait_ready};
use serde_json::json;

/// Has the router track and translate what goes through it, as OpenWrt's firewall does.
fn track(router: &Netns) {
    let rules = "table inet test {
        chain forward { type filter hook forward priority 0; ct state established,related accept; }
        chain nat { type nat hook postrouting priority 100; oifname wan masquerade; }
    }";
    let output = router.output(Command::new("nft").arg(rules)).unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// How many connections the router tracks from this address.
fn tracked(router: &Netns, source: IpAddr) -> usize {
    let text = match source {
        IpAddr::V4(v4) => v4.to_string(),
        // All eight groups, as the file has it.
        IpAddr::V6(v6) => v6.segments().map(|group| format!("{group:04x}")).join(":"),
    };
    let table = router
        .run(|| {
            Ok(std::fs::read_to_string(
                "/proc/thread-self/net/nf_conntrack",
            )?)
        })
        .unwrap();
    let source = format!(" src={text} ");
    table.lines().filter(|line| line.contains(&source)).count()
}

/// A connection that says something now and then, and is answered.
fn talk(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(b"still there?")?;
    stream.read_exact(&mut [0; 12])
}

/// Waits until the guard knows a device by this address.
fn wait_known(guard: &Guard, name: &str, address: IpAddr) {
    let knows = || {
        let device = guard.device(name).unwrap_or_default();
        let known = device["addresses"].as_array();
        known.is_some_and(|known| known.contains(&json!(address)))
    };
    assert!(until(PATIENCE, knows), "{address}");
}

fn addresses(device: &Device) -> [IpAddr; 2] {
    [device.address().unwrap().into(), device.address6().into()]
}

#[test]
fn a_cut_off_devices_connections_end_and_no_others() {
    let (lab, guard) = guarded(&["plug", "lamp"]);
    let router = lab.router.netns();
    track(router);
    let _sink = lab.cloud.sink(7000).unwrap();
    let [plug, lamp] = [lab.device(0), lab.device(1)];
    let connect = |device: &Device| {
        [cloud(7000), cloud6(7000)].map(|to| {
            let mut stream = device.connect(to, PATIENCE).unwrap();
            talk(&mut stream).unwrap();
            stream
        })
    };
    let mut of_plug = connect(plug);
    let mut of_lamp = connect(lamp);
    for address in addresses(plug) {
        wait_known(&guard, "plug", address);
        assert!(tracked(router, address) > 0, "{address}");
    }

    guard.ubus("block", &json!({ "device": "plug" })).unwrap();
    for address in addresses(plug) {
        assert!(
            until(PATIENCE, || tracked(router, address) == 0),
            "{address}"
        );
    }
    for stream in &mut of_plug {
        stream.set_read_timeout(Some(IN_VAIN)).unwrap();
        talk(stream).unwrap_err();
    }
    for address in addresses(plug) {
        assert_eq!(tracked(router, address), 0, "{address}");
    }
    for address in addresses(lamp) {
        assert!(tracked(router, address) > 0, "{address}");
    }
    for stream in &mut of_lamp {
        talk(stream).unwrap();
    }
}

/// nftables takes its time, and the device sends all the while: a connection that ends too early
/// comes back.
#[test]
fn where_nftables_stands_in_connections_end_once_it_cuts_the_device_off() {
    let lab = Lab::new(&["plug"]).unwrap();
    let router = lab.router.netns();
    track(router);
    let guard = lab.launch_guard(Means::NoBpfSlowNft, "", "").unwrap();
    let is_reduced = |status: &serde_json::Value| status["protection"] == "reduced";
    guard.wait_status("nftables", is_reduced).unwrap();
    let plug = lab.device(0);
    let address = plug.address().unwrap().into();
    wait_known(&guard, "plug", address);
    // As a socket whose peer does not listen sends on only when it is not connected.
    let to = cloud(7000);
    let socket = plug
        .netns()
        .run(|| Ok(UdpSocket::bind("0.0.0.0:0")?))
        .unwrap();
    let send = || {
        let _ = socket.send_to(b"still here", to);
    };
    send();
    assert!(until(PATIENCE, || tracked(router, address) > 0));
    guard.ubus("block", &json!({ "device": "plug" })).unwrap();
    let ended = || {
        send();
        tracked(router, address) == 0
    };
    assert!(until(PATIENCE, ended));
    // It stays so.
    for _ in 0..20 {
        send();
        std::thread::sleep(IN_VAIN / 20);
    }
    assert_eq!(tracked(router, address), 0);
}

#[test]
fn what_stood_before_a_device_was_uplifted_ends() {
    let house = House::new(&["plug"]);
    let router = house.lab.router.netns();
    track(router);
    let exception = format!(
        "config exception 'vendor'\n\toption destination '{}'\n",
        address::CLOUD
    );
    let guard = house.lab.start_guard("", &exception).unwrap();
    let plug = house.lab.device(0);
    let from = plug.address().unwrap().into();
    wait_known(&guard, "plug", from);
    let mut stream = plug.connect(cloud(1883), PATIENCE).unwrap();
    stream.write_all(b"in the clear").unwrap();
    assert!(tracked(router, from) > 0);
    reload(&guard, "", &house.section("vendor", &[0], ""));
    wait_ready(&guard);
    assert!(until(PATIENCE, || tracked(router, from) == 0));
}

#[test]
fn a_large_table_is_walked_to_its_end() {
    const MANY: u16 = 20_000;
    let lab = Lab::new(&["plug", "lamp"]).unwrap();
    let router = lab.router.netns();
    track(router);
    let [plug, lamp] = [0, 1].map(|index| {
        let device = lab.device(index);
        let socket = device.udp(cloud(1)).unwrap();
        // Connected, a socket learns that nobody listens; one that is not sends on.
        let local = socket.local_addr().unwrap();
        drop(socket);
        let socket = device.netns().run(|| Ok(UdpSocket::bind(local)?)).unwrap();
        for port in 10_000..10_000 + MANY {
            socket.send_to(b"?", cloud(port)).unwrap();
        }
        IpAddr::from(device.address().unwrap())
    });
    assert!(until(PATIENCE, || tracked(router, plug) >= usize::from(MANY)));
    let others = tracked(router, lamp);
    assert!(others >= usize::from(MANY));
    let ended = router
        .run(|| Ok(end_connections(&BTreeSet::from([plug]))?))
        .unwrap();
    assert!(ended >= usize::from(MANY), "{ended}");
    assert_eq!(tracked(router, plug), 0);
    assert_eq!(tracked(router, lamp), others);
}

#[test]
fn a_namespace_that_tracks_nothing_has_nothing_to_end() {
    let lab = Lab::new(&["plug"]).unwrap();
    let address = SocketAddr::from((Ipv6Addr::LOCALHOST, 1)).ip();
    let ended = lab
        .router
        .netns()
        .run(|| Ok(end_connections(&BTreeSet::from([address]))?))
        .unwrap();
    assert_eq!(ended, 0);
}
