//! What keeps the house from being protected, as the kernel program stands.

use super::super::troubles::{Trouble, Unloaded};
use super::{Guard, OFF};
use crate::config::Mode;
use crate::enforce::{Attachment, Progress, Proof};

impl Guard {
    /// How the program sits on the interfaces; if it does not, what it is instead.
    pub(in crate::daemon) fn attachments(&self) -> Result<Vec<Attachment>, Unloaded> {
        let why = match self.progress() {
            Ok(Progress::Standing(attachments)) => return Ok(attachments),
            Ok(Progress::Loading { succeeds }) => return Err(Unloaded::Loading { succeeds }),
            Ok(Progress::Failed(error)) => error,
            Err(error) if error == OFF => return Err(Unloaded::Off),
            Err(error) => error.to_owned(),
        };
        Err(Unloaded::Failed { why })
    }

    /// Why the house is not protected; empty when it is.
    pub(in crate::daemon) fn problems(&self) -> Vec<Trouble> {
        let mut why = Vec::new();
        if self.rules.mode == Mode::Monitor {
            why.push(Trouble::Monitor);
        }
        why.extend(self.gaps());
        why
    }

    /// What the kernel program does not see.
    pub(in crate::daemon) fn gaps(&self) -> Vec<Trouble> {
        let mut why = Vec::new();
        for network in &self.unresolved {
            why.push(Trouble::NoDevice {
                network: network.clone(),
            });
        }
        let attachments = match self.attachments() {
            Ok(attachments) => attachments,
            Err(unloaded) => {
                why.push(Trouble::Unloaded(unloaded));
                return why;
            }
        };
        let is_proven = attachments.iter().any(|one| one.proof == Proof::Seen);
        for Attachment {
            interface,
            hook,
            proof,
            notes,
        } in attachments
        {
            if hook.is_none() {
                why.push(Trouble::NotAttached { interface, notes });
            } else if proof == Proof::Blind {
                why.push(Trouble::Blind { interface });
            }
        }
        if !is_proven {
            why.push(Trouble::Unproven);
        }
        why
    }
}
