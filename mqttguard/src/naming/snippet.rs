//! What to set on a device, so that it comes to the broker: text to be pasted where the firmware
//! takes it. Each value is written so that nothing in it can end the place it stands in.

use mqttguard_common::Mac;
use serde_json::{Value, json};

use super::Firmware;

/// Stands for the password where it cannot be shown any more.
pub const PASSWORD: &str = "THE-PASSWORD";

/// Where a device is to go, and as whom.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// The device's name: the topic that its profile grants it.
    pub name: &'a str,
    /// The router's name, which its certificate is for.
    pub server: &'a str,
    /// The port with TLS, if there is one that takes passwords.
    pub tls: Option<u16>,
    /// The port of the island: the listener without TLS, if it is on.
    pub island: Option<u16>,
    /// Whether the device may use the island.
    pub plaintext: bool,
    /// The device's MAC address.
    pub mac: Mac,
    /// The user name.
    pub username: &'a str,
    /// The password, or [`PASSWORD`].
    pub password: &'a str,
    /// The router's CA certificate, in PEM; empty if it cannot be read.
    pub ca: &'a str,
}

/// One thing to do on the device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snippet {
    /// Where the text goes.
    pub title: String,
    /// The text itself; it may hold the password.
    pub text: String,
    /// What else there is to know.
    pub notes: Vec<String>,
}

/// What a firmware can do about TLS.
enum Tls {
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
            notes: vec![
                "It needs the island, the listener without TLS, and that is off: add to \
                 /etc/config/mqttguard a section 'listener' with option kind 'plain'."
                    .to_owned(),
            ],
        }),
    };
    if let Some(mut snippet) = island {
        if let Tls::Some(builds) = tls {
            let note = format!("Only where the build has no TLS: it is in {builds}.");
            snippet.notes.insert(0, note);
        }
        if !target.plaintext {
            snippet.notes.push(format!(
                "The device may not use the island yet: its section 'device' (option mac '{}') needs \
                 option plaintext '1'.",
                target.mac
            ));
        }
        snippet.notes.push(
            "On the island the password can be read by whoever listens in the LAN.".to_owned(),
        );
        out.push(snippet);
    }
    out
}

fn tls(firmware: Firmware) -> Tls {
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
            tasmota(target, port, tls),
            if tls { vec![LEARNS_KEY] } else { vec![] },
        ),
        Firmware::EspHome => (
            title("YAML of the node; passwords better stand in secrets.yaml"),
            esphome(target, port, tls),
            vec!["The node's name in ESPHome has to be the one here: it is in its topics."],
        ),
        Firmware::ShellyGen2 => (
            title("three calls, each a POST to http://DEVICE/rpc"),
            shelly(target, port),
            vec!["With a password of its own the device asks for it (user admin, Digest)."],
        ),
        Firmware::OpenBeken => (
            title("the command line of its web app"),
            openbeken(target, port, tls),
            if tls { vec![OPENBEKEN_CA] } else { vec![] },
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
            vec!["/app/data is where the container has its data; elsewhere write that path."],
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
            vec!["Its profile is 'hub': mqttguard enrol DEVICE --profile hub."],
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
            vec![],
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
            vec![],
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
            vec![
                "What it announces of sensors around it goes under their addresses, which its profile \
                  does not grant: see 'mqttguard learn'.",
            ],
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
        notes: notes.into_iter().map(str::to_owned).collect(),
    }
}

const LEARNS_KEY: &str = "Tasmota takes no CA: with a fingerprint of zeros it learns the key of the first \
    server that it meets, and insists on that from then on. The router keeps its key when it renews its \
    certificate.";
const OPENBEKEN_CA: &str = "The file ca.pem of the device has to hold the router's CA.";

/// Commands in one line. A semicolon ends one, and nothing can escape it.
fn tasmota(target: &Target<'_>, port: u16, tls: bool) -> String {
    let mut commands = vec![
        ("MqttHost", target.server.to_owned()),
        ("MqttPort", port.to_string()),
        ("MqttUser", target.username.to_owned()),
        ("MqttPassword", target.password.to_owned()),
        ("Topic", target.name.to_owned()),
        ("SetOption103", u8::from(tls).to_string()),
    ];
    if tls {
        commands.push(("SetOption132", "1".to_owned()));
        commands.push(("MqttFingerprint1", ["00"; 20].join(" ")));
    }
    let command = |(name, value): &(&str, String)| format!("{name} {}", one_word(value));
    let all: Vec<String> = commands.iter().map(command).collect();
    format!("Backlog0 {}", all.join("; "))
}

fn openbeken(target: &Target<'_>, port: u16, tls: bool) -> String {
    let commands = [
        ("MqttHost", target.server.to_owned()),
        ("MqttPort", port.to_string()),
        ("MqttClient", target.name.to_owned()),
        ("MqttUser", target.username.to_owned()),
        ("MqttPassword", target.password.to_owned()),
    ];
    let command = |(name, value): &(&str, String)| format!("{name} {}", one_word(value));
    let mut all: Vec<String> = commands.iter().map(command).collect();
    if tls {
        all.push("mqtt_use_tls 1".to_owned());
        all.push("mqtt_verify_tls_cert 1".to_owned());
        all.push("mqtt_cert_file ca.pem".to_owned());
    }
    format!("backlog {}", all.join("; "))
}

/// The value without what would end a command.
fn one_word(value: &str) -> String {
    let ends = |c: char| c == ';' || c == '"' || c == '\\' || c.is_control();
    value.replace(ends, "")
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
    let calls = [
        json!({ "id": 1, "method": "Shelly.PutUserCA", "params": { "data": target.ca, "append": false } }),
        json!({ "id": 2, "method": "MQTT.SetConfig", "params": { "config": {
            "enable": true,
            "server": format!("{}:{port}", target.server),
            "user": target.username,
            "pass": target.password,
            "topic_prefix": target.name,
            "ssl_ca": "user_ca.pem",
            "status_ntf": true,
            "rpc_ntf": true,
        } } }),
        json!({ "id": 3, "method": "Shelly.Reboot" }),
    ];
    calls.map(|call| format!("{call}\n")).concat()
}

fn mosquitto(target: &Target<'_>, port: u16) -> Snippet {
    let [server, topic] = [target.server, &format!("{}/test", target.name)].map(shell);
    Snippet {
        title: "mosquitto_pub, to try it".to_owned(),
        text: format!(
            "mosquitto_pub -h {server} -p {port} --cafile ca.crt -t {topic} -m hello"
        ),
        notes: vec![
            "The firmware is not known: --firmware NAME shows what another needs. mosquitto_pub reads \
             '-u' and '-P' from ~/.config/mosquitto_pub."
                .to_owned(),
        ],
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
