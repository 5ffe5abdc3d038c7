//! The table at the end: mqttguard's own account of its devices, nothing of the script's.

use serde_json::Value;

use super::stage::{Stage, wrap_to};

/// Widest a column may get, in characters.
const WIDEST: usize = 34;

const HEADINGS: [&str; 7] = [
    "device",
    "MAC",
    "address",
    "state",
    "what it tried",
    "what happened",
    "dropped, and why",
];

/// Prints `devices`, the answer of the ubus method of that name.
pub(super) fn print(stage: &Stage, devices: &[Value]) {
    let mut rows: Vec<[Vec<String>; 7]> = vec![HEADINGS.map(|heading| vec![heading.to_owned()])];
    rows.extend(devices.iter().map(row));
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

fn row(device: &Value) -> [Vec<String>; 7] {
    let (tried, happened) = account(device);
    [
        vec![text(device, "name")],
        vec![text(device, "mac")],
        list(device, "addresses"),
        vec![text(device, "state")],
        fold(&tried),
        fold(&happened),
        dropped(device)
            .iter()
            .map(|(reason, frames)| format!("{frames} {reason}"))
            .collect(),
    ]
}

/// What a device tried and what came of it, by what mqttguard counted.
fn account(device: &Value) -> (Vec<String>, Vec<String>) {
    let (mut tried, mut happened) = (Vec::new(), Vec::new());
    let connected = device.get("connected").and_then(Value::as_array);
    if let Some(clients) = connected.filter(|clients| !clients.is_empty()) {
        let protocol = clients
            .first()
            .map(|client| text(client, "protocol"))
            .unwrap_or_default();
        tried.push(format!("MQTT {protocol} to the router"));
        happened.push("let in, as itself".to_owned());
    }
    for (reason, frames) in dropped(device) {
        let (what, came) = match reason.as_str() {
            "plaintext-port" => ("MQTT in the clear, port 1883", "dropped in the kernel"),
            "plaintext-connect" => ("MQTT in the clear, odd port", "dropped in the kernel"),
            "plaintext-local" => ("MQTT in the clear to the router", "dropped in the kernel"),
            "quarantined" => ("MQTT while in quarantine", "dropped in the kernel"),
            reason if reason.starts_with("flood-") => ("a flood", "held to its limit"),
            _ => (reason.as_str(), "dropped in the kernel"),
        };
        tried.push(what.to_owned());
        happened.push(format!("{came}, {frames} frames"));
    }
    let failed = device
        .pointer("/logins/failed")
        .and_then(Value::as_u64)
        .unwrap_or(0);
    if failed > 0 {
        tried.push("to log in".to_owned());
        happened.push(format!("refused {failed} times"));
    }
    if let Some(why) = device
        .get("why")
        .and_then(Value::as_str)
        .filter(|why| !why.is_empty())
    {
        happened.push(format!("{}: {why}", text(device, "state")));
    }
    (tried, happened)
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

fn list(value: &Value, field: &str) -> Vec<String> {
    let items = value.get(field).and_then(Value::as_array);
    items
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .filter(|address| !address.starts_with("fe80"))
        .map(str::to_owned)
        .collect()
}

/// Sentences as lines of a cell.
fn fold(sentences: &[String]) -> Vec<String> {
    sentences
        .iter()
        .flat_map(|sentence| wrap_to(sentence, WIDEST))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_device_is_told_by_its_counters() {
        let device = json!({
            "name": "plug", "state": "quarantined", "why": "5 failed logins in a minute",
            "dropped": { "plaintext-port": 3, "flood-packets": 0 },
            "logins": { "failed": 5 }, "connected": [],
        });
        let (tried, happened) = account(&device);
        assert_eq!(tried, ["MQTT in the clear, port 1883", "to log in"]);
        assert_eq!(
            happened,
            [
                "dropped in the kernel, 3 frames",
                "refused 5 times",
                "quarantined: 5 failed logins in a minute"
            ]
        );
    }
}
