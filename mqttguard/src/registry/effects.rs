use std::collections::BTreeSet;

use mqttguard_common::Mac;

use crate::events::EventKind;

/// What a change of the registry asks of the rest of the daemon. Gathered while the registry
/// works, fetched with [`super::Registry::take_effects`].
#[derive(Debug, Default)]
pub struct Effects {
    /// Devices whose kernel policy may have changed.
    pub policies: BTreeSet<Mac>,
    /// Devices whose kernel entry is to be freed.
    pub freed: BTreeSet<Mac>,
    /// Devices that are not in the registry any more.
    pub dropped: BTreeSet<Mac>,
    /// Which plaintext MQTT may leave has changed.
    pub exceptions: bool,
    /// The broker's directory is out of date.
    pub directory: bool,
    /// Whether and how soon the registry is to be written.
    pub save: Save,
    /// What is noted of devices that learn is to be written before the owner is answered.
    pub notes: bool,
    /// What is worth telling: device, its name, if it is about one, and what.
    pub told: Vec<(Option<Mac>, Option<String>, EventKind)>,
}

/// How soon the registry is to be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Save {
    /// Not at all.
    #[default]
    No,
    /// Within a minute or so, together with what else comes: flash wears.
    Soon,
    /// Before the owner is answered: what was shown to them must survive a power cut.
    Now,
}

impl Effects {
    pub(super) fn save(&mut self, how: Save) {
        self.save = self.save.max(how);
    }
}
