//! A [`Ruleset`] in the language of nft(8).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Display, Write};

use ipnet::IpNet;
use mqttguard_common::Mac;

use super::{Action, NftError, Plaintext, Ruleset, Uplift};

/// Our table, of the family `inet`.
pub(super) const TABLE: &str = "mqttguard";

/// The counters of what stands in for the kernel program: of MQTT in the clear, and of all else.
pub(super) const PLAINTEXT: &str = "plaintext";
pub(super) const OTHER: &str = "other";

/// MQTT over TLS (IANA `secure-mqtt`).
const MQTT_TLS: u16 = 8883;
/// MQTT-SN over UDP, as gateways listen by default.
const MQTT_SN: u16 = 1883;

/// The whole transaction. Adding the table first lets the deletion succeed where there is none.
pub(super) fn transaction(ruleset: &Ruleset) -> Result<String, NftError> {
    let mut out = format!("add table inet {TABLE}\ndelete table inet {TABLE}\n");
    if ruleset.is_empty() {
        return Ok(out);
    }
    let mut table = Table::default();
    // Before the router's own chains (fw4's have priority 0): what these accept would otherwise
    // depend on the firewall's zones.
    table.base("forward", "filter hook forward priority filter - 10");
    table.base("input", "filter hook input priority filter - 10");
    if !ruleset.closed.is_empty() {
        let closed = names(&ruleset.closed)?;
        table.rule(
            "forward",
            format!("iifname {closed} counter name {OTHER} drop comment \"closed\""),
        );
    }
    if let Some(plaintext) = &ruleset.plaintext {
        plaintext_rules(&mut table, plaintext)?;
    }
    uplift_rules(&mut table, &ruleset.uplift);
    let counters: &[_] = match ruleset.stands_in() {
        true => &[PLAINTEXT, OTHER],
        false => &[],
    };
    table.write("inet", counters, &mut out);
    bridged(&ruleset.uplift, &mut out);
    Ok(out)
}

/// What the router bridges passes by its routing, and so by the redirection.
fn bridged(uplift: &[Uplift], out: &mut String) {
    if uplift.is_empty() {
        return;
    }
    let mut table = Table::default();
    table.base("forward", "filter hook forward priority filter - 10");
    for ((ports, _), macs) in &groups(uplift) {
        if let (Some(macs), Some(ports)) = (set(macs), set(ports)) {
            let rule = format!("ether saddr {macs} tcp dport {ports} counter drop");
            table.rule("forward", rule);
        }
    }
    let _ = writeln!(out, "add table bridge {TABLE}\ndelete table bridge {TABLE}");
    table.write("bridge", &[], out);
}

/// Devices by ports and listener.
fn groups(uplift: &[Uplift]) -> BTreeMap<(BTreeSet<u16>, u16), BTreeSet<Mac>> {
    let mut groups: BTreeMap<_, BTreeSet<Mac>> = BTreeMap::new();
    for device in uplift {
        let ports = device.ports.iter().copied().collect();
        let group = groups.entry((ports, device.listener)).or_default();
        group.insert(device.mac);
    }
    groups
}

fn plaintext_rules(table: &mut Table, plaintext: &Plaintext) -> Result<(), NftError> {
    if plaintext.devices.is_empty() {
        return Ok(());
    }
    let from = names(&plaintext.devices)?;
    for (hook, chain) in [("forward", "leaving"), ("input", "arriving")] {
        table.rule(hook, format!("iifname {from} jump {chain}"));
        table.chain(chain);
    }
    let drop = match plaintext.action {
        Action::Reject | Action::Drop => " drop",
        Action::Count => "",
    };
    let refuse = match plaintext.action {
        Action::Reject => " reject with tcp reset",
        Action::Drop | Action::Count => drop,
    };
    cut_off(table, plaintext, &format!("counter name {OTHER}{drop}"));
    let [drop, refuse] = [drop, refuse].map(|what| format!("counter name {PLAINTEXT}{what}"));

    if let Some(ports) = set(&plaintext.ports) {
        table.rule("leaving", format!("tcp dport {ports} goto plaintext"));
    }
    if plaintext.mqtt_sn {
        for chain in ["leaving", "arriving"] {
            table.rule(chain, format!("udp dport {MQTT_SN} goto plaintext"));
        }
    }
    for exception in &plaintext.exceptions {
        let mut rule = String::new();
        if let Some(mac) = exception.mac {
            let _ = write!(rule, "ether saddr {mac} ");
        }
        let destination = exception.destination.trunc();
        let _ = match destination {
            IpNet::V4(_) => write!(rule, "ip daddr {destination} "),
            IpNet::V6(_) => write!(rule, "ip6 daddr {destination} "),
        };
        if let Some(port) = exception.port {
            let _ = write!(rule, "th dport {port} ");
        }
        table.rule("plaintext", format!("{rule}counter accept"));
    }
    table.rule("plaintext", format!("meta l4proto tcp {refuse}"));
    table.rule("plaintext", format!("meta l4proto udp {drop}"));

    if let Some(port) = plaintext.local_port
        && let Some(macs) = set(&plaintext.local_macs)
    {
        let rule = format!("ether saddr {macs} tcp dport {port} accept");
        table.rule("arriving", rule);
    }
    let local: BTreeSet<u16> = plaintext
        .ports
        .iter()
        .copied()
        .chain(plaintext.local_port)
        .collect();
    if let Some(ports) = set(&local) {
        table.rule("arriving", format!("tcp dport {ports} {refuse}"));
    }
    Ok(())
}

