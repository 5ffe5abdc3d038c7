use std::sync::Arc;

use crate::bucket::Bucket;
use crate::codec::publish::Alias;
use crate::message::{ALLOCATION, Hold};
use crate::session::Will;
use crate::{ConnId, Limits, OverRate, Time, Version};

/// Topic aliases that we hand out and take, each (MQTT 5 section 3.3.2.3.4).
pub(crate) const ALIASES: u16 = 16;
/// Bytes of topic names behind the aliases of one connection and direction.
pub(crate) const ALIAS_BYTES: usize = 8 * 1024;

/// What a transport connection is at.
pub(crate) enum State {
    /// CONNECT is the first packet (`MQTT-3.1.0-1`).
    AwaitingConnect,
    /// CONNECT came, the decision is the caller's.
    AwaitingDecision(Box<Pending>),
    /// An AUTH went out, the client's is awaited: it or a DISCONNECT comes next (`MQTT-3.1.2-30`).
    AwaitingAuth(Box<Pending>),
    /// The client is in, with the session of this index.
    Connected(u32),
    /// Nothing is read any more; what is left is sent.
    Closing,
}

/// What a CONNECT asked for.
pub(crate) struct Pending {
    pub(crate) client_id: Arc<str>,
    pub(crate) clean_start: bool,
    pub(crate) session_expiry_s: u32,
    pub(crate) receive_maximum: u16,
    pub(crate) will: Option<Box<Will>>,
    /// What it takes in memory, with the caller's copy.
    pub(crate) _hold: Hold,
    /// When the time to CONNECT is over.
    pub(crate) deadline: Time,
}

/// Enhanced authentication on one connection (section 4.12).
pub(crate) struct Authentication {
    /// The one of CONNECT, for good.
    pub(crate) method: Box<str>,
    /// AUTH packets from the client in this exchange.
    pub(crate) steps: u8,
    /// Where a re-authentication is.
    pub(crate) again: Again,
    /// What an AUTH that waits for its decision takes in memory.
    pub(crate) hold: Option<Hold>,
}

impl Authentication {
    pub(crate) fn new(method: &str) -> Authentication {
        Authentication {
            method: method.into(),
            steps: 0,
            again: Again::Idle,
            hold: None,
        }
    }
}

/// Where a re-authentication is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Again {
    /// None is under way.
    Idle,
    /// It is the caller's to decide.
    AwaitingDecision,
    /// It is the client's to answer.
    AwaitingAuth,
}

/// One transport connection.
pub(crate) struct Connection {
    pub(crate) id: ConnId,
    pub(crate) state: State,
    pub(crate) version: Version,
    /// The beginning of a packet that is not yet whole; or what came behind a CONNECT that waits
    /// for its decision.
    pub(crate) partial: Vec<u8>,
    /// Encoded packets other than PUBLISH.
    pub(crate) outbox: Vec<u8>,
    /// When the client was last heard of.
    pub(crate) heard: Time,
    /// One and a half times Keep Alive, in milliseconds; 0 is off.
    pub(crate) keep_alive_ms: u32,
    /// Keep Alive is the server's, not what the client asked for.
    pub(crate) server_keep_alive: bool,
    /// When its timer is due.
    pub(crate) timer: Time,
    /// Is among those that the caller is to be told of, or was told and has not answered.
    pub(crate) ready: bool,
    /// Has work left that was cut short for the others' sake.
    pub(crate) unfinished: bool,
    /// Does not read its answers, so is not read from.
    pub(crate) held_up: bool,
    /// Session Expiry Interval of CONNECT, which DISCONNECT may not raise from 0.
    pub(crate) asked_expiry_s: u32,
    pub(crate) maximum_packet_size: u32,
    /// Topic Alias Maximum of the client, within our own bound.
    pub(crate) alias_maximum: u16,
    pub(crate) messages: Bucket,
    pub(crate) bytes: Bucket,
    pub(crate) aliases: Option<Box<Aliases>>,
    /// If CONNECT had an Authentication Method.
    pub(crate) authentication: Option<Box<Authentication>>,
}

