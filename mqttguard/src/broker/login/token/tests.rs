//! Keys and signatures are those of the openssl command.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use ring::hmac;
use serde_json::json;

use super::*;

/// A private key in a directory, and its public key beside it.
pub(crate) struct Signer {
    private: PathBuf,
    pub(crate) public: PathBuf,
    algorithm: &'static str,
}

fn openssl(args: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new("openssl")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("openssl");
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {told}");
    output.stdout
}

fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Signer {
    pub(crate) fn new(dir: &Path, name: &str, algorithm: &'static str) -> Signer {
        let private = dir.join(name);
        let public = dir.join(format!("{name}.pub"));
        let kind: &[&str] = match algorithm {
            "RS256" => &["RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
            "ES256" => &["EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
            _ => &["ed25519"],
        };
        let (key, out) = (private.to_str().unwrap(), public.to_str().unwrap());
        openssl(
            &[&["genpkey", "-out", key, "-algorithm"], kind].concat(),
            b"",
        );
        openssl(&["pkey", "-in", key, "-pubout", "-out", out], b"");
        Signer {
            private,
            public,
            algorithm,
        }
    }

    /// A token with another header than its own.
    fn with_header(&self, header: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", b64(header.to_string()), b64(claims.to_string()));
        let key = self.private.to_str().unwrap();
        let signature = match self.algorithm {
            "EdDSA" => {
                // This one command does not read its message from a pipe.
                let file = self.private.with_extension("message");
                fs::write(&file, &message).unwrap();
                let file = file.to_str().unwrap();
                openssl(
                    &["pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", file],
                    b"",
                )
            }
            "ES256" => raw(&openssl(
                &["dgst", "-sha256", "-sign", key],
                message.as_bytes(),
            )),
            _ => openssl(&["dgst", "-sha256", "-sign", key], message.as_bytes()),
        };
        format!("{message}.{}", b64(signature))
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        self.with_header(&json!({ "alg": self.algorithm, "typ": "JWT" }), claims)
    }

    fn jwk(&self, kid: &str) -> Value {
        let public = self.public.to_str().unwrap();
        let der = openssl(&["pkey", "-pubin", "-in", public, "-outform", "DER"], b"");
        let last = |count: usize| b64(&der[der.len() - count..]);
        match self.algorithm {
            "EdDSA" => json!({ "kty": "OKP", "crv": "Ed25519", "kid": kid, "x": last(32) }),
            "ES256" => json!({
                "kty": "EC", "crv": "P-256", "kid": kid, "use": "sig", "alg": "ES256",
                "x": b64(&der[der.len() - 64..der.len() - 32]), "y": last(32),
            }),
            // The exponent's five bytes stand behind the modulus.
            _ => json!({
                "kty": "RSA", "kid": kid, "n": b64(&der[der.len() - 261..der.len() - 5]),
                "e": "AQAB",
            }),
        }
    }
}

/// From SEQUENCE { r INTEGER, s INTEGER } to two numbers of 32 bytes (RFC 7518 section 3.4).
fn raw(der: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = &der[2..];
    for _ in 0..2 {
        let (number, left) = rest[2..].split_at(usize::from(rest[1]));
        let digits = &number[number.len().saturating_sub(32)..];
        out.extend(vec![0; 32 - digits.len()]);
        out.extend(digits);
        rest = left;
    }
    out
}

pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap().as_secs()
}

fn claims() -> Value {
    json!({ "sub": "lamp", "aud": "mqtt", "iss": "https://issuer", "exp": now() + 60 })
}

/// The claims with one of them another.
fn but(name: &str, value: Value) -> Value {
    let mut all = claims();
    let object = all.as_object_mut().unwrap();
    match value {
        Value::Null => object.remove(name),
        value => object.insert(name.to_owned(), value),
    };
    all
}

pub(crate) fn settings(keys: JwtKeys) -> Jwt {
    Jwt {
        keys,
        audience: vec!["mqtt".into(), "other".into()],
        issuer: Some("https://issuer".into()),
        claim: "sub".into(),
        leeway: Duration::from_secs(5),
    }
}

fn check(tokens: &mut Tokens, token: &str) -> Result<String, Denial> {
    tokens.check(token.as_bytes()).map(|found| found.username)
}

#[test]
fn the_three_algorithms_by_key_file_and_by_key_set() {
    let dir = tempfile::tempdir().unwrap();
    let all = ["RS256", "ES256", "EdDSA"];
    let signers = all.map(|algorithm| Signer::new(dir.path(), algorithm, algorithm));
    for signer in &signers {
        let mut tokens = Tokens::new(settings(JwtKeys::Pem(signer.public.clone())));
        let found = tokens.check(signer.sign(&claims()).as_bytes()).unwrap();
        assert_eq!(found.username, "lamp");
        let end = SystemTime::UNIX_EPOCH + Duration::from_secs(now() + 65);
        let off = end.duration_since(found.until).unwrap_or_default();
        assert!(off <= Duration::from_secs(2) && found.until <= end);
        for other in &signers {
            if other.algorithm != signer.algorithm {
                let token = other.sign(&claims());
                assert_eq!(check(&mut tokens, &token), Err(Denial::BadToken));
                // Nor by the name of the algorithm that the key is for.
                let token = other.with_header(&json!({ "alg": signer.algorithm }), &claims());
                assert_eq!(check(&mut tokens, &token), Err(Denial::BadToken));
            }
        }
    }
    let set = dir.path().join("jwks.json");
    let mut keys: Vec<Value> = signers.iter().map(|s| s.jwk(s.algorithm)).collect();
    keys.insert(
        0,
        json!({ "kty": "oct", "k": b64("secret"), "kid": "shared" }),
    );
    fs::write(&set, json!({ "keys": keys }).to_string()).unwrap();
    let mut tokens = Tokens::new(settings(JwtKeys::Jwks(set)));
    for signer in &signers {
        let header = |kid| json!({ "alg": signer.algorithm, "kid": kid });
        let token = signer.with_header(&header(signer.algorithm), &claims());
        assert_eq!(check(&mut tokens, &token).as_deref(), Ok("lamp"));
        assert_eq!(
            check(&mut tokens, &signer.sign(&claims())).as_deref(),
            Ok("lamp")
        );
        let token = signer.with_header(&header("unknown"), &claims());
        assert_eq!(check(&mut tokens, &token), Err(Denial::BadToken));
    }
}

#[test]
fn no_token_chooses_its_own_algorithm() {
    let dir = tempfile::tempdir().unwrap();
    let signer = Signer::new(dir.path(), "key", "RS256");
    let mut tokens = Tokens::new(settings(JwtKeys::Pem(signer.public.clone())));
    let message = |alg: &str| {
        let header = json!({ "alg": alg, "typ": "JWT" });
        format!("{}.{}", b64(header.to_string()), b64(claims().to_string()))
    };
    for alg in ["none", "None", "NONE", ""] {
        assert_eq!(
            check(&mut tokens, &format!("{}.", message(alg))),
            Err(Denial::BadToken)
        );
    }
    // An HMAC whose key is the public key, in the forms that libraries have fallen for.
    let pem = fs::read(&signer.public).unwrap();
    let der = SubjectPublicKeyInfoDer::from_pem_slice(&pem).unwrap();
    for key in [&pem[..], &der, b""] {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        let message = message("HS256");
        let token = format!("{message}.{}", b64(hmac::sign(&key, message.as_bytes())));
        assert_eq!(check(&mut tokens, &token), Err(Denial::BadToken));
    }
    // Nor brings it its own key.
    let thief = Signer::new(dir.path(), "thief", "RS256");
    let header = json!({ "alg": "RS256", "jwk": thief.jwk("x"), "jku": "https://thief/" });
    let token = thief.with_header(&header, &claims());
    assert_eq!(check(&mut tokens, &token), Err(Denial::BadToken));
}

#[test]
fn every_claim_has_to_fit() {
    let dir = tempfile::tempdir().unwrap();
    let signer = Signer::new(dir.path(), "key", "ES256");
    let mut tokens = Tokens::new(settings(JwtKeys::Pem(signer.public.clone())));
    let now = now();
    for (claims, expected) in [
        (but("exp", json!(now - 4)), Ok("lamp")),
        (but("exp", json!(now - 10)), Err(Denial::TokenExpired)),
        (but("exp", Value::Null), Err(Denial::BadToken)),
        (but("exp", json!("soon")), Err(Denial::BadToken)),
        (but("nbf", json!(now + 3)), Ok("lamp")),
        (but("nbf", json!(now + 60)), Err(Denial::TokenTooEarly)),
        (but("aud", json!(["x", "other"])), Ok("lamp")),
        (but("aud", json!("x")), Err(Denial::TokenForOthers)),
        (but("aud", Value::Null), Err(Denial::TokenForOthers)),
        (
            but("iss", json!("https://other")),
            Err(Denial::TokenForOthers),
        ),
        (but("iss", Value::Null), Err(Denial::TokenForOthers)),
        (but("sub", Value::Null), Err(Denial::TokenNamesNobody)),
        (but("sub", json!(7)), Err(Denial::TokenNamesNobody)),
        (but("sub", json!("")), Err(Denial::TokenNamesNobody)),
    ] {
        let token = signer.sign(&claims);
        assert_eq!(
            check(&mut tokens, &token).as_deref(),
            expected.as_ref().copied(),
            "{claims}"
        );
    }
    let good = signer.sign(&claims());
    let (head, signature) = good.rsplit_once('.').unwrap();
    let other = but("sub", json!("hub")).to_string();
    let header = good.split('.').next().unwrap();
    let critical = json!({ "alg": "ES256", "crit": ["b64"], "b64": false });
    for bad in [
        format!("{header}.{}.{signature}", b64(other)),
        format!("{head}."),
        format!("{good}="),
        format!("{head}.{}", b64([0; 64])),
        signer.with_header(&critical, &claims()),
        signer.sign(&but("x", json!("x".repeat(9000)))),
        "eyJ..".to_owned(),
    ] {
        assert_eq!(check(&mut tokens, &bad), Err(Denial::BadToken), "{bad}");
    }
    assert_eq!(check(&mut tokens, &good).as_deref(), Ok("lamp"));
}

#[test]
fn keys_are_read_again_when_their_file_changes_and_not_trusted_when_it_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let old = Signer::new(dir.path(), "old", "EdDSA");
    let new = Signer::new(dir.path(), "new", "EdDSA");
    let file = dir.path().join("in-force");
    let mut tokens = Tokens::new(settings(JwtKeys::Pem(file.clone())));
    let (by_old, by_new) = (old.sign(&claims()), new.sign(&claims()));
    assert_eq!(check(&mut tokens, &by_old), Err(Denial::NoTokenKey));
    fs::copy(&old.public, &file).unwrap();
    assert_eq!(check(&mut tokens, &by_old).as_deref(), Ok("lamp"));
    fs::rename(&new.public, &file).unwrap();
    assert_eq!(check(&mut tokens, &by_old), Err(Denial::BadToken));
    assert_eq!(check(&mut tokens, &by_new).as_deref(), Ok("lamp"));
    for damaged in [
        "",
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
    ] {
        fs::write(&file, damaged).unwrap();
        assert_eq!(check(&mut tokens, &by_new), Err(Denial::NoTokenKey));
    }
    // A private key is none to check with.
    fs::copy(&old.private, &file).unwrap();
    assert_eq!(check(&mut tokens, &by_old), Err(Denial::NoTokenKey));
    fs::remove_file(&file).unwrap();
    assert_eq!(check(&mut tokens, &by_new), Err(Denial::NoTokenKey));
}

