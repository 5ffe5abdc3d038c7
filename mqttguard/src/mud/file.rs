//! What a MUD file says: `ietf-mud` (RFC 8520 section 7), the access lists of RFC 8519 that it is
//! written in, `ietf-acldns` (RFC 8520 section 8) and [`super::topics`], in the JSON of RFC 7951.
//!
//! Read strictly: what has the wrong type, size or place makes the file none. Conditions of other
//! modules are kept by their names, since an entry with a condition that is not understood says less
//! than it seems to.

use std::collections::BTreeMap;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::URL_BYTES;
use super::reading::{At, Object, line};
use super::topics::{self, Topics};
use crate::text::is_dangerous;

/// Longest file, in bytes.
pub const MAX_BYTES: usize = 128 * 1024;
/// Entries of all access lists that the policies name.
pub const MAX_ENTRIES: usize = 128;
/// Access lists in a file.
const MAX_LISTS: usize = 32;
/// Longest name of a list or entry (RFC 8519 section 4.1), and of what is shown of it.
const NAME: usize = 64;
/// Longest text for people; `systeminfo` has 60 characters (RFC 8520 section 3.9).
const TEXT: usize = 240;
/// Longest host name (RFC 1035 section 2.3.4).
const HOST: usize = 253;

/// A MUD file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// Where the file says it is.
    pub url: String,
    /// Where the file says its signature is.
    pub signature_url: Option<String>,
    /// When the maker changed it last, in its own words.
    pub last_update: String,
    /// Hours after which it is to be fetched again, 1 to 168.
    pub cache_validity_h: u64,
    /// Whether the maker still looks after the device.
    pub is_supported: bool,
    /// What the device is.
    pub systeminfo: Option<String>,
    /// Who made it.
    pub mfg_name: Option<String>,
    /// What it is called.
    pub model_name: Option<String>,
    /// What it may do, in the order of the file.
    pub entries: Vec<Entry>,
    /// The topics that it asks for.
    #[serde(default, skip_serializing_if = "Topics::is_empty")]
    pub topics: Topics,
}

/// An entry of an access list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Whether it is about what the device sends; else about what it is sent.
    pub from_device: bool,
    /// The other end.
    pub peer: Peer,
    /// The IP protocol; None: any.
    pub protocol: Option<u8>,
    /// The ports of the other end, TCP or UDP.
    pub ports: Ports,
    /// Who opens TCP connections, if the file says so: true for the device.
    pub opened_by_device: Option<bool>,
    /// Whether it lets this be; else it forbids it.
    pub accepts: bool,
    /// Conditions beside these, by their names.
    pub conditions: Vec<String>,
}

/// The other end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Peer {
    /// Anybody.
    Any,
    /// The hosts of a name.
    Name(String),
    /// The hosts of a network.
    Network(IpNet),
    /// Who controls devices of this class (a URI), as the owner knows.
    Controller(String),
    /// Who controls this device, as the owner knows.
    MyController,
    /// The hosts of the house.
    LocalNetworks,
    /// Devices of the same maker.
    SameManufacturer,
    /// Devices of this maker.
    Manufacturer(String),
    /// Devices of this model (a MUD URL).
    Model(String),
}

/// Ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ports {
    /// All.
    Any,
    /// This one and those up to the other.
    Range(u16, u16),
    /// All but this one.
    Not(u16),
}

