//! How the broker's thread comes to a connection with a bridge's server, and ends it.

use std::net::SocketAddr;
use std::sync::Arc;

use mqttguard_broker::Time;

use super::dial;
use super::uplink::{CONNECT, Far, PREPARE, Uplink};
use crate::broker::reactor::Reactor;
use crate::upstream::link::Link;

impl Reactor {
    /// Names were looked up and files read.
    pub(in crate::broker) fn take_dialled(&mut self, now: Time) {
        while let Ok(answer) = self.bridges.answers.try_recv() {
            let found = self.bridges.uplinks.iter().position(|uplink| {
                *uplink.config.name == *answer.bridge
                    && matches!(uplink.far, Far::Preparing(attempt, _) if attempt == answer.attempt)
            });
            let Some(index) = found else { continue };
            if let Some(mut uplink) = self.take_out(index) {
                match answer.found {
                    Ok(prepared) => {
                        let left = prepared.addresses.clone();
                        self.connect_next(now, &mut uplink, prepared, left);
                    }
                    Err(why) => {
                        uplink.far = Far::None;
                        uplink.machine.lost(now, &why);
                    }
                }
                self.put_back(index, uplink);
            }
            self.serve_bridge(now, index);
        }
    }

    pub(super) fn dial(&mut self, now: Time, uplink: &mut Uplink) {
        self.bridges.attempt = self.bridges.attempt.wrapping_add(1);
        let attempt = self.bridges.attempt;
        uplink.failures.clear();
        uplink.far = Far::Preparing(attempt, now + PREPARE);
        let answer = self.bridges.answer.clone();
        if let Err(error) = dial::start(&uplink.config, attempt, answer, Arc::clone(&self.waker)) {
            uplink.far = Far::None;
            uplink.machine.lost(now, &format!("no thread: {error}"));
        }
    }

    pub(super) fn hang_up(&mut self, now: Time, uplink: &mut Uplink) {
        let mut rest = std::mem::take(uplink.machine.to_upstream());
        // Acknowledged is what the journal has, in the last words too. What is left out comes
        // again with the next connection.
        if !rest.is_empty() && !self.has_committed(now) {
            rest.clear();
        }
        match std::mem::replace(&mut uplink.far, Far::None) {
            Far::Open(link) | Far::Connecting { link, .. } => {
                link.close(self.poll.registry(), &mut rest);
            }
            Far::None | Far::Preparing(..) => {}
        }
    }

    /// Begins to connect to the next address that there is.
    fn connect_next(
        &mut self,
        now: Time,
        uplink: &mut Uplink,
        prepared: dial::Prepared,
        mut left: Vec<SocketAddr>,
    ) {
        while !left.is_empty() {
            let address = left.remove(0);
            let (tls, host) = (prepared.tls.as_ref(), &uplink.config.host);
            match Link::open(address, tls, host, self.poll.registry(), uplink.token) {
                Ok(link) => {
                    let by = now + CONNECT;
                    uplink.far = Far::Connecting {
                        link,
                        by,
                        prepared,
                        left,
                    };
                    return;
                }
                Err(why) => note(&mut uplink.failures, address, &why),
            }
        }
        uplink.far = Far::None;
        let why = std::mem::take(&mut uplink.failures);
        uplink.machine.lost(now, &why);
    }

    /// Goes on with a connection that is being made. Whether it came to an end, good or bad.
    pub(super) fn connect_on(&mut self, now: Time, uplink: &mut Uplink) -> bool {
        let ca = uplink.ca();
        match std::mem::replace(&mut uplink.far, Far::None) {
            Far::Preparing(_, by) if by <= now => {
                let why = "its name could not be looked up in time";
                uplink.machine.lost(now, why);
                true
            }
            Far::Connecting {
                mut link,
                by,
                prepared,
                left,
            } => {
                let failed = match link.establish(&uplink.config.host, &ca) {
                    Ok(true) => {
                        uplink.far = Far::Open(link);
                        let id = uplink.machine.local_client_id();
                        let session = self.core.session(&uplink.identity, &id);
                        let password = prepared.password.as_ref().map(|p| p.as_slice());
                        let unreleased = session.map(|session| session.unreleased);
                        uplink.machine.connected(now, password, unreleased);
                        return true;
                    }
                    Ok(false) if by > now => {
                        uplink.far = Far::Connecting {
                            link,
                            by,
                            prepared,
                            left,
                        };
                        return false;
                    }
                    Ok(false) => "no answer in time".to_owned(),
                    Err(why) => why,
                };
                note(&mut uplink.failures, link.address, &failed);
                link.close(self.poll.registry(), &mut Vec::new());
                self.connect_next(now, uplink, prepared, left);
                true
            }
            other => {
                uplink.far = other;
                false
            }
        }
    }
}

/// Adds why an address did not do.
fn note(failures: &mut String, address: SocketAddr, why: &str) {
    if !failures.is_empty() {
        failures.push_str("; ");
    }
    failures.push_str(&format!("{address}: {why}"));
}
