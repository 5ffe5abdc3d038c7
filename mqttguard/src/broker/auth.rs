//! Who is let in. Passwords and proofs are checked on a thread of their own; what follows from a
//! checked one is decided on the broker's thread, by the directory of that moment.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread;
use std::time::SystemTime;

use mio::Waker;
use mqttguard_broker::{AuthRequest, ConnId, Decision, Grants, Limits, Refusal};
use mqttguard_common::Mac;

use super::checker::Checker;
use super::event::Denial;
use super::grants::{self, Names};
use super::http_auth;
use super::scram::Exchange;
use super::{Logins, Resolve};
use crate::config::ListenerKind;
use crate::registry::{Account, Directory, Standing};
use crate::text::clip;

/// Logins that may wait for the worker. Beyond that, clients are told to come back later.
const QUEUE: usize = 256;

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

/// The thread that checks passwords and proofs.
pub(super) struct Worker {
    jobs: SyncSender<Job>,
    verdicts: Receiver<Verdict>,
}

impl Worker {
    /// Starts the thread; it ends when the `Worker` is dropped.
    pub(super) fn start(resolve: Arc<Resolve>, waker: Arc<Waker>) -> io::Result<Worker> {
        let (jobs, todo) = sync_channel::<Job>(QUEUE);
        let (done, verdicts) = sync_channel(QUEUE);
        let mut checker = Checker::new(done.clone(), Arc::clone(&waker))?;
        thread::Builder::new()
            .name("broker-login".into())
            .spawn(move || {
                for job in todo {
                    // None: another thread has it, and answers.
                    let Some(verdict) = checker.check(job, &*resolve) else {
                        continue;
                    };
                    if done.send(verdict).is_err() {
                        return;
                    }
                    let _ = waker.wake();
                }
            })?;
        Ok(Worker { jobs, verdicts })
    }

    /// Takes a job. If too many wait, the answer is a verdict at once.
    pub(super) fn submit(&self, job: Job) -> Option<Verdict> {
        use std::sync::mpsc::TrySendError::{Disconnected, Full};
        match self.jobs.try_send(job) {
            Ok(()) => None,
            Err(Full(job) | Disconnected(job)) => Some(Verdict::unchecked(job, Err(Denial::Busy))),
        }
    }

    /// The next verdict, if one is there.
    pub(super) fn next(&self) -> Result<Verdict, TryRecvError> {
        self.verdicts.try_recv()
    }
}

/// Refuses devices in quarantine and blocked ones.
pub(super) fn standing(directory: &Directory, mac: Option<Mac>) -> Result<(), Denial> {
    match mac.and_then(|mac| directory.standings.get(&mac)) {
        None | Some(Standing::Good) => Ok(()),
        Some(Standing::Quarantined) => Err(Denial::Quarantined),
        Some(Standing::Blocked) => Err(Denial::Blocked),
    }
}

/// Whether somebody with this account's password may come in from this peer.
pub(super) fn admit(
    directory: &Directory,
    account: &Account,
    mac: Option<Mac>,
    listener: ListenerKind,
) -> Result<(), Denial> {
    standing(directory, mac)?;
    standing(directory, Some(account.mac))?;
    if !account.roaming {
        match mac {
            Some(mac) if mac == account.mac => {}
            Some(_) => return Err(Denial::OtherDevice),
            None => return Err(Denial::UnknownDevice),
        }
    }
    match listener {
        ListenerKind::Plain if !account.plaintext => Err(Denial::PlaintextNotAllowed),
        ListenerKind::Plain | ListenerKind::Tls | ListenerKind::Wss => Ok(()),
    }
}

/// Decides on a verdict by the directory of now, which may be a later one than the worker's.
pub(super) fn decide(
    directory: &Directory,
    logins: &Logins,
    verdict: &Verdict,
    listener: ListenerKind,
) -> Result<Decision, Denial> {
    let proven = match &verdict.proof {
        Ok(Proof::Proven(proven)) => proven,
        Ok(Proof::Continue { data, .. }) => {
            return Ok(Decision::Continue { data: data.clone() });
        }
        Err(denial) => return Err(*denial),
    };
    // What was asked meanwhile may not be believed any more.
    let is_believed = match proven.by {
        By::Check => logins.http.is_some(),
        By::Token => logins.jwt.is_some(),
        By::Password | By::Scram | By::Certificate => true,
    };
    if !is_believed {
        return Err(Denial::Changed);
    }
    let account = match proven.by {
        By::Check => &proven.account,
        By::Password | By::Scram | By::Token | By::Certificate => directory
            .accounts
            .get(&*proven.account.username)
            .filter(|account| account.hash == proven.account.hash)
            .ok_or(Denial::Changed)?,
    };
    admit(directory, account, verdict.mac, listener)?;
    Ok(Decision::Accept {
        identity: Arc::clone(&account.username),
        grants: Arc::new(grants_of(account, &verdict.client_id)),
        limits: Arc::clone(&account.limits),
        data: proven.data.clone(),
    })
}

/// What an account's client may do.
pub(super) fn grants_of(account: &Account, client_id: &str) -> mqttguard_broker::Grants {
    let names = Names {
        device: &account.device,
        username: account
            .username
            .strip_prefix(http_auth::PREFIX)
            .unwrap_or(&account.username),
        client_id,
        mac: account.mac,
    };
    grants::expand(&account.profile, names)
}

