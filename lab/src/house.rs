use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};

use crate::home::Home;
use crate::{Cloud, Device, Guard, Means, Netns, PATIENCE, Router, address, wait_for};

/// The house: a router with devices on its bridge and a cloud behind it.
///
/// One at a time on a machine: [`Lab::new`] waits for its turn.
#[derive(Debug)]
pub struct Lab {
    /// The router.
    pub router: Router,
    /// The cloud.
    pub cloud: Cloud,
    devices: Vec<Device>,
    // Last: it sweeps what the others leave.
    home: Home,
}

impl Lab {
    /// Builds the house with one device per name. Each device has its address by DHCP when this
    /// returns.
    pub fn new(names: &[&str]) -> Result<Self> {
        let mut lab = Self::new_before_dhcp(names)?;
        for device in &mut lab.devices {
            device.request_address()?;
        }
        Ok(lab)
    }

    /// Builds the house with one device per name, none of which has asked for an address yet.
    pub fn new_before_dhcp(names: &[&str]) -> Result<Self> {
        let home = Home::new()?;
        let router = Netns::create(home.netns_name("router"))?;
        let cloud = Netns::create(home.netns_name("cloud"))?;
        router.ip_batch(&format!(
            "link add br-lan address 02:4d:47:00:00:01 type bridge forward_delay 0 mcast_snooping 0\n\
             link add wan type veth peer name eth0 netns {}\n",
            cloud.name()
        ))?;
        let mut devices = Vec::new();
        for (index, name) in names.iter().enumerate() {
            devices.push(Device::plug_in(&home, &router, index, name)?);
        }
        Router::configure(&router)?;
        let cloud = Cloud::start(cloud, &home)?;
        let router = Router::start(router, &home)?;
        Ok(Self {
            router,
            cloud,
            devices,
            home,
        })
    }

    /// The device that was named at `index`.
    #[expect(
        clippy::indexing_slicing,
        reason = "a test that asks for more than it built is wrong"
    )]
    pub fn device(&self, index: usize) -> &Device {
        &self.devices[index]
    }

    /// The device that was named at `index`, to change.
    #[expect(
        clippy::indexing_slicing,
        reason = "a test that asks for more than it built is wrong"
    )]
    pub fn device_mut(&mut self, index: usize) -> &mut Device {
        &mut self.devices[index]
    }

    /// All devices.
    pub fn devices(&self) -> &[Device] {
        &self.devices
    }

    /// The directory of the house's files: configuration, logs, the lease file.
    pub fn dir(&self) -> &Path {
        self.home.dir()
    }

    /// Starts mqttguard in the router and waits until it protects. `main` are lines for its
    /// `main` section, `sections` whole sections.
    pub fn start_guard(&self, main: &str, sections: &str) -> Result<Guard> {
        let mut guard = Guard::start(&self.router, &self.home, main, sections, Means::All)?;
        self.wait_protected(&mut guard)?;
        Ok(guard)
    }

    /// Like [`start_guard`](Self::start_guard) with what the daemon may use, and without waiting
    /// for anything.
    pub fn launch_guard(&self, means: Means, main: &str, sections: &str) -> Result<Guard> {
        Guard::start(&self.router, &self.home, main, sections, means)
    }

    /// Waits until `guard` has proved that it sees the frames of every device, and knows those with
    /// an address. A proof needs frames: each device sends some.
    pub fn wait_protected(&self, guard: &mut Guard) -> Result<()> {
        let discard = SocketAddr::from((address::ROUTER6, 9));
        let mut senders = Vec::new();
        for device in &self.devices {
            senders.push(device.udp(discard)?);
        }
        guard.wait_protected(|| {
            for sender in &senders {
                // The router answers that nobody listens, which the next call tells.
                let _ = sender.send(b"frame");
            }
        })?;
        self.wait_known(guard)
    }

    /// Waits until `guard` knows the devices that have an address, by name.
    pub fn wait_known(&self, guard: &Guard) -> Result<()> {
        for device in self
            .devices
            .iter()
            .filter(|device| device.address().is_ok())
        {
            wait_for("the device", PATIENCE, || {
                guard.device(device.name()).map(Some)
            })?;
        }
        Ok(())
    }

    /// Leaves the house standing, with all its processes, when this process ends.
    pub fn keep(mut self) -> Result<()> {
        self.home.keep().context("cannot keep the house")?;
        std::mem::forget(self);
        Ok(())
    }
}
