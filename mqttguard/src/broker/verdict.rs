//! A login on its way: what is to be checked, and what the check came to.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use mqttguard_broker::{AuthRequest, ConnId};
use mqttguard_common::Mac;

use super::Logins;
use super::event::Denial;
use super::scram::Exchange;
use crate::registry::{Account, Directory};
use crate::text::clip;

/// A CONNECT or AUTH to be checked.
pub(super) struct Job {
    pub(super) conn: ConnId,
    pub(super) request: AuthRequest,
    /// Whom a verified certificate names, or why that does not count. None: there is none.
    pub(super) certificate: Option<Result<String, Denial>>,
    pub(super) address: IpAddr,
    /// The listener that it came in by.
    pub(super) listener: Arc<str>,
    pub(super) directory: Arc<Directory>,
    pub(super) logins: Arc<Logins>,
    /// What an AUTH continues.
    pub(super) exchange: Option<Box<Exchange>>,
}

/// What the worker found.
pub(super) struct Verdict {
    pub(super) conn: ConnId,
    /// The user name that was tried, as far as it is known.
    pub(super) username: Option<String>,
    pub(super) client_id: String,
    /// Where it comes from.
    pub(super) address: IpAddr,
    /// The peer's MAC address at that moment.
    pub(super) mac: Option<Mac>,
    pub(super) proof: Result<Proof, Denial>,
}

/// What a client has shown.
pub(super) enum Proof {
    /// Who it is.
    Proven(Proven),
    /// Not yet all; it is to answer this.
    Continue {
        data: Vec<u8>,
        exchange: Box<Exchange>,
    },
}

/// Who a client is.
pub(super) struct Proven {
    pub(super) account: Arc<Account>,
    /// What the server ends the exchange with.
    pub(super) data: Option<Vec<u8>>,
    /// How long it holds, if not for good.
    pub(super) until: Option<SystemTime>,
    pub(super) by: By,
    /// SCRAM verifiers of the password, where the account has none yet.
    pub(super) verifiers: Vec<String>,
}

/// What somebody has shown who he is by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    Password,
    /// The proof of a password.
    Scram,
    Token,
    /// A client certificate.
    Certificate,
    /// The word of the external check: the registry does not know him.
    Check,
}

impl Proven {
    /// Whoever has this account's password.
    pub(super) fn as_account(account: &Arc<Account>) -> Proven {
        Proven {
            account: Arc::clone(account),
            data: None,
            until: None,
            by: By::Password,
            verifiers: Vec::new(),
        }
    }
}

/// Logins since the start, by what they were let in for. A re-authentication counts again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoginStats {
    /// A password of the registry.
    pub password: u64,
    /// The proof of one by SCRAM.
    pub scram: u64,
    /// A JSON Web Token.
    pub token: u64,
    /// A client certificate.
    pub certificate: u64,
    /// The word of the external check.
    pub http: u64,
    /// Refused, for whatever reason.
    pub refused: u64,
}

impl LoginStats {
    pub(super) fn accept(&mut self, by: By) {
        let count = match by {
            By::Password => &mut self.password,
            By::Scram => &mut self.scram,
            By::Token => &mut self.token,
            By::Certificate => &mut self.certificate,
            By::Check => &mut self.http,
        };
        *count = count.saturating_add(1);
    }
}

impl Verdict {
    /// On a job that the worker has not looked at, or has not finished with.
    pub(super) fn unchecked(job: Job, proof: Result<Proof, Denial>) -> Verdict {
        Verdict {
            conn: job.conn,
            username: job.request.username,
            client_id: job.request.client_id,
            address: job.address,
            mac: None,
            proof,
        }
    }

    /// The user name that was tried, for show.
    pub(super) fn shown_username(&self) -> Option<String> {
        self.username.as_deref().map(|name| clip(name).into_owned())
    }
}
