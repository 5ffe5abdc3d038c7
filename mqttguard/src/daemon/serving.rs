//! The broker's side of the daemon: the running broker, and the certificate it serves with.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use super::listener_tls::Serving;
use crate::broker::{
    self, BrokerEvent, BrokerHandle, BrokerStats, HttpLogin, Logins, Place, login::secret,
};
use crate::config::{Bridge, Settings};
use crate::discovery;
use crate::json::json;
use crate::naming;
use crate::outlet::Outlet;
use crate::pki::{IssuedCertificate, Names, Pki, ProvenKey, Shown};
use crate::registry::Directory;

/// How often the certificate is looked after while nothing has changed: it has a last year.
const CERTIFICATE_EVERY: Duration = Duration::from_secs(24 * 3600);
/// How long until a certificate that could not be renewed is tried again.
const RETRY: Duration = Duration::from_secs(60);

/// How far apart the owner may have the certificates made anew: each time is a write to flash,
/// and what has learnt the certificate itself by heart has to be told the new one.
const REISSUE_EVERY: Duration = Duration::from_secs(60);

/// Hexadecimal digits of the CA's fingerprint that tell routers apart.
const ROUTER_DIGITS: usize = 8;

/// The running broker and the certificate it serves with.
pub(super) struct Broker {
    pub(super) handle: BrokerHandle,
    pki: Pki,
    serving: Serving,
    /// The names that the certificate was last held against, and when it is again.
    certified: (Names, Instant),
    /// When the owner last had them made anew.
    reissued: Option<Instant>,
    /// An answer that is on its way.
    stats: Option<Receiver<BrokerStats>>,
}

impl Broker {
    /// Starts it. `addresses` are the router's own. Without a directory, because the registry
    /// cannot be read, nobody gets in, and the journal is left as it is: its sessions belong to
    /// users who are only out of sight.
    ///
    /// # Errors
    ///
    /// Why there is no broker, in words for the owner.
    pub(super) fn start(
        settings: &Settings,
        addresses: &[IpAddr],
        directory: Option<Directory>,
        events: Outlet<BrokerEvent>,
    ) -> Result<Broker, String> {
        if !settings.main.enabled {
            return Err("switched off in the configuration".to_owned());
        }
        let names = names(settings, addresses);
        let mut pki = Pki::open_or_create(&settings.main.data_dir, &names)
            .map_err(|error| error.to_string())?;
        pki.make_rsa_key();
        let mut serving = Serving::default();
        let handle = broker::start(broker::Startup {
            listeners: settings.listeners.clone(),
            bridges: bridges(settings, &pki),
            bounds: broker::Bounds::default(),
            tls: serving.follow(&pki, &settings.listeners),
            sys_interval: settings.main.sys_interval,
            journal: directory.is_some().then(|| place(settings)),
            directory: Arc::new(directory.unwrap_or_default()),
            logins: Arc::new(logins(settings)?),
            resolve: Box::new(|address| discovery::neighbour_mac(address).unwrap_or_default()),
            events,
        })
        .map_err(|error| error.to_string())?;
        Ok(Broker {
            handle,
            pki,
            serving,
            certified: (names, Instant::now() + CERTIFICATE_EVERY),
            reissued: None,
            stats: None,
        })
    }

    /// Has later logins checked as the configuration has it now.
    fn follow_logins(&self, settings: &Settings) {
        match logins(settings) {
            Ok(logins) => self.handle.set_logins(Arc::new(logins)),
            Err(error) => log::error!("logins: {error}"),
        }
    }

    /// Has it listen and bridge as configured.
    pub(super) fn configure(&mut self, settings: &Settings) {
        self.follow_logins(settings);
        let tls = self.serving.follow(&self.pki, &settings.listeners);
        self.handle.set_listeners(settings.listeners.clone(), tls);
        self.handle.set_bridges(bridges(settings, &self.pki));
        self.handle.set_sys_interval(settings.main.sys_interval);
        if !settings.main.live {
            self.handle.end_live();
        }
        // It answers when all this is done: who has the configuration read anew may connect then.
        let _ = self.now();
    }

