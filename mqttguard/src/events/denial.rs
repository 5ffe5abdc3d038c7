//! Why clients are not let in.

use std::fmt;

use serde_json::Value;

use crate::coded::Coded;

/// Why a login was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Denial {
    /// The CONNECT had no user name or no password.
    NoCredentials,
    /// Nobody has this user name.
    UnknownUser,
    /// It is another password.
    WrongPassword,
    /// The device has a credential, and has shown the password of another account, which waits for
    /// its device.
    ClaimSecond,
    /// The device is to be paired and sent no user name or no password.
    PairingAnonymous,
    /// The device is to be paired and its user name is another device's.
    PairingNameTaken,
    /// The device is to be paired and its user name cannot be one here.
    PairingName,
    /// The device is to be paired and proves its password instead of sending it.
    PairingNeedsPassword,
    /// The device is in quarantine.
    Quarantined,
    /// The device is blocked.
    Blocked,
    /// The credential is bound to another device's MAC address.
    OtherDevice,
    /// The peer's MAC address is not known (no neighbour entry, or loopback), and the credential
    /// is bound to one.
    UnknownDevice,
    /// The device may not use the plaintext listener.
    PlaintextNotAllowed,
    /// The credential was changed while it was checked.
    Changed,
    /// The Authentication Method is not supported.
    UnknownMethod,
    /// The client insists on SCRAM with channel binding.
    ChannelBinding,
    /// An Authentication Data is not as its method has it.
    BadExchange,
    /// The client names two users, or asks to act as another.
    OtherUser,
    /// There is no SCRAM verifier for the user: the credential is older than they are.
    NoVerifier,
    /// A token that is none, or that nobody trusted has signed.
    BadToken,
    /// The token is no longer good.
    TokenExpired,
    /// The token is not good yet.
    TokenTooEarly,
    /// The token has another audience or issuer.
    TokenForOthers,
    /// The token has not the claim that names the account, or no device has that account.
    TokenNamesNobody,
    /// The keys that tokens are checked with cannot be read.
    NoTokenKey,
    /// The external check says no.
    CheckDenied,
    /// The external check gives no answer, or none that can be used.
    CheckFailed,
    /// Too many logins wait already.
    Busy,
    /// The system has no random numbers.
    NoRandom,
    /// The hash stored for the user is damaged.
    DamagedHash,
    /// The client has no certificate and the listener requires one.
    NoCertificate,
    /// No account has the user name that the certificate's common name is.
    CertificateNoAccount,
    /// The CONNECT has another user name than the certificate.
    CertificateOfAnother,
    /// The certificate's subject has no common name, or several.
    CertificateUnnamed,
    /// A revocation list has the certificate, or one of its CAs.
    CertificateRevoked,
    /// There are revocation lists, but none of the certificate's CA.
    CertificateUnlisted,
    /// The certificate, or one of its CAs, has expired.
    CertificateExpired,
    /// The certificate begins later than the router's clock.
    CertificateNotYetValid,
    /// No CA of the listener has issued the certificate.
    CertificateUnknownIssuer,
    /// The certificate is damaged, not for clients, or its signature is wrong.
    CertificateRefused,
}

impl Denial {
    /// All of them.
    pub const ALL: [Denial; 40] = [
        Denial::NoCredentials,
        Denial::UnknownUser,
        Denial::WrongPassword,
        Denial::ClaimSecond,
        Denial::PairingAnonymous,
        Denial::PairingNameTaken,
        Denial::PairingName,
        Denial::PairingNeedsPassword,
        Denial::Quarantined,
        Denial::Blocked,
        Denial::OtherDevice,
        Denial::UnknownDevice,
        Denial::PlaintextNotAllowed,
        Denial::Changed,
        Denial::UnknownMethod,
        Denial::ChannelBinding,
        Denial::BadExchange,
        Denial::OtherUser,
        Denial::NoVerifier,
        Denial::BadToken,
        Denial::TokenExpired,
        Denial::TokenTooEarly,
        Denial::TokenForOthers,
        Denial::TokenNamesNobody,
        Denial::NoTokenKey,
        Denial::CheckDenied,
        Denial::CheckFailed,
        Denial::Busy,
        Denial::NoRandom,
        Denial::DamagedHash,
        Denial::NoCertificate,
        Denial::CertificateNoAccount,
        Denial::CertificateOfAnother,
        Denial::CertificateUnnamed,
        Denial::CertificateRevoked,
        Denial::CertificateUnlisted,
        Denial::CertificateExpired,
        Denial::CertificateNotYetValid,
        Denial::CertificateUnknownIssuer,
        Denial::CertificateRefused,
    ];