impl Connection {
    pub(crate) fn new(now: Time, id: ConnId) -> Connection {
        Connection {
            id,
            state: State::AwaitingConnect,
            version: Version::V311,
            partial: Vec::new(),
            outbox: Vec::new(),
            heard: now,
            keep_alive_ms: 0,
            server_keep_alive: false,
            timer: Time::NEVER,
            unfinished: false,
            ready: false,
            held_up: false,
            asked_expiry_s: 0,
            maximum_packet_size: u32::MAX,
            alias_maximum: 0,
            messages: Bucket::default(),
            bytes: Bucket::default(),
            aliases: None,
            authentication: None,
        }
    }

    /// The session's index, once the client is in.
    pub(crate) fn session(&self) -> Option<u32> {
        match self.state {
            State::Connected(session) => Some(session),
            _ => None,
        }
    }

    /// Whether what comes above its rate is refused, and not paced.
    pub(crate) fn is_refused_over_rate(&self, limits: &Limits) -> bool {
        self.version == Version::V5 && limits.over_rate == OverRate::Refuse
    }

    pub(crate) fn alias_bytes(&self) -> u64 {
        self.aliases.as_ref().map_or(0, |aliases| aliases.bytes())
    }

    pub(crate) fn is_closing(&self) -> bool {
        matches!(self.state, State::Closing)
    }
}

/// Topic aliases of one connection, both directions.
#[derive(Default)]
pub(crate) struct Aliases {
    /// Set by the client; alias 1 is the first.
    incoming: Vec<Box<str>>,
    incoming_bytes: usize,
    /// Set by us; alias 1 is the first.
    outgoing: Vec<Box<str>>,
    outgoing_bytes: usize,
}

/// The topic names behind a connection's aliases exceed [`ALIAS_BYTES`].
pub(crate) struct TooMany;

impl Aliases {
    /// Sets an alias of 1 to [`ALIASES`].
    pub(crate) fn set(&mut self, alias: u16, name: &str) -> Result<(), TooMany> {
        let place = usize::from(alias.saturating_sub(1));
        if self.incoming.len() <= place {
            self.incoming.resize(place + 1, "".into());
        }
        let Some(entry) = self.incoming.get_mut(place) else {
            return Ok(());
        };
        if **entry == *name {
            return Ok(());
        }
        let bytes = self.incoming_bytes.saturating_sub(entry.len()) + name.len();
        if bytes > ALIAS_BYTES {
            return Err(TooMany);
        }
        self.incoming_bytes = bytes;
        *entry = name.into();
        Ok(())
    }

    /// What it takes in memory.
    pub(crate) fn bytes(&self) -> u64 {
        let names = self.incoming.len() + self.outgoing.len();
        let entries = names * (size_of::<Box<str>>() + ALLOCATION);
        (size_of::<Aliases>() + entries + self.incoming_bytes + self.outgoing_bytes) as u64
    }

    /// The topic name behind an alias that was set.
    pub(crate) fn get(&self, alias: u16) -> Option<&str> {
        let name = self.incoming.get(usize::from(alias.checked_sub(1)?))?;
        (!name.is_empty()).then_some(name)
    }

    /// The alias to send a topic name under, if there is one. The first names get them for good:
    /// a home has few topics, and each is used again and again.
    pub(crate) fn assign(&mut self, maximum: u16, name: &str) -> Option<Alias> {
        let number = |place: usize| u16::try_from(place + 1).unwrap_or(u16::MAX);
        if let Some(place) = self.outgoing.iter().position(|known| **known == *name) {
            return Some(Alias {
                number: number(place),
                known: true,
            });
        }
        let place = self.outgoing.len();
        let bytes = self.outgoing_bytes + name.len();
        if place >= usize::from(maximum) || bytes > ALIAS_BYTES {
            return None;
        }
        self.outgoing_bytes = bytes;
        self.outgoing.push(name.into());
        Some(Alias {
            number: number(place),
            known: false,
        })
    }

    /// The packet that was to make a new alias known was not sent after all.
    pub(crate) fn withdraw(&mut self, alias: Alias) {
        if !alias.known
            && let Some(name) = self.outgoing.pop()
        {
            self.outgoing_bytes = self.outgoing_bytes.saturating_sub(name.len());
        }
    }
}
