//! Events as sentences for people.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use mqttguard_common::Reason;

use super::{
    Event, EventKind, ExceptionChange, ImportChange, Mismatch, PairingChange, RotationEnd,
};
use crate::calendar;

impl EventKind {
    /// One sentence in plain words. `who` is the device's name.
    fn sentence(&self, who: &str) -> String {
        match self {
            EventKind::DeviceSeen {
                address: Some(address),
                source,
            } => {
                format!("{who} joined with address {address} (seen by {source})")
            }
            EventKind::DeviceSeen {
                address: None,
                source,
            } => {
                format!("{who} joined (seen by {source})")
            }
            EventKind::DeviceGone => format!("{who} has not been seen for a long time"),
            EventKind::StateChanged { from, to, why } => {
                format!("{who} is now {to} (was {from}): {why}")
            }
            EventKind::Enrolled { username } => {
                format!("{who} has its own credential, user name '{username}'")
            }
            EventKind::Pairing { change } => pairing_sentence(who, change),
            EventKind::Import { change } => import_sentence(change),
            EventKind::Rotated { username, until_ms } => format!(
                "{who} has a new password for '{username}'; the old one works until it is used, \
                 at the latest until {}",
                calendar::utc(*until_ms)
            ),
            EventKind::RotationEnded {
                username,
                how: RotationEnd::Used,
            } => {
                format!("{who} has used its new password; the old one of '{username}' has ended")
            }
            EventKind::RotationEnded {
                username,
                how: RotationEnd::Expired,
            } => format!(
                "{who} has not used its new password, and the old one of '{username}' has ended"
            ),
            EventKind::RotationEnded {
                username,
                how: RotationEnd::TakenBack,
            } => format!(
                "the new password of {who} did not reach it and was taken back; the old one of \
                 '{username}' goes on"
            ),
            EventKind::Pushed {
                firmware,
                address,
                failure: None,
            } => format!("{who} was sent its settings ({firmware}, at {address})"),
            EventKind::Pushed {
                firmware,
                address,
                failure: Some(why),
            } => format!("{who} was not given its settings ({firmware}, at {address}): {why}"),
            EventKind::Revoked { username } => {
                format!("{who} has no credential any more; user name '{username}' is free")
            }
            EventKind::CertificateIssued { serial, until_ms } => format!(
                "{who} was given the certificate {serial}, good until {}",
                calendar::utc(*until_ms)
            ),
            EventKind::Frame {
                reason,
                destination,
                port,
                mismatch,
                ..
            } => {
                let did = deed(*reason, &to(*destination, *port), mismatch.as_ref());
                format!("{who} {did}: {}", self.fate())
            }
            EventKind::Exception {
                change,
                section,
                destination,
                port,
                until_ms,
            } => {
                let what = format!("unencrypted MQTT to {}", reach(*destination, *port));
                let until = calendar::utc(until_ms.unwrap_or_default());
                match (change, section) {
                    (ExceptionChange::Made, _) => format!("{who} may send {what} until {until}"),
                    (ExceptionChange::Expired, Some(section)) => {
                        format!("exception '{section}' has expired: {what} is not let out any more")
                    }
                    (ExceptionChange::Expired, None) => {
                        format!("{who} may not send {what} any more: the time for it is over")
                    }
                    (ExceptionChange::Withdrawn, _) => {
                        format!("{who} may not send {what} any more, by the owner's word")
                    }
                    (ExceptionChange::Crowded, _) => format!(
                        "{who} may not send {what} any more: the configuration's exceptions leave \
                         no room for it"
                    ),
                }
            }
            EventKind::Binding {
                interface,
                missing: None,
            } => format!("{who} is bound to {interface}"),
            EventKind::Binding {
                interface,
                missing: Some(missing),
            } => format!("{who} is bound to no interface, {interface} will not do: {missing}"),
            EventKind::Connected {
                client_id,
                protocol,
                address,
            } => {
                format!("{who} connected from {address} as '{client_id}' (MQTT {protocol})")
            }
            EventKind::Disconnected { client_id, why } => {
                format!("{who} disconnected, client '{client_id}': {why}")
            }
            EventKind::LoginRefused {
                username: Some(username),
                address,
                why,
            } => {
                format!("{who} at {address} was refused as user '{username}': {why}")
            }
            EventKind::LoginRefused {
                username: None,
                address,
                why,
            } => {
                format!("{who} at {address} was refused: {why}")
            }
            EventKind::TopicRefused {
                access,
                topic,
                profile,
                ..
            } => {
                format!("{who} may not {access} '{topic}': profile '{profile}' does not grant it")
            }
            EventKind::Memory {
                pressure,
                used,
                allowed,
            } => memory_sentence(pressure, *used, *allowed),
            EventKind::LimitMet { limit, allowed, .. } => {
                format!("{who} met the limit {limit} ({allowed})")
            }
            EventKind::ProtocolError {
                address,
                packet,
                what,
            } => {
                format!("{who} at {address} broke the protocol in {packet}: {what}")
            }
            EventKind::Enforcement {
                interface,
                what,
                detail,
                notes: _,
            } => {
                format!("kernel program {what} on {interface}: {detail}")
            }
            EventKind::Fallback(standin) => standin.to_string(),
            EventKind::SourceChanged {
                source,
                up: true,
                detail,
            } => {
                format!("devices are seen by {source}: {detail}")
            }
            EventKind::SourceChanged {
                source,
                up: false,
                detail,
            } => {
                format!("devices are not seen by {source}: {detail}")
            }
            EventKind::ConfigLoaded { file } => format!("{file} is in force"),
            EventKind::ConfigRefused { errors } => format!(
                "configuration refused, the last good one stays in force: {}",
                errors.join("; ")
            ),
            EventKind::BridgeLink {
                bridge,
                up: true,
                detail,
            } => format!("bridge '{bridge}' is connected to {detail}"),
            EventKind::BridgeLink {
                bridge,
                up: false,
                detail,
            } => format!("bridge '{bridge}' is not connected to {detail}"),
            EventKind::BridgeTrouble { bridge, detail } => format!("bridge '{bridge}': {detail}"),
            EventKind::Uplift {
                destination,
                server,
                refused,
                count,
                ..
            } => uplift_sentence(who, *destination, server, refused.as_deref(), *count),
            EventKind::UpliftReady { ready: true, .. } => {
                "uplift is ready: unencrypted MQTT of its devices is carried on over TLS".to_owned()
            }
            EventKind::UpliftReady {
                ready: false,
                detail,
            } => format!("uplift is not ready, its devices' MQTT is dropped: {detail}"),
            EventKind::Mud(change) => change.sentence(who),
            EventKind::Journal(news) => news.to_string(),
            EventKind::Listening {
                listener,
                up: true,
                detail,
            } => {
                format!("listener '{listener}' is open on {detail}")
            }
            EventKind::Listening {
                listener,
                up: false,
                detail,
            } => {
                format!("listener '{listener}' is closed: {detail}")
            }
        }
    }
}

