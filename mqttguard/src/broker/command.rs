//! A call on its way to the broker's thread.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use super::live::{LiveAnswer, LiveQuery};
use super::stats::BrokerStats;
use super::{Logins, TlsByListener};
use crate::config::{Bridge, Listener};
use crate::registry::Directory;

/// A call of [`super::BrokerHandle`].
pub(super) enum Command {
    Directory(Arc<Directory>),
    Logins(Arc<Logins>),
    Listeners(Vec<Listener>, TlsByListener),
    SysInterval(Duration),
    Bridges(Vec<Bridge>),
    Stats(SyncSender<BrokerStats>),
    Live(LiveQuery, LiveAnswer),
    EndLive,
    Stop,
}
