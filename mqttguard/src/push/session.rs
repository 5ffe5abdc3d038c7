//! Requests to one device, and what is told of them.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use mqttguard_common::Mac;
use serde_json::Value;
use zeroize::Zeroizing;

use super::digest::{self, Challenge};
use super::{Cause, Failure, Next, Order, Report, SECRET, Task};
use crate::http::{self, Request, Response, Timed};
use crate::naming::settings::query;
use crate::{discovery, text};

/// Where all of them listen.
pub(super) const PORT: u16 = 80;
/// How long a connection may take to be made, and one exchange as a whole.
const CONNECT: Duration = Duration::from_secs(3);
const EXCHANGE: Duration = Duration::from_secs(5);
/// Longest answer, head and body, in bytes.
const MOST: usize = 16 * 1024;

/// One thing that was sent, or would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// What for.
    pub(crate) task: Task,
    /// `GET` or `POST`.
    pub(crate) method: &'static str,
    /// Without the query.
    pub(crate) path: String,
    /// What was sent, with `***` for secrets.
    pub(crate) sent: Option<String>,
    /// The status code of the answer.
    pub(crate) status: Option<u16>,
    /// Whether it did what it was for; None if it was not sent.
    pub(crate) ok: Option<bool>,
}

/// What to send.
pub(super) struct Ask<'a> {
    pub(super) task: Task,
    pub(super) path: String,
    /// Fields of the query, and the same as they are shown.
    pub(super) query: Zeroizing<String>,
    /// What is posted: its type and itself. Without it is a GET.
    pub(super) body: Option<(&'static str, Zeroizing<String>)>,
    pub(super) shown: Option<String>,
    /// It carries the device's new password.
    pub(super) is_secret: bool,
    /// How else the web login goes along.
    pub(super) basic: Option<&'a str>,
}

impl Ask<'_> {
    pub(super) fn get(task: Task, path: &str) -> Self {
        Ask {
            task,
            path: path.to_owned(),
            query: Zeroizing::default(),
            body: None,
            shown: None,
            is_secret: false,
            basic: None,
        }
    }
}

/// Requests to one device.
pub(super) struct Session<'a> {
    pub(super) order: &'a Order,
    deadline: Instant,
    steps: Vec<Step>,
    /// What must not be shown, should the device say it.
    secrets: Vec<Zeroizing<String>>,
    delivered: bool,
    pub(super) tls: Option<bool>,
    /// The device's challenge, and how often it was answered.
    challenge: Option<(Challenge, u32)>,
}