#[test]
fn oauthbearer_messages_are_read_strictly() {
    let read = |text: &'static str| bearer(text.as_bytes());
    assert_eq!(
        read("n,,\x01auth=Bearer a.b.c\x01\x01"),
        Some(("a.b.c", None))
    );
    assert_eq!(
        read("n,a=lamp,\x01host=x\x01port=1\x01auth=bearer a.b.c\x01\x01"),
        Some(("a.b.c", Some("lamp")))
    );
    for bad in [
        "",
        "n,,\x01\x01",
        "y,,\x01auth=Bearer a\x01\x01",
        "n,lamp,\x01auth=Bearer a\x01\x01",
        "n,,\x01auth=Bearer a\x01",
        "n,,\x01auth=Basic a\x01\x01",
        "n,,\x01auth=Bearer a\x01auth=Bearer b\x01\x01",
    ] {
        assert_eq!(read(bad), None, "{bad:?}");
    }
}

#[test]
fn passwords_are_told_from_tokens() {
    assert!(looks_like_one(b"eyJhbGciOiJub25lIn0.e30."));
    for password in ["", "eyJ", "eyJ.a", "eyJ.a.b.c", "a.b.c", "1f3k.9.x"] {
        assert!(!looks_like_one(password.as_bytes()), "{password}");
    }
}
