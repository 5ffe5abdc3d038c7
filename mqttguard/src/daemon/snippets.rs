//! What to set on a device, with what the daemon knows of both ends.

use std::fs::File;
use std::io::Read as _;

use mqttguard_common::Mac;
use serde_json::Value;

use super::serving::Broker;
use super::wiring::Daemon;
use crate::coded::Coded;
use crate::config::ListenerKind;
use crate::json::json;
use crate::naming::snippet::{self, SnippetNote};
use crate::naming::{Firmware, PASSWORD, Place};

/// Where the device is to go.
pub(super) fn place(daemon: &Daemon, mac: Mac) -> Place {
    /// Far above what a certificate takes.
    const CA_BYTES: u64 = 16 << 10;
    let settings = &daemon.configuration.settings;
    let ca_file = settings.main.data_dir.join("ca.crt");
    let mut ca = String::new();
    let read = File::open(&ca_file).and_then(|file| file.take(CA_BYTES).read_to_string(&mut ca));
    if let Err(error) = read {
        log::warn!("{}: {error}", ca_file.display());
    }
    let mut listeners = settings.listeners.iter();
    let island = listeners.find(|listener| listener.kind == ListenerKind::Plain);
    let word = settings.devices.get(&mac);
    Place {
        server: settings.main.hostname.clone(),
        tls: settings.tls_listener().map(|listener| listener.port),
        island: island.map(|listener| listener.port),
        plaintext: word.is_some_and(|word| word.plaintext),
        mac,
        ca,
        keys: daemon.broker.as_ref().map(Broker::keys).unwrap_or_default(),
    }
}

/// What to set on the device, so that it comes to the broker. None if it has no credential.
pub(super) fn report(
    daemon: &Daemon,
    mac: Mac,
    firmware: Option<Firmware>,
    password: Option<&str>,
) -> Option<Value> {
    let device = daemon.registry.device(mac)?;
    let place = place(daemon, mac);
    let username = &device.credential.as_ref()?.username;
    let password = password.unwrap_or(PASSWORD);
    let target = place.target(&device.name, username, password);
    let firmware = firmware.or_else(|| device.probable_firmware());
    let shown = snippet::snippets(firmware, &target).into_iter().map(|one| {
        json!({
            "title": one.title,
            "text": one.text,
            "notes": one.notes.iter().map(SnippetNote::to_string).collect::<Vec<_>>(),
            "noted": one.notes.iter().map(Coded::to_json).collect::<Vec<_>>(),
            "firmware": one.firmware.map(Firmware::name),
            "plain": one.plain,
        })
    });
    Some(shown.collect())
}
