//! The names by which scripts and ubus notifications know events.

use super::{EventKind, ExceptionChange, ImportChange, MudChange, PairingChange};

impl EventKind {
    /// The stable code, as scripts and ubus notifications see it.
    pub const fn code(&self) -> &'static str {
        match self {
            EventKind::DeviceSeen { .. } => "device-seen",
            EventKind::DeviceGone => "device-gone",
            EventKind::StateChanged { .. } => "state-changed",
            EventKind::Enrolled { .. } => "enrolled",
            EventKind::Pairing { change } => match change {
                PairingChange::Opened { .. } => "pairing-opened",
                PairingChange::Done { .. } => "paired",
                PairingChange::Cancelled => "pairing-cancelled",
                PairingChange::Expired => "pairing-expired",
            },
            EventKind::Import { change } => match change {
                ImportChange::Opened { .. } => "imported",
                ImportChange::Cancelled { .. } => "import-cancelled",
                ImportChange::Expired { .. } => "import-expired",
            },
            EventKind::Rotated { .. } => "rotated",
            EventKind::RotationEnded { .. } => "rotation-ended",
            EventKind::Revoked { .. } => "revoked",
            EventKind::Pushed { failure: None, .. } => "pushed",
            EventKind::Pushed {
                failure: Some(_), ..
            } => "push-failed",
            EventKind::CertificateIssued { .. } => "certificate-issued",
            EventKind::Frame { dropped: true, .. } => "frame-dropped",
            EventKind::Frame { dropped: false, .. } => "frame-would-drop",
            EventKind::Exception { change, .. } => match change {
                ExceptionChange::Made => "exception-made",
                ExceptionChange::Withdrawn | ExceptionChange::Crowded => "exception-withdrawn",
                ExceptionChange::Expired => "exception-expired",
            },
            EventKind::Binding { missing: None, .. } => "bound",
            EventKind::Binding {
                missing: Some(_), ..
            } => "not-bound",
            EventKind::Connected { .. } => "connected",
            EventKind::Disconnected { .. } => "disconnected",
            EventKind::LoginRefused { .. } => "login-refused",
            EventKind::TopicRefused { .. } => "topic-refused",
            EventKind::LimitMet { .. } => "limit-met",
            EventKind::Memory { .. } => "memory",
            EventKind::ProtocolError { .. } => "protocol-error",
            EventKind::Enforcement { .. } => "enforcement",
            EventKind::Fallback(_) => "fallback",
            EventKind::SourceChanged { .. } => "source-changed",
            EventKind::ConfigLoaded { .. } => "config-loaded",
            EventKind::ConfigRefused { .. } => "config-refused",
            EventKind::BridgeLink { up: true, .. } => "bridge-up",
            EventKind::BridgeLink { up: false, .. } => "bridge-down",
            EventKind::BridgeTrouble { .. } => "bridge-trouble",
            EventKind::Uplift { refused: None, .. } => "uplift",
            EventKind::Uplift {
                refused: Some(_), ..
            } => "uplift-refused",
            EventKind::UpliftReady { ready: true, .. } => "uplift-ready",
            EventKind::UpliftReady { ready: false, .. } => "uplift-failed",
            EventKind::Mud(change) => match change {
                MudChange::Announced { .. } => "mud-announced",
                MudChange::Accepted { .. } => "mud-accepted",
                MudChange::Forgotten { .. } => "mud-forgotten",
                MudChange::Changed { .. } => "mud-changed",
                MudChange::Failed { .. } => "mud-failed",
                MudChange::Resolved { .. } => "mud-resolved",
                MudChange::Crowded { .. } => "mud-crowded",
                MudChange::Outside { .. } => "mud-outside",
            },
            EventKind::Journal(news) if news.is_well() => "journal",
            EventKind::Journal(_) => "journal-trouble",
            EventKind::Listening { .. } => "listening",
        }
    }
}
