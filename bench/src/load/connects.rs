//! Connections that come, are let in, and go.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use mio::{Events, Poll};
use rustls::{ClientConfig, HandshakeKind};

use super::{Done, Stretch};
use crate::client::{Client, Heard, Scratch, tls_config};
use crate::contender::Contender;
use crate::crowd::Target;
use crate::wire;

/// Connections on their way at the same time.
const LANES: usize = 8;
/// How long a connection may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// How connections are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Plain,
    /// With a full TLS handshake each.
    Full,
    /// With a TLS handshake that resumes; only those are counted.
    Resumed,
}

struct Lane {
    client: Option<Client>,
    /// Each has its own memory of sessions, as each would be another device.
    tls: Option<Arc<ClientConfig>>,
    since: Instant,
    in_: bool,
}

/// Counts CONNACKs for `time`, after a warm-up of a fifth of it.
pub(crate) fn run(
    contender: &Contender,
    target: &Target,
    how: How,
    time: Duration,
) -> Result<Done> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(64);
    let mut scratch = Scratch::new();
    let mut lanes = Vec::new();
    for _ in 0..LANES {
        lanes.push(Lane {
            client: None,
            tls: match how {
                How::Plain => None,
                How::Full => Some(tls_config(false)?),
                How::Resumed => Some(tls_config(true)?),
            },
            since: Instant::now(),
            in_: false,
        });
    }
    let mut count = 0;
    let warm = Instant::now() + time / 5;
    let mut stretch: Option<Stretch<'_>> = None;
    loop {
        for (index, lane) in lanes.iter_mut().enumerate() {
            if lane.client.is_none() {
                let (tls, name) = (lane.tls.as_ref(), format!("bench-{index}"));
                // Without a free port: later.
                lane.client = Client::open(target.address, tls, poll.registry(), index, &name).ok();
                lane.since = Instant::now();
                lane.in_ = false;
            }
        }
        poll.poll(&mut events, Some(Duration::ZERO))?;
        for event in &events {
            if let Some(lane) = lanes.get_mut(event.token().0)
                && let Some(client) = &mut lane.client
            {
                client.notice(event);
                // The kernel takes it back by itself after a while.
                client.acknowledge_at_once();
                let let_in = &mut lane.in_;
                let result = client.flush().and_then(|()| {
                    client.read(&mut scratch, |client, heard| {
                        *let_in |= heard == Heard::Answer(0);
                        wire::disconnect(client.output());
                    })
                });
                if lane.in_ {
                    let resumed = client.handshake() == Some(HandshakeKind::Resumed);
                    count += u64::from(how != How::Resumed || resumed);
                }
                if lane.in_ || result.is_err() {
                    lane.client = None;
                }
            }
        }
        let now = Instant::now();
        for lane in &mut lanes {
            if now - lane.since > PATIENCE {
                lane.client = None;
            }
        }
        match stretch.take() {
            None if now >= warm => stretch = Some(Stretch::begin(contender, count)?),
            Some(begun) if now - begun.start >= time => return begun.end(count),
            other => stretch = other,
        }
    }
}
