//! What is said of a bad file, word for word.

use std::path::Path;

use super::{FILE, load, mistakes};

#[test]
fn each_mistake_is_told_in_full() {
    let mac = "a device's MAC address such as 02:c1:1e:17:00:01";
    for (text, expected) in [
        (
            "config listener 'tls'\n\toption port '99999'",
            "2: listener 'tls': option port: found '99999', expected a TCP port from 1 to 65535",
        ),
        (
            "config mqttguard 'main'\n\toption mode 'enforced'",
            "2: mqttguard 'main': option mode: found 'enforced', expected one of: enforce, monitor",
        ),
        (
            "config mqttguard 'main'\n\toption quarentine '5m'",
            "2: mqttguard 'main': option quarentine: unknown in a 'mqttguard' section (did you mean 'quarantine'?)",
        ),
        (
            "config mqttguard 'main'\n\toption colour 'red'",
            "2: mqttguard 'main': option colour: unknown in a 'mqttguard' section",
        ),
        (
            "config mqttguard 'main'\n\n\toption quarantine '5'",
            "3: mqttguard 'main': option quarantine: found '5', expected a time such as 90s, 10m, 12h or 30d, from 10s to 30d",
        ),
        (
            "config mqttguard 'main'\n\toption enabled 'maybe'",
            "2: mqttguard 'main': option enabled: found 'maybe', expected 1 or 0 (or on/off, yes/no, true/false, enabled/disabled)",
        ),
        (
            "config mqttguard 'main'\n\toption login_failures '0'",
            "2: mqttguard 'main': option login_failures: found '0', expected a number of failed logins in a minute from 1 to 1000",
        ),
        (
            "config mqttguard 'main'\n\toption mode 'monitor'\n\toption mode 'enforce'",
            "3: mqttguard 'main': option mode: found 'enforce', expected no second value",
        ),
        (
            "config mqttguard 'main'\n\tlist mode 'monitor'",
            "2: mqttguard 'main': option mode: found 'list', expected an 'option' line",
        ),
        (
            "config mqttguard 'main'\n\toption profile 'sensr'",
            "2: mqttguard 'main': option profile: found 'sensr', expected the name of a 'profile' section (did you mean 'sensor'?)",
        ),
        (
            "config mqttguard 'main'\n\toption data_dir 'etc'",
            "2: mqttguard 'main': option data_dir: found 'etc', expected an absolute path without '..', at most 200 characters",
        ),
        (
            "config mqttguard",
            "1: mqttguard @mqttguard[0]: name: found nothing, expected the only one, 'main'",
        ),
        (
            "config mqttguard 'first'",
            "1: mqttguard 'first': name: found 'first', expected the only one, 'main'",
        ),
        (
            "config listener 'tls'\n\tlist client_crl '/etc/c.crl'",
            "2: listener 'tls': option client_crl: found '/etc/c.crl', expected option client_ca beside it",
        ),
        (
            "config listener 'x'\n\toption kind 'plain'\n\toption record_size '1k'",
            "3: listener 'x': option record_size: found '1k', expected kind 'tls' or 'wss'",
        ),
        (
            "config listener 'tls'\n\tlist origin '*'",
            "2: listener 'tls': option origin: found '*', expected kind 'wss'",
        ),
        (
            "config listener 'x'\n\toption kind 'wss'\n\tlist origin 'https://ha.lan/'",
            "3: listener 'x': option origin: found 'https://ha.lan/', expected an origin such as https://ha.lan:8123, in lower case and without a path, or *, at most 267 characters",
        ),
        (
            "config listener 'tls'\n\toption record_size '511'",
            "2: listener 'tls': option record_size: found '511', expected a number of bytes such as 512, 16k or 1M, from 512 to 16k",
        ),
        (
            "config listener",
            "1: listener @listener[0]: name: found nothing, expected a name",
        ),
        (
            "config profile 'a23456789012345678901234567890123'",
            "1: profile 'a23456789012345678901234567890123': name: found 'a23456789012345678901234567890123', expected a name of at most 32 characters",
        ),
        (
            "config profiles 'x'",
            "1: section type 'profiles': unknown, expected one of: mqttguard, listener, profile, limits, exception, bridge, uplift, device, jwt, http_auth (did you mean 'profile'?)",
        ),
        (
            "config profile 'x'\n\tlist publish 'a/#/b'",
            "2: profile 'x': option publish: found 'a/#/b', expected a topic pattern: '+' and '#' only as whole levels, '#' only as the last, '%' only in %d, %u, %c, %m, %n, %x, %y and %%, not starting with $, at most 32 levels and 256 bytes",
        ),
        (
            "config limits 'x'\n\toption packet_size '64kB'",
            "2: limits 'x': option packet_size: found '64kB', expected a number of bytes such as 512, 16k or 1M, from 512 to 16M",
        ),
        (
            "config limits 'x'\n\toption packet_size '1M'\n\toption queue_bytes '512k'",
            "3: limits 'x': option queue_bytes: found '512k', expected at least packet_size (1M), or the largest packet never fits",
        ),
        (
            "config limits 'x'\nconfig profile 'x'",
            "2: profile 'x': the name is taken by the section on line 1",
        ),
        (
            "config listener 'b'",
            "1: listener 'b': option port: found '8883', expected a port that no other listener uses on the same address; 'tls' does",
        ),
        (
            "config exception 'x'",
            "1: exception 'x': option destination: found nothing, expected an IPv4 or IPv6 address or prefix such as 203.0.113.7 or 2001:db8::/32, without bits behind the prefix length",
        ),
        (
            "config exception 'x'\n\toption destination '203.0.113.7'\n\toption expires '31.12.2026'",
            "3: exception 'x': option expires: found '31.12.2026', expected a date such as 2026-12-31, whose end it is, in UTC, or a time such as 2026-12-31T18:00Z or 2026-12-31T18:00+01:00",
        ),
        (
            "config device\n\toption mac '02:00:00:00:00:01'\n\toption interface 'lan 3'",
            "3: device @device[0]: option interface: found 'lan 3', expected the name of a Linux network device such as br-lan, at most 15 characters",
        ),
        (
            "config device",
            &format!("1: device @device[0]: option mac: found nothing, expected {mac}"),
        ),
        (
            "config device\n\toption mac 'ff:ff:ff:ff:ff:ff'",
            &format!("2: device @device[0]: option mac: found 'ff:ff:ff:ff:ff:ff', expected {mac}"),
        ),
        (
            "config device 'a'\n\toption mac '02:00:00:00:00:01'\nconfig device\n\toption mac '02-00-00-00-00-01'",
            "4: device @device[1]: option mac: found '02:00:00:00:00:01', expected a device that device 'a' is not about",
        ),
        (
            "config device 'a'\n\toption mac '02:00:00:00:00:01'\n\toption name 'plug'\nconfig device 'b'\n\toption mac '02:00:00:00:00:02'\n\toption name 'plug'",
            "6: device 'b': option name: found 'plug', expected a name that device 'a' does not have",
        ),
        (
            "config device 'a'\n\toption mac '02:00:00:00:00:01'\n\toption limits 'tiny'",
            "3: device 'a': option limits: found 'tiny', expected the name of a 'limits' section",
        ),
        (
            "config mqttguard 'main'\n\tlist network 'a\x1b[2Jb'",
            "2: mqttguard 'main': option network: found 'a\\u{1b}[2Jb', expected the name of an OpenWrt network such as lan, at most 32 characters",
        ),
        (
            "config mqttguard 'main",
            "1: found 'the end of the file', expected a closing ' for the quote opened here",
        ),
        (
            "option mode 'monitor'",
            "1: found 'option mode', expected a 'config' line before the first option",
        ),
    ] {
        assert_eq!(mistakes(text), [format!("{FILE}:{expected}")], "{text}");
    }
}

