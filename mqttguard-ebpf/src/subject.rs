use aya_ebpf::bindings::BPF_NOEXIST;
use mqttguard_common::{
    Counters, EVENT_GAP_NS, EventRecord, Levels, Mac, MacKey, Policy, REASON_SLOTS, Reason, Rules,
    Stranger, Told, event_flags,
};

use crate::frame::Frame;
use crate::maps::{COUNTERS, DEVICES, EVENTS, LEVELS, POLICIES, SPARE, STRANGERS, TOLD};
use crate::packet::Packet;

/// Whom a frame is from, and the rows kept of it.
pub(crate) struct Subject<'a> {
    pub(crate) mac: Mac,
    pub(crate) policy: &'a Policy,
    pub(crate) levels: &'a mut Levels,
    counters: &'a mut Counters,
    told: &'a mut Told,
}

impl<'a> Subject<'a> {
    /// Looks the source MAC up. None cannot happen, but the verifier has to be told.
    #[inline(always)]
    pub(crate) fn of(mac: Mac, rules: &'a Rules) -> Option<Self> {
        let key = MacKey::new(mac);
        // SAFETY: read at once; a row that is given to another device meanwhile is as good.
        if let Some(&row) = unsafe { DEVICES.get(key) } {
            // SAFETY: rows of arrays stay where they are. The kernel shares them with other
            // processors, whose concurrent updates may get lost, which limits and counters
            // tolerate.
            unsafe {
                return Some(Subject {
                    mac,
                    policy: &*POLICIES.get_ptr(row)?,
                    levels: &mut *LEVELS.get_ptr_mut(row)?,
                    counters: &mut *COUNTERS.get_ptr_mut(row)?,
                    told: &mut *TOLD.get_ptr_mut(row)?,
                });
            }
        }
        let stranger = Self::stranger(key)?;
        // SAFETY: as above; an entry that is evicted meanwhile is not freed before the program
        // ends, at worst its next owner starts with a frame on its account.
        let stranger = unsafe { &mut *stranger };
        Some(Subject {
            mac,
            policy: &rules.strangers,
            levels: &mut stranger.levels,
            counters: &mut stranger.counters,
            told: &mut stranger.told,
        })
    }

    #[inline(always)]
    fn stranger(key: MacKey) -> Option<*mut Stranger> {
        if let Some(stranger) = STRANGERS.get_ptr_mut(key) {
            return Some(stranger);
        }
        let _ = STRANGERS.insert(key, SPARE.get(0)?, BPF_NOEXIST.into());
        match STRANGERS.get_ptr_mut(key) {
            Some(stranger) => Some(stranger),
            None => SPARE.get_ptr_mut(1),
        }
    }

    /// Counts the frame under its reason.
    #[inline(always)]
    pub(crate) fn count(&mut self, frame: &Frame, reason: Reason) {
        let index = slot(reason);
        if let (Some(frames), Some(bytes)) = (
            self.counters.frames.get_mut(index),
            self.counters.bytes.get_mut(index),
        ) {
            *frames += u64::from(frame.packets);
            *bytes += u64::from(frame.bytes);
        }
    }

    /// Tells the daemon, unless it was told of the same device and reason a moment ago.
    #[inline(always)]
    pub(crate) fn tell(
        &mut self,
        frame: &Frame,
        packet: &Packet,
        reason: Reason,
        now_ns: u64,
        dropped: bool,
    ) {
        let index = slot(reason);
        let (Some(at_ns), Some(frames)) = (
            self.told.at_ns.get_mut(index),
            self.told.frames.get_mut(index),
        ) else {
            return;
        };
        let count = *frames + u64::from(frame.packets);
        *frames = count;
        if *at_ns != 0 && now_ns.wrapping_sub(*at_ns) < EVENT_GAP_NS {
            return;
        }
        let Some((source, destination)) = packet.addresses(frame) else {
            return;
        };
        // A full buffer leaves the gap as it is: the next frame tells.
        let Some(mut entry) = EVENTS.reserve::<EventRecord>(0) else {
            return;
        };
        entry.write(EventRecord {
            count,
            source: octets(source),
            destination: octets(destination),
            ifindex: frame.ifindex,
            mac: self.mac,
            port: packet.port,
            reason: reason as u8,
            flags: if dropped { event_flags::DROPPED } else { 0 },
            reserved: [0; 2],
        });
        entry.submit(0);
        *at_ns = now_ns;
        *frames = 0;
    }
}

/// A reason's place in a row.
#[inline(always)]
fn slot(reason: Reason) -> usize {
    reason as usize & (REASON_SLOTS - 1)
}

#[inline(always)]
fn octets(address: [u16; 8]) -> [u8; 16] {
    // SAFETY: same size, any bits are valid.
    unsafe { core::mem::transmute(address) }
}
