//! What the broker's thread does for bridges.

use mio::Token;
use mqttguard_broker::bridge::BridgeAction;
use mqttguard_broker::{ConnId, Flow, Notice, NoticeKind, Time, Transmit};
use ring::rand::{SecureRandom as _, SystemRandom};

use super::uplink::{Far, Local, Pause, Uplink};
use super::{FIRST_TOKEN, TOKENS};
use crate::broker::conn::{READ, ROOM};
use crate::broker::event::BrokerEventKind;
use crate::broker::journal::Journal;
use crate::broker::reactor::Reactor;
use crate::config;
use crate::text::clip;
use crate::upstream::link::{Input, words};

/// Times that each side is served before others have their turn.
const ROUNDS: usize = 4;

impl Reactor {
    /// Has the bridges be as configured. Those that stay as they are go on; what waits for one
    /// that changes goes on waiting.
    pub(in crate::broker) fn set_bridges(&mut self, now: Time, wanted: Vec<config::Bridge>) {
        let mut kept = Vec::new();
        for mut uplink in std::mem::take(&mut self.bridges.uplinks) {
            match wanted
                .iter()
                .find(|config| config.name == uplink.config.name)
            {
                Some(config) if *config == uplink.config => kept.push(uplink),
                other => {
                    self.end_bridge(now, &mut uplink);
                    if other.is_none() {
                        self.core.forget(now, &uplink.identity);
                        self.publish_state(now, &uplink, "");
                    }
                }
            }
        }
        for config in wanted {
            if kept.iter().any(|uplink| uplink.config.name == config.name) {
                continue;
            }
            if config.tls.is_none() {
                log::warn!("bridge '{}' does without TLS", config.name);
            }
            let client_id = config
                .client_id
                .clone()
                .unwrap_or_else(|| format!("mqttguard-{}", config.name));
            let next = self.bridges.next_token.wrapping_add(1) % TOKENS;
            self.bridges.next_token = next;
            let token = Token(FIRST_TOKEN.saturating_add(next));
            kept.push(Uplink::new(config, &client_id, token, seed()));
        }
        self.bridges.uplinks = kept;
        self.serve_bridges(now);
    }

    /// Says goodbye to all servers.
    pub(in crate::broker) fn stop_bridges(&mut self, now: Time) {
        for mut uplink in std::mem::take(&mut self.bridges.uplinks) {
            self.end_bridge(now, &mut uplink);
        }
    }

    fn end_bridge(&mut self, now: Time, uplink: &mut Uplink) {
        uplink.machine.stop();
        self.act(now, uplink);
        self.hang_up(now, uplink);
    }

    /// Serves all whose time is come.
    pub(in crate::broker) fn bridges_due(&mut self, now: Time) {
        if self.bridges.deadline().is_some_and(|due| due <= now) {
            self.serve_bridges(now);
        }
    }

    pub(in crate::broker) fn serve_bridges(&mut self, now: Time) {
        self.bridges.unfinished = false;
        for index in 0..self.bridges.uplinks.len() {
            self.serve_bridge(now, index);
        }
    }

    /// A bridge's socket has something.
    pub(in crate::broker) fn bridge_event(&mut self, now: Time, event: &mio::event::Event) {
        let token = event.token();
        let mut uplinks = self.bridges.uplinks.iter_mut().enumerate();
        let Some((index, uplink)) = uplinks.find(|(_, uplink)| uplink.token == token) else {
            return;
        };
        if let Far::Open(link) | Far::Connecting { link, .. } = &mut uplink.far {
            link.event(event);
        }
        self.serve_bridge(now, index);
    }

    /// The core has something for a connection that is no client's.
    pub(in crate::broker) fn bridge_named(&mut self, now: Time, id: ConnId) {
        let Some(index) = self.bridges.of(id) else {
            return;
        };
        if let Some(uplink) = self.bridges.uplinks.get_mut(index)
            && let Some(local) = &mut uplink.local
        {
            local.named = true;
            if local.pause == Pause::UntilNamed {
                local.pause = Pause::No;
            }
        }
        self.serve_bridge(now, index);
    }

    /// One at work is out of the list, so that it and the rest can be held at the same time.
    pub(super) fn take_out(&mut self, index: usize) -> Option<Uplink> {
        (index < self.bridges.uplinks.len()).then(|| self.bridges.uplinks.swap_remove(index))
    }

    pub(super) fn put_back(&mut self, index: usize, uplink: Uplink) {
        let uplinks = &mut self.bridges.uplinks;
        let last = uplinks.len();
        uplinks.push(uplink);
        if index < last {
            uplinks.swap(index, last);
        }
    }

    pub(super) fn serve_bridge(&mut self, now: Time, index: usize) {
        let Some(mut uplink) = self.take_out(index) else {
            return;
        };
        let mut busy = true;
        for _ in 0..ROUNDS {
            busy = self.round(now, &mut uplink);
            if !busy {
                break;
            }
        }
        self.bridges.unfinished |= busy;
        self.put_back(index, uplink);
    }

    /// Does once what there is to do. Whether there was anything.
    fn round(&mut self, now: Time, uplink: &mut Uplink) -> bool {
        let mut busy = false;
        if uplink.machine.deadline().is_some_and(|due| due <= now) {
            uplink.machine.tick(now);
            busy = true;
        }
        busy |= self.act(now, uplink);
        busy |= self.connect_on(now, uplink);
        busy |= self.give_local(now, uplink);
        busy |= self.take_local(now, uplink);
        busy |= self.exchange(now, uplink);
        busy |= uplink.machine.work(now);
        while let Some(notice) = uplink.machine.next_notice() {
            self.tell_bridge(now, uplink, notice);
        }
        busy
    }

