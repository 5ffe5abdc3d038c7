//! A maker of devices: a web server with MUD files, a signer, and an authority that vouches for
//! both. Everything cryptographic is made by openssl.

pub mod house;

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use mqttguard_lab::{Lab, PATIENCE, Process, address, tools};
use serde_json::{Value, json};

/// Where the maker's web server is in the lab's cloud.
pub const HOST: &str = "maker.example";
/// Its port.
pub const PORT: u16 = 8443;

/// Keys, certificates and files of a maker.
pub struct Maker {
    dir: PathBuf,
}

/// A URL of the maker's.
pub fn url(name: &str) -> String {
    format!("https://{HOST}:{PORT}/{name}")
}

/// A MUD file that is at `url`, of a lamp that speaks plaintext MQTT to `mqtt.maker.example` and is
/// updated from `update.maker.example`.
pub fn lamp(url: &str, signature: Option<&str>) -> Value {
    let ace = |name: &str, host: &str, port: u16| {
        json!({
            "name": name,
            "matches": {
                "ipv4": { "ietf-acldns:dst-dnsname": host, "protocol": 6 },
                "tcp": {
                    "ietf-mud:direction-initiated": "from-device",
                    "destination-port": { "operator": "eq", "port": port },
                },
            },
            "actions": { "forwarding": "accept" },
        })
    };
    let mut file = json!({
        "ietf-mud:mud": {
            "mud-version": 1,
            "mud-url": url,
            "last-update": "2026-10-01T12:00:00+00:00",
            "cache-validity": 1,
            "is-supported": true,
            "systeminfo": "The Acme lamp",
            "mfg-name": "Acme",
            "from-device-policy": { "access-lists": { "access-list": [ { "name": "from" } ] } },
        },
        "ietf-access-control-list:acls": { "acl": [ {
            "name": "from",
            "type": "ipv4-acl-type",
            "aces": { "ace": [
                ace("cloud", "mqtt.maker.example", 1883),
                ace("update", "update.maker.example", 443),
            ] },
        } ] },
    });
    if let Some(signature) = signature {
        file["ietf-mud:mud"]["mud-signature"] = json!(signature);
    }
    file
}

/// A MUD file that is at `url`, unsigned, of a device that asks for these topics and nothing else.
pub fn asking(url: &str, publish: &[&str], subscribe: &[&str]) -> Value {
    json!({
        "ietf-mud:mud": {
            "mud-version": 1,
            "mud-url": url,
            "last-update": "2026-10-01T12:00:00+00:00",
            "cache-validity": 1,
            "is-supported": true,
            "systeminfo": "The Acme sensor",
            "extensions": ["mqttguard-topics"],
            "mqttguard-topics:topics": { "publish": publish, "subscribe": subscribe },
        },
    })
}

fn openssl(dir: &Path, arguments: &[&str]) {
    let output = Command::new("openssl")
        .args(arguments)
        .current_dir(dir)
        .output()
        .expect("openssl");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {arguments:?}: {error}");
}

impl Maker {
    /// Makes an authority (`ca`), a certificate of it for the web server, and signers: `signer` and
    /// `expired` of it, `stranger` of another authority, `reader` whose certificate is not for
    /// signatures, `web` whose is for web servers, `p384`, `rsa` and `pss`.
    pub fn new(dir: &Path) -> Maker {
        fs::create_dir_all(dir.join("www")).expect("a directory");
        let maker = Maker {
            dir: dir.to_owned(),
        };
        for ca in ["ca", "other-ca"] {
            openssl(
                dir,
                &[
                    "req",
                    "-x509",
                    "-newkey",
                    "ec",
                    "-pkeyopt",
                    "ec_paramgen_curve:P-256",
                    "-nodes",
                    "-days",
                    "3650",
                    "-subj",
                    &format!("/O=Acme/CN={ca}"),
                    "-keyout",
                    &format!("{ca}.key"),
                    "-out",
                    &format!("{ca}.crt"),
                ],
            );
        }
        let server = format!("subjectAltName=DNS:{HOST},IP:{}", address::CLOUD);
        let signing = "keyUsage=critical,digitalSignature";
        let ec: &[&str] = &["ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
        for (name, ca, extension, days, key) in [
            ("server", "ca", server.as_str(), "3650", ec),
            ("signer", "ca", signing, "3650", ec),
            (
                "rsa",
                "ca",
                "keyUsage=digitalSignature\nsubjectKeyIdentifier=hash",
                "3650",
                &["rsa:2048"],
            ),
            ("pss", "ca", signing, "3650", &["rsa:2048"]),
            (
                "p384",
                "ca",
                signing,
                "3650",
                &["ec", "-pkeyopt", "ec_paramgen_curve:P-384"],
            ),
            ("expired", "ca", signing, "3650", ec),
            ("stranger", "other-ca", signing, "3650", ec),
            (
                "reader",
                "ca",
                "keyUsage=critical,keyEncipherment",
                "3650",
                ec,
            ),
            (
                "web",
                "ca",
                "keyUsage=digitalSignature\nextendedKeyUsage=serverAuth",
                "3650",
                ec,
            ),
        ] {
            let (request, extensions) = (format!("{name}.csr"), format!("{name}.ext"));
            fs::write(dir.join(&extensions), extension).expect("a file");
            let subject = format!("/O=Acme/CN=MUD {name}");
            let key_file = format!("{name}.key");
            let mut arguments = vec!["req", "-new", "-newkey"];
            arguments.extend(key);
            arguments.extend([
                "-nodes", "-subj", &subject, "-keyout", &key_file, "-out", &request,
            ]);
            openssl(dir, &arguments);
            openssl(
                dir,
                &[
                    "x509",
                    "-req",
                    "-in",
                    &request,
                    "-CA",
                    &format!("{ca}.crt"),
                    "-CAkey",
                    &format!("{ca}.key"),
                    "-CAcreateserial",
                    "-days",
                    days,
                    "-extfile",
                    &extensions,
                    "-out",
                    &format!("{name}.crt"),
                ],
            );
        }
        maker.expire("expired");
        maker
    }

    /// Makes the certificate of this signer anew, one that ended long ago.
    fn expire(&self, name: &str) {
        let config = "[ca]\ndefault_ca=d\n[d]\ndatabase=index\nnew_certs_dir=.\nserial=serial\n\
                      default_md=sha256\npolicy=p\n[p]\norganizationName=optional\n\
                      commonName=supplied\n";
        for (file, text) in [("ca.cnf", config), ("index", ""), ("serial", "7777\n")] {
            fs::write(self.path(file), text).expect("a file");
        }
        let [request, extensions, certificate] =
            ["csr", "ext", "crt"].map(|end| format!("{name}.{end}"));
        let arguments = [
            "ca",
            "-batch",
            "-notext",
            "-config",
            "ca.cnf",
            "-cert",
            "ca.crt",
            "-keyfile",
            "ca.key",
            "-in",
            &request,
            "-extfile",
            &extensions,
            "-out",
            &certificate,
            "-startdate",
            "20200101000000Z",
            "-enddate",
            "20210101000000Z",
        ];
        openssl(&self.dir, &arguments);
    }

    /// A file of the maker's.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Puts a file onto the web server.
    pub fn publish(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.dir.join("www").join(name), bytes).expect("a file");
    }

