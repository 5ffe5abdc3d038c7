//! The methods `mud` and `sighting`.

use mqttguard_common::Mac;
use serde_json::Value;

use super::Word;
use crate::config;
use crate::daemon::answers::{Answer, invalid};
use crate::daemon::arguments::{Args, text};
use crate::daemon::clock::unix_ms;
use crate::daemon::fault::Fault;
use crate::daemon::report;
use crate::daemon::wiring::Daemon;
use crate::json::json;
use crate::mud::URL_BYTES;
use crate::text::is_dangerous;
use crate::ubus::{MethodError, Reply};

/// Longest vendor class: what a DHCP option can hold.
const VENDOR_CLASS_BYTES: usize = 255;

/// What is to be done for an owner.
enum Step {
    /// It is done.
    Done(Value),
    /// A file is to be fetched first; the URL is the owner's word, or not.
    Fetch(Mac, String, bool, Option<Word>),
}

impl Daemon {
    /// `mud`. The answer may come later, when a file was fetched.
    pub(in crate::daemon) fn mud_called(&mut self, args: &Args, reply: Reply) {
        match self.mud_step(args) {
            Ok(Step::Fetch(mac, url, by_hand, word)) => {
                self.fetch_for(mac, url, by_hand, reply, word);
            }
            Ok(Step::Done(value)) => {
                self.settle();
                reply.send(Ok(value));
            }
            Err(error) => reply.send(Err(error)),
        }
    }

    fn mud_step(&mut self, args: &Args) -> Result<Step, MethodError> {
        let mac = self.wanted(args)?;
        let truth = |name| args.get(name).and_then(Value::as_bool).unwrap_or(false);
        let (url, accept, forget) = (text(args, "url"), truth("accept"), truth("forget"));
        if forget {
            if accept || url.is_some() {
                return Err(invalid(
                    "forget: expected alone, without url and accept".to_owned(),
                ));
            }
            return self.forget_method(mac).map(Step::Done);
        }
        let word = accept.then(|| Word {
            unverified: truth("unverified"),
            sha256: text(args, "sha256").map(str::to_owned),
        });
        if let Some(url) = url {
            let is_url = url.len() <= URL_BYTES && config::url(url).is_some_and(|url| url.is_tls);
            return match is_url {
                true => Ok(Step::Fetch(mac, url.to_owned(), true, word)),
                false => Err(Fault::MudUrl {
                    found: url.to_owned(),
                }
                .into()),
            };
        }
        // What the owner has not seen is not accepted: the device chooses the URL.
        if let Some(word) = word {
            self.accept(mac, &word)?;
            return report::mud(self, mac).map(Step::Done);
        }
        let accepted = self.descriptions.accepted(mac);
        let by_hand = accepted.filter(|one| one.by_hand);
        let announced = self
            .registry
            .device(mac)
            .and_then(|device| device.mud_url.clone());
        match (by_hand, announced, accepted) {
            (Some(one), _, _) => Ok(Step::Fetch(mac, one.url.clone(), true, None)),
            (None, Some(url), _) => Ok(Step::Fetch(mac, url, false, None)),
            (None, None, Some(one)) => Ok(Step::Fetch(mac, one.url.clone(), false, None)),
            (None, None, None) => Err(Fault::MudUnannounced { mac }.into()),
        }
    }

    fn forget_method(&mut self, mac: Mac) -> Answer {
        let url = self.forget(mac)?.ok_or(Fault::MudNone { mac })?;
        Ok(json!({
            "mac": mac.to_string(),
            "name": report::name(self, mac),
            "url": url,
            "forgotten": true,
        }))
    }

    /// `sighting`: what a device told the DHCP server of itself. All of it is hostile.
    pub(in crate::daemon) fn sighting_method(&mut self, args: &Args) -> Answer {
        let mac = text(args, "mac").and_then(|mac| mac.parse::<Mac>().ok());
        let mac = mac
            .filter(|mac| mac.is_device())
            .ok_or_else(|| invalid("mac: expected the MAC address of a device".to_owned()))?;
        let vendor_class = text(args, "vendor_class").and_then(printable);
        // A space ends the URL; what is behind it is reserved (RFC 8520 section 10.1).
        let mud_url = text(args, "mud_url")
            .map(|said| said.split_once(' ').map_or(said, |(url, _)| url))
            .filter(|url| url.len() <= URL_BYTES && config::url(url).is_some_and(|url| url.is_tls));
        let mud_url = mud_url.map(str::to_owned);
        self.registry
            .described(unix_ms(), mac, vendor_class, mud_url);
        Ok(json!({}))
    }
}

/// A text that a device chose, fit to be shown. None if nothing is left of it.
fn printable(text: &str) -> Option<String> {
    let mut text: String = text.chars().filter(|c| !is_dangerous(*c)).collect();
    text.truncate(text.floor_char_boundary(VENDOR_CLASS_BYTES));
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}
