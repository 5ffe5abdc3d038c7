//! HTTP Digest (RFC 7616) as Shelly asks for it: SHA-256, `qop=auth`. And Basic (RFC 7617), which is
//! all that OpenBeken knows.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom as _, SystemRandom};
use zeroize::Zeroizing;

/// The user name, always.
pub(super) const USER: &str = "admin";

/// What a device wants to have answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Challenge {
    realm: String,
    nonce: String,
    opaque: Option<String>,
}

/// The system has no random numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random numbers")]
pub(super) struct NoRandom;

/// A `WWW-Authenticate` field; None if it is not one that can be answered. Any other hash than
/// SHA-256 cannot: MD5 would give the password away to whoever asks.
pub(super) fn parse(field: &str) -> Option<Challenge> {
    let (scheme, rest) = field.trim().split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("digest") {
        return None;
    }
    let fields = fields(rest)?;
    let get = |name: &str| {
        let mut all = fields.iter();
        let found = all.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.clone())
    };
    let has_auth = get("qop")?.split(',').any(|qop| qop.trim() == "auth");
    let is_sha256 = get("algorithm")?.eq_ignore_ascii_case("SHA-256");
    // What goes back in quotes must not end them.
    let fits = |text: &String| {
        text.len() <= 256
            && text
                .bytes()
                .all(|b| (b' '..=b'~').contains(&b) && !b"\"\\".contains(&b))
    };
    let challenge = Challenge {
        realm: get("realm").filter(fits)?,
        nonce: get("nonce").filter(fits)?,
        opaque: get("opaque"),
    };
    (has_auth && is_sha256 && challenge.opaque.as_ref().is_none_or(fits)).then_some(challenge)
}

/// `name=value` or `name="value"`, with commas in between (RFC 9110 section 11.2).
fn fields(mut rest: &str) -> Option<Vec<(String, String)>> {
    let mut out = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return Some(out);
        }
        let (name, after) = rest.split_once('=')?;
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_at(after.find(',').unwrap_or(after.len())),
        };
        out.push((name.trim().to_owned(), value.trim().to_owned()));
        rest = after;
    }
}

impl Challenge {
    /// The `Authorization` field for the `count`th request under this challenge.
    ///
    /// # Errors
    ///
    /// When the system has no random numbers.
    pub(super) fn answer(
        &self,
        user: &str,
        password: &str,
        method: &str,
        target: &str,
        count: u32,
    ) -> Result<Zeroizing<String>, NoRandom> {
        let mut random = [0; 16];
        SystemRandom::new()
            .fill(&mut random)
            .map_err(|_| NoRandom)?;
        Ok(self.answer_with(user, password, method, target, count, &hex(&random)))
    }

    fn answer_with(
        &self,
        user: &str,
        password: &str,
        method: &str,
        target: &str,
        count: u32,
        cnonce: &str,
    ) -> Zeroizing<String> {
        let Challenge {
            realm,
            nonce,
            opaque,
        } = self;
        // RFC 7616 section 3.4.1.
        let whose = Zeroizing::new(format!("{user}:{realm}:{password}"));
        let whose = Zeroizing::new(sha256(&whose));
        let what = sha256(&format!("{method}:{target}"));
        let proof = Zeroizing::new(format!(
            "{}:{nonce}:{count:08x}:{cnonce}:auth:{what}",
            whose.as_str()
        ));
        let proof = sha256(&proof);
        let user = user.replace(['"', '\\'], "");
        let mut field = format!(
            "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{target}\", \
             algorithm=SHA-256, qop=auth, nc={count:08x}, cnonce=\"{cnonce}\", response=\"{proof}\""
        );
        if let Some(opaque) = opaque {
            field.push_str(&format!(", opaque=\"{opaque}\""));
        }
        Zeroizing::new(field)
    }
}

/// The `Authorization` field of Basic.
pub(super) fn basic(user: &str, password: &str) -> Zeroizing<String> {
    let pair = Zeroizing::new(format!("{user}:{password}"));
    let coded = Zeroizing::new(STANDARD.encode(pair.as_bytes()));
    Zeroizing::new(format!("Basic {}", coded.as_str()))
}

fn sha256(text: &str) -> String {
    hex(digest(&SHA256, text.as_bytes()).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7616 section 3.9.1.
    #[test]
    fn the_standards_example_is_answered_as_in_the_standard() {
        let challenge = parse(
            "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm=SHA-256, \
             nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", \
             opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"",
        )
        .unwrap();
        let field = challenge.answer_with(
            "Mufasa",
            "Circle of Life",
            "GET",
            "/dir/index.html",
            1,
            "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
        );
        let response =
            "response=\"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1\"";
        assert!(field.contains(response), "{}", field.as_str());
    }

    #[test]
    fn what_cannot_be_answered_safely_is_not_answered() {
        for field in [
            "Basic realm=\"x\"",
            "Digest",
            "Digest realm=\"x\", nonce=\"y\", qop=\"auth\", algorithm=MD5",
            // Without an algorithm it is MD5.
            "Digest realm=\"x\", nonce=\"y\", qop=\"auth\"",
            "Digest realm=\"x\", nonce=\"y\", algorithm=SHA-256",
            "Digest realm=\"x, nonce=y, qop=auth, algorithm=SHA-256",
            "Digest realm=\"x\", qop=\"auth\", algorithm=SHA-256, nonce=\"a\tb\"",
            "Digest realm=\"x\", qop=\"auth\", algorithm=SHA-256, nonce=",
        ] {
            let found = parse(field);
            let empty = found.as_ref().is_some_and(|found| found.nonce.is_empty());
            assert!(found.is_none() || empty, "{field}: {found:?}");
        }
        let long = "n".repeat(300);
        let field = format!("Digest realm=\"x\", nonce=\"{long}\", qop=auth, algorithm=SHA-256");
        assert_eq!(parse(&field), None);
    }
}