impl<'a> Session<'a> {
    pub(super) fn new(order: &'a Order, deadline: Instant) -> Session<'a> {
        let mut session = Session {
            order,
            deadline,
            steps: Vec::new(),
            secrets: Vec::new(),
            delivered: false,
            tls: None,
            challenge: None,
        };
        if let Some(login) = &order.login {
            session.hide(&login.password);
            // As some answer with what they were asked.
            let user = login.user.as_deref().unwrap_or(digest::USER);
            let basic = digest::basic(user, &login.password);
            let coded = basic.trim_start_matches("Basic ").to_owned();
            session.secrets.push(Zeroizing::new(coded));
        }
        session
    }

    pub(super) fn report(self, result: Result<Next, Failure>) -> Report {
        Report {
            steps: self.steps,
            result,
            delivered: self.delivered,
            tls: self.tls,
        }
    }

    /// Never shows this from now on.
    pub(super) fn hide(&mut self, secret: &Zeroizing<String>) {
        // An empty one would be found everywhere.
        if !secret.is_empty() && secret.as_str() != SECRET {
            self.secrets.push(secret.clone());
            let encoded = query(&[("", secret)]);
            let encoded = encoded.trim_start_matches('=').to_owned();
            self.secrets.push(Zeroizing::new(encoded));
            let quoted = Zeroizing::new(Value::from(secret.as_str()).to_string());
            // Only the outer quotes: the secret may end with one.
            let in_json = quoted
                .strip_prefix('"')
                .and_then(|rest| rest.strip_suffix('"'));
            let in_json = Zeroizing::new(in_json.unwrap_or_default().to_owned());
            if in_json != *secret && !in_json.is_empty() {
                self.secrets.push(in_json);
            }
        }
    }

    /// What the device said, fit to be shown: without secrets, cut, escaped.
    pub(super) fn shown(&self, said: &str) -> String {
        let mut said = said.to_owned();
        for secret in &self.secrets {
            said = said.replace(secret.as_str(), SECRET);
        }
        text::printable(&text::clip(&said)).into_owned()
    }

    /// Tells of a step that is not taken, in a dry run.
    pub(super) fn plan(&mut self, ask: &Ask<'_>) {
        self.steps.push(step(ask));
    }

    /// Whether something more may be tried until then.
    pub(super) fn has(&self, time: Duration) -> bool {
        Instant::now() + time < self.deadline
    }

    /// Sends, and takes an answer of status 200.
    pub(super) fn ask(&mut self, ask: &Ask<'_>) -> Result<Response, Failure> {
        self.steps.push(step(ask));
        let answer = self.answer(ask);
        let task = ask.task;
        let answer = answer.map_err(|cause| self.failed(task, cause))?;
        self.set_status(answer.status);
        let cause = match answer.status {
            200 => {
                self.judge(true);
                return Ok(answer);
            }
            401 if self.order.login.is_none() => Cause::LoginMissing,
            401 => Cause::LoginRefused,
            found => Cause::Status {
                found,
                said: self.shown(String::from_utf8_lossy(&answer.body).trim()),
            },
        };
        Err(self.failed(task, cause))
    }

    /// Sends, and takes an answer in JSON.
    pub(super) fn ask_json(&mut self, ask: &Ask<'_>) -> Result<Value, Failure> {
        let answer = self.ask(ask)?;
        serde_json::from_slice(&answer.body).map_err(|_| {
            let said = self.shown(&String::from_utf8_lossy(&answer.body));
            self.failed(ask.task, Cause::NoJson { said })
        })
    }

    /// The last step did not do what it was for.
    pub(super) fn failed(&mut self, task: Task, cause: Cause) -> Failure {
        self.judge(false);
        Failure {
            task: Some(task),
            cause,
            perhaps: false,
        }
    }

    /// Leaves the last step out: it is taken again.
    pub(super) fn forget_last(&mut self) {
        self.steps.pop();
    }

    fn judge(&mut self, ok: bool) {
        if let Some(step) = self.steps.last_mut() {
            step.ok = Some(ok);
        }
    }

    fn set_status(&mut self, status: u16) {
        if let Some(step) = self.steps.last_mut() {
            step.status = Some(status);
            step.ok = Some(false);
        }
    }

    /// The answer, after a login where the device asks for one.
    fn answer(&mut self, ask: &Ask<'_>) -> Result<Response, Cause> {
        let first = self.exchange(ask)?;
        if first.status != 401 || self.order.login.is_none() {
            return Ok(first);
        }
        let Some(challenge) = first.challenges.iter().find_map(|text| digest::parse(text)) else {
            return Ok(first);
        };
        let stale = self
            .challenge
            .as_ref()
            .is_none_or(|(known, _)| *known != challenge);
        self.challenge = Some((challenge, 0));
        match stale {
            true => self.exchange(ask),
            false => Ok(first),
        }
    }

    fn exchange(&mut self, ask: &Ask<'_>) -> Result<Response, Cause> {
        let method = method(ask);
        let target = match ask.query.is_empty() {
            true => Zeroizing::new(ask.path.clone()),
            false => Zeroizing::new(format!("{}?{}", ask.path, ask.query.as_str())),
        };
        let login = self.authorization(method, &target, ask)?;
        let (kind, body) = match &ask.body {
            Some((kind, body)) => (*kind, body.as_bytes()),
            None => ("", [].as_slice()),
        };
        let mut headers = Vec::new();
        if let Some(login) = &login {
            headers.push(("Authorization", login.as_str()));
        }
        if !kind.is_empty() {
            headers.push(("Content-Type", kind));
        }
        let stream = self.connect()?;
        // From here on nobody knows what of it arrived.
        self.delivered |= ask.is_secret;
        let address = self.order.address;
        let authority = match address.is_ipv6() {
            true => format!("[{address}]"),
            false => address.to_string(),
        };
        let request = Request {
            method,
            target: &target,
            authority: &authority,
            headers: &headers,
            body,
        };
        http::exchange(stream, &request, MOST).map_err(|error| Cause::Broken {
            why: http::words(&error),
        })
    }

    fn authorization(
        &mut self,
        method: &str,
        target: &str,
        ask: &Ask<'_>,
    ) -> Result<Option<Zeroizing<String>>, Cause> {
        let Some(login) = &self.order.login else {
            return Ok(None);
        };
        if let Some(user) = ask.basic {
            return Ok(Some(digest::basic(user, &login.password)));
        }
        let Some((challenge, count)) = &mut self.challenge else {
            return Ok(None);
        };
        *count = count.saturating_add(1);
        let user = login.user.as_deref().unwrap_or(digest::USER);
        let answer = challenge.answer(user, &login.password, method, target, *count);
        answer.map(Some).map_err(|error| Cause::Broken {
            why: error.to_string(),
        })
    }

    /// A connection to the device, and to nobody else.
    fn connect(&self) -> Result<Timed, Cause> {
        let Order { mac, address, .. } = self.order;
        let now = Instant::now();
        let deadline = self.deadline.min(now + EXCHANGE);
        let limit = http::left(deadline.min(now + CONNECT));
        let to = SocketAddr::new(*address, PORT);
        let stream = limit
            .and_then(|limit| TcpStream::connect_timeout(&to, limit))
            .map_err(|error| match error.kind() {
                io::ErrorKind::TimedOut => Cause::Silent { address: *address },
                _ => Cause::Unreachable {
                    address: *address,
                    why: error.to_string(),
                },
            })?;
        holder(*mac, *address)?;
        Ok(Timed { stream, deadline })
    }
}

/// That the kernel sends frames for the address to the device.
fn holder(mac: Mac, address: IpAddr) -> Result<(), Cause> {
    match discovery::neighbour_mac(address) {
        Ok(Some(found)) if found == mac => Ok(()),
        Ok(Some(found)) => Err(Cause::Stranger {
            address,
            found,
            expected: mac,
        }),
        Ok(None) => Err(Cause::Unproven { address, why: None }),
        Err(error) => Err(Cause::Unproven {
            address,
            why: Some(error.to_string()),
        }),
    }
}

fn method(ask: &Ask<'_>) -> &'static str {
    match ask.body {
        Some(_) => "POST",
        None => "GET",
    }
}

fn step(ask: &Ask<'_>) -> Step {
    Step {
        task: ask.task,
        method: method(ask),
        path: ask.path.clone(),
        sent: ask.shown.clone(),
        status: None,
        ok: None,
    }
}
