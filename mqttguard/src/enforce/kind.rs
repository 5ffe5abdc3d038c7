//! The ways to attach to an interface.

use std::path::{Path, PathBuf};

use aya::programs::tc::TcHandle;

use crate::config::Hook;

/// Where our filter stands among those of an interface's clsact queueing discipline.
pub(super) const TC_PRIORITY: u16 = 0x4d51;
pub(super) const TC_HANDLE: TcHandle = TcHandle::new(0, 0x4d51);

/// A way to attach to an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Xdp,
    XdpGeneric,
    Tcx,
    Tc,
}

impl Kind {
    pub(super) const ALL: [Kind; 4] = [Kind::Xdp, Kind::XdpGeneric, Kind::Tcx, Kind::Tc];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Kind::Xdp => "xdp",
            Kind::XdpGeneric => "xdp-generic",
            Kind::Tcx => "tcx",
            Kind::Tc => "tc",
        }
    }

    /// Whether it excludes others of its kind on the same interface.
    pub(super) const fn is_xdp(self) -> bool {
        matches!(self, Kind::Xdp | Kind::XdpGeneric)
    }

    /// What a hook setting stands for, the best first. Native XDP that was found blind on an
    /// interface is left out if there is a choice.
    pub(super) fn choices(hook: Hook, xdp_is_blind: bool) -> &'static [Kind] {
        match hook {
            Hook::Auto if xdp_is_blind => &[Kind::Tcx, Kind::Tc],
            Hook::Auto => &[Kind::Xdp, Kind::Tcx, Kind::Tc],
            Hook::Xdp => &[Kind::Xdp],
            Hook::XdpGeneric => &[Kind::XdpGeneric],
            Hook::Tc => &[Kind::Tcx, Kind::Tc],
        }
    }

    /// Where the attachment to an interface is pinned. By index, since names may have dots,
    /// which the BPF file system does not allow.
    pub(super) fn pin(self, dir: &Path, index: u32) -> PathBuf {
        dir.join(format!("{}-{index}", self.name()))
    }

    /// Reads the name of a pin.
    pub(super) fn of_pin(name: &str) -> Option<(Kind, u32)> {
        let (kind, index) = name.rsplit_once('-')?;
        let kind = Kind::ALL.into_iter().find(|known| known.name() == kind)?;
        Some((kind, index.parse().ok()?))
    }
}
