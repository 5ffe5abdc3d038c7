//! A broker that lets everybody in, for interoperability suites and load generators. It is
//! compiled in by the feature `open` alone, which the daemon is never built with.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use mqttguard_broker::{Config, Decision, Grants, Limits};
use rustls::ServerConfig;

use super::{Bounds, BrokerHandle, COMMANDS, Reactor, Startup, launch};
use crate::config::{Listener, ListenerKind};
use crate::registry::Directory;

/// Connections at the same time. Load generators open thousands.
const CONNECTIONS: u32 = 16 * 1024;
/// As in the daemon's default limits.
const IN_FLIGHT: u16 = 20;
/// Events are nobody's concern here; what does not fit is counted as lost.
const EVENTS: usize = 16;

/// Starts a broker on 127.0.0.1 that lets everybody in, as one identity and without a password.
/// A port of None is not listened on.
///
/// # Errors
///
/// When the system gives no thread or poll.
pub fn start_open(
    plain: Option<u16>,
    tls: Option<u16>,
    certificate: Arc<ServerConfig>,
) -> io::Result<BrokerHandle> {
    let listener = |kind, port: Option<u16>| {
        port.map(|port| Listener {
            name: format!("{kind:?}").to_lowercase(),
            kind,
            addresses: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
            port,
            connections: CONNECTIONS,
        })
    };
    let listeners = [
        listener(ListenerKind::Plain, plain),
        listener(ListenerKind::Tls, tls),
    ];
    let (events, _nobody) = sync_channel(EVENTS);
    let startup = Startup {
        listeners: listeners.into_iter().flatten().collect(),
        bounds: Bounds {
            core: Config {
                connections: CONNECTIONS,
                sessions: CONNECTIONS,
                ..Bounds::default().core
            },
            connections_per_address: CONNECTIONS,
        },
        tls: certificate,
        directory: Arc::new(Directory::default()),
        resolve: Box::new(|_| None),
        events: events.into(),
    };
    let (commands, todo) = sync_channel(COMMANDS);
    let (mut reactor, waker) = Reactor::new(startup, todo)?;
    reactor.everybody = Some(everybody());
    launch(reactor, commands, waker)
}

/// All topics, and limits that only the memory of all clients together stands behind.
fn everybody() -> Decision {
    let all = || vec!["#".into(), "$SYS/#".into()];
    Decision::Accept {
        identity: "everybody".into(),
        grants: Arc::new(Grants {
            publish: all(),
            subscribe: all(),
        }),
        limits: Arc::new(Limits {
            packet_size: 1024 * 1024,
            messages_per_s: u32::MAX,
            bytes_per_s: u32::MAX,
            burst_ms: 10_000,
            connections: CONNECTIONS,
            subscriptions: 1_000,
            topic_levels: 200,
            in_flight: IN_FLIGHT,
            queue_messages: 20_000,
            queue_bytes: 8 * 1024 * 1024,
            retained_messages: 20_000,
            retained_bytes: 8 * 1024 * 1024,
            session_expiry_s: u32::MAX,
        }),
    }
}