/// Reads a file.
///
/// # Errors
///
/// Where in it what was found, and what expected.
pub fn read(bytes: &[u8]) -> Result<Description, String> {
    if bytes.len() > MAX_BYTES {
        let found = bytes.len();
        return Err(format!("found {found} bytes, expected at most {MAX_BYTES}"));
    }
    // Nested deeper than 128, it is refused there.
    let value: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let root = At::root(&value).object()?;
    let mud = root.get("ietf-mud:mud")?.object()?;
    let version = mud.get("mud-version")?;
    if version.number(0, u64::from(u8::MAX))? != 1 {
        return Err(version.wrong("1"));
    }
    let lists = lists(&root)?;
    let mut entries = Vec::new();
    for (policy, from_device) in [("from-device-policy", true), ("to-device-policy", false)] {
        let Some(policy) = mud.find(policy) else {
            continue;
        };
        let named = policy.object()?.get("access-lists")?.object()?;
        for one in named.get("access-list")?.list(MAX_LISTS)? {
            let name = one.object()?.get("name")?;
            let list = lists.get(name.text(NAME)?);
            let list = list.ok_or_else(|| name.wrong("the name of an access list in the file"))?;
            for ace in list.list(MAX_ENTRIES)? {
                if entries.len() == MAX_ENTRIES {
                    return Err(ace.wrong(&format!("at most {MAX_ENTRIES} entries")));
                }
                entries.push(entry(&ace.object()?, from_device)?);
            }
        }
    }
    Ok(Description {
        url: mud.get("mud-url")?.text(URL_BYTES)?.to_owned(),
        signature_url: (mud.find("mud-signature"))
            .map(|url| url.text(URL_BYTES).map(str::to_owned))
            .transpose()?,
        last_update: line(&mud.get("last-update")?, NAME)?,
        cache_validity_h: mud
            .find("cache-validity")
            .map_or(Ok(48), |hours| hours.number(1, 168))?,
        is_supported: mud.get("is-supported")?.truth()?,
        systeminfo: optional_line(&mud, "systeminfo")?,
        mfg_name: optional_line(&mud, "mfg-name")?,
        model_name: optional_line(&mud, "model-name")?,
        entries,
        topics: topics::read(&mud)?,
    })
}

/// The entries of each access list, by its name.
fn lists<'a>(root: &Object<'a>) -> Result<BTreeMap<&'a str, At<'a>>, String> {
    let mut lists = BTreeMap::new();
    let Some(all) = root.find("ietf-access-control-list:acls") else {
        return Ok(lists);
    };
    let Some(all) = all.object()?.find("acl") else {
        return Ok(lists);
    };
    for list in all.list(MAX_LISTS)? {
        let list = list.object()?;
        let name = list.get("name")?;
        let aces = list.get("aces")?.object()?.get("ace")?;
        if lists.insert(name.text(NAME)?, aces).is_some() {
            return Err(name.wrong("a name that no other access list has"));
        }
    }
    Ok(lists)
}

fn entry(ace: &Object<'_>, from_device: bool) -> Result<Entry, String> {
    let forwarding = ace.get("actions")?.object()?.get("forwarding")?;
    let word = forwarding.text(NAME)?;
    let accepts = match word.rsplit(':').next().unwrap_or(word) {
        "accept" => true,
        "drop" | "reject" => false,
        _ => return Err(forwarding.wrong("accept, drop or reject")),
    };
    let mut entry = Entry {
        name: line(&ace.get("name")?, NAME)?,
        from_device,
        peer: Peer::Any,
        protocol: None,
        ports: Ports::Any,
        opened_by_device: None,
        accepts,
        conditions: Vec::new(),
    };
    let Some(matches) = ace.find("matches") else {
        return Ok(entry);
    };
    for (module, conditions) in matches.object()?.each() {
        let conditions = conditions.object()?;
        match module {
            "ietf-mud:mud" => entry.read_mud(&conditions)?,
            "ipv4" | "ipv6" => entry.read_ip(&conditions)?,
            "tcp" => entry.read_ports(&conditions, 6)?,
            "udp" => entry.read_ports(&conditions, 17)?,
            other => entry.condition(other),
        }
    }
    Ok(entry)
}

impl Entry {
    /// Notes a condition that is not understood.
    fn condition(&mut self, name: &str) {
        if self.conditions.len() < 8 {
            let mut name: String = name.chars().filter(|c| !is_dangerous(*c)).collect();
            name.truncate(name.floor_char_boundary(NAME));
            self.conditions.push(name);
        }
    }

    /// Two of them would have to hold at once.
    fn set_peer(&mut self, at: &At<'_>, peer: Peer) -> Result<(), String> {
        match self.peer {
            Peer::Any => {
                self.peer = peer;
                Ok(())
            }
            _ => Err(at.wrong("one condition on the other end in an entry")),
        }
    }

    fn set_protocol(&mut self, at: &At<'_>, protocol: u8) -> Result<(), String> {
        match self.protocol.replace(protocol) {
            Some(other) if other != protocol => Err(at.wrong(&format!("protocol {other}"))),
            _ => Ok(()),
        }
    }

