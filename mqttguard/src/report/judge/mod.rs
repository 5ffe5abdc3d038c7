//! What is judged, by matter. A judgement is shared by all items that ask for the same.

mod credentials;
mod encryption;
mod guard;
mod router;

pub(super) use credentials::{
    changeable, guessing, login_is_protected, own_credentials, safe_management, strong_passwords,
};
pub(super) use encryption::{encrypted, private, secrets_encrypted};
pub(super) use guard::{
    anomalies_seen, can_be_isolated, nothing_unauthorized, resilient, safe_defaults,
};
pub(super) use router::{
    authorized, changed_by_owner, configured, deletable, few_services, identity, inventory,
    managed, onboarding, outage_proof, restorable, set_up, stored_safely, verifiable, well_formed,
};

use super::finding::Finding;
use super::house::House;
use super::texts::{self, Text};

/// Of a thing that only the maker can say.
pub(super) fn maker(_: &House) -> Finding {
    Finding::outside(texts::OUT_MAKER)
}

/// Of devices' updates.
pub(super) fn updates(_: &House) -> Finding {
    Finding::outside(texts::OUT_UPDATES)
}

/// Of the router's own updates.
pub(super) fn router_updates(_: &House) -> Finding {
    Finding::outside(texts::OUT_ROUTER_UPDATES)
}

/// Of what is inside a device.
pub(super) fn inside(_: &House) -> Finding {
    Finding::outside(texts::OUT_INSIDE)
}

/// Of what makers do with personal data.
pub(super) fn personal(_: &House) -> Finding {
    Finding::outside(texts::OUT_PERSONAL)
}

/// Of what makers measure; what this router does is said beside it.
pub(super) fn telemetry(_: &House) -> Finding {
    let mut finding = Finding::outside(texts::OUT_PERSONAL);
    finding.say(texts::SENDS_NOTHING);
    finding
}

/// Of what documents are to say.
pub(super) fn documents(_: &House) -> Finding {
    Finding::outside(texts::OUT_DOCUMENTS)
}

/// How many of something, as a value.
fn count(number: usize) -> [String; 1] {
    [number.to_string()]
}

/// Says how many devices there are of a kind, if there are any.
fn say_count(finding: &mut Finding, text: Text, number: usize) {
    if number > 0 {
        finding.say(text.with(count(number)));
    }
}

/// Passwords as a whole.
pub(super) fn passwords(house: &House) -> Finding {
    own_credentials(house)
        .and(strong_passwords(house))
        .and(guessing(house))
}

/// Interfaces, and the logins there.
pub(super) fn interfaces(house: &House) -> Finding {
    authorized(house).and(login_is_protected(house))
}

/// Interfaces: who gets in, and whether they are needed.
pub(super) fn open_to_few(house: &House) -> Finding {
    authorized(house).and(few_services(house))
}

/// Data on its way and at rest.
pub(super) fn data_protected(house: &House) -> Finding {
    encrypted(house).and(stored_safely(house))
}
