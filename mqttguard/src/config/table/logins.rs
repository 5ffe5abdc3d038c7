//! Other ways to prove who one is.

use std::time::Duration;

use super::super::kinds::*;
use super::super::names::*;
use super::super::schema::{Absent, Naming, Opt, Section};
use super::super::urls::HttpUrl;
use super::{DAY, MINUTE};

pub(in crate::config) static JWT: Section = Section {
    kind: "jwt",
    naming: Naming::Only("jwt"),
    max: 1,
    help: "JSON Web Tokens as passwords, signed with RS256, ES256 or EdDSA. Without this section \
           none is taken. A password that looks like a token is only ever checked as one; the \
           account that it names has to be enrolled, and is bound to its device as with a \
           password. The session ends when the token expires; a client that gives its token by \
           the Authentication Method `OAUTHBEARER` of MQTT 5 may give the next one in time.",
    options: &[
        &JWT_KEY,
        &JWT_JWKS,
        &JWT_AUDIENCE,
        &JWT_ISSUER,
        &JWT_CLAIM,
        &JWT_LEEWAY,
    ],
};

options! {
    JWT_KEY: Path = one "key" Path, Absent::Means("`jwks` is given"),
        "A file with the public key in PEM that tokens are checked with: RSA, P-256 or Ed25519, \
         which decides the algorithm. Read again when it changes; while it cannot be read, tokens \
         are refused.";
    JWT_JWKS: Path = one "jwks" Path, Absent::Means("`key` is given"),
        "A file with a JSON Web Key Set instead, for keys that come and go. The token's `kid` \
         chooses.";
    JWT_AUDIENCE: Text = many "audience" TOKEN_TEXT, Absent::Mistake,
        "What this broker is called in a token's `aud`: one of these has to be there, or a token \
         made for another service would open this one.";
    JWT_ISSUER: Text = one "issuer" TOKEN_TEXT, Absent::Means("any that has the key"),
        "What has to be in a token's `iss`.";
    JWT_CLAIM: Text = one "claim" CLAIM, Absent::Is("sub"),
        "The claim that is the user name of the enrolled device. A user name in CONNECT has to be \
         the same.";
    JWT_LEEWAY: Time = one "leeway" Time { min: Duration::ZERO, max: MINUTE.saturating_mul(10) },
        Absent::Is("30s"), "How far the clocks of router and issuer may be apart, for `exp` and `nbf`.";
}

pub(in crate::config) static HTTP_AUTH: Section = Section {
    kind: "http_auth",
    naming: Naming::Only("http_auth"),
    max: 1,
    help: "An external check of user names that no enrolled device has. Names of enrolled devices \
           are never asked about, nor are tokens. The broker posts JSON with `username`, \
           `password`, `client_id`, `address`, `mac` (or null), `listener` and `protocol`, and \
           expects status 200 and JSON with `decision` (`allow` or `deny`) and, as far as wanted, \
           `publish` and `subscribe` (arrays of topic patterns in place of the profile's) and `ttl` \
           (seconds for which the answer may be remembered). Without a good answer nobody gets in. \
           Such a user is bound to no device, comes in by TLS only, and in patterns `%d` \
           and the MAC address grant it nothing.",
    options: &[
        &HTTP_URL,
        &HTTP_TIMEOUT,
        &HTTP_CACHE,
        &HTTP_CA_FILE,
        &HTTP_PROFILE,
        &HTTP_LIMITS,
    ],
};

options! {
    HTTP_URL: HttpUrl = one "url" HttpUrl, Absent::Mistake,
        "Where to ask. `http://` only to this router itself (127.0.0.1, ::1 or localhost), as it \
         is told passwords.";
    HTTP_TIMEOUT: Time = one "timeout" Time { min: Duration::from_secs(1), max: Duration::from_secs(30) },
        Absent::Is("3s"), "How long an answer may take, after which the login fails. A login waits for \
        its turn for as long again at most.";
    HTTP_CACHE: Time = one "cache" Time { min: Duration::ZERO, max: DAY }, Absent::Is("60s"),
        "How long `allow` is remembered for the same question; `0s` for never. `deny` never is.";
    HTTP_CA_FILE: Path = one "ca_file" Path, Absent::Is("/etc/ssl/certs/ca-certificates.crt"),
        "Certificates in PEM that may have signed the server's. The default is that of the package \
         `ca-bundle`.";
    HTTP_PROFILE: Ref = one "profile" Ref("profile"), Absent::Means("nothing but what the answer grants"),
        "What those may do whose answer does not say it.";
    HTTP_LIMITS: Ref = one "limits" Ref("limits"), Absent::Is("default"), "The limits of each of them.";
}
