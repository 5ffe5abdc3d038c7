//! New passwords while the old ones still work, and the end of credentials.

use std::time::Duration;

use mqttguard_common::Mac;
use serde::{Deserialize, Serialize};

use super::{Certificate, Refused, Registry, Save, UnixMs, Verifiers};
use crate::events::{Because, EventKind, RotationEnd};
use crate::hidden::Hidden;

/// The password that a credential had before it was rotated, while it still works.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Earlier {
    /// As in [`Verifiers`].
    pub hash: Hidden,
    /// As in [`Verifiers`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scram: Vec<Hidden>,
    /// When it ends.
    pub until_ms: UnixMs,
    /// How long it was to work, in milliseconds: no clock makes more of it.
    pub for_ms: u64,
}

impl Registry {
    /// The shortest and longest time that an old password works beside the new one.
    pub const OVERLAPS: (Duration, Duration) = (
        Duration::from_secs(60),
        Duration::from_secs(30 * 24 * 60 * 60),
    );

    /// How long it does unless the owner says otherwise.
    pub const OVERLAP: Duration = Duration::from_secs(7 * 24 * 60 * 60);

    /// Gives the device's credential a new password. The one before works on until the new one was
    /// used once, or the overlap ends. A new password that was never used gives way to the next
    /// one, so that the one that the device has still works. Returns the user name and when the
    /// overlap ends.
    ///
    /// # Errors
    ///
    /// When the device has no credential.
    pub fn rotate(
        &mut self,
        now: UnixMs,
        mac: Mac,
        verifiers: Verifiers,
        overlap: Duration,
    ) -> Result<(String, UnixMs), Refused> {
        let device = self.devices.get_mut(&mac);
        let Some(credential) = device.and_then(|device| device.credential.as_mut()) else {
            return Err(Refused::NoCredential(mac));
        };
        let for_ms = u64::try_from(overlap.as_millis()).unwrap_or(u64::MAX);
        let until_ms = now.saturating_add(for_ms);
        let before = Verifiers {
            hash: std::mem::replace(&mut credential.hash, verifiers.hash),
            scram: std::mem::replace(&mut credential.scram, verifiers.scram),
        };
        let in_use = match credential.earlier.take() {
            Some(earlier) => Verifiers {
                hash: earlier.hash,
                scram: earlier.scram,
            },
            None => before,
        };
        credential.earlier = Some(Earlier {
            hash: in_use.hash,
            scram: in_use.scram,
            until_ms,
            for_ms,
        });
        credential.issued_ms = now;
        credential.weak = false;
        let username = credential.username.clone();
        self.after_decision(mac);
        let told = username.clone();
        self.tell(
            mac,
            EventKind::Rotated {
                username: told,
                until_ms,
            },
        );
        Ok((username, until_ms))
    }

    /// The password with this hash was used. If it is the new one of a rotation, the old one ends.
    pub fn used(&mut self, username: &str, hash: &str) {
        let Some(mac) = self.owner_of(username) else {
            return;
        };
        let is_new = self
            .devices
            .get(&mac)
            .and_then(|device| device.credential.as_ref())
            .is_some_and(|held| held.hash == *hash && held.earlier.is_some());
        if is_new {
            self.end_rotation(mac, RotationEnd::Used);
        }
    }

    /// Ends the overlaps whose time is over.
    pub(super) fn expire_rotations(&mut self, now: UnixMs) {
        let mut over = Vec::new();
        for device in self.devices.values_mut() {
            let credential = device.credential.as_mut();
            let Some(earlier) = credential.and_then(|held| held.earlier.as_mut()) else {
                continue;
            };
            // A router without a clock boots in the past.
            earlier.until_ms = earlier.until_ms.min(now.saturating_add(earlier.for_ms));
            if earlier.until_ms <= now {
                over.push(device.mac);
            }
        }
        for mac in over {
            self.end_rotation(mac, RotationEnd::Expired);
        }
    }

    /// The clock was set; what is left of each overlap stays.
    pub(super) fn move_rotations(&mut self, before: UnixMs, after: UnixMs) {
        for device in self.devices.values_mut() {
            let credential = device.credential.as_mut();
            if let Some(earlier) = credential.and_then(|held| held.earlier.as_mut()) {
                let left = earlier.until_ms.saturating_sub(before);
                earlier.until_ms = after.saturating_add(left);
            }
        }
    }

    fn end_rotation(&mut self, mac: Mac, how: RotationEnd) {
        let device = self.devices.get_mut(&mac);
        let Some(credential) = device.and_then(|device| device.credential.as_mut()) else {
            return;
        };
        if credential.earlier.take().is_none() {
            return;
        }
        let username = credential.username.clone();
        self.effects.directory = true;
        // An old password that comes to life again after a power cut would be a surprise.
        self.effects.save(Save::Now);
        self.tell(mac, EventKind::RotationEnded { username, how });
    }

    /// Certificates of one device; one more takes the place of the oldest, which is revoked.
    pub const MAX_CERTIFICATES: usize = 4;

    /// The shortest and longest time that a client certificate is good for.
    pub const CERTIFICATE_TIMES: (Duration, Duration) = (
        Duration::from_secs(24 * 60 * 60),
        Duration::from_secs(3650 * 24 * 60 * 60),
    );

    /// How long it is unless the owner says otherwise.
    pub const CERTIFICATE_TIME: Duration = Duration::from_secs(825 * 24 * 60 * 60);

    /// Notes a certificate that was made for the device's user name.
    ///
    /// # Errors
    ///
    /// When the device has no credential.
    pub fn certified(&mut self, mac: Mac, certificate: Certificate) -> Result<(), Refused> {
        let device = self.devices.get_mut(&mac);
        let Some(credential) = device.and_then(|device| device.credential.as_mut()) else {
            return Err(Refused::NoCredential(mac));
        };
        let Certificate {
            serial, until_ms, ..
        } = certificate.clone();
        if credential.certificates.len() >= Self::MAX_CERTIFICATES {
            credential.certificates.remove(0);
        }
        credential.certificates.push(certificate);
        self.after_decision(mac);
        self.tell(mac, EventKind::CertificateIssued { serial, until_ms });
        Ok(())
    }

    /// Takes the device's credential away, its certificates with it, and closes its pairing
    /// window. Returns the user name that it had.
    ///
    /// # Errors
    ///
    /// When the device has none.
    pub fn revoke(&mut self, mac: Mac) -> Result<String, Refused> {
        let Some(device) = self.devices.get_mut(&mac) else {
            return Err(Refused::NoCredential(mac));
        };
        let from = device.state();
        let Some(credential) = device.credential.take() else {
            return Err(Refused::NoCredential(mac));
        };
        let to = device.state();
        self.cancel_pairing(mac);
        self.after_decision(mac);
        let username = credential.username;
        let told = username.clone();
        self.tell(mac, EventKind::Revoked { username: told });
        self.tell_change(mac, from, to, Because::Revoked);
        Ok(username)
    }
}
