//! Plaintext MQTT that may leave: the exceptions of the configuration while they hold, and those
//! that the owner makes for a time.

use std::collections::BTreeSet;
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use mqttguard_common::Mac;

use super::Refused;
use super::{Registry, Save, UnixMs};
use crate::config::{Exception, TimedException};
use crate::events::{EventKind, ExceptionChange};

/// An exception for one device that the owner made for a time, without a section in the
/// configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// The device.
    pub mac: Mac,
    /// Where to; None: anywhere.
    pub destination: Option<IpNet>,
    /// Only this TCP or UDP port; None: all.
    pub port: Option<u16>,
    /// When it ends.
    pub until_ms: UnixMs,
    /// For how long it was made, in milliseconds: no clock makes more of it.
    pub for_ms: u64,
    /// Made in this run of the daemon, by the clock as it was then.
    pub(super) fresh: bool,
}

impl Allowance {
    /// How the kernel program is told.
    pub(super) fn exceptions(&self) -> Vec<Exception> {
        let everywhere = || vec![IpNet::V4(Ipv4Net::default()), IpNet::V6(Ipv6Net::default())];
        let destinations = self.destination.map_or_else(everywhere, |one| vec![one]);
        let exception = |destination| Exception {
            name: "allowed".to_owned(),
            mac: Some(self.mac),
            destination,
            port: self.port,
        };
        destinations.into_iter().map(exception).collect()
    }

    fn is_about(&self, mac: Mac, destination: Option<IpNet>, port: Option<u16>) -> bool {
        (self.mac, self.destination, self.port) == (mac, destination, port)
    }

    fn event(&self, change: ExceptionChange) -> EventKind {
        EventKind::Exception {
            change,
            section: None,
            destination: self.destination,
            port: self.port,
            until_ms: Some(self.until_ms),
        }
    }
}

impl Registry {
    /// Allowances at the same time.
    pub const MAX_ALLOWANCES: usize = 32;

    /// The shortest and longest time that one is made for.
    pub const ALLOWANCE_TIMES: (Duration, Duration) = (
        Duration::from_secs(60),
        Duration::from_secs(30 * 24 * 60 * 60),
    );

    /// What holds now.
    pub fn exceptions(&self) -> Vec<Exception> {
        let configured = self.settings.exceptions.iter();
        let mut exceptions: Vec<Exception> = configured
            .filter(|timed| self.holds(timed))
            .map(|timed| timed.exception.clone())
            .collect();
        exceptions.extend(self.allowances.iter().flat_map(Allowance::exceptions));
        exceptions.extend(self.described.exceptions.iter().cloned());
        exceptions
    }

    /// Whether an exception of the configuration holds still.
    pub fn holds(&self, timed: &TimedException) -> bool {
        timed
            .expires_ms
            .is_none_or(|expires| !self.passed.contains(&expires))
    }

    /// The exceptions that the owner has made for a time.
    pub fn allowances(&self) -> &[Allowance] {
        &self.allowances
    }

    /// The ends of configured exceptions that have passed.
    pub(super) fn passed(&self) -> &BTreeSet<UnixMs> {
        &self.passed
    }

    /// Lets a device's plaintext MQTT leave for a time. One for the same destination and port
    /// gives way to it. Returns when it ends.
    ///
    /// # Errors
    ///
    /// When there are too many, or too many for the same destination.
    pub fn allow(
        &mut self,
        now: UnixMs,
        mac: Mac,
        destination: Option<IpNet>,
        port: Option<u16>,
        time: Duration,
    ) -> Result<UnixMs, Refused> {
        let others = self.allowances.iter();
        let others = others.filter(|other| !other.is_about(mac, destination, port));
        let mut kept: Vec<Allowance> = others.cloned().collect();
        if kept.len() >= Self::MAX_ALLOWANCES {
            return Err(Refused::TooManyAllowances(Self::MAX_ALLOWANCES));
        }
        let for_ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let allowance = Allowance {
            mac,
            destination,
            port,
            until_ms: now.saturating_add(for_ms),
            for_ms,
            fresh: true,
        };
        if !self.has_room(&kept, &allowance) {
            return Err(Refused::NoRoomForAllowance);
        }
        let until_ms = allowance.until_ms;
        self.tell(mac, allowance.event(ExceptionChange::Made));
        kept.push(allowance);
        self.allowances = kept;
        self.effects.exceptions = true;
        self.effects.save(Save::Now);
        Ok(until_ms)
    }

