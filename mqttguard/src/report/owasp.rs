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
        title: Text("Passwords that are weak, or the same everywhere"),
        judge: judge::passwords,
    },
    Item {
        id: "owasp-i2",
        clause: "I2",
        title: Text("Services that nobody needs, or that are not safe"),
        judge: judge::few_services,
    },
    Item {
        id: "owasp-i3",
        clause: "I3",
        title: Text("Interfaces around the devices that let anybody in"),
        judge: judge::interfaces,
    },
    Item {
        id: "owasp-i4",
        clause: "I4",
        title: Text("No safe way to update"),
        judge: judge::updates,
    },
    Item {
        id: "owasp-i5",
        clause: "I5",
        title: Text("Parts that are outdated"),
        judge: judge::inside,
    },
    Item {
        id: "owasp-i6",
        clause: "I6",
        title: Text("Too little privacy"),
        judge: judge::private,
    },
    Item {
        id: "owasp-i7",
        clause: "I7",
        title: Text("Data that is sent or stored unprotected"),
        judge: judge::data_protected,
    },
    Item {
        id: "owasp-i8",
        clause: "I8",
        title: Text("Devices that nobody looks after"),
        judge: judge::managed,
    },
    Item {
        id: "owasp-i9",
        clause: "I9",
        title: Text("Settings that are unsafe from the start"),
        judge: judge::safe_defaults,
    },
    Item {
        id: "owasp-i10",
        clause: "I10",
        title: Text("Devices that can be opened and tampered with"),
        judge: judge::inside,
    },
];
