/// What runs on a device. Each speaks MQTT in its own way; see [`Firmware::guess`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Firmware {
    /// Tasmota.
    Tasmota,
    /// ESPHome.
    EspHome,
    /// Shelly of the first generation, which knows no TLS.
    ShellyGen1,
    /// Shelly Plus, Pro and later.
    ShellyGen2,
    /// OpenBeken, also on chips that Tasmota does not know.
    OpenBeken,
    /// WLED.
    Wled,
    /// OpenDTU.
    OpenDtu,
    /// OpenMQTTGateway and Theengs.
    OpenMqttGateway,
    /// Valetudo, on vacuum cleaners.
    Valetudo,
    /// Zigbee2MQTT.
    Zigbee2Mqtt,
    /// Home Assistant.
    HomeAssistant,
    /// Frigate.
    Frigate,
}

/// What a device has shown of itself. All of it is the device's own word, and hostile.
#[derive(Clone, Copy, Debug, Default)]
pub struct Evidence<'a> {
    /// What it calls itself over DHCP.
    pub hostname: Option<&'a str>,
    /// The client identifier of its last CONNECT.
    pub client_id: Option<&'a str>,
    /// A topic that it published or wanted to, or a filter that it subscribed to.
    pub topic: Option<&'a str>,
}

impl Firmware {
    /// All of them.
    pub const ALL: [Firmware; 12] = [
        Firmware::Tasmota,
        Firmware::EspHome,
        Firmware::ShellyGen1,
        Firmware::ShellyGen2,
        Firmware::OpenBeken,
        Firmware::Wled,
        Firmware::OpenDtu,
        Firmware::OpenMqttGateway,
        Firmware::Valetudo,
        Firmware::Zigbee2Mqtt,
        Firmware::HomeAssistant,
        Firmware::Frigate,
    ];

    /// The stable name, as scripts see it.
    pub const fn name(self) -> &'static str {
        match self {
            Firmware::Tasmota => "tasmota",
            Firmware::EspHome => "esphome",
            Firmware::ShellyGen1 => "shelly-gen1",
            Firmware::ShellyGen2 => "shelly",
            Firmware::OpenBeken => "openbeken",
            Firmware::Wled => "wled",
            Firmware::OpenDtu => "opendtu",
            Firmware::OpenMqttGateway => "openmqttgateway",
            Firmware::Valetudo => "valetudo",
            Firmware::Zigbee2Mqtt => "zigbee2mqtt",
            Firmware::HomeAssistant => "home-assistant",
            Firmware::Frigate => "frigate",
        }
    }

    /// As people write it.
    pub const fn title(self) -> &'static str {
        match self {
            Firmware::Tasmota => "Tasmota",
            Firmware::EspHome => "ESPHome",
            Firmware::ShellyGen1 => "Shelly (first generation)",
            Firmware::ShellyGen2 => "Shelly",
            Firmware::OpenBeken => "OpenBeken",
            Firmware::Wled => "WLED",
            Firmware::OpenDtu => "OpenDTU",
            Firmware::OpenMqttGateway => "OpenMQTTGateway",
            Firmware::Valetudo => "Valetudo",
            Firmware::Zigbee2Mqtt => "Zigbee2MQTT",
            Firmware::HomeAssistant => "Home Assistant",
            Firmware::Frigate => "Frigate",
        }
    }

    /// The firmware of this [`Firmware::name`].
    pub fn named(name: &str) -> Option<Firmware> {
        Firmware::ALL
            .into_iter()
            .find(|firmware| firmware.name() == name)
    }

    /// The built-in profile made for it.
    pub const fn profile(self) -> &'static str {
        match self {
            Firmware::Tasmota => "tasmota",
            Firmware::EspHome => "esphome",
            Firmware::ShellyGen1 => "shelly_gen1",
            Firmware::ShellyGen2 => "shelly",
            Firmware::OpenBeken => "openbeken",
            Firmware::Wled => "wled",
            Firmware::OpenDtu => "opendtu",
            Firmware::OpenMqttGateway => "openmqttgateway",
            Firmware::Valetudo => "valetudo",
            Firmware::Zigbee2Mqtt => "zigbee2mqtt",
            Firmware::HomeAssistant => "hub",
            Firmware::Frigate => "frigate",
        }
    }

    /// What the device probably runs: by what it says over MQTT if it has said anything, else by the
    /// name under which the firmware asks for an address as it comes from the factory.
    pub fn guess(evidence: &Evidence<'_>) -> Option<Firmware> {
        evidence
            .topic
            .and_then(by_topic)
            .or_else(|| evidence.client_id.and_then(by_client_id))
            .or_else(|| evidence.hostname.and_then(by_hostname))
    }
}

