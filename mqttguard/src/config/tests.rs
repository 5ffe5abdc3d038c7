//! The configuration as a whole: what is made of a file, and what is said of a bad one.

mod bridges;
mod mistakes;
mod uplifts;

use std::time::Duration;

use mqttguard_common::Mac;

use super::*;

const FILE: &str = "/etc/config/mqttguard";

/// The file that the package installs.
const SHIPPED: &str = include_str!("../../../openwrt/mqttguard/files/mqttguard.config");

const REFERENCE: &str = include_str!("../../../docs/configuration.md");

const LUCI_OPTIONS: &str = include_str!(
    "../../../openwrt/luci-app-mqttguard/htdocs/luci-static/resources/mqttguard/options.js"
);

fn read(text: &str) -> Settings {
    parse(FILE, text).unwrap_or_else(|error| panic!("{error}"))
}

fn mistakes(text: &str) -> Vec<String> {
    parse(FILE, text)
        .map(|_| Vec::new())
        .unwrap_or_else(|error| error.lines())
}

#[test]
fn an_empty_file_guards_the_lan_with_tls() {
    let settings = read("");
    assert_eq!(settings.main.networks, ["lan"]);
    assert_eq!(settings.main.mode, Mode::Enforce);
    assert_eq!(settings.main.hook, Hook::Auto);
    assert_eq!(settings.main.plaintext_ports, [1883]);
    assert_eq!(settings.main.quarantine, Duration::from_secs(600));
    assert_eq!(settings.main.forget_after, Duration::from_secs(30 * 86_400));
    assert_eq!(settings.main.data_dir, Path::new("/etc/mqttguard"));
    assert!(settings.main.enabled && settings.main.detect_connect && settings.main.mqtt_sn);
    let [listener] = settings.listeners.as_slice() else {
        panic!("{:?}", settings.listeners)
    };
    assert_eq!((listener.kind, listener.port), (ListenerKind::Tls, 8883));
    assert_eq!(listener.addresses, Vec::<std::net::IpAddr>::new());
    assert_eq!(settings, read("config mqttguard 'main'\n"));
}

/// What the rest of the daemon may take for granted, whatever the file says.
fn is_closed(settings: &Settings) {
    assert!(settings.profiles.contains_key(&settings.main.profile));
    assert!(settings.limits.contains_key("default"));
    for profile in settings.profiles.values() {
        assert!(settings.limits.contains_key(&profile.limits));
    }
    for device in settings.devices.values() {
        assert!(
            device
                .profile
                .iter()
                .all(|name| settings.profiles.contains_key(name))
        );
        assert!(
            device
                .limits
                .iter()
                .all(|name| settings.limits.contains_key(name))
        );
    }
}

#[test]
fn the_shipped_file_says_what_an_empty_one_means() {
    let shipped = read(SHIPPED);
    is_closed(&shipped);
    assert_eq!(shipped, read(""));
}

/// Every commented-out example in it is good as well.
#[test]
fn the_examples_of_the_shipped_file_are_valid() {
    let uncommented: String = SHIPPED
        .lines()
        .map(|line| {
            line.strip_prefix('#')
                .filter(|rest| !rest.starts_with(' '))
                .unwrap_or(line)
        })
        .flat_map(|line| [line, "\n"])
        .collect();
    let settings = read(&uncommented);
    assert!(
        settings.devices.len() > 1 && !settings.exceptions.is_empty(),
        "{settings:?}"
    );
}

#[test]
fn the_reference_is_in_step_with_the_table() {
    assert!(
        reference() == REFERENCE,
        "docs/configuration.md is stale: mqttguard check --reference > docs/configuration.md"
    );
}

#[test]
fn the_settings_page_is_in_step_with_the_table() {
    assert!(
        luci_options() == LUCI_OPTIONS,
        "options.js is stale: mqttguard check --reference-luci > \
         openwrt/luci-app-mqttguard/htdocs/luci-static/resources/mqttguard/options.js"
    );
}

/// The promise of [`KernelLimits`] in the table: a full link of 2.5 Gbit/s passes, a flood of
/// smallest frames over a link of 1 Gbit/s does not.
#[test]
fn default_limits_hold_floods_and_nothing_else() {
    let settings = read("");
    let limits = settings.limits["default"].kernel;
    let full_frames = 2_500_000_000 / (8 * 1538);
    assert!(limits.packets_per_s > full_frames && limits.packets_per_s < 1_488_000 / 4);
    assert!(limits.bytes_per_s > u64::from(full_frames) * 1514);
    assert_eq!(settings.limits["large"].kernel, limits);
    assert!(settings.limits["small"].kernel.packets_per_s < limits.packets_per_s / 100);
}

