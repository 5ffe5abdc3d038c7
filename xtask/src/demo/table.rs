//! The table at the end: mqttguard's own account of its devices, nothing of the script's.

use serde_json::Value;

use super::stage::{Stage, wrap_to};

/// Widest that a cell of running text may get, in characters.
const WIDEST: usize = 24;

const HEADINGS: [&str; 7] = [
    "device",
    "MAC",
    "address",
    "state",
    "what it tried",
    "what happened",
    "dropped, and why",
];

/// A cell: its lines.
type Cell = Vec<String>;

/// Prints `devices`: answers of the ubus method `device`.
pub(super) fn print(stage: &Stage, devices: &[Value]) {
    let mut rows: Vec<[Cell; 7]> = vec![HEADINGS.map(|heading| vec![heading.to_owned()])];
    rows.extend(devices.iter().flat_map(rows_of));
    let mut widths = [0; 7];
    for row in &rows {
        for (cell, width) in row.iter().zip(&mut widths) {
            let widest = cell.iter().map(|line| line.chars().count()).max();
            *width = widest.unwrap_or(0).max(*width);
        }
    }
    for (index, row) in rows.iter().enumerate() {
        let height = row.iter().map(Vec::len).max().unwrap_or(0);
        for line in 0..height {
            let cells: Vec<String> = row
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{:<width$}", cell.get(line).map_or("", |l| l)))
                .collect();
            let text = format!("   {}", cells.join("  "));
            let text = text.trim_end();
            stage.print(&if index == 0 {
                stage.paint("1", text)
            } else {
                text.to_owned()
            });
        }
    }
}

/// One row for each thing that a device did; the first tells who it is.
fn rows_of(device: &Value) -> Vec<[Cell; 7]> {
    let mut who = [
        vec![text(device, "name")],
        vec![text(device, "mac")],
        address(device).into_iter().collect(),
        vec![text(device, "state")],
    ];
    let mut deeds = deeds(device);
    if deeds.is_empty() {
        deeds.push(Deed::new("nothing", "", ""));
    }
    deeds
        .iter()
        .map(|deed| {
            let [name, mac, address, state] = std::mem::take(&mut who);
            let [tried, came, dropped] =
                [&deed.tried, &deed.came, &deed.dropped].map(|text| wrap_to(text, WIDEST));
            [name, mac, address, state, tried, came, dropped]
        })
        .collect()
}

/// One thing that a device did.
#[derive(Debug, PartialEq)]
struct Deed {
    tried: String,
    came: String,
    dropped: String,
}

impl Deed {
    fn new(tried: &str, came: &str, dropped: &str) -> Self {
        Self {
            tried: tried.to_owned(),
            came: came.to_owned(),
            dropped: dropped.to_owned(),
        }
    }
}

/// What a device tried and what came of it, by what mqttguard counted and remembers.
fn deeds(device: &Value) -> Vec<Deed> {
    let mut deeds = Vec::new();
    let connected = device.get("connected").and_then(Value::as_array);
    if let Some(client) = connected.and_then(|clients| clients.first()) {
        let tried = format!("MQTT {} over TLS", text(client, "protocol"));
        deeds.push(Deed::new(&tried, "let in", ""));
    }
    let refused = refused_logins(device);
    if refused > 0 {
        let came = format!("refused {refused} times").replace(" 1 times", " once");
        deeds.push(Deed::new("to log in", &came, ""));
    }
    for (reason, frames) in dropped(device) {
        let (tried, came) = match reason.as_str() {
            "plaintext-port" => ("MQTT in the clear", "stopped in the kernel"),
            "plaintext-connect" => ("the same on an odd port", "stopped in the kernel"),
            "plaintext-local" => ("MQTT in the clear to the router", "stopped in the kernel"),
            "quarantined" => ("MQTT while in quarantine", "stopped in the kernel"),
            reason if reason.starts_with("flood-") => ("a flood", "held to its limit"),
            reason => (reason, "stopped in the kernel"),
        };
        deeds.push(Deed::new(tried, came, &format!("{frames} {reason}")));
    }
    let why = device.get("why").and_then(Value::as_str);
    if let (Some(why), Some(deed)) = (why.filter(|why| !why.is_empty()), deeds.first_mut()) {
        deed.came
            .push_str(&format!(", {}: {why}", text(device, "state")));
    }
    // In the order of a story: in the clear, then elsewhere in the clear.
    deeds.sort_by_key(|deed| deed.tried.starts_with("the same"));
    deeds
}

/// Logins that were refused: counted against the device, or only told.
fn refused_logins(device: &Value) -> u64 {
    let events = device.get("events").and_then(Value::as_array);
    let told = events
        .into_iter()
        .flatten()
        .filter(|event| text(event, "event") == "login-refused")
        .count();
    let counted = device.pointer("/logins/failed").and_then(Value::as_u64);
    counted.unwrap_or(0).max(u64::try_from(told).unwrap_or(0))
}

/// Frames dropped, by reason.
pub(super) fn dropped(device: &Value) -> Vec<(String, u64)> {
    let Some(reasons) = device.get("dropped").and_then(Value::as_object) else {
        return Vec::new();
    };
    reasons
        .iter()
        .filter_map(|(reason, frames)| Some((reason.clone(), frames.as_u64()?)))
        .filter(|(_, frames)| *frames > 0)
        .collect()
}

fn text(value: &Value, field: &str) -> String {
    value
        .get(field)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

/// The device's first IPv4 address, or its first address.
fn address(device: &Value) -> Option<String> {
    let addresses = device.get("addresses")?.as_array()?;
    let mut texts = addresses.iter().filter_map(Value::as_str);
    let first = texts.clone().next();
    texts
        .find(|address| address.contains('.'))
        .or(first)
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_device_is_told_by_its_counters_and_events() {
        let device = json!({
            "name": "plug", "state": "quarantined", "why": "5 failed logins within a minute",
            "dropped": { "plaintext-connect": 4, "plaintext-port": 3, "flood-packets": 0 },
            "logins": { "failed": 5 }, "connected": [], "events": [{ "event": "login-refused" }],
        });
        assert_eq!(
            deeds(&device),
            [
                Deed::new(
                    "to log in",
                    "refused 5 times, quarantined: 5 failed logins within a minute",
                    ""
                ),
                Deed::new(
                    "MQTT in the clear",
                    "stopped in the kernel",
                    "3 plaintext-port"
                ),
                Deed::new(
                    "the same on an odd port",
                    "stopped in the kernel",
                    "4 plaintext-connect"
                ),
            ]
        );
    }

    #[test]
    fn a_device_is_named_once() {
        let device = json!({
            "name": "plug", "mac": "02:00:00:00:00:01", "state": "new",
            "addresses": ["fd77::1", "192.168.77.2"], "dropped": { "blocked": 1, "mqtt-sn": 1 },
        });
        let rows = rows_of(&device);
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0][2], ["192.168.77.2"]);
        assert!(rows[1][0].is_empty() && rows[1][3].is_empty());
    }
}
