//! The house held against what security baselines for things on the internet ask: ETSI EN 303 645,
//! NIST IR 8425A, and the OWASP IoT Top 10.
//!
//! A pure function from facts ([`House`]) to items. Each standard is a table of its own; what their
//! items have in common is judged in `judge`, by matter. All that is said stands in `texts` and in the
//! tables, in English with a `%s` for each value, so that pages can say it in other languages.
//!
//! The rule of all judgements: what is not known is not claimed. What only the maker of a device can
//! say is [`Verdict::Outside`], whatever the house is like.

mod act;
mod etsi;
mod finding;
mod house;
mod judge;
mod nist;
mod owasp;
#[cfg(test)]
mod tests;
mod texts;

pub use act::{Act, Page};
pub use finding::{Concern, Finding, Verdict};
pub use house::{Broker, Credential, Detection, Exception, House, Member, Protection};
pub use texts::{Sentence, Text};

/// What the house is held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standard {
    /// ETSI EN 303 645 V2.1.1 (2020-06), Cyber Security for Consumer Internet of Things: Baseline
    /// Requirements.
    Etsi303645,
    /// NIST IR 8425A (2024-09), for consumer-grade routers. Its outcomes are those of NIST IR 8425,
    /// the profile for consumer IoT products.
    Nist8425A,
    /// OWASP Internet of Things Top 10, 2018.
    OwaspIot,
}

impl Standard {
    /// All standards, in the order in which they are shown.
    pub const ALL: [Standard; 3] = [
        Standard::Etsi303645,
        Standard::Nist8425A,
        Standard::OwaspIot,
    ];

    /// As ubus shows it.
    pub const fn id(self) -> &'static str {
        match self {
            Standard::Etsi303645 => "etsi-303645",
            Standard::Nist8425A => "nist-8425a",
            Standard::OwaspIot => "owasp-iot",
        }
    }

    /// The name of the document.
    pub const fn name(self) -> &'static str {
        match self {
            Standard::Etsi303645 => "ETSI EN 303 645 V2.1.1",
            Standard::Nist8425A => "NIST IR 8425A",
            Standard::OwaspIot => "OWASP IoT Top 10, 2018",
        }
    }

    /// Its items, in its own order.
    pub fn items(self) -> &'static [Item] {
        match self {
            Standard::Etsi303645 => etsi::ITEMS,
            Standard::Nist8425A => nist::ITEMS,
            Standard::OwaspIot => owasp::ITEMS,
        }
    }
}

/// One thing that a standard asks.
pub struct Item {
    /// Unique among all standards' items.
    pub id: &'static str,
    /// Where the standard has it, as it numbers it.
    pub clause: &'static str,
    /// What is asked, in words of our own, as far as it concerns a house and its router.
    pub title: Text,
    judge: fn(&House) -> Finding,
}

impl Item {
    /// How the house stands to it.
    pub fn judge(&self, house: &House) -> Finding {
        (self.judge)(house)
    }
}

/// What has to be said with every report.
pub const NOTES: [Text; 2] = [texts::NO_CERTIFICATE, texts::WHAT_IS_JUDGED];

/// Everything that a report can say, each once: what there is to translate.
pub fn texts() -> Vec<&'static str> {
    let titles = Standard::ALL.into_iter().flat_map(Standard::items);
    let titles = titles.map(|item| item.title.0);
    let acts = Act::ALL.into_iter().map(|act| act.text().0);
    let mut all: Vec<_> = texts::ALL.iter().map(|text| text.0).collect();
    all.extend(titles.chain(acts));
    all.sort_unstable();
    all.dedup();
    all
}
