use serde_json::Value;

use crate::daemon::facts;
use crate::daemon::wiring::Daemon;
use crate::json::json;
use crate::report::{Concern, Finding, Item, NOTES, Sentence, Standard};

/// Devices listed with one item: an answer on the bus has an end.
const DEVICES: usize = 64;

/// `report`: the house held against security baselines.
pub(in crate::daemon) fn against_standards(daemon: &Daemon) -> Value {
    let house = &facts::house(daemon);
    let items = Standard::ALL.into_iter().flat_map(|standard| {
        let items = standard.items().iter();
        items.map(move |item| shown(standard, item, &item.judge(house)))
    });
    json!({
        "made_ms": house.now_ms,
        "version": env!("CARGO_PKG_VERSION"),
        "notes": NOTES.map(|note| sentence(&note.into())),
        "standards": Standard::ALL.map(|standard| {
            json!({ "id": standard.id(), "name": standard.name() })
        }),
        "items": items.collect::<Vec<_>>(),
    })
}

fn shown(standard: Standard, item: &Item, finding: &Finding) -> Value {
    let mut out = json!({
        "id": item.id,
        "standard": standard.id(),
        "clause": item.clause,
        "title": sentence(&item.title.into()),
        "verdict": finding.verdict.name(),
        "says": finding.says.iter().map(sentence).collect::<Vec<_>>(),
        "devices": finding.devices.iter().take(DEVICES).map(concern).collect::<Vec<_>>(),
        "acts": finding.acts.iter().map(|act| json!({
            "text": act.text().0,
            "page": act.page().name(),
        })).collect::<Vec<_>>(),
    });
    let more = finding.devices.len().saturating_sub(DEVICES);
    if let Some(out) = out.as_object_mut().filter(|_| more > 0) {
        out.insert("more".to_owned(), json!(more));
    }
    out
}

fn concern(concern: &Concern) -> Value {
    json!({
        "mac": concern.mac.to_string(),
        "name": concern.name,
        "why": sentence(&concern.why),
    })
}

fn sentence(sentence: &Sentence) -> Value {
    match sentence.values.as_slice() {
        [] => json!({ "text": sentence.text.0 }),
        values => json!({ "text": sentence.text.0, "values": values }),
    }
}