#[test]
fn all_mistakes_are_told_in_the_order_of_the_file() {
    let found = mistakes(
        "config listener 'tls'\n\toption port '0'\n\toption kind 'udp'\nnonsense\n\
         config device 'd'\n\toption profile 'none'\nconfig profile 'p'\n\tlist publish '$SYS/x'\n",
    );
    let lines: Vec<&str> = found
        .iter()
        .map(|line| line.split(':').nth(1).unwrap())
        .collect();
    assert_eq!(lines, ["2", "3", "4", "5", "6", "8"], "{found:#?}");
}

#[test]
fn a_flood_of_mistakes_is_cut_short() {
    let found = mistakes(&"nonsense\n".repeat(5000));
    assert_eq!(found.len(), 101);
    assert_eq!(found[100], format!("{FILE}: 4900 more mistakes"));
    let long = mistakes(&format!(
        "config mqttguard 'main'\n\toption mode '{}'",
        "x".repeat(100_000)
    ));
    assert!(long[0].len() < 300, "{}", long[0].len());
    let values = "\tlist network 'lan'\n".repeat(65);
    let many = mistakes(&format!("config mqttguard 'main'\n{values}"));
    assert_eq!(
        many,
        [format!(
            "{FILE}:66: mqttguard 'main': option network: found 'lan', expected at most 64 values"
        )]
    );
    let sections: String = (0..65).map(|n| format!("config limits 'l{n}'\n")).collect();
    let many = mistakes(&sections);
    assert_eq!(
        many,
        [format!(
            "{FILE}:65: limits 'l64': too many, expected at most 64"
        )]
    );
}

