//! From the files of an earlier run to a broker.

use std::io;
use std::sync::Arc;

use mqttguard_broker::{Broker, Config, Grants, Limits, Outcome, Restore};

use super::clock::SteadyClock;
use super::segments::{Found, Segments};
use super::staged::Staged;
use super::writer::Writer;
use super::{Journal, Place, Wake};
use crate::events::JournalNews;

/// A broker with what the journal has, its clock, and what is to be told.
pub(in super::super) struct Started {
    pub(in super::super) core: Broker,
    pub(in super::super) clock: SteadyClock,
    pub(in super::super) journal: Option<Journal>,
    pub(in super::super) news: Vec<JournalNews>,
}

/// Restores a broker. `rights` answers what a client of an identity may do and use. A journal
/// that cannot be opened or read is told, left as it is and not written until the next start.
pub(in super::super) fn start(
    place: Option<Place>,
    config: Config,
    wake: Wake,
    rights: impl FnMut(&str, &str) -> Option<(Arc<Grants>, Arc<Limits>)>,
) -> Started {
    let Some(place) = place else {
        return Started {
            core: Broker::new(config),
            clock: SteadyClock::after(None),
            journal: None,
            news: Vec::new(),
        };
    };
    let mut restore = Restore::new();
    let opened = open(&place, &mut restore, wake);
    let mut news = Vec::new();
    let (writer, found, trouble) = match opened {
        Ok((writer, found)) => (writer, found, None),
        Err(error) => {
            restore = Restore::new();
            let trouble = JournalNews::Unusable {
                directory: place.directory.display().to_string(),
                why: error.to_string(),
            };
            news.push(trouble.clone());
            (Writer::Nobody, Vec::new(), Some(trouble))
        }
    };
    let clock = SteadyClock::after(restore.clock());
    let mut core;
    if trouble.is_some() {
        core = Broker::new(config);
    } else {
        let outcome;
        (core, outcome) = restore.finish(config, clock.now(), rights);
        news.extend(tell(&found, &outcome));
        core.begin_segment(clock.boot());
    }
    let journal = Journal {
        place,
        boot: clock.boot(),
        writer,
        begins: true,
        bytes: 0,
        live: 0,
        trouble,
        retry_at: None,
        staged: Staged::default(),
        underway: Staged::default(),
        busy: false,
        gated: false,
        passed_over: false,
        read: 0,
        scratch: Vec::new(),
    };
    Started {
        core,
        clock,
        journal: Some(journal),
        news,
    }
}

fn open(place: &Place, restore: &mut Restore, wake: Wake) -> io::Result<(Writer, Vec<Found>)> {
    let mut segments = Segments::open(&place.directory, place.disk)?;
    let found = segments.read(restore)?;
    let writer = if place.disk {
        Writer::thread(segments, wake)?
    } else {
        Writer::Here(segments)
    };
    Ok((writer, found))
}

/// What was restored and what was not. The end of a write that a crash cut short is the normal
/// thing and only in the log.
fn tell(found: &[Found], outcome: &Outcome) -> Vec<JournalNews> {
    let mut news = Vec::new();
    for Found { file, segment } in found {
        let (file, unread, read) = (file.display(), segment.unread, segment.read);
        if segment.damaged {
            news.push(JournalNews::Damaged {
                file: file.to_string(),
                read,
                unread,
            });
        } else if unread > 0 {
            log::info!("{file}: the last write was cut short; {unread} bytes of it are left out");
        }
    }
    let Outcome {
        sessions,
        subscriptions,
        queued: messages,
        retained,
        disowned: count,
        crowded_out,
        missing,
    } = *outcome;
    if sessions > 0 || retained > 0 {
        news.push(JournalNews::Restored {
            sessions,
            subscriptions,
            messages,
            retained,
        });
    }
    if count > 0 {
        news.push(JournalNews::Disowned { count });
    }
    if crowded_out > 0 || missing > 0 {
        news.push(JournalNews::Missing {
            sessions: crowded_out,
            messages: missing,
        });
    }
    news
}