    /// Takes back what a device was allowed: all of it, or what is about this destination or this
    /// port. Returns how many allowances that were.
    pub fn disallow(&mut self, mac: Mac, destination: Option<IpNet>, port: Option<u16>) -> usize {
        let meant = |allowance: &Allowance| {
            allowance.mac == mac
                && (destination.is_none() || allowance.destination == destination)
                && (port.is_none() || allowance.port == port)
        };
        let count = self.end(meant, ExceptionChange::Withdrawn);
        if count > 0 {
            self.effects.save(Save::Now);
        }
        count
    }

    /// Ends what is over. Ends of the configuration's that pass are told, unless that is `silent`.
    pub(super) fn expire(&mut self, now: UnixMs, silent: bool) {
        for allowance in &mut self.allowances {
            // The clock was set back since.
            let latest = now.saturating_add(allowance.for_ms);
            allowance.until_ms = allowance.until_ms.min(latest);
        }
        self.end(
            |allowance| allowance.until_ms <= now,
            ExceptionChange::Expired,
        );
        let settings = self.settings.clone();
        let is_over = |timed: &&TimedException| timed.expires_ms.is_some_and(|end| end <= now);
        let over = settings.exceptions.iter().filter(is_over);
        for timed in over.filter(|timed| self.holds(timed)).collect::<Vec<_>>() {
            self.passed.extend(timed.expires_ms);
            self.effects.exceptions = true;
            self.effects.save(Save::Soon);
            if !silent {
                self.tell_expired(timed);
            }
        }
    }

    fn tell_expired(&mut self, timed: &TimedException) {
        let exception = &timed.exception;
        let kind = EventKind::Exception {
            change: ExceptionChange::Expired,
            section: Some(exception.name.clone()),
            destination: Some(exception.destination),
            port: exception.port,
            until_ms: timed.expires_ms,
        };
        match exception.mac {
            Some(mac) => self.tell(mac, kind),
            None => self.effects.told.push((None, None, kind)),
        }
    }

    /// Follows another configuration: an allowance that it leaves no room for ends, and of ends
    /// that have passed only those that it names are kept in mind.
    pub(super) fn follow_exceptions(&mut self, now: UnixMs) {
        let settings = self.settings.clone();
        let named: BTreeSet<UnixMs> = settings
            .exceptions
            .iter()
            .filter_map(|timed| timed.expires_ms)
            .collect();
        self.passed.retain(|end| named.contains(end));
        // They come last, and are put in force anew.
        self.described.exceptions.clear();
        self.expire(now, true);
        for allowance in std::mem::take(&mut self.allowances) {
            if self.has_room(&self.allowances, &allowance) {
                self.allowances.push(allowance);
            } else {
                self.tell(allowance.mac, allowance.event(ExceptionChange::Crowded));
                self.effects.save(Save::Soon);
            }
        }
        self.effects.exceptions = true;
    }

    /// As [`Registry::clock_set`], for what was made by the clock of before. What was read from
    /// disk was made by another, and right.
    pub(super) fn move_allowances(&mut self, before: UnixMs, after: UnixMs) {
        for allowance in self
            .allowances
            .iter_mut()
            .filter(|allowance| allowance.fresh)
        {
            let left = allowance.until_ms.saturating_sub(before);
            allowance.until_ms = after.saturating_add(left);
        }
    }

    fn end(&mut self, over: impl Fn(&Allowance) -> bool, change: ExceptionChange) -> usize {
        let all = std::mem::take(&mut self.allowances);
        let (ended, kept): (Vec<_>, Vec<_>) = all.into_iter().partition(over);
        self.allowances = kept;
        for allowance in &ended {
            self.tell(allowance.mac, allowance.event(change));
            self.effects.exceptions = true;
            self.effects.save(Save::Soon);
        }
        ended.len()
    }

    /// Whether the kernel program has room for it beside `kept` and the whole configuration, with
    /// what of that has expired: it may be given more time.
    fn has_room(&self, kept: &[Allowance], allowance: &Allowance) -> bool {
        let configured = self.settings.exceptions.iter();
        let mut others: Vec<Exception> = configured.map(|timed| timed.exception.clone()).collect();
        others.extend(kept.iter().flat_map(Allowance::exceptions));
        others.extend(self.described.exceptions.iter().cloned());
        allowance.exceptions().into_iter().all(|exception| {
            let fits = exception.fits(&others);
            others.push(exception);
            fits
        })
    }
}