#[test]
fn what_the_broker_holds_a_client_to_is_as_it_is_written() {
    let settings = read(
        "config limits 'odd'
\toption over_rate 'refuse'
\toption topic_length '100'
\toption user_properties '0'
\toption will_size '1k'
config profile 'barred'
\toption limits 'odd'
\tlist publish '#'
\tlist deny 'tasmota/discovery/%m/#'
\tlist deny '$SYS/broker/load/#'
config mqttguard 'main'
\toption sys_interval '0s'
",
    );
    let odd = &settings.limits["odd"].broker;
    assert_eq!(odd.over_rate, mqttguard_broker::OverRate::Refuse);
    assert_eq!((odd.topic_length, odd.user_properties), (100, 0));
    assert_eq!(odd.will_size, 1024);
    let deny = &settings.profiles["barred"].deny;
    assert_eq!(*deny, ["tasmota/discovery/%m/#", "$SYS/broker/load/#"]);
    assert!(settings.main.sys_interval.is_zero());
    let plain = &settings.limits["default"].broker;
    assert_eq!(plain.over_rate, mqttguard_broker::OverRate::Pace);
    assert_eq!(read("").main.sys_interval.as_secs(), 10);
}

/// A profile of an ordinary device grants nothing that is not the device's own, but for a few
/// topics that are there to be heard by all.
#[test]
fn ordinary_profiles_grant_own_topics() {
    let settings = read("");
    let for_all = [
        "cmnd/tasmotas/#",
        "shellies/command",
        "homeassistant/status",
    ];
    for name in ["device", "sensor"] {
        let profile = &settings.profiles[name];
        assert!(
            profile
                .publish
                .iter()
                .all(|pattern| pattern.contains("%d/")),
            "{profile:?}"
        );
        let subscribe = profile
            .subscribe
            .iter()
            .filter(|p| !for_all.contains(&p.as_str()));
        assert!(
            subscribe.clone().all(|pattern| pattern.contains("%d/")),
            "{profile:?}"
        );
    }
    assert_eq!(settings.profiles["hub"].publish, ["#"]);
    assert_eq!(settings.profiles["hub"].subscribe, ["#", "$SYS/#"]);
}

