use std::collections::{BTreeMap, BTreeSet};

use aya::maps::lpm_trie::Key;
use aya::maps::{Array, HashMap, LpmTrie, MapData, MapError, PerCpuArray, PerCpuValues};
use aya::util::nr_cpus;
use mqttguard_common::{
    self as common, Bucket, Counters, Exceptions, Levels, MAX_DEVICES, MAX_LOCAL, Mac, MacKey,
    Policy, PortWord, Stranger, Told, address_key, policy_flags, rule_flags,
};

use super::error::on;
use super::exceptions::{self, Prefix};
use super::object::Object;
use super::places::ShortCuts;
use super::{DeviceCounters, EnforceError, Rules};
use crate::config::{KernelLimits, Mode};
use crate::registry::{DevicePolicy, Standing};

/// The kernel program's maps, as far as the daemon writes rules and devices into them and reads
/// counters out of them.
pub struct Tables {
    devices: HashMap<MapData, MacKey, u32>,
    short_cuts: ShortCuts,
    policies: Array<MapData, Policy>,
    levels: Array<MapData, Levels>,
    counters: PerCpuArray<MapData, Counters>,
    told: Array<MapData, Told>,
    strangers: HashMap<MapData, MacKey, Stranger>,
    rules: Array<MapData, common::Rules>,
    ports: Array<MapData, PortWord>,
    local: HashMap<MapData, [u8; 16], u8>,
    exceptions: LpmTrie<MapData, [u8; 16], Exceptions>,
    /// What `devices` holds; nobody else writes there.
    rows: BTreeMap<Mac, u32>,
}

impl Tables {
    /// Takes the maps out of a loaded object. Devices of a predecessor that are already in them
    /// are [`Tables::known`].
    ///
    /// # Errors
    ///
    /// A map is missing or cannot be read.
    pub fn take(object: &mut Object) -> Result<Self, EnforceError> {
        let devices: HashMap<_, MacKey, u32> = object.take("DEVICES")?;
        let rows: BTreeMap<Mac, u32> = devices
            .iter()
            .map(|row| row.map(|(key, row)| (key.mac, row)))
            .collect::<Result<_, _>>()
            .map_err(on("DEVICES"))?;
        Ok(Tables {
            devices,
            short_cuts: ShortCuts::take(object, &rows)?,
            policies: object.take("POLICIES")?,
            levels: object.take("LEVELS")?,
            counters: object.take("COUNTERS")?,
            told: object.take("TOLD")?,
            strangers: object.take("STRANGERS")?,
            rules: object.take("RULES")?,
            ports: object.take("PORTS")?,
            local: object.take("LOCAL")?,
            exceptions: object.take("EXCEPTIONS")?,
            rows,
        })
    }

    /// Writes the rules. What they newly allow is written before what they newly forbid, so
    /// that nothing that both the old and the new rules allow is dropped in between.
    ///
    /// # Errors
    ///
    /// More addresses or exceptions than there is room for, in which case nothing is written;
    /// or a map cannot be written.
    pub fn set_rules(&mut self, rules: &Rules) -> Result<(), EnforceError> {
        let exceptions = exceptions::table(&rules.exceptions)?;
        let local: BTreeSet<[u8; 16]> = rules
            .local_addresses
            .iter()
            .map(|&address| address_key(address))
            .collect();
        if local.len() > MAX_LOCAL as usize {
            return Err(EnforceError::Room {
                what: "addresses of the router".into(),
                found: local.len(),
                room: MAX_LOCAL as usize,
            });
        }
        self.set_local(&local)?;
        self.set_exceptions(&exceptions)?;
        self.set_ports(rules)?;
        let mut flags = 0;
        for (flag, set) in [
            (rule_flags::ENFORCE, rules.mode == Mode::Enforce),
            (rule_flags::DETECT_CONNECT, rules.detect_connect),
            (rule_flags::MQTT_SN, rules.mqtt_sn),
            (rule_flags::WEBSOCKET, rules.websocket),
            (rule_flags::REJECT, rules.reject),
            (rule_flags::DROP_MISMATCH, rules.drop_mismatch),
            (rule_flags::UPLIFT, rules.uplift),
            (rule_flags::EXCEPTIONS, !rules.exceptions.is_empty()),
        ] {
            flags |= if set { flag } else { 0 };
        }
        let value = common::Rules {
            flags,
            local_plaintext_port: rules.local_plaintext_port.unwrap_or(0),
            reserved: 0,
            strangers: limited(&rules.stranger_limits),
        };
        self.rules.set(0, value, 0).map_err(on("RULES"))
    }