    /// Puts `NAME.json` onto the web server and, by this signer, `NAME.p7s`.
    pub fn publish_signed(&self, name: &str, signer: &str) {
        let json = format!("{name}.json");
        let file = lamp(&url(&json), Some(&url(&format!("{name}.p7s"))));
        self.publish(&json, file.to_string());
        self.sign(name, signer);
    }

    /// Signs `NAME.json` as it is, as RFC 8520 section 13.1 has it; `rsa`, `pss` and `p384` each in a
    /// way of their own.
    pub fn sign(&self, name: &str, signer: &str) {
        let (file, signature) = (format!("www/{name}.json"), format!("www/{name}.p7s"));
        let (certificate, key) = (format!("{signer}.crt"), format!("{signer}.key"));
        let mut arguments = vec![
            "cms",
            "-sign",
            "-binary",
            "-in",
            &file,
            "-signer",
            &certificate,
            "-inkey",
            &key,
            "-outform",
            "DER",
            "-out",
            &signature,
        ];
        arguments.extend(match signer {
            "rsa" => &["-keyid", "-md", "sha512"][..],
            "p384" => &["-noattr", "-md", "sha384"],
            "pss" => &[
                "-keyopt",
                "rsa_padding_mode:pss",
                "-keyopt",
                "rsa_pss_saltlen:digest",
            ],
            _ => &[],
        });
        openssl(&self.dir, &arguments);
    }

    /// Starts the web server in the cloud.
    pub fn serve(&self, lab: &Lab) -> Process {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/mud_server.py");
        let mut command = Command::new(tools::system("python3").expect("python3"));
        command.arg(script).arg(self.path("www"));
        command.arg(PORT.to_string());
        command.args([self.path("server.crt"), self.path("server.key")]);
        let log = lab.dir().join("mud_server.log");
        let netns = lab.cloud.netns();
        let mut server = Process::start(netns, &mut command, &log).expect("a web server");
        let to = SocketAddr::from((address::CLOUD, PORT));
        server
            .wait_ready(PATIENCE, || {
                netns.run(|| Ok(TcpStream::connect_timeout(&to, Duration::from_secs(1))?))
            })
            .expect("a web server");
        server
    }
}

/// Names on the router: a dnsmasq that knows `hosts` and nothing else.
pub fn name_server(lab: &Lab, hosts: &str) -> Process {
    let file = lab.dir().join("hosts");
    fs::write(&file, hosts).expect("a file");
    let mut command = Command::new(tools::system("dnsmasq").expect("dnsmasq"));
    command.args([
        "--keep-in-foreground",
        "--log-facility=-",
        "--conf-file=/dev/null",
        "--user=root",
        "--no-hosts",
        "--no-resolv",
        "--bind-interfaces",
        "--listen-address=127.0.0.1",
        "--pid-file=",
    ]);
    command.arg(format!("--addn-hosts={}", file.display()));
    let netns = lab.router.netns();
    let log = lab.dir().join("names.log");
    let mut server = Process::start(netns, &mut command, &log).expect("a name server");
    server
        .wait_ready(PATIENCE, || {
            netns.run(|| Ok(TcpStream::connect(("127.0.0.1", 53))?))
        })
        .expect("a name server");
    server
}
