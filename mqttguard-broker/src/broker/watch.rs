use std::sync::Arc;

use super::Broker;
use crate::codec::QoS;
use crate::codec::content::Content;
use crate::retained::Step;
use crate::timers::Timer;
use crate::watch::{Glance, Shown, Wanted};
use crate::{Time, topic};

/// Retained messages looked at in one step of a search.
const STEP: u32 = 1024;

impl Broker {
    /// Watches topics until a time, or longer if they are watched longer already: their latest
    /// values are there for [`Broker::glance`]. What is retained is looked for at once, or, if it
    /// is much, as [`Broker::tick`] is called.
    ///
    /// # Errors
    ///
    /// What is wrong with the filter.
    pub fn watch(
        &mut self,
        now: Time,
        wanted: Wanted<'_>,
        until: Time,
    ) -> Result<(), &'static str> {
        topic::check_filter(wanted.filter)?;
        if topic::split_share(wanted.filter)?.is_some() {
            return Err("a shared subscription is nobody's to look at");
        }
        self.watching.begin(wanted, until);
        self.search_retained(now);
        self.watch_watching();
        Ok(())
    }

    /// What is watched, of these at most `limit`.
    pub fn glance(&self, wanted: Wanted<'_>, limit: usize) -> Glance {
        self.watching.glance(wanted, limit)
    }

    /// Ends all watching.
    pub fn unwatch(&mut self) {
        self.watching.end();
        self.watch_watching();
    }

    /// [`Timer::Watch`].
    pub(super) fn watch_due(&mut self, now: Time) {
        self.watch_at = Time::NEVER;
        self.watching.expire(now);
        self.watch_watching();
    }

    fn watch_watching(&mut self) {
        let due = self.watching.due().unwrap_or(Time::NEVER);
        self.timers.set(Timer::Watch, &mut self.watch_at, due);
    }

    /// Takes one step in the search for what is retained and watched.
    pub(super) fn search_retained(&mut self, now: Time) {
        let Some(mut replay) = self.watching.take_replay() else {
            return;
        };
        let mut budget = STEP;
        loop {
            let step = self
                .retained
                .next(now, &replay.filter, &mut replay.cursor, &mut budget);
            let (message, source) = match step {
                Step::Found(message, source) => (message, source),
                Step::Later => return self.watching.put_replay(replay),
                Step::End => return,
            };
            let publisher = self.identities.get(source.owner);
            let publisher = publisher.map(|identity| &identity.name);
            let wanted = replay.publisher.as_deref();
            if wanted.is_none() || wanted == publisher.map(|name| &**name) {
                self.watching.found(Shown {
                    publisher,
                    topic: message.topic(),
                    payload: message.payload(),
                    qos: message.qos,
                    retained: true,
                });
            }
            if budget == 0 {
                return self.watching.put_replay(replay);
            }
        }
    }

    /// Shows a message to whoever watches.
    pub(super) fn show(
        &mut self,
        now: Time,
        publisher: Option<u32>,
        topic: &str,
        content: &Content<'_>,
        qos: QoS,
        retain: bool,
    ) {
        let session = publisher.and_then(|index| self.sessions.get(index));
        let identity = session.and_then(|session| self.identities.get(session.identity));
        let name: Option<&Arc<str>> = identity.map(|identity| &identity.name);
        self.watching.published(
            now,
            Shown {
                publisher: name,
                topic,
                payload: content.payload,
                qos,
                retained: retain && !content.payload.is_empty(),
            },
        );
    }
}