fn by_topic(topic: &str) -> Option<Firmware> {
    let mut levels = topic.split('/');
    let (first, second, third) = (levels.next()?, levels.next()?, levels.next());
    let rest = third.unwrap_or_default();
    Some(match (first, second) {
        ("tele" | "stat" | "cmnd", _) | ("tasmota", "discovery") => Firmware::Tasmota,
        ("shellies", _) => Firmware::ShellyGen1,
        ("wled", _) => Firmware::Wled,
        ("solar", _) => Firmware::OpenDtu,
        ("valetudo", _) => Firmware::Valetudo,
        ("frigate", _) => Firmware::Frigate,
        ("zigbee2mqtt", _) => Firmware::Zigbee2Mqtt,
        ("homeassistant", "status" | "#" | "+") => Firmware::HomeAssistant,
        ("home", gateway) if gateway.starts_with("OpenMQTTGateway") => Firmware::OpenMqttGateway,
        (id, "online" | "status" | "events" | "rpc" | "command")
            if shelly(id) == Some(Firmware::ShellyGen2) =>
        {
            Firmware::ShellyGen2
        }
        (id, _) if by_hostname(id) == Some(Firmware::OpenBeken) => Firmware::OpenBeken,
        // `<name>/sensor/temperature/state`, and the will `<name>/status`.
        (_, "sensor" | "binary_sensor" | "switch" | "light" | "climate" | "cover" | "fan")
            if matches!(topic.rsplit('/').next(), Some("state" | "command"))
                && !rest.is_empty() =>
        {
            Firmware::EspHome
        }
        _ => return None,
    })
}

fn by_client_id(client_id: &str) -> Option<Firmware> {
    if let Some(tail) = client_id.strip_prefix("DVES_") {
        return is_hex(tail, 6).then_some(Firmware::Tasmota);
    }
    if let Some(known) = by_hostname(client_id) {
        return Some(known);
    }
    if client_id.starts_with("mqttjs_") {
        return Some(Firmware::Zigbee2Mqtt);
    }
    let (_, tail) = client_id.rsplit_once('-')?;
    is_hex(tail, 12).then_some(Firmware::EspHome)
}

fn by_hostname(hostname: &str) -> Option<Firmware> {
    let name = hostname.to_ascii_lowercase();
    let starts = |prefix| name.starts_with(prefix);
    if starts("shelly") {
        return shelly(&name);
    }
    [
        ("tasmota", Firmware::Tasmota),
        ("openbk", Firmware::OpenBeken),
        ("obk", Firmware::OpenBeken),
        ("wled", Firmware::Wled),
        ("opendtu", Firmware::OpenDtu),
        ("openmqttgateway", Firmware::OpenMqttGateway),
        ("valetudo", Firmware::Valetudo),
        ("zigbee2mqtt", Firmware::Zigbee2Mqtt),
        ("homeassistant", Firmware::HomeAssistant),
        ("home-assistant", Firmware::HomeAssistant),
        ("frigate", Firmware::Frigate),
    ]
    .into_iter()
    .find_map(|(prefix, firmware)| starts(prefix).then_some(firmware))
}

