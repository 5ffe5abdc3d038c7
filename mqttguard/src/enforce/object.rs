use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use aya::maps::{Map, MapError, ProgramArray};
use aya::programs::{Program, ProgramError, ProgramFd, ProgramInfo, SchedClassifier, Xdp};
use aya::{Ebpf, EbpfLoader};

use super::EnforceError;
use super::error::on;

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

/// Holds the place of the XDP program, and lets everything pass.
const XDP_NOTHING: &str = "xdp_nothing";

/// The programs that each of these hands frames on to, in the order in which they stand in its array
/// of calls.
const CALLED_BY_XDP: [&str; 3] = ["xdp_request", "xdp_frames", "xdp_tell"];
const CALLED_BY_TC: [&str; 3] = ["tc_request", "tc_frames", "tc_tell"];
const XDP_CALLS: &str = "XDP_CALLS";
const TC_CALLS: &str = "TC_CALLS";

/// Every map of the object that a predecessor leaves for a successor. The arrays of calls are not
/// among them: a program that is still attached calls those programs that were loaded with it.
const MAPS: [&str; 19] = [
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
    "READINGS",
    "NEWCOMERS",
];

/// Whether this kernel's JIT compiler can add to a 64-bit word in one step: those of 64-bit
/// processors can, and of 32-bit MIPS; that of 32-bit ARM refuses the whole program.
const HAS_ATOMICS: bool = cfg!(any(
    target_pointer_width = "64",
    target_arch = "mips",
    target_arch = "mips32r6"
));

/// The object with its maps. The programs of a hook are loaded when they are first asked for: most
/// routers need those of one hook alone, and verifying them takes their processors seconds.
pub struct Object {
    ebpf: Ebpf,
    maps_dir: Option<PathBuf>,
    /// What came of loading; None: not asked for yet. What the kernel refused, it is not asked again.
    xdp: Option<Result<(), String>>,
    tc: Option<Result<(), String>>,
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
pub fn open(object: &[u8], maps_dir: Option<&Path>) -> Result<Object, EnforceError> {
    open_with(object, maps_dir, HAS_ATOMICS)
}

/// The same for a JIT compiler with or without atomic instructions, whatever this machine's has.
///
/// # Errors
///
/// As [`open`].
pub fn open_with(
    object: &[u8],
    maps_dir: Option<&Path>,
    has_atomics: bool,
) -> Result<Object, EnforceError> {
    let mut loader = EbpfLoader::new();
    loader.btf(None);
    let atomics = u8::from(has_atomics);
    loader.override_global("ATOMICS", &atomics, true);
    if let Some(dir) = maps_dir {
        for map in MAPS {
            loader.map_pin_path(map, dir.join(map));
        }
    }
    Ok(Object {
        ebpf: loader.load(object)?,
        maps_dir: maps_dir.map(Path::to_path_buf),
        xdp: None,
        tc: None,
    })
}

impl Object {
    /// Takes a map out of it.
    pub fn take_map(&mut self, name: &str) -> Option<Map> {
        self.ebpf.take_map(name)
    }

