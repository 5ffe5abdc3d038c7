//! The built-in profiles, held against what each firmware says.

use mqttguard_broker::Grants;
use mqttguard_common::Mac;

use super::grants::{Names, expand};
use crate::config;

const MAC: Mac = Mac([0xa4, 0xcf, 0x12, 0x4a, 0x2b, 0x1c]);

/// What a profile grants a device of this name.
fn granted(profile: &str, device: &str) -> Grants {
    let settings = config::parse("test", "").unwrap();
    let names = Names {
        device,
        username: device,
        client_id: "neighbour",
        mac: MAC,
    };
    expand(&settings.profiles[profile], names)
}

/// A device, and what its firmware publishes and subscribes to.
struct Life {
    profile: &'static str,
    device: &'static str,
    publishes: &'static [&'static str],
    subscribes: &'static [&'static str],
    /// What is of others, or of all.
    refused: &'static [&'static str],
}

const LIVES: &[Life] = &[
    Life {
        profile: "tasmota",
        device: "kettle",
        publishes: &[
            "tele/kettle/LWT",
            "tele/kettle/STATE",
            "tele/kettle/SENSOR",
            "tele/kettle/INFO1",
            "stat/kettle/RESULT",
            "stat/kettle/POWER",
            "stat/kettle/STATUS10",
            "tele/tasmota_4A2B1C/LWT",
            "stat/tasmota_4A2B1C/RESULT",
            "tasmota/discovery/A4CF124A2B1C/config",
            "tasmota/discovery/A4CF124A2B1C/sensors",
        ],
        subscribes: &[
            "cmnd/kettle/#",
            "cmnd/tasmota_4A2B1C/#",
            "cmnd/tasmotas/#",
            "cmnd/DVES_4A2B1C_fb/#",
        ],
        refused: &[
            "cmnd/lamp/POWER",
            "cmnd/tasmotas/POWER",
            "cmnd/kettle/POWER",
            "tele/lamp/LWT",
            "stat/tasmota_FFFFFF/RESULT",
            "tasmota/discovery/FFFFFFFFFFFF/config",
            "tasmota/discovery/a4cf124a2b1c/config",
            "homeassistant/switch/4A2B1C_RL_1/config",
        ],
    },
    Life {
        profile: "esphome",
        device: "kitchen-node",
        publishes: &[
            "kitchen-node/status",
            "kitchen-node/debug",
            "kitchen-node/sensor/temperature/state",
            "kitchen-node/light/lamp/state",
            "esphome/discover/kitchen-node",
            "homeassistant/sensor/kitchen-node/temperature/config",
            "homeassistant/light/kitchen-node/lamp/config",
        ],
        subscribes: &[
            "kitchen-node/light/lamp/command",
            "kitchen-node/switch/relay/command",
            "esphome/discover",
            "esphome/ping/kitchen-node",
            "homeassistant/status",
        ],
        refused: &[
            "homeassistant/sensor/hall-node/temperature/config",
            "homeassistant/status",
            "homeassistant/sensor/kitchen-node/config",
            "esphome/discover/hall-node",
            "esphome/ping/hall-node",
            "hall-node/status",
        ],
    },
    Life {
        profile: "shelly",
        device: "shellyplus1pm-a4cf124a2b1c",
        publishes: &[
            "shellyplus1pm-a4cf124a2b1c/online",
            "shellyplus1pm-a4cf124a2b1c/events/rpc",
            "shellyplus1pm-a4cf124a2b1c/status/switch:0",
            "shellyplus1pm-a4cf124a2b1c/announce",
            "shellyplus1pm-a4cf124a2b1c/debug/log",
        ],
        subscribes: &[
            "shellyplus1pm-a4cf124a2b1c/rpc",
            "shellyplus1pm-a4cf124a2b1c/command",
            "shellyplus1pm-a4cf124a2b1c/command/+",
            "shellies/command",
        ],
        refused: &[
            "shellyplus1pm-ffffffffffff/online",
            "shellyplus1pm-ffffffffffff/rpc",
            "shellies/command",
            "shellies/shelly1-AABBCC/relay/0/command",
        ],
    },
    Life {
        profile: "shelly_gen1",
        device: "shelly1-4A2B1C",
        publishes: &[
            "shellies/shelly1-4A2B1C/online",
            "shellies/shelly1-4A2B1C/announce",
            "shellies/shelly1-4A2B1C/relay/0",
            "shellies/shelly1-4A2B1C/relay/0/power",
        ],
        subscribes: &[
            "shellies/shelly1-4A2B1C/relay/0/command",
            "shellies/shelly1-4A2B1C/command",
            "shellies/command",
        ],
        refused: &[
            "shellies/command",
            "shellies/shelly1-FFFFFF/relay/0/command",
        ],
    },
    Life {
        profile: "openbeken",
        device: "obk7A3F1C2D",
        publishes: &[
            "obk7A3F1C2D/connected",
            "obk7A3F1C2D/1/get",
            "obk7A3F1C2D/rssi",
            "obk7A3F1C2D/led_enableAll/get",
            "stat/obk7A3F1C2D/RESULT",
            "homeassistant/switch/obk7A3F1C2D_relay_1/config",
        ],
        subscribes: &[
            "obk7A3F1C2D/+/set",
            "obk7A3F1C2D/+/get",
            "cmnd/obk7A3F1C2D/+",
            "bekens/+/set",
            "cmnd/bekens/+",
        ],
        refused: &[
            "obkFFFFFFFF/1/set",
            "cmnd/obkFFFFFFFF/POWER",
            "bekens/1/set",
            "homeassistant/switch/obkFFFFFFFF_relay_1/config",
        ],
    },
    Life {
        profile: "wled",
        device: "shelf",
        publishes: &[
            "wled/4a2b1c/status",
            "wled/4a2b1c/g",
            "wled/4a2b1c/c",
            "wled/4a2b1c/v",
            "wled/shelf/status",
        ],
        subscribes: &[
            "wled/4a2b1c",
            "wled/4a2b1c/col",
            "wled/4a2b1c/api",
            "wled/all",
            "wled/all/col",
        ],
        refused: &[
            "wled/all",
            "wled/all/api",
            "wled/ffffff/api",
            "wled/4A2B1C/g",
        ],
    },
    Life {
        profile: "opendtu",
        device: "OpenDTU-2B1C3D",
        publishes: &[
            "solar/dtu/status",
            "solar/dtu/uptime",
            "solar/114182908123/status/reachable",
            "solar/114182908123/0/power",
            "solar/ac/power",
        ],
        subscribes: &[
            "solar/+/cmd/limit_persistent_relative",
            "solar/+/cmd/restart",
        ],
        refused: &["homeassistant/sensor/kettle/power/config", "home/dtu/x"],
    },
    Life {
        profile: "openmqttgateway",
        device: "OMG_attic",
        publishes: &[
            "home/OMG_attic/LWT",
            "home/OMG_attic/SYStoMQTT",
            "home/OMG_attic/BTtoMQTT/AABBCCDDEEFF",
            "home/OMG_attic/version",
        ],
        subscribes: &["home/OMG_attic/commands/#"],
        refused: &["home/kitchen", "home/OMG_cellar/commands/MQTTtoSYS/config"],
    },
    Life {
        profile: "valetudo",
        device: "rover",
        publishes: &[
            "valetudo/rover/$state",
            "valetudo/rover/MapData/map-data",
            "valetudo/rover/BatteryStateAttribute/level",
            "valetudo/rover/hass/rover_vacuum/state",
            "homeassistant/vacuum/rover/rover_vacuum/config",
        ],
        subscribes: &[
            "valetudo/rover/BasicControlCapability/operation/set",
            "homeassistant/status",
        ],
        refused: &[
            "valetudo/other/BasicControlCapability/operation/set",
            "homeassistant/vacuum/other/other_vacuum/config",
        ],
    },
    Life {
        profile: "zigbee2mqtt",
        device: "zigbee2mqtt",
        publishes: &[
            "zigbee2mqtt/bridge/state",
            "zigbee2mqtt/bridge/devices",
            "zigbee2mqtt/living room/lamp",
            "homeassistant/light/0x00158d0001a2b3c4/light/config",
        ],
        subscribes: &[
            "zigbee2mqtt/bridge/request/#",
            "zigbee2mqtt/#",
            "homeassistant/status",
            "homeassistant/#",
        ],
        refused: &[
            "homeassistant/status",
            "cmnd/kettle/POWER",
            "frigate/events",
        ],
    },
    Life {
        profile: "frigate",
        device: "frigate",
        publishes: &[
            "frigate/available",
            "frigate/events",
            "frigate/drive/person/snapshot",
            "frigate/stats",
        ],
        subscribes: &[
            "frigate/drive/detect/set",
            "frigate/+/recordings/set",
            "frigate/#",
        ],
        refused: &[
            "homeassistant/camera/drive/x/config",
            "zigbee2mqtt/bridge/request/restart",
        ],
    },
];

