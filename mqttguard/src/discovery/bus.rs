//! Listens to the DHCP servers on the bus: dnsmasq's object `dnsmasq` and odhcpd's `dhcp`.
//!
//! Objects come and go with their daemons, so the bus's own `ubus.object.add` events are followed,
//! and everything is looked up anew from time to time.

use std::collections::HashSet;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use super::dhcp::{self, Lease};
use super::neighbour_mac;
use super::reporter::{Fact, Reporter};
use super::{Source, Update};
use crate::outlet::{Closed, Outlet};
use crate::ubus::Status;
use crate::ubus::connection::{BUS_TIMEOUT, Bus, BusError, Invoke, Message};
use crate::ubus::wake::{Backoff, Wake, wait};

/// odhcpd's leases are read, and absent objects looked for, at least this often.
const RECONCILE: Duration = Duration::from_secs(60);
/// dnsmasq does not tell when a lease ends. A device that has not renewed for so long, twice the
/// lease time of OpenWrt and four times its renewal's, is taken to be gone.
const DNSMASQ_SILENCE: Duration = Duration::from_secs(24 * 60 * 60);
/// The event by which ubusd announces a new object.
const OBJECT_ADDED: &str = "ubus.object.add";

pub(super) struct DhcpServers {
    socket: PathBuf,
    wake: Arc<Wake>,
    dnsmasq: Server,
    odhcpd: Server,
}

/// One DHCP server's object.
struct Server {
    object: &'static str,
    read: fn(&str, &Map<String, Value>) -> Option<Lease>,
    reporter: Reporter,
    /// Its number and that of the object subscribed to it, while it is on the bus.
    attached: Option<(u32, u32)>,
}

enum Failure {
    Closed,
    Bus(BusError),
}

impl From<Closed> for Failure {
    fn from(_: Closed) -> Self {
        Failure::Closed
    }
}

impl From<BusError> for Failure {
    fn from(error: BusError) -> Self {
        Failure::Bus(error)
    }
}