    /// Takes a map out, as one of this type.
    pub(super) fn take<M>(&mut self, name: &'static str) -> Result<M, EnforceError>
    where
        M: TryFrom<Map, Error = MapError>,
    {
        let map = self.take_map(name).ok_or(EnforceError::Missing(name))?;
        map.try_into().map_err(on(name))
    }

    /// Whether the kernel was asked to verify the programs of XDP, or those of TC.
    pub(super) fn is_asked(&self, is_xdp: bool) -> bool {
        self.result(is_xdp).is_some()
    }

    /// Whether it has refused them.
    pub(super) fn is_refused(&self, is_xdp: bool) -> bool {
        self.result(is_xdp).is_some_and(Result::is_err)
    }

    fn result(&self, is_xdp: bool) -> Option<&Result<(), String>> {
        let result = if is_xdp { &self.xdp } else { &self.tc };
        result.as_ref()
    }

    /// Has the kernel verify them, which takes its time. Nothing is attached or pinned.
    ///
    /// # Errors
    ///
    /// It refuses; the message has the verifier's last words.
    pub(super) fn verify(&mut self, is_xdp: bool) -> Result<(), EnforceError> {
        if is_xdp {
            self.load_xdp()
        } else {
            self.load_tc()
        }
    }

    /// Pins the array of what they call, since the kernel empties such an array when nobody but
    /// programs has it; under a name of its own, so that what a predecessor left goes on calling
    /// what it knows.
    ///
    /// # Errors
    ///
    /// It cannot be pinned.
    pub(super) fn pin_calls(&self, is_xdp: bool) -> Result<(), EnforceError> {
        let calls = if is_xdp { XDP_CALLS } else { TC_CALLS };
        if let (Some(pin), Some(map)) = (self.pin_of(calls), self.ebpf.map(calls)) {
            map.pin(&pin).map_err(|error| EnforceError::File {
                path: pin,
                error: io::Error::other(error),
            })?;
        }
        Ok(())
    }

    /// An XDP program that lets everything pass.
    ///
    /// # Errors
    ///
    /// The kernel refuses it.
    pub(super) fn nothing(&mut self) -> Result<&mut Xdp, EnforceError> {
        let program: &mut Xdp = program(&mut self.ebpf, XDP_NOTHING)?;
        if program.fd().is_err() {
            program
                .load()
                .map_err(|error| program_error(XDP_NOTHING, error))?;
        }
        Ok(program)
    }

    /// The XDP program.
    ///
    /// # Errors
    ///
    /// The kernel refuses it; the message has the verifier's last words.
    pub fn xdp(&mut self) -> Result<&mut Xdp, EnforceError> {
        self.load_xdp()?;
        program(&mut self.ebpf, XDP)
    }

    /// The TC program.
    ///
    /// # Errors
    ///
    /// As [`Object::xdp`].
    pub fn tc(&mut self) -> Result<&mut SchedClassifier, EnforceError> {
        self.load_tc()?;
        program(&mut self.ebpf, TC)
    }

    /// The programs that have been loaded: their names, and what the kernel tells of each.
    ///
    /// # Errors
    ///
    /// It does not tell.
    pub fn loaded(&self) -> Result<Vec<(&str, ProgramInfo)>, EnforceError> {
        let mut all = Vec::new();
        for (name, program) in self.ebpf.programs() {
            match program.info() {
                Ok(info) => all.push((name, info)),
                Err(ProgramError::NotLoaded) => {}
                Err(error) => return Err(program_error(XDP, error)),
            }
        }
        Ok(all)
    }

    /// What the kernel calls the program that is attached; None before it is loaded.
    pub(super) fn id(&self, is_xdp: bool) -> Option<u32> {
        let name = if is_xdp { XDP } else { TC };
        Some(self.ebpf.program(name)?.info().ok()?.id())
    }

    /// Lets go of the programs that a predecessor's have called. Nothing may be attached any more
    /// that does.
    pub(super) fn forget_predecessors(&self) {
        let Some(dir) = &self.maps_dir else {
            return;
        };
        let ours = [XDP_CALLS, TC_CALLS].map(|calls| self.pin_of(calls));
        let pins = fs::read_dir(dir).into_iter().flatten().flatten();
        for path in pins.map(|entry| entry.path()) {
            let name = path.file_name().and_then(|name| name.to_str());
            let is_calls = name.is_some_and(|name| {
                [XDP_CALLS, TC_CALLS]
                    .iter()
                    .any(|calls| name.starts_with(calls))
            });
            if is_calls
                && !ours.contains(&Some(path.clone()))
                && let Err(error) = fs::remove_file(&path)
            {
                log::warn!("{}: {error}", path.display());
            }
        }
    }

    fn load_xdp(&mut self) -> Result<(), EnforceError> {
        let load = |ebpf: &mut Ebpf, name| {
            let program: &mut Xdp = program(ebpf, name)?;
            program.load().map_err(|error| program_error(name, error))?;
            copy(name, program.fd())
        };
        if self.xdp.is_none() {
            let result = self.load(XDP, CALLED_BY_XDP, XDP_CALLS, load);
            self.xdp = Some(result.map_err(|error| error.to_string()));
        }
        refused(&self.xdp)
    }

    fn load_tc(&mut self) -> Result<(), EnforceError> {
        let load = |ebpf: &mut Ebpf, name| {
            let program: &mut SchedClassifier = program(ebpf, name)?;
            program.load().map_err(|error| program_error(name, error))?;
            copy(name, program.fd())
        };
        if self.tc.is_none() {
            let result = self.load(TC, CALLED_BY_TC, TC_CALLS, load);
            self.tc = Some(result.map_err(|error| error.to_string()));
        }
        refused(&self.tc)
    }

    /// Loads a hook's programs, and puts those that are called into their array.
    fn load(
        &mut self,
        main: &'static str,
        called: [&'static str; 3],
        calls: &'static str,
        load: impl Fn(&mut Ebpf, &'static str) -> Result<ProgramFd, EnforceError>,
    ) -> Result<(), EnforceError> {
        load(&mut self.ebpf, main)?;
        for (index, name) in (0..).zip(called) {
            let program = load(&mut self.ebpf, name)?;
            let map = self.ebpf.map_mut(calls);
            let map = map.ok_or(EnforceError::Missing(calls))?;
            let mut array = ProgramArray::try_from(map).map_err(on(calls))?;
            array.set(index, &program, 0).map_err(on(calls))?;
        }
        Ok(())
    }

    /// Where the array of calls is pinned.
    fn pin_of(&self, calls: &str) -> Option<PathBuf> {
        let Some(Map::ProgramArray(map)) = self.ebpf.map(calls) else {
            return None;
        };
        let id = map.info().ok()?.id();
        Some(self.maps_dir.as_ref()?.join(format!("{calls}-{id}")))
    }
}

fn refused(loaded: &Option<Result<(), String>>) -> Result<(), EnforceError> {
    match loaded {
        Some(Err(why)) => Err(EnforceError::Refused(why.clone())),
        _ => Ok(()),
    }
}

fn program<'a, P>(ebpf: &'a mut Ebpf, name: &'static str) -> Result<&'a mut P, EnforceError>
where
    &'a mut P: TryFrom<&'a mut Program, Error = ProgramError>,
{
    ebpf.program_mut(name)
        .ok_or(EnforceError::Missing(name))?
        .try_into()
        .map_err(|error| program_error(name, error))
}

fn copy(
    name: &'static str,
    fd: Result<&ProgramFd, ProgramError>,
) -> Result<ProgramFd, EnforceError> {
    fd.and_then(|fd| Ok(fd.try_clone()?))
        .map_err(|error| program_error(name, error))
}

fn program_error(name: &'static str, error: ProgramError) -> EnforceError {
    EnforceError::Program { name, error }
}
