//! From the names of OpenWrt's networks to Linux devices.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;
use std::{io, thread};

use serde_json::Value;

use crate::outlet::Outlet;
use crate::ubus::wake::Wake;
use crate::ubus::{CallError, call};

/// How long netifd may take to answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How often netifd is asked.
const EVERY: Duration = Duration::from_secs(3);

/// The Linux device of each network, such as `br-lan` of `lan`. Networks that have none now are
/// left out.
pub type Networks = BTreeMap<String, String>;

/// Follows which device stands for which network. Asks on a thread of its own: a netifd that
/// hangs holds up nobody else. Dropping it ends the thread.
#[derive(Debug)]
pub struct NetworkWatch {
    wake: Arc<Wake>,
    first: Receiver<Networks>,
}

impl NetworkWatch {
    /// Asks from now on, and hands over each answer that is not the one before. No answer is no
    /// news: what was true when ubusd or netifd went away most likely still is.
    ///
    /// # Errors
    ///
    /// When the system gives no descriptor or no thread.
    pub fn start(socket: PathBuf, out: impl Into<Outlet<Networks>>) -> io::Result<Self> {
        let out = out.into();
        let wake = Arc::new(Wake::new()?);
        let (answered, first) = sync_channel(1);
        let stop = Arc::clone(&wake);
        thread::Builder::new()
            .name("networks".to_owned())
            .spawn(move || {
                let mut known = None;
                while !stop.stopped() {
                    match ask(&socket) {
                        Ok(networks) if known.as_ref() != Some(&networks) => {
                            // Only the first fits, and somebody may wait for it.
                            let _ = answered.try_send(networks.clone());
                            if out.send(networks.clone()).is_err() {
                                return;
                            }
                            known = Some(networks);
                        }
                        Ok(_) => {}
                        Err(error) => log::debug!("networks: {error}"),
                    }
                    stop.pause(EVERY);
                }
            })?;
        Ok(NetworkWatch { wake, first })
    }

    /// Waits for the first answer; `None` if none comes in time.
    pub fn first(&self, patience: Duration) -> Option<Networks> {
        self.first.recv_timeout(patience).ok()
    }
}

impl Drop for NetworkWatch {
    fn drop(&mut self) {
        // Not waited for: it may wait for netifd, or for room with the one who drops this.
        self.wake.stop();
    }
}

fn ask(socket: &Path) -> Result<Networks, CallError> {
    let dump = call(socket, "network.interface", "dump", Value::Null, TIMEOUT)?;
    Ok(devices(&dump))
}

fn devices(dump: &Value) -> Networks {
    let interfaces = dump
        .get("interface")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    let device = |interface: &Value| {
        let network = interface.get("interface")?.as_str()?;
        // A network that is down has no `l3_device`; its `device` is what it will use.
        let device = interface
            .get("l3_device")
            .or_else(|| interface.get("device"))?;
        Some((network.to_owned(), device.as_str()?.to_owned()))
    };
    interfaces.iter().filter_map(device).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn finds_the_devices_of_networks() {
        let dump = json!({"interface": [
            {"interface": "lan", "up": true, "l3_device": "br-lan", "proto": "static",
             "device": "br-lan", "ipv4-address": [{"address": "192.168.77.1", "mask": 24}]},
            {"interface": "guest", "up": false, "device": "br-guest", "proto": "static"},
            {"interface": "wan", "up": true, "l3_device": "pppoe-wan", "device": "eth0"},
            {"interface": "vpn", "up": false, "proto": "none"},
        ]});
        let pair = |network: &str, device: &str| (network.to_owned(), device.to_owned());
        assert_eq!(
            devices(&dump),
            Networks::from([
                pair("lan", "br-lan"),
                pair("guest", "br-guest"),
                pair("wan", "pppoe-wan")
            ])
        );
    }

    #[test]
    fn garbage_has_no_devices() {
        for dump in [
            json!({}),
            json!({"interface": {}}),
            json!({"interface": [1, {}, null]}),
        ] {
            assert_eq!(devices(&dump), Networks::new());
        }
    }
}
