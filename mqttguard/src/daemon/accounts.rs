//! Accounts of another broker taken in, and those of this one given out.

use mqttguard_common::Mac;
use serde_json::{Map, Value};

use super::answers::{Answer, invalid, refused};
use super::arguments::{Args, span, text};
use super::clock::unix_ms;
use super::report;
use super::wiring::Daemon;
use crate::broker::login::grants::{Names, expand};
use crate::broker::login::imported::Imported;
use crate::config::Profile;
use crate::json::json;
use crate::registry::{Credential, Device, Import, Registry};
use crate::ubus::{MethodError, Status};

/// The fields of an account. More is a mistake: what was meant by it would be lost.
const FIELDS: [&str; 4] = ["username", "hash", "device", "profile"];

impl Daemon {
    pub(super) fn import_method(&mut self, args: &Args) -> Answer {
        if let Some(username) = text(args, "forget") {
            return match self.registry.cancel_claim(username) {
                true => Ok(json!({ "username": username, "forgotten": true })),
                false => Err(MethodError::new(
                    Status::NotFound,
                    format!("no imported account '{username}' waits for its device"),
                )),
            };
        }
        let time = span(args, "for", Registry::CLAIM_TIMES)?.unwrap_or(Registry::CLAIM_TIME);
        let given = args.get("accounts").and_then(Value::as_array);
        let given = given.filter(|given| !given.is_empty()).ok_or_else(|| {
            invalid("accounts: found none, expected a list with at least one".to_owned())
        })?;
        let mut errors = Vec::new();
        let mut accounts = Vec::new();
        let mut kinds = Vec::new();
        for (place, value) in given.iter().enumerate() {
            match self.account(value) {
                Ok((account, kind)) => {
                    kinds.push(kind);
                    accounts.push(account);
                }
                Err(why) => {
                    let name = value.get("username").and_then(Value::as_str);
                    let whose = name.map_or_else(
                        || format!("accounts[{place}]"),
                        |name| format!("user '{name}'"),
                    );
                    errors.push(format!("{whose}: {why}"));
                }
            }
        }
        let refusals = self.registry.check_import(&accounts).into_iter();
        errors.extend(refusals.map(|(username, why)| match username {
            Some(username) => format!("user '{username}': {why}"),
            None => why.to_string(),
        }));
        let plan: Vec<Value> = accounts
            .iter()
            .zip(kinds)
            .map(|(account, kind)| self.planned(account, kind))
            .collect();
        let wanted = args.get("apply").and_then(Value::as_bool) == Some(true);
        let applied = wanted && errors.is_empty();
        let mut out = json!({
            "ok": errors.is_empty(),
            "applied": applied,
            "errors": errors,
            "accounts": plan,
            "for_s": time.as_secs(),
        });
        if applied {
            let until_ms = self.registry.import(unix_ms(), accounts, time);
            let until_ms = until_ms.map_err(refused)?;
            if let Some(out) = out.as_object_mut() {
                out.insert("until_ms".to_owned(), json!(until_ms));
            }
            report::add_server(self, Mac([0; 6]), &mut out);
        }
        Ok(out)
    }

    /// One account as it came over the bus, and of which kind its hash is. The reason never shows
    /// the hash.
    fn account(&self, value: &Value) -> Result<(Import, &'static str), String> {
        let fields = value.as_object();
        let fields = fields.ok_or("found no table, expected username, hash, device, profile")?;
        if let Some(other) = fields.keys().find(|key| !FIELDS.contains(&key.as_str())) {
            let known = FIELDS.join(", ");
            return Err(format!("found the field '{other}', expected {known}"));
        }
        let username = required(fields, "username")?;
        let hash = required(fields, "hash")?;
        let kind = hash.parse::<Imported>().map_err(|why| why.to_string())?;
        let mac = optional(fields, "device")?.map(|device| self.registry.find(device));
        Ok((
            Import {
                username: username.to_owned(),
                hash: hash.into(),
                mac: mac.transpose().map_err(|why| why.to_string())?,
                profile: optional(fields, "profile")?.map(str::to_owned),
            },
            kind.kind(),
        ))
    }

    fn planned(&self, account: &Import, kind: &str) -> Value {
        let main = &self.configuration.settings.main;
        let mut out = json!({
            "username": account.username,
            "kind": kind,
            "profile": account.profile.as_ref().unwrap_or(&main.profile),
        });
        let come = self.registry.has_come(account);
        if let (Some(mac), Some(fields)) = (come.or(account.mac), out.as_object_mut()) {
            fields.insert("come".to_owned(), json!(come.is_some()));
            fields.insert("mac".to_owned(), json!(mac.to_string()));
            fields.insert("name".to_owned(), json!(report::name(self, mac)));
        }
        out
    }

