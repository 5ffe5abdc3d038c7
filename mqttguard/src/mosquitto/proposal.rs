//! What of a configuration of mosquitto there is here. Proposed, never written: each line of it says
//! where it comes from, and what has no equivalent is named with its place and why.

use std::path::PathBuf;

use super::bridges::{self, Block, shell};
use super::conf::{Conf, Directive, Place};
use super::quoted;
use super::section::{Section, free};
use super::uci::truth;
use crate::config;

/// A proposal, on its way.
#[derive(Default)]
pub(super) struct Draft {
    sections: Vec<Section>,
    commands: Vec<String>,
    /// Each with the file and line that it is about, by which they are sorted in the end.
    notes: Vec<((PathBuf, u32), String)>,
}

/// A configuration for `/etc/config/mqttguard`, and what else there is to do.
#[derive(Debug, PartialEq, Eq)]
pub struct Proposal {
    /// The configuration, which is valid.
    pub uci: String,
    /// Commands of the shell, in the order in which they make sense.
    pub commands: Vec<String>,
    /// What has no equivalent or needs a thought, with its place.
    pub notes: Vec<String>,
}

/// What is said of options that have no equivalent, by mosquitto's name.
const NOTHING: &[(&str, &str)] = &[
    (
        "allow_duplicate_messages",
        "a message comes once, whatever subscriptions overlap, in MQTT 3",
    ),
    (
        "allow_zero_length_clientid",
        "as the protocol has it, always",
    ),
    ("auto_id_prefix", "identifiers are made of random letters"),
    (
        "autosave_interval",
        "see 'option persist': what is acknowledged is on the disk",
    ),
    ("autosave_on_changes", "see 'option persist'"),
    (
        "bind_interface",
        "name addresses in 'list address' of the listener",
    ),
    ("capath", "name one file of CAs in 'option client_ca'"),
    (
        "check_retain_source",
        "rights are looked at when messages are delivered, always",
    ),
    (
        "ciphers",
        "the cipher suites of TLS 1.2 and 1.3 that are good today",
    ),
    (
        "ciphers_tls1.3",
        "the cipher suites of TLS 1.3 that are good today",
    ),
    (
        "clientid_prefixes",
        "a client is known by its account, not by its client identifier",
    ),
    (
        "connection_messages",
        "connections are events: 'mqttguard events'",
    ),
    (
        "dhparamfile",
        "there is no TLS with finite-field Diffie-Hellman",
    ),
    ("http_dir", "no files are served"),
    (
        "log_dest",
        "it logs to the system log: logread -e mqttguard",
    ),
    ("log_facility", "it logs to the system log"),
    ("log_timestamp", "it logs to the system log"),
    ("log_timestamp_format", "it logs to the system log"),
    ("log_type", "what happens is in 'mqttguard events'"),
    (
        "max_inflight_bytes",
        "see in_flight and packet_size of 'limits' sections",
    ),
    ("max_keepalive", "any keep-alive is taken, 0 too"),
    ("max_qos", "QoS 0 to 2 are taken"),
    (
        "max_topic_alias",
        "bounded by bytes, see 'What is bounded' in configuration.md",
    ),
    (
        "memory_limit",
        "the broker bounds itself by what memory there is",
    ),
    (
        "mount_point",
        "each device has topics of its own by its profile",
    ),
    ("persistence_file", "see 'option persist'"),
    ("pid_file", "procd keeps watch of it"),
    ("psk_file", "there is no TLS by pre-shared key"),
    ("psk_hint", "there is no TLS by pre-shared key"),
    (
        "queue_qos0_messages",
        "messages at QoS 0 wait for a client that is connected only",
    ),
    (
        "retain_available",
        "retained messages are there, bounded by 'limits'",
    ),
    ("set_tcp_nodelay", "nothing to set"),
    (
        "socket_domain",
        "IPv4 and IPv6, or name addresses in 'list address'",
    ),
    ("store_clean_interval", "nothing to set"),
    ("tls_engine", "keys are files"),
    ("tls_engine_kpass_sha1", "keys are files"),
    ("tls_keyform", "keys are files"),
    ("tls_version", "TLS 1.2 and 1.3 are spoken"),
    (
        "upgrade_outgoing_qos",
        "as the protocol has it: the lower of the two",
    ),
    (
        "use_subject_as_username",
        "the account is the certificate's common name",
    ),
    (
        "use_username_as_clientid",
        "a session is of user name and client identifier, so no client can take another account's",
    ),
    ("user", "the package's own user and capabilities"),
    ("websockets_headers_size", "bounded"),
    ("websockets_log_level", "it logs to the system log"),
];

