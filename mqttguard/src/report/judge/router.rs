use super::super::act::Act;
use super::super::finding::Finding;
use super::super::house::House;
use super::super::texts;
use super::credentials::{self, own_credentials};
use super::{count, guard};

/// Secrets are stored safely on the router.
pub(crate) fn stored_safely(house: &House) -> Finding {
    let mut finding = Finding::new();
    finding.say(texts::STORED_SAFELY);
    credentials::registry(&mut finding, house);
    finding.say(texts::OUT_INSIDE);
    finding
}

/// Nobody gets in who may not, and nobody further than he may.
pub(crate) fn authorized(house: &House) -> Finding {
    let mut finding = Finding::new();
    match &house.broker {
        None => finding.open(texts::NO_BROKER, Act::Look),
        Some(broker) => {
            finding.say(texts::NOBODY_WITHOUT);
            for name in &broker.any_origin {
                finding.partly(texts::ANY_ORIGIN.with([name.clone()]), Act::Settle);
            }
        }
    }
    credentials::registry(&mut finding, house);
    if house.foreign_users.is_some() {
        finding.partly(texts::FOREIGN_USERS, Act::Settle);
    }
    for member in house.present() {
        if member.roaming && member.credential.is_some() {
            finding.concerns(member, texts::WHY_ROAMING, Act::Bind);
        }
    }
    credentials::say_all_topics(&mut finding, house);
    finding.say(texts::OUT_PAGES);
    finding
}

/// Only who may changes settings.
pub(crate) fn changed_by_owner(house: &House) -> Finding {
    let mut finding = Finding::new();
    finding.say(texts::ONLY_ROOT);
    credentials::registry(&mut finding, house);
    finding
}

/// What is configured is in force.
pub(crate) fn configured(house: &House) -> Finding {
    let mut finding = Finding::new();
    match house.mistakes {
        0 => finding.say(texts::IN_FORCE),
        mistakes => finding.open(texts::MISTAKES.with(count(mistakes)), Act::Mend),
    }
    if house.at_next_start > 0 {
        finding.partly(
            texts::AT_NEXT_START.with(count(house.at_next_start)),
            Act::Settle,
        );
    }
    finding
}

/// What is not used is switched off.
pub(crate) fn few_services(house: &House) -> Finding {
    let mut finding = Finding::new();
    let user = house.present().find(|member| member.island);
    match &house.broker {
        None => finding.open(texts::NO_BROKER, Act::Look),
        Some(broker) if broker.plain && user.is_none() => {
            finding.partly(texts::NEEDLESS_ISLAND, Act::Settle);
        }
        Some(broker) if !broker.plain => finding.say(texts::ISLAND_OFF),
        Some(_) => {}
    }
    for member in house.present() {
        credentials::overheard(&mut finding, member);
    }
    finding.say(texts::OUT_PAGES);
    finding
}

/// The router is told from others.
pub(crate) fn identity(house: &House) -> Finding {
    let mut finding = Finding::new();
    match &house.broker {
        None => finding.open(texts::NO_BROKER, Act::Look),
        Some(broker) => finding.say(texts::CA_IS.with([broker.ca_fingerprint.clone()])),
    }
    finding
}

/// All devices are known.
pub(crate) fn inventory(house: &House) -> Finding {
    let mut finding = Finding::new();
    finding.say(texts::KNOWN_DEVICES.with(count(house.present().count())));
    for source in &house.silent_sources {
        let source = (*source).to_owned();
        finding.partly(texts::SILENT_SOURCE.with([source]), Act::Look);
    }
    credentials::registry(&mut finding, house);
    finding
}

/// There is a way back to what is safe.
pub(crate) fn restorable(house: &House) -> Finding {
    let mut finding = Finding::new();
    finding.say(texts::SAFE_DEFAULTS);
    mistakes(&mut finding, house);
    finding
}

/// That the configuration is not the one in force.
fn mistakes(finding: &mut Finding, house: &House) {
    if house.mistakes > 0 {
        finding.partly(texts::MISTAKES.with(count(house.mistakes)), Act::Mend);
    }
}

/// What the router keeps of a device can be deleted.
pub(crate) fn deletable(house: &House) -> Finding {
    let mut finding = Finding::new();
    finding.lacks(texts::FORGETS_PARTLY);
    credentials::registry(&mut finding, house);
    finding
}

/// A new device gets in as the owner wants it, and no other in its place.
pub(crate) fn onboarding(house: &House) -> Finding {
    let mut finding = own_credentials(house);
    finding.say(texts::PAIRING_IS_NARROW);
    finding
}

/// The house goes on without the internet, and after a power cut.
pub(crate) fn outage_proof(house: &House) -> Finding {
    let mut finding = Finding::new();
    match &house.broker {
        None => finding.open(texts::NO_BROKER, Act::Look),
        Some(broker) => {
            finding.say(texts::NO_CLOUD);
            match (&broker.journal_trouble, broker.on_disk) {
                (Some(trouble), _) => {
                    let what = texts::JOURNAL_TROUBLE.with([trouble.clone()]);
                    finding.open(what, Act::Look);
                }
                (None, false) => finding.partly(texts::NO_DISK, Act::Settle),
                (None, true) => finding.say(texts::ON_DISK),
            }
        }
    }
    finding
}

/// Each device is known, has what it needs, and none waits for a decision.
pub(crate) fn managed(house: &House) -> Finding {
    let mut finding = inventory(house);
    guard::quarantined(&mut finding, house);
    finding.and(set_up(house))
}

/// Setting up takes few decisions, and safe ones.
pub(crate) fn set_up(house: &House) -> Finding {
    let mut finding = Finding::new();
    finding.say(texts::SAFE_DEFAULTS);
    for member in house.mqtt() {
        if member.credential.is_none() && !member.uplifted {
            finding.concerns(member, texts::WHY_NO_CREDENTIAL, Act::Enrol);
        }
    }
    finding.and(configured(house))
}

/// The owner can see whether it is set up safely.
pub(crate) fn verifiable(house: &House) -> Finding {
    let mut finding = Finding::new();
    finding.say(texts::VERIFIABLE);
    mistakes(&mut finding, house);
    finding
}

/// What comes in is checked.
pub(crate) fn well_formed(house: &House) -> Finding {
    let mut finding = Finding::new();
    match &house.broker {
        None => finding.open(texts::NO_BROKER, Act::Look),
        Some(broker) => {
            finding.say(texts::STRICT);
            for name in &broker.broken {
                finding.partly(texts::BROKEN_LISTENER.with([name.clone()]), Act::Settle);
            }
        }
    }
    finding.say(texts::OUT_INSIDE);
    finding
}
