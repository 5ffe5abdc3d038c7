use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use aya::maps::{MapData, RingBuf};
use mqttguard_common::{EventRecord, event_flags};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::links::Links;
use super::orders::{End, Orders};
use super::ports::Ports;
use super::stations::{Stations, stations};
use super::{EnforceError, FrameEvent, Progress, Report};

/// Time between two looks at interfaces while what the program sees there is on trial, and before
/// another try at netlink that did not answer.
const LOOK: Duration = Duration::from_secs(1);

/// Time between two looks otherwise: who detaches a link by hand does so without a word from the
/// kernel to us.
const CHECK: Duration = Duration::from_secs(2);

/// The enforcement thread: follows the interfaces and reads the events.
pub(super) struct Watch {
    pub(super) ports: Ports,
    pub(super) stations: Stations,
    pub(super) links: Links,
    pub(super) events: RingBuf<MapData>,
    pub(super) orders: Arc<Orders>,
    pub(super) progress: Arc<Mutex<Progress>>,
    pub(super) report: Box<dyn FnMut(Report) + Send>,
}

impl Watch {
    /// # Errors
    ///
    /// The kernel refuses the program, before anything was attached.
    pub(super) fn run(mut self) -> Result<(), EnforceError> {
        let mut next_look = Instant::now();
        let mut stale = true;
        loop {
            self.sleep(next_look.saturating_duration_since(Instant::now()));
            self.tell_events();

            self.orders.clear();
            match self.orders.ending() {
                None => {}
                Some(End::Standing) => return Ok(()),
                Some(End::Detached) => {
                    let list = self.links.list().unwrap_or_default();
                    self.ports.detach(&list, &mut *self.report);
                    return Ok(());
                }
            }
            let retargeted = self.ports.set_target(self.orders.target());

            let changed = self.links.changed() || retargeted;
            if changed || Instant::now() >= next_look {
                stale = !self.look(changed || stale);
                let is_urgent = stale || self.ports.is_on_trial();
                next_look = Instant::now() + if is_urgent { LOOK } else { CHECK };
            }

            if let Some(is_xdp) = self.ports.awaited()
                && self.orders.begin_verifying()
            {
                let verified = self.ports.verify(is_xdp);
                if !self.orders.end_verifying() {
                    return Ok(());
                }
                self.ports.take_in(is_xdp, verified)?;
                (stale, next_look) = (true, Instant::now());
            }
        }
    }

    /// Looks at the interfaces; false if netlink does not answer.
    fn look(&mut self, reconcile: bool) -> bool {
        let list = match self.links.list() {
            Ok(list) => list,
            Err(error) => {
                log::warn!("netlink: {error}");
                return false;
            }
        };
        // Told when the progress says so too: who hears it looks there.
        let mut news = Vec::new();
        let mut report = |report| news.push(report);
        if reconcile {
            self.ports.reconcile(&list, &mut report);
        }
        let stations = stations(&self.ports.indices(), &list);
        if let Err(error) = self.stations.set(&stations) {
            log::error!("kernel program: {error}");
        }
        self.ports.check(&list, &mut report);
        self.ports.prove(&list, &mut report);
        self.ports.settle();
        self.progressed();
        news.into_iter().for_each(&mut *self.report);
        true
    }

    /// Has the progress say how the program stands, once it is as it is to be.
    fn progressed(&mut self) {
        let standing = Progress::Standing(self.ports.attachments());
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*progress, Progress::Loading { .. }) && self.ports.awaited().is_some() {
            return;
        }
        if let Progress::Loading { .. } = std::mem::replace(&mut *progress, standing) {
            self.ports.forget_predecessors();
        }
    }

    fn sleep(&self, time: Duration) {
        let timeout = Timespec::try_from(time).ok();
        // SAFETY: the ring buffer lives longer than the borrow.
        let events = unsafe { BorrowedFd::borrow_raw(self.events.as_raw_fd()) };
        let mut fds = [
            PollFd::from_borrowed_fd(events, PollFlags::IN),
            PollFd::from_borrowed_fd(self.links.changes(), PollFlags::IN),
            PollFd::from_borrowed_fd(self.orders.news(), PollFlags::IN),
        ];
        // Interrupted or not, what there is to do shows afterwards.
        let _ = poll(&mut fds, timeout.as_ref());
    }

    fn tell_events(&mut self) {
        while let Some(item) = self.events.next() {
            if let Some(event) = EventRecord::from_bytes(&item)
                .as_ref()
                .and_then(frame_event)
            {
                (self.report)(Report::Frame(event));
            }
        }
    }
}

/// None for a reason that this version does not know.
fn frame_event(record: &EventRecord) -> Option<FrameEvent> {
    Some(FrameEvent {
        mac: record.mac,
        reason: record.reason().ok()?,
        dropped: record.flags & event_flags::DROPPED != 0,
        rejected: record.flags & event_flags::REJECTED != 0,
        ifindex: record.ifindex,
        source: Some(address(record.source)),
        destination: Some(address(record.destination)),
        port: (record.port != 0).then_some(record.port),
        count: record.count,
    })
}

fn address(bytes: [u8; 16]) -> IpAddr {
    IpAddr::V6(Ipv6Addr::from(bytes)).to_canonical()
}
