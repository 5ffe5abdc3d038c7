//! What can be amiss in a house, and where it shows.

use mqttguard_common::Mac;

use super::super::{Exception, House, Protection, Verdict};
use super::{DAY, NOW};
use crate::config::{Bindings, Mode};
use crate::registry::State;

pub(super) type Change = fn(&mut House);

const PARTLY: Verdict = Verdict::Partly;
const OPEN: Verdict = Verdict::Open;

/// Items, what is amiss, what they come to then, and for which devices.
pub(super) const AMISS: &[(&[&str], Change, Verdict, &[&str])] = &[
    // Credentials.
    (
        &[
            "etsi-5.1-1",
            "etsi-5.4-4",
            "etsi-5.12-1",
            "nist-interface-access-control-2c",
            "owasp-i1",
            "owasp-i8",
        ],
        |house| {
            house.members[1].credential = None;
            house.members[1].failed_logins = 1;
        },
        PARTLY,
        &["plug"],
    ),
    (
        &[
            "etsi-5.1-1",
            "etsi-5.4-4",
            "nist-interface-access-control-2c",
            "owasp-i1",
        ],
        |house| {
            for member in &mut house.members {
                member.credential = None;
                member.plaintext = 1;
            }
        },
        OPEN,
        &["lamp", "plug", "laptop"],
    ),
    (
        &[
            "etsi-5.1-1",
            "etsi-5.4-4",
            "etsi-5.5-4",
            "nist-interface-access-control-1",
            "owasp-i1",
            "owasp-i3",
            "owasp-i9",
        ],
        |house| house.members[0].roaming = true,
        PARTLY,
        &["lamp"],
    ),
    (
        &[
            "etsi-5.1-1",
            "etsi-5.5-4",
            "nist-interface-access-control-1",
            "owasp-i3",
        ],
        |house| house.foreign_users = Some(true),
        PARTLY,
        &[],
    ),
    (
        &["etsi-5.1-2", "owasp-i1"],
        |house| weak(house, 1),
        PARTLY,
        &["plug"],
    ),
    (
        &["etsi-5.1-2"],
        |house| {
            weak(house, 0);
            weak(house, 1);
        },
        OPEN,
        &["lamp", "plug"],
    ),
    (
        &[
            "etsi-5.1-3",
            "etsi-5.5-1",
            "etsi-5.5-6",
            "etsi-5.6-1",
            "etsi-5.8-1",
            "nist-data-protection-3",
            "nist-interface-access-control-1",
            "owasp-i2",
            "owasp-i3",
            "owasp-i7",
            "owasp-i9",
        ],
        |house| house.members[1].island = true,
        PARTLY,
        &["plug"],
    ),
    (
        &["etsi-5.1-3", "etsi-5.5-1", "etsi-5.5-6"],
        |house| {
            house.members[0].in_clear = true;
            house.members[1].in_clear = true;
        },
        OPEN,
        &["lamp", "plug"],
    ),
    (
        &["etsi-5.1-3", "etsi-5.5-6", "owasp-i3"],
        |house| house.foreign_users = Some(false),
        PARTLY,
        &[],
    ),
    (
        &["etsi-5.1-3", "etsi-5.5-6"],
        |house| house.broker.as_mut().unwrap().encrypted = 0,
        OPEN,
        &[],
    ),
    (
        &["etsi-5.1-4", "etsi-5.5-8"],
        |house| house.members[1].credential.as_mut().unwrap().two_passwords = true,
        PARTLY,
        &["plug"],
    ),
    (
        &["etsi-5.1-5", "owasp-i1", "owasp-i9"],
        |house| house.login_failures = 1000,
        PARTLY,
        &[],
    ),
    (
        &["etsi-5.5-8"],
        |house| certificate(house, NOW + 10 * DAY),
        PARTLY,
        &["lamp"],
    ),
    (
        &["etsi-5.5-8"],
        |house| certificate(house, NOW),
        PARTLY,
        &["lamp"],
    ),
    // What leaves in the clear.
    (
        &[
            "etsi-5.5-1",
            "etsi-5.8-1",
            "nist-data-protection-3",
            "owasp-i7",
        ],
        |house| {
            house.members[1].in_encrypted = false;
            house.members[1].plaintext = 3;
        },
        PARTLY,
        &["plug"],
    ),
    (
        &[
            "etsi-5.5-1",
            "etsi-5.5-6",
            "etsi-5.8-1",
            "nist-data-protection-3",
            "owasp-i6",
            "owasp-i7",
        ],
        |house| except(house, Some(2)),
        PARTLY,
        &["plug"],
    ),
    (
        &["etsi-5.5-1", "etsi-5.5-6", "owasp-i6"],
        |house| except(house, None),
        PARTLY,
        &[],
    ),
    (
        &["etsi-5.5-1", "etsi-5.5-6", "owasp-i6"],
        |house| except(house, Some(99)),
        PARTLY,
        &[],
    ),
    (
        &[
            "etsi-5.5-1",
            "etsi-5.5-6",
            "etsi-5.8-1",
            "nist-data-protection-3",
            "owasp-i6",
            "owasp-i7",
        ],
        |house| house.plain_bridges.push("cloud".to_owned()),
        PARTLY,
        &[],
    ),
    (
        &["etsi-5.5-1"],
        |house| house.uplift_problem = Some("no nft".to_owned()),
        PARTLY,
        &[],
    ),
    // The guard.
    (
        &[
            "etsi-5.3-15",
            "etsi-5.5-1",
            "etsi-5.5-6",
            "etsi-5.8-1",
            "etsi-5.9-1",
            "nist-data-protection-3",
            "nist-interface-access-control-2b",
            "owasp-i6",
            "owasp-i7",
            "owasp-i9",
        ],
        |house| house.mode = Mode::Monitor,
        OPEN,
        &[],
    ),
    (
        &[
            "etsi-5.3-15",
            "etsi-5.5-1",
            "etsi-5.9-1",
            "etsi-5.10-1",
            "nist-interface-access-control-2b",
            "nist-cybersecurity-state-awareness-1",
            "owasp-i9",
        ],
        |house| house.enabled = false,
        OPEN,
        &[],
    ),
    (
        &[
            "etsi-5.3-15",
            "etsi-5.5-1",
            "etsi-5.9-1",
            "etsi-5.10-1",
            "nist-interface-access-control-2b",
            "nist-cybersecurity-state-awareness-1",
        ],
        |house| unprotected(house, Protection::None),
        OPEN,
        &[],
    ),
    (
        &[
            "etsi-5.3-15",
            "etsi-5.5-1",
            "etsi-5.9-1",
            "etsi-5.10-1",
            "nist-interface-access-control-2b",
            "nist-cybersecurity-state-awareness-1",
        ],
        |house| unprotected(house, Protection::Reduced),
        PARTLY,
        &[],
    ),
    (
        &["etsi-5.5-1"],
        |house| unprotected(house, Protection::Closed),
        PARTLY,
        &[],
    ),
    (
        &["etsi-5.5-1", "owasp-i9"],
        |house| house.detection.connect = false,
        PARTLY,
        &[],
    ),
    (
        &["etsi-5.5-1", "owasp-i9"],
        |house| house.detection.websocket = false,
        PARTLY,
        &[],
    ),
    (
        &["etsi-5.5-1", "owasp-i9"],
        |house| house.detection.mqtt_sn = false,
        PARTLY,
        &[],
    ),
    (
        &["etsi-5.9-1", "owasp-i9"],
        |house| house.floods_quarantine = false,
        PARTLY,
        &[],
    ),
    (
        &["etsi-5.9-1", "owasp-i8"],
        |house| house.members[1].state = State::Quarantined,
        PARTLY,
        &["plug"],
    ),
    (
        &["nist-interface-access-control-2b"],
        |house| {
            house.bindings = Bindings::Report;
            house.members[2].mismatches = 1;
        },
        PARTLY,
        &["laptop"],
    ),
    (
        &["nist-interface-access-control-2b", "owasp-i9"],
        |house| house.bindings = Bindings::Off,
        PARTLY,
        &[],
    ),
    // The router.
    (
        &[
            "etsi-5.1-3",
            "etsi-5.1-5",
            "etsi-5.5-4",
            "etsi-5.6-1",
            "etsi-5.9-2",
            "etsi-5.13-1",
            "nist-asset-identification-1",
            "nist-interface-access-control-1",
            "nist-interface-access-control-2a",
            "owasp-i2",
            "owasp-i3",
        ],
        |house| house.broker = None,
        OPEN,
        &[],
    ),
    (
        &["etsi-5.6-1", "nist-interface-access-control-1", "owasp-i2"],
        |house| house.broker.as_mut().unwrap().plain = true,
        PARTLY,
        &[],
    ),
    (
        &["etsi-5.13-1", "nist-interface-access-control-2a"],
        |house| house.broker.as_mut().unwrap().broken.push("web".to_owned()),
        PARTLY,
        &[],
    ),
    (
        &["etsi-5.5-4", "nist-interface-access-control-1", "owasp-i3"],
        |house| {
            house
                .broker
                .as_mut()
                .unwrap()
                .any_origin
                .push("web".to_owned())
        },
        PARTLY,
        &[],
    ),
    (
        &["etsi-5.9-2"],
        |house| house.broker.as_mut().unwrap().on_disk = false,
        PARTLY,
        &[],
    ),
    (
        &["etsi-5.9-2"],
        |house| house.broker.as_mut().unwrap().journal_trouble = Some("full".to_owned()),
        OPEN,
        &[],
    ),
    (
        &[
            "etsi-5.1-4",
            "etsi-5.4-1",
            "etsi-5.5-4",
            "etsi-5.5-5",
            "etsi-5.5-8",
            "etsi-5.11",
            "nist-asset-identification-2",
            "nist-product-configuration-1",
            "nist-data-protection-1",
            "nist-data-protection-2",
            "owasp-i7",
            "owasp-i8",
        ],
        |house| house.registry_trouble = Some("no room".to_owned()),
        OPEN,
        &[],
    ),
    (
        &["nist-asset-identification-2", "owasp-i8"],
        |house| house.silent_sources.push("neighbours"),
        PARTLY,
        &[],
    ),
    (
        &["etsi-5.12-1", "nist-product-configuration-3", "owasp-i8"],
        |house| house.mistakes = 2,
        OPEN,
        &[],
    ),
    (
        &["etsi-5.12-3", "nist-product-configuration-2"],
        |house| house.mistakes = 2,
        PARTLY,
        &[],
    ),
    (
        &["nist-product-configuration-3"],
        |house| house.at_next_start = 1,
        PARTLY,
        &[],
    ),
];

fn weak(house: &mut House, at: usize) {
    house.members[at].credential.as_mut().unwrap().weak = true;
}

pub(super) fn certificate(house: &mut House, until: u64) {
    house.members[0]
        .credential
        .as_mut()
        .unwrap()
        .certificate_until_ms = Some(until);
}

fn except(house: &mut House, number: Option<u8>) {
    house.exceptions.push(Exception {
        mac: number.map(|number| Mac([2, 0, 0, 0, 0, number])),
        destination: Some("203.0.113.9/32".to_owned()),
    });
}

fn unprotected(house: &mut House, protection: Protection) {
    house.protection = protection;
    house.sees = false;
    house
        .problems
        .push("lan1 has frames that the kernel program does not see".to_owned());
}
