//! Keeps the history, and answers `history`.

use serde_json::{Map, Value};

use super::answers::{Answer, never_seen};
use super::arguments::{Args, text};
use super::clock::{millis, unix_ms, uptime};
use super::report;
use super::wiring::Daemon;
use crate::broker::BrokerStats;
use crate::config::Bindings;
use crate::history::{BrokerCounters, STEP_S, Series};
use crate::json::json;

impl Daemon {
    /// Once a second: ends the running minute if it is over.
    pub(super) fn follow_history(&mut self) {
        let now = uptime();
        if !self.history.is_due(now) {
            return;
        }
        // What was counted up to now belongs to the minute that is over.
        self.look_at_kernel();
        self.history.advance(now);
        let registry = &self.registry;
        self.history.retain(|mac| registry.device(mac).is_some());
    }

    /// Takes what the kernel program, and nftables in its place, has counted since the last look
    /// into the running minute.
    pub(super) fn look_at_kernel(&mut self) {
        self.history.look_at_fallback(self.guard.fallback.drops());
        let counters = self.guard.read_counters();
        let drops_mismatch = self.configuration.settings.main.bindings == Bindings::Drop;
        let registry = &self.registry;
        let is_known = |mac| registry.device(mac).is_some();
        self.history
            .look_at_kernel(counters.as_deref(), drops_mismatch, is_known);
    }

    /// The same of the broker.
    pub(super) fn look_at_broker(&mut self, stats: &BrokerStats) {
        let counters = BrokerCounters {
            refused: stats.logins.refused.saturating_add(stats.core.refused),
            messages: stats.core.messages_in,
            delivered: stats.core.messages_out,
            connected: stats.core.connected,
            by_device: stats.published.clone(),
        };
        let registry = &self.registry;
        let is_known = |mac| registry.device(mac).is_some();
        self.history.look_at_broker(counters, is_known);
    }

    pub(super) fn history_method(&mut self, args: &Args) -> Answer {
        let mac = match text(args, "device") {
            Some(_) => Some(self.wanted(args)?),
            None => None,
        };
        self.follow_history();
        self.look_at_kernel();
        if let Ok(broker) = &mut self.broker
            && let Some(stats) = broker.now()
        {
            self.look_at_broker(&stats);
        }
        let mut out = match mac {
            None => json!({ "series": series(self.history.house()) }),
            Some(mac) => {
                let name = report::name(self, mac).ok_or_else(|| never_seen(mac))?;
                json!({
                    "mac": mac.to_string(),
                    "name": name,
                    "series": series(self.history.device(mac)),
                })
            }
        };
        if let Some(object) = out.as_object_mut() {
            let left = millis(self.history.left(uptime()));
            object.insert("step_s".to_owned(), json!(STEP_S));
            object.insert("until_ms".to_owned(), json!(unix_ms().saturating_add(left)));
        }
        Ok(out)
    }
}

fn series(all: impl IntoIterator<Item = Series>) -> Map<String, Value> {
    let named = |(name, samples): Series| (name.to_owned(), json!(samples));
    all.into_iter().map(named).collect()
}
