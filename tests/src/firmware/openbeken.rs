use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Firmware, Mqtt, Reply, Request};

/// OpenBeken: a form, a page that shows what is set, and a file system.
pub struct OpenBeken {
    /// Whether its build has TLS.
    pub has_tls: bool,
    /// The password of its web interface.
    pub web_password: Option<String>,
    /// What it was set to.
    pub set: Mqtt,
    /// Its files.
    pub files: BTreeMap<String, Vec<u8>>,
    verifies: bool,
    ca_file: String,
}

impl OpenBeken {
    /// As it comes from the factory.
    pub fn new(has_tls: bool, web_password: Option<&str>) -> OpenBeken {
        OpenBeken {
            has_tls,
            web_password: web_password.map(str::to_owned),
            set: Mqtt {
                host: "192.168.0.113".to_owned(),
                port: 1883,
                topic: "obk7A3F1C2D".to_owned(),
                ..Mqtt::default()
            },
            files: BTreeMap::new(),
            verifies: false,
            ca_file: String::new(),
        }
    }

    /// What it connects with: without its CA's file it would not verify.
    pub fn mqtt(&self) -> Mqtt {
        let ca = self.files.get(&self.ca_file).filter(|_| self.verifies);
        Mqtt {
            ca: String::from_utf8_lossy(ca.map_or(&[], Vec::as_slice)).into_owned(),
            ..self.set.clone()
        }
    }

    fn page(&self) -> String {
        let mut page = String::from("<!DOCTYPE html><h2>Use this to connect to your MQTT</h2>");
        let mut field = |kind: &str, name: &str, value: &str| {
            page.push_str(&format!(
                "<label for=\"{name}\">X:</label><br><input type=\"{kind}\" id=\"{name}\" \
                 name=\"{name}\" value=\"{value}\">"
            ));
        };
        field("text", "host", &self.set.host);
        field("number", "port", &self.set.port.to_string());
        field("text", "client", &self.set.topic);
        field("text", "group", "bekens");
        field("text", "user", &self.set.username);
        field("password", "password", &self.set.password);
        if self.has_tls {
            field("text", "mqtt_cert_file", &self.ca_file);
            for (name, on) in [
                ("mqtt_use_tls", self.set.tls),
                ("mqtt_verify_tls_cert", self.verifies),
            ] {
                let checked = if on { " checked" } else { "" };
                page.push_str(&format!(
                    "<input type=\"checkbox\" id=\"{name}\" name=\"{name}\" value=\"1\"{checked}>"
                ));
            }
        }
        page.push_str("<form action=\"/cfg_mqtt_set\"></form>");
        page
    }
}

impl Firmware for OpenBeken {
    fn answer(&mut self, request: &Request) -> Option<Reply> {
        if let Some(password) = &self.web_password {
            let login = format!("Basic {}", STANDARD.encode(format!("admin:{password}")));
            if request.header("authorization") != Some(&login) {
                let realm = "Basic realm=\"OpenBeken HTTP Server\"".to_owned();
                return Some(Reply::status(401, Some(("WWW-Authenticate", realm))));
            }
        }
        if let Some(name) = request.path.strip_prefix("/api/lfs/")
            && request.method == "POST"
        {
            let size = request.body.len();
            self.files.insert(name.to_owned(), request.body.clone());
            return Some(Reply::good(format!(
                "{{\"fname\":\"{name}\",\"size\":{size}}}"
            )));
        }
        match request.path.as_str() {
            "/cfg_mqtt" => Some(Reply::good(self.page())),
            "/cfg_mqtt_set" => {
                self.set.host = request.arg("host").unwrap_or_default().to_owned();
                if let Some(port) = request.arg("port") {
                    self.set.port = port.parse().unwrap_or(0);
                }
                if self.has_tls {
                    self.set.tls = request.arg("mqtt_use_tls").is_some();
                    self.verifies = request.arg("mqtt_verify_tls_cert").is_some();
                    let file = request.arg("mqtt_cert_file").unwrap_or_default();
                    self.ca_file = file.chars().take(19).collect();
                }
                for (name, place) in [
                    ("user", &mut self.set.username),
                    ("password", &mut self.set.password),
                    ("client", &mut self.set.topic),
                ] {
                    if let Some(value) = request.arg(name) {
                        value.clone_into(place);
                    }
                }
                Some(Reply::good("Please wait for module to connect..."))
            }
            _ => Some(Reply::status(404, None)),
        }
    }
}
