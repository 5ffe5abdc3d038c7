//! Events as ubus shows them.

use serde_json::{Map, Value};

use crate::json::json;

use crate::coded::Coded;

use super::{Event, EventKind, ImportChange, Mismatch, PairingChange, RotationEnd};

impl Event {
    /// As ubus shows it: `seq`, `time_ms`, `mac`, `name`, `event`, `severity`, `message`, and the
    /// fields of its kind.
    pub fn to_json(&self) -> Value {
        let mut out = Map::new();
        out.insert("seq".to_owned(), json!(self.seq));
        out.insert("time_ms".to_owned(), json!(self.time_ms));
        if let Some(mac) = self.mac {
            out.insert("mac".to_owned(), json!(mac.to_string()));
        }
        if let Some(name) = &self.name {
            out.insert("name".to_owned(), json!(name));
        }
        out.insert("event".to_owned(), json!(self.kind.code()));
        out.insert("severity".to_owned(), json!(self.kind.severity().name()));
        out.insert("message".to_owned(), json!(self.message()));
        self.kind.fields(&mut out);
        out.retain(|_, value| !value.is_null());
        Value::Object(out)
    }
}

impl EventKind {
    fn fields(&self, out: &mut Map<String, Value>) {
        let mut put = |key: &str, value: Value| {
            out.insert(key.to_owned(), value);
        };
        match self {
            EventKind::DeviceSeen { address, source } => {
                put("address", json!(address));
                put("source", json!(source));
            }
            EventKind::DeviceGone => {}
            EventKind::StateChanged { from, to, why } => {
                put("from", json!(from));
                put("to", json!(to));
                put("why", json!(why.to_string()));
                put_coded(out, why);
            }
            EventKind::Enrolled { username } => put("username", json!(username)),
            EventKind::Pairing { change } => match change {
                PairingChange::Opened { until_ms } => put("until_ms", json!(until_ms)),
                PairingChange::Done { username, weak } => {
                    put("username", json!(username));
                    put("weak", json!(weak));
                }
                PairingChange::Cancelled | PairingChange::Expired => {}
            },
            EventKind::Import { change } => match change {
                ImportChange::Opened { count, until_ms } => {
                    put("count", json!(count));
                    put("until_ms", json!(until_ms));
                }
                ImportChange::Cancelled { username } => put("username", json!(username)),
                ImportChange::Expired { usernames } => put("usernames", json!(usernames)),
            },
            EventKind::Rotated { username, until_ms } => {
                put("username", json!(username));
                put("until_ms", json!(until_ms));
            }
            EventKind::Pushed {
                firmware,
                address,
                failure,
            } => {
                put("firmware", json!(firmware));
                put("address", json!(address));
                put("failure", json!(failure.as_ref().map(ToString::to_string)));
                put("cause", json!(failure.as_ref().map(Coded::to_json)));
            }
            EventKind::RotationEnded { username, how } => {
                put("username", json!(username));
                put("used", json!(*how == RotationEnd::Used));
            }
            EventKind::Revoked { username } => put("username", json!(username)),
            EventKind::CertificateIssued { serial, until_ms } => {
                put("serial", json!(serial));
                put("until_ms", json!(until_ms));
            }
            EventKind::Frame {
                reason,
                dropped,
                destination,
                port,
                count,
                rejected,
                mismatch,
            } => {
                put("reason", json!(reason.name()));
                put("dropped", json!(dropped));
                put("rejected", json!(rejected));
                if let Some(Mismatch { found, expected }) = mismatch {
                    put("found", json!(found));
                    put("expected", json!(expected));
                }
                put("destination", json!(destination));
                put("port", json!(port));
                put("count", json!(count));
            }
            EventKind::Exception {
                change: _,
                section,
                destination,
                port,
                until_ms,
            } => {
                put("exception", json!(section));
                put("destination", json!(destination.map(|to| to.to_string())));
                put("port", json!(port));
                put("until_ms", json!(until_ms));
            }
            EventKind::Binding { interface, missing } => {
                put("interface", json!(interface));
                put("why", json!(missing));
            }
            EventKind::Connected {
                client_id,
                protocol,
                address,
            } => {
                put("client_id", json!(client_id));
                put("protocol", json!(protocol));
                put("address", json!(address));
            }
            EventKind::Disconnected { client_id, why } => {
                put("client_id", json!(client_id));
                put("why", json!(why.to_string()));
                put_coded(out, why);
            }
            EventKind::LoginRefused {
                username,
                address,
                why,
            } => {
                put("username", json!(username));
                put("address", json!(address));
                put("why", json!(why.text()));
                put("code", json!(why.code()));
            }
            EventKind::TopicRefused {
                client_id,
                access,
                topic,
                profile,
                suppressed,
            } => {
                put("client_id", json!(client_id));
                put("access", json!(access));
                put("topic", json!(topic));
                put("profile", json!(profile));
                put("suppressed", json!(suppressed));
            }
            EventKind::Memory {
                pressure,
                used,
                allowed,
            } => {
                put("pressure", json!(pressure));
                put("used", json!(used));
                put("allowed", json!(allowed));
            }
            EventKind::LimitMet {
                client_id,
                limit,
                allowed,
            } => {
                put("client_id", json!(client_id));
                put("limit", json!(limit));
                put("allowed", json!(allowed));
            }
            EventKind::ProtocolError {
                address,
                packet,
                what,
            } => {
                put("address", json!(address));
                put("packet", json!(packet));
                put("what", json!(what));
            }
            EventKind::Enforcement {
                interface,
                what,
                detail,
                notes,
            } => {
                put("interface", json!(interface));
                put("what", json!(what));
                put("detail", json!(detail));
                put("notes", json!(listed(notes)));
            }
            EventKind::Fallback(standin) => {
                put("what", json!(standin.what()));
                put("detail", json!(standin.to_string()));
                put_coded(out, standin);
            }
            EventKind::SourceChanged { source, up, detail } => {
                put("source", json!(source));
                put("up", json!(up));
                put("detail", json!(detail));
            }
            EventKind::ConfigLoaded { file } => put("file", json!(file)),
            EventKind::ConfigRefused { errors } => put("errors", json!(errors)),
            EventKind::BridgeLink { bridge, up, detail } => {
                put("bridge", json!(bridge));
                put("up", json!(up));
                put("detail", json!(detail));
            }
            EventKind::BridgeTrouble { bridge, detail } => {
                put("bridge", json!(bridge));
                put("detail", json!(detail));
            }
            EventKind::Uplift {
                section,
                destination,
                server,
                refused,
                count,
            } => {
                put("section", json!(section));
                put("destination", json!(destination.ip()));
                put("port", json!(destination.port()));
                put("server", json!(server));
                put("why", json!(refused));
                put("count", json!(count));
            }
            EventKind::UpliftReady { ready, detail } => {
                put("ready", json!(ready));
                put("detail", json!(detail));
            }
            EventKind::Mud(change) => {
                for (name, value) in change.fields() {
                    put(name, value);
                }
            }
            EventKind::Journal(news) => {
                put("detail", json!(news.to_string()));
                put_coded(out, news);
            }
            EventKind::Listening {
                listener,
                up,
                detail,
            } => {
                put("listener", json!(listener));
                put("up", json!(up));
                put("detail", json!(detail));
            }
        }
    }
}

/// As [`Coded::to_json`] each.
fn listed<T: Coded>(told: &[T]) -> Vec<Value> {
    told.iter().map(Coded::to_json).collect()
}

/// The code and the values of what else is told by them.
fn put_coded(out: &mut Map<String, Value>, told: &impl Coded) {
    out.insert("code".to_owned(), json!(told.code()));
    for (name, value) in told.values() {
        out.insert(name.to_owned(), value);
    }
}
