use std::time::{Duration, Instant};

use serde_json::json;

use super::{Firmware, Mqtt, Reply, Request};

/// Tasmota: `/cm`, whose commands are answered in JSON, and whose backlogs are worked off after the
/// answer; then it restarts, and speaks TLS or not only from then on.
pub struct Tasmota {
    /// Whether its build has TLS.
    pub has_tls: bool,
    /// The password of its web interface.
    pub web_password: Option<String>,
    /// What it was set to; in force after a restart.
    pub set: Mqtt,
    /// Fingerprints of keys: 20 bytes each.
    pub fingerprints: [Vec<u8>; 2],
    /// `SetOption132`: keys are known by their fingerprints.
    pub by_fingerprint: bool,
    /// It says its password in the place of the host: a hostile one.
    pub tells_password: bool,
    backlog: Option<(Instant, String)>,
    restarts: Option<Instant>,
}

impl Tasmota {
    /// As it comes from the factory.
    pub fn new(has_tls: bool, web_password: Option<&str>) -> Tasmota {
        Tasmota {
            has_tls,
            web_password: web_password.map(str::to_owned),
            set: Mqtt {
                port: 1883,
                username: "DVES_USER".to_owned(),
                password: "DVES_PASS".to_owned(),
                topic: "tasmota_4A2B1C".to_owned(),
                ..Mqtt::default()
            },
            fingerprints: [vec![0; 20], vec![0xff; 20]],
            by_fingerprint: false,
            tells_password: false,
            backlog: None,
            restarts: None,
        }
    }

    /// Whether it would go on with a server that has this key, by its fingerprint. A slot that is all
    /// zeros or all ones lets any key pass.
    pub fn accepts(&self, key: &[u8]) -> bool {
        let any = |slot: &Vec<u8>| slot.iter().all(|b| *b == 0) || slot.iter().all(|b| *b == 0xff);
        self.by_fingerprint
            && (self.fingerprints.iter().any(any)
                || self.fingerprints.iter().any(|slot| slot == key))
    }

    /// Whether all orders are worked off.
    pub fn is_settled(&self) -> bool {
        self.backlog.is_none()
    }

    /// Works off what is due.
    pub fn settle(&mut self) {
        let now = Instant::now();
        if let Some((_, commands)) = self.backlog.take_if(|(due, _)| *due <= now) {
            for command in commands.split(';') {
                self.command(command.trim());
            }
            self.restarts = Some(now + Duration::from_secs(1));
        }
    }

    fn command(&mut self, command: &str) -> serde_json::Value {
        let (name, value) = command.split_once(' ').unwrap_or((command, ""));
        let value = value.trim();
        // A single digit stands for something else.
        let text = |value: &str| match value {
            "0" | "\"" => String::new(),
            "1" | "2" => "default".to_owned(),
            other => other.to_owned(),
        };
        let is_set = !value.is_empty();
        match name.to_ascii_lowercase().as_str() {
            "mqtthost" if is_set => self.set.host = text(value),
            "mqttuser" if is_set => self.set.username = text(value),
            "mqttpassword" if is_set => self.set.password = text(value),
            "topic" if is_set => self.set.topic = text(value),
            "mqttport" if is_set => self.set.port = value.parse().unwrap_or(self.set.port),
            "setoption103" if self.has_tls => self.set.tls = value == "1",
            "setoption132" if self.has_tls => self.by_fingerprint = value == "1",
            "mqttfingerprint1" | "mqttfingerprint2" if self.has_tls => {
                let slot = usize::from(name.ends_with('2'));
                if is_set && value.len() < 60 {
                    let bytes = value.split(' ').map(|two| u8::from_str_radix(two, 16));
                    let mut bytes: Vec<u8> = bytes.map(|byte| byte.unwrap_or(0)).collect();
                    bytes.resize(20, 0);
                    self.fingerprints[slot] = bytes;
                }
                let shown: Vec<_> = self.fingerprints[slot]
                    .iter()
                    .map(|byte| format!("{byte:02X}"))
                    .collect();
                return json!({ name: shown.join(" ") });
            }
            "status" if value == "2" => {
                let version = if self.has_tls { "tasmota32" } else { "tasmota" };
                return json!({ "StatusFWR": { "Version": format!("14.2.0({version})") } });
            }
            "status" if value == "6" => {
                let host = match self.tells_password {
                    true => &self.set.password,
                    false => &self.set.host,
                };
                return json!({ "StatusMQT": {
                    "MqttHost": host,
                    "MqttPort": self.set.port,
                    "MqttClientMask": "DVES_%06X",
                    "MqttClient": "DVES_4A2B1C",
                    "MqttUser": self.set.username,
                    "MqttCount": 0,
                    "MAX_PACKET_SIZE": 1200,
                    "KEEPALIVE": 30,
                } });
            }
            "setoption3" => {}
            _ => return json!({ "Command": "Unknown" }),
        }
        json!({ name: value })
    }
}

impl Firmware for Tasmota {
    fn answer(&mut self, request: &Request) -> Option<Reply> {
        self.settle();
        let now = Instant::now();
        if let Some(since) = self.restarts
            && now >= since
        {
            if now < since + Duration::from_secs(2) {
                return None;
            }
            self.restarts = None;
        }
        if request.path != "/cm" {
            return Some(Reply::status(404, None));
        }
        if let Some(password) = &self.web_password
            && (request.arg("user") != Some("admin")
                || request.arg("password") != Some(password.as_str()))
        {
            let need = "Need user=<username>&password=<password>";
            return Some(Reply::good(json!({ "WARNING": need }).to_string()));
        }
        let command = request.arg("cmnd").unwrap_or_default();
        if command.is_empty() || command.len() >= 1200 {
            return Some(Reply::good(r#"{"WARNING":"Enter command cmnd="}"#));
        }
        let (name, rest) = command.split_once(' ').unwrap_or((command, ""));
        if name.to_ascii_lowercase().starts_with("backlog") {
            self.backlog = Some((now + Duration::from_millis(300), rest.to_owned()));
            return Some(Reply::good("{}"));
        }
        Some(Reply::good(self.command(command).to_string()))
    }
}
