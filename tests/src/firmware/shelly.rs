use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use super::{Firmware, Mqtt, Reply, Request};

const REALM: &str = "shellyplus1pm-a8032ab12345";

/// What goes wrong with a [`Shelly`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// It takes no CA.
    RefusesCa,
    /// It stores the settings and dies before it answers.
    DiesAfterStoring,
}

/// Shelly Plus: `/rpc/<method>`, behind a digest of SHA-256 where it has a password.
pub struct Shelly {
    /// Its password.
    pub password: Option<String>,
    /// `MQTT.GetConfig`, and the password, which that does not show.
    pub config: Value,
    /// The CA that its owner has brought.
    pub user_ca: String,
    /// What it connects with since its last restart.
    pub in_force: Mqtt,
    /// What goes wrong.
    pub fault: Fault,
    nonce: u32,
    counted: u32,
}

impl Shelly {
    /// One that was set up with a client certificate before.
    pub fn new(password: Option<&str>) -> Shelly {
        Shelly {
            password: password.map(str::to_owned),
            config: json!({
                "enable": false,
                "server": null,
                "client_id": REALM,
                "user": null,
                "ssl_ca": null,
                "topic_prefix": REALM,
                "rpc_ntf": true,
                "status_ntf": false,
                "use_client_cert": true,
                "enable_rpc": true,
                "enable_control": true,
            }),
            user_ca: String::new(),
            in_force: Mqtt::default(),
            fault: Fault::None,
            nonce: 1_700_000_000,
            counted: 0,
        }
    }

    /// RFC 7616: each use of a nonce counts up.
    fn lets_in(&mut self, request: &Request) -> bool {
        let Some(password) = &self.password else {
            return true;
        };
        let Some(fields) = request.header("authorization") else {
            return false;
        };
        let Some(fields) = fields.strip_prefix("Digest ") else {
            return false;
        };
        let get = |name: &str| {
            let mut all = fields.split(", ").filter_map(|field| field.split_once('='));
            let found = all.find(|(known, _)| *known == name);
            found.map(|(_, value)| value.trim_matches('"').to_owned())
        };
        let (Some(nonce), Some(nc), Some(cnonce)) = (get("nonce"), get("nc"), get("cnonce")) else {
            return false;
        };
        let count = u32::from_str_radix(&nc, 16).unwrap_or(0);
        let whose = sha256(&format!("admin:{REALM}:{password}"));
        let what = sha256(&format!("{}:{}", request.method, request.target));
        let wanted = sha256(&format!("{whose}:{nonce}:{nc}:{cnonce}:auth:{what}"));
        let is_good = get("username").as_deref() == Some("admin")
            && get("realm").as_deref() == Some(REALM)
            && get("algorithm").as_deref() == Some("SHA-256")
            && get("qop").as_deref() == Some("auth")
            && get("uri").as_deref() == Some(&request.target)
            && nonce == self.nonce.to_string()
            && count > self.counted
            && get("response").as_deref() == Some(&wanted);
        if is_good {
            self.counted = count;
        }
        is_good
    }

    fn call(&mut self, method: &str, params: &Value) -> Option<Reply> {
        let result = match method {
            "MQTT.GetConfig" => {
                let mut shown = self.config.clone();
                shown.as_object_mut().unwrap().remove("pass");
                shown
            }
            "Shelly.PutUserCA" if self.fault == Fault::RefusesCa => {
                let mut reply = Reply::status(500, None);
                reply.body = json!({ "code": -103, "message": "no room" }).to_string();
                return Some(reply);
            }
            "Shelly.PutUserCA" => {
                let data = params["data"].as_str().unwrap_or_default();
                // The pieces of a file are small.
                if data.len() > 1024 {
                    return Some(Reply::status(413, None));
                }
                if params["append"] != json!(true) {
                    self.user_ca.clear();
                }
                self.user_ca.push_str(data);
                json!({ "len": self.user_ca.len() })
            }
            "MQTT.SetConfig" => {
                let known = self.config.as_object_mut().unwrap();
                for (name, value) in params["config"].as_object().into_iter().flatten() {
                    known.insert(name.clone(), value.clone());
                }
                if self.fault == Fault::DiesAfterStoring {
                    return None;
                }
                json!({ "restart_required": true })
            }
            "Shelly.Reboot" => {
                self.restart();
                Value::Null
            }
            _ => return Some(Reply::status(404, None)),
        };
        Some(Reply::good(result.to_string()))
    }

    /// What was set takes hold.
    pub fn restart(&mut self) {
        let text = |name: &str| self.config[name].as_str().unwrap_or_default().to_owned();
        let server = text("server");
        let (host, port) = server.rsplit_once(':').unwrap_or((&server, "1883"));
        let by_password = self.config["use_client_cert"] != json!(true);
        self.in_force = Mqtt {
            host: host.to_owned(),
            port: port.parse().unwrap_or(0),
            username: text("user"),
            password: if by_password {
                text("pass")
            } else {
                String::new()
            },
            topic: text("topic_prefix"),
            tls: self.config["ssl_ca"] == "user_ca.pem",
            ca: self.user_ca.clone(),
        };
    }
}

impl Firmware for Shelly {
    fn answer(&mut self, request: &Request) -> Option<Reply> {
        if request.path == "/shelly" {
            let info = json!({
                "id": REALM, "mac": "A8032AB12345", "gen": 2, "app": "Plus1PM", "ver": "1.4.4",
                "auth_en": self.password.is_some(),
            });
            return Some(Reply::good(info.to_string()));
        }
        if !self.lets_in(request) {
            self.nonce += 1;
            self.counted = 0;
            let challenge = format!(
                "Digest qop=\"auth\", realm=\"{REALM}\", nonce=\"{}\", algorithm=SHA-256",
                self.nonce
            );
            return Some(Reply::status(401, Some(("WWW-Authenticate", challenge))));
        }
        let method = request.path.strip_prefix("/rpc/")?;
        let params = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
        self.call(method, &params)
    }
}

fn sha256(text: &str) -> String {
    let digest = digest(&SHA256, text.as_bytes());
    digest.as_ref().iter().map(|b| format!("{b:02x}")).collect()
}
