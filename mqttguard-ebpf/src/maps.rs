use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, HashMap, LpmTrie, LruHashMap, PerCpuArray, ProgramArray, RingBuf};
use mqttguard_common::{
    Counters, EVENT_BYTES, Exceptions, FRAME_SLOTS, Flow, Level, Levels, MAX_DEVICES, MAX_LOCAL,
    MAX_PREFIXES, MAX_STATIONS, MAX_STRANGERS, MacKey, Places, Policy, PortWord, Reading, Rules,
    SHARED, Station, Stranger, Told,
};

use crate::packet::Address;
use crate::processor::Processor;
use crate::step::Program;

/// The devices that the daemon has named: the row of each in the arrays below. Only the daemon
/// writes here.
#[map]
pub(crate) static DEVICES: HashMap<MacKey, u32> = HashMap::with_max_entries(MAX_DEVICES, 0);

/// The same once more, as far as there is room: an array is read without a call.
#[map]
pub(crate) static PLACES: Array<Places> = Array::with_max_entries(Places::COUNT, 0);

/// What known devices may do.
#[map]
pub(crate) static POLICIES: Array<Policy> = Array::with_max_entries(MAX_DEVICES, 0);

/// The bucket levels of known devices, shared by all processors.
#[map]
pub(crate) static LEVELS: Array<Levels> = Array::with_max_entries(MAX_DEVICES, 0);

/// The counters of known devices.
#[map]
pub(crate) static COUNTERS: PerCpuArray<Counters> = PerCpuArray::with_max_entries(MAX_DEVICES, 0);

/// When known devices were told of.
#[map]
pub(crate) static TOLD: Array<Told> = Array::with_max_entries(MAX_DEVICES, 0);

/// All about the devices that the daemon has not named.
#[map]
pub(crate) static STRANGERS: LruHashMap<MacKey, Stranger> =
    LruHashMap::with_max_entries(MAX_STRANGERS, 0);

/// 0: a stranger that was never seen, to start new ones from. Behind it, those shared by
/// strangers without an entry of their own, by interface.
#[map]
pub(crate) static SPARE: Array<Stranger> = Array::with_max_entries(1 + SHARED, 0);

/// The bucket of new strangers, by interface index modulo its length.
#[map]
pub(crate) static NEWCOMERS: Array<Level> = Array::with_max_entries(FRAME_SLOTS, 0);

/// What holds for every device, one row.
#[map]
pub(crate) static RULES: Array<Rules> = Array::with_max_entries(1, 0);

/// TCP ports that are special.
#[map]
pub(crate) static PORTS: Array<PortWord> = Array::with_max_entries(PortWord::COUNT, 0);

/// The router's own addresses.
#[map]
pub(crate) static LOCAL: HashMap<Address, u8> = HashMap::with_max_entries(MAX_LOCAL, 0);

/// How frames are addressed that the router takes in.
#[map]
pub(crate) static STATIONS: HashMap<Station, u8> = HashMap::with_max_entries(MAX_STATIONS, 0);

/// Exceptions by destination prefix.
#[map]
pub(crate) static EXCEPTIONS: LpmTrie<Address, Exceptions> =
    LpmTrie::with_max_entries(MAX_PREFIXES, 0);

/// Records for the daemon.
#[map]
pub(crate) static EVENTS: RingBuf = RingBuf::with_byte_size(EVENT_BYTES, 0);

/// Frames seen by interface index modulo its length, for the daemon to prove that the program
/// sees any.
#[map]
pub(crate) static FRAMES: PerCpuArray<u64> = PerCpuArray::with_max_entries(FRAME_SLOTS, 0);

/// What each processor keeps for itself, one row.
#[map]
pub(crate) static PROCESSOR: PerCpuArray<Processor> = PerCpuArray::with_max_entries(1, 0);

/// The beginnings of TCP streams. An array, and not a map that evicts: finding a slot costs less
/// than a tenth of a look-up in one, and what a flood can take away is the same.
#[map]
pub(crate) static FLOWS: Array<Flow> = Array::with_max_entries(Flow::SLOTS, 0);

/// What was read of those that are read on, at the same slots.
#[map]
pub(crate) static READINGS: Array<Reading> = Array::with_max_entries(Flow::SLOTS, 0);

/// The programs that the XDP program hands frames on to. Every load has arrays of its own: programs
/// of another version do not understand each other.
#[map]
pub(crate) static XDP_CALLS: ProgramArray = ProgramArray::with_max_entries(Program::COUNT, 0);

/// Those of the TC program.
#[map]
pub(crate) static TC_CALLS: ProgramArray = ProgramArray::with_max_entries(Program::COUNT, 0);
