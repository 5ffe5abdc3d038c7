//! What is set on devices whose firmware takes settings over the network: the one table for what
//! people paste and for what `push` sends.

use serde_json::Value;

use crate::json::json;

use super::Target;
use super::pin;

/// Where OpenBeken finds the router's CA certificate; it has room for 19 bytes.
pub(crate) const OPENBEKEN_CA_FILE: &str = "mqttguard.pem";
/// Shelly's name for the CA that its owner brings.
const SHELLY_CA: &str = "user_ca.pem";

/// A command, or the field of a form, and its value.
pub(crate) type Setting = (&'static str, String);

/// Tasmota's commands. The server comes last: until then the device stays where it is.
///
/// Without `tls` they switch it off; a build that has none ignores that.
pub(crate) fn tasmota(target: &Target<'_>, port: u16, tls: bool) -> Vec<Setting> {
    let mut commands = vec![
        ("SetOption3", "1".to_owned()),
        ("SetOption103", u8::from(tls).to_string()),
    ];
    if tls {
        // By fingerprint, since the authorities that it trusts are built in. Both: a slot that is
        // all zeros or all ones lets any key pass.
        let key = |slot: usize| target.keys.get(slot).map_or(pin::NOBODY, String::as_str);
        commands.push(("SetOption132", "1".to_owned()));
        commands.push(("MqttFingerprint1", key(0).to_owned()));
        commands.push(("MqttFingerprint2", key(1).to_owned()));
    }
    commands.push(("MqttUser", target.username.to_owned()));
    commands.push(("MqttPassword", target.password.to_owned()));
    commands.push(("Topic", target.name.to_owned()));
    commands.push(("MqttPort", port.to_string()));
    commands.push(("MqttHost", target.server.to_owned()));
    commands
}

/// Commands in one line. `Backlog0` does not wait between them, and no restart comes in between.
pub(crate) fn backlog(commands: &[Setting]) -> String {
    let command = |(name, value): &Setting| format!("{name} {}", one_word(value));
    let all: Vec<String> = commands.iter().map(command).collect();
    format!("Backlog0 {}", all.join("; "))
}

/// The value without what would end a command.
fn one_word(value: &str) -> String {
    let ends = |c: char| c == ';' || c == '"' || c == '\\' || c.is_control();
    value.replace(ends, "")
}

/// The fields of OpenBeken's form `/cfg_mqtt_set`: there is no command for the port, nor for TLS.
/// Fields that are left out are left as they are, but for TLS, which is then off.
pub(crate) fn openbeken(target: &Target<'_>, port: u16, tls: bool) -> Vec<Setting> {
    let mut fields = vec![
        ("host", target.server.to_owned()),
        ("port", port.to_string()),
        ("client", target.name.to_owned()),
        ("user", target.username.to_owned()),
        ("password", target.password.to_owned()),
    ];
    if tls {
        fields.push(("mqtt_use_tls", "1".to_owned()));
        fields.push(("mqtt_verify_tls_cert", "1".to_owned()));
        fields.push(("mqtt_cert_file", OPENBEKEN_CA_FILE.to_owned()));
    }
    fields
}

/// A query (`application/x-www-form-urlencoded`); everything but RFC 3986's unreserved characters
/// is encoded.
pub(crate) fn query(fields: &[(&str, &str)]) -> String {
    let mut out = String::new();
    for (name, value) in fields {
        if !out.is_empty() {
            out.push('&');
        }
        out.push_str(name);
        out.push('=');
        for byte in value.bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    out.push(char::from(byte));
                }
                _ => out.push_str(&format!("%{byte:02X}")),
            }
        }
    }
    out
}

/// Shelly's calls: the CA, the settings.
pub(crate) fn shelly(target: &Target<'_>, port: u16) -> [(&'static str, Value); 2] {
    [
        (SHELLY_UPLOAD, json!({ "data": target.ca, "append": false })),
        (
            "MQTT.SetConfig",
            json!({ "config": {
                "enable": true,
                "server": format!("{}:{port}", target.server),
                "user": target.username,
                "pass": target.password,
                "topic_prefix": target.name,
                "ssl_ca": SHELLY_CA,
                "status_ntf": true,
                "rpc_ntf": true,
            } }),
        ),
    ]
}

/// The call that brings Shelly a CA, as a whole or in pieces.
pub(crate) const SHELLY_UPLOAD: &str = "Shelly.PutUserCA";

/// The call that makes Shelly's settings take hold, where it asks for that.
pub(crate) const SHELLY_RESTART: &str = "Shelly.Reboot";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_back_as_it_was_meant() {
        assert_eq!(
            query(&[("user", "a b"), ("password", "1&2=3%;+é/\"")]),
            "user=a%20b&password=1%262%3D3%25%3B%2B%C3%A9%2F%22"
        );
    }
}
