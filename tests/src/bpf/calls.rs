//! The few calls of `bpf(2)` that tests and measurements make by themselves (linux/bpf.h).

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

const BPF_PROG_LOAD: libc::c_int = 5;
const BPF_OBJ_PIN: libc::c_int = 6;
const BPF_OBJ_GET: libc::c_int = 7;
const BPF_PROG_TEST_RUN: libc::c_int = 10;
const BPF_OBJ_GET_INFO_BY_FD: libc::c_int = 15;
const BPF_LINK_DETACH: libc::c_int = 34;

/// `BPF_PROG_TYPE_XDP`.
pub const XDP: u32 = 6;
/// `BPF_PROG_TYPE_SCHED_CLS`.
pub const SCHED_CLS: u32 = 3;

/// One instruction (`struct bpf_insn`).
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Instruction {
    code: u8,
    registers: u8,
    offset: i16,
    immediate: i32,
}

impl Instruction {
    /// One of this operation, with what belongs to it.
    pub const fn new(code: u8, destination: u8, source: u8, offset: i16, immediate: i32) -> Self {
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
    pub const fn set(register: u8, value: i32) -> Self {
        Self::new(0xb7, register, 0, 0, value)
    }

    /// Ends the program; register 0 is its answer.
    pub const EXIT: Self = Self::new(0x95, 0, 0, 0, 0);
}

/// Loads a program; of its name the kernel keeps 15 bytes.
///
/// # Errors
///
/// The kernel refuses.
pub fn load(kind: u32, name: &str, code: &[Instruction]) -> io::Result<OwnedFd> {
    #[repr(C)]
    struct Load {
        prog_type: u32,
        insn_cnt: u32,
        insns: u64,
        license: u64,
        /// `log_level` and `log_size`, `log_buf`, `kern_version` and `prog_flags`.
        others: [u64; 3],
        prog_name: [u8; 16],
    }
    let license = c"GPL";
    let mut prog_name = [0; 16];
    for (to, from) in prog_name.iter_mut().take(15).zip(name.bytes()) {
        *to = from;
    }
    let mut attr = Load {
        prog_type: kind,
        insn_cnt: code.len() as u32,
        insns: code.as_ptr() as u64,
        license: license.as_ptr() as u64,
        others: [0; 3],
        prog_name,
    };
    // SAFETY: what the attributes point to outlives the call.
    let fd = unsafe { call(BPF_PROG_LOAD, &mut attr)? };
    // SAFETY: just opened, owned by nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// What came of running a program on a frame.
#[derive(Clone, Copy, Debug)]
pub struct Ran {
    /// What it answered last.
    pub verdict: u32,
    /// The mean time of a run.
    pub took: Duration,
    /// Length of the frame that it left.
    pub length: usize,
}

/// The part of `union bpf_attr` that BPF_PROG_TEST_RUN reads.
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

/// Runs a program `repeat` times on a frame. `context` is empty, or a `struct __sk_buff`; the frame
/// that it leaves goes to `out`, as much of it as fits.
///
/// # Errors
///
/// The kernel refuses.
pub fn test_run(
    program: BorrowedFd<'_>,
    frame: &[u8],
    context: &mut [u8],
    repeat: u32,
    out: &mut [u8],
) -> io::Result<Ran> {
    let place = |of: &mut [u8]| match of.is_empty() {
        true => 0,
        false => of.as_mut_ptr() as u64,
    };
    let mut attr = TestRun {
        prog_fd: program.as_raw_fd() as u32,
        data_size_in: frame.len() as u32,
        data_in: frame.as_ptr() as u64,
        data_size_out: out.len() as u32,
        data_out: place(out),
        repeat,
        ctx_size_in: context.len() as u32,
        ctx_in: place(context),
        ..TestRun::default()
    };
    // SAFETY: the buffers that the attributes point to live until the call returns.
    unsafe { call(BPF_PROG_TEST_RUN, &mut attr)? };
    Ok(Ran {
        verdict: attr.retval,
        took: Duration::from_nanos(attr.duration.into()),
        length: attr.data_size_out as usize,
    })
}

/// Has an XDP program send `count` copies of a frame, from memory that is used again.
///
/// # Errors
///
/// The kernel refuses.
pub fn send(program: &impl AsFd, frame: &[u8], count: u32) -> io::Result<()> {
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

/// The instructions of a program as the kernel runs them, or hands them to its JIT compiler.
///
/// # Errors
///
/// The kernel does not show them.
pub fn translated(program: BorrowedFd<'_>) -> io::Result<Vec<u8>> {
    /// The beginning of `struct bpf_prog_info`.
    #[repr(C)]
    #[derive(Default)]
    struct Info {
        kind: u32,
        id: u32,
        tag: [u8; 8],
        jited_prog_len: u32,
        xlated_prog_len: u32,
        jited_prog_insns: u64,
        xlated_prog_insns: u64,
    }
    #[repr(C)]
    struct Ask {
        bpf_fd: u32,
        info_len: u32,
        info: u64,
    }
    let ask = |info: &mut Info| {
        let mut attr = Ask {
            bpf_fd: program.as_raw_fd() as u32,
            info_len: size_of::<Info>() as u32,
            info: &raw mut *info as u64,
        };
        // SAFETY: the information outlives the call, and what it points to is as long as it says.
        unsafe { call(BPF_OBJ_GET_INFO_BY_FD, &mut attr) }.map(drop)
    };
    let mut info = Info::default();
    ask(&mut info)?;
    if info.xlated_prog_len == 0 {
        return Err(io::Error::other("the kernel does not show its programs"));
    }
    let mut code = vec![0u8; info.xlated_prog_len as usize];
    let mut info = Info {
        xlated_prog_len: info.xlated_prog_len,
        xlated_prog_insns: code.as_mut_ptr() as u64,
        ..Info::default()
    };
    ask(&mut info)?;
    Ok(code)
}

/// The attributes of BPF_OBJ_PIN and BPF_OBJ_GET.
#[repr(C)]
struct Object {
    pathname: u64,
    bpf_fd: u32,
    file_flags: u32,
}

/// Pins a program.
///
/// # Errors
///
/// The kernel refuses.
pub fn pin(program: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut attr = Object {
        pathname: path.as_ptr() as u64,
        bpf_fd: program.as_raw_fd() as u32,
        file_flags: 0,
    };
    // SAFETY: the path outlives the call.
    unsafe { call(BPF_OBJ_PIN, &mut attr) }.map(drop)
}

/// Detaches a pinned link behind its owner's back.
///
/// # Errors
///
/// There is none, or the kernel refuses.
pub fn force_detach(pin: &Path) -> io::Result<()> {
    let path = CString::new(pin.as_os_str().as_bytes())?;
    let mut attr = Object {
        pathname: path.as_ptr() as u64,
        bpf_fd: 0,
        file_flags: 0,
    };
    // SAFETY: the path outlives the call.
    let fd = unsafe { call(BPF_OBJ_GET, &mut attr)? };
    // SAFETY: just opened, owned by nobody else.
    let link = unsafe { OwnedFd::from_raw_fd(fd) };
    let mut attr = link.as_raw_fd();
    // SAFETY: the attribute is the descriptor and points to nothing.
    unsafe { call(BPF_LINK_DETACH, &mut attr) }.map(drop)
}

/// `bpf(2)`, with what a command of it reads and writes.
///
/// # Errors
///
/// The kernel refuses.
///
/// # Safety
///
/// `attr` is what the kernel reads and writes for this command, and all that it points to is valid.
pub unsafe fn call<T>(command: libc::c_int, attr: &mut T) -> io::Result<i32> {
    // SAFETY: as the caller promises.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, &raw mut *attr, size_of::<T>()) };
    i32::try_from(result)
        .ok()
        .filter(|&result| result >= 0)
        .ok_or_else(io::Error::last_os_error)
}
