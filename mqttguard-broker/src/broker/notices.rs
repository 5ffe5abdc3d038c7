use std::sync::Arc;

use super::Broker;
use crate::outbound::NoRoom;
use crate::session::Gates;
use crate::{Access, ConnId, Notice, NoticeKind, Time};

/// Notices that nobody has asked for yet.
const NOTICES: usize = 1024;

/// Bytes of a topic that a notice shows.
const TOPIC: usize = 256;

/// The beginning of a topic, so that notices nobody asks for hold little.
pub(crate) fn shorten(topic: &str) -> String {
    topic
        .get(..topic.floor_char_boundary(TOPIC))
        .unwrap_or_default()
        .to_owned()
}

impl Broker {
    pub(super) fn push_notice(&mut self, notice: Notice) {
        if self.notices.len() >= NOTICES {
            self.notices.pop_front();
        }
        self.notices.push_back(notice);
    }

    /// Of a connection that is not let in.
    pub(super) fn tell_stranger(
        &mut self,
        conn: ConnId,
        identity: Option<Arc<str>>,
        client_id: Option<Arc<str>>,
        kind: NoticeKind,
    ) {
        self.count_limit(&kind);
        self.push_notice(Notice {
            conn,
            identity,
            client_id,
            suppressed: 0,
            kind,
        });
    }

    /// Of a session; told in any case.
    pub(super) fn tell(&mut self, session: u32, kind: NoticeKind) {
        self.count_limit(&kind);
        self.tell_counted(session, 0, kind);
    }

    fn count_limit(&mut self, kind: &NoticeKind) {
        if let NoticeKind::Limit { limit, .. } = kind {
            self.met.count(limit);
        }
    }

    fn tell_counted(&mut self, session: u32, suppressed: u32, kind: NoticeKind) {
        let Some(about) = self.sessions.get(session) else {
            return;
        };
        let notice = Notice {
            conn: about.conn,
            identity: self
                .identities
                .get(about.identity)
                .map(|identity| identity.name.clone()),
            client_id: Some(about.client_id.clone()),
            suppressed,
            kind,
        };
        self.push_notice(notice);
    }

    /// A session met a limit. Told at most a few times a second.
    pub(super) fn tell_limit(
        &mut self,
        now: Time,
        session: u32,
        limit: &'static str,
        allowed: u64,
    ) {
        self.met.count(limit);
        let Some(about) = self.sessions.get_mut(session) else {
            return;
        };
        let gates = about
            .gates
            .get_or_insert_with(|| Box::new(Gates::default()));
        if let Some(suppressed) = gates.limit.admit(now) {
            self.tell_counted(session, suppressed, NoticeKind::Limit { limit, allowed });
        }
    }

    /// A session's queue had no room for a message.
    pub(super) fn tell_no_room(&mut self, now: Time, session: u32, lack: NoRoom) {
        self.stats.messages_dropped += 1;
        let Some(about) = self.sessions.get(session) else {
            return;
        };
        let (limit, allowed) = match lack {
            NoRoom::Messages => ("queue_messages", about.limits.queue_messages),
            NoRoom::Bytes => ("queue_bytes", about.limits.queue_bytes),
        };
        self.tell_limit(now, session, limit, u64::from(allowed));
    }

    /// No grant covers what a session asked for. Told at most a few times a second.
    pub(super) fn tell_refused(&mut self, now: Time, session: u32, access: Access, topic: &str) {
        self.stats.refused += 1;
        let Some(about) = self.sessions.get_mut(session) else {
            return;
        };
        let gates = about
            .gates
            .get_or_insert_with(|| Box::new(Gates::default()));
        if let Some(suppressed) = gates.refused.admit(now) {
            let kind = NoticeKind::Refused {
                access,
                topic: shorten(topic),
            };
            self.tell_counted(session, suppressed, kind);
        }
    }
}
