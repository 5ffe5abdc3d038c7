use std::net::Ipv4Addr;
use std::os::fd::{AsFd, OwnedFd};

use anyhow::{Context, Result, anyhow};
use mqttguard_common::Mac;
use mqttguard_tests::bpf::{XDP, load};
use mqttguard_tests::net::Namespace;

use crate::bpf::{self, NAME, Place};
use crate::command::{run, run_with};

/// The device's port, whose other end is the router's [`PORT`].
pub(crate) const DEVICE: &str = "eth0";
/// The bridge port by which the device comes in: where the program sits.
pub(crate) const PORT: &str = "lan0";
/// The cloud's port, whose other end is the router's `wan`.
pub(crate) const CLOUD: &str = "eth0";

pub(crate) const DEVICE_MAC: Mac = Mac([2, 0, 0, 0, 0, 2]);
const CLOUD_MAC: Mac = Mac([2, 0, 0, 0, 1, 2]);
pub(crate) const LAN_MAC: Mac = Mac([2, 0, 0, 0, 0, 0xfe]);
pub(crate) const WAN_MAC: Mac = Mac([2, 0, 0, 0, 1, 0xfe]);

/// The cloud.
pub(crate) const CLOUD_ADDRESS: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 10);
/// A device and a host in the cloud that take what arrives and never answer.
pub(crate) const MUTE_DEVICE: Ipv4Addr = Ipv4Addr::new(192, 168, 77, 50);
pub(crate) const MUTE_CLOUD: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 50);
/// Nobody has it: what is sent to it costs its receiver next to nothing.
const MUTE_MAC: Mac = Mac([2, 0, 0, 0, 1, 0x50]);

/// A device, a router with a bridge for its LAN, and the cloud. Ends with this value, or with the
/// process.
pub(crate) struct Network {
    pub(crate) device: Namespace,
    pub(crate) router: Namespace,
    pub(crate) cloud: Namespace,
    _wire: Option<Wire>,
}

/// What lies between device and router to make of socket buffers, which namespaces hand to each
/// other, frames as a driver has them: two ports, and a program on each that redirects what it gets
/// to the other.
struct Wire {
    _namespace: Namespace,
    _links: [OwnedFd; 2],
}

impl Network {
    /// With the device's interface and the router's port as two ends of a pair.
    pub(crate) fn new() -> Result<Self> {
        let [device, router] = [Namespace::new(), Namespace::new()];
        let at = router.path();
        device.ip(&format!(
            "link add {DEVICE} address {DEVICE_MAC} type veth peer name {PORT} netns {at}"
        ));
        Self::build(device, router, None)
    }

    /// With a wire between them.
    pub(crate) fn with_wire() -> Result<Self> {
        let [device, router, wire] = [Namespace::new(), Namespace::new(), Namespace::new()];
        for (end, other, at) in [
            ("end0", DEVICE, device.path()),
            ("end1", PORT, router.path()),
        ] {
            wire.ip(&format!(
                "link add {end} type veth peer name {other} netns {at}"
            ));
            wire.ip(&format!("link set {end} up"));
        }
        device.ip(&format!("link set {DEVICE} address {DEVICE_MAC}"));
        // A frame has to have its checksum.
        device.run(|| run("ethtool", &format!("--offload {DEVICE} tx off")))?;
        router.run(|| run("ethtool", &format!("--offload {PORT} tx off")))?;
        let links = wire.run(|| -> Result<[OwnedFd; 2]> {
            let [left, right] = [index_of("end0")?, index_of("end1")?];
            let redirect = |from, to| -> Result<OwnedFd> {
                let program = load(XDP, NAME, &bpf::redirect(to))?;
                Ok(bpf::attach(program.as_fd(), from, Place::Native)?)
            };
            Ok([redirect(left, right)?, redirect(right, left)?])
        })?;
        let wire = Wire {
            _namespace: wire,
            _links: links,
        };
        Self::build(device, router, Some(wire))
    }