#[test]
fn exceptions_for_one_destination_are_bounded() {
    let exception = |n: usize, destination: &str| {
        format!("config exception 'e{n}'\n\toption destination '{destination}'\n")
    };
    let apart: String = (0..64)
        .map(|n| exception(n, &format!("203.0.113.{n}")))
        .collect();
    assert_eq!(mistakes(&apart), Vec::<String>::new());
    let wide: String = (0..16).map(|n| exception(n, "203.0.0.0/16")).collect();
    assert_eq!(mistakes(&wide), Vec::<String>::new());
    assert_eq!(
        mistakes(&(wide + &exception(16, "203.0.113.7"))),
        [format!(
            "{FILE}:34: exception 'e16': option destination: found '203.0.113.7/32', expected \
             at most 16 exceptions for one destination"
        )]
    );
}

#[test]
fn what_is_wrong_between_sections_is_told_beside_what_is_wrong_in_them() {
    let device = |more: &str| {
        format!("config device\n\toption mac '02:c1:1e:17:00:01'\n\toption profile '{more}'\n")
    };
    assert_eq!(
        mistakes(&(device("sensr") + &device("sensor"))),
        [
            format!(
                "{FILE}:3: device @device[0]: option profile: found 'sensr', expected the name of a \
                 'profile' section (did you mean 'sensor'?)"
            ),
            format!(
                "{FILE}:5: device @device[1]: option mac: found '02:c1:1e:17:00:01', expected a device \
                 that device @device[0] is not about"
            ),
        ]
    );
    // Each file has a section with a mistake that has nothing to do with the one between the two.
    let bridge = |name: &str, more: &str| {
        format!("config bridge '{name}'\n\toption host 'h'\n\toption qos '3'\n\t{more}\n")
    };
    for (text, told) in [
        (
            "config listener 'a'\n\toption port '8883'\n\toption connections 'x'\n",
            "2: listener 'a': option port: found '8883'",
        ),
        (
            "config device\n\toption name 'a'\n\toption mac 'x'\n\
             config device\n\toption name 'a'\n\toption mac 'y'\n",
            "option name: found 'a', expected a name that device @device[0] does not have",
        ),
        (
            "config uplift 'a'\n\tlist mac '02:c1:1e:17:00:01'\n\
             config uplift 'b'\n\tlist mac '02:c1:1e:17:00:01'\n",
            "uplift 'b': option mac: found '02:c1:1e:17:00:01'",
        ),
        (
            &(bridge("a", "list in 'x/#'") + &bridge("b", "list out 'x/#'")),
            "bridge 'b': option out: found 'x/#'",
        ),
        (
            "config limits 'a'\n\toption packet_size '64k'\n\toption queue_bytes '32k'\n\toption colour 'red'\n",
            "limits 'a': option queue_bytes: found '32k'",
        ),
        (
            "config listener 'a'\n\toption kind 'plain'\n\toption port 'x'\n\tlist origin 'https://h'\n",
            "listener 'a': option origin: found 'https://h'",
        ),
        (
            "config jwt 'jwt'\n\tlist audience 'a'\n\
             config uplift 'a'\n\toption host 'h'\n\tlist mac '02:c1:1e:17:00:01'\n\
             config uplift 'b'\n\toption host 'h'\n\tlist mac '02:c1:1e:17:00:01'\n",
            "uplift 'b': option mac: found '02:c1:1e:17:00:01'",
        ),
    ] {
        let all = mistakes(text);
        assert!(all.len() > 1, "{text}{all:?}");
        assert!(all.iter().any(|one| one.contains(told)), "{text}{all:?}");
    }
}

