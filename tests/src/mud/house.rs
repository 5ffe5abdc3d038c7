//! A house with a maker in its cloud.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a house that cannot be set up fails its test"
)]

use std::fs;
use std::path::Path;
use std::time::Duration;

use mqttguard::ubus;
use mqttguard_lab::{Guard, Lab, Means, PATIENCE, Process, tools, wait_for};
use serde_json::Value;

use super::{Maker, name_server};

/// Longer than a call may take on the daemon's side.
const CALL: Duration = Duration::from_secs(15);
/// The DHCP option in which a device announces where its file is (RFC 8520 section 10.1).
pub const MUD_URL: u8 = 161;

/// Calls `mud`, and gives what the daemon says where it refuses.
pub fn mud(lab: &Lab, arguments: Value) -> Result<Value, String> {
    let socket = lab.router.bus().socket();
    ubus::call(socket, ubus::OBJECT, "mud", arguments, CALL).map_err(|error| error.to_string())
}

/// Installs the package's hotplug script, for this daemon.
pub fn install_hotplug(lab: &Lab) {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let script = workspace.join("openwrt/mqttguard/files/mqttguard.hotplug");
    let script = fs::read_to_string(script).unwrap();
    let installed = "/usr/sbin/mqttguard sighting";
    assert!(script.contains(installed));
    let here = format!(
        "{} --socket {} sighting",
        tools::daemon().unwrap().display(),
        lab.router.bus().socket().display()
    );
    let script = script.replace(installed, &here);
    fs::write(lab.router.hotplug().join("50-mqttguard"), script).unwrap();
}

/// A house with a maker in its cloud, whose names the router knows.
pub struct House {
    /// Its guard.
    pub guard: Guard,
    /// The maker.
    pub maker: Maker,
    /// The router's name server.
    pub names: Process,
    _web: Process,
    /// The house itself.
    pub lab: Lab,
}

const NAMES: &str = "203.0.113.10 maker.example mqtt.maker.example update.maker.example\n\
                     192.168.77.50 inner.maker.example\n\
                     192.168.77.50 both.maker.example\n\
                     203.0.113.10 both.maker.example\n";

impl House {
    /// A house with these devices, none of which has an address yet.
    pub fn new(devices: &[&str]) -> House {
        House::with(devices, "")
    }

    /// The same; `sections` are further ones of the configuration.
    pub fn with(devices: &[&str], sections: &str) -> House {
        let lab = Lab::new_before_dhcp(devices).unwrap();
        install_hotplug(&lab);
        let maker = Maker::new(&lab.dir().join("maker"));
        let names = name_server(&lab, NAMES);
        let web = maker.serve(&lab);
        let main = format!("\toption mud_ca '{}'\n", maker.path("ca.crt").display());
        let mut guard = lab.launch_guard(Means::OwnNames, &main, sections).unwrap();
        lab.wait_protected(&mut guard).unwrap();
        House {
            guard,
            maker,
            names,
            _web: web,
            lab,
        }
    }

    /// The device asks for an address, and mqttguard knows it.
    pub fn join(&mut self, index: usize) {
        let device = self.lab.device_mut(index);
        device.request_address().unwrap();
        wait_for("the device", PATIENCE, || {
            Ok(self.guard.device(self.lab.device(index).name()).ok())
        })
        .unwrap();
    }

    /// The device asks for an address and announces this URL.
    pub fn announce(&mut self, index: usize, url: &str) {
        let device = self.lab.device_mut(index);
        device
            .request_address_saying(None, &[(MUD_URL, url.as_bytes())])
            .unwrap();
        let (name, url) = (device.name().to_owned(), url.to_owned());
        wait_for("the announced URL", PATIENCE, || {
            let device = self.guard.device(&name)?;
            Ok((device["mud_url"] == url).then_some(()))
        })
        .unwrap();
    }
}
