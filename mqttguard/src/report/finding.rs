use mqttguard_common::Mac;

use super::act::Act;
use super::house::Member;
use super::texts::{Sentence, Text};

/// How the house stands to an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// As far as the router can tell, it holds.
    Holds,
    /// Not for all devices, or not in every respect.
    Partly,
    /// It does not hold.
    Open,
    /// The router cannot say.
    Outside,
}

impl Verdict {
    /// All verdicts.
    pub const ALL: [Verdict; 4] = [
        Verdict::Holds,
        Verdict::Partly,
        Verdict::Open,
        Verdict::Outside,
    ];

    /// As ubus shows it.
    pub const fn name(self) -> &'static str {
        match self {
            Verdict::Holds => "holds",
            Verdict::Partly => "partly",
            Verdict::Open => "open",
            Verdict::Outside => "outside",
        }
    }
}

/// A device for which an item does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Concern {
    /// Which.
    pub mac: Mac,
    /// What it is called.
    pub name: String,
    /// Why not.
    pub why: Sentence,
}

/// How the house stands to an item, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// In one word.
    pub verdict: Verdict,
    /// In sentences.
    pub says: Vec<Sentence>,
    /// For which devices not. A device is there once for each reason.
    pub devices: Vec<Concern>,
    /// What mends it, the most urgent first.
    pub acts: Vec<Act>,
}

impl Finding {
    /// Holds, until something speaks against it.
    pub(super) fn new() -> Finding {
        Finding {
            verdict: Verdict::Holds,
            says: Vec::new(),
            devices: Vec::new(),
            acts: Vec::new(),
        }
    }

    /// The router cannot say.
    pub(super) fn outside(why: Text) -> Finding {
        Finding {
            verdict: Verdict::Outside,
            says: vec![why.into()],
            ..Finding::new()
        }
    }

    /// Says something that changes nothing.
    pub(super) fn say(&mut self, what: impl Into<Sentence>) {
        self.says.push(what.into());
    }

    /// Something is amiss.
    pub(super) fn partly(&mut self, what: impl Into<Sentence>, act: Act) {
        self.worse(Verdict::Partly, what.into(), act);
    }

    /// Something is amiss that no act of the owner mends.
    pub(super) fn lacks(&mut self, what: impl Into<Sentence>) {
        self.verdict = self.verdict.max(Verdict::Partly);
        self.say(what);
    }

    /// It does not hold.
    pub(super) fn open(&mut self, what: impl Into<Sentence>, act: Act) {
        self.worse(Verdict::Open, what.into(), act);
    }

    fn worse(&mut self, verdict: Verdict, what: Sentence, act: Act) {
        self.verdict = self.verdict.max(verdict);
        self.says.push(what);
        self.add_act(act);
    }

    /// It does not hold for a device.
    pub(super) fn concerns(&mut self, member: &Member, why: impl Into<Sentence>, act: Act) {
        self.verdict = self.verdict.max(Verdict::Partly);
        self.devices.push(Concern {
            mac: member.mac,
            name: member.name.clone(),
            why: why.into(),
        });
        self.add_act(act);
    }

    fn add_act(&mut self, act: Act) {
        if !self.acts.contains(&act) {
            self.acts.push(act);
        }
    }

    /// It does not hold at all if it does so for none of the devices in question.
    pub(super) fn of<'a>(mut self, members: impl Iterator<Item = &'a Member>) -> Finding {
        let mut members = members.peekable();
        let concerned = |member: &Member| self.devices.iter().any(|one| one.mac == member.mac);
        if members.peek().is_some() && members.all(concerned) {
            self.verdict = self.verdict.max(Verdict::Open);
        }
        self
    }

    /// With what another judgement found.
    pub(super) fn and(mut self, other: Finding) -> Finding {
        self.verdict = self.verdict.max(other.verdict);
        for sentence in other.says {
            if !self.says.contains(&sentence) {
                self.says.push(sentence);
            }
        }
        for concern in other.devices {
            if !self.devices.contains(&concern) {
                self.devices.push(concern);
            }
        }
        for act in other.acts {
            self.add_act(act);
        }
        self
    }
}
