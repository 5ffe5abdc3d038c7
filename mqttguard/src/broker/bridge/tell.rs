//! What there is to tell of bridges: events, `$SYS` topics, `status`.

use mqttguard_broker::Time;
use mqttguard_broker::bridge::BridgeNotice;

use super::BridgeStatus;
use super::uplink::{Far, Uplink};
use crate::broker::event::{BrokerEvent, BrokerEventKind};
use crate::broker::reactor::Reactor;
use crate::text::clip;

impl Reactor {
    pub(super) fn tell_bridge(&mut self, now: Time, uplink: &Uplink, notice: BridgeNotice) {
        let bridge = uplink.config.name.as_str().into();
        let server = uplink.server();
        let link = |up, detail| BrokerEventKind::BridgeLink { bridge, up, detail };
        let trouble = |bridge, detail| BrokerEventKind::BridgeTrouble { bridge, detail };
        let name = || uplink.config.name.as_str().into();
        let kind = match notice {
            BridgeNotice::Up { version } => {
                self.publish_state(now, uplink, "1");
                let protocol = crate::broker::protocol(version);
                let how = match uplink.config.tls.is_some() {
                    true => "TLS",
                    false => "in the clear",
                };
                link(true, format!("{server} (MQTT {protocol}, {how})"))
            }
            BridgeNotice::Down { why } => {
                self.publish_state(now, uplink, "0");
                link(false, format!("{server}: {why}"))
            }
            BridgeNotice::Refused { filter, why } => trouble(
                name(),
                format!("the server refuses the subscription '{filter}': {why}"),
            ),
            BridgeNotice::Dropped { inward, topic, why } => {
                let way = if inward { "from" } else { "to" };
                let topic = clip(&topic);
                let what = format!("dropped a message {way} the server on '{topic}': {why}");
                trouble(name(), what)
            }
        };
        self.tell_of_bridge(kind);
    }

    /// In mosquitto's words, beside its other topics; nothing where those are switched off.
    pub(super) fn publish_state(&mut self, now: Time, uplink: &Uplink, state: &str) {
        if self.sys.deadline().is_some() || state.is_empty() {
            let topic = format!("$SYS/broker/connection/{}/state", uplink.config.name);
            self.core
                .publish_internal(now, &topic, state.as_bytes(), true);
        }
    }

    pub(super) fn tell_of_bridge(&mut self, kind: BrokerEventKind) {
        self.events.tell(BrokerEvent {
            mac: None,
            address: None,
            identity: None,
            client_id: None,
            suppressed: 0,
            kind,
        });
    }

    pub(in crate::broker) fn bridge_status(&self, now: Time) -> Vec<BridgeStatus> {
        let one = |uplink: &Uplink| {
            let status = uplink.machine.status();
            let id = uplink.machine.local_client_id();
            let session = self.core.session(&uplink.identity, &id);
            let address = match &uplink.far {
                Far::Open(link) => Some(link.address),
                _ => None,
            };
            let up = status.up.zip(address);
            BridgeStatus {
                name: uplink.config.name.clone(),
                server: uplink.server(),
                tls: uplink.config.tls.is_some(),
                up: up.map(|((version, since), address)| (version, now.since(since), address)),
                last_error: status.last_error.as_deref().map(str::to_owned),
                refused: status.refused.clone(),
                queued: session.map_or(0, |session| session.queued),
                messages_in: status.messages_in,
                messages_out: status.messages_out,
                messages_dropped: status.messages_dropped,
            }
        };
        self.bridges.uplinks.iter().map(one).collect()
    }
}
