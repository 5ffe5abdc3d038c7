//! What the registry and the kernel program tell each other of devices.

use super::clock::unix_ms;
use super::guard::Guard;
use crate::registry::{Effects, Registry};

/// Takes in the devices that a predecessor left in the kernel, with their counters: it may
/// have died before it wrote them down. Those that never come again go in their time.
pub(super) fn adopt(registry: &mut Registry, guard: &mut Guard) {
    let now = unix_ms();
    for (mac, standing) in guard.known() {
        if !registry.adopt(now, mac, standing) {
            guard.free(mac);
        }
    }
}

/// Tells the kernel program what it is to hold devices to.
pub(super) fn instruct(guard: &mut Guard, registry: &Registry, effects: &Effects) {
    for mac in &effects.freed {
        guard.free(*mac);
    }
    for mac in &effects.policies {
        if let Some(device) = registry.device(*mac) {
            guard.set(device, &registry.policy(device));
        }
    }
    if !effects.freed.is_empty() || !effects.policies.is_empty() {
        guard.fall_back();
    }
}
