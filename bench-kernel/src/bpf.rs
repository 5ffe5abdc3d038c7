//! The few calls of `bpf(2)` that the measurements need (linux/bpf.h).

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

const BPF_PROG_LOAD: libc::c_int = 5;
const BPF_PROG_TEST_RUN: libc::c_int = 10;
const BPF_LINK_CREATE: libc::c_int = 28;

/// `BPF_PROG_TYPE_XDP`.
pub(crate) const XDP: u32 = 6;
/// `BPF_PROG_TYPE_SCHED_CLS`.
pub(crate) const SCHED_CLS: u32 = 3;

/// One instruction (`struct bpf_insn`).
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Instruction {
    code: u8,
    registers: u8,
    offset: i16,
    immediate: i32,
}

impl Instruction {
    pub(crate) const fn new(
        code: u8,
        destination: u8,
        source: u8,
        offset: i16,
        immediate: i32,
    ) -> Self {
        let registers = if cfg!(target_endian = "little") {
            source << 4 | destination
        } else {
            destination << 4 | source
        };
        Instruction {
            code,
            registers,
            offset,
            immediate,
        }
    }

    /// Sets a register.
    pub(crate) const fn set(register: u8, value: i32) -> Self {
        Self::new(0xb7, register, 0, 0, value)
    }

    /// Ends the program; register 0 is its answer.
    pub(crate) const EXIT: Self = Self::new(0x95, 0, 0, 0, 0);
}

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

/// Loads a program.
pub(crate) fn load(kind: u32, code: &[Instruction]) -> io::Result<OwnedFd> {
    #[repr(C)]
    struct Load {
        prog_type: u32,
        insn_cnt: u32,
        insns: u64,
        license: u64,
    }
    let license = c"GPL";
    let mut attr = Load {
        prog_type: kind,
        insn_cnt: code.len() as u32,
        insns: code.as_ptr() as u64,
        license: license.as_ptr() as u64,
    };
    // SAFETY: what the attributes point to outlives the call.
    let fd = unsafe { call(BPF_PROG_LOAD, &mut attr)? };
    // SAFETY: just opened, owned by nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
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

/// Has an XDP program send `count` copies of a frame, from memory that is used again.
pub(crate) fn send(program: &impl AsFd, frame: &[u8], count: u32) -> io::Result<()> {
    #[repr(C)]
    #[derive(Default)]
    struct TestRun {
        prog_fd: u32,
        retval: u32,
        data_size_in: u32,
        data_size_out: u32,
        data_in: u64,
        data_out: u64,
        repeat: u32,
        duration: u32,
        ctx_size_in: u32,
        ctx_size_out: u32,
        ctx_in: u64,
        ctx_out: u64,
        flags: u32,
        cpu: u32,
        batch_size: u32,
        padding: u32,
    }
    const BPF_F_TEST_XDP_LIVE_FRAMES: u32 = 1 << 1;
    let mut attr = TestRun {
        prog_fd: program.as_fd().as_raw_fd() as u32,
        data_size_in: frame.len() as u32,
        data_in: frame.as_ptr() as u64,
        repeat: count,
        flags: BPF_F_TEST_XDP_LIVE_FRAMES,
        ..TestRun::default()
    };
    // SAFETY: the frame outlives the call, which only reads it.
    unsafe { call(BPF_PROG_TEST_RUN, &mut attr) }.map(drop)
}

/// # Safety
///
/// `attr` is what the kernel reads and writes for this command, and all that it points to is valid.
unsafe fn call<T>(command: libc::c_int, attr: &mut T) -> io::Result<i32> {
    // SAFETY: as the caller promises.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, &raw mut *attr, size_of::<T>()) };
    i32::try_from(result)
        .ok()
        .filter(|&result| result >= 0)
        .ok_or_else(io::Error::last_os_error)
}