/// Numbers that are options of the `limits` section: mosquitto's name, ours, and the values that it
/// takes. mosquitto's 0 is "no limit" in all of them.
const LIMITS: &[(&str, &str, u64, u64)] = &[
    ("max_inflight_messages", "in_flight", 1, 65_535),
    ("max_queued_messages", "queue_messages", 1, 1_000_000),
    ("max_queued_bytes", "queue_bytes", 512, 256 << 20),
    ("message_size_limit", "packet_size", 512, 16 << 20),
    ("max_packet_size", "packet_size", 512, 16 << 20),
];

/// A listener and what stands below it.
struct Listener {
    place: Place,
    port: String,
    address: Option<String>,
    body: Vec<Directive>,
}

/// Names that belong to the listener above them.
const OF_LISTENER: &[&str] = &[
    "protocol",
    "max_connections",
    "cafile",
    "certfile",
    "keyfile",
    "crlfile",
    "require_certificate",
    "use_identity_as_username",
];

/// What is to be proposed for a configuration.
pub fn propose(conf: &Conf) -> Proposal {
    let mut draft = Draft::default();
    for what in &conf.unread {
        draft.remark(what);
    }
    let (general, listeners, blocks) = sort(conf, &mut draft);
    accounts(&general, &mut draft);
    main(&general, &mut draft);
    limits(&general, &mut draft);
    let listens = listeners
        .iter()
        .any(|one| !is_loopback(one.address.as_deref()));
    if !listens {
        let what = "mosquitto listens for programs on this router only; mqttguard listens on the LAN \
                    too, with TLS on port 8883";
        draft.remark(what);
    }
    for one in &listeners {
        listener(one, &mut draft);
    }
    for block in &blocks {
        bridges::propose(block, &mut draft);
    }
    draft.finish()
}

/// Takes the lines apart: those of the whole, the listeners, the bridges.
fn sort(conf: &Conf, draft: &mut Draft) -> (Vec<Directive>, Vec<Listener>, Vec<Block>) {
    let mut general = Vec::new();
    let mut listeners: Vec<Listener> = Vec::new();
    let mut blocks: Vec<Block> = Vec::new();
    // The listener of `port` and `bind_address`, which is there if either is.
    let mut default: Option<Listener> = None;
    let mut in_default = true;
    for directive in &conf.directives {
        let value = directive.value.as_str();
        match directive.name.as_str() {
            "listener" => {
                in_default = false;
                let (port, address) = value.split_once([' ', '\t']).unwrap_or((value, ""));
                let address = Some(address.trim()).filter(|address| !address.is_empty());
                listeners.push(Listener {
                    place: directive.place.clone(),
                    port: port.to_owned(),
                    address: address.map(str::to_owned),
                    body: Vec::new(),
                });
            }
            "connection" => blocks.push(Block {
                head: directive.clone(),
                body: Vec::new(),
            }),
            "port" | "bind_address" => {
                let listener = default.get_or_insert_with(|| Listener {
                    place: directive.place.clone(),
                    port: "1883".to_owned(),
                    address: None,
                    body: Vec::new(),
                });
                match directive.name.as_str() {
                    "port" => listener.port = value.to_owned(),
                    _ => listener.address = Some(value.to_owned()),
                }
            }
            name if OF_LISTENER.contains(&name) => match listeners.last_mut() {
                Some(listener) if !in_default => listener.body.push(directive.clone()),
                _ => {
                    let listener = default.get_or_insert_with(|| Listener {
                        place: directive.place.clone(),
                        port: "1883".to_owned(),
                        address: None,
                        body: Vec::new(),
                    });
                    listener.body.push(directive.clone());
                }
            },
            name if bridges::is_of_bridge(name) => match blocks.last_mut() {
                Some(block) => block.body.push(directive.clone()),
                None => draft.note(
                    &directive.place,
                    name,
                    "it stands above the first 'connection'",
                ),
            },
            _ => general.push(directive.clone()),
        }
    }
    listeners.splice(0..0, default);
    (general, listeners, blocks)
}

