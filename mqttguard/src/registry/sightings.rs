//! Devices are seen: by a source of [`crate::discovery`], or by the kernel program.

use std::net::IpAddr;

use mqttguard_common::Mac;

use super::{Registry, Save, UnixMs};
use crate::discovery::{Sighting, Source};
use crate::events::{EventKind, MudChange};
use crate::naming::{Evidence, Firmware};

impl Registry {
    /// Strangers taken in a minute on the word of a frame alone: a flood with made-up source
    /// addresses must not turn the registry over.
    pub(super) const STRANGERS_PER_MINUTE: u32 = 32;

    /// A device that announces another URL with every lease is told of once in this time.
    const MUD_TOLD_EVERY_MS: u64 = 60 * 60 * 1000;

    /// A source of [`crate::discovery`] saw a device, or saw it leave.
    pub fn sighting(&mut self, now: UnixMs, sighting: &Sighting) {
        let mac = sighting.mac;
        if !sighting.present {
            if let Some(device) = self.devices.get_mut(&mac) {
                device.present.set(sighting.source, false);
                device.leases.note(sighting.source, sighting.address, false);
                if device.leases.settle(now) {
                    self.effects.policies.insert(mac);
                }
                // The neighbour table forgets whom the router has not talked to; a lease that
                // ended says more.
                if sighting.source != Source::Neighbours {
                    device
                        .addresses
                        .retain(|address| Some(*address) != sighting.address);
                }
            }
            return;
        }
        let known = self.devices.get(&mac).is_some_and(|device| !device.gone);
        let Some(device) = self.device_or_new(mac, now) else {
            return;
        };
        device.present.set(sighting.source, true);
        device.leases.note(sighting.source, sighting.address, true);
        let is_bound_anew = device.leases.settle(now);
        device.last_seen_ms = now;
        if sighting.interface.is_some() {
            device.interface.clone_from(&sighting.interface);
        }
        let returned = std::mem::take(&mut device.gone);
        let renamed = sighting.hostname.is_some() && device.hostname != sighting.hostname;
        if renamed {
            device.hostname.clone_from(&sighting.hostname);
        }
        if let Some(address) = sighting.address {
            self.move_address(mac, address);
        }
        if renamed {
            self.adopt_hostname(mac);
        }
        if returned || is_bound_anew {
            self.effects.policies.insert(mac);
        }
        if !known {
            self.effects.save(Save::Soon);
            let (address, source) = (sighting.address, sighting.source.name());
            self.tell(mac, EventKind::DeviceSeen { address, source });
        }
    }

    /// A source saw a device give up an address; it has others, by that source.
    pub fn address_lost(&mut self, now: UnixMs, source: Source, mac: Mac, address: IpAddr) {
        let Some(device) = self.devices.get_mut(&mac) else {
            return;
        };
        if source != Source::Neighbours {
            device.addresses.retain(|known| *known != address);
        }
        device.leases.note(source, Some(address), false);
        if device.leases.settle(now) {
            self.effects.policies.insert(mac);
        }
    }

    /// An address is that of the device last seen with it: an owner who names a device by an
    /// address must not meet the one that had it before.
    fn move_address(&mut self, mac: Mac, address: IpAddr) {
        for device in self.devices.values_mut() {
            if device.mac == mac {
                device.add_address(address);
            } else {
                device.addresses.retain(|known| *known != address);
            }
        }
    }

    /// Lets the name follow the hostname, unless the owner has named or enrolled the device.
    fn adopt_hostname(&mut self, mac: Mac) {
        let Some(device) = self.devices.get(&mac) else {
            return;
        };
        let fixed = device.credential.is_some()
            || self
                .settings
                .devices
                .get(&mac)
                .is_some_and(|word| word.name.is_some());
        if fixed {
            return;
        }
        let name = self.free_name(mac, device.hostname.as_deref().unwrap_or_default());
        if let Some(device) = self.devices.get_mut(&mac)
            && device.name != name
        {
            device.name = name;
            self.effects.save(Save::Soon);
        }
    }

    /// A device told more of itself over DHCP: its vendor class, the URL of its MUD file. What it
    /// does not say this time stays.
    pub fn described(
        &mut self,
        now: UnixMs,
        mac: Mac,
        vendor_class: Option<String>,
        mud_url: Option<String>,
    ) {
        let Some(device) = self.device_or_new(mac, now) else {
            return;
        };
        device.last_seen_ms = now;
        // What changes with every lease is not written with every lease: flash wears.
        let is_news = (vendor_class.is_some() && device.vendor_class.is_none())
            || (mud_url.is_some() && device.mud_url.is_none());
        if vendor_class.is_some() {
            device.vendor_class = vendor_class;
        }
        let is_told = device
            .mud_told_ms
            .is_some_and(|told| now.abs_diff(told) < Self::MUD_TOLD_EVERY_MS);
        let changed = mud_url.filter(|url| device.mud_url.as_ref() != Some(url));
        if let Some(url) = changed {
            device.mud_url = Some(url.clone());
            if !is_told {
                device.mud_told_ms = Some(now);
                self.tell(mac, EventKind::Mud(MudChange::Announced { url }));
            }
        }
        if is_news {
            self.effects.save(Save::Soon);
        }
    }

    /// A device said something to the broker that may tell what it runs.
    pub fn heard(&mut self, mac: Mac, client_id: Option<&str>, topic: Option<&str>) {
        let Some(device) = self.devices.get_mut(&mac) else {
            return;
        };
        let guess = Firmware::guess(&Evidence {
            topic,
            client_id,
            hostname: None,
        });
        let by_topic = topic.is_some()
            && Firmware::guess(&Evidence {
                topic,
                ..Evidence::default()
            })
            .is_some();
        // Its own word; the last one counts, but a topic more than a client identifier.
        if guess.is_none() || (device.firmware_by_topic && !by_topic) {
            return;
        }
        device.firmware_by_topic = by_topic;
        if device.firmware != guess {
            device.firmware = guess;
            if device.is_decided() {
                self.effects.save(Save::Soon);
            }
        }
    }

    /// The kernel program met a device; the registry may not know it yet (a static address, and
    /// not a word to the router).
    pub fn frame(&mut self, now: UnixMs, mac: Mac) {
        if let Some(device) = self.devices.get_mut(&mac) {
            device.last_seen_ms = now;
            if std::mem::take(&mut device.gone) {
                self.effects.policies.insert(mac);
            }
            return;
        }
        let (since, taken) = self.strangers;
        if now.abs_diff(since) >= 60_000 {
            self.strangers = (now, 0);
        } else if taken >= Self::STRANGERS_PER_MINUTE {
            return;
        }
        if self.device_or_new(mac, now).is_some() {
            self.strangers.1 += 1;
            self.tell(
                mac,
                EventKind::DeviceSeen {
                    address: None,
                    source: "kernel",
                },
            );
        }
    }
}