    pub(super) fn export_method(&self) -> Value {
        let devices = self.registry.devices();
        let enrolled = devices.filter_map(|device| {
            let credential = device.credential.as_ref()?;
            Some(exported(&self.registry, device, credential))
        });
        json!({ "accounts": enrolled.collect::<Vec<_>>() })
    }
}

fn exported(registry: &Registry, device: &Device, credential: &Credential) -> Value {
    let profile_name = registry.profile_name(device);
    // With what the device's own section and its maker's file grant beside the profile.
    let profile = Profile::clone(&registry.account_of(device).profile);
    // What depends on the client identifier is of no one client here.
    let (depends, stands) = by_client(profile);
    let names = Names {
        device: &device.name,
        username: &credential.username,
        client_id: "",
        mac: device.mac,
    };
    let grants = expand(&stands, names);
    // The password that the device has is the old one until it has used the new one.
    let hash = match &credential.earlier {
        Some(earlier) => &earlier.hash,
        None => &credential.hash,
    };
    json!({
        "mac": device.mac.to_string(),
        "name": device.name,
        "username": credential.username,
        "hash": hash,
        "rotating": credential.earlier.is_some(),
        "profile": profile_name,
        "publish": grants.publish,
        "subscribe": grants.subscribe,
        "deny": grants.deny,
        "left_out": depends,
    })
}

/// The patterns of publish and subscribe with the client identifier in them, and the profile
/// without these.
fn by_client(mut profile: Profile) -> (Vec<String>, Profile) {
    let mut depends = Vec::new();
    for list in [&mut profile.publish, &mut profile.subscribe] {
        list.retain(|pattern| {
            // `%%c` is a percent sign and a letter.
            let stays = !pattern.replace("%%", "").contains("%c");
            if !stays && !depends.contains(pattern) {
                depends.push(pattern.clone());
            }
            stays
        });
    }
    (depends, profile)
}

fn required<'a>(fields: &'a Map<String, Value>, name: &str) -> Result<&'a str, String> {
    optional(fields, name)?.ok_or_else(|| format!("{name}: found nothing, expected text"))
}

fn optional<'a>(fields: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, String> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
        Some(_) => Err(format!("{name}: found no text, expected some")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_identifier_decides_is_named_and_not_granted() {
        let profile = Profile {
            publish: vec!["%d/#".into(), "up/%c".into(), "100%%c".into()],
            subscribe: vec!["up/%c".into(), "%u/%c/x".into()],
            deny: vec!["no/%c".into()],
            limits: "default".into(),
        };
        let (depends, stands) = by_client(profile);
        assert_eq!(depends, ["up/%c", "%u/%c/x"]);
        assert_eq!(stands.publish, ["%d/#", "100%%c"]);
        assert!(stands.subscribe.is_empty());
        // Denials are left to become wider, never narrower.
        assert_eq!(stands.deny, ["no/%c"]);
    }

    #[test]
    fn what_a_device_is_granted_of_its_own_is_exported_too() {
        let mac = Mac([2, 0xc1, 0x1e, 0x17, 0, 1]);
        let uci = format!(
            "config mqttguard 'main'\n\toption profile 'narrow'\n\
             config profile 'narrow'\n\tlist publish '%d/#'\n\
             config device 'plug'\n\toption mac '{mac}'\n\tlist publish 'meter/%u/power'\n\
             \tlist subscribe 'tariff/now'\n\tlist subscribe 'to/%c'\n"
        );
        let settings = crate::config::parse("test", &uci).expect("valid");
        let contents = crate::registry::Contents::default();
        let mut registry = Registry::new(contents, settings.into(), 0);
        let verifiers = crate::registry::Verifiers {
            hash: "h".into(),
            scram: Vec::new(),
        };
        registry
            .enrol(1, mac, None, Some("meter1"), verifiers)
            .expect("enrolled");
        let device = registry.device(mac).expect("known");
        let credential = device.credential.as_ref().expect("enrolled");
        let found = exported(&registry, device, credential);
        let name = &device.name;
        assert_eq!(
            found["publish"],
            json!([format!("{name}/#"), "meter/meter1/power"])
        );
        assert_eq!(found["subscribe"], json!(["tariff/now"]));
        assert_eq!(found["left_out"], json!(["to/%c"]));
    }
}