impl Event {
    /// One sentence in plain words.
    pub fn message(&self) -> String {
        let who = match (&self.name, self.mac) {
            (Some(name), _) => name.clone(),
            (None, Some(mac)) => mac.to_string(),
            (None, None) => "an unknown client".to_owned(),
        };
        self.kind.sentence(&who)
    }
}

fn pairing_sentence(who: &str, change: &PairingChange) -> String {
    match change {
        PairingChange::Opened { until_ms } => format!(
            "{who} can be paired until {}: the user name and password that it presents become its \
             credential",
            calendar::utc(*until_ms)
        ),
        PairingChange::Done {
            username,
            weak: false,
        } => format!("{who} is paired, user name '{username}'"),
        PairingChange::Done {
            username,
            weak: true,
        } => format!(
            "{who} is paired, user name '{username}'; its password is weak, rotate it when you can"
        ),
        PairingChange::Cancelled => format!("the pairing window of {who} was closed by the owner"),
        PairingChange::Expired => {
            format!(
                "the pairing window of {who} has closed, and it presented nothing that would do"
            )
        }
    }
}

fn import_sentence(change: &ImportChange) -> String {
    match change {
        ImportChange::Opened { count, until_ms } => format!(
            "imported accounts wait for their devices until {}: {count}",
            calendar::utc(*until_ms)
        ),
        ImportChange::Cancelled { username } => {
            format!("the imported account '{username}' was taken back by the owner")
        }
        ImportChange::Expired { usernames } => format!(
            "no device has claimed these imported accounts, they have ended: {}",
            few(usernames)
        ),
    }
}

