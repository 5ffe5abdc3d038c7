//! ETSI EN 303 645 V2.1.1: provisions of its clauses 5 and 6. It addresses makers; an item says how far
//! the same holds for the house, by what the router does about it.

use super::Item;
use super::judge;
use super::texts::Text;

/// In the order of the document.
pub(super) const ITEMS: &[Item] = &[
    Item {
        id: "etsi-5.1-1",
        clause: "5.1-1",
        title: Text("Each device has a password of its own"),
        judge: judge::own_credentials,
    },
    Item {
        id: "etsi-5.1-2",
        clause: "5.1-2",
        title: Text("No password is easily guessed"),
        judge: judge::strong_passwords,
    },
    Item {
        id: "etsi-5.1-3",
        clause: "5.1-3",
        title: Text("Nobody can listen in on a login"),
        judge: judge::login_is_protected,
    },
    Item {
        id: "etsi-5.1-4",
        clause: "5.1-4",
        title: Text("The owner can change a password with ease"),
        judge: judge::changeable,
    },
    Item {
        id: "etsi-5.1-5",
        clause: "5.1-5",
        title: Text("Trying out passwords does not get far"),
        judge: judge::guessing,
    },
    Item {
        id: "etsi-5.2",
        clause: "5.2-1 to 5.2-3",
        title: Text("Weaknesses can be reported, and are dealt with"),
        judge: judge::maker,
    },
    Item {
        id: "etsi-5.3-1",
        clause: "5.3-1 to 5.3-14",
        title: Text("Software of devices is kept up to date"),
        judge: judge::updates,
    },
    Item {
        id: "etsi-5.3-15",
        clause: "5.3-15",
        title: Text("A device that gets no updates can be isolated"),
        judge: judge::can_be_isolated,
    },
    Item {
        id: "etsi-5.3-16",
        clause: "5.3-16",
        title: Text("The model of a device can be told"),
        judge: judge::maker,
    },
    Item {
        id: "etsi-5.4-1",
        clause: "5.4-1",
        title: Text("The router stores secrets safely"),
        judge: judge::stored_safely,
    },
    Item {
        id: "etsi-5.4-2",
        clause: "5.4-2, 5.4-3",
        title: Text("No secret is built into a device"),
        judge: judge::inside,
    },
    Item {
        id: "etsi-5.4-4",
        clause: "5.4-4",
        title: Text("No two devices share a secret for a service"),
        judge: judge::own_credentials,
    },
    Item {
        id: "etsi-5.5-1",
        clause: "5.5-1",
        title: Text("Devices speak encrypted"),
        judge: judge::encrypted,
    },
    Item {
        id: "etsi-5.5-2",
        clause: "5.5-2, 5.5-3",
        title: Text("Cryptography is reviewed and can be replaced"),
        judge: judge::inside,
    },
    Item {
        id: "etsi-5.5-4",
        clause: "5.5-4",
        title: Text("Nothing can be used over the network without a login"),
        judge: judge::authorized,
    },
    Item {
        id: "etsi-5.5-5",
        clause: "5.5-5",
        title: Text("Only who may changes what matters for security"),
        judge: judge::changed_by_owner,
    },
    Item {
        id: "etsi-5.5-6",
        clause: "5.5-6, 5.5-7",
        title: Text("Passwords and keys are encrypted on their way"),
        judge: judge::secrets_encrypted,
    },
    Item {
        id: "etsi-5.5-8",
        clause: "5.5-8",
        title: Text("Passwords, keys and certificates are looked after"),
        judge: judge::safe_management,
    },
    Item {
        id: "etsi-5.6-1",
        clause: "5.6-1, 5.6-5",
        title: Text("What nobody uses is switched off"),
        judge: judge::few_services,
    },
    Item {
        id: "etsi-5.6-2",
        clause: "5.6-2 to 5.6-4",
        title: Text("Devices give nothing away to those who did not log in"),
        judge: judge::inside,
    },
    Item {
        id: "etsi-5.6-6",
        clause: "5.6-6 to 5.6-9",
        title: Text("Software of devices does no more than it has to"),
        judge: judge::inside,
    },
    Item {
        id: "etsi-5.7",
        clause: "5.7-1, 5.7-2",
        title: Text("Devices notice when their software was tampered with"),
        judge: judge::inside,
    },
    Item {
        id: "etsi-5.8-1",
        clause: "5.8-1, 5.8-2",
        title: Text("Personal data is encrypted on its way"),
        judge: judge::encrypted,
    },
    Item {
        id: "etsi-5.8-3",
        clause: "5.8-3",
        title: Text("What devices can hear and see is documented"),
        judge: judge::maker,
    },
    Item {
        id: "etsi-5.9-1",
        clause: "5.9-1",
        title: Text("One that fails does not take the others down"),
        judge: judge::resilient,
    },
    Item {
        id: "etsi-5.9-2",
        clause: "5.9-2, 5.9-3",
        title: Text("The house works on without the internet, and after a power cut"),
        judge: judge::outage_proof,
    },
    Item {
        id: "etsi-5.10-1",
        clause: "5.10-1",
        title: Text("What is unusual is noticed"),
        judge: judge::anomalies_seen,
    },
    Item {
        id: "etsi-5.11",
        clause: "5.11-1 to 5.11-4",
        title: Text("The owner can delete what is stored of a device"),
        judge: judge::deletable,
    },
    Item {
        id: "etsi-5.12-1",
        clause: "5.12-1, 5.12-2",
        title: Text("Setting up takes few decisions, and safe ones"),
        judge: judge::set_up,
    },
    Item {
        id: "etsi-5.12-3",
        clause: "5.12-3",
        title: Text("The owner can see whether all is set up safely"),
        judge: judge::verifiable,
    },
    Item {
        id: "etsi-5.13-1",
        clause: "5.13-1",
        title: Text("What comes in is checked"),
        judge: judge::well_formed,
    },
    Item {
        id: "etsi-6.1",
        clause: "6.1 to 6.3",
        title: Text("Who uses personal data says so and asks"),
        judge: judge::personal,
    },
    Item {
        id: "etsi-6.4",
        clause: "6.4, 6.5",
        title: Text("No more is measured than needed, and that is told"),
        judge: judge::telemetry,
    },
];
