use aya_ebpf::bindings::BPF_NOEXIST;
use mqttguard_common::{
    Bucket, Counters, EVENT_GAP_NS, EventRecord, FRAME_SLOTS, Levels, Mac, MacKey, NEWCOMERS_PER_S,
    Places, Policy, Rules, SHARED, Stranger, Told,
};

use crate::bucket::admit;
use crate::case::Case;
use crate::cell::forget;
use crate::frame::Frame;
use crate::header::Ethernet;
use crate::maps::{
    COUNTERS, DEVICES, EVENTS, LEVELS, NEWCOMERS, PLACES, POLICIES, SPARE, STRANGERS, TOLD,
};
use crate::packet::Packet;
use crate::processor::{Processor, case, cell};
use crate::reason::REASON_MASK;

/// How fast strangers get entries of their own, on one interface.
const NEWCOMERS_LIMIT: Bucket = Bucket::per_second(NEWCOMERS_PER_S);

/// Whom a frame is from, and the rows kept of it.
pub(crate) struct Subject<'a> {
    pub(crate) mac: Mac,
    pub(crate) policy: &'a Policy,
    pub(crate) levels: &'a mut Levels,
    counters: &'a mut Counters,
    /// When the daemon was told of it. Null for a known device: looked up by its row, and only
    /// when there is something to tell.
    told: *mut Told,
    row: u32,
}

impl<'a> Subject<'a> {
    /// Looks the source MAC up. None cannot happen, but the verifier has to be told.
    #[inline(always)]
    pub(crate) fn of(
        frame: &Frame,
        mac: Mac,
        rules: &'a Rules,
        now_ns: u64,
        own: *mut Processor,
    ) -> Option<Self> {
        let key = MacKey::new(mac);
        let word = Places::word(mac);
        let places = PLACES.get(Places::index(word))?;
        let mut row = places.find(word) as u32;
        if row == 0 && places.more != 0 {
            // SAFETY: read at once; a row that is given to another device meanwhile is as good.
            row = unsafe { DEVICES.get(key) }.map_or(0, |row| row + 1);
        }
        let row = forget(cell(own), u64::from(row), 0xffff) as u32;
        Self::at(frame, mac, row, rules, now_ns)
    }

    /// The one whom a frame was found to be from by the program before this one.
    #[inline(always)]
    pub(crate) fn again(
        frame: &Frame,
        rules: &'a Rules,
        now_ns: u64,
        own: *mut Processor,
    ) -> Option<Self> {
        let ethernet = frame.at::<Ethernet>(0)?;
        let row = Case::row(case(own)) & 0xffff;
        Self::at(frame, Mac(ethernet.source), row, rules, now_ns)
    }

    /// `row` is that of a known device plus one, or 0.
    #[inline(always)]
    fn at(frame: &Frame, mac: Mac, row: u32, rules: &'a Rules, now_ns: u64) -> Option<Self> {
        if row != 0 {
            let row = row - 1;
            // SAFETY: rows of arrays stay where they are. The kernel shares them with other
            // processors, whose concurrent updates may get lost, which limits and counters
            // tolerate.
            unsafe {
                return Some(Subject {
                    mac,
                    policy: &*POLICIES.get_ptr(row)?,
                    levels: &mut *LEVELS.get_ptr_mut(row)?,
                    counters: &mut *COUNTERS.get_ptr_mut(row)?,
                    told: core::ptr::null_mut(),
                    row,
                });
            }
        }
        let stranger = Self::stranger(frame, MacKey::new(mac), now_ns)?;
        // SAFETY: as above; an entry that is evicted meanwhile is not freed before the program
        // ends, at worst its next owner starts with a frame on its account.
        let stranger = unsafe { &mut *stranger };
        Some(Subject {
            mac,
            policy: &rules.strangers,
            levels: &mut stranger.levels,
            counters: &mut stranger.counters,
            told: &raw mut stranger.told,
            row: 0,
        })
    }

