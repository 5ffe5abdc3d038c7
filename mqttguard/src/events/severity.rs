//! How much events should trouble the owner.

use super::{EventKind, ImportChange, PairingChange, RotationEnd, StandIn};

/// How much an event should trouble the owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The house at work.
    Info,
    /// Worth knowing.
    Notice,
    /// Something was refused, blocked or is broken.
    Warning,
}

impl Severity {
    /// As ubus and the command line show it.
    pub const fn name(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Notice => "notice",
            Severity::Warning => "warning",
        }
    }
}

impl EventKind {
    /// Whether it says no more than that a client came or went.
    pub fn is_coming_or_going(&self) -> bool {
        matches!(
            self,
            EventKind::Connected { .. } | EventKind::Disconnected { .. }
        )
    }

    /// How much it should trouble the owner.
    pub fn severity(&self) -> Severity {
        match self {
            EventKind::Mud(change) => change.severity(),
            EventKind::Frame { .. }
            | EventKind::LoginRefused { .. }
            | EventKind::TopicRefused { .. }
            | EventKind::LimitMet { .. }
            | EventKind::Memory {
                pressure: "high" | "critical",
                ..
            }
            | EventKind::ProtocolError { .. }
            | EventKind::ConfigRefused { .. }
            | EventKind::Pairing {
                change: PairingChange::Done { weak: true, .. },
            }
            | EventKind::Import {
                change: ImportChange::Expired { .. },
            }
            | EventKind::RotationEnded {
                how: RotationEnd::Expired,
                ..
            }
            | EventKind::Pushed {
                failure: Some(_), ..
            }
            | EventKind::Enforcement {
                what: "lost" | "failed" | "blind",
                ..
            }
            | EventKind::StateChanged {
                to: "quarantined" | "blocked",
                ..
            }
            | EventKind::BridgeLink { up: false, .. }
            | EventKind::BridgeTrouble { .. }
            | EventKind::Binding {
                missing: Some(_), ..
            }
            | EventKind::Uplift {
                refused: Some(_), ..
            }
            | EventKind::UpliftReady { ready: false, .. }
            | EventKind::Listening { up: false, .. } => Severity::Warning,
            EventKind::Fallback(StandIn::None) => Severity::Notice,
            EventKind::Fallback(_) => Severity::Warning,
            EventKind::Journal(news) if !news.is_well() => Severity::Warning,
            EventKind::Journal(_) => Severity::Info,
            EventKind::DeviceSeen { .. }
            | EventKind::StateChanged { .. }
            | EventKind::Enrolled { .. }
            | EventKind::Pairing { .. }
            | EventKind::Import { .. }
            | EventKind::Rotated { .. }
            | EventKind::RotationEnded { .. }
            | EventKind::Revoked { .. }
            | EventKind::Pushed { failure: None, .. }
            | EventKind::CertificateIssued { .. }
            | EventKind::Exception { .. }
            | EventKind::Binding { missing: None, .. }
            | EventKind::Memory { .. }
            | EventKind::Enforcement { .. }
            | EventKind::ConfigLoaded { .. }
            | EventKind::BridgeLink { up: true, .. }
            | EventKind::UpliftReady { ready: true, .. } => Severity::Notice,
            EventKind::DeviceGone
            | EventKind::Connected { .. }
            | EventKind::Disconnected { .. }
            | EventKind::SourceChanged { .. }
            | EventKind::Uplift { refused: None, .. }
            | EventKind::Listening { .. } => Severity::Info,
        }
    }
}
