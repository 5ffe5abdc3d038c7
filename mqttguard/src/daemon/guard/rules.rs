//! What the configuration and the router's addresses say to the kernel program.

use std::net::IpAddr;

use mqttguard_common::MAX_LOCAL;

use crate::config::{Bindings, Exception, ListenerKind, Settings, Verdict};
use crate::discovery;
use crate::enforce::Rules;

pub(super) fn rules(
    settings: &Settings,
    exceptions: &[Exception],
    local_addresses: Vec<IpAddr>,
) -> Rules {
    let main = &settings.main;
    let plain = settings
        .listeners
        .iter()
        .find(|listener| listener.kind == ListenerKind::Plain);
    Rules {
        mode: main.mode,
        plaintext_ports: main.plaintext_ports.clone(),
        detect_connect: main.detect_connect,
        mqtt_sn: main.mqtt_sn,
        websocket: main.detect_websocket,
        reject: main.verdict == Verdict::Reject,
        drop_mismatch: main.bindings == Bindings::Drop,
        uplift: false,
        local_addresses,
        broker_ports: settings
            .listeners
            .iter()
            .map(|listener| listener.port)
            .collect(),
        local_plaintext_port: plain.map(|listener| listener.port),
        exceptions: exceptions.to_vec(),
        stranger_limits: settings.stranger_limits(),
    }
}

/// The router's addresses; None if the kernel does not tell.
pub(super) fn local_addresses() -> Option<Vec<IpAddr>> {
    let mut addresses = match discovery::local_addresses() {
        Ok(addresses) => addresses,
        Err(error) => {
            log::error!("the router's addresses: {error}");
            return None;
        }
    };
    // IPv4 stands in front. What does not fit is guarded like any other destination: better than
    // no program for want of room.
    addresses.truncate(MAX_LOCAL as usize);
    Some(addresses)
}
