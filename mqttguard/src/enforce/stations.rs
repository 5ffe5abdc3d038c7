//! How frames are addressed that the router takes in.

use std::collections::BTreeSet;

use aya::maps::{HashMap, MapData};
use mqttguard_common::{MAX_STATIONS, Station};

use super::EnforceError;
use super::error::on;
use super::links::Link;
use super::object::Object;
use super::tables::absent_is_fine;

/// The kernel program's map of them.
pub struct Stations {
    map: HashMap<MapData, Station, u8>,
    /// What is in it.
    known: BTreeSet<Station>,
}

impl Stations {
    /// Takes the map out of a loaded object.
    ///
    /// # Errors
    ///
    /// It is missing or cannot be read.
    pub fn take(object: &mut Object) -> Result<Self, EnforceError> {
        let map: HashMap<_, Station, u8> = object.take("STATIONS")?;
        let known = map
            .keys()
            .collect::<Result<_, _>>()
            .map_err(on("STATIONS"))?;
        Ok(Stations { map, known })
    }

    /// Makes it hold these, as far as there is room: what is addressed to the others counts as
    /// bridged.
    ///
    /// # Errors
    ///
    /// The map cannot be written.
    pub fn set(&mut self, wanted: &BTreeSet<Station>) -> Result<(), EnforceError> {
        let gone: Vec<Station> = self.known.difference(wanted).copied().collect();
        for station in gone {
            absent_is_fine(self.map.remove(&station)).map_err(on("STATIONS"))?;
            self.known.remove(&station);
        }
        for &station in wanted.iter().take(MAX_STATIONS as usize) {
            if !self.known.contains(&station) {
                self.map.insert(station, 1, 0).map_err(on("STATIONS"))?;
                self.known.insert(station);
            }
        }
        Ok(())
    }
}

/// Those of frames that come in on these interfaces.
pub(super) fn stations(guarded: &[u32], links: &[Link]) -> BTreeSet<Station> {
    let mut stations = BTreeSet::new();
    for port in links.iter().filter(|link| guarded.contains(&link.index)) {
        // What is a VLAN of the port itself is no longer its bridge's.
        let own = vlans_of(port, links);
        let mut add = |vlan, mac| {
            // A driver may leave open which of its interfaces a frame comes in on.
            for ifindex in [port.index, 0] {
                stations.insert(Station { ifindex, vlan, mac });
            }
        };
        for (vlan, link) in &own {
            if let Some(mac) = taken_in_by(link, links).and_then(|link| link.mac) {
                add(*vlan, mac);
            }
        }
        let Some(below) = taken_in_by(port, links) else {
            continue;
        };
        let Some(mac) = below.mac else {
            continue;
        };
        add(0, mac);
        if below.index == port.index {
            continue;
        }
        for (vlan, link) in vlans_of(below, links) {
            // The bridge takes in what goes to its own address alone.
            let upper = taken_in_by(link, links).and_then(|link| link.mac);
            if upper == Some(mac) && own.iter().all(|(other, _)| *other != vlan) {
                add(vlan, mac);
            }
        }
    }
    stations
}

/// The device that hands the frames of an interface to the router: its bridge, or itself.
fn taken_in_by<'a>(link: &'a Link, links: &'a [Link]) -> Option<&'a Link> {
    match link.master {
        None => Some(link),
        Some(master) => links
            .iter()
            .find(|link| link.index == master && link.is_bridge),
    }
}

/// The VLANs on top of a device.
fn vlans_of<'a>(link: &Link, links: &'a [Link]) -> Vec<(u16, &'a Link)> {
    let vlans = links.iter().filter(|vlan| vlan.vlan_of == Some(link.index));
    vlans.filter_map(|link| Some((link.vlan?, link))).collect()
}

#[cfg(test)]
mod tests {
    use mqttguard_common::Mac;

    use super::*;

    fn link(index: u32, master: Option<u32>, vlan: Option<(u32, u16)>, mac: u8) -> Link {
        Link {
            index,
            name: format!("link{index}"),
            master,
            is_bridge: index < 10,
            vlan_of: vlan.map(|(lower, _)| lower),
            vlan: vlan.map(|(_, vlan)| vlan),
            is_running: true,
            mac: Some(Mac([2, 0, 0, 0, 0, mac])),
            ..Link::default()
        }
    }

    /// VLAN and last byte of the MAC of what the router takes in on an interface.
    fn found(guarded: u32, links: &[Link]) -> Vec<(u16, u8)> {
        let all = stations(&[guarded], links);
        let unnamed = all.iter().filter(|station| station.ifindex == 0).count();
        assert_eq!(all.len(), 2 * unnamed);
        all.iter()
            .filter(|station| station.ifindex == guarded)
            .map(|station| (station.vlan, station.mac.0[5]))
            .collect()
    }

    #[test]
    fn a_port_is_addressed_by_its_bridge() {
        let links = [link(1, None, None, 1), link(11, Some(1), None, 2)];
        assert_eq!(found(11, &links), [(0, 1)]);
    }

    #[test]
    fn what_stands_alone_is_addressed_by_itself() {
        let links = [link(1, None, None, 1), link(11, None, None, 2)];
        assert_eq!(found(11, &links), [(0, 2)]);
    }

    #[test]
    fn vlans_count_where_the_router_has_them() {
        let links = [
            link(1, None, None, 1),
            link(2, None, None, 9),
            link(11, Some(1), None, 2),
            link(21, None, Some((1, 10)), 1),
            // With an address that the bridge does not know.
            link(22, None, Some((1, 11)), 7),
            // Of the port itself, in another bridge.
            link(23, Some(2), Some((11, 12)), 2),
            link(24, None, Some((1, 12)), 1),
        ];
        assert_eq!(found(11, &links), [(0, 1), (10, 1), (12, 9)]);
        assert_eq!(found(21, &links), [(0, 1)]);
    }

    #[test]
    fn what_another_device_collects_is_not_known_to_come_in() {
        let links = [link(12, None, None, 1), link(13, Some(12), None, 2)];
        assert_eq!(found(13, &links), []);
    }
}
