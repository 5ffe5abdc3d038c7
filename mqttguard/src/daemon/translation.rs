//! What the broker tells, in the words of [`crate::events`].

use std::net::{IpAddr, Ipv4Addr};

use mqttguard_broker::{Access, Version};

use crate::broker::{BrokerEvent, BrokerEventKind};
use crate::events::EventKind;

/// The event in the words of the one stream; None if it is not to be told.
pub(super) fn event_kind(event: BrokerEvent) -> Option<EventKind> {
    // Every event but `Listening` is about a peer.
    let address = event.address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let client_id = event.client_id.as_deref().unwrap_or_default().to_owned();
    Some(match event.kind {
        BrokerEventKind::Verified { .. } => return None,
        BrokerEventKind::Connected {
            version,
            session_present: _,
        } => EventKind::Connected {
            client_id,
            protocol: protocol(version),
            address,
        },
        BrokerEventKind::Disconnected { why, by_client: _ } => EventKind::Disconnected {
            client_id,
            why: why.to_owned(),
        },
        BrokerEventKind::LoginRefused { username, why } => EventKind::LoginRefused {
            username,
            address,
            why: why.text(),
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

/// The protocol's name as people write it.
pub(super) const fn protocol(version: Version) -> &'static str {
    match version {
        Version::V31 => "3.1",
        Version::V311 => "3.1.1",
        Version::V5 => "5.0",
    }
}