    /// In plain words.
    pub const fn text(self) -> &'static str {
        match self {
            Denial::NoCredentials => "no user name or no password",
            Denial::UnknownUser => "unknown user name",
            Denial::WrongPassword => "wrong password",
            Denial::ClaimSecond => {
                "the imported account waits for a device without a credential, and this one has one"
            }
            Denial::PairingAnonymous => {
                "it is to be paired, but sent no user name or no password; set both on the device"
            }
            Denial::PairingNameTaken => {
                "it is to be paired, but the user name is another device's; set another one on the \
                 device"
            }
            Denial::PairingName => {
                "it is to be paired, but the user name is not 1 to 63 letters, digits, '.', '_' or \
                 '-'; set another one on the device"
            }
            Denial::PairingNeedsPassword => {
                "it is to be paired, but with SCRAM it does not send its password; enrol it instead"
            }
            Denial::Quarantined => "the device is in quarantine",
            Denial::Blocked => "the device is blocked",
            Denial::OtherDevice => "the credential belongs to another device",
            Denial::UnknownDevice => {
                "the peer's MAC address is not known and the credential is bound to one"
            }
            Denial::PlaintextNotAllowed => "the device may not use the plaintext listener",
            Denial::Changed => "the credential was changed meanwhile",
            Denial::UnknownMethod => "the authentication method is not supported",
            Denial::ChannelBinding => "SCRAM with channel binding is not supported",
            Denial::BadExchange => "the authentication data is malformed",
            Denial::OtherUser => "it names two different users",
            Denial::NoVerifier => {
                "the credential is of a time before SCRAM; one login by password makes it fit"
            }
            Denial::BadToken => "the token is not one that a trusted key has signed",
            Denial::TokenExpired => "the token has expired",
            Denial::TokenTooEarly => "the token is not good yet; is the router's clock right?",
            Denial::TokenForOthers => {
                "the token is meant for another service, or of another issuer"
            }
            Denial::TokenNamesNobody => "the token names no enrolled device",
            Denial::NoTokenKey => "the key file for tokens cannot be read",
            Denial::CheckDenied => "unknown user name, and the external check denies it",
            Denial::CheckFailed => "unknown user name, and the external check gives no answer",
            Denial::Busy => "too many logins at once",
            Denial::NoRandom => "the router has no random numbers yet",
            Denial::DamagedHash => "the stored password hash is damaged",
            Denial::NoCertificate => "no certificate, and the listener requires one",
            Denial::CertificateNoAccount => "no account has the certificate's common name",
            Denial::CertificateOfAnother => "the user name is not the certificate's common name",
            Denial::CertificateUnnamed => "the certificate has no common name, or several",
            Denial::CertificateRevoked => "the certificate is revoked",
            Denial::CertificateUnlisted => "no revocation list of the certificate's CA",
            Denial::CertificateExpired => "the certificate has expired",
            Denial::CertificateNotYetValid => {
                "the certificate is not valid yet, by the router's clock"
            }
            Denial::CertificateUnknownIssuer => "no CA of the listener has issued the certificate",
            Denial::CertificateRefused => "the certificate is damaged or not for clients",
        }
    }

    /// Whether it looks like guessing, rather than like a device in the wrong place.
    pub const fn is_guess(self) -> bool {
        matches!(
            self,
            Denial::NoCredentials
                | Denial::UnknownUser
                | Denial::WrongPassword
                | Denial::BadExchange
                | Denial::OtherUser
                | Denial::BadToken
                | Denial::CheckDenied
                | Denial::PairingAnonymous
                | Denial::PairingNameTaken
                | Denial::PairingName
        )
    }
}

impl Coded for Denial {
    fn code(&self) -> &'static str {
        match self {
            Denial::NoCredentials => "no-credentials",
            Denial::UnknownUser => "unknown-user",
            Denial::WrongPassword => "wrong-password",
            Denial::ClaimSecond => "claim-second",
            Denial::PairingAnonymous => "pairing-anonymous",
            Denial::PairingNameTaken => "pairing-name-taken",
            Denial::PairingName => "pairing-name",
            Denial::PairingNeedsPassword => "pairing-needs-password",
            Denial::Quarantined => "quarantined",
            Denial::Blocked => "blocked",
            Denial::OtherDevice => "other-device",
            Denial::UnknownDevice => "unknown-device",
            Denial::PlaintextNotAllowed => "plaintext-not-allowed",
            Denial::Changed => "changed",
            Denial::UnknownMethod => "unknown-method",
            Denial::ChannelBinding => "channel-binding",
            Denial::BadExchange => "bad-exchange",
            Denial::OtherUser => "other-user",
            Denial::NoVerifier => "no-verifier",
            Denial::BadToken => "bad-token",
            Denial::TokenExpired => "token-expired",
            Denial::TokenTooEarly => "token-too-early",
            Denial::TokenForOthers => "token-for-others",
            Denial::TokenNamesNobody => "token-names-nobody",
            Denial::NoTokenKey => "no-token-key",
            Denial::CheckDenied => "check-denied",
            Denial::CheckFailed => "check-failed",
            Denial::Busy => "busy",
            Denial::NoRandom => "no-random",
            Denial::DamagedHash => "damaged-hash",
            Denial::NoCertificate => "no-certificate",
            Denial::CertificateNoAccount => "certificate-no-account",
            Denial::CertificateOfAnother => "certificate-of-another",
            Denial::CertificateUnnamed => "certificate-unnamed",
            Denial::CertificateRevoked => "certificate-revoked",
            Denial::CertificateUnlisted => "certificate-unlisted",
            Denial::CertificateExpired => "certificate-expired",
            Denial::CertificateNotYetValid => "certificate-not-yet-valid",
            Denial::CertificateUnknownIssuer => "certificate-unknown-issuer",
            Denial::CertificateRefused => "certificate-refused",
        }
    }

    fn values(&self) -> Vec<(&'static str, Value)> {
        Vec::new()
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coded::codes_of;

    #[test]
    fn all_denials_are_all_there_is() {
        let codes = Denial::ALL
            .iter()
            .map(|one| one.code().to_owned())
            .collect();
        assert_eq!(
            codes_of(include_str!("denial.rs"), "impl Coded for Denial"),
            codes
        );
    }
}
