//! A device has its own topics and no others, and every refusal is seen.

use mqttguard_tests::house::{enrol, guarded, guarded_with};
use serde_json::Value;

#[test]
fn a_publish_outside_the_profile_is_refused_and_told() {
    let (lab, guard) = guarded(&["lamp", "plug"]);
    let (lamp, plug) = (enrol(&guard, "lamp"), enrol(&guard, "plug"));
    let ears = lab.device(1).client(&plug).subscribe("plug/#", 1).unwrap();
    let outcome = lab
        .device(0)
        .client(&lamp)
        .v5()
        .publish("plug/switch", "off", 1)
        .unwrap();
    // The client is told in the PUBACK, says so, and ends well.
    assert!(outcome.complaint.contains("Not authorized"), "{outcome:?}");
    let event = guard
        .wait_event("topic-refused", Some(&lab.device(0).mac_text()))
        .unwrap();
    let message = event.get("message").and_then(Value::as_str).unwrap();
    assert!(message.contains("plug/switch"), "{event}");
    // The plug hears its own next message first: the lamp's never came.
    lab.device(1)
        .client(&plug)
        .publish("plug/switch", "on", 1)
        .unwrap();
    assert_eq!(ears.finish().unwrap(), ["plug/switch on"]);
}

#[test]
fn a_subscription_outside_the_profile_is_refused_and_told() {
    let (lab, guard) = guarded(&["lamp"]);
    let lamp = enrol(&guard, "lamp");
    for filter in ["plug/#", "#", "+/state"] {
        for v5 in [false, true] {
            let client = lab.device(0).client(&lamp);
            let client = if v5 { client.v5() } else { client };
            let granted = client.subscribe(filter, 1).unwrap().granted();
            // Failure in MQTT 3.1.1 (section 3.9.3), Not authorized in MQTT 5.
            assert_eq!(granted, Some(if v5 { 0x87 } else { 0x80 }), "{filter}");
        }
    }
    guard
        .wait_event("topic-refused", Some(&lab.device(0).mac_text()))
        .unwrap();
}

#[test]
fn a_profile_is_what_the_owner_wrote() {
    let (lab, guard) = guarded_with(
        &["lamp"],
        "\toption profile 'meter'\n",
        "config profile 'meter'\n\tlist publish 'energy/%d/+'\n\tlist subscribe 'price/#'\n",
    );
    let lamp = enrol(&guard, "lamp");
    let client = lab.device(0).client(&lamp).v5();
    let good = client.publish("energy/lamp/power", "5", 1).unwrap();
    assert!(good.succeeded() && good.complaint.is_empty(), "{good:?}");
    for topic in ["energy/plug/power", "energy/lamp/power/now", "lamp/state"] {
        let outcome = client.publish(topic, "5", 1).unwrap();
        assert!(
            outcome.complaint.contains("Not authorized"),
            "{topic}: {outcome:?}"
        );
    }
    assert_eq!(client.subscribe("price/now", 1).unwrap().granted(), Some(1));
    assert_eq!(
        client.subscribe("energy/lamp/power", 1).unwrap().granted(),
        Some(0x87)
    );
}

#[test]
fn a_retained_message_waits_for_its_subscriber() {
    let (lab, guard) = guarded(&["lamp"]);
    let client_of = enrol(&guard, "lamp");
    let client = lab.device(0).client(&client_of);
    assert!(
        client
            .publish_retained("lamp/state", "on")
            .unwrap()
            .succeeded()
    );
    let subscription = client.subscribe("lamp/state", 1).unwrap();
    assert_eq!(subscription.finish().unwrap(), ["lamp/state on"]);
}
