//! Clients that stand together on one poll.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use mio::{Events, Poll};
use rustls::ClientConfig;

use crate::client::{Client, Heard, Scratch};
use crate::wire;

/// Connections that may be on their way at the same time.
const ARRIVING: usize = 64;
/// How long one client's answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where a broker is, and how it is spoken to.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) tls: Option<Arc<ClientConfig>>,
}

pub(crate) struct Crowd {
    poll: Poll,
    events: Events,
    scratch: Scratch,
    clients: Vec<Client>,
}

impl Crowd {
    /// Connects `count` clients, all of them before `deadline`.
    pub(crate) fn connect(target: &Target, count: usize, deadline: Instant) -> Result<Crowd> {
        let mut crowd = Crowd {
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            scratch: Scratch::new(),
            clients: Vec::with_capacity(count),
        };
        let mut connected = 0;
        let mut refused = 0;
        while connected < count {
            while crowd.clients.len() < count && crowd.clients.len() - connected < ARRIVING {
                let token = crowd.clients.len();
                let name = format!("bench-{token}");
                let (tls, registry) = (target.tls.as_ref(), crowd.poll.registry());
                let client = Client::open(target.address, tls, registry, token, &name)?;
                crowd.clients.push(client);
            }
            crowd.turn(Duration::from_millis(10), |_, _, heard| match heard {
                Heard::Answer(0) => connected += 1,
                _ => refused += 1,
            })?;
            if refused > 0 {
                bail!("a client was refused");
            }
            if Instant::now() > deadline {
                bail!("only {connected} of {count} clients were let in, in time");
            }
        }
        Ok(crowd)
    }

    /// Subscribes one client, and waits for the broker to say so.
    pub(crate) fn subscribe(&mut self, index: usize, filter: &str, qos: u8) -> Result<()> {
        wire::subscribe(self.client(index)?.output(), filter, qos);
        self.flush(index)?;
        let deadline = Instant::now() + PATIENCE;
        let mut code = None;
        while code.is_none() {
            self.turn(Duration::from_millis(10), |_, _, heard| {
                if let Heard::Answer(found) = heard {
                    code = Some(found);
                }
            })?;
            if Instant::now() > deadline {
                bail!("no answer to a subscription");
            }
        }
        if code == Some(0x80) {
            bail!("a subscription was refused");
        }
        Ok(())
    }

    pub(crate) fn client(&mut self, index: usize) -> Result<&mut Client> {
        self.clients.get_mut(index).context("no such client")
    }

    pub(crate) fn flush(&mut self, index: usize) -> Result<()> {
        Ok(self.client(index)?.flush()?)
    }

    /// Waits for sockets, at most so long, and serves them: sends what waits, reads all there
    /// is. `hear` is told the client's index and what it heard.
    pub(crate) fn turn(
        &mut self,
        timeout: Duration,
        hear: impl FnMut(usize, &mut Client, Heard<'_>),
    ) -> Result<()> {
        self.turn_without(usize::MAX, timeout, hear)
    }

    /// The same, but one client does not read.
    pub(crate) fn turn_without(
        &mut self,
        deaf: usize,
        timeout: Duration,
        mut hear: impl FnMut(usize, &mut Client, Heard<'_>),
    ) -> Result<()> {
        match self.poll.poll(&mut self.events, Some(timeout)) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => return Ok(()),
            other => other?,
        }
        for event in &self.events {
            let index = event.token().0;
            let Some(client) = self.clients.get_mut(index) else {
                continue;
            };
            client.notice(event);
            client.flush()?;
            if index != deaf {
                client.read(&mut self.scratch, |client, heard| {
                    hear(index, client, heard);
                })?;
            }
        }
        Ok(())
    }
}
