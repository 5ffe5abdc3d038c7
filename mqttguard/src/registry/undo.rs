//! A credential that did not reach its device is taken back.

use mqttguard_common::Mac;

use super::{Registry, Save};
use crate::events::{EventKind, RotationEnd};

impl Registry {
    /// Takes back the password with this hash, of which nobody was told: if `is_first`, with the
    /// whole credential, which was made for it; else so that the password of before its rotation goes
    /// on without an end. Nothing is done if the device has another by now.
    pub fn take_back(&mut self, mac: Mac, hash: &str, is_first: bool) {
        let device = self.devices.get_mut(&mac);
        let credential = device.and_then(|device| device.credential.as_mut());
        let Some(credential) = credential.filter(|held| held.hash == hash) else {
            return;
        };
        if is_first {
            let _ = self.revoke(mac);
            return;
        }
        let Some(earlier) = credential.earlier.take() else {
            return;
        };
        credential.hash = earlier.hash;
        credential.scram = earlier.scram;
        let username = credential.username.clone();
        self.effects.directory = true;
        self.effects.save(Save::Now);
        let how = RotationEnd::TakenBack;
        self.tell(mac, EventKind::RotationEnded { username, how });
    }
}
