//! Settings onto devices, over the web interface that each has in the LAN: only when the owner asks,
//! and told exactly what was sent.
//!
//! - [`session`]: requests to one device, and what is told of them. It speaks to nobody but the
//!   device: the address has to be on a guarded link, and the kernel has to know it by the device's
//!   MAC address once the connection stands and before anything is said.
//! - [`tasmota`], [`openbeken`], [`shelly`]: what each firmware is asked and told.
//! - [`outcome`]: what may come of it, in words and as codes.
//! - [`digest`]: the login that Shelly asks for.
//!
//! Each push first only reads: whether this is that firmware, whether the login is good, whether its
//! build has TLS. Then the device's credential is made or rotated, and only then anything is set. All
//! that comes back is the device's word: bounded, and shown cut and escaped.

mod cause;
mod digest;
mod openbeken;
mod outcome;
mod session;
mod shelly;
mod tasmota;

use std::net::IpAddr;
use std::time::{Duration, Instant};

use mqttguard_common::Mac;
use zeroize::Zeroizing;

use crate::naming::Firmware;
use crate::naming::snippet::{self, Tls};
use crate::naming::{Place, Target};
use session::Session;

pub(crate) use cause::{Cause, Failure};
pub(crate) use outcome::{Next, Task};
pub(crate) use session::Step;

/// How long a push takes at most. LuCI gives up after 20 s.
pub(crate) const DEADLINE: Duration = Duration::from_secs(17);
/// Stands for a secret in what is told.
const SECRET: &str = "***";

/// A push, as the owner wants it.
pub(crate) struct Order {
    /// The device's MAC address.
    pub(crate) mac: Mac,
    /// Its address.
    pub(crate) address: IpAddr,
    /// What it runs.
    pub(crate) firmware: Pushable,
    /// Its name: the topic that its profile grants it.
    pub(crate) name: String,
    /// The user name that it has, or most likely will have.
    pub(crate) username: String,
    /// Where it is to go.
    pub(crate) place: Place,
    /// The login of its web interface, if the owner gave one.
    pub(crate) login: Option<Login>,
    /// Only to look, and to tell what would be sent.
    pub(crate) dry_run: bool,
}

/// The login of a device's web interface.
pub(crate) struct Login {
    /// The user name; each firmware has one of its own.
    pub(crate) user: Option<String>,
    /// The password.
    pub(crate) password: Zeroizing<String>,
}

/// A firmware that can be pushed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushable {
    Tasmota,
    OpenBeken,
    Shelly,
}

impl Pushable {
    /// All of them.
    pub(crate) const ALL: [Pushable; 3] =
        [Pushable::Tasmota, Pushable::OpenBeken, Pushable::Shelly];

    /// None for a firmware that takes no settings over the network, or that nobody has taught us.
    pub(crate) fn of(firmware: Firmware) -> Option<Pushable> {
        Pushable::ALL
            .into_iter()
            .find(|pushable| pushable.firmware() == firmware)
    }

    pub(crate) const fn firmware(self) -> Firmware {
        match self {
            Pushable::Tasmota => Firmware::Tasmota,
            Pushable::OpenBeken => Firmware::OpenBeken,
            Pushable::Shelly => Firmware::ShellyGen2,
        }
    }
}

/// What a device is given.
pub(crate) struct Given {
    /// The user name.
    pub(crate) username: String,
    /// The password.
    pub(crate) password: Zeroizing<String>,
}

/// How a push went.
#[derive(Debug)]
pub(crate) struct Report {
    /// What was sent, in order; in a dry run also what would be.
    pub(crate) steps: Vec<Step>,
    /// What happens next, or why it did not work.
    pub(crate) result: Result<Next, Failure>,
    /// The device may have the new password.
    pub(crate) delivered: bool,
    /// Whether it is to come by TLS, as far as that was found out.
    pub(crate) tls: Option<bool>,
}

/// Carries a push out, on the calling thread. `credential` is called once, after all that could
/// speak against it was looked at, and before anything is set; not in a dry run.
pub(crate) fn run(order: &Order, credential: &mut dyn FnMut() -> Result<Given, String>) -> Report {
    let mut session = Session::new(order, Instant::now() + DEADLINE);
    let result = match order.firmware {
        Pushable::Tasmota => tasmota::push(&mut session, credential),
        Pushable::OpenBeken => openbeken::push(&mut session, credential),
        Pushable::Shelly => shelly::push(&mut session, credential),
    };
    session.report(result)
}

/// What is set, and the same as it is shown.
struct Both<'a> {
    real: Target<'a>,
    shown: Target<'a>,
}

/// Gets the credential, or what stands for it in a dry run.
fn given(
    session: &mut Session<'_>,
    credential: &mut dyn FnMut() -> Result<Given, String>,
) -> Result<Given, Cause> {
    let given = match session.order.dry_run {
        true => Given {
            username: session.order.username.clone(),
            password: Zeroizing::new(SECRET.to_owned()),
        },
        false => credential().map_err(|why| Cause::NoCredential { why })?,
    };
    session.hide(&given.password);
    Ok(given)
}

fn both<'a>(order: &'a Order, given: &'a Given) -> Both<'a> {
    let target = |password| order.place.target(&order.name, &given.username, password);
    Both {
        real: target(&given.password),
        shown: target(SECRET),
    }
}

/// The port that the device is to come by, and whether with TLS.
fn way(order: &Order, has_tls: bool) -> Result<(u16, bool), Cause> {
    let place = &order.place;
    let firmware = order.firmware.firmware();
    if has_tls {
        let port = place.tls.ok_or(Cause::NoTlsListener)?;
        return match place.ca.is_empty() {
            true => Err(Cause::NoCa),
            false => Ok((port, true)),
        };
    }
    let builds = match snippet::tls(firmware) {
        Tls::Some(builds) => builds,
        Tls::Ca | Tls::None => "other builds",
    };
    match place.island {
        None => Err(Cause::IslandOff { builds }),
        Some(_) if !place.plaintext => Err(Cause::IslandBarred {
            builds,
            mac: order.mac,
        }),
        Some(port) => Ok((port, false)),
    }
}

#[cfg(test)]
mod tests;
