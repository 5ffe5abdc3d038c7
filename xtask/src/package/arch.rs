//! The architectures that packages are made for.

use clap::ValueEnum;

/// An architecture by OpenWrt's name, as `opkg print-architecture` and `/etc/apk/arch` have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Arch {
    /// PCs and virtual machines
    #[value(name = "x86_64")]
    X8664,
    /// mediatek/filogic, rockchip, Raspberry Pi 3 and newer
    #[value(name = "aarch64_cortex-a53")]
    CortexA53,
    /// ipq40xx, Allwinner
    #[value(name = "arm_cortex-a7_neon-vfpv4")]
    CortexA7,
    /// ramips/mt7621, mt76x8
    #[value(name = "mipsel_24kc")]
    Mipsel,
    /// ath79
    #[value(name = "mips_24kc")]
    Mips,
}

impl Arch {
    /// OpenWrt's name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Arch::X8664 => "x86_64",
            Arch::CortexA53 => "aarch64_cortex-a53",
            Arch::CortexA7 => "arm_cortex-a7_neon-vfpv4",
            Arch::Mipsel => "mipsel_24kc",
            Arch::Mips => "mips_24kc",
        }
    }

    /// Rust's name of the target.
    ///
    /// Its own idea of the processor stays: with `-Ctarget-cpu=cortex-a53` ring takes the AES
    /// instructions for granted, which the Raspberry Pi 3 lacks. ring asks the kernel instead.
    pub(super) fn target(self) -> &'static str {
        match self {
            Arch::X8664 => "x86_64-unknown-linux-musl",
            Arch::CortexA53 => "aarch64-unknown-linux-musl",
            Arch::CortexA7 => "armv7-unknown-linux-musleabihf",
            Arch::Mipsel => "mipsel-unknown-linux-musl",
            Arch::Mips => "mips-unknown-linux-musl",
        }
    }

    /// The target in zig's words, and the processor.
    pub(super) fn zig(self) -> (&'static str, &'static str) {
        match self {
            Arch::X8664 => ("x86_64-linux-musl", "x86_64"),
            Arch::CortexA53 => ("aarch64-linux-musl", "generic"),
            Arch::CortexA7 => ("arm-linux-musleabihf", "generic+v7a+vfp3-d32-neon"),
            Arch::Mipsel => ("mipsel-linux-musleabi", "mips32r2+soft_float"),
            Arch::Mips => ("mips-linux-musleabi", "mips32r2+soft_float"),
        }
    }

    /// The program of qemu that runs its programs.
    pub(super) fn qemu(self) -> &'static str {
        match self {
            Arch::X8664 => "qemu-x86_64-static",
            Arch::CortexA53 => "qemu-aarch64-static",
            Arch::CortexA7 => "qemu-arm-static",
            Arch::Mipsel => "qemu-mipsel-static",
            Arch::Mips => "qemu-mips-static",
        }
    }
}
