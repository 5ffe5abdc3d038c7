//! Who is let in. Passwords are checked on a thread of their own; what follows from a checked
//! password is decided on the broker's thread, by the directory of that moment.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread;

use mio::Waker;
use mqttguard_broker::{AuthRequest, ConnId, Decision, Refusal};
use mqttguard_common::Mac;
use ring::hmac;
use ring::rand::SystemRandom;
use zeroize::Zeroizing;

use super::Resolve;
use super::certificate;
use super::event::Denial;
use super::grants::{self, Names};
use super::password::{self, Hash};
use crate::config::ListenerKind;
use crate::registry::{Account, Directory, Standing};
use crate::text::clip;

/// Logins that may wait for the worker. Beyond that, clients are told to come back later.
const QUEUE: usize = 256;
/// Passwords remembered as good; devices that reconnect after an outage cost no PBKDF2 then.
const REMEMBERED: usize = 1024;

/// A CONNECT to be checked.
pub(super) struct Job {
    conn: ConnId,
    username: Option<String>,
    password: Option<Zeroizing<Vec<u8>>>,
    /// Whom a verified certificate names, or why that does not count. None: there is none.
    pub(super) certificate: Option<Result<String, Denial>>,
    client_id: String,
    address: IpAddr,
    directory: Arc<Directory>,
}

impl Job {
    pub(super) fn new(
        conn: ConnId,
        request: AuthRequest,
        address: IpAddr,
        directory: Arc<Directory>,
    ) -> Job {
        Job {
            conn,
            username: request.username,
            password: request.password,
            certificate: None,
            client_id: request.client_id,
            address,
            directory,
        }
    }
}

/// What the worker found.
pub(super) struct Verdict {
    pub(super) conn: ConnId,
    pub(super) username: Option<String>,
    pub(super) client_id: String,
    /// Where it comes from.
    pub(super) address: IpAddr,
    /// The peer's MAC address at that moment.
    pub(super) mac: Option<Mac>,
    /// The account whose password this is.
    pub(super) proof: Result<Arc<Account>, Denial>,
}

impl Verdict {
    /// The user name that was tried, for show.
    pub(super) fn shown_username(&self) -> Option<String> {
        self.username.as_deref().map(|name| clip(name).into_owned())
    }
}

/// The thread that checks passwords.
pub(super) struct Worker {
    jobs: SyncSender<Job>,
    verdicts: Receiver<Verdict>,
}