/// The devices that are cut off, wholly or from MQTT.
fn cut_off(table: &mut Table, plaintext: &Plaintext, drop: &str) {
    if let Some(blocked) = set(&plaintext.blocked) {
        table.rule("leaving", format!("ether saddr {blocked} {drop}"));
        table.rule("arriving", format!("ether saddr {blocked} goto blocked"));
        // A blocked device keeps its address, so that it stays visible by it.
        for (family, client, server) in [("ipv4", 68, 67), ("ipv6", 546, 547)] {
            table.rule(
                "blocked",
                format!("meta nfproto {family} udp sport {client} udp dport {server} accept"),
            );
        }
        table.rule("blocked", drop.to_owned());
    }
    if let Some(quarantined) = set(&plaintext.quarantined) {
        let mut ports: BTreeSet<u16> = plaintext.ports.iter().copied().collect();
        ports.insert(MQTT_TLS);
        let away = set(&ports).unwrap_or_default();
        ports.extend(&plaintext.broker_ports);
        ports.extend(plaintext.local_port);
        let here = set(&ports).unwrap_or_default();
        for (chain, ports) in [("leaving", away), ("arriving", here)] {
            let from = format!("ether saddr {quarantined}");
            table.rule(chain, format!("{from} tcp dport {ports} {drop}"));
            table.rule(chain, format!("{from} udp dport {MQTT_SN} {drop}"));
        }
    }
}

fn uplift_rules(table: &mut Table, uplift: &[Uplift]) {
    if uplift.is_empty() {
        return;
    }
    // Before the router's own port forwardings.
    table.base("takeover", "nat hook prerouting priority dstnat - 10");
    for ((ports, listener), macs) in &groups(uplift) {
        let (Some(macs), Some(ports)) = (set(macs), set(ports)) else {
            continue;
        };
        let plaintext = format!("ether saddr {macs} tcp dport {ports}");
        table.rule(
            "takeover",
            format!("{plaintext} fib daddr type != local counter redirect to :{listener}"),
        );
        // Nothing leaves in the clear if the redirection should be lost.
        table.rule(
            "forward",
            format!("{plaintext} counter reject with tcp reset"),
        );
    }
    let listeners: BTreeSet<u16> = uplift.iter().map(|device| device.listener).collect();
    if let Some(listeners) = set(&listeners) {
        // The proxy asks the kernel where a connection was going; one that was not redirected was
        // going to the proxy itself.
        let arriving = format!("tcp dport {listeners}");
        table.rule("input", format!("{arriving} ct status dnat accept"));
        table.rule("input", format!("{arriving} counter reject with tcp reset"));
    }
}

/// Chains with their rules, in the order in which they were first spoken of.
#[derive(Default)]
struct Table(Vec<Chain>);

struct Chain {
    name: &'static str,
    hook: Option<&'static str>,
    rules: Vec<String>,
}

impl Table {
    fn chain(&mut self, name: &'static str) -> &mut Chain {
        let index = self.0.iter().position(|chain| chain.name == name);
        let index = index.unwrap_or_else(|| {
            self.0.push(Chain {
                name,
                hook: None,
                rules: Vec::new(),
            });
            self.0.len() - 1
        });
        #[expect(clippy::indexing_slicing, reason = "found or pushed above")]
        &mut self.0[index]
    }

    fn base(&mut self, name: &'static str, hook: &'static str) {
        self.chain(name).hook = Some(hook);
    }

    fn rule(&mut self, chain: &'static str, rule: String) {
        self.chain(chain).rules.push(rule);
    }

    fn write(&self, family: &str, counters: &[&str], out: &mut String) {
        let _ = writeln!(out, "table {family} {TABLE} {{");
        for counter in counters {
            let _ = writeln!(out, "\tcounter {counter} {{ }}");
        }
        for chain in &self.0 {
            let _ = writeln!(out, "\tchain {} {{", chain.name);
            if let Some(hook) = chain.hook {
                let _ = writeln!(out, "\t\ttype {hook}; policy accept;");
            }
            for rule in &chain.rules {
                let _ = writeln!(out, "\t\t{rule}");
            }
            out.push_str("\t}\n");
        }
        out.push_str("}\n");
    }
}

/// `{ a, b }`; None of nothing, for which there is no notation.
fn set<'a, T: Display + 'a>(items: impl IntoIterator<Item = &'a T>) -> Option<String> {
    let items: Vec<String> = items.into_iter().map(ToString::to_string).collect();
    (!items.is_empty()).then(|| format!("{{ {} }}", items.join(", ")))
}

/// A set of device names. nft(8) knows no escapes in strings and takes a `*` at the end for a
/// pattern, so not every name that the kernel takes can be written.
fn names(devices: &[String]) -> Result<String, NftError> {
    let is_fit = |name: &str| {
        !name.is_empty()
            && name.len() < libc::IFNAMSIZ
            && name
                .bytes()
                .all(|b| b.is_ascii_graphic() && !b"\"\\*".contains(&b))
    };
    if let Some(name) = devices.iter().find(|name| !is_fit(name)) {
        return Err(NftError::Name(name.clone()));
    }
    let unique: BTreeSet<String> = devices.iter().map(|name| format!("\"{name}\"")).collect();
    Ok(set(&unique).unwrap_or_default())
}
