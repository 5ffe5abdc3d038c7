//! What each method of the `mqttguard` object does.

use mqttguard_common::Mac;
use serde_json::Value;

use super::answers::{Answer, invalid, never_seen, refused};
use super::arguments::{Args, destination, firmware, port, span, text, why};
use super::clock::unix_ms;
use super::fault::Fault;
use super::learning;
use super::report;
use super::snippets;
use super::wiring::Daemon;
use crate::events::Because;
use crate::json::json;
use crate::naming::Firmware;
use crate::registry::{LookupError, Registry};
use crate::ubus::{Call, MethodError, Status};

/// Events that one reply holds, if the caller names no number.
const EVENTS: usize = 50;

impl Daemon {
    /// A method was called.
    pub(super) fn called(&mut self, call: Call) {
        let Call {
            method,
            args,
            reply,
        } = call;
        let answer = match method {
            "status" => Ok(report::status(self)),
            "devices" => Ok(report::devices(self)),
            "device" => self.device_method(&args),
            "enrol" => self.enrol_method(&args),
            "snippet" => self.snippet_method(&args),
            "push" => return self.push_method(&args, reply),
            "learn" => self.learn_method(&args),
            "pair" => self.pair_method(&args),
            "rotate" => self.rotate_method(&args),
            "certificate" => self.certificate_method(&args),
            "import" => self.import_method(&args),
            "export" => Ok(self.export_method()),
            "revoke" => self.revoke_method(&args),
            "ca" => self.ca_method(),
            "renew" => self.renew_method(),
            "quarantine" => self.quarantine_method(&args),
            "release" => self.release_method(&args),
            "profiles" => Ok(report::profiles(self)),
            "check" => Ok(self.check_method()),
            "block" => self.block_method(&args),
            "unblock" => self.unblock_method(&args),
            "allow" => self.allow_method(&args),
            "disallow" => self.disallow_method(&args),
            // What it asks for may have to be fetched first: it answers by itself.
            "mud" => return self.mud_called(&args, reply),
            "sighting" => self.sighting_method(&args),
            "stats" => Ok(report::stats(self)),
            "report" => Ok(report::against_standards(self)),
            "live" => return self.live_method(&args, reply),
            "history" => self.history_method(&args),
            "events" => Ok(self.events_method(&args)),
            "reload" => {
                let ok = self.reload();
                Ok(json!({
                    "ok": ok,
                    "errors": self.configuration.errors,
                    "at_next_start": self.configuration.at_next_start,
                }))
            }
            _ => Err(MethodError::new(Status::MethodNotFound, method)),
        };
        // What was decided is in force, and on disk, before the caller hears of it.
        self.settle();
        reply.send(answer.map(|answer| self.with_warning(answer)));
    }

    fn device_method(&self, args: &Args) -> Answer {
        let mac = self.wanted(args)?;
        report::device(self, mac).ok_or_else(|| never_seen(mac))
    }

    fn snippet_method(&self, args: &Args) -> Answer {
        let mac = self.wanted(args)?;
        let firmware = firmware(args)?;
        let device = self.registry.device(mac).ok_or_else(|| never_seen(mac))?;
        let snippets = snippets::report(self, mac, firmware, None).ok_or_else(|| {
            let name = device.name.clone();
            Fault::NotEnrolled { mac, name }
        })?;
        Ok(json!({
            "mac": mac.to_string(),
            "name": device.name,
            "firmware": firmware.or_else(|| device.probable_firmware()).map(Firmware::name),
            "snippets": snippets,
        }))
    }

    fn learn_method(&mut self, args: &Args) -> Answer {
        let mac = self.wanted(args)?;
        let mut unsaved = None;
        if let Some(time) = span(args, "for", Registry::LEARNING_TIMES)? {
            let known = self.registry.learn(unix_ms(), mac, time).map_err(refused)?;
            if !known {
                return Err(never_seen(mac));
            }
            self.settle();
            unsaved = self.notes.unsaved.as_ref().or(self.unsaved.as_ref());
        }
        let answer = learning::report(self, mac).ok_or_else(|| {
            let lost = self.notes.lost.as_ref();
            let lost = lost.map_or_else(String::new, |why| {
                format!(", and earlier notes are lost ({why})")
            });
            let what = format!(
                "nothing is noted of {mac}{lost}; a time such as 1d begins it ('for', --for)"
            );
            MethodError::new(Status::NotFound, what)
        })?;
        Ok(warned(answer, unsaved))
    }