impl Worker {
    /// Starts the thread; it ends when the `Worker` is dropped.
    pub(super) fn start(resolve: Arc<Resolve>, waker: Arc<Waker>) -> io::Result<Worker> {
        let (jobs, todo) = sync_channel::<Job>(QUEUE);
        let (done, verdicts) = sync_channel(QUEUE);
        let mut checker = Checker::new()?;
        thread::Builder::new()
            .name("broker-login".into())
            .spawn(move || {
                for job in todo {
                    let verdict = checker.check(job, &*resolve);
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
            Err(Full(job) | Disconnected(job)) => Some(Verdict {
                conn: job.conn,
                username: job.username,
                client_id: job.client_id,
                address: job.address,
                mac: None,
                proof: Err(Denial::Busy),
            }),
        }
    }

    /// The next verdict, if one is there.
    pub(super) fn next(&self) -> Result<Verdict, TryRecvError> {
        self.verdicts.try_recv()
    }
}

/// Checks passwords, and remembers in memory which were good: an HMAC under a key of this
/// process over stored hash and password, so that a changed hash is forgotten with it.
struct Checker {
    /// What an unknown user's password is checked against.
    nobody: Hash,
    key: hmac::Key,
    good: HashMap<Arc<str>, hmac::Tag>,
}

impl Checker {
    fn new() -> io::Result<Checker> {
        let random = SystemRandom::new();
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &random)
            .map_err(|_| io::Error::other(password::NoRandom))?;
        let nobody = Hash::new(b"", password::ITERATIONS).map_err(io::Error::other)?;
        Ok(Checker {
            nobody,
            key,
            good: HashMap::new(),
        })
    }

    fn check(&mut self, job: Job, resolve: &Resolve) -> Verdict {
        let mac = resolve(job.address);
        let proof = self.prove(&job, mac);
        // Whoever a certificate names need not say so.
        let named = job.certificate.and_then(Result::ok);
        Verdict {
            conn: job.conn,
            username: job.username.or(named),
            client_id: job.client_id,
            address: job.address,
            mac,
            proof,
        }
    }

    fn prove(&mut self, job: &Job, mac: Option<Mac>) -> Result<Arc<Account>, Denial> {
        // Before the costly part: whoever is in quarantine gets no more of the worker's time.
        standing(&job.directory, mac)?;
        if let Some(certificate) = &job.certificate {
            let name = certificate.as_deref().map_err(|denial| *denial)?;
            return certificate::account(&job.directory, name, job.username.as_deref());
        }
        let (Some(username), Some(password)) = (&job.username, &job.password) else {
            return Err(Denial::NoCredentials);
        };
        if password.len() > password::MAX_PASSWORD {
            return Err(Denial::WrongPassword);
        }
        let Some(account) = job.directory.accounts.get(username) else {
            self.nobody.verify(password);
            return Err(Denial::UnknownUser);
        };
        let mut message = Zeroizing::new(account.hash.as_bytes().to_vec());
        message.push(0);
        message.extend_from_slice(password);
        if let Some(tag) = self.good.get(username.as_str())
            && hmac::verify(&self.key, &message, tag.as_ref()).is_ok()
        {
            return Ok(Arc::clone(account));
        }
        let hash: Hash = account.hash.parse().map_err(|_| Denial::DamagedHash)?;
        if !hash.verify(password) {
            return Err(Denial::WrongPassword);
        }
        if self.good.len() >= REMEMBERED {
            self.good.clear();
        }
        let tag = hmac::sign(&self.key, &message);
        self.good.insert(Arc::clone(&account.username), tag);
        Ok(Arc::clone(account))
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
    verdict: &Verdict,
    listener: ListenerKind,
) -> Result<Decision, Denial> {
    let proven = verdict.proof.as_ref().map_err(|denial| *denial)?;
    let account = directory
        .accounts
        .get(&*proven.username)
        .filter(|account| account.hash == proven.hash)
        .ok_or(Denial::Changed)?;
    admit(directory, account, verdict.mac, listener)?;
    Ok(Decision::Accept {
        identity: Arc::clone(&account.username),
        grants: Arc::new(grants_of(account, &verdict.client_id)),
        limits: Arc::clone(&account.limits),
        data: None,
    })
}

/// What an account's client may do.
pub(super) fn grants_of(account: &Account, client_id: &str) -> mqttguard_broker::Grants {
    let names = Names {
        device: &account.device,
        username: &account.username,
        client_id,
        mac: account.mac,
    };
    grants::expand(&account.profile, names)
}

/// How a denial looks in the CONNACK.
pub(super) fn refusal(denial: Denial) -> Refusal {
    match denial {
        Denial::NoCredentials | Denial::UnknownUser | Denial::WrongPassword => {
            Refusal::BadCredentials
        }
        Denial::Quarantined | Denial::Blocked => Refusal::Banned,
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
        Denial::Busy | Denial::DamagedHash => Refusal::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(account: &Account, mac: Option<Mac>) -> Verdict {
        Verdict {
            conn: ConnId { slot: 0, serial: 0 },
            username: Some(account.username.to_string()),
            client_id: "c".into(),
            address: IpAddr::from([127, 0, 0, 1]),
            mac,
            proof: Ok(Arc::new(account.clone())),
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
            roaming: false,
            plaintext: false,
            profile_name: "default".into(),
            profile: Arc::default(),
            limits: Arc::new(mqttguard_broker::Limits {
                packet_size: 1,
                messages_per_s: 1,
                bytes_per_s: 1,
                burst_ms: 1,
                connections: 1,
                subscriptions: 1,
                topic_levels: 1,
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
            super::decide(directory, &checked, ListenerKind::Tls).map(|_| ())
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
    }
}