fn all<'a>(general: &'a [Directive], name: &'a str) -> impl Iterator<Item = &'a Directive> {
    general.iter().filter(move |one| one.name == name)
}

/// Password and ACL files, and everything that decides who gets in.
fn accounts(general: &[Directive], draft: &mut Draft) {
    let acls: Vec<&Directive> = all(general, "acl_file").collect();
    let mut used = false;
    for passwords in all(general, "password_file") {
        let mut command = format!("mqttguard import --passwords {}", shell(&passwords.value));
        if let [acl] = acls.as_slice() {
            used = true;
            command.push_str(&format!(" --acl {}", shell(&acl.value)));
        }
        draft.command(&command);
    }
    for acl in acls.iter().filter(|_| !used) {
        draft.note(
            &acl.place,
            "acl_file",
            "no single password file goes with it: give the two that belong together to 'mqttguard \
             import --passwords FILE --acl FILE'",
        );
    }
    for directive in general {
        let is_true = truth(&directive.value) == Some(true);
        match directive.name.as_str() {
            "allow_anonymous" if is_true => draft.note(
                &directive.place,
                "allow_anonymous",
                "nobody gets in without an account: enrol each device, or pair those that have a user \
                 name and password set already",
            ),
            "per_listener_settings" if is_true => draft.note(
                &directive.place,
                "per_listener_settings",
                "accounts and rights are of devices here, the same on every listener",
            ),
            name if name.starts_with("auth_") || name.starts_with("plugin") => draft.note(
                &directive.place,
                name,
                "no plugins; a check of your own is the section 'http_auth', tokens are 'jwt'",
            ),
            _ => {}
        }
    }
}

/// What goes into the `main` section.
fn main(general: &[Directive], draft: &mut Draft) {
    let last = |name: &str| general.iter().rfind(|one| one.name == name);
    let mut section = Section::new("mqttguard", "main");
    if let Some(interval) = last("sys_interval") {
        section.remark(&interval.place.shown());
        section.option("sys_interval", &format!("{}s", interval.value));
        draft.add(section, &interval.place);
    }
    let persistence = last("persistence").filter(|one| truth(&one.value) == Some(true));
    let location = last("persistence_location");
    if let Some(place) = persistence.or(location).map(|one| &one.place) {
        let at = location.map_or(String::new(), |one| format!(" ({})", quoted(&one.value)));
        draft.note(
            place,
            "persistence",
            &format!(
                "sessions and messages outlive a restart of the broker without it. To have them outlive a \
                 power cut, name a directory on a disk{at} in 'option persist' of 'main', not on the \
                 router's own flash. What mosquitto has saved is not taken over: retained messages \
                 come again when devices publish them"
            ),
        );
    }
    for directive in general {
        let name = directive.name.as_str();
        let elsewhere = matches!(
            name,
            "acl_file"
                | "password_file"
                | "allow_anonymous"
                | "per_listener_settings"
                | "sys_interval"
                | "persistence"
                | "persistence_location"
                | "persistent_client_expiration"
        );
        let elsewhere = elsewhere
            || name.starts_with("auth_")
            || name.starts_with("plugin")
            || LIMITS.iter().any(|(limit, ..)| *limit == name);
        match NOTHING.iter().find(|(nothing, _)| *nothing == name) {
            _ if elsewhere => {}
            Some((name, why)) => draft.note(&directive.place, name, why),
            None => draft.unknown(directive),
        }
    }
}

