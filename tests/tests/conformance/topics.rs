//! Topic names and filters (MQTT 5 section 4.7).

use mqttguard_tests::mqtt::packet::{Publish, Version};

use super::{client, name};

/// Publishes to each of the topics; those that arrive.
fn arriving<'a>(version: Version, filter: &str, topics: &[&'a str]) -> Vec<&'a str> {
    let mut reader = client(version, &name("topics", version));
    assert_eq!(
        reader.subscribe(filter, 0x20 * u8::from(version == Version::V5)),
        0
    );
    let mut writer = client(version, &name("topics-writer", version));
    reader.subscribe("the/end", 0);
    for topic in topics {
        writer.publish(Publish::new(topic, topic), 0);
    }
    writer.publish(Publish::new("the/end", "the/end"), 0);
    let mut found = Vec::new();
    loop {
        let delivery = reader.delivery();
        // MQTT-3.3.2-3: under the name that it was published to.
        assert_eq!(delivery.topic.as_bytes(), delivery.payload);
        if delivery.topic == "the/end" {
            return found;
        }
        // Retained messages of other tests are none of these.
        let known = topics.iter().find(|topic| **topic == delivery.topic);
        found.extend(known.filter(|_| !delivery.retain));
    }
}

/// v5: [MQTT-4.7.1-1] [MQTT-4.7.1-2] [MQTT-3.3.2-3] [MQTT-4.5.0-1]
/// v3: [MQTT-4.7.1-2] [MQTT-4.7.1-3] [MQTT-3.3.2-3] [MQTT-4.5.0-1]
#[test]
fn wildcards_match_what_the_standard_says() {
    let topics = [
        "m", "m/", "/m", "m/a", "m/a/b", "m/a/b/c", "m//b", "m/a/", "M/a", "mm/a", "n",
    ];
    for version in Version::ALL {
        for (filter, matching) in [
            (
                "m/#",
                &["m", "m/", "m/a", "m/a/b", "m/a/b/c", "m//b", "m/a/"][..],
            ),
            ("m/+", &["m/", "m/a"]),
            ("m/+/b", &["m/a/b", "m//b"]),
            ("m/+/#", &["m/", "m/a", "m/a/b", "m/a/b/c", "m//b", "m/a/"]),
            ("+/m", &["/m"]),
            ("/+", &["/m"]),
            ("m/a", &["m/a"]),
            ("+/a/+", &["m/a/b", "m/a/"]),
            ("m", &["m"]),
            ("+/+/+/+", &["m/a/b/c"]),
        ] {
            assert_eq!(arriving(version, filter, &topics), matching, "{filter}");
        }
    }
}

/// v5: [MQTT-4.7.2-1]
/// v3: [MQTT-4.7.2-1]
#[test]
fn dollar_topics_are_not_matched_by_a_wildcard_in_their_place() {
    // What the broker itself says there would be seen as well.
    for version in Version::ALL {
        for filter in ["#", "+/#", "+/broker/#", "+/+/+"] {
            let mut reader = client(version, &name("dollar", version));
            reader.subscribe(filter, 0);
            for answer in reader.rest() {
                let mqttguard_tests::mqtt::Answer::Publish(delivery) = answer else {
                    panic!("{answer:?}");
                };
                assert!(!delivery.topic.starts_with('$'), "{}", delivery.topic);
            }
        }
    }
}

/// v5: [MQTT-4.7.3-4] [MQTT-1.5.4-3]
/// v3: [MQTT-4.7.3-4] [MQTT-1.5.3-3]
#[test]
fn names_are_compared_byte_by_byte() {
    // Composed, decomposed, with a byte order mark, in another case, with a space.
    let names = [
        "é",
        "e\u{301}",
        "\u{feff}é",
        "É",
        "é ",
        " é",
        "\u{1F600}",
        "ß",
        "ss",
        "a//b",
        "a/b",
    ];
    for version in Version::ALL {
        for name in names {
            assert_eq!(arriving(version, name, &names), [name]);
        }
    }
}

/// v5: [MQTT-4.7.3-3]
/// v3: [MQTT-4.7.3-3]
#[test]
fn a_name_may_have_65535_bytes() {
    let longest = "n".repeat(65_535);
    for version in Version::ALL {
        assert_eq!(arriving(version, &longest, &[&longest]).len(), 1);
    }
}
