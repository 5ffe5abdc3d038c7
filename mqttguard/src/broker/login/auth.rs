//! Who is let in. Passwords and proofs are checked on a thread of their own; what follows from a
//! checked one is decided on the broker's thread, by the directory of that moment.

use std::sync::Arc;

use mqttguard_broker::{Decision, Grants, Limits, Refusal};
use mqttguard_common::Mac;

use super::grants::{self, Names};
use super::http_auth;
use super::verdict::{By, Proof, Verdict};
use crate::broker::Logins;
use crate::config::ListenerKind;
use crate::events::Denial;
use crate::registry::{Account, Directory, Standing};

/// Refuses devices in quarantine and blocked ones.
pub(in crate::broker) fn standing(directory: &Directory, mac: Option<Mac>) -> Result<(), Denial> {
    match mac.and_then(|mac| directory.standings.get(&mac)) {
        None | Some(Standing::Good) => Ok(()),
        Some(Standing::Quarantined) => Err(Denial::Quarantined),
        Some(Standing::Blocked) => Err(Denial::Blocked),
    }
}

/// Whether somebody with this account's password may come in from this peer.
pub(in crate::broker) fn admit(
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

/// Whether the device can be given the account that waits under this user name, somebody having
/// shown its password from there.
pub(in crate::broker) fn claimable(
    directory: &Directory,
    username: &str,
    mac: Option<Mac>,
    listener: ListenerKind,
) -> Result<(), Denial> {
    standing(directory, mac)?;
    let waiting = directory.claims.get(username).ok_or(Denial::Changed)?;
    let mac = mac.ok_or(Denial::UnknownDevice)?;
    if waiting.mac.is_some_and(|only| only != mac) {
        return Err(Denial::OtherDevice);
    }
    if directory.accounts.values().any(|held| held.mac == mac) {
        return Err(Denial::ClaimSecond);
    }
    match listener {
        ListenerKind::Plain if !directory.islanders.contains(&mac) => {
            Err(Denial::PlaintextNotAllowed)
        }
        ListenerKind::Plain | ListenerKind::Tls | ListenerKind::Wss => Ok(()),
    }
}

/// Decides on a verdict by the directory of now, which may be a later one than the worker's.
pub(in crate::broker) fn decide(
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
        By::Password | By::Scram | By::Certificate | By::Pairing { .. } | By::Claim { .. } => true,
    };
    if !is_believed {
        return Err(Denial::Changed);
    }
    let account = match proven.by {
        By::Check => &proven.account,
        By::Password
        | By::Scram
        | By::Token
        | By::Certificate
        | By::Pairing { .. }
        | By::Claim { .. } => {
            let username = &*proven.account.username;
            let account = directory.accounts.get(username);
            let account = account.filter(|account| account.has_hash(proven.hash()));
            match (account, proven.by) {
                (Some(account), _) => account,
                // What speaks against it now, rather than that nobody has it yet.
                (None, By::Claim { .. }) => {
                    claimable(directory, username, verdict.mac, listener)?;
                    return Err(Denial::Changed);
                }
                (None, _) => return Err(Denial::Changed),
            }
        }
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
pub(in crate::broker) fn grants_of(account: &Account, client_id: &str) -> mqttguard_broker::Grants {
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
pub(in crate::broker) fn rights_of(
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
pub(in crate::broker) fn refusal(verdict: &Verdict, denial: Denial) -> Refusal {
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
        | Denial::PairingAnonymous
        | Denial::ClaimSecond
        | Denial::PairingNameTaken
        | Denial::PairingName
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
        Denial::UnknownMethod | Denial::ChannelBinding | Denial::PairingNeedsPassword => {
            Refusal::BadMethod
        }
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

    use super::super::verdict::Proven;
    use super::*;
    use mqttguard_broker::ConnId;
    use std::net::IpAddr;

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
            ..Directory::default()
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
            earlier: None,
            certificates: Vec::new(),
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