    #[inline(always)]
    fn stranger(frame: &Frame, key: MacKey, now_ns: u64) -> Option<*mut Stranger> {
        if let Some(stranger) = STRANGERS.get_ptr_mut(key) {
            return Some(stranger);
        }
        let newcomers = NEWCOMERS.get_ptr_mut(frame.ifindex % FRAME_SLOTS)?;
        // SAFETY: rows of arrays stay where they are; shared as other levels are.
        if admit(&NEWCOMERS_LIMIT, unsafe { &mut *newcomers }, now_ns, 1) {
            let _ = STRANGERS.insert(key, SPARE.get(0)?, BPF_NOEXIST.into());
            if let Some(stranger) = STRANGERS.get_ptr_mut(key) {
                return Some(stranger);
            }
        }
        SPARE.get_ptr_mut(1 + frame.ifindex % SHARED)
    }

    /// The row of a known device plus one; 0 of a stranger.
    #[inline(always)]
    pub(crate) fn row(&self) -> u32 {
        if self.told.is_null() { self.row + 1 } else { 0 }
    }

    /// Counts the frame under the number of its reason.
    #[inline(always)]
    pub(crate) fn count(&mut self, frame: &Frame, reason: usize) {
        if let (Some(frames), Some(bytes)) = (
            self.counters.frames.get_mut(reason),
            self.counters.bytes.get_mut(reason),
        ) {
            *frames += u64::from(frame.packets);
            *bytes += u64::from(frame.bytes);
        }
    }

    /// Whether the daemon is to be told, which it was not of the same device and reason a moment
    /// ago.
    #[inline(always)]
    pub(crate) fn is_due(&mut self, frame: &Frame, reason: usize, now_ns: u64) -> bool {
        let Some(told) = self.told() else {
            return false;
        };
        let (Some(at_ns), Some(frames)) = (told.at_ns.get_mut(reason), told.frames.get_mut(reason))
        else {
            return false;
        };
        *frames += u64::from(frame.packets);
        *at_ns == 0 || now_ns.wrapping_sub(*at_ns) >= EVENT_GAP_NS
    }

    /// Tells the daemon of the reason in the case. `flags` are
    /// [`event_flags`](mqttguard_common::event_flags).
    #[inline(always)]
    pub(crate) fn tell(
        &mut self,
        frame: &Frame,
        packet: &Packet,
        own: *mut Processor,
        now_ns: u64,
        flags: u8,
    ) {
        let mac = self.mac;
        let Some(told) = self.told() else {
            return;
        };
        let reason = Case::reason(case(own)) as usize & REASON_MASK as usize;
        let Some(&count) = told.frames.get(reason) else {
            return;
        };
        let (source, destination) = packet.ends(frame);
        // A full buffer leaves the gap as it is: the next frame tells.
        let Some(mut entry) = EVENTS.reserve::<EventRecord>(0) else {
            return;
        };
        entry.write(EventRecord {
            count,
            source: octets(source),
            destination: octets(destination),
            ifindex: frame.ifindex,
            mac,
            port: packet.port(),
            reason: reason as u8,
            flags,
            reserved: [0; 2],
        });
        entry.submit(0);
        // Compared anew: verifiers before 5.16 do not know any more what was before the call.
        let reason = Case::reason(case(own)) as usize & REASON_MASK as usize;
        if let (Some(at_ns), Some(frames)) =
            (told.at_ns.get_mut(reason), told.frames.get_mut(reason))
        {
            *at_ns = now_ns;
            *frames = 0;
        }
    }

    #[inline(always)]
    fn told(&mut self) -> Option<&'a mut Told> {
        let told = if self.told.is_null() {
            TOLD.get_ptr_mut(self.row)?
        } else {
            self.told
        };
        // SAFETY: as for the rest of the subject.
        Some(unsafe { &mut *told })
    }
}

#[inline(always)]
fn octets(address: [u16; 8]) -> [u8; 16] {
    // SAFETY: same size, any bits are valid.
    unsafe { core::mem::transmute(address) }
}
