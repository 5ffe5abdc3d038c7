use std::io;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};

use anyhow::{Context, Result};
use mqttguard_tests::bpf::Hook;

/// One instruction (`struct bpf_insn`).
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Instruction {
    code: u8,
    /// Destination register in the lower half on little-endian machines, in the upper on others.
    registers: u8,
    offset: i16,
    immediate: i32,
}

impl Instruction {
    const fn new(code: u8, destination: u8, offset: i16, immediate: i32) -> Self {
        let registers = if cfg!(target_endian = "little") {
            destination
        } else {
            destination << 4
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
        Self::new(0xb7, register, 0, value)
    }

    /// Ends the program; register 0 is its answer.
    pub(crate) const EXIT: Self = Self::new(0x95, 0, 0, 0);
}

/// A program of a few instructions.
pub(crate) struct Program(OwnedFd);

impl Program {
    /// Loads a program for this hook.
    pub(crate) fn load(hook: Hook, code: &[Instruction]) -> Result<Self> {
        const BPF_PROG_LOAD: libc::c_int = 5;
        /// The part of `union bpf_attr` that is needed (linux/bpf.h).
        #[repr(C)]
        struct Load {
            prog_type: u32,
            insn_cnt: u32,
            insns: u64,
            license: u64,
        }
        let license = c"GPL";
        let attr = Load {
            // BPF_PROG_TYPE_XDP and BPF_PROG_TYPE_SCHED_CLS.
            prog_type: match hook {
                Hook::Xdp => 6,
                Hook::Tc => 3,
            },
            insn_cnt: u32::try_from(code.len())?,
            insns: code.as_ptr() as u64,
            license: license.as_ptr() as u64,
        };
        // SAFETY: the attributes are as linux/bpf.h lays them out, and what they point to
        // outlives the call.
        let fd = unsafe {
            libc::syscall(
                libc::SYS_bpf,
                BPF_PROG_LOAD,
                &raw const attr,
                size_of::<Load>(),
            )
        };
        if fd < 0 {
            return Err(io::Error::last_os_error()).context("a program of a few instructions");
        }
        // SAFETY: just opened, owned by nobody else.
        Ok(Program(unsafe { OwnedFd::from_raw_fd(i32::try_from(fd)?) }))
    }

    /// A program that passes every frame and does nothing else.
    pub(crate) fn passing(hook: Hook) -> Result<Self> {
        // XDP_PASS, and TC_ACT_UNSPEC.
        let verdict = match hook {
            Hook::Xdp => 2,
            Hook::Tc => -1,
        };
        Self::load(hook, &[Instruction::set(0, verdict), Instruction::EXIT])
    }
}

impl AsFd for Program {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
