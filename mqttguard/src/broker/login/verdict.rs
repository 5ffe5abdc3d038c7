//! A login on its way: what is to be checked, and what the check came to.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use mqttguard_broker::{AuthRequest, ConnId};
use mqttguard_common::Mac;

use super::scram::Exchange;
use crate::broker::Logins;
use crate::config::ListenerKind;
use crate::events::Denial;
use crate::hidden::Hidden;
use crate::registry::{Account, Directory};
use crate::text::clip;

/// A CONNECT or AUTH to be checked.
pub(in crate::broker) struct Job {
    pub(in crate::broker) conn: ConnId,
    pub(in crate::broker) request: AuthRequest,
    /// Whom a verified certificate names, or why that does not count. None: there is none.
    pub(in crate::broker) certificate: Option<Result<String, Denial>>,
    pub(in crate::broker) address: IpAddr,
    /// The listener that it came in by.
    pub(in crate::broker) listener: Arc<str>,
    pub(in crate::broker) kind: ListenerKind,
    pub(in crate::broker) directory: Arc<Directory>,
    pub(in crate::broker) logins: Arc<Logins>,
    /// What an AUTH continues.
    pub(in crate::broker) exchange: Option<Box<Exchange>>,
}

/// What the worker found.
pub(in crate::broker) struct Verdict {
    pub(in crate::broker) conn: ConnId,
    /// The user name that was tried, as far as it is known.
    pub(in crate::broker) username: Option<String>,
    pub(in crate::broker) client_id: String,
    /// Where it comes from.
    pub(in crate::broker) address: IpAddr,
    /// The peer's MAC address at that moment.
    pub(in crate::broker) mac: Option<Mac>,
    pub(in crate::broker) proof: Result<Proof, Denial>,
}

/// What a client has shown.
pub(in crate::broker) enum Proof {
    /// Who it is.
    Proven(Proven),
    /// Not yet all; it is to answer this.
    Continue {
        data: Vec<u8>,
        exchange: Box<Exchange>,
    },
}

/// Who a client is.
pub(in crate::broker) struct Proven {
    pub(in crate::broker) account: Arc<Account>,
    /// What the server ends the exchange with.
    pub(in crate::broker) data: Option<Vec<u8>>,
    /// How long it holds, if not for good.
    pub(in crate::broker) until: Option<SystemTime>,
    pub(in crate::broker) by: By,
    /// SCRAM verifiers of the password, where the account has none yet.
    pub(in crate::broker) verifiers: Vec<Hidden>,
    /// By which password, where the account has two: by the one of before.
    pub(in crate::broker) by_earlier: bool,
}

/// What somebody has shown who he is by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::broker) enum By {
    Password,
    /// The proof of a password.
    Scram,
    Token,
    /// A client certificate.
    Certificate,
    /// The word of the external check: the registry does not know him.
    Check,
    /// A password that is to become the account's: the registry does not know it yet.
    Pairing {
        weak: bool,
    },
    /// The password of an account that waits for its device, by its serial number.
    Claim {
        serial: u64,
        weak: bool,
    },
}

impl Proven {
    /// The hash of the password that the account was proven by, or that it stands for.
    pub(in crate::broker) fn hash(&self) -> &str {
        match &self.account.earlier {
            Some(earlier) if self.by_earlier => &earlier.hash,
            _ => &self.account.hash,
        }
    }

    /// Whoever has this account's password.
    pub(in crate::broker) fn as_account(account: &Arc<Account>) -> Proven {
        Proven {
            account: Arc::clone(account),
            data: None,
            until: None,
            by: By::Password,
            verifiers: Vec::new(),
            by_earlier: false,
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
    pub(in crate::broker) fn accept(&mut self, by: By) {
        let count = match by {
            By::Password | By::Pairing { .. } | By::Claim { .. } => &mut self.password,
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
    pub(in crate::broker) fn unchecked(job: Job, proof: Result<Proof, Denial>) -> Verdict {
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
    pub(in crate::broker) fn shown_username(&self) -> Option<String> {
        self.username.as_deref().map(|name| clip(name).into_owned())
    }
}
