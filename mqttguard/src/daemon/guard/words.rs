//! How the kernel program stands, in plain words.

use super::super::troubles::Trouble;
use super::Guard;
use crate::config::Mode;
use crate::enforce::{Attachment, Progress, Proof};

impl Guard {
    /// How the program sits on the interfaces; if it does not, what it is instead, in words.
    pub(in crate::daemon) fn attachments(&self) -> Result<Vec<Attachment>, String> {
        let why = match self.progress() {
            Ok(Progress::Standing(attachments)) => return Ok(attachments),
            Ok(Progress::Loading { succeeds: false }) => return Err("being loaded".to_owned()),
            Ok(Progress::Loading { succeeds: true }) => {
                return Err("being loaded; that of the run before stands meanwhile".to_owned());
            }
            Ok(Progress::Failed(error)) => error,
            Err(error) => error.to_owned(),
        };
        Err(not_loaded(&why))
    }

    /// Why the house is not protected, in plain words; empty when it is.
    pub(in crate::daemon) fn problems(&self) -> Vec<String> {
        let mut why = Vec::new();
        if self.rules.mode == Mode::Monitor {
            why.push(Trouble::Monitor.to_string());
        }
        why.extend(self.gaps());
        why
    }

    /// What the kernel program does not see, in plain words.
    pub(in crate::daemon) fn gaps(&self) -> Vec<String> {
        let mut why = Vec::new();
        for network in &self.unresolved {
            why.push(Trouble::NoDevice(network).to_string());
        }
        let attachments = match self.attachments() {
            Ok(attachments) => attachments,
            Err(error) => {
                why.push(Trouble::NoProgram(&error).to_string());
                return why;
            }
        };
        for Attachment {
            interface,
            hook,
            proof,
            why: detail,
        } in &attachments
        {
            if hook.is_none() {
                why.push(Trouble::NotAttached(interface, detail).to_string());
            } else if *proof == Proof::Blind {
                why.push(Trouble::Blind(interface).to_string());
            }
        }
        if !attachments
            .iter()
            .any(|attachment| attachment.proof == Proof::Seen)
        {
            why.push(Trouble::Unproven.to_string());
        }
        why
    }
}

/// How the kernel program is that could not be loaded, or was not to be.
pub(in crate::daemon) fn not_loaded(why: &str) -> String {
    format!("not loaded: {why}")
}
