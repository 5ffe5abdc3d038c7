//! OWASP Internet of Things Top 10, 2018. It lists weaknesses: that an item holds means that the house
//! does not have it, as far as the router can tell.

use super::Item;
use super::judge;
use super::texts::Text;

/// In the order of the document.
pub(super) const ITEMS: &[Item] = &[
    Item {
        id: "owasp-i1",
        clause: "I1",
        title: Text("No password is weak, or the same everywhere"),
        judge: judge::passwords,
    },
    Item {
        id: "owasp-i2",
        clause: "I2",
        title: Text("No service is needless, or unsafe"),
        judge: judge::few_services,
    },
    Item {
        id: "owasp-i3",
        clause: "I3",
        title: Text("No interface around the devices lets anybody in"),
        judge: judge::interfaces,
    },
    Item {
        id: "owasp-i4",
        clause: "I4",
        title: Text("Devices are updated in a safe way"),
        judge: judge::updates,
    },
    Item {
        id: "owasp-i5",
        clause: "I5",
        title: Text("No part of a device is outdated"),
        judge: judge::inside,
    },
    Item {
        id: "owasp-i6",
        clause: "I6",
        title: Text("What devices tell stays in the house"),
        judge: judge::private,
    },
    Item {
        id: "owasp-i7",
        clause: "I7",
        title: Text("Data is sent and stored protected"),
        judge: judge::data_protected,
    },
    Item {
        id: "owasp-i8",
        clause: "I8",
        title: Text("Every device is looked after"),
        judge: judge::managed,
    },
    Item {
        id: "owasp-i9",
        clause: "I9",
        title: Text("Settings are safe from the start"),
        judge: judge::safe_defaults,
    },
    Item {
        id: "owasp-i10",
        clause: "I10",
        title: Text("Devices cannot be opened and tampered with"),
        judge: judge::inside,
    },
];
