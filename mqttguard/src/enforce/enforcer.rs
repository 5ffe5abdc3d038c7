use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use mqttguard_common::{LAYOUT_VERSION, Mac};

use super::bpffs::Pins;
use super::links::Links;
use super::orders::{End, Orders};
use super::ports::Ports;
use super::stations::Stations;
use super::watch::Watch;
use super::{
    Attachment, DeviceCounters, EnforceError, Report, Rules, Tables, Target, hook, object, take_off,
};
use crate::registry::{DevicePolicy, Standing};

/// The kernel program at work: fed at once, then loaded, attached and listened to.
///
/// Dropping it leaves the program attached and enforcing the last rules, for a successor to
/// take over; [`Enforcer::detach`] ends enforcement.
///
/// A thread of its own follows the network interfaces and reads the events; see
/// [`Report`] for what it tells.
pub struct Enforcer {
    tables: Tables,
    bpf_dir: PathBuf,
    progress: Arc<Mutex<Progress>>,
    orders: Arc<Orders>,
    thread: Option<JoinHandle<()>>,
}

/// How far the enforcement thread has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The kernel verifies the program.
    Loading {
        /// A predecessor's program stands meanwhile where it stood, and goes by the tables of this
        /// one if their layout is the same; see [`bare`](super::bare).
        succeeds: bool,
    },
    /// How it sits on each interface, as of at most two seconds ago.
    Standing(Vec<Attachment>),
    /// The kernel refused the program; a predecessor's enforcement stays as it was.
    Failed(String),
}

impl Enforcer {
    /// Makes the maps and sets the rules. A thread then has the kernel verify the program, which
    /// takes a small router many seconds, and attaches it; see [`Enforcer::progress`].
    ///
    /// Maps and attachments that a predecessor left pinned below `bpf_dir` are taken over without
    /// a gap: counters, bucket levels and devices are kept, the program of each attachment is
    /// replaced in one step. Without such maps it begins with `devices`, so that those that are
    /// blocked are so from the first frame.
    ///
    /// `report` is called from the enforcement thread; it must not block for long.
    ///
    /// An interface that cannot be attached to is no error: it is reported, and tried again
    /// whenever an interface changes.
    ///
    /// # Errors
    ///
    /// No BPF file system, the kernel refuses the maps, or the rules do not fit. A predecessor's
    /// enforcement stays as it was.
    pub fn start(
        bpf_dir: &Path,
        target: &Target,
        rules: &Rules,
        devices: &[(Mac, DevicePolicy)],
        report: impl FnMut(Report) + Send + 'static,
    ) -> Result<Self, EnforceError> {
        let pins = Pins::prepare(bpf_dir)?;
        let inherits = pins.has_maps();
        let (object, mut tables) = open(&pins, rules).inspect_err(|_| {
            // What fails halfway leaves the maps it made.
            if !inherits {
                pins.remove_maps();
            }
        })?;
        // A predecessor's tables know better: it may have died before it wrote down a quarantine.
        for (mac, policy) in devices.iter().filter(|_| !inherits) {
            if let Err(error) = tables.set_device(*mac, policy) {
                log::error!("kernel program: {mac}: {error}");
            }
        }
        let succeeds = !hook::pinned(&pins.links()).is_empty();
        let progress = Arc::new(Mutex::new(Progress::Loading { succeeds }));
        let orders = Arc::new(Orders::new(target.clone()).map_err(EnforceError::Thread)?);
        let start = Start {
            note: outdated_layout(&pins, inherits),
            object,
            pins,
            inherits,
            orders: Arc::clone(&orders),
            progress: Arc::clone(&progress),
            report: Box::new(report),
        };
        let thread = thread::Builder::new()
            .name("enforce".into())
            .spawn(move || start.run())
            .map_err(EnforceError::Thread)?;
        Ok(Enforcer {
            tables,
            bpf_dir: bpf_dir.to_owned(),
            progress,
            orders,
            thread: Some(thread),
        })
    }

    /// Sets the rules.
    ///
    /// # Errors
    ///
    /// As [`Tables::set_rules`].
    pub fn set_rules(&mut self, rules: &Rules) -> Result<(), EnforceError> {
        self.tables.set_rules(rules)
    }

    /// Sets what a device may do.
    ///
    /// # Errors
    ///
    /// As [`Tables::set_device`].
    pub fn set_device(&mut self, mac: Mac, policy: &DevicePolicy) -> Result<(), EnforceError> {
        self.tables.set_device(mac, policy)
    }

