//! mosquitto's `connection` blocks as `bridge` sections.

use super::conf::{Directive, Place};
use super::draft::Draft;
use super::quoted;
use super::section::{Section, free, word};
use super::uci::truth;

/// The port of an `address` without one, with TLS or not.
const PORT: &str = "1883";
/// Where the passwords of bridges go, each into a file of its own.
const PASSWORD_DIR: &str = "/etc/mqttguard";

/// A `connection` and what stands below it.
pub(super) struct Block {
    /// Its first line.
    pub(super) head: Directive,
    /// The others.
    pub(super) body: Vec<Directive>,
}

/// Which way a topic goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Out,
    In,
    Both,
}

/// A `topic` line: which topics go where, and under which names.
#[derive(Debug, PartialEq, Eq)]
struct Topic {
    filter: String,
    direction: Direction,
    qos: u8,
    local: String,
    remote: String,
}

/// What is said of a bridge's options that have no equivalent, by mosquitto's name.
const NOTHING: &[(&str, &str)] = &[
    ("bridge_alpn", "no ALPN is sent"),
    (
        "bridge_attempt_unsubscribe",
        "nothing is unsubscribed that was not subscribed",
    ),
    (
        "bridge_bind_address",
        "the kernel chooses the address by its routes",
    ),
    ("bridge_capath", "name one file of CAs in 'option ca'"),
    ("bridge_identity", "there is no TLS by pre-shared key"),
    (
        "bridge_max_packet_size",
        "see packet_size of its 'limits' section",
    ),
    (
        "bridge_outgoing_retain",
        "retained messages keep their flag",
    ),
    ("bridge_psk", "there is no TLS by pre-shared key"),
    ("bridge_require_ocsp", "OCSP is not asked"),
    ("bridge_tls_version", "TLS 1.2 and 1.3 are spoken"),
    (
        "cleansession",
        "the session on the server is kept; what waits for the server waits here",
    ),
    ("clean_session", "as cleansession"),
    ("local_cleansession", "as cleansession"),
    ("idle_timeout", "the bridge is always up"),
    ("local_clientid", "a bridge needs no account here"),
    ("local_password", "a bridge needs no account here"),
    ("local_username", "a bridge needs no account here"),
    (
        "notification_topic",
        "the state of bridges is told by events and 'status'",
    ),
    (
        "notifications",
        "the state of bridges is told by events and 'status'",
    ),
    (
        "notifications_local_only",
        "the state of bridges is told by events and 'status'",
    ),
    ("restart_timeout", "it waits longer from try to try"),
    (
        "round_robin",
        "one host name; all of its addresses are tried",
    ),
    ("start_type", "a bridge is always up"),
    ("threshold", "a bridge is always up"),
    ("try_private", "found out by itself"),
];

/// Whether a line of this name belongs to the `connection` above it.
pub(super) fn is_of_bridge(name: &str) -> bool {
    KNOWN.contains(&name) || NOTHING.iter().any(|(nothing, _)| *nothing == name)
}

