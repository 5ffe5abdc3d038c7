//! Answers `live`. The broker's thread has what there is to see; nobody waits for it here.

use serde_json::Value;

use super::Input;
use super::answers::{Answer, invalid, never_seen, no_broker};
use super::arguments::{Args, text};
use super::clock::{millis, unix_ms};
use super::fault::Fault;
use super::wiring::Daemon;
use crate::broker::{Live, LiveQuery, LiveTopic};
use crate::json::json;
use crate::ubus::{MethodError, Reply};

/// Topics in an answer, if the caller names no number, and at most: what a reply on the bus holds.
const LIMITS: (usize, usize) = (500, 1000);

/// What the broker has answered, and whom.
pub(super) struct LiveReply {
    live: Result<Live, &'static str>,
    filter: String,
    reply: Reply,
}

impl Daemon {
    pub(super) fn live_method(&mut self, args: &Args, reply: Reply) {
        match self.live_query(args) {
            Ok(Some(query)) => self.ask_live(query, reply),
            Ok(None) => reply.send(Ok(shown(Live::default()))),
            Err(error) => reply.send(Err(error)),
        }
    }

    /// What is asked for; None if there cannot be anything.
    fn live_query(&self, args: &Args) -> Result<Option<LiveQuery>, MethodError> {
        if !self.configuration.settings.main.live {
            return Err(Fault::LiveOff.into());
        }
        let limit = limit(args)?;
        let mut publisher = None;
        if text(args, "device").is_some() {
            let mac = self.wanted(args)?;
            let device = self.registry.device(mac).ok_or_else(|| never_seen(mac))?;
            let Some(credential) = &device.credential else {
                return Ok(None);
            };
            publisher = Some(credential.username.clone());
        }
        Ok(Some(LiveQuery {
            filter: text(args, "filter").unwrap_or("#").to_owned(),
            publisher,
            limit,
        }))
    }

    fn ask_live(&self, query: LiveQuery, reply: Reply) {
        let broker = match &self.broker {
            Ok(broker) => broker,
            Err(error) => return reply.send(Err(no_broker(&format!("the broker: {error}")))),
        };
        let (inbox, filter) = (self.inbox.clone(), query.filter.clone());
        let answer = move |live| {
            // If there is no room, the caller is told that there was no answer.
            let answer = LiveReply {
                live,
                filter,
                reply,
            };
            let _ = inbox.try_send(Input::Live(Box::new(answer)));
        };
        broker.handle.ask_live(query, Box::new(answer));
    }

    /// The broker has answered.
    pub(super) fn lived(answer: LiveReply) {
        let LiveReply {
            live,
            filter,
            reply,
        } = answer;
        let live: Answer = live.map(shown).map_err(|why| {
            let (found, why) = (filter, why.to_string());
            Fault::BadFilter { found, why }.into()
        });
        reply.send(live);
    }
}

fn limit(args: &Args) -> Result<usize, MethodError> {
    let (usual, most) = LIMITS;
    let Some(found) = args.get("limit") else {
        return Ok(usual);
    };
    let limit = found.as_u64().and_then(|limit| usize::try_from(limit).ok());
    limit
        .filter(|limit| (1..=most).contains(limit))
        .ok_or_else(|| {
            invalid(format!(
                "limit: found {found}, expected a number from 1 to {most}"
            ))
        })
}

fn shown(live: Live) -> Value {
    let now = unix_ms();
    json!({
        "topics": live.topics.into_iter().map(|one| topic(one, now)).collect::<Vec<_>>(),
        "more": live.more,
        "left_out": live.left_out,
        "until_ms": now.saturating_add(millis(live.left)),
    })
}

fn topic(one: LiveTopic, now: u64) -> Value {
    let LiveTopic { sight, age, device } = one;
    let is_whole = sight.bytes == sight.value.len();
    let (mac, name) = device.unzip();
    let mut out = json!({
        "topic": &*sight.topic,
        "value": readable(&sight.value, is_whole),
        "bytes": sight.bytes,
        "retained": sight.retained,
        "qos": sight.qos,
        "mac": mac.map(|mac| mac.to_string()),
        "name": name,
        "publisher": sight.publisher.as_deref(),
        "time_ms": age.map(|age| now.saturating_sub(millis(age))),
        "count": sight.count,
    });
    if let Some(object) = out.as_object_mut() {
        object.retain(|_, value| !value.is_null());
    }
    out
}

/// A value as text, if it is one; the last character of the beginning of one may be cut.
fn readable(value: &[u8], is_whole: bool) -> Option<&str> {
    // Texts end at a NUL in the daemons and libraries that it passes on its way.
    if value.contains(&0) {
        return None;
    }
    match std::str::from_utf8(value) {
        Ok(text) => Some(text),
        Err(error) if !is_whole && error.error_len().is_none() => {
            std::str::from_utf8(value.get(..error.valid_up_to())?).ok()
        }
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_text_is_shown_as_text() {
        assert_eq!(readable("21 °C".as_bytes(), true), Some("21 °C"));
        assert_eq!(readable(b"", true), Some(""));
        assert_eq!(readable(b"a\x1b[2J", true), Some("a\x1b[2J"));
        assert_eq!(readable(b"a\0b", true), None);
        assert_eq!(readable(b"\xff\xd8\xff", true), None);
        // Cut within a character.
        assert_eq!(readable(b"a\xc2", false), Some("a"));
        assert_eq!(readable(b"a\xc2", true), None);
        assert_eq!(readable(b"a\xc2b", false), None);
    }
}