    /// Forgets a device.
    ///
    /// # Errors
    ///
    /// As [`Tables::remove_device`].
    pub fn remove_device(&mut self, mac: Mac) -> Result<(), EnforceError> {
        self.tables.remove_device(mac)
    }

    /// The devices set, by this process or by a predecessor.
    pub fn known(&self) -> impl Iterator<Item = Mac> + '_ {
        self.tables.known()
    }

    /// How a device stands that is known.
    ///
    /// # Errors
    ///
    /// As [`Tables::standing`].
    pub fn standing(&self, mac: Mac) -> Result<Option<Standing>, EnforceError> {
        self.tables.standing(mac)
    }

    /// What was counted of every device, strangers included.
    ///
    /// # Errors
    ///
    /// As [`Tables::counters`].
    pub fn counters(&self) -> Result<Vec<(Mac, DeviceCounters)>, EnforceError> {
        self.tables.counters()
    }

    /// How far the enforcement thread has come.
    pub fn progress(&self) -> Progress {
        self.progress
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Whether the thread is gone that loads the program and follows the interfaces: what is
    /// attached stays and enforces, but nothing new is attached to.
    pub fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Has the thread attach to other devices, or by another hook, as soon as it can.
    pub fn retarget(&mut self, target: &Target) {
        self.orders.retarget(target.clone());
    }

    /// Ends enforcement: detaches everywhere and unpins everything. It does not wait for the
    /// verifier, which goes on for a process that goes on.
    ///
    /// # Errors
    ///
    /// The enforcement thread has ended before, or netlink does not answer.
    pub fn detach(mut self) -> Result<(), EnforceError> {
        let thread = self.thread.take().filter(|thread| !thread.is_finished());
        if !self.orders.end(End::Detached) {
            return take_off(&self.bpf_dir).map(drop);
        }
        match thread.map(JoinHandle::join) {
            Some(Ok(())) => Ok(()),
            _ => Err(EnforceError::Thread(io::Error::other("it has ended"))),
        }
    }
}

impl Drop for Enforcer {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take()
            && self.orders.end(End::Standing)
        {
            let _ = thread.join();
        }
    }
}

/// What the enforcement thread begins with.
struct Start {
    object: object::Object,
    pins: Pins,
    inherits: bool,
    note: Option<String>,
    orders: Arc<Orders>,
    progress: Arc<Mutex<Progress>>,
    report: Box<dyn FnMut(Report) + Send>,
}

impl Start {
    fn run(self) {
        let (pins, inherits) = (self.pins.clone(), self.inherits);
        let progress = Arc::clone(&self.progress);
        match self.begin().and_then(Watch::run) {
            Ok(()) => {}
            Err(error) => {
                if !inherits {
                    pins.remove_maps();
                }
                *progress.lock().unwrap_or_else(PoisonError::into_inner) =
                    Progress::Failed(error.to_string());
            }
        }
    }

    fn begin(mut self) -> Result<Watch, EnforceError> {
        let events = self.object.take("EVENTS")?;
        let frames = self.object.take("FRAMES")?;
        let stations = Stations::take(&mut self.object)?;
        let links = Links::open().map_err(EnforceError::Netlink)?;
        let target = self.orders.target();
        let ports = Ports::new(self.object, frames, self.pins, target, self.note);
        Ok(Watch {
            ports,
            stations,
            links,
            events,
            orders: self.orders,
            progress: self.progress,
            report: self.report,
        })
    }
}

/// Makes or takes over the maps, and sets the rules.
fn open(pins: &Pins, rules: &Rules) -> Result<(object::Object, Tables), EnforceError> {
    let mut object = object::open(object::OBJECT, Some(&pins.maps()))?;
    let mut tables = Tables::take(&mut object)?;
    tables.set_rules(rules)?;
    Ok((object, tables))
}

/// What there is to tell if a predecessor's tables are of another layout: the program that comes
/// with ours replaces its program in one step, but cannot read them.
fn outdated_layout(pins: &Pins, inherits: bool) -> Option<String> {
    let others = pins.other_versions();
    let (false, Some(other)) = (inherits, others.last()) else {
        return None;
    };
    let note = format!(
        "the tables of layout {other} do not fit layout {LAYOUT_VERSION}: counters and limits \
         start anew"
    );
    log::warn!("{note}");
    Some(note)
}
