//! Who is let in beside the registered devices.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// The `jwt` section: what a JSON Web Token has to be for its bearer to be let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jwt {
    /// What it is signed with.
    pub keys: JwtKeys,
    /// One of these has to be in its `aud`.
    pub audience: Vec<String>,
    /// Its `iss`, if that matters.
    pub issuer: Option<String>,
    /// The claim that is the user name.
    pub claim: String,
    /// How wrong a clock may be, for `exp` and `nbf`.
    pub leeway: Duration,
}

/// Where the keys are that tokens are checked with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JwtKeys {
    /// One public key in PEM.
    Pem(PathBuf),
    /// A JSON Web Key Set.
    Jwks(PathBuf),
}

/// The `http_auth` section: who else is asked about users that the registry does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpAuth {
    /// Where to.
    pub url: Url,
    /// How long the answer may take.
    pub timeout: Duration,
    /// How long a good answer is remembered.
    pub cache: Duration,
    /// Who may sign the server's certificate, in PEM.
    pub ca_file: PathBuf,
    /// What those may do whose answer does not say it; None: nothing.
    pub profile: Option<String>,
    /// Name of the [`Limits`] of each.
    pub limits: String,
}

/// A URL of HTTP or HTTPS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// HTTPS.
    pub is_tls: bool,
    /// A name or address, an IPv6 address without its brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// With the query, if there is one. Begins with `/`.
    pub path: String,
}

impl Url {
    /// Host and port, as in a Host header.
    pub fn authority(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.path)
    }
}
