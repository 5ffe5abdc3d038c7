//! The side of the house.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use mqttguard::broker::{
    self, Bounds, BridgeStatus, BrokerEvent, BrokerEventKind, BrokerHandle, Startup, TlsByListener,
    login::password,
};
use mqttguard::config::{self, Listener, ListenerKind, Profile, TlsOptions};
use mqttguard::registry::{Account, Directory};
use mqttguard_broker::Limits;
use mqttguard_common::Mac;

use super::{Client, PATIENCE, wait};

const USER: &str = "hub";
const PASSWORD: &str = "s3cret";

/// The broker of a house with bridges.
pub struct House {
    /// The running broker.
    pub handle: BrokerHandle,
    events: Receiver<BrokerEvent>,
    port: u16,
}

/// The bridges of a configuration.
pub fn bridges(sections: &str) -> Vec<config::Bridge> {
    let settings = config::parse("test", sections);
    settings.unwrap_or_else(|error| panic!("{error}")).bridges
}

impl House {
    /// With these `bridge` sections.
    pub fn new(sections: &str) -> House {
        let (sender, events) = sync_channel(4096);
        let handle = broker::start(Startup {
            listeners: vec![Listener {
                name: "plain".into(),
                kind: ListenerKind::Plain,
                addresses: vec![Ipv4Addr::LOCALHOST.into()],
                port: 0,
                connections: 100,
                tls: TlsOptions::default(),
                origins: Vec::new(),
            }],
            bridges: bridges(sections),
            bounds: Bounds::default(),
            tls: TlsByListener::new(),
            sys_interval: Duration::from_secs(60),
            directory: Arc::new(directory()),
            logins: Arc::default(),
            journal: None,
            resolve: Box::new(|_| Some(MAC)),
            events: sender.into(),
        })
        .unwrap();
        let port = handle.stats().unwrap().listeners[0].addresses[0].port();
        House {
            handle,
            events,
            port,
        }
    }

    /// Clients of it.
    pub fn client(&self) -> Client {
        let mut client = Client::new(self.port);
        client.more = ["-u", USER, "-P", PASSWORD].map(str::to_owned).to_vec();
        client
    }

    /// How its first bridge does.
    pub fn bridge(&self) -> BridgeStatus {
        self.handle.stats().unwrap().bridges.remove(0)
    }

    /// Waits until messages pass.
    pub fn wait_up(&self) -> BridgeStatus {
        wait("a bridge", || self.bridge().up.is_some());
        self.bridge()
    }

    /// Waits until a bridge fails for a reason with these words.
    pub fn wait_down(&self, words: &str) {
        let end = Instant::now() + PATIENCE;
        let mut told = Vec::new();
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            let Ok(event) = self.events.recv_timeout(left) else {
                break;
            };
            if let BrokerEventKind::BridgeLink {
                up: false, detail, ..
            } = event.kind
            {
                if detail.contains(words) {
                    assert!(self.bridge().up.is_none());
                    return;
                }
                told.push(detail);
            }
        }
        panic!("not told of '{words}', but: {told:?}");
    }
}

const MAC: Mac = Mac([2, 0, 0, 0, 0, 1]);

fn directory() -> Directory {
    let few = NonZeroU32::new(101).unwrap();
    let hash = password::Hash::new(PASSWORD.as_bytes(), few).unwrap();
    let account = Account {
        username: USER.into(),
        mac: MAC,
        device: USER.into(),
        hash: hash.to_string().into(),
        scram: Vec::new(),
        earlier: None,
        certificates: Vec::new(),
        roaming: true,
        plaintext: true,
        profile_name: "hub".into(),
        profile: Arc::new(Profile {
            publish: vec!["#".into()],
            subscribe: vec!["#".into(), "$SYS/#".into()],
            deny: Vec::new(),
            limits: "default".into(),
        }),
        limits: Arc::new(Limits {
            packet_size: 256 * 1024,
            messages_per_s: 100_000,
            bytes_per_s: 100_000_000,
            over_rate: Default::default(),
            burst_ms: 1000,
            connections: 16,
            subscriptions: 16,
            topic_length: 1_024,
            topic_levels: 16,
            user_properties: 64,
            will_size: 4_096,
            in_flight: 20,
            queue_messages: 10_000,
            queue_bytes: 4 << 20,
            retained_messages: 100,
            retained_bytes: 64 * 1024,
            session_expiry_s: 3600,
        }),
    };
    Directory {
        accounts: HashMap::from([(USER.to_owned(), Arc::new(account))]),
        ..Directory::default()
    }
}