impl Server {
    /// Subscribes to the object if it is there and was not subscribed to; true if that is new.
    fn attach(&mut self, bus: &mut Bus) -> Result<bool, Failure> {
        match self.try_attach(bus) {
            Ok(attached) if self.attached == Some(attached) => Ok(false),
            Ok(attached) => {
                self.attached = Some(attached);
                self.reporter
                    .source(true, format!("ubus object {}", self.object))?;
                Ok(true)
            }
            Err(BusError::Refused {
                status: Status::NotFound,
                ..
            }) => {
                self.detach("is not on the bus")?;
                Ok(false)
            }
            Err(BusError::Refused { status, .. }) => {
                self.detach(&format!("cannot be subscribed to: {status}"))?;
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn try_attach(&self, bus: &mut Bus) -> Result<(u32, u32), BusError> {
        let target = bus.lookup(self.object)?;
        if let Some(attached) = self.attached
            && attached.0 == target
        {
            return Ok(attached);
        }
        // One of its own for each, or notifications would not tell where they come from.
        let subscriber = bus.add_subscriber()?;
        bus.subscribe(subscriber, target)?;
        Ok((target, subscriber))
    }

    fn detach(&mut self, why: &str) -> Result<(), Closed> {
        self.attached = None;
        self.reporter
            .source(false, format!("ubus object {} {why}", self.object))
    }

    fn hear(&mut self, notification: &str, data: &Map<String, Value>) -> Result<(), Closed> {
        match (self.read)(notification, data) {
            Some(lease) => self.tell(lease, true),
            None => Ok(()),
        }
    }

    fn tell(&mut self, lease: Lease, heard: bool) -> Result<(), Closed> {
        let key = (lease.mac, Some(lease.address));
        if lease.present {
            let Lease {
                hostname,
                interface,
                ..
            } = lease;
            self.reporter.present(
                key,
                Fact {
                    hostname,
                    interface,
                    lease_end: None,
                    heard,
                },
            )
        } else {
            self.reporter.gone(key)
        }
    }
}

impl DhcpServers {
    pub(super) fn new(socket: PathBuf, wake: Arc<Wake>, out: Outlet<Update>) -> Self {
        let server = |object, source, read, out| Server {
            object,
            read,
            reporter: Reporter::new(source, out),
            attached: None,
        };
        DhcpServers {
            socket,
            wake,
            dnsmasq: server("dnsmasq", Source::Dnsmasq, dhcp::dnsmasq, out.clone()),
            odhcpd: server("dhcp", Source::Odhcpd, dhcp::odhcpd, out),
        }
    }

    /// Runs until told to stop or nobody listens.
    pub(super) fn run(mut self) -> Result<(), Closed> {
        let mut backoff = Backoff::new();
        while !self.wake.stopped() {
            match self.session(&mut backoff) {
                Ok(()) => return Ok(()),
                Err(Failure::Closed) => return Err(Closed),
                Err(Failure::Bus(error)) => {
                    for server in [&mut self.dnsmasq, &mut self.odhcpd] {
                        server.attached = None;
                        server.reporter.source(false, format!("ubus: {error}"))?;
                    }
                }
            }
            backoff.pause(&self.wake);
        }
        Ok(())
    }

    /// One connection, from hello to its end; `Ok` when told to stop.
    fn session(&mut self, backoff: &mut Backoff) -> Result<(), Failure> {
        let mut bus = Bus::connect(&self.socket)?;
        let events = bus.add_subscriber()?;
        match bus.listen(events, OBJECT_ADDED) {
            // Not allowed to: objects are then found by looking for them.
            Err(BusError::Refused { status, .. }) => {
                log::warn!("ubus: cannot listen to {OBJECT_ADDED}: {status}");
            }
            other => other?,
        }
        backoff.reset();
        loop {
            self.reconcile(&mut bus)?;
            let until = Instant::now() + RECONCILE;
            while Instant::now() < until {
                while let Some(message) = bus.next()? {
                    self.take(&mut bus, message, events)?;
                    if self.wake.stopped() {
                        return Ok(());
                    }
                }
                let left = until.saturating_duration_since(Instant::now());
                wait(&[bus.as_fd(), self.wake.as_fd()], Some(left))
                    .map_err(|error| BusError::Malformed(error.to_string()))?;
                if self.wake.stopped() {
                    return Ok(());
                }
            }
        }
    }

    fn reconcile(&mut self, bus: &mut Bus) -> Result<(), Failure> {
        self.dnsmasq.attach(bus)?;
        self.odhcpd.attach(bus)?;
        self.dnsmasq.reporter.lapse(DNSMASQ_SILENCE)?;
        self.read_leases(bus)
    }

    fn take(&mut self, bus: &mut Bus, message: Message, events: u32) -> Result<(), Failure> {
        match message {
            Message::Invoke(Invoke { method, data, to }) => {
                bus.answer(to, None, None)?;
                // A message that makes no sense is somebody else's mistake.
                let Ok(data) = data else { return Ok(()) };
                if to.object == events {
                    if method == OBJECT_ADDED {
                        self.added(bus, data.get("path").and_then(Value::as_str))?;
                    }
                    return Ok(());
                }
                for server in [&mut self.dnsmasq, &mut self.odhcpd] {
                    if server
                        .attached
                        .is_some_and(|(_, subscriber)| subscriber == to.object)
                    {
                        server.hear(&method, &data)?;
                    }
                }
            }
            Message::Unsubscribed { target } => {
                for server in [&mut self.dnsmasq, &mut self.odhcpd] {
                    if server.attached.is_some_and(|(object, _)| object == target) {
                        server.detach("is not on the bus")?;
                    }
                }
            }
            Message::Active(_) | Message::Other => {}
        }
        Ok(())
    }

    fn added(&mut self, bus: &mut Bus, object: Option<&str>) -> Result<(), Failure> {
        if object == Some(self.dnsmasq.object) {
            self.dnsmasq.attach(bus)?;
        }
        if object == Some(self.odhcpd.object) && self.odhcpd.attach(bus)? {
            self.read_leases(bus)?;
        }
        Ok(())
    }

    /// Reads odhcpd's lease tables: what was given before, and what it did not announce.
    fn read_leases(&mut self, bus: &mut Bus) -> Result<(), Failure> {
        let Some((object, _)) = self.odhcpd.attached else {
            return Ok(());
        };
        let Some(reply) = ask(bus, object, "ipv4leases")? else {
            return Ok(());
        };
        let mut there = HashSet::new();
        for lease in dhcp::ipv4_leases(&reply) {
            there.insert((lease.mac, Some(lease.address)));
            self.odhcpd.tell(lease, false)?;
        }
        let reply = ask(bus, object, "ipv6leases")?.unwrap_or_default();
        for lease in dhcp::ipv6_leases(&reply) {
            // Whose it is, the neighbour table knows, if the device is there.
            let address = IpAddr::V6(lease.address);
            if let Ok(Some(mac)) = neighbour_mac(address) {
                let key = (mac, Some(address));
                there.insert(key);
                let (hostname, interface) = (lease.hostname, Some(lease.interface));
                let fact = Fact {
                    hostname,
                    interface,
                    ..Fact::default()
                };
                self.odhcpd.reporter.present(key, fact)?;
            }
        }
        Ok(self.odhcpd.reporter.keep_only(&there)?)
    }
}

/// Calls a method without arguments; `None` if the other side did not answer well, which is
/// worth another try later, not a new connection.
fn ask(bus: &mut Bus, object: u32, method: &str) -> Result<Option<Map<String, Value>>, BusError> {
    match bus.invoke(object, method, &Map::new(), BUS_TIMEOUT) {
        Ok(reply) => Ok(Some(reply)),
        Err(error @ (BusError::Refused { .. } | BusError::Timeout | BusError::Blob(_))) => {
            log::debug!("ubus: dhcp {method}: {error}");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
