//! What of a MUD file mqttguard takes over, and in words why not the rest.
//!
//! mqttguard decides on MQTT and on nothing else: it is no general firewall. Of the entries of a file
//! it takes those that let the device itself open connections in the clear to a named server on the
//! internet, on a port that is plaintext MQTT; they become exceptions. That a file has no such entry
//! says something too: the maker knows of no unencrypted MQTT.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::address::is_outside;
use super::file::{Description, Entry, Peer, Ports};

/// Names and networks that are taken over for one device.
pub const MAX_HOLES: usize = 8;
/// UDP port of MQTT-SN, which the kernel program looks at.
const MQTT_SN: u16 = 1883;
/// TCP port of MQTT over TLS.
const MQTTS: u16 = 8883;
const TCP: u8 = 6;
const UDP: u8 = 17;

/// Plaintext MQTT that is to leave.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hole {
    /// Where to.
    pub to: Destination,
    /// TCP or UDP port.
    pub port: u16,
}

/// Where a hole leads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Destination {
    /// To the hosts of a name.
    Name(String),
    /// To the hosts of a network.
    Network(IpNet),
}

impl std::fmt::Display for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Destination::Name(name) => f.write_str(name),
            Destination::Network(net) => write!(f, "{net}"),
        }
    }
}

/// An entry in words, and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// What the device says that it needs.
    pub says: String,
    /// What mqttguard takes over.
    pub hole: Option<Hole>,
    /// What becomes of it, or why nothing does.
    pub why: String,
}

/// All entries.
pub fn needs(description: &Description, plaintext: &[u16]) -> Vec<Need> {
    let mut taken: Vec<Hole> = Vec::new();
    let entries = description.entries.iter();
    let judged = entries.map(|entry| {
        let mut judged = judge(entry, plaintext);
        if let Ok(hole) = &judged
            && !taken.contains(hole)
        {
            match taken.len() < MAX_HOLES {
                true => taken.push(hole.clone()),
                false => judged = Err(format!("not taken over: it is one more than {MAX_HOLES}")),
            }
        }
        let (hole, why) = match judged {
            Ok(hole) => (Some(hole), "unencrypted MQTT to there may leave".to_owned()),
            Err(why) => (None, why),
        };
        Need {
            says: words(entry),
            hole,
            why,
        }
    });
    judged.collect()
}

/// What is taken over, each once.
pub fn holes(description: &Description, plaintext: &[u16]) -> Vec<Hole> {
    let needs = needs(description, plaintext).into_iter();
    let mut holes: Vec<Hole> = needs.filter_map(|need| need.hole).collect();
    holes.sort_unstable();
    holes.dedup();
    holes
}

/// Whether it says that the device speaks MQTT over TLS to the internet, and says nothing of MQTT in
/// the clear.
pub fn is_tls_only(description: &Description, plaintext: &[u16]) -> bool {
    let leaves =
        |entry: &&Entry| matches!(entry.peer, Peer::Any | Peer::Name(_) | Peer::Network(_));
    let entries: Vec<&Entry> = description.entries.iter().filter(leaves).collect();
    let speaks_tls = |entry: &&Entry| {
        entry.from_device && entry.accepts && entry.ports == Ports::Range(MQTTS, MQTTS)
    };
    entries.iter().any(speaks_tls)
        && !entries
            .iter()
            .any(|entry| may_be_plaintext(entry, plaintext))
}

/// Whether what an entry lets the device do may be MQTT in the clear.
fn may_be_plaintext(entry: &Entry, plaintext: &[u16]) -> bool {
    let covers = |port: &u16| match entry.ports {
        Ports::Any => true,
        Ports::Range(from, to) => (from..=to).contains(port),
        Ports::Not(other) => *port != other,
    };
    entry.from_device
        && entry.accepts
        && match entry.protocol {
            None => true,
            Some(TCP) => plaintext.iter().any(covers),
            Some(UDP) => covers(&MQTT_SN),
            Some(_) => false,
        }
}