/// Adds what corresponds to a block.
pub(super) fn propose(block: &Block, draft: &mut Draft) {
    let of = |name: &str| block.body.iter().rfind(|one| one.name == name);
    let mut base = Section::new("bridge", "");
    let addresses = block
        .body
        .iter()
        .filter(|one| one.name == "address" || one.name == "addresses");
    let mut addresses = addresses.flat_map(|one| {
        let places = std::iter::repeat(&one.place);
        places.zip(one.value.split_ascii_whitespace())
    });
    let Some((place, address)) = addresses.next() else {
        return draft.note(
            &block.head.place,
            "connection",
            "it has no address, mosquitto does not start with it",
        );
    };
    if let Some((other, _)) = addresses.next() {
        draft.note(
            other,
            "address",
            "a bridge has one server here; the first is taken",
        );
    }
    let (host, port) = host_and_port(address);
    base.remark(&place.shown());
    base.option("host", host);
    base.option("port", port);
    let has_ca = of("bridge_cafile").is_some() || of("bridge_capath").is_some();
    match of("bridge_cafile") {
        Some(ca) => base.option("ca", &ca.value),
        None if has_ca => {}
        None => {
            base.remark(
                "In the clear, as it was. Better: remove this line, and have the server take TLS",
            );
            base.option("tls", "0");
        }
    }
    if has_ca {
        for (name, option) in [
            ("bridge_certfile", "certificate"),
            ("bridge_keyfile", "key"),
        ] {
            if let Some(file) = of(name) {
                base.option(option, &file.value);
            }
        }
        if let Some(key) = of("bridge_keyfile") {
            draft.note(
                &key.place,
                "bridge_keyfile",
                "the file has to be readable by root alone (chmod 600)",
            );
        }
    }
    if let Some(insecure) = of("bridge_insecure").filter(|one| truth(&one.value) == Some(true)) {
        draft.note(
            &insecure.place,
            "bridge_insecure",
            "the server's certificate has to be for 'host', always",
        );
    }
    let by_any = |names: [&str; 2]| names.into_iter().find_map(of);
    // Its password has a file of this name: no two may share it.
    let wanted = free(&word(&block.head.value), |name| draft.has("bridge", name));
    let username = by_any(["remote_username", "username"]);
    if let Some(username) = username {
        base.option("username", &username.value);
    }
    let mut keep = None;
    if let Some(password) = by_any(["remote_password", "password"]) {
        match username {
            Some(_) => {
                let file = format!("{PASSWORD_DIR}/{wanted}.password");
                base.option("password_file", &file);
                keep = Some(keep_password(&password.place, &file));
            }
            None => draft.note(
                &password.place,
                &password.name,
                "a password without a user name is not sent",
            ),
        }
    }
    if let Some(seconds) = of("keepalive_interval") {
        base.option("keepalive", &format!("{}s", seconds.value));
    }
    match of("bridge_protocol_version").map(|one| (one, &*one.value)) {
        Some((_, "mqttv50" | "mqttv5")) | None => {}
        Some((_, "mqttv311")) => base.option("protocol", "3.1.1"),
        Some((one, _)) => draft.note(
            &one.place,
            &one.name,
            "MQTT 5 and 3.1.1 are spoken; 5 is tried first",
        ),
    }
    for directive in &block.body {
        if let Some((name, why)) = NOTHING.iter().find(|(name, _)| *name == directive.name) {
            draft.note(&directive.place, name, why);
        } else if !KNOWN.contains(&&*directive.name) {
            draft.unknown(directive);
        }
    }
    let client_id = by_any(["remote_clientid", "clientid"]);
    topics(block, base, &wanted, client_id, draft);
    if let Some(command) = keep.filter(|_| draft.has("bridge", &wanted)) {
        draft.command(&command);
    }
}

/// Names that are looked at.
const KNOWN: &[&str] = &[
    "address",
    "addresses",
    "bridge_cafile",
    "bridge_certfile",
    "bridge_insecure",
    "bridge_keyfile",
    "bridge_protocol_version",
    "clientid",
    "keepalive_interval",
    "password",
    "remote_clientid",
    "remote_password",
    "remote_username",
    "topic",
    "username",
];

/// A section for each pair of prefixes, which a bridge has one of here.
fn topics(
    block: &Block,
    base: Section,
    wanted: &str,
    client_id: Option<&Directive>,
    draft: &mut Draft,
) {
    let mut sections: Vec<(String, String, Section, u8)> = Vec::new();
    for directive in block.body.iter().filter(|one| one.name == "topic") {
        let topic = match Topic::read(&directive.value) {
            Ok(topic) => topic,
            Err(why) => {
                draft.note(&directive.place, "topic", &why);
                continue;
            }
        };
        let same = |(local, remote, ..): &(String, String, Section, u8)| {
            (local, remote) == (&topic.local, &topic.remote)
        };
        let place = match sections.iter().position(same) {
            Some(place) => place,
            None => {
                let taken = |name: &str| {
                    draft.has("bridge", name)
                        || sections.iter().any(|(_, _, one, _)| one.name() == name)
                };
                let mut section = base.named(&free(wanted, taken));
                section.comment(&format!(
                    "{}: connection {}",
                    block.head.place.shown(),
                    quoted(&block.head.value)
                ));
                if let Some(client_id) = client_id {
                    match sections.is_empty() {
                        true => section.option("client_id", &client_id.value),
                        false => draft.note(
                            &client_id.place,
                            &client_id.name,
                            "topics with other prefixes are another bridge here, with a client \
                             identifier of its own",
                        ),
                    }
                }
                for (option, prefix) in [
                    ("local_prefix", &topic.local),
                    ("remote_prefix", &topic.remote),
                ] {
                    if !prefix.is_empty() {
                        section.option(option, prefix);
                    }
                }
                sections.push((topic.local.clone(), topic.remote.clone(), section, 0));
                sections.len().saturating_sub(1)
            }
        };
        let Some((.., section, qos)) = sections.get_mut(place) else {
            continue;
        };
        *qos = topic.qos.max(*qos);
        if topic.direction != Direction::In {
            section.list("out", &topic.filter);
        }
        if topic.direction != Direction::Out {
            section.list("in", &topic.filter);
        }
    }
    if sections.is_empty() {
        draft.note(
            &block.head.place,
            "connection",
            "none of its topics can be bridged, so there is no bridge",
        );
    }
    for (_, _, mut section, qos) in sections {
        section.remark("The highest of its topics");
        section.option("qos", &qos.to_string());
        draft.add(section, &block.head.place);
    }
}

