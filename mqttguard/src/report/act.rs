use super::texts::{self, Text};

/// What the owner can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Give devices credentials of their own.
    Enrol,
    /// Give them new passwords.
    Rotate,
    /// Finish what a rotation began.
    FinishRotation,
    /// Give them new certificates.
    Certify,
    /// Bind a credential to its device.
    Bind,
    /// Take back what may leave in the clear.
    Withdraw,
    /// Have devices use TLS.
    Encrypt,
    /// Switch from watching to enforcing.
    Enforce,
    /// Find out why the guard does not stand everywhere.
    Look,
    /// Decide about devices.
    Decide,
    /// Change settings.
    Settle,
    /// Mend the configuration.
    Mend,
}

/// The page of the web interface for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// What happens now.
    Overview,
    /// All devices.
    Devices,
    /// Giving credentials.
    Enrol,
    /// The configuration.
    Settings,
}

impl Act {
    /// All acts.
    pub const ALL: [Act; 12] = [
        Act::Enrol,
        Act::Rotate,
        Act::FinishRotation,
        Act::Certify,
        Act::Bind,
        Act::Withdraw,
        Act::Encrypt,
        Act::Enforce,
        Act::Look,
        Act::Decide,
        Act::Settle,
        Act::Mend,
    ];

    /// As a request to the owner.
    pub const fn text(self) -> Text {
        match self {
            Act::Enrol => texts::DO_ENROL,
            Act::Rotate => texts::DO_ROTATE,
            Act::FinishRotation => texts::DO_FINISH_ROTATION,
            Act::Certify => texts::DO_CERTIFY,
            Act::Bind => texts::DO_BIND,
            Act::Withdraw => texts::DO_WITHDRAW,
            Act::Encrypt => texts::DO_ENCRYPT,
            Act::Enforce => texts::DO_ENFORCE,
            Act::Look => texts::DO_LOOK,
            Act::Decide => texts::DO_DECIDE,
            Act::Settle => texts::DO_SETTLE,
            Act::Mend => texts::DO_MEND,
        }
    }

    /// Where it is done.
    pub const fn page(self) -> Page {
        match self {
            Act::Enrol | Act::Encrypt => Page::Enrol,
            Act::Rotate | Act::FinishRotation | Act::Certify | Act::Withdraw | Act::Decide => {
                Page::Devices
            }
            Act::Bind | Act::Enforce | Act::Settle | Act::Mend => Page::Settings,
            Act::Look => Page::Overview,
        }
    }
}

impl Page {
    /// As ubus shows it, and as the page's path ends.
    pub const fn name(self) -> &'static str {
        match self {
            Page::Overview => "overview",
            Page::Devices => "devices",
            Page::Enrol => "enrol",
            Page::Settings => "settings",
        }
    }
}
