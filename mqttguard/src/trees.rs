//! Topic trees that many devices of a house share.

/// First levels under which many devices have their topics. A device that calls itself so would have
/// them all by `%d/#`.
const SHARED: [&str; 17] = [
    "cmnd",
    "stat",
    "tele",
    "tasmota",
    "tasmotas",
    "homeassistant",
    "homie",
    "esphome",
    "shellies",
    "bekens",
    "wled",
    "solar",
    "home",
    "valetudo",
    "zigbee2mqtt",
    "frigate",
    "all",
];

/// Whether many devices have their topics under this first level, in whatever case it is written.
pub(crate) fn is_shared(level: &str) -> bool {
    SHARED.iter().any(|root| level.eq_ignore_ascii_case(root))
}
