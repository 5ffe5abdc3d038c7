//! For tests: what a broker would have to remember if it crashed now, in words.

use super::Broker;
use crate::Time;
use crate::delivery::Delivery;
use crate::journal::record::Record;
use crate::outbound::InFlight;
use crate::session::Session;

impl Broker {
    /// One line for each session and retained message that outlives a crash at `now`.
    pub(crate) fn durable(&self, now: Time) -> Vec<String> {
        let mut lines = Vec::new();
        for (index, session) in self.sessions.iter() {
            lines.extend(self.durable_session(now, index, session));
        }
        let mut after = None;
        while let Some((message, source)) = self.retained.after(after.as_deref()) {
            let owner = self.identities.get(source.owner).expect("an owner");
            lines.push(format!(
                "retained {:?} {:?} {:?} {:?} {} of {} by {}",
                message.topic(),
                message.properties(),
                short(message.payload()),
                message.expires(),
                message.qos as u8,
                owner.name,
                source.session
            ));
            after = Some(message.topic().to_owned());
        }
        lines.sort();
        lines
    }

    fn durable_session(&self, now: Time, index: u32, session: &Session) -> Option<String> {
        let will = session.will.as_deref();
        let ghost = session.ghost || session.expiry_s == 0;
        if ghost && will.is_none() {
            return None;
        }
        let left = if session.connected { now } else { session.left };
        let delay = will.map_or(0, |will| {
            if session.connected {
                will.delay_s.max(60)
            } else {
                will.delay_s
            }
        });
        let owner = self.identities.get(session.identity).expect("an owner");
        let mut line = format!(
            "session {} {:?} of {} left {left:?} ",
            session.serial, session.client_id, owner.name
        );
        if let Some(will) = will {
            let message = &will.message;
            line += &format!(
                "will {:?} {:?} {:?} {:?} {:?} {} in {delay} orphan {} ",
                message.topic,
                message.properties,
                short(&message.payload),
                message.expiry_s,
                message.qos,
                message.retain,
                will.orphan || session.connected
            );
        }
        if ghost {
            return Some(line);
        }
        line += &format!("expiry {} subscribed", session.expiry_s);
        let mut filters: Vec<String> = session
            .subscriptions
            .iter()
            .map(|&key| {
                let found = self.subscriptions.of(key, index).expect("a subscriber");
                let filter = self.subscriptions.filter(key);
                let mut bytes = Vec::new();
                Record::Subscribed {
                    session: 0,
                    filter: &filter,
                    id: found.id,
                    options: found.options,
                }
                .encode(&mut bytes);
                format!(" {filter:?}{bytes:?}")
            })
            .collect();
        filters.sort();
        line += &filters.concat();
        line += &format!(" unreleased {:?} in flight", session.unreleased);
        let delivery = |d: &Delivery| {
            let share = d.share().and_then(|s| self.subscriptions.share_filter(s));
            let message = &d.message;
            format!(
                "[{:?} {:?} {:?} {:?} {} {} {:?} {share:?}]",
                message.topic(),
                message.properties(),
                short(message.payload()),
                message.expires(),
                d.qos as u8,
                d.retain,
                d.ids.as_slice()
            )
        };
        for (id, entry) in session.out.window() {
            match entry {
                InFlight::Sent(found) => line += &format!(" {id}{}", delivery(found)),
                InFlight::Released => line += &format!(" {id} released"),
                InFlight::Done => {}
            }
        }
        line += " queued";
        for found in session.out.assured() {
            line += &delivery(found);
        }
        Some(line)
    }
}

/// A payload of the tests is one byte many times.
fn short(payload: &[u8]) -> (usize, Option<&u8>) {
    (payload.len(), payload.first())
}