/// The first names of a list that may be long.
fn few(names: &[String]) -> String {
    const SHOWN: usize = 8;
    let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>();
    match names.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn memory_sentence(pressure: &str, used: u64, allowed: u64) -> String {
    let what = match pressure {
        "high" => "new sessions and more retained messages are refused",
        "critical" => "new subscriptions are refused too, and queues that nobody reads are cut",
        _ => "there is room again",
    };
    format!("the broker holds {used} of {allowed} bytes: {what}")
}

fn uplift_sentence(
    who: &str,
    destination: SocketAddr,
    server: &str,
    refused: Option<&str>,
    count: u64,
) -> String {
    let times = match count {
        1 => String::new(),
        count => format!(" ({count} times)"),
    };
    match refused {
        None => {
            format!("{who}'s connection to {destination} is carried on over TLS to {server}{times}")
        }
        Some(why) => format!(
            "{who}'s connection to {destination} was not carried on to {server}{times}: {why}"
        ),
    }
}

/// ` to 203.0.113.9:1883`, as far as that is known.
fn to(destination: Option<IpAddr>, port: Option<u16>) -> String {
    match (destination, port) {
        (Some(address), Some(port)) => format!(" to {}", SocketAddr::new(address, port)),
        (Some(address), None) => format!(" to {address}"),
        (None, _) => String::new(),
    }
}

/// Where an exception reaches.
fn reach(destination: Option<IpNet>, port: Option<u16>) -> String {
    let destination = match destination {
        Some(net) if net.prefix_len() == net.max_prefix_len() => net.addr().to_string(),
        Some(net) => net.to_string(),
        None => "any address".to_owned(),
    };
    match port {
        Some(port) => format!("{destination}, port {port}"),
        None => destination,
    }
}

/// What a device did, for which the kernel program decided against its frame.
fn deed(reason: Reason, to: &str, mismatch: Option<&Mismatch>) -> String {
    match reason {
        Reason::PlaintextPort => format!("tried to send unencrypted MQTT{to}"),
        Reason::PlaintextConnect => format!("tried to send unencrypted MQTT{to}, an unusual port"),
        Reason::PlaintextSplit => {
            format!("sent the first bytes of a connection in pieces that could hide MQTT{to}")
        }
        Reason::PlaintextLocal => {
            format!("tried to speak unencrypted MQTT to the router{to}, which it may not")
        }
        Reason::MqttSn => format!("tried to send MQTT-SN, which is not encrypted,{to}"),
        Reason::TinyFragment => format!("sent a fragment too small to check{to}"),
        Reason::Blocked => format!("is blocked and sent something{to}"),
        Reason::Quarantined => format!("is in quarantine and tried to speak MQTT{to}"),
        Reason::FloodPackets => format!("sends more packets a second than it may{to}"),
        Reason::FloodBytes => format!("sends more bytes a second than it may{to}"),
        Reason::FloodUdp => format!("sends more UDP packets a second than it may{to}"),
        Reason::FloodBroadcasts => {
            format!("sends more broadcasts and multicasts a second than it may{to}")
        }
        Reason::FloodConnections => format!("opens more connections a second than it may{to}"),
        Reason::PlaintextWebSocket => {
            format!("tried to speak MQTT over a WebSocket that is not encrypted{to}")
        }
        Reason::InterfaceMismatch => stray("interface", mismatch),
        Reason::AddressMismatch => stray("address", mismatch),
        Reason::Unread => format!("sent what could not be checked for MQTT over a WebSocket{to}"),
        Reason::Pass | Reason::Excepted | Reason::LocalPlaintext | Reason::Uplifted => {
            format!("passed{to}")
        }
    }
}

fn stray(what: &str, mismatch: Option<&Mismatch>) -> String {
    match mismatch {
        Some(Mismatch { found, expected }) => {
            format!("sent from {found}, which is not its {what} ({expected})")
        }
        None => format!("sent from an {what} that is not its own"),
    }
}

impl EventKind {
    /// What became of the frames.
    fn fate(&self) -> String {
        let EventKind::Frame {
            reason,
            dropped,
            count,
            rejected,
            ..
        } = self
        else {
            return String::new();
        };
        let frames = match count {
            1 => "1 frame".to_owned(),
            count => format!("{count} frames"),
        };
        let fate = match (dropped, rejected) {
            (true, true) => "dropped, and the device told so by a reset",
            (true, false) => "dropped",
            // That is how `bindings 'report'` is meant to be.
            (false, _) if reason.is_mismatch() => "let through",
            (false, _) => "would have been dropped",
        };
        format!("{frames} {fate}")
    }
}
