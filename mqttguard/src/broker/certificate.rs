//! Logins by client certificate, and what is said of TLS that failed.

use std::collections::HashMap;
use std::sync::Arc;

use mqttguard_broker::{ConnId, Kick, Time};
use rustls::{AlertDescription, CertificateError, Error};

use super::event::BrokerEventKind;
use super::reactor::Reactor;
use crate::events::Denial;
use crate::pki::{ClientVerifier, common_name};
use crate::text::clip;

impl Reactor {
    /// Whom the connection's certificate names. None if it has none and needs none.
    pub(super) fn certified(&mut self, id: ConnId) -> Option<Result<String, Denial>> {
        let clients = self.verifier(id);
        let conn = self.conns.get_mut(id)?;
        let Some(chain) = conn.certificates() else {
            // A resumed session may be one of a listener that asks for no certificate.
            let required = clients.is_some_and(|clients| clients.is_required());
            return required.then_some(Err(Denial::NoCertificate));
        };
        let Some(clients) = clients else {
            return Some(Err(Denial::CertificateRefused));
        };
        if conn.is_resumed()
            && let Err(error) = clients.check(chain)
        {
            return Some(Err(denial(&error).unwrap_or(Denial::CertificateRefused)));
        }
        let Some(name) = chain.first().and_then(common_name) else {
            return Some(Err(Denial::CertificateUnnamed));
        };
        let serial = clients.own_serial(chain);
        let account = self.directory.accounts.get(&name);
        let is_revoked = match (&serial, account) {
            (Some(serial), Some(account)) => !account.certificates.contains(serial),
            // Who has no account does not get in by a certificate either.
            _ => false,
        };
        conn.serial = serial;
        Some(match is_revoked {
            true => Err(Denial::CertificateRevoked),
            false => Ok(name),
        })
    }

    /// Cuts off the clients whose certificates their listeners would not take any more, where
    /// they are verified by others than `before`.
    pub(super) fn check_certificates(
        &mut self,
        now: Time,
        before: &HashMap<Arc<str>, Arc<ClientVerifier>>,
    ) {
        let mut refused = Vec::new();
        let mut unfinished = Vec::new();
        for conn in self.conns.iter() {
            let listener = self.listeners.get(&conn.listener);
            let clients = listener.and_then(|listener| listener.tls()?.clients.as_ref());
            let old = before.get(&conn.listener);
            if clients.map(Arc::as_ptr) == old.map(Arc::as_ptr) {
                continue;
            }
            if conn.is_handshaking() {
                // It would end by the old rules. Whoever it is may come again.
                unfinished.push(conn.id);
                continue;
            }
            let chain = conn.certificates();
            let checked = match (clients, chain) {
                (Some(clients), Some(chain)) => clients.check(chain),
                (Some(clients), None) if clients.is_required() => {
                    Err(Error::NoCertificatesPresented)
                }
                (None, Some(_)) => Err(CertificateError::UnknownIssuer.into()),
                (_, None) => continue,
            };
            if let Err(error) = checked {
                let why = denial(&error).unwrap_or(Denial::CertificateRefused);
                let name = chain.and_then(|chain| common_name(chain.first()?));
                refused.push((conn.id, conn.login.is_some(), name, why));
            }
        }
        for id in unfinished {
            self.finish(now, id);
        }
        for (id, is_in, name, why) in refused {
            let username = name.map(|name| clip(&name).into_owned());
            self.tell_of(id, 0, BrokerEventKind::LoginRefused { username, why });
            if is_in {
                // Others with this identity may be in by a password or another certificate.
                self.core.expel(now, id, Kick::Revoked);
                if let Some(conn) = self.conns.get_mut(id) {
                    conn.hurry(now);
                }
                self.sweep_soon(now);
            } else {
                // On its way in by what is not true any more.
                self.finish(now, id);
            }
        }
    }

    /// What to tell of TLS that failed.
    pub(super) fn tls_failure(&mut self, id: ConnId, error: &Error) -> BrokerEventKind {
        match denial(error) {
            Some(why) => BrokerEventKind::LoginRefused {
                username: self.verifier(id).and_then(|clients| clients.take_refused()),
                why,
            },
            None => BrokerEventKind::ProtocolError {
                packet: "TLS",
                what: words(error),
            },
        }
    }

    fn verifier(&mut self, id: ConnId) -> Option<Arc<ClientVerifier>> {
        let conn = self.conns.get_mut(id)?;
        self.listeners.get(&conn.listener)?.tls()?.clients.clone()
    }
}

/// What an error says of the client's certificate, if it is about that.
fn denial(error: &Error) -> Option<Denial> {
    Some(match error {
        Error::NoCertificatesPresented => Denial::NoCertificate,
        Error::InvalidCertificate(error) => match error {
            CertificateError::Revoked => Denial::CertificateRevoked,
            CertificateError::UnknownRevocationStatus => Denial::CertificateUnlisted,
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                Denial::CertificateExpired
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                Denial::CertificateNotYetValid
            }
            CertificateError::UnknownIssuer => Denial::CertificateUnknownIssuer,
            _ => Denial::CertificateRefused,
        },
        _ => return None,
    })
}

/// An error in plain words, with what is to be done about it where that is clear.
fn words(error: &Error) -> String {
    let Error::AlertReceived(alert) = error else {
        return error.to_string();
    };
    let hint = match alert {
        AlertDescription::UnknownCA
        | AlertDescription::BadCertificate
        | AlertDescription::CertificateUnknown => {
            ": it does not trust the broker's certificate; give it ca.crt, and let it connect to a \
             name or address in the certificate"
        }
        AlertDescription::CertificateExpired => {
            ": it holds the broker's certificate for expired; is its clock right?"
        }
        AlertDescription::RecordOverflow => {
            ": its buffer is too small; give its listener a smaller record_size"
        }
        _ => "",
    };
    format!(
        "the client ended it with alert {alert:?} ({}){hint}",
        u8::from(*alert)
    )
}