    fn set_local(&mut self, wanted: &BTreeSet<[u8; 16]>) -> Result<(), EnforceError> {
        let present: BTreeSet<[u8; 16]> = self
            .local
            .keys()
            .collect::<Result<_, _>>()
            .map_err(on("LOCAL"))?;
        for address in present.difference(wanted) {
            self.local.remove(address).map_err(on("LOCAL"))?;
        }
        for address in wanted.difference(&present) {
            self.local.insert(address, 1, 0).map_err(on("LOCAL"))?;
        }
        Ok(())
    }

    fn set_exceptions(
        &mut self,
        wanted: &BTreeMap<Prefix, Exceptions>,
    ) -> Result<(), EnforceError> {
        let present: BTreeSet<Prefix> = self
            .exceptions
            .keys()
            .map(|key| key.map(|key| (key.prefix_len(), key.data())))
            .collect::<Result<_, _>>()
            .map_err(on("EXCEPTIONS"))?;
        for &(bits, address) in present.iter().filter(|prefix| !wanted.contains_key(prefix)) {
            self.exceptions
                .remove(&Key::new(bits, address))
                .map_err(on("EXCEPTIONS"))?;
        }
        for (&(bits, address), rules) in wanted {
            self.exceptions
                .insert(&Key::new(bits, address), rules, 0)
                .map_err(on("EXCEPTIONS"))?;
        }
        Ok(())
    }

    fn set_ports(&mut self, rules: &Rules) -> Result<(), EnforceError> {
        let mut wanted: BTreeMap<u32, PortWord> = BTreeMap::new();
        for &port in &rules.plaintext_ports {
            wanted.entry(PortWord::index(port)).or_default().plaintext |= PortWord::bit(port);
        }
        for &port in rules.broker_ports.iter().chain(&rules.local_plaintext_port) {
            wanted.entry(PortWord::index(port)).or_default().broker |= PortWord::bit(port);
        }
        for index in 0..PortWord::COUNT {
            let word = wanted.get(&index).copied().unwrap_or_default();
            if self.ports.get(&index, 0).map_err(on("PORTS"))? != word {
                self.ports.set(index, word, 0).map_err(on("PORTS"))?;
            }
        }
        Ok(())
    }

    /// Sets what a device may do; its bucket levels and counters stay. A device that is new to
    /// the tables brings along what was counted of it as a stranger.
    ///
    /// # Errors
    ///
    /// No room for another device, or a map cannot be written.
    pub fn set_device(&mut self, mac: Mac, device: &DevicePolicy) -> Result<(), EnforceError> {
        let mut flags = match device.standing {
            Standing::Good => 0,
            Standing::Quarantined => policy_flags::QUARANTINED,
            Standing::Blocked => policy_flags::BLOCKED,
        };
        if device.plaintext {
            flags |= policy_flags::PLAINTEXT;
        }
        if device.uplift {
            flags |= policy_flags::UPLIFT;
        }
        let policy = Policy {
            flags,
            interface: device.interface.unwrap_or(0),
            address: device.address.map_or([0; 4], |address| address.octets()),
            ..limited(&device.limits)
        };
        if let Some(&row) = self.rows.get(&mac) {
            return self.policies.set(row, policy, 0).map_err(on("POLICIES"));
        }
        let row = self.free_row()?;
        let key = MacKey::new(mac);
        let stranger = match self.strangers.get(&key, 0) {
            Ok(stranger) => stranger,
            Err(MapError::KeyNotFound) => Stranger::default(),
            Err(error) => return Err(on("STRANGERS")(error)),
        };
        self.policies.set(row, policy, 0).map_err(on("POLICIES"))?;
        self.levels
            .set(row, stranger.levels, 0)
            .map_err(on("LEVELS"))?;
        self.told.set(row, stranger.told, 0).map_err(on("TOLD"))?;
        self.counters
            .set(row, on_first_cpu(stranger.counters)?, 0)
            .map_err(on("COUNTERS"))?;
        self.devices.insert(key, row, 0).map_err(on("DEVICES"))?;
        self.short_cuts.add(mac, row)?;
        self.rows.insert(mac, row);
        absent_is_fine(self.strangers.remove(&key)).map_err(on("STRANGERS"))
    }

    /// Forgets a device and its counters; its next frame makes it a stranger.
    ///
    /// # Errors
    ///
    /// The map cannot be written.
    pub fn remove_device(&mut self, mac: Mac) -> Result<(), EnforceError> {
        let Some(&row) = self.rows.get(&mac) else {
            return Ok(());
        };
        absent_is_fine(self.devices.remove(&MacKey::new(mac))).map_err(on("DEVICES"))?;
        // The row is free only when nothing leads to it any more.
        self.short_cuts.remove(mac, row)?;
        self.rows.remove(&mac);
        Ok(())
    }