    fn block_method(&mut self, args: &Args) -> Answer {
        let mac = self.wanted(args)?;
        let why = why(args, Because::Blocked)?;
        self.registry.block(unix_ms(), mac, why).map_err(refused)?;
        self.settle();
        report::device(self, mac).ok_or_else(|| never_seen(mac))
    }

    fn quarantine_method(&mut self, args: &Args) -> Answer {
        let mac = self.wanted(args)?;
        let time = span(args, "for", Registry::CONFINEMENTS)?;
        let why = why(args, Because::Confined)?;
        self.registry
            .confine(unix_ms(), mac, time, why)
            .map_err(refused)?;
        self.settle();
        report::device(self, mac).ok_or_else(|| never_seen(mac))
    }

    fn release_method(&mut self, args: &Args) -> Answer {
        let mac = self.wanted(args)?;
        if !self.registry.let_go(mac) {
            return Err(Fault::NotQuarantined { mac }.into());
        }
        self.settle();
        report::device(self, mac).ok_or_else(|| never_seen(mac))
    }

    /// What is wrong with the configuration file as it is now; nothing of it takes force.
    fn check_method(&self) -> Value {
        let errors = self.configuration.check();
        json!({
            "file": self.configuration.file(),
            "ok": errors.is_empty(),
            "errors": errors,
        })
    }

    fn unblock_method(&mut self, args: &Args) -> Answer {
        let mac = self.wanted(args)?;
        self.registry.unblock(mac).map_err(refused)?;
        self.settle();
        report::device(self, mac).ok_or_else(|| never_seen(mac))
    }

    fn allow_method(&mut self, args: &Args) -> Answer {
        let mac = self.wanted(args)?;
        let (destination, port) = (destination(args)?, port(args)?);
        let (shortest, longest) = Registry::ALLOWANCE_TIMES;
        let time = span(args, "for", (shortest, longest))?.ok_or_else(|| {
            let (shortest, longest) = (shortest.as_secs(), longest.as_secs());
            let expected = format!("a number of seconds from {shortest} to {longest}");
            invalid(format!("for: found nothing, expected {expected}"))
        })?;
        let until_ms = self
            .registry
            .allow(unix_ms(), mac, destination, port, time)
            .map_err(refused)?;
        Ok(json!({
            "mac": mac.to_string(),
            "name": report::name(self, mac),
            "destination": destination.map(|to| to.to_string()),
            "port": port,
            "until_ms": until_ms,
        }))
    }

    fn disallow_method(&mut self, args: &Args) -> Answer {
        let mac = self.wanted(args)?;
        let withdrawn = self.registry.disallow(mac, destination(args)?, port(args)?);
        if withdrawn == 0 {
            return Err(Fault::NotAllowed { mac }.into());
        }
        Ok(json!({
            "mac": mac.to_string(),
            "name": report::name(self, mac),
            "withdrawn": withdrawn,
        }))
    }

    fn events_method(&self, args: &Args) -> Value {
        let number = |name| args.get(name).and_then(Value::as_u64);
        let limit =
            number("limit").map_or(EVENTS, |limit| usize::try_from(limit).unwrap_or(EVENTS));
        let events = self.events.read(number("since").unwrap_or(0), limit, None);
        json!({ "events": events.into_iter().map(crate::events::Event::to_json).collect::<Vec<_>>() })
    }

    pub(super) fn wanted(&self, args: &Args) -> Result<Mac, MethodError> {
        let wanted = text(args, "device").ok_or_else(|| {
            invalid(
                "device: found nothing, expected a MAC address, name, user name or IP address"
                    .to_owned(),
            )
        })?;
        self.registry.find(wanted).map_err(|error| match error {
            LookupError::Unknown(wanted) => Fault::Unknown { wanted }.into(),
            LookupError::Ambiguous { .. } => invalid(error.to_string()),
        })
    }

    /// An answer to a decision says so when the decision could not be written to disk.
    pub(super) fn with_warning(&self, answer: Value) -> Value {
        warned(answer, self.unsaved.as_ref())
    }
}

fn warned(mut answer: Value, unsaved: Option<&String>) -> Value {
    if let (Some(error), Some(object)) = (unsaved, answer.as_object_mut()) {
        let warning = format!("in force, but lost at the next restart: {error}");
        object.insert("warning".to_owned(), Value::String(warning));
        object.insert("unsaved".to_owned(), Value::String(error.clone()));
    }
    answer
}