/// What goes into the `limits` section of that name.
fn limits(general: &[Directive], draft: &mut Draft) {
    let mut section = Section::new("limits", "default");
    section.comment(
        "Of devices under profiles without limits of their own, such as 'device'; see 'limits' of the \
         others",
    );
    let mut place = None;
    for directive in general {
        let known = LIMITS.iter().find(|(name, ..)| *name == directive.name);
        let (option, value) = match known {
            Some((name, option, least, most)) => {
                let number = directive.value.parse::<u64>().ok();
                match number.filter(|number| (least..=most).contains(&number)) {
                    Some(number) => (*option, number.to_string()),
                    None => {
                        let found = quoted(&directive.value);
                        let why = format!(
                            "found {found}, here it is from {least} to {most}; the default stays"
                        );
                        draft.note(&directive.place, name, &why);
                        continue;
                    }
                }
            }
            None if directive.name == "persistent_client_expiration" => {
                match days(&directive.value) {
                    Some(time) => ("session_expiry", time),
                    None => {
                        draft.note(
                            &directive.place,
                            &directive.name,
                            "here it is from 0s to 365d; the default stays",
                        );
                        continue;
                    }
                }
            }
            None => continue,
        };
        section.remark(&format!("{}: {}", directive.place.shown(), directive.name));
        section.option(option, &value);
        place = Some(&directive.place);
    }
    if let Some(place) = place {
        draft.add(section, place);
    }
}

/// `14d`, `2w`, `1m`, `1y` or `12h` as a time here, of a year at most.
fn days(text: &str) -> Option<String> {
    let unit = text.chars().last()?;
    let number: u32 = text.strip_suffix(unit)?.parse().ok()?;
    let days = match unit {
        'h' => return (number <= 365 * 24).then(|| format!("{number}h")),
        'd' => number,
        'w' => number.checked_mul(7)?,
        'm' => number.checked_mul(30)?,
        'y' => number.checked_mul(365)?,
        _ => return None,
    };
    (days <= 365).then(|| format!("{days}d"))
}

fn is_loopback(address: Option<&str>) -> bool {
    let parsed = |address: &str| address.parse::<std::net::IpAddr>();
    address.is_some_and(|address| {
        address == "localhost" || parsed(address).is_ok_and(|address| address.is_loopback())
    })
}

/// What corresponds to a listener.
fn listener(listener: &Listener, draft: &mut Draft) {
    let of = |name: &str| listener.body.iter().rfind(|one| one.name == name);
    let place = &listener.place;
    if listener.port == "0" {
        return draft.note(place, "listener", "there are no listeners on Unix sockets");
    }
    if is_loopback(listener.address.as_deref()) {
        return draft.note(
            place,
            "listener",
            "it is for programs on this router, which have no MAC address that an account could be \
             bound to; a 'bridge' or an account with 'option roaming' may do instead",
        );
    }
    let is_websocket = of("protocol").is_some_and(|one| one.value == "websockets");
    let certificate = of("certfile");
    let (kind, wanted) = match (is_websocket, certificate) {
        (true, _) => ("wss", "wss"),
        (false, Some(_)) => ("tls", "tls"),
        (false, None) => ("plain", "plain"),
    };
    // `tls` is there already: the first one changes it.
    let name = free(wanted, |name| draft.has("listener", name));
    let mut section = Section::new("listener", &name);
    section.comment(&format!(
        "{}: port {}",
        place.shown(),
        quoted(&listener.port)
    ));
    section.option("kind", kind);
    section.option("port", &listener.port);
    match &listener.address {
        Some(address) if address.parse::<std::net::IpAddr>().is_ok() => {
            section.list("address", address)
        }
        Some(address) => {
            let why = format!("'{}' is no address; it listens on all", quoted(address));
            draft.note(place, "listener", &why);
        }
        None => {}
    }
    if let Some(count) = of("max_connections").filter(|one| !one.value.starts_with('-')) {
        section.option("connections", &count.value);
    }
    match (kind, certificate) {
        ("plain", _) => section.comment(
            "Without TLS: only devices whose 'device' section has option plaintext '1' are let in",
        ),
        (_, Some(certificate)) => draft.note(
            &certificate.place,
            "certfile",
            "the broker's certificate is of this router's own CA: devices are to be given \
             /etc/mqttguard/ca.crt in place of the CA that they have, or the new fingerprint",
        ),
        (_, None) => draft.note(
            place,
            "protocol",
            "WebSocket is over TLS here: pages connect to wss://",
        ),
    }
    client_certificates(listener, &mut section, draft);
    draft.add(section, place);
}