#[test]
fn everything_that_can_be_said_is_read() {
    let settings = read(
        "package mqttguard
config mqttguard 'main'
	option enabled 'off'
	option mode 'monitor'
	list network 'iot'
	list network 'guest'
	list device 'eth0'
	option hook 'xdp-generic'
	option profile 'lamp'
	list plaintext_port '1883'
	list plaintext_port '1884'
	option detect_connect '0'
	option mqtt_sn 'no'
	option quarantine '1h'
	option login_failures '3'
	option flood_seconds '0'
	option forget_after '7d'
	option hostname 'router.example'
	option data_dir '/mnt/mqttguard'
	option lease_file ''
config listener 'tls'
	list address '192.168.1.1'
	list address 'fd00::1'
config listener 'island'
	option kind 'plain'
	option connections '20'
config profile 'lamp'
	option limits 'tiny'
	list publish 'lamps/%u'
config limits 'tiny'
	option kernel_packets_per_s '50'
	option kernel_bytes_per_s '64k'
	option packet_size '4k'
	option queue_bytes '8k'
	option burst '30s'
	option session_expiry '0s'
config exception 'cloud'
	option destination '203.0.113.0/24'
	option mac '02:C1:1E:17:00:01'
	option port '1883'
config exception
	option destination '2001:db8::7'
config device
	option mac '02:c1:1e:17:00:01'
	option name 'kitchen.plug-1'
	option profile 'hub'
	option limits 'large'
	option plaintext '1'
	option roaming 'true'
config device 'evil'
	option mac '02:c1:1e:17:00:02'
	option blocked 'yes'
",
    );
    is_closed(&settings);
    let main = &settings.main;
    assert!(!main.enabled && !main.detect_connect && !main.mqtt_sn);
    assert_eq!(main.mode, Mode::Monitor);
    assert_eq!(
        (main.networks.len(), main.devices.as_slice()),
        (2, ["eth0".to_owned()].as_slice())
    );
    assert_eq!(
        (main.hook, main.profile.as_str()),
        (Hook::XdpGeneric, "lamp")
    );
    assert_eq!(main.plaintext_ports, [1883, 1884]);
    assert_eq!((main.login_failures, main.flood_seconds), (3, None));
    assert_eq!(main.quarantine, Duration::from_secs(3600));
    assert_eq!(main.lease_file, Path::new("/tmp/dhcp.leases"));

    assert_eq!(settings.listeners.len(), 2);
    let island = settings
        .listeners
        .iter()
        .find(|listener| listener.name == "island")
        .unwrap();
    assert_eq!(
        (island.kind, island.port, island.connections),
        (ListenerKind::Plain, 1883, 20)
    );
    let tls = settings
        .listeners
        .iter()
        .find(|listener| listener.name == "tls")
        .unwrap();
    assert_eq!((tls.addresses.len(), tls.port), (2, 8883));

    let tiny = &settings.limits["tiny"];
    assert_eq!(
        (tiny.kernel.packets_per_s, tiny.kernel.bytes_per_s),
        (50, 65_536)
    );
    assert_eq!(
        (tiny.broker.packet_size, tiny.broker.burst_ms),
        (4096, 30_000)
    );
    assert_eq!(
        (tiny.broker.session_expiry_s, tiny.broker.connections),
        (0, 4)
    );
    assert_eq!(settings.profiles["lamp"].publish, ["lamps/%u"]);
    assert_eq!(settings.profiles["lamp"].subscribe, Vec::<String>::new());

    assert_eq!(
        settings.exceptions[0].exception.mac,
        Some(Mac([2, 0xc1, 0x1e, 0x17, 0, 1]))
    );
    assert_eq!(settings.exceptions[1].exception.name, "@exception[1]");
    assert_eq!(
        settings.exceptions[1].exception.destination.to_string(),
        "2001:db8::7/128"
    );
    let plug = &settings.devices[&Mac([2, 0xc1, 0x1e, 0x17, 0, 1])];
    assert!(plug.plaintext && plug.roaming && !plug.blocked);
    assert!(settings.devices[&Mac([2, 0xc1, 0x1e, 0x17, 0, 2])].blocked);
}

#[test]
fn a_section_changes_only_what_it_says() {
    let built_in = read("");
    let settings = read(
        "config limits 'small'\n\toption packet_size '32k'\n\toption in_flight ''\n\
         config profile 'device'\n\tlist publish 'only/%d'\n\
         config listener 'tls'\n\toption enabled '0'\n",
    );
    let mut small = built_in.limits["small"].clone();
    small.broker.packet_size = 32 << 10;
    assert_eq!(settings.limits["small"], small);
    assert_eq!(settings.profiles["device"].publish, ["only/%d"]);
    assert_eq!(
        settings.profiles["device"].subscribe,
        built_in.profiles["device"].subscribe
    );
    assert_eq!(settings.listeners, []);
}

#[test]
fn devices_are_sent_where_a_password_is_enough() {
    let text = "config listener 'a'\n\toption kind 'wss'\n\
                config listener 'tls'\n\toption client_ca '/etc/ca.crt'\n\
                \toption client_certificate 'required'\n\
                config listener 'b'\n\toption port '8885'\n\toption client_ca '/etc/ca.crt'\n";
    let settings = parse("test", text).unwrap();
    assert_eq!(settings.tls_listener().unwrap().name, "b");
}

#[test]
fn listeners_may_share_a_port_on_different_addresses() {
    let text = |second: &str| {
        format!(
            "config listener 'tls'\n\tlist address '192.168.1.1'\n\
             config listener 'other'\n\tlist address '{second}'\n"
        )
    };
    assert_eq!(mistakes(&text("192.168.2.1")), Vec::<String>::new());
    assert_eq!(mistakes(&text("192.168.1.1")).len(), 1);
    assert_eq!(mistakes(&text("0.0.0.0")).len(), 1);
}

/// SplitMix64: the same mutations in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) as usize % end.max(1)
    }
}

