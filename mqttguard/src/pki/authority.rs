use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, SanType,
    SerialNumber, SignatureAlgorithm, date_time_ymd,
};
use ring::rand::{SecureRandom, SystemRandom};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{
    CertificateDer, DnsName, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime,
};

use super::{Names, PkiError, crypto_provider, store};
use crate::der::{OCTET_STRING, SEQUENCE, element};

/// The first year of both certificates; see the module's documentation.
pub(super) const FIRST_YEAR: i32 = 2020;
const CA_YEARS: i32 = 20;
const LEAF_YEARS: i32 = 10;
/// How long before its end the broker's certificate is renewed.
const RENEW_BEFORE: Duration = Duration::from_secs(365 * 24 * 3600);
/// No clock is believed that shows an earlier time: 2026-01-01, when this was written.
const NOT_EARLIER: u64 = 1_767_225_600;

const CA_NAME: &str = "mqttguard CA";

/// The CA, opened, and where the broker's certificate lies.
pub(super) struct Authority {
    dir: PathBuf,
    pem: String,
    der: CertificateDer<'static>,
    key: KeyPair,
}

/// What kind of key a certificate of the broker's has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyKind {
    EcdsaP256,
    Rsa2048,
}

impl KeyKind {
    /// What the files of the certificate and its key are called, without extension.
    fn stem(self) -> &'static str {
        match self {
            KeyKind::EcdsaP256 => "server",
            KeyKind::Rsa2048 => "server-rsa",
        }
    }

    fn algorithm(self) -> &'static SignatureAlgorithm {
        match self {
            KeyKind::EcdsaP256 => &PKCS_ECDSA_P256_SHA256,
            KeyKind::Rsa2048 => &PKCS_RSA_SHA256,
        }
    }

    fn expected(self) -> &'static str {
        match self {
            KeyKind::EcdsaP256 => "no ECDSA P-256 private key in PKCS #8 PEM",
            KeyKind::Rsa2048 => "no RSA private key in PKCS #8 PEM",
        }
    }
}

impl Authority {
    pub(super) fn open_or_create(dir: &Path) -> Result<Authority, PkiError> {
        let (crt, key_path) = (dir.join("ca.crt"), dir.join("ca.key"));
        let certificate = store::read(&crt)?;
        let key = open_key(&key_path, KeyKind::EcdsaP256)?;
        let (key, pem) = match (key, certificate) {
            (Some(key), Some(pem)) => (key, pem.to_string()),
            (None, Some(_)) => {
                return Err(PkiError::damaged(
                    &key_path,
                    "it is missing, but ca.crt is there",
                ));
            }
            // A key without a certificate: the power went while both were made.
            (key, None) => {
                let key = match key {
                    Some(key) => key,
                    None => create_key(&key_path)?,
                };
                let pem = ca_params(CA_NAME)?
                    .self_signed(&key)
                    .map_err(|error| PkiError::crypto("the CA's certificate", error))?
                    .pem();
                store::write(&crt, &pem, store::PUBLIC)?;
                (key, pem)
            }
        };
        let der = CertificateDer::from_pem_slice(pem.as_bytes())
            .map_err(|error| PkiError::damaged(&crt, format!("no certificate in PEM ({error})")))?;
        if !belong_together(&der, &key) {
            return Err(PkiError::damaged(
                &crt,
                "it is damaged or belongs to another key than ca.key",
            ));
        }
        Ok(Authority {
            dir: dir.to_owned(),
            pem,
            der,
            key,
        })
    }

    pub(super) fn ca_pem(&self) -> &str {
        &self.pem
    }

    pub(super) fn ca_der(&self) -> &[u8] {
        &self.der
    }

    /// Whether the broker's certificate is there, is ours, carries exactly these names and is
    /// not in its last year.
    pub(super) fn leaf_is_good(
        &self,
        kind: KeyKind,
        names: &Names,
        now: SystemTime,
    ) -> Result<bool, PkiError> {
        let Some(key) = open_key(&self.leaf_key(kind), kind)? else {
            return Ok(false);
        };
        let Some(pem) = store::read(&self.leaf_crt(kind))? else {
            return Ok(false);
        };
        let Ok(der) = CertificateDer::from_pem_slice(pem.as_bytes()) else {
            return Ok(false);
        };
        Ok(belong_together(&der, &key)
            && carries_exactly(&der, names)?
            && self.vouches_for(&der, names, now)?)
    }

