//! What the tests in a [`Lab`] share.

use std::net::SocketAddr;
use std::time::Duration;

use mqttguard_lab::packet::{Frame, ROUTER_MAC, SYN, TCP};
use mqttguard_lab::{Credential, Device, Guard, Lab, address};
use serde_json::json;

/// How long what is to happen may take: a limit for slow and busy machines, never waited for whole.
pub use mqttguard_lab::PATIENCE;

/// How long a test waits for what must not come.
pub const IN_VAIN: Duration = Duration::from_secs(1);

/// A port of the cloud, IPv4.
pub fn cloud(port: u16) -> SocketAddr {
    (address::CLOUD, port).into()
}

/// A port of the cloud, IPv6.
pub fn cloud6(port: u16) -> SocketAddr {
    (address::CLOUD6, port).into()
}

/// A port of the router.
pub fn router(port: u16) -> SocketAddr {
    (address::ROUTER, port).into()
}

/// A house with these devices, guarded as mqttguard does without being told anything.
pub fn guarded(names: &[&str]) -> (Lab, Guard) {
    guarded_with(names, "", "")
}

/// A house with these devices; `main` are lines of the `main` section, `sections` whole ones.
///
/// Bound in this order the guard is dropped first, and detaches.
pub fn guarded_with(names: &[&str], main: &str, sections: &str) -> (Lab, Guard) {
    let lab = Lab::new(names).expect("a house");
    let guard = lab.start_guard(main, sections).expect("a guard");
    (lab, guard)
}

/// Enrols a device by name.
pub fn enrol(guard: &Guard, name: &str) -> Credential {
    let answer = guard
        .ubus("enrol", &json!({ "device": name }))
        .expect("enrol");
    Credential::from_enrolment(&answer).expect("a credential")
}

/// A limit section that lowers one kernel limit of every device.
pub fn kernel_limit(option: &str, value: u32) -> String {
    format!("config limits 'default'\n\toption kernel_{option} '{value}'\n")
}

/// A TCP SYN from `device` to `destination`, as a frame.
pub fn syn<'a>(device: &Device, destination: SocketAddr, vlans: &'a [u16]) -> Frame<'a> {
    let source = match destination {
        SocketAddr::V4(_) => (device.address().expect("an address"), 40_000).into(),
        SocketAddr::V6(_) => (device.address6(), 40_000).into(),
    };
    Frame {
        source_mac: device.mac(),
        destination_mac: ROUTER_MAC,
        vlans,
        source,
        destination,
        protocol: TCP,
        flags: SYN,
        payload: &[],
    }
}

/// That nothing in the clear has reached the cloud.
pub fn assert_nothing_leaked(lab: &Lab) {
    let leaked = lab.cloud.witness().plaintext().expect("a sighted witness");
    assert!(leaked.is_empty(), "reached the cloud: {leaked:?}");
}