/// What a client may do and use whose session was restored; None if there is no such client any
/// more. One that an external check lets in has no rights until it says them again.
pub(super) fn rights_of(
    directory: &Directory,
    logins: &Logins,
    identity: &str,
    client_id: &str,
) -> Option<(Arc<Grants>, Arc<Limits>)> {
    if let Some(account) = directory.accounts.get(identity) {
        let grants = Arc::new(grants_of(account, client_id));
        return Some((grants, Arc::clone(&account.limits)));
    }
    let http = logins.http.as_ref();
    let http = http.filter(|_| identity.starts_with(http_auth::PREFIX))?;
    Some((Arc::default(), Arc::new(http.limits.clone())))
}

/// How a denial looks to the client. Whoever has the right password and may not use it is answered
/// as if it were wrong: a thief on the LAN is not to learn that it is right. The owner reads the
/// difference in the event.
pub(super) fn refusal(verdict: &Verdict, denial: Denial) -> Refusal {
    match &verdict.proof {
        Ok(Proof::Proven(proven)) if proven.by != By::Certificate => Refusal::BadCredentials,
        _ => plain_refusal(denial),
    }
}

fn plain_refusal(denial: Denial) -> Refusal {
    match denial {
        Denial::NoCredentials
        | Denial::UnknownUser
        | Denial::WrongPassword
        | Denial::BadExchange
        | Denial::OtherUser
        | Denial::NoVerifier
        | Denial::BadToken
        | Denial::CheckDenied
        | Denial::TokenExpired
        | Denial::TokenTooEarly
        | Denial::TokenForOthers
        | Denial::TokenNamesNobody => Refusal::BadCredentials,
        Denial::OtherDevice
        | Denial::UnknownDevice
        | Denial::PlaintextNotAllowed
        | Denial::Changed
        | Denial::NoCertificate
        | Denial::CertificateNoAccount
        | Denial::CertificateOfAnother
        | Denial::CertificateUnnamed
        | Denial::CertificateRevoked
        | Denial::CertificateUnlisted
        | Denial::CertificateExpired
        | Denial::CertificateNotYetValid
        | Denial::CertificateUnknownIssuer
        | Denial::CertificateRefused => Refusal::NotAuthorized,
        Denial::Quarantined | Denial::Blocked => Refusal::Banned,
        Denial::UnknownMethod | Denial::ChannelBinding => Refusal::BadMethod,
        Denial::Busy
        | Denial::DamagedHash
        | Denial::NoRandom
        | Denial::NoTokenKey
        | Denial::CheckFailed => Refusal::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn verdict(account: &Account, mac: Option<Mac>) -> Verdict {
        Verdict {
            conn: ConnId { slot: 0, serial: 0 },
            username: Some(account.username.to_string()),
            client_id: "c".into(),
            address: IpAddr::from([127, 0, 0, 1]),
            mac,
            proof: Ok(Proof::Proven(Proven::as_account(&Arc::new(
                account.clone(),
            )))),
        }
    }

    fn directory(account: &Account) -> Directory {
        let name = account.username.to_string();
        Directory {
            accounts: HashMap::from([(name, Arc::new(account.clone()))]),
            standings: HashMap::new(),
        }
    }

    /// The directory may be replaced between the check of a password and its use.
    #[test]
    fn what_was_checked_counts_by_the_directory_of_now() {
        let mac = Mac([2, 0, 0, 0, 0, 1]);
        let account = Account {
            username: "lamp".into(),
            mac,
            device: "lamp".into(),
            hash: "one".into(),
            scram: Vec::new(),
            roaming: false,
            plaintext: false,
            profile_name: "default".into(),
            profile: Arc::default(),
            limits: Arc::new(mqttguard_broker::Limits {
                packet_size: 1,
                messages_per_s: 1,
                bytes_per_s: 1,
                over_rate: Default::default(),
                burst_ms: 1,
                connections: 1,
                subscriptions: 1,
                topic_length: 1,
                topic_levels: 1,
                user_properties: 1,
                will_size: 1,
                in_flight: 1,
                queue_messages: 1,
                queue_bytes: 1,
                retained_messages: 1,
                retained_bytes: 1,
                session_expiry_s: 1,
            }),
        };
        let checked = verdict(&account, Some(mac));
        let decide = |directory: &Directory| {
            super::decide(directory, &Logins::default(), &checked, ListenerKind::Tls).map(|_| ())
        };
        assert_eq!(decide(&directory(&account)), Ok(()));
        assert_eq!(decide(&Directory::default()), Err(Denial::Changed));
        let mut changed = account.clone();
        changed.hash = "two".into();
        assert_eq!(decide(&directory(&changed)), Err(Denial::Changed));
        let mut banned = directory(&account);
        banned.standings.insert(mac, Standing::Quarantined);
        assert_eq!(decide(&banned), Err(Denial::Quarantined));
        let mut moved = account.clone();
        moved.mac = Mac([2, 0, 0, 0, 0, 2]);
        assert_eq!(decide(&directory(&moved)), Err(Denial::OtherDevice));
        // Nobody vouches any more for whom a check or a token's issuer has let in.
        for by in [By::Check, By::Token] {
            let mut vouched = verdict(&account, Some(mac));
            if let Ok(Proof::Proven(proven)) = &mut vouched.proof {
                proven.by = by;
            }
            let logins = Logins::default();
            let decided = super::decide(&directory(&account), &logins, &vouched, ListenerKind::Tls);
            assert_eq!(decided.map(|_| ()), Err(Denial::Changed));
        }
    }
}
