//! `uplift` sections.

use super::{FILE, mistakes, read};

const PLUG: &str = "02:c1:1e:17:00:01";
const METER: &str = "02:c1:1e:17:00:02";

fn section(name: &str, macs: &[&str], more: &str) -> String {
    let macs: String = macs
        .iter()
        .map(|mac| format!("\tlist mac '{mac}'\n"))
        .collect();
    format!("config uplift '{name}'\n\toption host 'mqtt.example.org'\n{macs}{more}")
}

#[test]
fn an_uplift_needs_devices_and_a_name_and_has_safe_defaults() {
    assert!(read("").uplifts.is_empty());
    let settings = read(&section("cloud", &[PLUG, METER], ""));
    let [uplift] = settings.uplifts.as_slice() else {
        panic!("{:?}", settings.uplifts);
    };
    assert_eq!((uplift.name.as_str(), uplift.port), ("cloud", 8883));
    assert_eq!(uplift.host, "mqtt.example.org");
    assert_eq!(
        uplift.ca,
        std::path::Path::new("/etc/ssl/certs/ca-certificates.crt")
    );
    let plug = PLUG.parse().unwrap();
    assert_eq!(settings.uplift(plug), Some(uplift));
    let off = read(&section("cloud", &[PLUG], "\toption enabled '0'\n"));
    assert_eq!(off.uplift(plug), None);
}

#[test]
fn what_an_uplift_cannot_do_is_told() {
    for (text, words) in [
        (section("x", &[], ""), "option mac: found nothing"),
        (section("x", &["ff:ff:ff:ff:ff:ff"], ""), "a device's MAC"),
        (section("x", &[PLUG], "\toption port '0'\n"), "a TCP port"),
        (
            section("x", &[PLUG], "\toption tls '1'\n"),
            "unknown in a 'uplift' section",
        ),
        (
            format!("config uplift 'x'\n\tlist mac '{PLUG}'\n"),
            "option host: found nothing",
        ),
    ] {
        let told = mistakes(&text).join("\n");
        assert!(told.contains(words), "{text}: {told}");
    }
}

#[test]
fn a_device_is_in_one_section_only_and_once() {
    let two = format!(
        "{}{}",
        section("a", &[PLUG], ""),
        section("b", &[METER, PLUG], "")
    );
    assert_eq!(
        mistakes(&two),
        [format!(
            "{FILE}:6: uplift 'b': option mac: found '{PLUG}', expected a device that uplift 'a' \
             does not name"
        )]
    );
    assert_eq!(mistakes(&section("a", &[PLUG, PLUG], "")).len(), 1);
    let off = section("a", &[PLUG], "\toption enabled '0'\n");
    assert!(mistakes(&format!("{off}{}", section("b", &[PLUG], ""))).is_empty());
}
