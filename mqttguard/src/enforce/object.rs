use std::path::Path;

use aya::programs::{ProgramError, SchedClassifier, Xdp};
use aya::{Ebpf, EbpfLoader};

use super::EnforceError;

/// The kernel program for this machine's byte order, as `cargo xtask ebpf` builds it.
#[cfg(target_endian = "little")]
pub static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../mqttguard-ebpf/obj/mqttguard.bpfel.o"
));
/// The kernel program for this machine's byte order, as `cargo xtask ebpf` builds it.
#[cfg(target_endian = "big")]
pub static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../mqttguard-ebpf/obj/mqttguard.bpfeb.o"
));

/// The XDP program's name in the object.
pub const XDP: &str = "mqttguard_xdp";
/// The TC program's name in the object.
pub const TC: &str = "mqttguard_tc";

/// Every map of the object; what a predecessor has to leave for a successor.
const MAPS: [&str; 18] = [
    "DEVICES",
    "PLACES",
    "POLICIES",
    "LEVELS",
    "COUNTERS",
    "TOLD",
    "STRANGERS",
    "SPARE",
    "RULES",
    "PORTS",
    "LOCAL",
    "STATIONS",
    "EXCEPTIONS",
    "EVENTS",
    "FRAMES",
    "PROCESSOR",
    "FLOWS",
    "NEWCOMERS",
];

/// Whether this kernel's JIT compiler can add to a 64-bit word in one step: those of 64-bit
/// processors can, and of 32-bit MIPS; that of 32-bit ARM refuses the whole program.
const HAS_ATOMICS: bool = cfg!(any(
    target_pointer_width = "64",
    target_arch = "mips",
    target_arch = "mips32r6"
));

/// [`open`] and [`load_programs`] in one.
///
/// # Errors
///
/// As they have.
pub fn load(object: &[u8], maps_dir: Option<&Path>) -> Result<Ebpf, EnforceError> {
    let mut object = open(object, maps_dir)?;
    load_programs(&mut object)?;
    Ok(object)
}

/// Creates the object's maps, or takes those over that are pinned in `maps_dir`. Without `maps_dir`
/// nothing is pinned.
///
/// aya reads the kernel's own type information here, which costs a moment's 30 MB on kernels that
/// have any; OpenWrt's have none.
///
/// # Errors
///
/// The kernel refuses a map.
pub fn open(object: &[u8], maps_dir: Option<&Path>) -> Result<Ebpf, EnforceError> {
    let mut loader = EbpfLoader::new();
    loader.btf(None);
    let atomics = u8::from(HAS_ATOMICS);
    loader.override_global("ATOMICS", &atomics, true);
    if let Some(dir) = maps_dir {
        for map in MAPS {
            loader.map_pin_path(map, dir.join(map));
        }
    }
    Ok(loader.load(object)?)
}

/// Has the kernel verify both programs, which takes a second of a fast processor.
///
/// # Errors
///
/// The kernel refuses one; the message has the verifier's last words.
pub fn load_programs(object: &mut Ebpf) -> Result<(), EnforceError> {
    xdp(object)?
        .load()
        .map_err(|error| program_error(XDP, error))?;
    tc(object)?.load().map_err(|error| program_error(TC, error))
}

/// The XDP program.
///
/// # Errors
///
/// The object has none.
pub fn xdp(object: &mut Ebpf) -> Result<&mut Xdp, EnforceError> {
    object
        .program_mut(XDP)
        .ok_or(EnforceError::Missing(XDP))?
        .try_into()
        .map_err(|error| program_error(XDP, error))
}

/// The TC program.
///
/// # Errors
///
/// The object has none.
pub fn tc(object: &mut Ebpf) -> Result<&mut SchedClassifier, EnforceError> {
    object
        .program_mut(TC)
        .ok_or(EnforceError::Missing(TC))?
        .try_into()
        .map_err(|error| program_error(TC, error))
}

/// What the kernel calls the XDP program.
///
/// # Errors
///
/// It does not say.
pub(super) fn id_of_xdp(object: &mut Ebpf) -> Result<u32, EnforceError> {
    let info = xdp(object)?.info();
    Ok(info.map_err(|error| program_error(XDP, error))?.id())
}

/// What the kernel calls the TC program.
///
/// # Errors
///
/// It does not say.
pub(super) fn id_of_tc(object: &mut Ebpf) -> Result<u32, EnforceError> {
    let info = tc(object)?.info();
    Ok(info.map_err(|error| program_error(TC, error))?.id())
}

fn program_error(name: &'static str, error: ProgramError) -> EnforceError {
    EnforceError::Program { name, error }
}
