//! What is remembered of each peer: connections, failed logins, what was told.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use mqttguard_broker::Time;
use mqttguard_common::Mac;

use super::Bounds;

/// Peers remembered without a connection.
const REMEMBERED: usize = 1024;
/// A failed login counts for this long after the last one.
const FAILURES_LAST: Duration = Duration::from_secs(60);
/// Answers are held back by this for the second failure, twice that for the third, and so on.
const FIRST_DELAY_MS: u64 = 125;
/// Longest delay. Stays below the least sensible CONNACK timeout of a client.
const MAX_DELAY_MS: u64 = 2_000;
/// Least time between two events of the broker's own about one peer.
const BETWEEN_EVENTS: Duration = Duration::from_secs(1);

/// Whom a connection is put down to: the device, however many addresses it takes (IPv6 lets it
/// take as many as it likes); the address, where the device behind it is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Origin {
    Device(Mac),
    Address(IpAddr),
}

impl Origin {
    pub(super) fn of(address: IpAddr, mac: Option<Mac>) -> Origin {
        mac.map_or(Origin::Address(address), Origin::Device)
    }
}

/// A connection that would have to wait longer than this for its turn is not worth keeping: its
/// client has given up by then.
const PATIENCE: Duration = Duration::from_secs(4);

/// A peer connects more often than it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooOften;

#[derive(Default)]
struct Peer {
    connections: u32,
    /// The theoretical arrival time of the next connection (generic cell rate algorithm).
    next_connect: Time,
    failures: u32,
    last_failure: Time,
    told: Option<Time>,
    suppressed: u32,
}

impl Peer {
    fn is_idle(&self, now: Time) -> bool {
        self.connections == 0
            && self.next_connect <= now
            && (self.failures == 0 || self.is_forgiven(now))
    }

    fn is_forgiven(&self, now: Time) -> bool {
        now.since(self.last_failure) >= FAILURES_LAST
    }
}

/// All peers that are connected, and the last that misbehaved.
#[derive(Default)]
pub(super) struct Peers {
    peers: HashMap<Origin, Peer>,
}

impl Peers {
    /// Counts a connection, unless there are `limit` already.
    pub(super) fn connect(&mut self, now: Time, origin: Origin, limit: u32) -> bool {
        let peer = self.entry(now, origin);
        let fits = peer.connections < limit;
        if fits {
            peer.connections = peer.connections.saturating_add(1);
        }
        fits
    }

    /// Counts a new connection in the rate of its peer. When its turn is: None for now, an error
    /// for never.
    pub(super) fn pace(
        &mut self,
        now: Time,
        origin: Origin,
        bounds: &Bounds,
    ) -> Result<Option<Time>, TooOften> {
        let peer = self.entry(now, origin);
        let each = 1000u64.checked_div(bounds.connects_per_s.into());
        let each = each.unwrap_or(u64::MAX);
        let burst = each.saturating_mul(u64::from(bounds.connects_burst).saturating_sub(1));
        let from = peer.next_connect.max(now);
        let turn = Time(from.0.saturating_sub(burst));
        if turn > now + PATIENCE {
            return Err(TooOften);
        }
        peer.next_connect = Time(from.0.saturating_add(each));
        Ok((turn > now).then_some(turn))
    }

    pub(super) fn disconnect(&mut self, now: Time, origin: Origin) {
        if let Some(peer) = self.peers.get_mut(&origin) {
            peer.connections = peer.connections.saturating_sub(1);
            if peer.is_idle(now) {
                self.peers.remove(&origin);
            }
        }
    }

    /// Counts a failed login.
    pub(super) fn failed(&mut self, now: Time, origin: Origin) {
        let peer = self.entry(now, origin);
        if peer.is_forgiven(now) {
            peer.failures = 0;
        }
        peer.failures = peer.failures.saturating_add(1);
        peer.last_failure = now;
    }

    /// How long to hold back any answer to a login from here, good or bad: a fast answer must
    /// not be the sign of a good one.
    pub(super) fn delay(&self, now: Time, origin: Origin) -> Duration {
        let failures = match self.peers.get(&origin) {
            Some(peer) if !peer.is_forgiven(now) => peer.failures,
            _ => 0,
        };
        let Some(doublings) = failures.checked_sub(2) else {
            return Duration::ZERO;
        };
        let delay = FIRST_DELAY_MS
            .checked_shl(doublings.min(16))
            .unwrap_or(MAX_DELAY_MS);
        Duration::from_millis(delay.min(MAX_DELAY_MS))
    }

