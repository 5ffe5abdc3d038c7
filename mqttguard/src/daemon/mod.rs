//! Wires the parts together; start, reload, stop.
//!
//! One thread owns the registry and all decisions. The parts run on threads of their own and put
//! what they have to say into its one bounded inbox; it answers by calling their handles.

mod accounts;
mod answers;
mod arguments;
mod clock;
mod configuration;
mod effects;
mod facts;
mod fallback;
mod fault;
mod frames;
mod guard;
mod hearing;
mod history;
mod identity;
mod jail;
mod learning;
mod listener_tls;
mod live;
mod logger;
mod methods;
mod mud;
mod notes;
mod policing;
mod proxy;
mod pushing;
mod reference;
mod repeats;
mod report;
mod saving;
mod serving;
mod signatures;
mod snippets;
mod translation;
mod troubles;
mod upkeep;
mod uplifting;
mod wiring;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};

use crate::broker::BrokerEvent;
use crate::discovery;
use crate::enforce;
use crate::outlet::Outlet;
use crate::ubus;
use crate::uplift::UpliftEvent;
use wiring::Daemon;

pub(crate) use reference::reference;
#[cfg(test)]
pub(crate) use signatures::METHODS;

/// What the command line says of the daemon.
#[derive(Clone, Debug)]
pub struct DaemonOptions {
    /// The UCI file.
    pub config: PathBuf,
    /// ubusd's socket.
    pub ubus_socket: PathBuf,
}

/// What can come into the inbox.
enum Input {
    Discovery(discovery::Update),
    Networks(discovery::Networks),
    Enforcement(enforce::Report),
    Broker(BrokerEvent),
    Live(Box<live::LiveReply>),
    Uplift(UpliftEvent),
    Push(pushing::PushEvent),
    Mud(mud::MudAnswer),
    Call(ubus::Call),
    Signal(i32),
}

/// Entries the inbox holds. Parts that must not wait count what they could not say.
const INBOX: usize = 1024;

/// Runs the daemon until SIGTERM or SIGINT, or until SIGUSR1, which leaves the kernel program to the next
/// daemon. SIGHUP reloads the configuration.
pub fn run(options: DaemonOptions) -> ExitCode {
    logger::start();
    if let Err(error) = jail::stay_inside() {
        log::error!("ujail: {error}");
        return ExitCode::FAILURE;
    }
    let (sender, inbox) = sync_channel(INBOX);
    if let Err(error) = watch_signals(sender.clone()) {
        log::error!("signals: {error}");
        return ExitCode::FAILURE;
    }
    match Daemon::start(options, sender) {
        Ok(daemon) => serve(daemon, &inbox),
        Err(error) => {
            log::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn watch_signals(inbox: SyncSender<Input>) -> std::io::Result<()> {
    let mut signals = signal_hook::iterator::Signals::new([SIGHUP, SIGINT, SIGTERM, SIGUSR1])?;
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            for signal in signals.forever() {
                if inbox.send(Input::Signal(signal)).is_err() {
                    return;
                }
            }
        })?;
    Ok(())
}

fn serve(mut daemon: Daemon, inbox: &Receiver<Input>) -> ExitCode {
    const SECOND: Duration = Duration::from_secs(1);
    let mut next_tick = Instant::now();
    loop {
        let now = Instant::now();
        if now >= next_tick {
            daemon.tick();
            next_tick = now + SECOND;
        }
        let input = match inbox.recv_timeout(next_tick.saturating_duration_since(now)) {
            Ok(input) => input,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => return ExitCode::FAILURE,
        };
        match input {
            Input::Discovery(update) => daemon.discovered(update),
            Input::Networks(networks) => daemon.networks_changed(networks),
            Input::Enforcement(report) => daemon.enforced(report),
            Input::Broker(event) => daemon.brokered(event),
            Input::Live(answer) => Daemon::lived(*answer),
            Input::Uplift(event) => daemon.uplifted(event),
            Input::Push(event) => daemon.pushed(event),
            Input::Mud(answer) => daemon.described(answer),
            Input::Call(call) => daemon.called(call),
            Input::Signal(SIGHUP) => {
                daemon.reload();
            }
            Input::Signal(SIGUSR1) => {
                daemon.hand_over();
                return ExitCode::SUCCESS;
            }
            Input::Signal(_) => {
                daemon.stop();
                return ExitCode::SUCCESS;
            }
        }
        daemon.settle();
    }
}

fn outlet<T: Send + 'static>(
    inbox: &SyncSender<Input>,
    wrap: impl Fn(T) -> Input + Send + Sync + 'static,
) -> Outlet<T> {
    Outlet::new(inbox.clone(), wrap)
}
