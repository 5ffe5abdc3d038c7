//! A real broker on loopback, with real clients: mosquitto's, and a bare one that sees every
//! byte. Peers are told apart by source address (127.0.0.0/8 is all ours).

mod certificates;
mod claims;
mod client;
mod client_certificates;
mod costs;
mod external;
mod hostile;
mod logins;
mod running;
mod scram;
mod sessions;
mod sys;
mod tokens;
mod websocket;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use mqttguard_broker::Limits;
use mqttguard_common::Mac;

use super::login::password::Hash;
use super::login::scram::{Mechanism, Verifier};
use super::*;
use crate::config::{ListenerKind, Profile, TlsOptions};
use crate::events::Denial;
use crate::hidden::Hidden;
use crate::pki::{Names, Pki};
use crate::registry::{Account, Standing};

const LAMP: Mac = Mac([2, 0, 0, 0, 0, 1]);
const CAMERA: Mac = Mac([2, 0, 0, 0, 0, 2]);
/// Where the lamp connects from.
const LAMP_IP: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 1);
/// Where the camera connects from.
const CAMERA_IP: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// Another address of the camera's.
const CAMERA_OTHER_IP: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 4);
/// An address without a neighbour entry.
const NOBODY_IP: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);
const TLS_IP: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 1);
const PLAIN_IP: Ipv4Addr = Ipv4Addr::new(127, 0, 1, 1);
const PASSWORD: &str = "s3cret-pass";

struct Rig {
    dir: tempfile::TempDir,
    pki: Pki,
    handle: BrokerHandle,
    events: Receiver<BrokerEvent>,
    tls: SocketAddr,
    plain: SocketAddr,
}

fn names(hostname: &str) -> Names {
    Names {
        hostname: hostname.into(),
        addresses: vec![TLS_IP.into()],
    }
}

fn limits() -> Limits {
    Limits {
        packet_size: 256 * 1024,
        messages_per_s: 100_000,
        bytes_per_s: 100_000_000,
        over_rate: mqttguard_broker::OverRate::Pace,
        burst_ms: 1000,
        connections: 8,
        subscriptions: 16,
        topic_length: 512,
        topic_levels: 8,
        user_properties: 32,
        will_size: 4096,
        in_flight: 20,
        queue_messages: 1000,
        queue_bytes: 256 * 1024,
        retained_messages: 16,
        retained_bytes: 64 * 1024,
        session_expiry_s: 3600,
    }
}

/// One hash for all, as another salt would make it another credential.
static HASH: LazyLock<Hidden> = LazyLock::new(|| hash(PASSWORD));

static SCRAM: LazyLock<Vec<Hidden>> = LazyLock::new(|| verifiers(PASSWORD));

fn verifiers(password: &str) -> Vec<Hidden> {
    // The fewest that clients take.
    let few = NonZeroU32::new(4096).unwrap();
    let of = |mechanism| Verifier::new(mechanism, password.as_bytes(), few).unwrap();
    Mechanism::ALL
        .map(|mechanism| of(mechanism).to_string().into())
        .to_vec()
}

fn hash(password: &str) -> Hidden {
    let few = NonZeroU32::new(101).unwrap();
    let made = Hash::new(password.as_bytes(), few).unwrap();
    made.to_string().into()
}

fn account(username: &str, mac: Mac) -> Account {
    Account {
        username: username.into(),
        mac,
        device: username.into(),
        hash: HASH.clone(),
        scram: SCRAM.clone(),
        earlier: None,
        certificates: Vec::new(),
        roaming: false,
        plaintext: false,
        profile_name: "default".into(),
        profile: Arc::new(Profile {
            publish: vec!["%d/#".into()],
            subscribe: vec!["%d/#".into(), "by-id/%c".into()],
            deny: Vec::new(),
            limits: "default".into(),
        }),
        limits: Arc::new(limits()),
    }
}

fn directory(accounts: impl IntoIterator<Item = Account>) -> Arc<Directory> {
    let named = |account: Account| (account.username.to_string(), Arc::new(account));
    Arc::new(Directory {
        accounts: accounts.into_iter().map(named).collect(),
        ..Directory::default()
    })
}

/// `lamp` may only do TLS from its own MAC; `plug` may also be in the clear; `hub` roams.
fn household() -> Vec<Account> {
    let mut plug = account("plug", LAMP);
    plug.plaintext = true;
    let mut hub = account("hub", CAMERA);
    hub.roaming = true;
    vec![account("lamp", LAMP), plug, hub]
}

