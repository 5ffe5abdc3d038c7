use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use mqttguard_common::{LAYOUT_VERSION, Mac};
use rustix::event::{EventfdFlags, eventfd};

use super::bpffs::Pins;
use super::links::Links;
use super::ports::Ports;
use super::stations::{self, Stations};
use super::tables::take;
use super::watch::{Command, Watch};
use super::{Attachment, DeviceCounters, EnforceError, Report, Rules, Tables, Target, object};
use crate::registry::{DevicePolicy, Standing};

/// The kernel program at work: loaded, attached, fed and listened to.
///
/// Dropping it leaves the program attached and enforcing the last rules, for a successor to
/// take over; [`Enforcer::detach`] ends enforcement.
///
/// A thread of its own follows the network interfaces and reads the events; see
/// [`Report`] for what it tells.
pub struct Enforcer {
    tables: Tables,
    attachments: Arc<Mutex<Vec<Attachment>>>,
    commands: SyncSender<Command>,
    wake: Arc<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl Enforcer {
    /// Loads the program, sets the rules and attaches. Maps and attachments that a predecessor
    /// left pinned below `bpf_dir` are taken over without a gap: counters, bucket levels and
    /// devices are kept, the program of each attachment is replaced in one step. Without such maps
    /// it begins with `devices`, so that those that are blocked are so from the first frame.
    ///
    /// `report` is called from this thread until `start` returns, then from the enforcement
    /// thread; it must not block for long.
    ///
    /// An interface that cannot be attached to is no error: it is reported, and tried again
    /// whenever an interface changes.
    ///
    /// # Errors
    ///
    /// No BPF file system, the kernel refuses the program, the rules do not fit, or netlink
    /// does not answer. A predecessor's enforcement stays as it was.
    pub fn start(
        bpf_dir: &Path,
        target: &Target,
        rules: &Rules,
        devices: &[(Mac, DevicePolicy)],
        mut report: impl FnMut(Report) + Send + 'static,
    ) -> Result<Self, EnforceError> {
        let pins = Pins::prepare(bpf_dir)?;
        let inherits = pins.has_maps();
        let (object, mut tables) = Self::load(&pins, rules).inspect_err(|_| {
            // A load that fails halfway leaves the maps it made.
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
        let mut object = object;
        let events = take(&mut object, "EVENTS")?;
        let frames = take(&mut object, "FRAMES")?;

        let mut stations = Stations::take(&mut object)?;

        let mut links = Links::open().map_err(EnforceError::Netlink)?;
        let list = links.list().map_err(EnforceError::Netlink)?;
        let note = outdated_layout(&pins, inherits);
        let mut ports = Ports::new(object, frames, pins.clone(), target.clone(), note)?;
        ports.reconcile(&list, &mut report);
        // The interfaces are looked at again soon.
        if let Err(error) = stations.set(&stations::stations(&ports.indices(), &list)) {
            log::error!("kernel program: {error}");
        }
        pins.remove_other_versions();

        let attachments = Arc::new(Mutex::new(ports.attachments()));
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(|error| EnforceError::Thread(error.into()))?;
        let wake = Arc::new(wake);
        let (commands, inbox) = sync_channel(4);
        let watch = Watch {
            ports,
            stations,
            links,
            events,
            inbox,
            wake: Arc::clone(&wake),
            attachments: Arc::clone(&attachments),
            report: Box::new(report),
        };
        let thread = thread::Builder::new()
            .name("enforce".into())
            .spawn(move || watch.run())
            .map_err(EnforceError::Thread)?;
        Ok(Enforcer {
            tables,
            attachments,
            commands,
            wake,
            thread: Some(thread),
        })
    }

    fn load(pins: &Pins, rules: &Rules) -> Result<(aya::Ebpf, Tables), EnforceError> {
        let mut object = object::load(object::OBJECT, Some(&pins.maps()))?;
        let mut tables = Tables::take(&mut object)?;
        tables.set_rules(rules)?;
        Ok((object, tables))
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

    /// How the program sits on each interface, as of at most two seconds ago.
    pub fn attachments(&self) -> Vec<Attachment> {
        self.attachments
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Whether the thread is gone that follows the interfaces: what is attached stays and
    /// enforces, but nothing new is attached to.
    pub fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Attaches to other devices, or by another hook, and returns when that is done.
    ///
    /// # Errors
    ///
    /// The enforcement thread has ended.
    pub fn retarget(&mut self, target: &Target) -> Result<(), EnforceError> {
        let (done, wait) = sync_channel(1);
        self.command(Command::Retarget(target.clone(), done))?;
        wait.recv().map_err(|_| ended())
    }

    /// Ends enforcement: detaches everywhere and unpins everything.
    ///
    /// # Errors
    ///
    /// The enforcement thread has ended before.
    pub fn detach(mut self) -> Result<(), EnforceError> {
        self.command(Command::Detach)?;
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(())) => Ok(()),
            _ => Err(ended()),
        }
    }

    fn command(&self, command: Command) -> Result<(), EnforceError> {
        self.commands.send(command).map_err(|_| ended())?;
        rustix::io::write(&self.wake, &1u64.to_ne_bytes())
            .map_err(|error| EnforceError::Thread(error.into()))?;
        Ok(())
    }
}

impl Drop for Enforcer {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = self.command(Command::Stop);
            let _ = thread.join();
        }
    }
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

fn ended() -> EnforceError {
    EnforceError::Thread(io::Error::other("it has ended"))
}