    /// RFC 8520 section 7, the augmentation of `matches`.
    fn read_mud(&mut self, conditions: &Object<'_>) -> Result<(), String> {
        for (name, at) in conditions.each() {
            let peer = match name {
                "manufacturer" => Peer::Manufacturer(line(&at, HOST)?),
                "same-manufacturer" => Peer::SameManufacturer,
                "model" => Peer::Model(line(&at, URL_BYTES)?),
                "local-networks" => Peer::LocalNetworks,
                "controller" => Peer::Controller(line(&at, URL_BYTES)?),
                "my-controller" => Peer::MyController,
                other => {
                    self.condition(other);
                    continue;
                }
            };
            self.set_peer(&at, peer)?;
        }
        Ok(())
    }

    fn read_ip(&mut self, conditions: &Object<'_>) -> Result<(), String> {
        for (name, at) in conditions.each() {
            // What is on the device's side is the device, and nothing to add.
            match (name, self.from_device) {
                ("ietf-acldns:dst-dnsname", true) | ("ietf-acldns:src-dnsname", false) => {
                    let peer = Peer::Name(host(&at)?);
                    self.set_peer(&at, peer)?;
                }
                ("destination-ipv4-network" | "destination-ipv6-network", true)
                | ("source-ipv4-network" | "source-ipv6-network", false) => {
                    let peer = Peer::Network(network(&at)?);
                    self.set_peer(&at, peer)?;
                }
                ("protocol", _) => {
                    let number = at.number(0, u64::from(u8::MAX))?;
                    self.set_protocol(&at, u8::try_from(number).unwrap_or(u8::MAX))?;
                }
                (other, _) => self.condition(other),
            }
        }
        Ok(())
    }

    fn read_ports(&mut self, conditions: &Object<'_>, protocol: u8) -> Result<(), String> {
        for (name, at) in conditions.each() {
            match (name, self.from_device) {
                ("destination-port", true) | ("source-port", false) => {
                    self.ports = ports(&at)?;
                    self.set_protocol(&at, protocol)?;
                }
                ("ietf-mud:direction-initiated", _) => {
                    self.opened_by_device = Some(match at.text(NAME)? {
                        "from-device" => true,
                        "to-device" => false,
                        _ => return Err(at.wrong("from-device or to-device")),
                    });
                    self.set_protocol(&at, protocol)?;
                }
                (other, _) => self.condition(other),
            }
        }
        // `"udp": {}` says the protocol too; without any member there is no place to name.
        self.protocol.get_or_insert(protocol);
        Ok(())
    }
}

/// `port-range-or-operator` of RFC 8519 section 4.2.
fn ports(at: &At<'_>) -> Result<Ports, String> {
    let object = at.object()?;
    let port = |at: At<'_>| {
        at.number(0, u64::from(u16::MAX))
            .map(|port| u16::try_from(port).unwrap_or(u16::MAX))
    };
    if let Some(lower) = object.find("lower-port") {
        let (lower, upper_at) = (port(lower)?, object.get("upper-port")?);
        let upper = port(upper_at)?;
        return match lower <= upper {
            true => Ok(Ports::Range(lower, upper)),
            false => Err(upper_at.wrong(&format!("a port from {lower} on"))),
        };
    }
    let number = port(object.get("port")?)?;
    let Some(operator) = object.find("operator") else {
        return Ok(Ports::Range(number, number));
    };
    Ok(match operator.text(NAME)? {
        "eq" => Ports::Range(number, number),
        "lte" => Ports::Range(0, number),
        "gte" => Ports::Range(number, u16::MAX),
        "neq" => Ports::Not(number),
        _ => return Err(operator.wrong("eq, neq, lte or gte")),
    })
}

fn host(at: &At<'_>) -> Result<String, String> {
    let name = at.text(HOST)?.trim_end_matches('.');
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    // An address is no name: it would be looked up as one, and found.
    let is_name = name.split('.').all(is_label) && name.parse::<std::net::IpAddr>().is_err();
    // Neither is `127.1`, which some resolvers read as one.
    let is_number = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
    match is_name && !name.rsplit('.').next().is_none_or(is_number) {
        true => Ok(name.to_ascii_lowercase()),
        false => Err(at.wrong("a host name")),
    }
}

fn network(at: &At<'_>) -> Result<IpNet, String> {
    let text = at.text(NAME)?;
    let found = text.parse::<IpNet>().map(|net| net.trunc());
    found.map_err(|_| at.wrong("a network such as 203.0.113.0/24"))
}

fn optional_line(mud: &Object<'_>, name: &'static str) -> Result<Option<String>, String> {
    mud.find(name).map(|at| line(&at, TEXT)).transpose()
}

#[cfg(test)]
mod tests;