/// What is taken over of an entry, or why nothing is.
fn judge(entry: &Entry, plaintext: &[u16]) -> Result<Hole, String> {
    let no = |why: &str| Err(why.to_owned());
    if !entry.accepts {
        return no("not taken over: mqttguard forbids no more than it did before");
    }
    if !entry.from_device {
        return no("nothing to do: what devices are sent is up to the firewall");
    }
    if !may_be_plaintext(entry, plaintext) {
        return match entry.ports {
            Ports::Range(MQTTS, MQTTS) => no("nothing to do: MQTT over TLS is let through anyway"),
            _ => {
                no("nothing to do: it is no MQTT in the clear, and all else is up to the firewall")
            }
        };
    }
    let to = match &entry.peer {
        Peer::Name(name) => Destination::Name(name.clone()),
        Peer::Network(net)
            if is_outside(net.network(), &[]) && is_outside(net.broadcast(), &[]) =>
        {
            Destination::Network(*net)
        }
        Peer::Network(_) => return no("not taken over: it is not on the internet"),
        Peer::Any => return no("not taken over: it names no server"),
        Peer::MyController | Peer::Controller(_) => {
            return no("not taken over: the broker of this router is there for that, over TLS");
        }
        Peer::LocalNetworks | Peer::SameManufacturer | Peer::Manufacturer(_) | Peer::Model(_) => {
            return no("not taken over: between devices of the house the router's broker is there");
        }
    };
    let port = match entry.ports {
        Ports::Range(from, to) if from == to => from,
        _ => return no("not taken over: it names no single port"),
    };
    if entry.opened_by_device == Some(false) {
        return no("not taken over: it is for connections that the other end opens");
    }
    if !entry.conditions.is_empty() {
        let names = entry.conditions.join(", ");
        return no(&format!(
            "not taken over: it has conditions that mqttguard does not know ({names})"
        ));
    }
    // A network of half the internet is not what an exception is for.
    if let Destination::Network(net) = &to {
        let widest = match net {
            IpNet::V4(_) => 16,
            IpNet::V6(_) => 32,
        };
        if net.prefix_len() < widest {
            return no("not taken over: the network is too large");
        }
    }
    Ok(Hole { to, port })
}

/// An entry as a sentence.
fn words(entry: &Entry) -> String {
    let peer = match &entry.peer {
        Peer::Any => "anybody".to_owned(),
        Peer::Name(name) => name.clone(),
        Peer::Network(net) => net.to_string(),
        Peer::Controller(class) => format!("the controller of {class}"),
        Peer::MyController => "its own controller".to_owned(),
        Peer::LocalNetworks => "the local networks".to_owned(),
        Peer::SameManufacturer => "devices of the same maker".to_owned(),
        Peer::Manufacturer(maker) => format!("devices made by {maker}"),
        Peer::Model(model) => format!("devices of the model {model}"),
    };
    let protocol = match entry.protocol {
        None => "anything".to_owned(),
        Some(1 | 58) => "ICMP".to_owned(),
        Some(TCP) => "TCP".to_owned(),
        Some(UDP) => "UDP".to_owned(),
        Some(other) => format!("IP protocol {other}"),
    };
    let ports = match entry.ports {
        Ports::Any => String::new(),
        Ports::Range(from, to) if from == to => format!(" port {from}"),
        Ports::Range(from, to) => format!(" ports {from} to {to}"),
        Ports::Not(port) => format!(" all ports but {port}"),
    };
    let opened = match entry.opened_by_device {
        None => "",
        Some(true) => ", which the device opens",
        Some(false) => ", which the other end opens",
    };
    match (entry.from_device, entry.accepts) {
        (true, true) => format!("sends to {peer}: {protocol}{ports}{opened}"),
        (true, false) => format!("does not send to {peer}: {protocol}{ports}"),
        (false, true) => format!("is sent by {peer}: {protocol}{ports}{opened}"),
        (false, false) => format!("is not sent by {peer}: {protocol}{ports}"),
    }
}

#[cfg(test)]
mod tests;