    /// The broker's certificate and key, as they lie there or renewed. None if the key is of a
    /// kind that takes too long to be made here, and is not there yet.
    pub(super) fn leaf(
        &self,
        kind: KeyKind,
        names: &Names,
        now: SystemTime,
    ) -> Result<Option<CertifiedKey>, PkiError> {
        let (crt, key_path) = (self.leaf_crt(kind), self.leaf_key(kind));
        if !self.leaf_is_good(kind, names, now)? && !self.make_leaf(kind, names, now)? {
            return Ok(None);
        }
        let certificate = CertificateDer::from_pem_file(&crt)
            .map_err(|error| PkiError::damaged(&crt, error.to_string()))?;
        let key = PrivateKeyDer::from_pem_file(&key_path)
            .ok()
            .and_then(|key| any_supported_type(&key).ok())
            .ok_or_else(|| PkiError::damaged(&key_path, kind.expected()))?;
        Ok(Some(CertifiedKey::new(vec![certificate], key)))
    }

    /// Makes the broker's certificate, with the key that is there. False if the key is of a kind
    /// that takes too long to be made here, and is not there yet.
    pub(super) fn make_leaf(
        &self,
        kind: KeyKind,
        names: &Names,
        now: SystemTime,
    ) -> Result<bool, PkiError> {
        let (crt, key_path) = (self.leaf_crt(kind), self.leaf_key(kind));
        let key = match (open_key(&key_path, kind)?, kind) {
            (Some(key), _) => key,
            (None, _) if crt.exists() => {
                let crt = file_name(&crt);
                let what = format!("it is missing, but {crt} is there");
                return Err(PkiError::damaged(&key_path, what));
            }
            (None, KeyKind::EcdsaP256) => create_key(&key_path)?,
            (None, KeyKind::Rsa2048) => return Ok(false),
        };
        let issuer = Issuer::new(ca_params(CA_NAME)?, &self.key);
        let pem = leaf_params(names, now)?
            .signed_by(&key, &issuer)
            .map_err(|error| PkiError::crypto("the broker's certificate", error))?
            .pem();
        store::write(&crt, &pem, store::PUBLIC)?;
        if !self.leaf_is_good(kind, names, now)? {
            return Err(PkiError::damaged(
                &self.dir.join("ca.crt"),
                "it was not made by mqttguard",
            ));
        }
        Ok(true)
    }

    /// Whether there is a key of this kind, or a file that ought to be one.
    pub(super) fn has_key(&self, kind: KeyKind) -> bool {
        self.leaf_key(kind).exists() || self.leaf_crt(kind).exists()
    }

    /// Takes a key that was made elsewhere.
    pub(super) fn keep_key(&self, kind: KeyKind, pem: &str) -> Result<(), PkiError> {
        store::write(&self.leaf_key(kind), pem, store::SECRET)
    }

    fn leaf_crt(&self, kind: KeyKind) -> PathBuf {
        self.dir.join(kind.stem()).with_extension("crt")
    }

    fn leaf_key(&self, kind: KeyKind) -> PathBuf {
        self.dir.join(kind.stem()).with_extension("key")
    }

    /// Whether a client that trusts this CA would take the certificate a year from now.
    fn vouches_for(
        &self,
        leaf: &CertificateDer<'_>,
        names: &Names,
        now: SystemTime,
    ) -> Result<bool, PkiError> {
        let mut roots = RootCertStore::empty();
        if roots.add(self.der.clone()).is_err() {
            return Ok(false);
        }
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), crypto_provider())
                .build()
                .map_err(|error| PkiError::crypto("a certificate verifier", error))?;
        let name = ServerName::DnsName(dns_name(&names.hostname)?);
        let then = UnixTime::since_unix_epoch(unix(now).saturating_add(RENEW_BEFORE));
        Ok(verifier
            .verify_server_cert(leaf, &[], &name, &[], then)
            .is_ok())
    }
}

/// The key in the file; None if there is no such file.
pub(super) fn open_key(path: &Path, kind: KeyKind) -> Result<Option<KeyPair>, PkiError> {
    let Some(pem) = store::read(path)? else {
        return Ok(None);
    };
    store::tighten(path)?;
    KeyPair::from_pkcs8_pem_and_sign_algo(&pem, kind.algorithm())
        .map(Some)
        // The library's own words could quote the key.
        .map_err(|_| PkiError::damaged(path, kind.expected()))
}

pub(super) fn create_key(path: &Path) -> Result<KeyPair, PkiError> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
        .map_err(|error| PkiError::crypto("a key", error))?;
    let pem = zeroize::Zeroizing::new(key.serialize_pem());
    store::write(path, &pem, store::SECRET)?;
    Ok(key)
}

