use std::net::IpAddr;
use std::sync::Arc;

use mqttguard_broker::{Access, Departure, Pressure, Version};
use mqttguard_common::Mac;

use crate::events::{Denial, JournalNews};
use crate::hidden::Hidden;
use crate::outlet::Outlet;
use crate::registry::Verifiers;

/// Something the broker has to tell, and whom it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerEvent {
    /// The peer's MAC address, if the kernel knew it.
    pub mac: Option<Mac>,
    /// The peer's address. None only for what is about no peer.
    pub address: Option<IpAddr>,
    /// Who the client is, once it is let in: the user name.
    pub identity: Option<Arc<str>>,
    /// The client identifier, once it is known; cut if it is long, as all hostile text here.
    pub client_id: Option<Arc<str>>,
    /// Events of the same kind left out since the last one.
    pub suppressed: u32,
    /// What happened.
    pub kind: BrokerEventKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BrokerEventKind {
    /// A client is in.
    Connected {
        /// The protocol it speaks.
        version: Version,
        /// Whether it found its session of before.
        session_present: bool,
    },
    /// A client is out.
    Disconnected {
        /// Why.
        why: Departure,
    },
    /// A client that was let in has shown the password of an account without SCRAM verifiers. To be
    /// kept, not told.
    Verified {
        /// Those of its password, and the hash that they go with.
        verifiers: Verifiers,
    },
    /// A device in its pairing window, or one that an account waited for, has presented what is to
    /// be its credential. To be kept, not told.
    Paired {
        /// The user name, fit to be one.
        username: Arc<str>,
        /// Of the password.
        verifiers: Verifiers,
        /// The password is short, or the user name.
        weak: bool,
        /// The serial number of the account that waited for this password. None: the device is in
        /// its pairing window.
        claim: Option<u64>,
    },
    /// A client was let in by the newer of an account's two passwords. To be kept, not told.
    Used {
        /// The password's hash.
        hash: Hidden,
    },
    /// A login was refused.
    LoginRefused {
        /// The user name that was tried; hostile text.
        username: Option<String>,
        /// Why.
        why: Denial,
    },
    /// No grant covers what a client asked for.
    TopicRefused {
        /// The right that was missing.
        access: Access,
        /// The topic name or filter; hostile text.
        topic: String,
        /// The profile that lacks it.
        profile: String,
    },
    /// Memory has become short, or is no longer.
    Memory {
        /// How short it is now.
        pressure: Pressure,
        /// Bytes held.
        used: u64,
        /// The most that is allowed.
        allowed: u64,
    },
    /// A limit was met.
    LimitMet {
        /// The limit's name.
        limit: &'static str,
        /// The most that is allowed.
        allowed: u64,
    },
    /// A peer broke MQTT, TLS or WebSocket.
    ProtocolError {
        /// The MQTT packet's name, `TLS` or `WebSocket`.
        packet: &'static str,
        /// What was wrong.
        what: String,
    },
    /// A bridge to another server came up or went down.
    BridgeLink {
        /// The bridge's section name.
        bridge: Arc<str>,
        /// Whether messages pass.
        up: bool,
        /// The server, and why not; may hold hostile text.
        detail: String,
    },
    /// A bridge could not do all it was to: a message was dropped, a subscription refused, a limit
    /// met.
    BridgeTrouble {
        /// The bridge's section name.
        bridge: Arc<str>,
        /// What, in words; may hold hostile text.
        detail: String,
    },
    /// What is acknowledged outlives a crash, or does not; or what was restored after one.
    Journal(JournalNews),
    /// A listener came up or went down.
    Listening {
        /// The listener's section name.
        listener: Arc<str>,
        /// Whether it listens.
        up: bool,
        /// The address, or the error.
        detail: String,
    },
}

/// The way out for events. Never blocks: what finds the channel full is counted as lost.
pub(super) struct Events {
    sender: Outlet<BrokerEvent>,
    lost: u64,
}

impl Events {
    pub(super) fn new(sender: Outlet<BrokerEvent>) -> Events {
        Events { sender, lost: 0 }
    }

    pub(super) fn tell(&mut self, event: BrokerEvent) {
        if self.sender.try_send(event).is_err() {
            self.lost = self.lost.saturating_add(1);
        }
    }

    pub(super) fn listening(&mut self, listener: &Arc<str>, up: bool, detail: String) {
        self.tell(BrokerEvent {
            mac: None,
            address: None,
            identity: None,
            client_id: None,
            suppressed: 0,
            kind: BrokerEventKind::Listening {
                listener: Arc::clone(listener),
                up,
                detail,
            },
        });
    }

    pub(super) fn journal(&mut self, news: JournalNews) {
        self.tell(BrokerEvent {
            mac: None,
            address: None,
            identity: None,
            client_id: None,
            suppressed: 0,
            kind: BrokerEventKind::Journal(news),
        });
    }

    pub(super) fn lost(&self) -> u64 {
        self.lost
    }
}