    /// SHA-256 of the router's CA.
    pub(super) fn ca_fingerprint(&self) -> String {
        self.pki.ca_fingerprint()
    }

    /// SHA-256 of the certificates, as `status` shows them.
    pub(super) fn certificates(&self) -> Value {
        let (ecdsa, rsa) = self.pki.fingerprints();
        json!({ "ca": self.pki.ca_fingerprint(), "ecdsa": ecdsa, "rsa": rsa })
    }

    /// The router's certificates, for `ca`: what clients are given to trust, and what they compare.
    pub(super) fn authority(&self) -> Value {
        let shown = |shown: Shown| {
            let mut out = Map::new();
            out.insert("sha256".to_owned(), json!(shown.sha256));
            out.insert("sha1".to_owned(), json!(shown.sha1));
            out.extend(
                shown
                    .until_ms
                    .map(|end| ("until_ms".to_owned(), json!(end))),
            );
            out
        };
        let with = |certificate: Shown, name: &str, value: Value| {
            let mut out = shown(certificate);
            out.insert(name.to_owned(), value);
            Value::Object(out)
        };
        let (ecdsa, rsa) = self.pki.leaves();
        let leaves = [("ecdsa-p256", ecdsa), ("rsa-2048", rsa)];
        let leaves = leaves
            .into_iter()
            .filter_map(|(key, leaf)| Some(with(leaf?, "key", json!(key))));
        let names = &self.certified.0;
        let addresses = names.addresses.iter().map(ToString::to_string);
        let names: Value = [names.hostname.clone()]
            .into_iter()
            .chain(addresses)
            .collect();
        let client_ca = self.pki.client_ca();
        let mut out = json!({
            "ca": with(self.pki.ca(), "pem", json!(self.pki.ca_pem())),
            "leaves": leaves.collect::<Value>(),
            "names": names,
        });
        if let (Some(client_ca), Some(out)) = (client_ca, out.as_object_mut()) {
            let pem = json!(self.pki.client_ca_pem());
            out.insert("client_ca".to_owned(), with(client_ca, "pem", pem));
        }
        out
    }

    /// Makes the broker's certificates anew, with the keys that they have.
    pub(super) fn reissue(&mut self, now: Instant) -> Result<(), ReissueError> {
        if let Some(left) = too_soon(self.reissued, now) {
            return Err(ReissueError::TooSoon(left));
        }
        let reissued = self.pki.reissue(&self.certified.0);
        reissued.map_err(|error| ReissueError::Failed(error.to_string()))?;
        self.reissued = Some(now);
        Ok(())
    }

    /// The keys that it serves with, as Tasmota knows them, RSA first.
    pub(super) fn keys(&self) -> Vec<String> {
        let keys = self.pki.public_keys();
        keys.iter()
            .filter_map(|key| naming::fingerprint(key))
            .collect()
    }

    /// Makes a client certificate for a user and this key, or a new one.
    pub(super) fn issue(
        &self,
        username: &str,
        key: Option<&ProvenKey>,
        time: Duration,
    ) -> Result<IssuedCertificate, String> {
        let issued = self.pki.issue(username, key, time);
        issued.map_err(|error| error.to_string())
    }

    /// Keeps the certificate in step with the router's name and addresses.
    pub(super) fn certify(&mut self, settings: &Settings, addresses: &[IpAddr]) {
        let names = names(settings, addresses);
        let now = Instant::now();
        if names == self.certified.0 && now < self.certified.1 && !self.pki.has_new_key() {
            return;
        }
        let mut next = CERTIFICATE_EVERY;
        if let Err(error) = self.pki.renew(&names) {
            self.pki.make_rsa_key();
            log::error!("certificate: {error}");
            next = RETRY;
        }
        self.certified = (names, now + next);
    }

    /// What the broker answers now; waits for it, but not for long. What was asked for before and is
    /// still on its way is older and does not count any more.
    pub(super) fn now(&mut self) -> Option<BrokerStats> {
        self.stats = None;
        self.handle.stats()
    }