/// Whatever is done to a file, it is either good, and then closed, or every mistake has a place.
#[test]
fn mutated_files_neither_panic_nor_pass_half() {
    let mut random = Random(1);
    let pieces = [
        "'",
        "\"",
        "\\",
        "\n",
        "#",
        ";",
        "config ",
        "option ",
        "list ",
        "\0",
        "%",
        "+",
        "/",
        "é",
        "9999999999",
        "\u{1b}",
    ];
    let seed: Vec<char> = format!("{BUILTIN}{SHIPPED}").chars().collect();
    let (mut good, mut bad) = (0, 0);
    for _ in 0..4000 {
        let start = random.below(seed.len());
        let end = (start + random.below(1200)).min(seed.len());
        let mut text: Vec<char> = seed[start..end].to_vec();
        for _ in 0..random.below(4) {
            let at = random.below(text.len());
            match random.below(3) {
                0 => drop(text.drain(at..(at + random.below(9)).min(text.len()))),
                1 => drop(text.splice(at..at, pieces[random.below(pieces.len())].chars())),
                _ => text.rotate_left(at),
            }
        }
        match parse(FILE, &text.into_iter().collect::<String>()) {
            Ok(settings) => {
                is_closed(&settings);
                good += 1;
            }
            Err(error) => {
                assert!(!error.lines().is_empty());
                assert!(
                    error
                        .lines()
                        .iter()
                        .all(|line| line.starts_with(FILE) && !line.contains('\n'))
                );
                bad += 1;
            }
        }
    }
    assert!(good > 50 && bad > 500, "{good} good, {bad} bad");
}

#[test]
fn tokens_are_taken_where_a_section_says_what_they_are() {
    assert_eq!(read("").jwt, None);
    let settings = read(
        "config jwt 'jwt'\n\toption key '/etc/mqttguard/issuer.pem'\n\tlist audience 'mqtt'\n",
    );
    let jwt = settings.jwt.unwrap();
    assert_eq!(jwt.keys, JwtKeys::Pem("/etc/mqttguard/issuer.pem".into()));
    assert_eq!(
        (jwt.audience.as_slice(), jwt.claim.as_str()),
        (&["mqtt".to_owned()][..], "sub")
    );
    assert_eq!((jwt.issuer, jwt.leeway), (None, Duration::from_secs(30)));
    let both = "\toption key '/k'\n\toption jwks '/j'\n";
    for (options, said) in [
        (
            "",
            "jwt 'jwt': found neither key nor jwks, expected one of them",
        ),
        (
            both,
            "jwt 'jwt': found both key and jwks, expected one of them",
        ),
    ] {
        let found = mistakes(&format!("config jwt 'jwt'\n\tlist audience 'a'\n{options}"));
        assert!(found.len() == 1 && found[0].ends_with(said), "{found:?}");
    }
    let found = mistakes("config jwt 'jwt'\n\toption key '/k'\n");
    assert!(found[0].contains("option audience"), "{found:?}");
}

#[test]
fn the_external_check_is_asked_over_https_or_on_this_router() {
    assert_eq!(read("").http_auth, None);
    let read = |url: &str| {
        let settings = parse(
            FILE,
            &format!("config http_auth 'http_auth'\n\toption url '{url}'\n"),
        );
        settings.ok().and_then(|settings| settings.http_auth)
    };
    for (url, shown) in [
        ("https://auth.example/mqtt", "https://auth.example:443/mqtt"),
        ("https://192.0.2.1:8443", "https://192.0.2.1:8443/"),
        (
            "https://[2001:db8::1]/a?b=c",
            "https://[2001:db8::1]:443/a?b=c",
        ),
        ("http://127.0.0.1:8080/x", "http://127.0.0.1:8080/x"),
        ("http://[::1]?q", "http://[::1]:80/?q"),
        ("http://localhost/", "http://localhost:80/"),
    ] {
        let http = read(url).unwrap();
        assert_eq!(http.url.to_string(), shown);
        assert_eq!(
            (http.timeout, http.cache),
            (Duration::from_secs(3), Duration::from_secs(60))
        );
        assert_eq!((http.profile, http.limits.as_str()), (None, "default"));
    }
    for url in [
        "http://192.168.1.2/",
        "http://auth.example/",
        "http://localhost.example/",
        "ftp://127.0.0.1/",
        "https://",
        "https:///x",
        "https://a:0/",
        "https://a:/",
        "https://user@a/",
        "https://a b/",
        "https://a/#x",
        "https://[::1/",
        "https://a_b/",
    ] {
        assert_eq!(read(url), None, "{url}");
    }
}
