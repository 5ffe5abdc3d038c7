use std::collections::{BTreeMap, BTreeSet};

use mqttguard::config::{Exception, KernelLimits, Mode};
use mqttguard::enforce::Rules;
use mqttguard::registry::{DevicePolicy, Standing};
use mqttguard_common::{Mac, Station};

use super::{Generator, MACS, NAMED, PORTS};
use crate::bpf::{INTERFACE, STATION};
use crate::model::Model;

const UNLIMITED: KernelLimits = KernelLimits {
    packets_per_s: 0,
    bytes_per_s: 0,
    connections_per_s: 0,
    udp_per_s: 0,
    broadcasts_per_s: 0,
};

/// Addresses that devices are bound to.
const BOUND: [&str; 4] = ["192.168.1.77", "192.0.2.10", "10.1.2.3", "192.168.1.1"];

/// Prefixes that lie inside each other, and both families' all.
const PREFIXES: [&str; 12] = [
    "0.0.0.0/0",
    "10.0.0.0/8",
    "10.1.2.0/25",
    "10.1.2.3/32",
    "192.0.2.0/24",
    "192.0.2.10/31",
    "192.0.2.10/32",
    "::/0",
    "2001:db8::/32",
    "2001:db8::/64",
    "2001:db8::10/128",
    "fd00::/8",
];

impl Generator {
    /// Rules and devices, for the frames to come.
    pub fn model(&mut self) -> Model {
        let rules = self.rules();
        self.ports = [1883, 8883].into();
        self.ports.extend(&rules.plaintext_ports);
        self.ports.extend(&rules.broker_ports);
        // Ports that a device may get through to are the rarest.
        self.ports
            .extend([rules.local_plaintext_port; 3].iter().flatten());
        self.router.clone_from(&rules.local_addresses);
        let random = &mut self.random;
        let devices: BTreeMap<Mac, DevicePolicy> = MACS[..NAMED]
            .iter()
            .map(|&mac| {
                let policy = DevicePolicy {
                    standing: random.one_of(&[
                        Standing::Good,
                        Standing::Good,
                        Standing::Good,
                        Standing::Blocked,
                        Standing::Quarantined,
                    ]),
                    plaintext: random.once_in(2),
                    uplift: random.once_in(2),
                    interface: random.one_of(&[None, None, None, None, Some(INTERFACE), Some(7)]),
                    address: random
                        .once_in(3)
                        .then(|| random.one_of(&BOUND).parse().unwrap()),
                    limits: UNLIMITED,
                };
                (mac, policy)
            })
            .collect();
        self.streams.clear();
        let mut stations: BTreeSet<Station> = [STATION].into();
        stations.insert(Station {
            vlan: 10,
            ..STATION
        });
        if random.once_in(4) {
            // Another interface, another VLAN, another address.
            stations = [
                Station {
                    ifindex: 7,
                    ..STATION
                },
                Station {
                    vlan: 0x70a,
                    ..STATION
                },
                Station {
                    mac: Mac([2, 0, 0, 0, 0, 0x99]),
                    ..STATION
                },
            ]
            .into();
        }
        Model {
            rules,
            devices,
            stations,
            streams: BTreeMap::new(),
        }
    }

    fn rules(&mut self) -> Rules {
        let random = &mut self.random;
        let mut some_ports = |most: usize| -> Vec<u16> {
            (0..random.below(most + 1))
                .map(|_| random.one_of(&PORTS))
                .collect()
        };
        let (plaintext_ports, broker_ports) = (some_ports(4), some_ports(3));
        let exceptions = (0..random.below(7))
            .map(|index| Exception {
                name: format!("exception {index}"),
                mac: random.once_in(2).then(|| random.one_of(&MACS[..10])),
                destination: random.one_of(&PREFIXES).parse().unwrap(),
                // Port 0 would be every port.
                port: random.once_in(2).then(|| random.one_of(&PORTS[1..])),
            })
            .collect();
        let local_addresses = (0..random.below(6))
            .map(|_| random.one_of(&self.addresses).to_canonical())
            .collect();
        Rules {
            mode: if random.once_in(5) {
                Mode::Monitor
            } else {
                Mode::Enforce
            },
            plaintext_ports,
            detect_connect: !random.once_in(4),
            mqtt_sn: !random.once_in(4),
            websocket: !random.once_in(4),
            reject: !random.once_in(3),
            drop_mismatch: random.once_in(2),
            uplift: random.once_in(2),
            local_addresses,
            broker_ports,
            local_plaintext_port: random.once_in(2).then(|| random.one_of(&PORTS[1..])),
            exceptions,
            stranger_limits: UNLIMITED,
        }
    }
}
