use super::super::act::Act;
use super::super::finding::Finding;
use super::super::house::{House, Member};
use super::super::texts;
use super::{count, say_count};
use crate::registry::UnixMs;

/// How long before its end a certificate is told of, in milliseconds: 60 days.
const NEAR_MS: UnixMs = 60 * DAY_MS;
const DAY_MS: UnixMs = 24 * 3600 * 1000;
/// Failed logins in a minute that somebody needs who errs, and not guesses; more are many.
const FEW_FAILURES: u32 = 60;

/// Each device has a password of its own.
pub(crate) fn own_credentials(house: &House) -> Finding {
    let mut finding = Finding::new();
    let enrolled = house.mqtt().filter(|member| member.credential.is_some());
    finding.say(texts::OWN_PASSWORDS.with(count(enrolled.count())));
    for member in house.mqtt() {
        // What an uplifted device tells its maker's server is its own affair.
        if member.credential.is_none() && !member.uplifted {
            finding.concerns(member, texts::WHY_NO_CREDENTIAL, Act::Enrol);
        } else if member.roaming {
            finding.concerns(member, texts::WHY_ROAMING, Act::Bind);
        }
    }
    if house.foreign_users.is_some() {
        finding.partly(texts::FOREIGN_USERS, Act::Settle);
    }
    if house.tokens {
        finding.say(texts::TOKENS);
    }
    finding.say(texts::PAIRED_UNKNOWN);
    finding.say(texts::OUT_PAGES);
    finding.of(house.mqtt())
}

/// No password is easily guessed.
pub(crate) fn strong_passwords(house: &House) -> Finding {
    let mut finding = Finding::new();
    finding.say(texts::ROUTER_PASSWORDS);
    finding.say(texts::PAIRED_SHORT);
    for member in house.present() {
        if member.credential.as_ref().is_some_and(|held| held.weak) {
            finding.concerns(member, texts::WHY_WEAK, Act::Rotate);
        }
    }
    finding.of(enrolled(house))
}

/// Who logs in proves it in a way that nobody can overhear.
pub(crate) fn login_is_protected(house: &House) -> Finding {
    let mut finding = Finding::new();
    match &house.broker {
        None => finding.open(texts::NO_BROKER, Act::Look),
        Some(broker) if broker.encrypted == 0 => {
            finding.open(texts::NO_ENCRYPTED_LISTENER, Act::Settle);
        }
        Some(broker) if !broker.plain => finding.say(texts::ISLAND_OFF),
        Some(_) => {}
    }
    for member in enrolled(house) {
        overheard(&mut finding, member);
    }
    if house.foreign_users == Some(false) {
        finding.partly(texts::FOREIGN_USERS_PLAIN, Act::Settle);
    }
    finding.of(enrolled(house))
}

/// Adds a device whose password crosses the house in the clear.
pub(super) fn overheard(finding: &mut Finding, member: &Member) {
    if member.in_clear {
        finding.concerns(member, texts::WHY_IN_CLEAR, Act::Encrypt);
    } else if member.island {
        finding.concerns(member, texts::WHY_ISLAND, Act::Encrypt);
    }
}

/// A password can be changed.
pub(crate) fn changeable(house: &House) -> Finding {
    let mut finding = Finding::new();
    finding.say(texts::CAN_BE_CHANGED);
    registry(&mut finding, house);
    for member in house.present() {
        let held = member.credential.as_ref();
        if held.is_some_and(|held| held.two_passwords) {
            finding.concerns(member, texts::WHY_TWO_PASSWORDS, Act::FinishRotation);
        }
    }
    finding
}

/// Guessing is cut short.
pub(crate) fn guessing(house: &House) -> Finding {
    let mut finding = Finding::new();
    if house.broker.is_none() {
        finding.open(texts::NO_BROKER, Act::Look);
    }
    let failures = [house.login_failures.to_string()];
    if house.login_failures > FEW_FAILURES {
        finding.partly(texts::MANY_FAILURES.with(failures), Act::Settle);
    } else {
        finding.say(texts::GUESSING_STOPS.with(failures));
    }
    finding
}

/// Passwords, keys and certificates are looked after from beginning to end.
pub(crate) fn safe_management(house: &House) -> Finding {
    let mut finding = changeable(house);
    for member in house.present() {
        let held = member.credential.as_ref();
        let Some(until) = held.and_then(|held| held.certificate_until_ms) else {
            continue;
        };
        let left = until.saturating_sub(house.now_ms);
        if left == 0 {
            finding.concerns(member, texts::WHY_CERTIFICATE_OVER, Act::Certify);
        } else if left < NEAR_MS {
            let days = [(left / DAY_MS).to_string()];
            finding.concerns(member, texts::WHY_CERTIFICATE_ENDS.with(days), Act::Certify);
        }
    }
    finding
}

/// What stands in the way of the registry.
pub(super) fn registry(finding: &mut Finding, house: &House) {
    if let Some(trouble) = &house.registry_trouble {
        finding.open(texts::REGISTRY_TROUBLE.with([trouble.clone()]), Act::Look);
    }
}

/// Says how many devices may use all topics.
pub(super) fn say_all_topics(finding: &mut Finding, house: &House) {
    let all = enrolled(house).filter(|member| member.all_topics);
    say_count(finding, texts::ALL_TOPICS, all.count());
}

fn enrolled(house: &House) -> impl Iterator<Item = &Member> {
    house.present().filter(|member| member.credential.is_some())
}