fn client_certificates(listener: &Listener, section: &mut Section, draft: &mut Draft) {
    let of = |name: &str| listener.body.iter().rfind(|one| one.name == name);
    let is_true = |name: &str| of(name).is_some_and(|one| truth(&one.value) == Some(true));
    // mosquitto asks for certificates only then.
    if !is_true("require_certificate") || of("certfile").is_none() {
        return;
    }
    section.option("client_certificate", "required");
    if let Some(ca) = of("cafile") {
        section.option("client_ca", &ca.value);
    }
    if let Some(list) = of("crlfile") {
        section.list("client_crl", &list.value);
    }
    let required = of("require_certificate").map(|one| &one.place);
    let why = match is_true("use_identity_as_username") {
        true => {
            "each common name has to be the user name of an enrolled device: 'mqttguard enrol DEVICE \
             --username NAME', or 'mqttguard certificate DEVICE' for a new one"
        }
        false => {
            "a certificate is enough to log in here, as the account that its common name is; which \
             has to be an enrolled device's"
        }
    };
    if let Some(place) = required {
        draft.note(place, "require_certificate", why);
    }
}

impl Draft {
    /// Something that needs a thought.
    pub(super) fn note(&mut self, place: &Place, name: &str, why: &str) {
        let at = (place.file.clone(), place.line);
        let note = format!("{}: {}: {why}", place.shown(), quoted(name));
        self.notes.push((at, note));
    }

    /// The same, of no line.
    fn remark(&mut self, what: &str) {
        self.notes.push((Default::default(), what.to_owned()));
    }

    pub(super) fn unknown(&mut self, directive: &Directive) {
        self.note(&directive.place, &directive.name, "not known");
    }

    pub(super) fn command(&mut self, command: &str) {
        self.commands.push(command.to_owned());
    }

    pub(super) fn has(&self, kind: &str, name: &str) -> bool {
        self.sections.iter().any(|one| one.is(kind, name))
    }

    /// Adds a section, if the configuration stays a valid one with it.
    pub(super) fn add(&mut self, section: Section, place: &Place) {
        let before: String = self.sections.iter().map(Section::text).collect();
        let whole = format!("{before}{}", section.text());
        match config::parse("proposal", &whole) {
            Ok(_) => self.sections.push(section),
            Err(error) => {
                // Lines of a file that nobody sees say nothing.
                let errors = error.lines();
                let errors = errors.iter().map(|line| without_place(line));
                let errors = errors.collect::<Vec<_>>().join("; ");
                let what = section.label();
                self.note(place, &what, &format!("left out: {errors}"));
            }
        }
    }

    fn finish(mut self) -> Proposal {
        self.notes.sort_by(|a, b| a.0.cmp(&b.0));
        let sections = self.sections.iter().map(Section::text);
        Proposal {
            uci: sections.collect::<Vec<_>>().join("\n"),
            commands: self.commands,
            notes: self.notes.into_iter().map(|(_, note)| note).collect(),
        }
    }
}

/// A mistake without the file and line that it is on.
fn without_place(line: &str) -> String {
    let rest = line.strip_prefix("proposal:").unwrap_or(line);
    let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ':');
    rest.trim().to_owned()
}

#[cfg(test)]
mod tests;