    /// Whether to tell of this peer now. Some: yes, and how many were left out since the
    /// last time.
    pub(super) fn may_tell(&mut self, now: Time, origin: Origin) -> Option<u32> {
        let peer = self.entry(now, origin);
        if peer
            .told
            .is_some_and(|told| now.since(told) < BETWEEN_EVENTS)
        {
            peer.suppressed = peer.suppressed.saturating_add(1);
            return None;
        }
        peer.told = Some(now);
        Some(std::mem::take(&mut peer.suppressed))
    }

    fn entry(&mut self, now: Time, origin: Origin) -> &mut Peer {
        if self.peers.len() >= REMEMBERED && !self.peers.contains_key(&origin) {
            self.peers.retain(|_, peer| !peer.is_idle(now));
            let oldest = self
                .peers
                .iter()
                .filter(|(_, peer)| peer.connections == 0)
                .min_by_key(|(_, peer)| peer.last_failure)
                .map(|(origin, _)| *origin);
            if let Some(oldest) = oldest
                && self.peers.len() >= REMEMBERED
            {
                self.peers.remove(&oldest);
            }
        }
        self.peers.entry(origin).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Origin = Origin::Address(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));

    #[test]
    fn delays_grow_to_a_bound_and_are_forgiven() {
        let mut peers = Peers::default();
        let mut delays = Vec::new();
        for second in 0..20 {
            let now = Time(second * 1000);
            peers.failed(now, HERE);
            delays.push(peers.delay(now, HERE).as_millis());
        }
        assert_eq!(delays[..6], [0, 125, 250, 500, 1000, 2000]);
        assert!(delays[6..].iter().all(|delay| *delay == 2000));
        assert_eq!(peers.delay(Time(19_000 + 60_000), HERE), Duration::ZERO);
    }

    #[test]
    fn connections_are_counted_and_bounded() {
        let mut peers = Peers::default();
        let now = Time(0);
        assert!(peers.connect(now, HERE, 2) && peers.connect(now, HERE, 2));
        assert!(!peers.connect(now, HERE, 2));
        peers.disconnect(now, HERE);
        assert!(peers.connect(now, HERE, 2));
        peers.disconnect(now, HERE);
        peers.disconnect(now, HERE);
        assert!(peers.peers.is_empty());
    }

    #[test]
    fn who_connects_too_often_waits_its_turn_and_is_refused_if_that_is_far() {
        let mut peers = Peers::default();
        let bounds = Bounds {
            connects_per_s: 2,
            connects_burst: 10,
            ..Bounds::default()
        };
        let mut at_once = 0;
        let mut turns = Vec::new();
        let refused = loop {
            match peers.pace(Time(1000), HERE, &bounds) {
                Ok(None) => at_once += 1,
                Ok(Some(turn)) => turns.push(turn.0),
                Err(TooOften) => break turns.len(),
            }
        };
        assert_eq!((at_once, refused), (10, 8));
        assert_eq!(turns, [1500, 2000, 2500, 3000, 3500, 4000, 4500, 5000]);
        // What is refused takes no turn, and leaving does not wipe the slate.
        peers.disconnect(Time(1000), HERE);
        assert_eq!(peers.pace(Time(1400), HERE, &bounds), Err(TooOften));
        assert_eq!(peers.pace(Time(1500), HERE, &bounds), Ok(Some(Time(5500))));
        let other = Origin::Address([127, 0, 0, 9].into());
        assert_eq!(peers.pace(Time(1500), other, &bounds), Ok(None));
        assert_eq!(peers.pace(Time(60_000), HERE, &bounds), Ok(None));
    }

    #[test]
    fn a_flood_of_addresses_is_bounded_and_spares_the_connected() {
        let mut peers = Peers::default();
        assert!(peers.connect(Time(0), HERE, 1));
        for n in 0..5000u32 {
            peers.failed(Time(u64::from(n)), Origin::Address(IpAddr::V4(n.into())));
        }
        assert!(peers.peers.len() <= REMEMBERED);
        assert!(!peers.connect(Time(5000), HERE, 1));
    }

    #[test]
    fn tells_once_a_second_and_counts_the_rest() {
        let mut peers = Peers::default();
        assert_eq!(peers.may_tell(Time(0), HERE), Some(0));
        assert_eq!(peers.may_tell(Time(500), HERE), None);
        assert_eq!(peers.may_tell(Time(999), HERE), None);
        assert_eq!(peers.may_tell(Time(1000), HERE), Some(2));
    }
}