    /// The devices that have a row of their own.
    pub fn known(&self) -> impl Iterator<Item = Mac> + '_ {
        self.rows.keys().copied()
    }

    /// How a known device stands, as it was set last; `None` for one that is not known.
    ///
    /// # Errors
    ///
    /// The map cannot be read.
    pub fn standing(&self, mac: Mac) -> Result<Option<Standing>, EnforceError> {
        let Some(row) = self.rows.get(&mac) else {
            return Ok(None);
        };
        let flags = self.policies.get(row, 0).map_err(on("POLICIES"))?.flags;
        Ok(Some(if flags & policy_flags::BLOCKED != 0 {
            Standing::Blocked
        } else if flags & policy_flags::QUARANTINED != 0 {
            Standing::Quarantined
        } else {
            Standing::Good
        }))
    }

    /// The counters of all devices, known ones and strangers.
    ///
    /// # Errors
    ///
    /// A map cannot be read.
    pub fn counters(&self) -> Result<Vec<(Mac, DeviceCounters)>, EnforceError> {
        let mut all = Vec::with_capacity(self.rows.len());
        for (&mac, &row) in &self.rows {
            all.push((mac, self.counters_of_row(row)?));
        }
        for entry in self.strangers.iter() {
            let (key, stranger) = match entry {
                Ok(entry) => entry,
                // Pushed out while the list was read.
                Err(MapError::KeyNotFound) => continue,
                Err(error) => return Err(on("STRANGERS")(error)),
            };
            if self.rows.contains_key(&key.mac) {
                continue;
            }
            let mut sum = DeviceCounters::default();
            sum.add(&stranger.counters);
            all.push((key.mac, sum));
        }
        Ok(all)
    }

    /// The counters of one device, known or not; all zero if it was never seen.
    ///
    /// # Errors
    ///
    /// A map cannot be read.
    pub fn counters_of(&self, mac: Mac) -> Result<DeviceCounters, EnforceError> {
        if let Some(&row) = self.rows.get(&mac) {
            return self.counters_of_row(row);
        }
        let mut sum = DeviceCounters::default();
        match self.strangers.get(&MacKey::new(mac), 0) {
            Ok(stranger) => sum.add(&stranger.counters),
            Err(MapError::KeyNotFound) => {}
            Err(error) => return Err(on("STRANGERS")(error)),
        }
        Ok(sum)
    }

    fn counters_of_row(&self, row: u32) -> Result<DeviceCounters, EnforceError> {
        let mut sum = DeviceCounters::default();
        for counters in self.counters.get(&row, 0).map_err(on("COUNTERS"))?.iter() {
            sum.add(counters);
        }
        Ok(sum)
    }

    fn free_row(&self) -> Result<u32, EnforceError> {
        let taken: BTreeSet<u32> = self.rows.values().copied().collect();
        (0..MAX_DEVICES)
            .find(|row| !taken.contains(row))
            .ok_or_else(|| EnforceError::Room {
                what: "devices".into(),
                found: self.rows.len() + 1,
                room: MAX_DEVICES as usize,
            })
    }
}

impl DeviceCounters {
    fn add(&mut self, counters: &Counters) {
        for (sum, frames) in self.frames.iter_mut().zip(counters.frames) {
            *sum = sum.saturating_add(frames);
        }
        for (sum, bytes) in self.bytes.iter_mut().zip(counters.bytes) {
            *sum = sum.saturating_add(bytes);
        }
    }
}

/// What holds by these limits alone.
fn limited(limits: &KernelLimits) -> Policy {
    Policy {
        packets: Bucket::per_second(limits.packets_per_s.into()),
        bytes: Bucket::per_second(limits.bytes_per_s),
        connections: Bucket::per_second(limits.connections_per_s.into()),
        udp: Bucket::per_second(limits.udp_per_s.into()),
        broadcasts: Bucket::per_second(limits.broadcasts_per_s.into()),
        ..Policy::default()
    }
}

fn on_first_cpu(counters: Counters) -> Result<PerCpuValues<Counters>, EnforceError> {
    let failed = |error: std::io::Error| on("COUNTERS")(MapError::IoError(error));
    let cpus = nr_cpus().map_err(|(_, error)| failed(error))?;
    let mut values = vec![Counters::default(); cpus];
    if let Some(first) = values.first_mut() {
        *first = counters;
    }
    PerCpuValues::try_from(values).map_err(failed)
}

pub(super) fn absent_is_fine(result: Result<(), MapError>) -> Result<(), MapError> {
    match result {
        Err(MapError::KeyNotFound) => Ok(()),
        Err(MapError::SyscallError(error))
            if error.io_error.kind() == std::io::ErrorKind::NotFound =>
        {
            Ok(())
        }
        result => result,
    }
}
