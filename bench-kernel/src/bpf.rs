//! What only the measurements need of `bpf(2)` (linux/bpf.h).

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use mqttguard_tests::bpf::{Instruction, call};

/// What the programs of the measurements are called in the kernel.
pub(crate) const NAME: &str = "mqttguard_bench";

const BPF_LINK_CREATE: libc::c_int = 28;

/// The end of an XDP program that redirects frames to an interface of the namespace that they came
/// in on.
pub(crate) fn redirect(interface: u32) -> [Instruction; 4] {
    const REDIRECT: i32 = 23;
    [
        Instruction::set(1, interface as i32),
        Instruction::set(2, 0),
        Instruction::new(0x85, 0, 0, 0, REDIRECT),
        Instruction::EXIT,
    ]
}

/// Where a program is attached.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    /// The driver hands frames to it.
    Native,
    /// The stack does, as if it were the driver.
    Generic,
    /// TC ingress.
    Tcx,
}

/// Attaches a program to an interface of this thread's network namespace, until the link is
/// closed.
pub(crate) fn attach(program: BorrowedFd<'_>, interface: u32, place: Place) -> io::Result<OwnedFd> {
    #[repr(C)]
    #[derive(Default)]
    struct Create {
        prog_fd: u32,
        target_ifindex: u32,
        attach_type: u32,
        flags: u32,
        more: [u64; 4],
    }
    const BPF_XDP: u32 = 37;
    const BPF_TCX_INGRESS: u32 = 46;
    const XDP_FLAGS_SKB_MODE: u32 = 1 << 1;
    const XDP_FLAGS_DRV_MODE: u32 = 1 << 2;
    let (attach_type, flags) = match place {
        Place::Native => (BPF_XDP, XDP_FLAGS_DRV_MODE),
        Place::Generic => (BPF_XDP, XDP_FLAGS_SKB_MODE),
        Place::Tcx => (BPF_TCX_INGRESS, 0),
    };
    let mut attr = Create {
        prog_fd: program.as_raw_fd() as u32,
        target_ifindex: interface,
        attach_type,
        flags,
        ..Create::default()
    };
    // SAFETY: the attributes point to nothing.
    let fd = unsafe { call(BPF_LINK_CREATE, &mut attr)? };
    // SAFETY: just opened, owned by nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
