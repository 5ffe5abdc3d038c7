//! Frames that the kernel program decided against, and the interfaces that they come in on.

use mqttguard_common::Reason;

use super::clock::unix_ms;
use super::wiring::Daemon;
use crate::discovery;
use crate::enforce::FrameEvent;
use crate::events::{EventKind, Mismatch};

impl Daemon {
    /// The kernel program decided against a frame.
    pub(super) fn framed(&mut self, frame: &FrameEvent) {
        let now = unix_ms();
        self.registry.frame(now, frame.mac);
        // Each made-up source address has events of its own in the kernel. Those that the registry
        // does not take in are counted there and told nowhere: a flood is not to fill the log.
        if self.registry.device(frame.mac).is_none() {
            return;
        }
        if frame.reason.is_flood() {
            self.registry.flooded(now, frame.mac);
        }
        let Some(count) = self.repeats.note(now, frame.mac, frame.reason, frame.count) else {
            return;
        };
        self.compare_with_description(frame);
        self.tell_device(
            Some(frame.mac),
            EventKind::Frame {
                reason: frame.reason,
                dropped: frame.dropped,
                destination: frame.destination,
                port: frame.port,
                count,
                rejected: frame.rejected,
                mismatch: self.mismatch(frame),
            },
        );
    }

    /// What does not fit about a frame that does not come from where its device is bound to.
    fn mismatch(&self, frame: &FrameEvent) -> Option<Mismatch> {
        let device = self.registry.device(frame.mac)?;
        match frame.reason {
            Reason::AddressMismatch => Some(Mismatch {
                found: frame.source?.to_string(),
                expected: self.registry.policy(device).address?.to_string(),
            }),
            Reason::InterfaceMismatch => {
                let links = discovery::links().ok()?;
                let found = links.into_iter().find(|link| link.index == frame.ifindex)?;
                let (expected, _) = self.registry.place(device)?;
                Some(Mismatch {
                    found: found.name,
                    expected: expected.to_owned(),
                })
            }
            _ => None,
        }
    }

    /// Has devices bound to the interfaces that the configuration names for them.
    pub(super) fn follow_links(&mut self) {
        if !self.registry.names_links() {
            return;
        }
        match discovery::links() {
            Ok(links) => self.registry.follow_links(&links),
            Err(error) => log::warn!("network interfaces: {error}"),
        }
    }
}
