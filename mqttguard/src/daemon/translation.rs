//! What the broker tells, in the words of [`crate::events`].

use std::net::{IpAddr, Ipv4Addr};

use mqttguard_broker::{Access, Pressure};

use crate::broker::{BrokerEvent, BrokerEventKind, protocol};
use crate::events::EventKind;

/// The event in the words of the one stream; None if it is not to be told.
pub(super) fn event_kind(event: BrokerEvent) -> Option<EventKind> {
    // Only events that are not about a peer have none, and they do not show it.
    let address = event.address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let client_id = event.client_id.as_deref().unwrap_or_default().to_owned();
    Some(match event.kind {
        BrokerEventKind::Verified { .. }
        | BrokerEventKind::Paired { .. }
        | BrokerEventKind::Used { .. } => return None,
        BrokerEventKind::Connected {
            version,
            session_present: _,
        } => EventKind::Connected {
            client_id,
            protocol: protocol(version),
            address,
        },
        BrokerEventKind::Disconnected { why } => EventKind::Disconnected { client_id, why },
        BrokerEventKind::LoginRefused { username, why } => EventKind::LoginRefused {
            username,
            address,
            why,
        },
        BrokerEventKind::TopicRefused {
            access,
            topic,
            profile,
        } => EventKind::TopicRefused {
            client_id,
            access: match access {
                Access::Publish => "publish",
                Access::Subscribe => "subscribe",
                Access::Will => "will",
            },
            topic,
            profile,
            suppressed: event.suppressed,
        },
        BrokerEventKind::Memory {
            pressure,
            used,
            allowed,
        } => EventKind::Memory {
            pressure: memory_pressure(pressure),
            used,
            allowed,
        },
        BrokerEventKind::LimitMet { limit, allowed } => EventKind::LimitMet {
            client_id: event.client_id.as_deref().map(str::to_owned),
            limit,
            allowed,
        },
        BrokerEventKind::ProtocolError { packet, what } => EventKind::ProtocolError {
            address,
            packet,
            what,
        },
        BrokerEventKind::BridgeLink { bridge, up, detail } => EventKind::BridgeLink {
            bridge: bridge.to_string(),
            up,
            detail,
        },
        BrokerEventKind::BridgeTrouble { bridge, detail } => EventKind::BridgeTrouble {
            bridge: bridge.to_string(),
            detail,
        },
        BrokerEventKind::Journal(news) => EventKind::Journal(news),
        BrokerEventKind::Listening {
            listener,
            up,
            detail,
        } => EventKind::Listening {
            listener: listener.to_string(),
            up,
            detail,
        },
    })
}

/// How short the broker's memory is, in a word.
pub(super) const fn memory_pressure(pressure: Pressure) -> &'static str {
    match pressure {
        Pressure::None => "none",
        Pressure::High => "high",
        Pressure::Critical => "critical",
    }
}
