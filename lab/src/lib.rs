//! A house in network namespaces: router, cloud and devices, for mqttguard's tests and demo.
//!
//! Everything in it is real: the kernel's own bridge and routing, Debian's dnsmasq and udhcpc,
//! mosquitto and its clients, a ubus broker, and the mqttguard daemon as it was built. Nothing
//! leaves the namespaces.
//!
//! ```text
//!   device 1 --- lan0 \                                    / mosquitto :1883, :18830
//!   device 2 --- lan1  > br-lan [ router ] wan --- eth0 [ cloud ] HTTP, TLS sinks, DNS echo
//!   device n --- lann /   |  dnsmasq, ubusd, mqttguard     \ witness: what really arrived
//!                192.168.77.1/24                         203.0.113.10/24
//!                fd77:77:77::1/64                        2001:db8::10/64
//! ```
//!
//! # Layout
//!
//! - [`Lab`]: the house, built and taken down.
//! - [`Router`], [`Cloud`], [`Device`]: its inhabitants, each in a [`Netns`].
//! - [`Guard`]: the mqttguard daemon in the router; [`ubus`](Router::ubus) talks to it.
//! - [`Witness`]: sees every frame that reaches the cloud and remembers the MQTT among them.
//! - [`traffic`]: what a device can send: connections, frames, floods, web requests.
//! - [`home`]: names, files, clean-up, also after a crash or Ctrl-C.
//!
//! A clean-up goes by name, not by what an object remembers: whatever happens to the process,
//! [`home::sweep`] finds what it left.

mod cloud;
mod daemon;
mod device;
mod dhcp;
pub mod home;
mod house;
mod mqtt;
mod netns;
pub mod packet;
mod process;
mod router;
pub mod tools;
pub mod traffic;
mod ubus_client;
mod wait;
mod witness;

pub use cloud::{Cloud, ODD_MQTT_PORT, PLAIN_MQTT_PORT, Sink};
pub use daemon::{Guard, GuardFiles, Means};
pub use device::Device;
pub use house::Lab;
pub use mqtt::{Client, Credential, Outcome, Subscription};
pub use netns::Netns;
pub use process::Process;
pub use router::Router;
pub use ubus_client::Bus;
pub use wait::{until, wait_for};
pub use witness::{Tally, Witness};

/// How long what is to happen may take: a limit for slow and busy machines, never waited for whole.
pub const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

/// The addresses of the house.
pub mod address {
    use std::net::{Ipv4Addr, Ipv6Addr};

    /// The router on the LAN.
    pub const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 168, 77, 1);
    /// The router on the LAN, IPv6.
    pub const ROUTER6: Ipv6Addr = Ipv6Addr::new(0xfd77, 0x77, 0x77, 0, 0, 0, 0, 1);
    /// The router towards the cloud.
    pub const WAN: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
    /// The router towards the cloud, IPv6.
    pub const WAN6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
    /// The cloud.
    pub const CLOUD: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 10);
    /// The cloud, IPv6.
    pub const CLOUD6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x10);
}
