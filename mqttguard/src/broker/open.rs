//! A broker that lets everybody in, for interoperability suites and load generators. It is
//! compiled in by the feature `open` alone, which the daemon is never built with.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use mqttguard_broker::{Config, Decision, Grants, Limits, OverRate};
use rustls::ServerConfig;

use super::{Bounds, BrokerHandle, COMMANDS, ListenerTls, Place, Reactor, Startup, launch};
use crate::config::{Listener, ListenerKind, TlsOptions};
use crate::registry::Directory;

/// Connections at the same time. Load generators open thousands.
const CONNECTIONS: u32 = 16 * 1024;
/// Load generators hold thousands of TLS connections and unread queues.
const MEMORY: u64 = 256 * 1024 * 1024;
/// As in the daemon's default limits.
const IN_FLIGHT: u16 = 20;
/// What a client of MQTT 5 is told to keep alive by at most; the Paho suite expects this.
const KEEP_ALIVE_S: u16 = 60;
/// As in the daemon's configuration.
const SYS_INTERVAL: Duration = Duration::from_secs(10);
/// Events are nobody's concern here; what does not fit is counted as lost.
const EVENTS: usize = 16;

/// What is open, and to what.
pub struct Open {
    /// The port in the clear; None: none.
    pub plain: Option<u16>,
    /// The port with TLS; None: none.
    pub tls: Option<u16>,
    /// The port with WebSocket over TLS; None: none.
    pub wss: Option<u16>,
    /// What TLS serves with.
    pub certificate: Arc<ServerConfig>,
    /// Filters that cover every subscription allowed. Empty: all are.
    pub subscribe: Vec<String>,
    /// Filters of topics that are out of reach all the same.
    pub deny: Vec<String>,
    /// Where what is acknowledged is kept for the case of a crash; None: nowhere.
    pub journal: Option<Place>,
}

/// Starts a broker on 127.0.0.1 that lets everybody in, as one identity and without a password.
///
/// # Errors
///
/// When the system gives no thread or poll.
pub fn start_open(open: Open) -> io::Result<BrokerHandle> {
    let listener = |kind, port: Option<u16>| {
        port.map(|port| Listener {
            name: ListenerKind::name(kind).to_owned(),
            kind,
            addresses: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
            port,
            connections: CONNECTIONS,
            tls: TlsOptions::default(),
            origins: Vec::new(),
        })
    };
    let listeners = [
        listener(ListenerKind::Plain, open.plain),
        listener(ListenerKind::Tls, open.tls),
        listener(ListenerKind::Wss, open.wss),
    ];
    let serving = ListenerTls {
        config: open.certificate,
        clients: None,
        problem: None,
    };
    let named = |kind: ListenerKind| (kind.name().to_owned(), Ok(serving.clone()));
    let tls = HashMap::from([ListenerKind::Tls, ListenerKind::Wss].map(named));
    let (events, _nobody) = sync_channel(EVENTS);
    let startup = Startup {
        listeners: listeners.into_iter().flatten().collect(),
        bridges: Vec::new(),
        bounds: Bounds {
            core: Config {
                connections: CONNECTIONS,
                sessions: CONNECTIONS,
                retained_messages_total: u32::MAX,
                retained_bytes_total: MEMORY,
                memory: MEMORY,
                ..Bounds::default().core
            },
            connections_per_device: CONNECTIONS,
            connects_per_s: u32::MAX,
            connects_burst: u32::MAX,
        },
        tls,
        sys_interval: SYS_INTERVAL,
        directory: Arc::new(Directory::default()),
        logins: Arc::default(),
        journal: open.journal,
        resolve: Box::new(|_| None),
        events: events.into(),
    };
    let (commands, todo) = sync_channel(COMMANDS);
    let everybody = everybody(open.subscribe, open.deny);
    let (mut reactor, waker) = Reactor::new(startup, todo, |_, _| match &everybody {
        Decision::Accept { grants, limits, .. } => Some((Arc::clone(grants), Arc::clone(limits))),
        _ => None,
    })?;
    reactor.core.set_keep_alive_max(KEEP_ALIVE_S);
    reactor.everybody = Some(everybody);
    launch(reactor, commands, waker)
}

/// All topics to publish to, and limits that only the memory of all clients together stands behind.
fn everybody(subscribe: Vec<String>, deny: Vec<String>) -> Decision {
    let all = || vec!["#".into(), "$SYS/#".into()];
    let subscribe = match subscribe.as_slice() {
        [] => all(),
        _ => subscribe,
    };
    Decision::Accept {
        identity: "everybody".into(),
        grants: Arc::new(Grants {
            publish: all(),
            subscribe,
            deny,
        }),
        limits: Arc::new(Limits {
            packet_size: 1024 * 1024,
            messages_per_s: u32::MAX,
            bytes_per_s: u32::MAX,
            over_rate: OverRate::Pace,
            burst_ms: 10_000,
            connections: CONNECTIONS,
            subscriptions: 1_000,
            topic_length: u32::MAX,
            topic_levels: 200,
            user_properties: 1_000,
            will_size: 64 * 1024,
            in_flight: IN_FLIGHT,
            queue_messages: 20_000,
            queue_bytes: 8 * 1024 * 1024,
            retained_messages: 20_000,
            retained_bytes: 8 * 1024 * 1024,
            session_expiry_s: u32::MAX,
        }),
        data: None,
    }
}
