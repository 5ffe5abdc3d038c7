//! The keys that a feed is signed with: one for opkg in usign's format (Ed25519), one for apk
//! (ECDSA P-256 in PEM). Routers get the public halves; the secret ones never leave their
//! directory, which is below `target` unless the owner names another.

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA512, digest};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair};

use super::adb::Schema;

/// A directory with both keys.
pub(super) struct Keys {
    pub(super) opkg: OpkgKey,
    pub(super) apk: ApkKey,
}

impl Keys {
    /// The keys of `directory`, made if there are none. Says so then.
    pub(super) fn open(directory: &Path) -> Result<Self> {
        fs::create_dir_all(directory)?;
        Ok(Keys {
            opkg: OpkgKey::open(directory)?,
            apk: ApkKey::open(directory)?,
        })
    }
}

/// A key in usign's format, which is signify's but for the file's comment.
pub(super) struct OpkgKey {
    pair: Ed25519KeyPair,
    fingerprint: [u8; 8],
}

impl OpkgKey {
    fn open(directory: &Path) -> Result<Self> {
        let file = directory.join("opkg.sec");
        if !file.exists() {
            let random = SystemRandom::new();
            let mut fresh = [0; 8 + 16 + 32];
            random
                .fill(&mut fresh)
                .map_err(|_| anyhow::anyhow!("no randomness"))?;
            // Versions of usign differ in whether they write a leading zero of a key's name.
            fresh[0] |= 0x80;
            let (fingerprint, rest) = fresh.split_at(8);
            let (salt, seed) = rest.split_at(16);
            let pair = Ed25519KeyPair::from_seed_unchecked(seed)
                .map_err(|error| anyhow::anyhow!("{error}"))?;
            let secret = [seed, pair.public_key().as_ref()].concat();
            let checksum = digest(&SHA512, &secret);
            // struct seckey of usign: algorithm, key derivation and its rounds (none), salt,
            // checksum, fingerprint, key.
            let record = [
                b"EdBK\0\0\0\0",
                salt,
                checksum.as_ref().get(..8).unwrap_or_default(),
                fingerprint,
                &secret,
            ]
            .concat();
            write_secret(
                &file,
                usign("mqttguard feed, secret key", &record).as_bytes(),
            )?;
            eprintln!("{}: made, to sign for opkg", file.display());
        }
        let text = fs::read_to_string(&file)?;
        let wrong = || {
            format!(
                "{}: not a secret key of usign without a passphrase",
                file.display()
            )
        };
        let record = text.lines().nth(1).with_context(wrong)?;
        let record = STANDARD.decode(record.trim()).with_context(wrong)?;
        let (head, secret) = record.split_at_checked(40).with_context(wrong)?;
        ensure!(
            head.starts_with(b"EdBK\0\0\0\0") && secret.len() == 64,
            wrong()
        );
        let fingerprint = head.get(32..40).with_context(wrong)?.try_into()?;
        let (seed, public) = secret.split_at(32);
        let pair = Ed25519KeyPair::from_seed_and_public_key(seed, public)
            .map_err(|error| anyhow::anyhow!("{}: {error}", file.display()))?;
        Ok(OpkgKey { pair, fingerprint })
    }

    /// The name of the public key in `/etc/opkg/keys`.
    pub(super) fn name(&self) -> String {
        format!("{:016x}", u64::from_be_bytes(self.fingerprint))
    }

    /// The public key's file.
    pub(super) fn public(&self) -> String {
        let public = self.pair.public_key();
        let record = [b"Ed", &self.fingerprint[..], public.as_ref()].concat();
        usign("mqttguard feed", &record)
    }

    /// The signature's file.
    pub(super) fn sign(&self, message: &[u8]) -> String {
        let signature = self.pair.sign(message);
        let record = [b"Ed", &self.fingerprint[..], signature.as_ref()].concat();
        usign(&format!("signed by key {}", self.name()), &record)
    }
}

fn usign(comment: &str, record: &[u8]) -> String {
    format!(
        "untrusted comment: {comment}\n{}\n",
        STANDARD.encode(record)
    )
}

/// A key as `openssl ecparam -name prime256v1 -genkey` makes it.
pub(super) struct ApkKey {
    secret: PathBuf,
    /// The first half of the SHA-512 of the public point: apk finds a trusted key by it.
    id: Vec<u8>,
}

/// What stands before the point in the DER of a P-256 public key.
const P256_HEADER: usize = 26;
const P256_POINT: usize = 65;

impl ApkKey {
    fn open(directory: &Path) -> Result<Self> {
        let secret = directory.join("apk.pem");
        if !secret.exists() {
            let pem = openssl(
                &["ecparam", "-name", "prime256v1", "-genkey", "-noout"],
                &[],
            )?;
            write_secret(&secret, &pem)?;
            eprintln!("{}: made, to sign for apk", secret.display());
        }
        let mut key = ApkKey {
            secret,
            id: Vec::new(),
        };
        let der = key.run(&["pkey", "-pubout", "-outform", "DER", "-in"], &[])?;
        let point = der
            .get(P256_HEADER..)
            .filter(|point| point.len() == P256_POINT && point.first() == Some(&4))
            .with_context(|| format!("{}: not a P-256 key", key.secret.display()))?;
        let hash = digest(&SHA512, point);
        key.id = hash.as_ref().get(..16).unwrap_or_default().to_vec();
        Ok(key)
    }

    /// The public key in PEM, for `/etc/apk/keys`.
    pub(super) fn public(&self) -> Result<Vec<u8>> {
        self.run(&["pkey", "-pubout", "-in"], &[])
    }

    /// The contents of a signature block for `tree`.
    pub(super) fn sign(&self, schema: Schema, tree: &[u8]) -> Result<Vec<u8>> {
        // struct adb_sign_v0: version 0, SHA-512, the key.
        let head = [&[0, 4], self.id.as_slice()].concat();
        let hash = digest(&SHA512, tree);
        let message = [&schema.bytes()[..], &head, hash.as_ref()].concat();
        let signature = self.run(&["dgst", "-sha512", "-sign"], &message)?;
        Ok([head, signature].concat())
    }

    fn run(&self, arguments: &[&str], input: &[u8]) -> Result<Vec<u8>> {
        let path = self.secret.to_str().context("a path that is not UTF-8")?;
        openssl(&[arguments, &[path]].concat(), input)
    }
}

fn openssl(arguments: &[&str], input: &[u8]) -> Result<Vec<u8>> {
    let mut child = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot start openssl")?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input)?;
    }
    let mut output = Vec::new();
    if let Some(mut stdout) = child.stdout.take() {
        stdout.read_to_end(&mut output)?;
    }
    let end = child.wait_with_output()?;
    if !end.status.success() {
        let why = String::from_utf8_lossy(&end.stderr);
        bail!("openssl {}: {why}", arguments.join(" "));
    }
    Ok(output)
}

fn write_secret(file: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)
        .with_context(|| file.display().to_string())?;
    Ok(file.write_all(bytes)?)
}
