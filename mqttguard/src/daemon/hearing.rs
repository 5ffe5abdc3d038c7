//! What discovery, the kernel program and the broker say, and what the registry is told of it.

use mqttguard_broker::Access;
use mqttguard_common::Mac;

use super::clock::unix_ms;
use super::translation::event_kind;
use super::wiring::Daemon;
use crate::broker::{BrokerEvent, BrokerEventKind};
use crate::discovery::Update;
use crate::enforce;
use crate::events::EventKind;
use crate::registry::Wish;

impl Daemon {
    /// A source of sightings spoke.
    pub(super) fn discovered(&mut self, update: Update) {
        match update {
            Update::Sighting(sighting) => self.registry.sighting(unix_ms(), &sighting),
            Update::AddressLost {
                source,
                mac,
                address,
            } => self.registry.address_lost(unix_ms(), source, mac, address),
            Update::Source { source, up, detail } => {
                self.sources.insert(source, (up, detail.clone()));
                self.tell(
                    None,
                    None,
                    EventKind::SourceChanged {
                        source: source.name(),
                        up,
                        detail,
                    },
                );
            }
        }
    }

    /// The kernel program decided against a frame, or came to or left an interface.
    pub(super) fn enforced(&mut self, report: enforce::Report) {
        match report {
            enforce::Report::Frame(frame) => self.framed(&frame),
            enforce::Report::Attachment {
                interface,
                what,
                detail,
                notes,
            } => {
                // An interface came or went.
                self.follow_links();
                // nftables makes room at once, or stands in.
                self.guard.fall_back();
                self.tell(
                    None,
                    None,
                    EventKind::Enforcement {
                        interface,
                        what,
                        detail,
                        notes,
                    },
                );
            }
        }
    }

    /// The broker has something to tell.
    pub(super) fn brokered(&mut self, event: BrokerEvent) {
        if let (Some(mac), BrokerEventKind::LoginRefused { why, .. }) = (event.mac, &event.kind) {
            if why.is_guess() {
                self.registry.login_failed(unix_ms(), mac);
            }
            self.registry
                .login_refused(unix_ms(), mac, *why, event.suppressed);
        }
        let mac = event.mac.or_else(|| self.holder(event.identity.as_deref()));
        match (mac, &event.kind) {
            (Some(mac), BrokerEventKind::Verified { verifiers }) => {
                self.registry.verified(mac, verifiers);
            }
            (_, BrokerEventKind::Used { hash }) => {
                let username = event.identity.as_deref().unwrap_or_default();
                self.registry.used(username, hash);
            }
            (
                Some(mac),
                BrokerEventKind::Paired {
                    username,
                    verifiers,
                    weak,
                    claim,
                },
            ) => {
                let (now, verifiers) = (unix_ms(), verifiers.clone());
                match *claim {
                    None => self.registry.paired(now, mac, username, verifiers, *weak),
                    Some(serial) => self.registry.claimed(now, mac, serial, verifiers, *weak),
                }
            }
            _ => {}
        }
        self.listen(mac, &event);
        if let Some(kind) = event_kind(event) {
            self.tell_device(mac, kind);
        }
    }

    /// Notes what a client says of the firmware of its device, and what it wishes in vain.
    fn listen(&mut self, peer: Option<Mac>, event: &BrokerEvent) {
        let holder = self.holder(event.identity.as_deref());
        // A device behind a repeater has the repeater's address.
        let Some(mac) = holder.or(peer) else {
            return;
        };
        match &event.kind {
            BrokerEventKind::Connected { .. } => {
                self.registry.heard(mac, event.client_id.as_deref(), None);
            }
            BrokerEventKind::TopicRefused { access, topic, .. } => {
                self.registry.heard(mac, None, Some(topic));
                let wish = match access {
                    Access::Publish | Access::Will => Wish::Publish,
                    Access::Subscribe => Wish::Subscribe,
                };
                let now = unix_ms();
                // Of others, a grant to the device would be none to them.
                if let Some(mac) = holder {
                    self.registry.topic_refused(now, mac, wish, topic);
                }
                self.registry
                    .wished(now, mac, wish, topic, event.suppressed);
            }
            _ => {}
        }
    }

    /// The device that holds a credential.
    fn holder(&self, username: Option<&str>) -> Option<Mac> {
        self.registry.owner_of(username?)
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::sync::mpsc::sync_channel;

    use super::*;
    use crate::daemon::DaemonOptions;

    /// The name of the test that is run in a network of its own.
    const INSIDE: &str = "daemon::hearing::tests::inside";

    /// A daemon tells nftables what to do, so that it needs a network namespace, and to be root there.
    #[test]
    fn nftables_follows_as_soon_as_an_attachment_is_heard_of() {
        let mut command = Command::new("unshare");
        if !rustix::process::getuid().is_root() {
            command.args(["--user", "--map-root-user"]);
        }
        command.arg("--net").arg(std::env::current_exe().unwrap());
        let told = command.args(["--exact", INSIDE, "--ignored"]).output();
        let told = told.unwrap();
        let words = String::from_utf8_lossy(&told.stdout);
        assert!(
            told.status.success() && words.contains("1 passed"),
            "{told:?}"
        );
    }

    #[test]
    #[ignore = "run by the other test"]
    fn inside() {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("mqttguard");
        let path = |name: &str| dir.path().join(name).display().to_string();
        // No BPF file system: the kernel program does not come to stand.
        let text = format!(
            "config mqttguard 'main'\n\tlist network 'guest'\n\toption data_dir '{}'\n\
             \toption run_dir '{}'\n\toption bpf_dir '{}'\n\toption lease_file '{}'\n",
            path("data"),
            path("run"),
            path("bpf"),
            path("leases")
        );
        std::fs::write(&config, text).unwrap();
        let options = DaemonOptions {
            config,
            ubus_socket: dir.path().join("ubus.sock"),
        };
        let (inbox, _inputs) = sync_channel(1024);
        let mut daemon = Daemon::start(options, inbox).unwrap();
        let covered = |daemon: &Daemon| {
            let status = daemon.guard.fallback.status();
            let interfaces = status
                .get("interfaces")
                .unwrap()
                .as_array()
                .unwrap()
                .clone();
            let named = |one: serde_json::Value| one["interface"].as_str().unwrap().to_owned();
            interfaces.into_iter().map(named).collect::<Vec<_>>()
        };
        // By OpenWrt's custom, until netifd says better.
        assert_eq!(covered(&daemon), ["br-guest"]);
        let network = ("guest".to_owned(), "wlan7".to_owned());
        daemon.guard.learn([network].into());
        let settings = daemon.configuration.settings.clone();
        daemon.guard.follow(&settings);
        // No tick comes between.
        daemon.enforced(enforce::Report::Attachment {
            interface: "br-guest".to_owned(),
            what: "detached",
            detail: String::new(),
            notes: Vec::new(),
        });
        assert_eq!(covered(&daemon), ["wlan7"]);
        daemon.stop();
    }
}
