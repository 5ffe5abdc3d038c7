//! What to set on a device, so that it comes to the broker: text to be pasted where the firmware
//! takes it. Each value is written so that nothing in it can end the place it stands in.

use std::fmt;

use mqttguard_common::Mac;
use serde_json::Value;

use crate::json::json;

use super::{Firmware, Target, settings};

mod note;

pub use note::SnippetNote;

/// One thing to do on the device.
#[derive(Clone, PartialEq, Eq)]
pub struct Snippet {
    /// Where the text goes.
    pub title: String,
    /// The text itself; it may hold the password.
    pub text: String,
    /// What else there is to know.
    pub notes: Vec<SnippetNote>,
    /// What it is for; None: to try the broker out.
    pub firmware: Option<Firmware>,
    /// It is for the island: without TLS.
    pub plain: bool,
}

/// Never shows the text: it may hold the password.
impl fmt::Debug for Snippet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snippet")
            .field("title", &self.title)
            .field("notes", &self.notes)
            .finish_non_exhaustive()
    }
}

/// What a firmware can do about TLS.
pub(crate) enum Tls {
    /// All builds, with the router's CA.
    Ca,
    /// Builds of these kinds; the others need the island.
    Some(&'static str),
    /// None: it needs the island.
    None,
}

/// What to set on a device with this firmware, or on one of an unknown one.
pub fn snippets(firmware: Option<Firmware>, target: &Target<'_>) -> Vec<Snippet> {
    let Some(firmware) = firmware else {
        return target
            .tls
            .map(|port| mosquitto(target, port))
            .into_iter()
            .collect();
    };
    let mut out = Vec::new();
    let tls = tls(firmware);
    if let (Tls::Ca | Tls::Some(_), Some(port)) = (&tls, target.tls) {
        out.push(write(firmware, target, port, true));
    }
    let island = match (&tls, target.island) {
        (Tls::Ca, _) => None,
        (_, Some(port)) => Some(write(firmware, target, port, false)),
        (_, None) => Some(Snippet {
            title: format!("{} without TLS", firmware.title()),
            text: String::new(),
            notes: vec![SnippetNote::NoIsland],
            firmware: Some(firmware),
            plain: true,
        }),
    };
    if let Some(mut snippet) = island {
        if let Tls::Some(tls) = tls {
            snippet.notes.insert(0, SnippetNote::BuildsWithout { tls });
        }
        if !target.plaintext {
            snippet.notes.push(SnippetNote::NotOnIsland(target.mac));
        }
        snippet.notes.push(SnippetNote::IslandIsRead);
        out.push(snippet);
    }
    out
}

/// What stands against plaintext for whoever has no TLS.
pub(crate) const NO_ISLAND: &str = "the island, the listener without TLS, and that is off: add to \
    /etc/config/mqttguard a section 'listener' with option kind 'plain'";

/// What stands against plaintext for one device.
pub(crate) fn not_on_island(mac: Mac) -> String {
    format!(
        "The device may not use the island yet: its section 'device' (option mac '{mac}') needs option \
         plaintext '1'"
    )
}

pub(crate) fn tls(firmware: Firmware) -> Tls {
    match firmware {
        Firmware::Tasmota => {
            Tls::Some("tasmota32 and zbbridge builds, not in those for the ESP8266")
        }
        Firmware::EspHome => Tls::Some("ESP32 builds with the framework esp-idf"),
        Firmware::OpenBeken => Tls::Some("builds with the option MQTT_USE_TLS"),
        Firmware::ShellyGen1 | Firmware::Wled => Tls::None,
        Firmware::ShellyGen2
        | Firmware::OpenDtu
        | Firmware::OpenMqttGateway
        | Firmware::Valetudo
        | Firmware::Zigbee2Mqtt
        | Firmware::HomeAssistant
        | Firmware::Frigate => Tls::Ca,
    }
}

fn write(firmware: Firmware, target: &Target<'_>, port: u16, tls: bool) -> Snippet {
    let with = if tls { "with TLS" } else { "without TLS" };
    let title = |place: &str| format!("{} {with}: {place}", firmware.title());
    let (title, text, notes) = match firmware {
        Firmware::Tasmota => (
            title("the console (or a command by HTTP)"),
            settings::backlog(&settings::tasmota(target, port, tls)),
            match (tls, target.keys.len()) {
                (false, _) => vec![],
                (true, 2..) => vec![SnippetNote::PinsKey],
                (true, _) => vec![SnippetNote::PinsKey, SnippetNote::NoRsaKey],
            },
        ),
        Firmware::EspHome => (
            title("YAML of the node; passwords better stand in secrets.yaml"),
            esphome(target, port, tls),
            vec![SnippetNote::NodeName],
        ),
        Firmware::ShellyGen2 => (
            title("calls, each a POST to http://DEVICE/rpc"),
            shelly(target, port),
            vec![SnippetNote::Digest],
        ),
        Firmware::OpenBeken => (
            title("an address for the browser (or Config, Configure MQTT)"),
            openbeken(target, port, tls),
            if tls {
                vec![SnippetNote::CaBefore]
            } else {
                vec![]
            },
        ),
        Firmware::Zigbee2Mqtt => (
            title("configuration.yaml, and the CA in data/ca.crt"),
            yaml(&[(
                "mqtt",
                &[
                    ("base_topic", json!("zigbee2mqtt")),
                    ("server", json!(format!("mqtts://{}:{port}", target.server))),
                    ("ca", json!("/app/data/ca.crt")),
                    ("user", json!(target.username)),
                    ("password", json!(target.password)),
                    ("reject_unauthorized", json!(true)),
                ],
            )]),
            vec![SnippetNote::DataPath],
        ),
        Firmware::Frigate => (
            title("config.yml, and the CA in /config/ca.crt"),
            yaml(&[(
                "mqtt",
                &[
                    ("enabled", json!(true)),
                    ("host", json!(target.server)),
                    ("port", json!(port)),
                    ("topic_prefix", json!("frigate")),
                    ("user", json!(target.username)),
                    ("password", json!(target.password)),
                    ("tls_ca_certs", json!("/config/ca.crt")),
                ],
            )]),
            vec![],
        ),
        Firmware::HomeAssistant => (
            title("Settings, Devices & services, MQTT, Reconfigure"),
            form(
                target,
                port,
                &[
                    ("Broker certificate validation", "Custom"),
                    ("Upload", "ca.crt"),
                ],
            ),
            vec![SnippetNote::HubProfile],
        ),
        Firmware::Wled => (
            title("Config, Sync Interfaces, MQTT"),
            form(
                target,
                port,
                &[("Device Topic", &format!("wled/{}", target.name))],
            ),
            vec![],
        ),
        Firmware::ShellyGen1 => (
            title("Internet & Security, Advanced - Developer settings"),
            form(target, port, &[("Custom MQTT prefix", target.name)]),
            vec![SnippetNote::SharedAnnounce],
        ),
        Firmware::OpenDtu => (
            title("Settings, MQTT Settings"),
            form(
                target,
                port,
                &[
                    ("Base Topic", "solar/"),
                    ("Enable TLS", "yes, with the CA below"),
                ],
            ) + target.ca,
            vec![SnippetNote::Inverters],
        ),
        Firmware::OpenMqttGateway => (
            title("the web page, MQTT"),
            form(
                target,
                port,
                &[
                    ("Gateway name", target.name),
                    ("Base topic", "home/"),
                    ("Secure", "yes, with the CA below"),
                ],
            ) + target.ca,
            vec![SnippetNote::Sensors],
        ),
        Firmware::Valetudo => (
            title("Connectivity, MQTT Connectivity"),
            form(
                target,
                port,
                &[
                    ("Identifier", target.name),
                    ("Topic prefix", "valetudo"),
                    ("TLS", "yes, with the CA below"),
                ],
            ) + target.ca,
            vec![],
        ),
    };
    Snippet {
        title,
        text,
        notes,
        firmware: Some(firmware),
        plain: !tls,
    }
}

fn openbeken(target: &Target<'_>, port: u16, tls: bool) -> String {
    let fields = settings::openbeken(target, port, tls);
    let fields: Vec<_> = fields
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    format!("http://DEVICE/cfg_mqtt_set?{}", settings::query(&fields))
}

fn esphome(target: &Target<'_>, port: u16, tls: bool) -> String {
    let mut text = yaml(&[
        ("esphome", &[("name", json!(target.name))]),
        (
            "mqtt",
            &[
                ("broker", json!(target.server)),
                ("port", json!(port)),
                ("username", json!(target.username)),
                ("password", json!(target.password)),
                ("topic_prefix", json!(target.name)),
            ],
        ),
    ]);
    if tls {
        text.push_str("  certificate_authority: |\n");
        for line in target.ca.lines() {
            text.push_str(&format!("    {line}\n"));
        }
    }
    text
}

/// JSON-RPC, a call a line.
fn shelly(target: &Target<'_>, port: u16) -> String {
    let calls = settings::shelly(target, port);
    let calls = calls
        .iter()
        .map(|(method, params)| json!({ "method": method, "params": params }));
    let restart = json!({ "method": settings::SHELLY_RESTART });
    let numbered = (1u32..).zip(calls.chain([restart]));
    let line = |(number, mut call): (u32, Value)| {
        if let Some(call) = call.as_object_mut() {
            call.insert("id".to_owned(), number.into());
        }
        format!("{call}\n")
    };
    numbered.map(line).collect()
}

fn mosquitto(target: &Target<'_>, port: u16) -> Snippet {
    let [server, topic] = [target.server, &format!("{}/test", target.name)].map(shell);
    Snippet {
        title: "mosquitto_pub, to try it".to_owned(),
        text: format!("mosquitto_pub -h {server} -p {port} --cafile ca.crt -t {topic} -m hello"),
        notes: vec![SnippetNote::Trial],
        firmware: None,
        plain: false,
    }
}

/// What to type into a web page, a field a line.
fn form(target: &Target<'_>, port: u16, more: &[(&str, &str)]) -> String {
    let port = port.to_string();
    let fields = [
        ("Server", target.server),
        ("Port", &port),
        ("User name", target.username),
        ("Password", target.password),
    ];
    let line = |(name, value): &(&str, &str)| {
        let value: String = value.chars().filter(|c| !c.is_control()).collect();
        format!("{name}: {value}\n")
    };
    fields.iter().chain(more).map(line).collect()
}

/// Sections of one level. A string of JSON is one of YAML, too (YAML 1.2 section 1.3).
fn yaml(sections: &[(&str, &[(&str, Value)])]) -> String {
    let mut text = String::new();
    for (name, fields) in sections {
        text.push_str(&format!("{name}:\n"));
        for (key, value) in *fields {
            text.push_str(&format!("  {key}: {value}\n"));
        }
    }
    text
}

/// A word of a POSIX shell.
fn shell(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests;
