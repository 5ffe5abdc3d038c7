//! Topics and their values, for the owner to look at.

use std::time::Duration;

use mqttguard_broker::Sight;
use mqttguard_common::Mac;

/// What somebody wants to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveQuery {
    /// A topic filter.
    pub filter: String,
    /// Only what this user published.
    pub publisher: Option<String>,
    /// Topics at most.
    pub limit: usize,
}

/// What there is to see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Live {
    /// By topic name.
    pub topics: Vec<LiveTopic>,
    /// Whether there are topics that are not here.
    pub more: bool,
    /// Topics that had to make way since watching began.
    pub left_out: u64,
    /// For how long it is watched if nobody asks again.
    pub left: Duration,
}

/// A topic and its latest value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveTopic {
    /// What the core has seen.
    pub sight: Sight,
    /// How long ago; None: before it was watched.
    pub age: Option<Duration>,
    /// The device that published it, if it is one's.
    pub device: Option<(Mac, String)>,
}

/// Where what there is to see goes, or what is wrong with the filter. Called on the broker's
/// thread; must not block.
pub type LiveAnswer = Box<dyn FnOnce(Result<Live, &'static str>) + Send>;
