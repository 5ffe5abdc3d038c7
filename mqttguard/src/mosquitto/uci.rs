//! OpenWrt's `/etc/config/mosquitto`, of which its init script makes a `mosquitto.conf` when
//! `use_uci` is set.

use std::collections::BTreeMap;
use std::path::Path;

use super::conf::{Conf, Directive, Place};
use super::quoted;
use crate::config::{RawOption, RawSection, raw_sections};
use crate::files::read;

/// The UCI package.
const PACKAGE: &str = "mosquitto";

/// What the file says.
pub struct Uci {
    /// Whether mosquitto is started by it, and not by `/etc/mosquitto/mosquitto.conf`.
    pub is_used: bool,
    /// The `mosquitto.conf` that the init script would make of it.
    pub conf: Conf,
}

/// Options of the same name and meaning in both; on the right mosquitto's name where it differs.
/// Those of `mosquitto`, `persistence`, `listener` and `bridge` sections.
const GENERAL: &[(&str, &str)] = &[
    ("port", ""),
    ("acl_file", ""),
    ("allow_anonymous", ""),
    ("allow_duplicate_messages", ""),
    ("clientid_prefixes", ""),
    ("connection_messages", ""),
    ("include_dir", ""),
    ("log_dest", ""),
    ("log_facility", ""),
    ("log_timestamp", ""),
    ("log_types", "log_type"),
    ("max_inflight_bytes", ""),
    ("max_inflight_messages", ""),
    ("max_queued_bytes", ""),
    ("max_queued_messages", ""),
    ("message_size_limit", ""),
    ("password_file", ""),
    ("pid_file", ""),
    ("psk_file", ""),
    ("queue_qos0_messages", ""),
    ("set_tcp_nodelay", ""),
    ("protocol", ""),
    ("sys_interval", ""),
    ("upgrade_outgoing_qos", ""),
    ("user", ""),
    ("per_listener_settings", ""),
];
const PERSISTENCE: &[(&str, &str)] = &[
    ("client_expiration", "persistent_client_expiration"),
    ("autosave_interval", ""),
    ("autosave_on_changes", ""),
    ("persistence", ""),
    ("file", "persistence_file"),
    ("store_clean_interval", ""),
    ("location", "persistence_location"),
];
const LISTENER: &[(&str, &str)] = &[
    ("http_dir", ""),
    ("max_connections", ""),
    ("mount_point", ""),
    ("protocol", ""),
    ("use_username_as_clientid", ""),
    ("websockets_log_level", ""),
    ("cafile", ""),
    ("capath", ""),
    ("certfile", ""),
    ("ciphers", ""),
    ("crlfile", ""),
    ("keyfile", ""),
    ("require_certificate", ""),
    ("tls_version", ""),
    ("use_identity_as_username", ""),
    ("use_subject_as_username", ""),
    ("psk_hint", ""),
    ("auth_plugin", ""),
];
const BRIDGE: &[(&str, &str)] = &[
    ("address", ""),
    ("attempt_unsubscribe", "bridge_attempt_unsubscribe"),
    ("protocol_version", "bridge_protocol_version"),
    ("cleansession", ""),
    ("keepalive_interval", ""),
    ("idle_timeout", ""),
    ("local_clientid", ""),
    ("local_password", ""),
    ("local_username", ""),
    ("notifications", ""),
    ("notifications_local_only", ""),
    ("notification_topic", ""),
    ("clientid", "remote_clientid"),
    ("remote_clientid", ""),
    ("password", "remote_password"),
    ("remote_password", ""),
    ("username", "remote_username"),
    ("remote_username", ""),
    ("restart_timeout", ""),
    ("round_robin", ""),
    ("start_type", ""),
    ("threshold", ""),
    ("topic", ""),
    ("try_private", ""),
    ("cafile", "bridge_cafile"),
    ("capath", "bridge_capath"),
    ("certfile", "bridge_certfile"),
    ("identity", "bridge_identity"),
    ("insecure", "bridge_insecure"),
    ("keyfile", "bridge_keyfile"),
    ("psk", "bridge_psk"),
    ("tls_version", "bridge_tls_version"),
];

/// Reads the file.
///
/// # Errors
///
/// When it cannot be read.
pub fn load(path: &Path) -> Result<Uci, String> {
    let (text, _) = read(path)?;
    Ok(parse(path, &text))
}

fn parse(path: &Path, text: &str) -> Uci {
    let (sections, unread) = raw_sections(PACKAGE, text);
    let mut conf = Conf::default();
    for (line, what) in unread {
        let shown = quoted(&path.display().to_string());
        conf.unread.push(format!("{shown}, line {line}: {what}"));
    }
    let mut is_used = false;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut addressed = Vec::new();
    for section in &sections {
        let count = counts.entry(&section.kind).or_default();
        let address = match &section.name {
            Some(name) => name.clone(),
            None => format!("@{}[{count}]", section.kind),
        };
        *count = count.saturating_add(1);
        if section.kind == "owrt" {
            let used = section.options.iter().rfind(|one| one.name == "use_uci");
            is_used |= used.is_some_and(|one| truth(&one.value) == Some(true));
        }
        addressed.push((section, address));
    }
    // The order in which the init script goes through them.
    for kind in ["mosquitto", "persistence", "listener", "bridge"] {
        let wanted = addressed.iter().filter(|(section, _)| section.kind == kind);
        for (section, address) in wanted {
            let at = At {
                file: path,
                address,
            };
            at.section(section, &mut conf);
        }
    }
    let known = ["owrt", "mosquitto", "persistence", "listener", "bridge"];
    let others = sections.iter().filter(|one| !known.contains(&&*one.kind));
    for other in others {
        let (file, line) = (path.display(), other.line);
        let kind = quoted(&other.kind);
        conf.unread.push(format!(
            "{file}, line {line}: config {kind}: mosquitto does not read it either"
        ));
    }
    Uci { is_used, conf }
}