    /// What the broker has answered since the last call, and asks anew. Never waits for it.
    pub(super) fn latest(&mut self) -> Option<BrokerStats> {
        let stats = match self.stats.as_ref().map(Receiver::try_recv) {
            Some(Ok(stats)) => Some(stats),
            Some(Err(TryRecvError::Empty)) => return None,
            Some(Err(TryRecvError::Disconnected)) | None => None,
        };
        self.stats = self.handle.ask_stats();
        stats
    }
}

/// Why the certificates are not made anew.
pub(super) enum ReissueError {
    /// They were a moment ago; for how long not again.
    TooSoon(Duration),
    /// It went wrong.
    Failed(String),
}

/// For how long still the certificates are not made anew; None: now.
fn too_soon(last: Option<Instant>, now: Instant) -> Option<Duration> {
    let left = REISSUE_EVERY.saturating_sub(now.saturating_duration_since(last?));
    (!left.is_zero()).then_some(left)
}

/// The bridges, each with a client identifier: unless it is configured, one that no other router
/// has, and that stays as long as the router's own CA does. Two clients of one identifier would
/// throw each other out again and again.
fn bridges(settings: &Settings, pki: &Pki) -> Vec<Bridge> {
    let fingerprint = pki.ca_fingerprint().replace(':', "").to_lowercase();
    let router = fingerprint.get(..ROUTER_DIGITS).unwrap_or_default();
    let named = |bridge: &Bridge| Bridge {
        client_id: Some(match &bridge.client_id {
            Some(own) => own.clone(),
            None => format!("mqttguard-{router}-{}", bridge.name),
        }),
        ..bridge.clone()
    };
    settings.bridges.iter().map(named).collect()
}

/// How clients prove who they are.
fn logins(settings: &Settings) -> Result<Logins, String> {
    let secret = secret::load_or_create(&settings.main.data_dir);
    Ok(Logins {
        secret: secret.map_err(|error| error.to_string())?,
        jwt: settings.jwt.clone(),
        http: settings.http_auth.as_ref().map(|http| {
            let profile = http.profile.as_ref();
            let profile = profile.and_then(|name| settings.profiles.get(name));
            Arc::new(HttpLogin {
                settings: http.clone(),
                profile: profile.cloned().unwrap_or_default(),
                limits: settings.limits(Some(&http.limits)).broker.clone(),
            })
        }),
    })
}

/// Where the journal is.
fn place(settings: &Settings) -> Place {
    match &settings.main.persist {
        Some(directory) => Place {
            directory: directory.clone(),
            disk: true,
        },
        None => Place {
            directory: settings.main.run_dir.clone(),
            disk: false,
        },
    }
}

/// What clients on the LAN call the router. Its public addresses stay out of the certificate:
/// clients do not use them, and those of a dial-up line change every night.
fn names(settings: &Settings, addresses: &[IpAddr]) -> Names {
    let is_of_lan = |address: &&IpAddr| match address {
        IpAddr::V4(v4) => v4.is_private() || v4.is_loopback(),
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local() || v6.is_loopback(),
    };
    Names {
        hostname: settings.main.hostname.clone(),
        addresses: addresses.iter().filter(is_of_lan).copied().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_addresses_stay_out_of_the_certificate() {
        let settings = crate::config::parse("test", "config mqttguard 'main'\n").unwrap();
        let all = [
            "192.168.1.1",
            "203.0.113.7",
            "fd00::1",
            "fe80::1",
            "2001:db8::1",
        ];
        let all = all.map(|address| address.parse::<IpAddr>().unwrap());
        assert_eq!(names(&settings, &all).addresses, [all[0], all[2], all[3]]);
    }

    #[test]
    fn certificates_are_made_anew_once_a_minute() {
        let now = Instant::now();
        assert_eq!(too_soon(None, now), None);
        let second = Duration::from_secs(1);
        assert_eq!(
            too_soon(Some(now), now + second),
            Some(REISSUE_EVERY - second)
        );
        assert_eq!(too_soon(Some(now), now + REISSUE_EVERY), None);
    }
}
