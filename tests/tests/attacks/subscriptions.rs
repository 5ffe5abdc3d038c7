//! Subscriptions without measure.

use std::time::{Duration, Instant};

use mqttguard_tests::mqtt::packet::{Publish, Subscribe};

use super::Scene;

/// What one client may have here.
const ALLOWED: usize = 1000;

#[test]
fn twenty_thousand_filters_in_one_subscribe() {
    let scene = Scene::new();
    let mut client = scene.client("filters");
    let mut subscribe = Subscribe::new(1);
    for n in 0..20_000 {
        subscribe = subscribe.to(format!("filters/{n}"), 0);
    }
    let codes = client.subscribe_with(subscribe, 1);
    let expected: Vec<u8> = (0..20_000)
        .map(|n| if n < ALLOWED { 0 } else { 0x97 })
        .collect();
    assert_eq!(codes, expected);
    scene.held();
}

#[test]
fn two_hundred_thousand_subscriptions_by_one_client() {
    let scene = Scene::new();
    let mut client = scene.client("many");
    for round in 0..100u16 {
        let mut subscribe = Subscribe::new(round + 1);
        for n in 0..2000 {
            subscribe = subscribe.to(format!("many/{round}/{n}/+"), 0);
        }
        let codes = client.subscribe_with(subscribe, round + 1);
        let taken = codes.iter().filter(|code| **code == 0).count();
        assert_eq!(taken, if round == 0 { ALLOWED } else { 0 });
    }
    scene.held();
}

/// Filters that all match, and branch twice at each of twelve levels.
#[test]
fn thousands_of_overlapping_filters_of_twelve_levels() {
    let scene = Scene::new();
    let topic = ["a"; 12].join("/");
    let filters: Vec<String> = (0..4096u32)
        .map(|bits| {
            let level = |n: u32| if bits >> n & 1 == 0 { "a" } else { "+" };
            (0..12).map(level).collect::<Vec<_>>().join("/")
        })
        .collect();
    let mut members: Vec<_> = filters
        .chunks(ALLOWED)
        .enumerate()
        .map(|(n, filters)| {
            let mut member = scene.client(&format!("overlap-{n}"));
            let mut subscribe = Subscribe::new(1);
            for filter in filters {
                subscribe = subscribe.to(filter, 0);
            }
            assert!(
                member
                    .subscribe_with(subscribe, 1)
                    .iter()
                    .all(|code| *code == 0)
            );
            member
        })
        .collect();
    let mut writer = scene.client("overlap-writer");
    let start = Instant::now();
    for _ in 0..100 {
        writer.publish(Publish::new(&topic, "x"), 0);
        for member in &mut members {
            assert_eq!(member.receive().payload, b"x");
        }
    }
    let taken = start.elapsed();
    assert!(taken < Duration::from_secs(5), "{taken:?}");
    // One copy each: nothing is left over.
    for member in &mut members {
        assert_eq!(member.ping(), []);
    }
    scene.held();
}
