//! What of a configuration of mosquitto there is here. Proposed, never written: each line of it says
//! where it comes from, and what has no equivalent is named with its place and why.

use super::bridges::{self, Block, shell};
use super::conf::{Conf, Directive};
use super::draft::{Draft, Proposal};
use super::listeners::{self, Listener, OF_LISTENER, is_loopback};
use super::quoted;
use super::section::Section;
use super::uci::truth;

/// What is said of options that have no equivalent, by mosquitto's name.
const NOTHING: &[(&str, &str)] = &[
    (
        "allow_duplicate_messages",
        "overlapping subscriptions get one copy",
    ),
    (
        "allow_zero_length_clientid",
        "as the protocol has it, always",
    ),
    ("auto_id_prefix", "the broker makes them up by itself"),
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
        "the broker's memory is bounded, see 'What is bounded' in configuration.md",
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
        "see retained_messages of 'limits' sections, 0 for none",
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

/// What is to be proposed for a configuration.
pub fn propose(conf: &Conf) -> Proposal {
    let mut draft = Draft::default();
    for what in &conf.unread {
        draft.remark(what);
    }
    let (general, found, blocks) = sort(conf, &mut draft);
    accounts(&general, &mut draft);
    main(&general, &mut draft);
    limits(&general, &mut draft);
    let listens = found.iter().any(|one| !is_loopback(one.address.as_deref()));
    if !listens {
        let what = "mosquitto listens for programs on this router only; mqttguard listens on the LAN \
                    too, with TLS on port 8883";
        draft.remark(what);
    }
    for one in &found {
        listeners::propose(one, &mut draft);
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

#[cfg(test)]
mod tests;
