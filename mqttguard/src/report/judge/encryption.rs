use super::super::act::Act;
use super::super::finding::Finding;
use super::super::house::{House, Protection};
use super::super::texts::{self, Sentence};
use super::{credentials, guard, say_count};

/// MQTT is encrypted on its way.
pub(crate) fn encrypted(house: &House) -> Finding {
    let mut finding = Finding::new();
    guard::stands(&mut finding, house);
    if !house.detection.connect {
        finding.partly(texts::NO_CONNECT, Act::Settle);
    }
    if !house.detection.websocket {
        finding.partly(texts::NO_WEBSOCKET, Act::Settle);
    }
    if !house.detection.mqtt_sn {
        finding.partly(texts::NO_MQTT_SN, Act::Settle);
    }
    leaving(&mut finding, house);
    for member in house.present() {
        credentials::overheard(&mut finding, member);
        if member.is_in_the_clear() {
            let stopped = house.enforces() && house.protection != Protection::None;
            match stopped {
                true => finding.concerns(member, texts::WHY_TRIED_CLEAR, Act::Enrol),
                false => finding.concerns(member, texts::WHY_SENDS_CLEAR, Act::Enrol),
            }
        }
    }
    let uplifted = house.present().filter(|member| member.uplifted).count();
    say_count(&mut finding, texts::UPLIFTED, uplifted);
    if let Some(problem) = &house.uplift_problem {
        finding.partly(texts::UPLIFT_TROUBLE.with([problem.clone()]), Act::Look);
    }
    finding.say(texts::UNSEEN);
    finding.of(house.mqtt())
}

/// Passwords and keys are encrypted on their way.
pub(crate) fn secrets_encrypted(house: &House) -> Finding {
    let mut finding = credentials::login_is_protected(house);
    guard::stands(&mut finding, house);
    leaving(&mut finding, house);
    finding
}

/// What devices tell about the house stays in it.
pub(crate) fn private(house: &House) -> Finding {
    let mut finding = Finding::new();
    guard::stands(&mut finding, house);
    leaving(&mut finding, house);
    credentials::say_all_topics(&mut finding, house);
    finding.say(texts::SENDS_NOTHING);
    finding.say(texts::OUT_PERSONAL);
    finding
}

/// What may leave the house in the clear.
fn leaving(finding: &mut Finding, house: &House) {
    for exception in &house.exceptions {
        let anywhere = || texts::ANYWHERE.0.to_owned();
        let to = exception.destination.clone().unwrap_or_else(anywhere);
        let member = exception.mac.map(|mac| (mac, house.member(mac)));
        match member {
            None => {
                let what: Sentence = texts::EXCEPTED_FOR_ALL.with([to]);
                finding.partly(what, Act::Withdraw);
            }
            Some((_, Some(member))) => {
                finding.concerns(member, texts::WHY_EXCEPTED.with([to]), Act::Withdraw);
            }
            Some((mac, None)) => {
                let what = texts::EXCEPTED_STRANGER.with([mac.to_string(), to]);
                finding.partly(what, Act::Withdraw);
            }
        }
    }
    for bridge in &house.plain_bridges {
        finding.partly(texts::PLAIN_BRIDGE.with([bridge.clone()]), Act::Settle);
    }
}
