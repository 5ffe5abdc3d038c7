//! The house of the story, and how to look around in it.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use mqttguard_lab::{Device, Guard, Lab, address, tools};

/// The devices, by what they are up to.
pub(super) const NAMES: [&str; 4] = ["lamp", "plug", "camera", "visitor"];

/// What the kernel holds every device to, in packets a second.
pub(super) const PACKETS_PER_S: u32 = 300;
/// Failed logins in a minute that quarantine a device.
pub(super) const LOGIN_FAILURES: u32 = 5;

/// How long a device waits for an answer before it gives up.
pub(super) const PATIENCE: Duration = Duration::from_millis(1500);

/// Lines of the `main` section.
pub(super) fn uci_main() -> String {
    format!(
        "\toption login_failures '{LOGIN_FAILURES}'\n\
         \toption quarantine '10m'\n"
    )
}

/// The other sections.
pub(super) fn uci_sections() -> String {
    format!(
        "config limits 'default'\n\
         \toption kernel_packets_per_s '{PACKETS_PER_S}'\n"
    )
}

/// The house with names for its inhabitants.
pub(super) struct House {
    pub(super) lab: Lab,
}

impl House {
    pub(super) fn build() -> Result<Self> {
        Ok(Self {
            lab: Lab::new(&NAMES)?,
        })
    }

    pub(super) fn lamp(&self) -> &Device {
        self.lab.device(0)
    }

    pub(super) fn plug(&self) -> &Device {
        self.lab.device(1)
    }

    pub(super) fn camera(&self) -> &Device {
        self.lab.device(2)
    }

    pub(super) fn visitor(&self) -> &Device {
        self.lab.device(3)
    }

    /// MQTT in the clear that has arrived in the cloud so far.
    pub(super) fn leaked(&self) -> Result<usize> {
        Ok(self.lab.cloud.witness().plaintext()?.len())
    }

    /// What to type in another terminal while the house stands.
    pub(super) fn tour(&self, guard: &Guard) -> Result<Vec<String>> {
        let socket = self.lab.router.bus().socket().display().to_string();
        let ubus = tools::tool("ubus-client")?;
        let daemon = tools::daemon()?;
        let router = self.lab.router.netns().path();
        let plug = self.plug().netns().path();
        Ok(vec![
            format!("{} --socket {socket} status", daemon.display()),
            format!("{} --socket {socket} devices", daemon.display()),
            format!("{} -s {socket} -p call mqttguard devices", ubus.display()),
            format!("{} -s {socket} subscribe mqttguard", ubus.display()),
            format!("nsenter --net={} ip -brief address", router.display()),
            format!(
                "nsenter --net={} mosquitto_pub -h {} -t try -m me",
                plug.display(),
                address::CLOUD
            ),
            format!("less {}", guard.files().log.display()),
            "cargo xtask demo --down".to_owned(),
        ])
    }
}

/// A port of the cloud.
pub(super) fn cloud(port: u16) -> SocketAddr {
    (address::CLOUD, port).into()
}
