//! A credential that did not reach its device is taken back.

use mqttguard_common::Mac;

use super::{Credential, Registry, Save};
use crate::events::{EventKind, RotationEnd};

impl Registry {
    /// Takes back the password with this hash, of which nobody was told: the device has the
    /// credential of `before` again, a rotation that was under way included, or none if it had none.
    /// Nothing is done if it has been given another since.
    pub fn take_back(&mut self, mac: Mac, hash: &str, before: Option<Credential>) {
        let device = self.devices.get_mut(&mac);
        let credential = device.and_then(|device| device.credential.as_mut());
        let Some(credential) = credential.filter(|held| held.hash == *hash) else {
            return;
        };
        let Some(before) = before else {
            let _ = self.revoke(mac);
            return;
        };
        let username = before.username.clone();
        // What was made or revoked of these meanwhile stays so.
        let certificates = std::mem::take(&mut credential.certificates);
        *credential = Credential {
            certificates,
            ..before
        };
        self.effects.directory = true;
        self.effects.save(Save::Now);
        let how = RotationEnd::TakenBack;
        self.tell(mac, EventKind::RotationEnded { username, how });
    }
}
