use super::super::act::Act;
use super::super::finding::Finding;
use super::super::house::{House, Member, Protection};
use super::super::texts;
use super::{credentials, say_count};
use crate::config::{Bindings, Mode};
use crate::registry::State;

/// Whether the guard stands, and carries out what it is told.
pub(super) fn stands(finding: &mut Finding, house: &House) {
    if !house.enabled {
        finding.open(texts::SWITCHED_OFF, Act::Settle);
        return;
    }
    if house.mode == Mode::Monitor {
        finding.open(texts::MONITOR, Act::Enforce);
    }
    match house.protection {
        Protection::Full => return,
        Protection::Reduced => finding.partly(texts::REDUCED, Act::Look),
        Protection::Closed => finding.partly(texts::CLOSED, Act::Look),
        Protection::None => finding.open(texts::UNPROTECTED, Act::Look),
    }
    for problem in &house.problems {
        finding.say(texts::PROBLEM.with([problem.clone()]));
    }
}

/// A device that cannot be mended can be cut off.
pub(crate) fn can_be_isolated(house: &House) -> Finding {
    let mut finding = Finding::new();
    stands(&mut finding, house);
    finding.say(texts::CAN_BE_CUT_OFF);
    finding
}

/// What nobody is to send is not let through.
pub(crate) fn nothing_unauthorized(house: &House) -> Finding {
    let mut finding = can_be_isolated(house);
    match house.bindings {
        Bindings::Off => finding.partly(texts::NO_BINDINGS, Act::Settle),
        Bindings::Report => finding.partly(texts::BINDINGS_REPORT, Act::Settle),
        Bindings::Drop => {}
    }
    // Dropped ones did no harm.
    if house.bindings == Bindings::Report {
        for member in house.present().filter(|member| member.mismatches > 0) {
            finding.concerns(member, texts::WHY_MISMATCH, Act::Decide);
        }
    }
    finding
}

/// One device that goes wrong, or a program that dies, does not take the house down.
pub(crate) fn resilient(house: &House) -> Finding {
    let mut finding = Finding::new();
    stands(&mut finding, house);
    finding.say(texts::LIMITS_HOLD);
    finding.say(texts::STANDS_ALONE);
    if !house.floods_quarantine {
        finding.partly(texts::NO_FLOOD_QUARANTINE, Act::Settle);
    }
    let flooded = house.present().filter(|member| member.floods > 0).count();
    say_count(&mut finding, texts::HAVE_FLOODED, flooded);
    quarantined(&mut finding, house);
    finding
}

/// Adds the devices that are in quarantine.
pub(super) fn quarantined(finding: &mut Finding, house: &House) {
    for member in house.present() {
        if member.state == State::Quarantined {
            finding.concerns(member, texts::WHY_QUARANTINED, Act::Decide);
        }
    }
}

/// What happens is looked at, and what should not happen stands out.
pub(crate) fn anomalies_seen(house: &House) -> Finding {
    let mut finding = Finding::new();
    match (house.enabled, house.sees, house.protection) {
        (false, ..) => finding.open(texts::SWITCHED_OFF, Act::Settle),
        (true, true, _) => finding.say(texts::EVENTS_TELL),
        (true, false, Protection::Reduced) => finding.partly(texts::REDUCED_COUNTS, Act::Look),
        (true, false, _) => finding.open(texts::UNPROTECTED, Act::Look),
    }
    let quarantined = |member: &&Member| member.state == State::Quarantined;
    let quarantined = house.present().filter(quarantined).count();
    say_count(&mut finding, texts::IN_QUARANTINE, quarantined);
    finding
}

/// Nothing is less safe than it comes.
pub(crate) fn safe_defaults(house: &House) -> Finding {
    let mut finding = Finding::new();
    finding.say(texts::SAFE_DEFAULTS);
    if !house.enabled {
        finding.open(texts::SWITCHED_OFF, Act::Settle);
    }
    if house.mode == Mode::Monitor {
        finding.open(texts::MONITOR, Act::Enforce);
    }
    let looks = [
        (house.detection.connect, texts::NO_CONNECT),
        (house.detection.websocket, texts::NO_WEBSOCKET),
        (house.detection.mqtt_sn, texts::NO_MQTT_SN),
        (house.bindings != Bindings::Off, texts::NO_BINDINGS),
        (house.floods_quarantine, texts::NO_FLOOD_QUARANTINE),
    ];
    for (_, what) in looks.into_iter().filter(|(on, _)| !on) {
        finding.partly(what, Act::Settle);
    }
    finding = finding.and(credentials::guessing(house));
    for member in house.present() {
        if member.roaming {
            finding.concerns(member, texts::WHY_ROAMING, Act::Bind);
        }
        if member.island {
            finding.concerns(member, texts::WHY_ISLAND, Act::Encrypt);
        }
    }
    finding.say(texts::OUT_PAGES);
    finding
}
