//! NIST IR 8425A: outcomes for consumer-grade routers, numbered as in NIST IR 8425, whose outcomes they
//! are. They are about the router and its parts; an item is about as much of it as mqttguard is.

use super::Item;
use super::judge;
use super::texts::Text;

/// In the order of the document.
pub(super) const ITEMS: &[Item] = &[
    Item {
        id: "nist-asset-identification-1",
        clause: "Asset Identification 1",
        title: Text("This router can be told from others"),
        judge: judge::identity,
    },
    Item {
        id: "nist-asset-identification-2",
        clause: "Asset Identification 2",
        title: Text("It is known what is connected"),
        judge: judge::inventory,
    },
    Item {
        id: "nist-product-configuration-1",
        clause: "Product Configuration 1",
        title: Text("Only who may changes settings"),
        judge: judge::changed_by_owner,
    },
    Item {
        id: "nist-product-configuration-2",
        clause: "Product Configuration 2",
        title: Text("There is a way back to safe settings"),
        judge: judge::restorable,
    },
    Item {
        id: "nist-product-configuration-3",
        clause: "Product Configuration 3",
        title: Text("What was set is in force everywhere"),
        judge: judge::configured,
    },
    Item {
        id: "nist-data-protection-1",
        clause: "Data Protection 1",
        title: Text("What is stored is protected"),
        judge: judge::stored_safely,
    },
    Item {
        id: "nist-data-protection-2",
        clause: "Data Protection 2",
        title: Text("What is stored can be deleted"),
        judge: judge::deletable,
    },
    Item {
        id: "nist-data-protection-3",
        clause: "Data Protection 3",
        title: Text("What is sent is protected"),
        judge: judge::encrypted,
    },
    Item {
        id: "nist-interface-access-control-1",
        clause: "Interface Access Control 1",
        title: Text("Each interface lets in only who may"),
        judge: judge::open_to_few,
    },
    Item {
        id: "nist-interface-access-control-2a",
        clause: "Interface Access Control 2.a",
        title: Text("What is exchanged has the form that it is to have"),
        judge: judge::well_formed,
    },
    Item {
        id: "nist-interface-access-control-2b",
        clause: "Interface Access Control 2.b",
        title: Text("What nobody is to send does not pass"),
        judge: judge::nothing_unauthorized,
    },
    Item {
        id: "nist-interface-access-control-2c",
        clause: "Interface Access Control 2.c",
        title: Text("New and returning devices get in no other way"),
        judge: judge::onboarding,
    },
    Item {
        id: "nist-software-update",
        clause: "Software Update 1, 2",
        title: Text("The router gets updates that are verified"),
        judge: judge::router_updates,
    },
    Item {
        id: "nist-cybersecurity-state-awareness-1",
        clause: "Cybersecurity State Awareness 1",
        title: Text("What happens is recorded, and incidents are found"),
        judge: judge::anomalies_seen,
    },
    Item {
        id: "nist-documentation",
        clause: "Documentation",
        title: Text("It is written down how the router was made safe"),
        judge: judge::documents,
    },
    Item {
        id: "nist-information-and-query-reception",
        clause: "Information and Query Reception",
        title: Text("The maker can be told of weaknesses"),
        judge: judge::documents,
    },
    Item {
        id: "nist-information-dissemination",
        clause: "Information Dissemination",
        title: Text("The maker tells of weaknesses and updates"),
        judge: judge::documents,
    },
    Item {
        id: "nist-education-and-awareness",
        clause: "Product Education and Awareness",
        title: Text("The owner is told how to keep it safe"),
        judge: judge::documents,
    },
];