pub(super) fn belong_together(certificate: &CertificateDer<'static>, key: &KeyPair) -> bool {
    let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialized_der()));
    let Ok(key) = any_supported_type(&der) else {
        return false;
    };
    CertifiedKey::new(vec![certificate.clone()], key)
        .keys_match()
        .is_ok()
}

pub(super) fn ca_params(name: &str) -> Result<CertificateParams, PkiError> {
    let mut params = CertificateParams::default();
    // Fixed, as it is the issuer's name in certificates to come.
    params.distinguished_name = common_name(name);
    params.serial_number = Some(serial_number()?);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = date_time_ymd(FIRST_YEAR, 1, 1);
    params.not_after = date_time_ymd(year(SystemTime::now()).saturating_add(CA_YEARS), 1, 1);
    Ok(params)
}

fn leaf_params(names: &Names, now: SystemTime) -> Result<CertificateParams, PkiError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = common_name("mqttguard");
    // Renewed with the same key it must still get another serial number: RFC 5280 section
    // 4.1.2.2, and NSS refuses the pair seen before.
    params.serial_number = Some(serial_number()?);
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.not_before = date_time_ymd(FIRST_YEAR, 1, 1);
    params.not_after = date_time_ymd(year(now).saturating_add(LEAF_YEARS), 1, 1);
    let (hosts, addresses) = subject_alt_names(names)?;
    for host in hosts {
        let name = host
            .as_str()
            .try_into()
            .map_err(|_| PkiError::Hostname(host))?;
        params.subject_alt_names.push(SanType::DnsName(name));
    }
    let addresses = addresses.into_iter().map(SanType::IpAddress);
    params.subject_alt_names.extend(addresses);
    Ok(params)
}

/// All names, in a fixed order and each once, so that certificates can be compared.
fn subject_alt_names(names: &Names) -> Result<(Vec<String>, Vec<IpAddr>), PkiError> {
    let hostname = dns_name(&names.hostname)?.as_ref().to_ascii_lowercase();
    let mut hosts = vec![hostname];
    if hosts.iter().all(|host| host != "localhost") {
        hosts.push("localhost".into());
    }
    let mut addresses: Vec<IpAddr> = names.addresses.iter().map(IpAddr::to_canonical).collect();
    addresses.sort_unstable();
    addresses.dedup();
    Ok((hosts, addresses))
}

fn dns_name(hostname: &str) -> Result<DnsName<'static>, PkiError> {
    DnsName::try_from(hostname.to_owned()).map_err(|_| PkiError::Hostname(hostname.to_owned()))
}

/// Whether the certificate's subjectAltName (RFC 5280 section 4.2.1.6) is the one these names
/// give. Compared as encoded: DER has one encoding for one value.
fn carries_exactly(certificate: &[u8], names: &Names) -> Result<bool, PkiError> {
    const DNS_NAME: u8 = 0x82;
    const IP_ADDRESS: u8 = 0x87;
    /// 2.5.29.17, as object identifier with tag and length.
    const SUBJECT_ALT_NAME: [u8; 5] = [0x06, 0x03, 0x55, 0x1d, 0x11];

    let (hosts, addresses) = subject_alt_names(names)?;
    let mut general_names = Vec::new();
    for host in hosts {
        general_names.extend(element(DNS_NAME, host.as_bytes()));
    }
    for address in addresses {
        general_names.extend(match address {
            IpAddr::V4(v4) => element(IP_ADDRESS, &v4.octets()),
            IpAddr::V6(v6) => element(IP_ADDRESS, &v6.octets()),
        });
    }
    let mut extension = SUBJECT_ALT_NAME.to_vec();
    extension.extend(element(OCTET_STRING, &element(SEQUENCE, &general_names)));
    Ok(certificate
        .windows(extension.len())
        .any(|window| window == extension))
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

pub(super) fn common_name(name: &str) -> DistinguishedName {
    let mut distinguished_name = DistinguishedName::new();
    distinguished_name.push(DnType::CommonName, name);
    distinguished_name
}

pub(super) fn serial_number() -> Result<SerialNumber, PkiError> {
    let mut bytes = [0; 16];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|error| PkiError::crypto("a serial number", error))?;
    // Positive, and of a fixed length.
    let [first, ..] = &mut bytes;
    *first = *first & 0x7f | 0x40;
    Ok(SerialNumber::from_slice(&bytes))
}

pub(super) fn unix(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .max(Duration::from_secs(NOT_EARLIER))
}

/// The calendar year, give or take a day around New Year.
fn year(time: SystemTime) -> i32 {
    const SECONDS: u64 = 31_556_952;
    i32::try_from(unix(time).as_secs() / SECONDS)
        .unwrap_or(i32::MAX)
        .saturating_add(1970)
        .min(9000)
}