    /// Does what the bridge asks for.
    fn act(&mut self, now: Time, uplink: &mut Uplink) -> bool {
        let mut any = false;
        while let Some(action) = uplink.machine.next_action() {
            any = true;
            match action {
                BridgeAction::OpenLocal => match self.core.open(now) {
                    Ok(id) => {
                        let (named, pause) = (false, Pause::No);
                        uplink.local = Some(Local { id, named, pause });
                        uplink.machine.local_opened(now);
                    }
                    Err(_) => uplink.machine.local_lost(now, "it has no room"),
                },
                BridgeAction::CloseLocal => {
                    self.give_local(now, uplink);
                    if let Some(local) = uplink.local.take() {
                        self.core.lost(now, local.id);
                    }
                }
                BridgeAction::Dial => self.dial(now, uplink),
                BridgeAction::HangUp => self.hang_up(now, uplink),
            }
        }
        any
    }

    /// Gives the core what came for it.
    fn give_local(&mut self, now: Time, uplink: &mut Uplink) -> bool {
        let Some(local) = &mut uplink.local else {
            return false;
        };
        match local.pause {
            Pause::No => {}
            Pause::Until(time) if time <= now => local.pause = Pause::No,
            Pause::Until(_) | Pause::UntilNamed => return false,
        }
        let waiting = uplink.machine.to_local();
        if waiting.is_empty() {
            return false;
        }
        let bytes = std::mem::take(waiting);
        match self.core.receive(now, local.id, &bytes) {
            Flow::Read | Flow::Close => {}
            Flow::Pause(None) => local.pause = Pause::UntilNamed,
            Flow::Pause(Some(time)) => local.pause = Pause::Until(time),
        }
        true
    }

    /// Takes from the core what goes to the server.
    fn take_local(&mut self, now: Time, uplink: &mut Uplink) -> bool {
        let Some(local) = &mut uplink.local else {
            return false;
        };
        if !local.named || !uplink.machine.takes_local() {
            return false;
        }
        self.plain.clear();
        let id = local.id;
        let more = self.core.transmit(now, id, &mut self.plain, ROOM);
        local.named = more == Transmit::More;
        uplink.machine.from_local(now, &self.plain);
        if more == Transmit::Close {
            self.core.lost(now, id);
            uplink.local = None;
            uplink.machine.local_lost(now, "closed the connection");
        }
        true
    }

    /// Sends to the server and reads from it once.
    fn exchange(&mut self, now: Time, uplink: &mut Uplink) -> bool {
        // As for clients: nothing is acknowledged before the journal has it.
        let may_write = uplink.machine.to_upstream().is_empty() || self.has_committed(now);
        self.bridges.held |= !may_write;
        let Far::Open(link) = &mut uplink.far else {
            return false;
        };
        let mut busy = false;
        let mut failure = None;
        if may_write {
            match link.write(uplink.machine.to_upstream()) {
                Ok(wrote) => busy = wrote,
                Err(error) => failure = Some(error),
            }
        }
        let mut ended = false;
        if failure.is_none() && link.is_readable() && uplink.machine.takes_upstream() {
            // As from clients: while nothing may be sent, not more than queues can take.
            if self.journal.as_ref().is_some_and(Journal::holds_reading) {
                self.bridges.held = true;
                return busy;
            }
            let room = self.input.get_mut(..READ).unwrap_or_default();
            match link.read(room) {
                Ok(Input::Some(found)) => {
                    if let Some(journal) = &mut self.journal {
                        journal.has_read(found);
                    }
                    let bytes = self.input.get(..found).unwrap_or_default();
                    uplink.machine.from_upstream(now, bytes);
                    busy = true;
                }
                Ok(Input::Nothing) => {}
                Ok(Input::End) => ended = true,
                Err(error) => failure = Some(error),
            }
        }
        let why = match failure {
            Some(error) => words(&error, &uplink.config.host, &uplink.ca()),
            None if ended => "it closed the connection".to_owned(),
            None => return busy,
        };
        self.hang_up(now, uplink);
        uplink.machine.lost(now, &why);
        true
    }

    /// What the core noticed of a bridge's session, if it is about one.
    pub(in crate::broker) fn bridge_noticed(&mut self, notice: &Notice) -> bool {
        let Some(name) = notice.identity.as_deref() else {
            return false;
        };
        let Some(uplink) = self.bridges.uplinks.iter().find(|up| *up.identity == *name) else {
            return false;
        };
        let detail = match &notice.kind {
            NoticeKind::Limit { limit, allowed } => format!("the limit {limit} ({allowed}) is met"),
            NoticeKind::Refused { topic, .. } => format!("'{}' is not granted", clip(topic)),
            _ => return true,
        };
        let bridge = uplink.config.name.as_str().into();
        self.tell_of_bridge(BrokerEventKind::BridgeTrouble { bridge, detail });
        true
    }
}

/// Differs from router to router.
fn seed() -> u64 {
    let mut bytes = [0; 8];
    // Without it all bridges wait alike, which does no harm to this one.
    let _ = SystemRandom::new().fill(&mut bytes);
    u64::from_ne_bytes(bytes)
}