/// A value that cannot be read is not taken for the default, nor for that of another section.
#[test]
fn one_mistake_is_told_once() {
    for text in [
        // Would clash with the built-in listener on 8883, and on all addresses.
        "config listener 'a'\n\toption port '99999'\n",
        "config listener 'a'\n\toption port '8883'\n\tlist address 'x'\nconfig listener 'tls'\n\tlist address '::1'\n",
        "config listener 'a'\n\toption port '8883'\n\toption enabled 'x'\n",
        "config listener 'a'\n\toption kind 'x'\n",
        "config listener 'a'\n\toption client_ca 'x'\n\tlist client_crl '/crl'\n\toption port '9'\n",
        "config listener 'a'\n\toption kind 'plain'\n\toption record_size 'x'\n",
        "config limits 'a'\n\toption packet_size '64k'\n\toption queue_bytes 'x'\n",
        "config limits 'a'\n\toption packet_size 'x'\n\toption queue_bytes '1k'\n",
        "config limits 'a'\n\toption packet_size 'x'\nconfig bridge 'b'\n\toption host 'h'\n\tlist in '#'\n\toption limits 'a'\n",
    ] {
        let all = mistakes(text);
        assert_eq!(all.len(), 1, "{text}{all:?}");
    }
}

#[test]
fn files_that_cannot_be_read_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("mqttguard");
    let told = |path: &Path| load(path).unwrap_err().to_string();
    let name = path.display();
    assert_eq!(
        told(&path),
        format!("{name}: cannot be read: No such file or directory (os error 2)")
    );
    std::fs::write(&path, b"config mqttguard 'main'\n\toption mode '\xff'\n").unwrap();
    assert_eq!(
        told(&path),
        format!("{name}: cannot be read: line 2: found bytes that are not UTF-8, expected text")
    );
    std::fs::write(&path, vec![b'\n'; (1 << 20) + 1]).unwrap();
    assert_eq!(
        told(&path),
        format!(
            "{name}: cannot be read: found more than 1 MiB, expected a UCI file of at most that"
        )
    );
    std::fs::write(&path, vec![b'\n'; 1 << 20]).unwrap();
    assert!(load(&path).is_ok());
    std::fs::write(&path, "config listener 'x'\n\toption port 'y'").unwrap();
    assert!(told(&path).starts_with(&format!("{name}:2: listener 'x': option port: ")));
}
