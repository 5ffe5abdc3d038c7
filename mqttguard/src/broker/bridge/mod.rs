//! Bridges: the sockets, files and names around [`mqttguard_broker::bridge`].
//!
//! A bridge is a client of the core like any other, but its packets come from no socket: what
//! the core sends it goes to the other server, and back. Both ends are served by the broker's
//! thread. What it holds back for one side it does not read from the other.

mod connect;
mod dial;
mod serve;
mod tell;
mod uplink;

use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use mqttguard_broker::bridge::CLIENT_ID_PREFIX;
use mqttguard_broker::{AuthRequest, ConnId, Decision, Time, Version};

use dial::Answer;
use uplink::Uplink;
pub(super) use uplink::rights_of;

/// Tokens from here on, and below those of listening sockets, are bridges'.
pub(super) const FIRST_TOKEN: usize = 1 << 27;
/// Tokens in use at the same time are a handful; the range goes round.
const TOKENS: usize = 1 << 20;
/// Answers that wait for the broker's thread.
const ANSWERS: usize = 8;

/// How a bridge does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BridgeStatus {
    /// The section's name.
    pub name: String,
    /// The server, as `host:port`.
    pub server: String,
    /// Whether TLS is used.
    pub tls: bool,
    /// While messages pass: the protocol, for how long, and the server's address.
    pub up: Option<(Version, Duration, SocketAddr)>,
    /// Why the last connection ended or could not be had, in words.
    pub last_error: Option<String>,
    /// Topic filters that the server refused.
    pub refused: Vec<String>,
    /// Messages that wait here for the server.
    pub queued: u64,
    /// Messages from the server.
    pub messages_in: u64,
    /// Messages to the server.
    pub messages_out: u64,
    /// Messages dropped on their way.
    pub messages_dropped: u64,
}

/// All bridges.
pub(super) struct Bridges {
    uplinks: Vec<Uplink>,
    answers: Receiver<Answer>,
    answer: SyncSender<Answer>,
    /// Of the last attempt of any.
    attempt: u64,
    next_token: usize,
    /// Bridges whose turn was over before they were done.
    unfinished: bool,
    /// Bridges have something to send that the journal is to hold first.
    held: bool,
}

impl Default for Bridges {
    fn default() -> Bridges {
        let (answer, answers) = sync_channel(ANSWERS);
        Bridges {
            uplinks: Vec::new(),
            answers,
            answer,
            attempt: 0,
            next_token: 0,
            unfinished: false,
            held: false,
        }
    }
}

impl Bridges {
    /// When one of them has something to do.
    pub(super) fn deadline(&self) -> Option<Time> {
        if self.unfinished {
            return Some(Time(0));
        }
        self.uplinks.iter().filter_map(Uplink::deadline).min()
    }

    /// The journal has been written: what waited for it may go out.
    pub(super) fn release(&mut self) {
        self.unfinished |= std::mem::take(&mut self.held);
    }

    /// The decision on a CONNECT, if it is a bridge's or would be: clients of the network do not
    /// get the bridges' client identifiers.
    pub(super) fn decide(&self, id: ConnId, request: &AuthRequest) -> Option<Decision> {
        let own = self.uplinks.iter().find(|uplink| uplink.is_local(id));
        if let Some(uplink) = own {
            return Some(uplink.decision());
        }
        let taken = request.client_id.starts_with(CLIENT_ID_PREFIX);
        taken.then_some(Decision::Refuse(mqttguard_broker::Refusal::NotAuthorized))
    }

    fn of(&self, id: ConnId) -> Option<usize> {
        self.uplinks.iter().position(|uplink| uplink.is_local(id))
    }
}