fn listener(name: &str, kind: ListenerKind, address: Ipv4Addr, port: u16) -> Listener {
    Listener {
        name: name.into(),
        kind,
        addresses: vec![address.into()],
        port,
        connections: 500,
        tls: TlsOptions::default(),
        origins: Vec::new(),
    }
}

/// The same TLS for all that do any.
fn tls_of(pki: &Pki, listeners: &[Listener]) -> TlsByListener {
    let serve = |listener: &Listener| {
        let clients = listener.tls.clients.as_ref();
        let clients =
            clients.map(|clients| ClientVerifier::load(clients, Some(pki.client_ca_pem())));
        let clients = clients.transpose();
        let clients = clients.map_err(|error| error.to_string())?.map(Arc::new);
        Ok(ListenerTls {
            config: pki
                .tls_config(listener.tls.record_size, clients.as_ref())
                .unwrap(),
            clients,
            problem: None,
        })
    };
    let named = |listener: &Listener| (listener.name.clone(), serve(listener));
    listeners.iter().map(named).collect()
}

fn listeners() -> Vec<Listener> {
    vec![
        listener("tls", ListenerKind::Tls, TLS_IP, 0),
        listener("plain", ListenerKind::Plain, PLAIN_IP, 0),
    ]
}

fn bounds(connect_timeout_ms: u64) -> Bounds {
    let mut bounds = Bounds::default();
    bounds.core.connect_timeout_ms = connect_timeout_ms;
    // Tests connect far more often than devices do; those that are about it say so.
    bounds.connects_burst = 10_000;
    bounds
}

impl Rig {
    fn new() -> Rig {
        Rig::with(directory(household()), bounds(10_000))
    }

    fn with(directory: Arc<Directory>, bounds: Bounds) -> Rig {
        let dir = tempfile::tempdir().unwrap();
        let pki = Pki::open_or_create(dir.path(), &names("router.lan")).unwrap();
        let macs: BTreeMap<IpAddr, Mac> = BTreeMap::from([
            (LAMP_IP.into(), LAMP),
            (CAMERA_IP.into(), CAMERA),
            (CAMERA_OTHER_IP.into(), CAMERA),
        ]);
        let (sender, events) = sync_channel(4096);
        let handle = start(Startup {
            listeners: listeners(),
            bridges: Vec::new(),
            bounds,
            tls: tls_of(&pki, &listeners()),
            sys_interval: Duration::ZERO,
            directory,
            logins: Arc::default(),
            journal: None,
            resolve: Box::new(move |address| macs.get(&address).copied()),
            events: sender.into(),
        })
        .unwrap();
        let stats = handle.stats().unwrap();
        let address = |name: &str| {
            let mut all = stats.listeners.iter();
            all.find(|listener| *listener.name == *name)
                .unwrap()
                .addresses[0]
        };
        Rig {
            tls: address("tls"),
            plain: address("plain"),
            dir,
            pki,
            handle,
            events,
        }
    }

    /// Has later logins checked this way.
    fn login_by(&self, logins: Logins) {
        self.handle.set_logins(Arc::new(logins));
        // Commands are taken in order.
        self.handle.stats().unwrap();
    }

    fn set_listeners(&self, listeners: Vec<Listener>) {
        let tls = tls_of(&self.pki, &listeners);
        self.handle.set_listeners(listeners, tls);
    }

    /// The first event that `wanted` takes, within five seconds.
    fn event<T>(&self, wanted: impl Fn(&BrokerEvent) -> Option<T>) -> T {
        let end = Instant::now() + Duration::from_secs(5);
        let mut seen = Vec::new();
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            match self.events.recv_timeout(left) {
                Ok(event) => match wanted(&event) {
                    Some(found) => return found,
                    None => seen.push(event),
                },
                Err(_) => break,
            }
        }
        panic!("not told; instead: {seen:#?}");
    }

    /// Waits for the stats to be as wanted, five seconds at most.
    fn until(&self, wanted: impl Fn(&BrokerStats) -> bool) -> BrokerStats {
        let end = Instant::now() + Duration::from_secs(5);
        loop {
            let stats = self.handle.stats().unwrap();
            if wanted(&stats) {
                return stats;
            }
            assert!(Instant::now() < end, "{stats:#?}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