impl Topic {
    /// `pattern [[[out | in | both] qos] local-prefix remote-prefix]`; `""` stands for nothing.
    fn read(text: &str) -> Result<Topic, String> {
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let unquoted = |word: &&str| match *word {
            "\"\"" => String::new(),
            word => word.to_owned(),
        };
        let filter = words.first().map(unquoted).unwrap_or_default();
        if filter.is_empty() {
            return Err(
                "one topic under two names cannot be bridged, only what is below prefixes".into(),
            );
        }
        let direction = match words.get(1) {
            None | Some(&"out") => Direction::Out,
            Some(&"in") => Direction::In,
            Some(&"both") => Direction::Both,
            Some(other) => {
                return Err(format!(
                    "found '{}', expected out, in or both",
                    quoted(other)
                ));
            }
        };
        let qos = match words.get(2) {
            None | Some(&"0") => 0,
            Some(&"1") => 1,
            Some(&"2") => 2,
            Some(other) => {
                return Err(format!(
                    "found '{}', expected a QoS of 0 to 2",
                    quoted(other)
                ));
            }
        };
        let local = words.get(3).map(unquoted).unwrap_or_default();
        let remote = words.get(4).map(unquoted).unwrap_or_default();
        for prefix in [&local, &remote] {
            if !prefix.is_empty() && !prefix.ends_with('/') {
                return Err(format!(
                    "found the prefix '{}', expected one of whole levels, which ends with '/'",
                    quoted(prefix)
                ));
            }
        }
        Ok(Topic {
            filter,
            direction,
            qos,
            local,
            remote,
        })
    }
}

/// `host`, `host:port`, `[v6]:port`.
fn host_and_port(address: &str) -> (&str, &str) {
    if let Some((host, port)) = address
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
    {
        return (host, port.strip_prefix(':').unwrap_or(PORT));
    }
    match address.rsplit_once(':') {
        // An IPv6 address without a port has more colons.
        Some((host, port)) if !host.contains(':') => (host, port),
        _ => (address, PORT),
    }
}

/// A command of the shell that puts a password into a file of its own, without showing it.
fn keep_password(place: &Place, file: &str) -> String {
    let from = place.file.display().to_string();
    let out = format!("tr -d '\\r\\n' > {}", shell(file));
    match &place.uci {
        Some(address) => {
            let dir = place.file.parent().map(|dir| dir.display().to_string());
            let (dir, package) = (dir.unwrap_or_default(), place.file.file_name());
            let package = package
                .map(|name| name.to_string_lossy())
                .unwrap_or_default();
            let key = shell(&format!("{package}.{address}"));
            let at = match &*dir {
                "/etc/config" => String::new(),
                dir => format!("-c {} ", shell(dir)),
            };
            format!("(umask 077; uci {at}-q get {key} | {out})")
        }
        None => format!(
            "(umask 077; sed -n '{}s/^[[:space:]]*{}[[:space:]]*//p' {} | {out})",
            place.line,
            place.name,
            shell(&from)
        ),
    }
}

/// A word for the shell.
pub(super) fn shell(word: &str) -> String {
    super::section::quote(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_read_as_mosquitto_does() {
        let topic = Topic::read("a/# both 2 \"\" home/").unwrap();
        assert_eq!(
            (&*topic.filter, topic.direction, topic.qos),
            ("a/#", Direction::Both, 2)
        );
        assert_eq!((&*topic.local, &*topic.remote), ("", "home/"));
        assert_eq!(Topic::read("#").unwrap().direction, Direction::Out);
        for bad in [
            "",
            "\"\" out 0 a/b c/d",
            "a sideways",
            "a in 3",
            "a out 0 home away/",
        ] {
            assert!(Topic::read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses_are_taken_apart() {
        for (text, host, port) in [
            ("c.example", "c.example", "1883"),
            ("c.example:8883", "c.example", "8883"),
            ("fd00::1", "fd00::1", "1883"),
            ("[fd00::1]:1884", "fd00::1", "1884"),
            ("[fd00::1]", "fd00::1", "1883"),
        ] {
            assert_eq!(host_and_port(text), (host, port));
        }
    }

    #[test]
    fn a_password_gets_into_its_file_whatever_is_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let conf = dir.path().join("it's.conf");
        std::fs::write(
            &conf,
            "connection x\n  remote_password  a'b\\c $(d) \"e\"\r\n",
        )
        .unwrap();
        let place = Place {
            file: conf,
            line: 2,
            uci: None,
            name: "remote_password".into(),
        };
        let file = dir.path().join("x.password");
        let command = keep_password(&place, &file.display().to_string());
        let done = std::process::Command::new("sh")
            .args(["-c", &command])
            .status()
            .unwrap();
        assert!(done.success());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "a'b\\c $(d) \"e\"");
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(
            std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
}