/// `shellyplus1-a8032ab12345` is of a later generation, `shelly1-AABBCC` of the first: the later ones
/// have the whole address in their names.
fn shelly(id: &str) -> Option<Firmware> {
    let (model, tail) = id.rsplit_once('-')?;
    if !model.to_ascii_lowercase().starts_with("shelly") {
        return None;
    }
    if is_hex(tail, 6) {
        Some(Firmware::ShellyGen1)
    } else if is_hex(tail, 12) {
        // Some of the first generation do, too.
        let early = [
            "shelly1l",
            "shellyix3",
            "shellyuni",
            "shellybulbduo",
            "shellyvintage",
        ];
        let model = model.to_ascii_lowercase();
        Some(if early.contains(&model.as_str()) {
            Firmware::ShellyGen1
        } else {
            Firmware::ShellyGen2
        })
    } else {
        None
    }
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn firmwares_are_known_by_what_they_say() {
        use Firmware as F;
        for (topic, expected) in [
            ("tele/tasmota_4A2B1C/LWT", Some(F::Tasmota)),
            ("tasmota/discovery/A4CF124A2B1C/config", Some(F::Tasmota)),
            ("shellies/shellyplug-s-4A2B1C/relay/0", Some(F::ShellyGen1)),
            ("shellyplus1pm-a8032ab12345/online", Some(F::ShellyGen2)),
            (
                "shellyplus1pm-a8032ab12345/status/switch:0",
                Some(F::ShellyGen2),
            ),
            ("kitchen/sensor/temperature/state", Some(F::EspHome)),
            ("wled/4a2b1c/g", Some(F::Wled)),
            ("solar/114182908123/0/power", Some(F::OpenDtu)),
            ("homeassistant/status", Some(F::HomeAssistant)),
            ("homeassistant/switch/kettle/config", None),
            ("zigbee2mqtt/bridge/state", Some(F::Zigbee2Mqtt)),
            ("obk7A3F1C2D/connected", Some(F::OpenBeken)),
            ("home/OpenMQTTGateway_ESP32/LWT", Some(F::OpenMqttGateway)),
            ("home/kitchen", None),
            ("kitchen/status", None),
            ("tele", None),
            ("", None),
            ("/", None),
        ] {
            let evidence = Evidence {
                topic: Some(topic),
                ..Evidence::default()
            };
            assert_eq!(Firmware::guess(&evidence), expected, "{topic}");
        }
    }

    #[test]
    fn firmwares_are_known_by_their_names() {
        use Firmware as F;
        for (hostname, expected) in [
            ("tasmota-4A2B1C-2844", Some(F::Tasmota)),
            ("ShellyPlus1-A8032AB12345", Some(F::ShellyGen2)),
            ("shelly1-4A2B1C", Some(F::ShellyGen1)),
            ("shellyix3-A8032AB12345", Some(F::ShellyGen1)),
            ("shelly", None),
            ("shelly-lamp", None),
            ("OpenBK7231T_7A3F1C2D", Some(F::OpenBeken)),
            ("wled-4a2b1c", Some(F::Wled)),
            ("homeassistant", Some(F::HomeAssistant)),
            ("annas-phone", None),
            ("", None),
            ("-", None),
        ] {
            let evidence = Evidence {
                hostname: Some(hostname),
                ..Evidence::default()
            };
            assert_eq!(Firmware::guess(&evidence), expected, "{hostname}");
        }
        for (client_id, expected) in [
            ("DVES_4A2B1C", Some(F::Tasmota)),
            ("DVES_", None),
            ("kitchen-a4cf124a2b1c", Some(F::EspHome)),
            ("mqttjs_1a2b3c4d", Some(F::Zigbee2Mqtt)),
            ("é-é", None),
        ] {
            let evidence = Evidence {
                client_id: Some(client_id),
                ..Evidence::default()
            };
            assert_eq!(Firmware::guess(&evidence), expected, "{client_id}");
        }
    }

    #[test]
    fn what_it_says_counts_more_than_what_it_is_called() {
        let evidence = Evidence {
            hostname: Some("wled-4a2b1c"),
            client_id: Some("DVES_4A2B1C"),
            topic: Some("shellies/shelly1-4A2B1C/announce"),
        };
        assert_eq!(Firmware::guess(&evidence), Some(Firmware::ShellyGen1));
    }

    #[test]
    fn names_are_unique() {
        let names: std::collections::HashSet<_> = Firmware::ALL.map(Firmware::name).into();
        assert_eq!(names.len(), Firmware::ALL.len());
    }
}