    fn build(device: Namespace, router: Namespace, wire: Option<Wire>) -> Result<Self> {
        let cloud = Namespace::new();
        let at = router.path();
        cloud.ip(&format!(
            "link add {CLOUD} address {CLOUD_MAC} type veth peer name wan netns {at}"
        ));
        for command in [
            format!("link add br-lan address {LAN_MAC} type bridge forward_delay 0"),
            format!("link set {PORT} master br-lan"),
            format!("link set wan address {WAN_MAC}"),
            "link set br-lan up".into(),
            format!("link set {PORT} up"),
            "link set wan up".into(),
            "address add 192.168.77.1/24 dev br-lan".into(),
            "address add 203.0.113.1/24 dev wan".into(),
            neighbour("192.168.77.2", DEVICE_MAC, "br-lan"),
            neighbour(&MUTE_DEVICE.to_string(), DEVICE_MAC, "br-lan"),
            neighbour(&CLOUD_ADDRESS.to_string(), CLOUD_MAC, "wan"),
            neighbour(&MUTE_CLOUD.to_string(), MUTE_MAC, "wan"),
        ] {
            router.ip(&command);
        }
        for command in [
            format!("link set {DEVICE} up"),
            format!("address add 192.168.77.2/24 dev {DEVICE}"),
            "route add default via 192.168.77.1".into(),
            neighbour("192.168.77.1", LAN_MAC, DEVICE),
        ] {
            device.ip(&command);
        }
        for command in [
            format!("link set {CLOUD} up"),
            format!("address add {CLOUD_ADDRESS}/24 dev {CLOUD}"),
            "route add default via 203.0.113.1".into(),
            neighbour("203.0.113.1", WAN_MAC, CLOUD),
        ] {
            cloud.ip(&command);
        }
        let network = Network {
            device,
            router,
            cloud,
            _wire: wire,
        };
        // Needed to be handed frames instead of socket buffers.
        network
            .device
            .run(|| run("ethtool", &format!("--offload {DEVICE} gro on")))?;
        network.router.run(|| -> Result<()> {
            for (key, value) in [
                ("net/ipv4/ip_forward", "1"),
                // As OpenWrt has it; drivers have checked what a real network brings.
                ("net/netfilter/nf_conntrack_checksum", "0"),
            ] {
                std::fs::write(format!("/proc/sys/{key}"), value).context(key)?;
            }
            // A port of hardware merges what it receives.
            run("ethtool", &format!("--offload {PORT} gro on"))?;
            run("ethtool", "--offload wan gro on")?;
            Ok(())
        })?;
        Ok(network)
    }

    /// Attaches a program to the device's port, until the link is closed.
    pub(crate) fn attach(&self, program: OwnedFd, place: Place) -> Result<OwnedFd> {
        self.router.run(move || {
            let interface = index_of(PORT)?;
            Ok(bpf::attach(program.as_fd(), interface, place)?)
        })
    }

    /// Sets the router's rules of nftables; none, if there are none.
    pub(crate) fn set_rules(&self, rules: Option<String>) -> Result<()> {
        let text = format!("flush ruleset\n{}", rules.unwrap_or_default());
        self.router
            .run(move || run_with("nft", "-f -", &text).map(drop))
    }

    /// How many frames the counter `dropped` of the router's rules has.
    pub(crate) fn dropped_by_rules(&self) -> Result<u64> {
        let text = self.router.run(|| run("nft", "--json list counters"))?;
        let json: serde_json::Value = serde_json::from_str(&text)?;
        let mut counters = json
            .pointer("/nftables")
            .and_then(|list| list.as_array())
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.pointer("/counter/packets")?.as_u64());
        counters.next().context("no counter in the router's rules")
    }

    /// How many frames have reached the cloud.
    pub(crate) fn arrived(&self) -> Result<u64> {
        let text = self
            .cloud
            .run(|| run("ip", &format!("-json -statistics link show dev {CLOUD}")))?;
        let json: serde_json::Value = serde_json::from_str(&text)?;
        json.pointer("/0/stats64/rx/packets")
            .and_then(|packets| packets.as_u64())
            .ok_or_else(|| anyhow!("no statistics of the cloud's interface in {text}"))
    }
}

/// The index of an interface of this thread's network namespace.
pub(crate) fn index_of(interface: &str) -> Result<u32> {
    let json: serde_json::Value =
        serde_json::from_str(&run("ip", &format!("-json link show dev {interface}"))?)?;
    let index = json.pointer("/0/ifindex").and_then(|index| index.as_u64());
    Ok(u32::try_from(index.context("an interface without index")?)?)
}

fn neighbour(address: &str, mac: Mac, interface: &str) -> String {
    format!("neighbour add {address} lladdr {mac} dev {interface} nud permanent")
}
