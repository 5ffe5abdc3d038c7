//! What else there is to know of a snippet.

use std::fmt;

use mqttguard_common::Mac;
use serde_json::Value;

use super::{NO_ISLAND, not_on_island};
use crate::coded::Coded;
use crate::json::json;

/// What a snippet does not say by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SnippetNote {
    /// The island is off.
    NoIsland,
    /// The device may not use it.
    NotOnIsland(Mac),
    /// What is said there can be read.
    IslandIsRead,
    /// It is for the builds without TLS alone.
    BuildsWithout {
        /// Which have it.
        tls: &'static str,
    },
    /// Tasmota pins keys.
    PinsKey,
    /// There is no RSA key yet.
    NoRsaKey,
    /// ESPHome's name of the node is in its topics.
    NodeName,
    /// A Shelly may ask for its password.
    Digest,
    /// OpenBeken has to have the CA before.
    CaBefore,
    /// Where Zigbee2MQTT has its data.
    DataPath,
    /// The profile of a hub.
    HubProfile,
    /// The topic that all Shellys share.
    SharedAnnounce,
    /// OpenDTU announces inverters.
    Inverters,
    /// OpenMQTTGateway announces sensors.
    Sensors,
    /// It is to try the broker out with.
    Trial,
}

impl SnippetNote {
    /// One of each, for the reference.
    pub(crate) const SAMPLES: [SnippetNote; 15] = [
        SnippetNote::NoIsland,
        SnippetNote::NotOnIsland(Mac([0x02, 0xc1, 0x1e, 0x17, 0, 1])),
        SnippetNote::IslandIsRead,
        SnippetNote::BuildsWithout { tls: "{tls}" },
        SnippetNote::PinsKey,
        SnippetNote::NoRsaKey,
        SnippetNote::NodeName,
        SnippetNote::Digest,
        SnippetNote::CaBefore,
        SnippetNote::DataPath,
        SnippetNote::HubProfile,
        SnippetNote::SharedAnnounce,
        SnippetNote::Inverters,
        SnippetNote::Sensors,
        SnippetNote::Trial,
    ];
}

impl Coded for SnippetNote {
    fn code(&self) -> &'static str {
        match self {
            SnippetNote::NoIsland => "no-island",
            SnippetNote::NotOnIsland(_) => "not-on-island",
            SnippetNote::IslandIsRead => "island-is-read",
            SnippetNote::BuildsWithout { .. } => "builds-without",
            SnippetNote::PinsKey => "pins-key",
            SnippetNote::NoRsaKey => "no-rsa-key",
            SnippetNote::NodeName => "node-name",
            SnippetNote::Digest => "digest",
            SnippetNote::CaBefore => "ca-before",
            SnippetNote::DataPath => "data-path",
            SnippetNote::HubProfile => "hub-profile",
            SnippetNote::SharedAnnounce => "shared-announce",
            SnippetNote::Inverters => "inverters",
            SnippetNote::Sensors => "sensors",
            SnippetNote::Trial => "trial",
        }
    }

    fn values(&self) -> Vec<(&'static str, Value)> {
        match self {
            SnippetNote::NotOnIsland(mac) => vec![("mac", json!(mac.to_string()))],
            SnippetNote::BuildsWithout { tls } => vec![("tls", json!(tls))],
            _ => Vec::new(),
        }
    }
}

impl fmt::Display for SnippetNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SnippetNote::NoIsland => return write!(f, "It needs {NO_ISLAND}."),
            SnippetNote::NotOnIsland(mac) => return write!(f, "{}.", not_on_island(*mac)),
            SnippetNote::BuildsWithout { tls } => {
                return write!(f, "Only where the build has no TLS: it is in {tls}.");
            }
            SnippetNote::IslandIsRead => {
                "On the island the password can be read by whoever listens in the LAN."
            }
            SnippetNote::PinsKey => {
                "Tasmota takes no CA: it knows the router by its keys, which stay when its \
                 certificates are renewed. Fingerprints are as Tasmota 8.4 and later has them."
            }
            SnippetNote::NoRsaKey => {
                "The router has no RSA key yet, and most builds know no other: ask again in a minute."
            }
            SnippetNote::NodeName => {
                "The node's name in ESPHome has to be the one here: it is in its topics."
            }
            SnippetNote::Digest => {
                "With a password of its own the device asks for it (user admin, Digest)."
            }
            SnippetNote::CaBefore => {
                "Before that, the router's CA has to be in the device's file mqttguard.pem (web app, \
                 Filesystem): without it the connection fails."
            }
            SnippetNote::DataPath => {
                "/app/data is where the container has its data; elsewhere write that path."
            }
            SnippetNote::HubProfile => {
                "Its profile is 'hub': mqttguard enrol DEVICE --profile hub."
            }
            SnippetNote::SharedAnnounce => {
                "It announces itself in shellies/announce too, where each can speak for all: its \
                 profile does not grant it. If something goes by that, add list publish \
                 'shellies/announce' to its section 'device'."
            }
            SnippetNote::Inverters => {
                "Home Assistant Auto Discovery announces each inverter under its serial number, which \
                 its profile does not know: add list publish 'homeassistant/+/SERIAL/#' to its section \
                 'device' ('mqttguard learn' shows them)."
            }
            SnippetNote::Sensors => {
                "What it announces of sensors around it goes under their addresses, which its profile \
                 does not grant: see 'mqttguard learn'."
            }
            SnippetNote::Trial => {
                "The firmware is not known: --firmware NAME shows what another needs. mosquitto_pub \
                 reads '-u' and '-P' from ~/.config/mosquitto_pub."
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coded::codes_of;

    #[test]
    fn the_samples_are_all_there_is() {
        let samples = SnippetNote::SAMPLES.iter();
        let codes = samples.map(|one| one.code().to_owned()).collect();
        let source = include_str!("note.rs");
        assert_eq!(codes_of(source, "impl Coded for SnippetNote"), codes);
    }
}