#[test]
fn each_firmware_may_do_what_it_does_and_nothing_in_anothers_name() {
    for life in LIVES {
        let grants = granted(life.profile, life.device);
        for topic in life.publishes {
            assert!(grants.may_publish(topic), "{}: {topic}", life.profile);
        }
        for filter in life.subscribes {
            let answer = grants.allows_filter(filter);
            assert!(answer, "{}: {filter}", life.profile);
        }
        for topic in life.refused {
            assert!(!grants.may_publish(topic), "{}: {topic}", life.profile);
        }
    }
}

#[test]
fn no_firmware_reads_the_house() {
    for life in LIVES {
        let grants = granted(life.profile, life.device);
        for filter in [
            "#",
            "+/#",
            "+/+",
            "cmnd/#",
            "tele/#",
            "$SYS/#",
            "shellies/#",
            "wled/#",
        ] {
            let answer = grants.allows_filter(filter);
            assert!(!answer, "{}: {filter}", life.profile);
        }
        for topic in ["$SYS/broker/uptime", "/", "x", "homeassistant/status"] {
            assert!(!grants.may_publish(topic), "{}: {topic}", life.profile);
        }
    }
}

/// A device may call itself anything before it is enrolled.
#[test]
fn a_name_that_is_somebody_elses_tree_grants_no_more() {
    for life in LIVES {
        for name in [
            "homeassistant",
            "cmnd",
            "tele",
            "stat",
            "zigbee2mqtt",
            "shellies",
            "wled",
        ] {
            let grants = granted(life.profile, name);
            let own =
                |topic: &str| life.profile == "zigbee2mqtt" && topic.starts_with("zigbee2mqtt");
            for topic in [
                "homeassistant/switch/kettle/relay/state",
                "cmnd/kettle/POWER",
                "tele/kettle/LWT",
                "stat/kettle/RESULT",
                "zigbee2mqtt/bridge/request/restart",
                "shellies/shelly1-FFFFFF/relay/0/command",
                "wled/ffffff/api",
            ] {
                assert!(
                    !grants.may_publish(topic) || own(topic),
                    "{} named {name}: {topic}",
                    life.profile
                );
            }
        }
    }
}

#[test]
fn every_firmware_that_is_known_has_a_profile() {
    let settings = config::parse("test", "").unwrap();
    for firmware in crate::naming::Firmware::ALL {
        assert!(
            settings.profiles.contains_key(firmware.profile()),
            "{firmware:?}"
        );
    }
}
