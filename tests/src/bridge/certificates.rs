//! Certificates of servers and of the router.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use tempfile::TempDir;

/// The name in the certificates of the server in the cloud.
pub const CLOUD_HOST: &str = "mqtt.example.org";

/// Certificates of a server, good and bad, in a directory of their own.
pub struct Certificates(TempDir);

impl Certificates {
    /// A CA, another CA, and certificates by the first: for localhost, for a server in the cloud,
    /// for another name, and one that has expired; and one for a client.
    pub fn new() -> Certificates {
        let dir = tempfile::tempdir().unwrap();
        // mosquitto gives up its rights before it reads them.
        open_to_all(dir.path());
        let certificates = Certificates(dir);
        let issuer = certificates.authority("ca");
        certificates.authority("other-ca");
        certificates.leaf(&issuer, "server", "localhost", (2020, 2040));
        certificates.leaf(&issuer, "cloud", CLOUD_HOST, (2020, 2040));
        certificates.leaf(&issuer, "cloud-expired", CLOUD_HOST, (2020, 2021));
        certificates.leaf(&issuer, "misnamed", "elsewhere.example", (2020, 2040));
        certificates.leaf(&issuer, "expired", "localhost", (2020, 2021));
        certificates.leaf(&issuer, "client", "router", (2020, 2040));
        certificates
    }

    fn authority(&self, name: &str) -> CertifiedIssuer<'static, KeyPair> {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, format!("test {name}"));
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        fs::write(self.path(&format!("{name}.crt")), issuer.pem()).unwrap();
        issuer
    }

    fn leaf(
        &self,
        issuer: &CertifiedIssuer<'static, KeyPair>,
        name: &str,
        subject: &str,
        years: (i32, i32),
    ) {
        let mut params = CertificateParams::new(vec![subject.to_owned()]).unwrap();
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, subject);
        params.not_before = date_time_ymd(years.0, 1, 1);
        params.not_after = date_time_ymd(years.1, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, issuer).unwrap();
        fs::write(self.path(&format!("{name}.crt")), certificate.pem()).unwrap();
        let path = self.path(&format!("{name}.key"));
        fs::write(&path, key.serialize_pem()).unwrap();
        match name {
            "client" => mode(&path, 0o600),
            _ => mode(&path, 0o644),
        }
    }

    /// A file among them.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

impl Default for Certificates {
    fn default() -> Self {
        Self::new()
    }
}

fn mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

pub(super) fn open_to_all(path: &Path) {
    mode(path, 0o777);
}