/// A section in its file.
struct At<'a> {
    file: &'a Path,
    address: &'a str,
}

impl At<'_> {
    fn directive(&self, option: &RawOption, name: &str, value: String) -> Directive {
        Directive {
            place: Place {
                file: self.file.to_owned(),
                line: option.line,
                uci: Some(format!("{}.{}", self.address, option.name)),
                name: option.name.clone(),
            },
            name: name.to_owned(),
            value,
        }
    }

    fn section(&self, section: &RawSection, conf: &mut Conf) {
        let find = |name: &str| section.options.iter().rfind(|one| one.name == name);
        let remote = find("no_remote_access").filter(|one| truth(&one.value) == Some(true));
        let (table, own): (_, &[&str]) = match &*section.kind {
            "mosquitto" => (GENERAL, &["no_remote_access"]),
            "persistence" => (PERSISTENCE, &[]),
            "listener" => (LISTENER, &["port", "no_remote_access"]),
            _ => (BRIDGE, &["connection"]),
        };
        // What opens the section in mosquitto's file comes first.
        match &*section.kind {
            "mosquitto" => {
                let local =
                    remote.map(|one| self.directive(one, "bind_address", "localhost".into()));
                conf.directives.extend(local);
            }
            "listener" => {
                let Some(port) = find("port") else {
                    return self.left_out(section, "it has no port", conf);
                };
                let local = if remote.is_some() { " 127.0.0.1" } else { "" };
                let value = format!("{}{local}", port.value);
                conf.directives
                    .push(self.directive(port, "listener", value));
            }
            "bridge" => {
                let (Some(name), Some(_), Some(_)) =
                    (find("connection"), find("address"), find("topic"))
                else {
                    return self.left_out(section, "it lacks connection, address or topic", conf);
                };
                conf.directives
                    .push(self.directive(name, "connection", name.value.clone()));
            }
            _ => {}
        }
        for option in &section.options {
            if own.contains(&&*option.name) || option.value.is_empty() {
                continue;
            }
            let known = table.iter().find(|(name, _)| *name == option.name);
            let name = match known {
                Some((name, "")) => name,
                Some((_, name)) => name,
                None if option.name.starts_with("auth_opt_") => "auth_opt_",
                None => {
                    let place = self.directive(option, "", String::new()).place.shown();
                    let name = quoted(&option.name);
                    conf.unread.push(format!(
                        "{place}: {name}: OpenWrt's mosquitto does not read it either"
                    ));
                    continue;
                }
            };
            // UCI has 1 and 0 where mosquitto has true and false; other values go by unchanged.
            let directive = self.directive(option, name, option.value.clone());
            match name {
                "include_dir" => conf.include(&directive),
                _ => conf.directives.push(directive),
            }
        }
    }

    fn left_out(&self, section: &RawSection, why: &str, conf: &mut Conf) {
        let (file, line, kind) = (self.file.display(), section.line, &section.kind);
        conf.unread.push(format!(
            "{file}, line {line}: config {kind}: {why}, and mosquitto ignores it"
        ));
    }
}

/// A boolean as OpenWrt's scripts take it, or mosquitto.
pub(super) fn truth(text: &str) -> Option<bool> {
    match text {
        "1" | "on" | "true" | "yes" | "enabled" => Some(true),
        "0" | "off" | "false" | "no" | "disabled" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_become_what_the_init_script_makes_of_them() {
        let text = "config owrt owrt\n\toption use_uci 1\n\
            config bridge\n\toption connection 'cloud'\n\toption address 'c.example:8883'\n\
            \tlist topic 'a/# out 1'\n\tlist topic 'b/# in'\n\toption password 'x y'\n\
            config listener\n\toption port 8883\n\toption no_remote_access 1\n\
            config bridge 'half'\n\toption connection 'half'\n\
            config mosquitto\n\toption allow_anonymous 1\n\toption odd 1\n\toption no_remote_access 1\n\
            config persistence\n\toption location /mnt/x\n";
        let uci = parse(Path::new("/etc/config/mosquitto"), text);
        assert!(uci.is_used);
        let lines: Vec<String> = uci
            .conf
            .directives
            .iter()
            .map(|one| format!("{}: {} {}", one.place.line, one.name, one.value))
            .collect();
        assert_eq!(
            lines,
            [
                "17: bind_address localhost",
                "15: allow_anonymous 1",
                "19: persistence_location /mnt/x",
                "10: listener 8883 127.0.0.1",
                "4: connection cloud",
                "5: address c.example:8883",
                "6: topic a/# out 1",
                "7: topic b/# in",
                "8: remote_password x y",
            ]
        );
        let secret = uci.conf.directives.last().unwrap();
        assert_eq!(secret.place.uci.as_deref(), Some("@bridge[0].password"));
        assert_eq!(uci.conf.unread.len(), 2, "{:?}", uci.conf.unread);
        assert!(!parse(Path::new("x"), "config owrt owrt\n\toption use_uci 0\n").is_used);
    }
}
