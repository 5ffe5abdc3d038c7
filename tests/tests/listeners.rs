//! Listeners for clients that are not like others: RSA only, with small buffers, with certificates
//! of their own, in browsers. By openssl and mosquitto's clients, on files that openssl made.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use mqttguard_lab::{Credential, Device, Guard, address, until};
use mqttguard_tests::house::{IN_VAIN, PATIENCE, enrol, guarded};
use serde_json::{Value, json};

const SMALL_PORT: u16 = 8885;
const WEB_PORT: u16 = 8884;

/// A CA of the owner's, as openssl makes it.
struct Clients(PathBuf);

impl Clients {
    fn new(dir: &Path) -> Clients {
        let dir = dir.join("clients");
        fs::create_dir(&dir).unwrap();
        let clients = Clients(dir);
        let new = "req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256 -days 30";
        clients.openssl(&format!("{new} -subj /CN=House -keyout ca.key -out ca.crt"));
        let config = "[ca]\ndefault_ca=d\n[d]\ndatabase=index\ncrlnumber=number\n\
            default_md=sha256\ndefault_crl_days=30\ncrl_extensions=e\n\
            [e]\nauthorityKeyIdentifier=keyid\n";
        fs::write(clients.0.join("config"), config).unwrap();
        fs::write(clients.0.join("number"), "01\n").unwrap();
        fs::write(clients.0.join("use"), "extendedKeyUsage=clientAuth\n").unwrap();
        clients.revoke("");
        clients
    }

    fn issue(&self, username: &str) {
        let new = "req -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256";
        self.openssl(&format!(
            "{new} -subj /CN={username} -keyout {username}.key -out csr"
        ));
        let sign = "x509 -req -in csr -CA ca.crt -CAkey ca.key -set_serial 7 -days 30";
        self.openssl(&format!("{sign} -extfile use -out {username}.crt"));
    }

    /// Writes the list anew, with this line of openssl's index.
    fn revoke(&self, line: &str) {
        fs::write(self.0.join("index"), line).unwrap();
        self.openssl("ca -config config -gencrl -keyfile ca.key -cert ca.crt -out ca.crl");
    }

    fn openssl(&self, args: &str) {
        let mut command = Command::new("openssl");
        command.args(args.split(' ')).current_dir(&self.0);
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{args}: {said}");
    }
}

/// mosquitto_pub on a device, with a certificate and without a password.
fn publish(device: &Device, credential: &Credential, clients: &Clients) -> Output {
    let mut command = Command::new("mosquitto_pub");
    command
        .args(["-h", &credential.address, "-p", &SMALL_PORT.to_string()])
        .args(["-t", "lamp/state", "-m", "on", "-q", "1", "-V", "5"])
        .arg("--cafile")
        .arg(&credential.ca_file)
        .arg("--cert")
        .arg(clients.0.join(format!("{}.crt", credential.username)))
        .arg("--key")
        .arg(clients.0.join(format!("{}.key", credential.username)))
        .stdin(Stdio::null());
    device.netns().output(&mut command).unwrap()
}

/// What openssl says of a connection to the router, on which it says `words`, up to the line with
/// what is expected.
fn s_client(
    device: &Device,
    credential: &Credential,
    args: &str,
    words: &str,
    expected: &str,
) -> String {
    let mut command = Command::new("openssl");
    command
        .args(["s_client", "-CAfile"])
        .arg(&credential.ca_file)
        .args(["-verify_ip", &address::ROUTER.to_string()])
        .args(args.split(' '))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut client = device.netns().start(&mut command).unwrap();
    let mut stdin = client.stdin.take().unwrap();
    let stdout = BufReader::new(client.stdout.take().unwrap());
    let (tell, lines) = channel();
    thread::spawn(move || {
        for line in stdout.lines().map_while(Result::ok) {
            let _ = tell.send(line);
        }
    });
    let _ = stdin.write_all(words.as_bytes());
    // It ends with its input, and is to hear the answer before.
    let mut said = String::new();
    while let Ok(line) = lines.recv_timeout(PATIENCE) {
        said += &(line + "\n");
        if said.contains(expected) {
            break;
        }
    }
    drop(stdin);
    let _ = client.kill();
    client.wait().unwrap();
    said
}

fn reload(guard: &Guard) {
    let answer = guard.ubus("reload", &json!({})).unwrap();
    assert_eq!(answer.get("ok").unwrap(), true, "{answer}");
}

#[test]
fn listeners_for_all_kinds_of_clients_come_with_a_reload() {
    let (lab, guard) = guarded(&["lamp"]);
    let lamp = lab.device(0);
    let credential = enrol(&guard, "lamp");
    let clients = Clients::new(lab.dir());
    clients.issue(&credential.username);
    let sections = format!(
        "config listener 'small'\n\toption port '{SMALL_PORT}'\n\toption record_size '1k'\n\
         \toption client_ca '{dir}/ca.crt'\n\tlist client_crl '{dir}/ca.crl'\n\
         config listener 'web'\n\toption kind 'wss'\n\toption port '{WEB_PORT}'\n",
        dir = clients.0.display()
    );
    guard
        .write_config(&guard.files().uci("", &sections))
        .unwrap();
    reload(&guard);

    // The RSA key is made beside the work, and served once it is there.
    let fingerprint = || {
        let status = guard.ubus("status", &json!({})).unwrap();
        let rsa = status.pointer("/broker/certificates/rsa");
        rsa.and_then(Value::as_str).map(str::to_owned)
    };
    assert!(until(Duration::from_secs(60), || fingerprint().is_some()));
    let page = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    let router = format!("-connect {}", address::ROUTER);
    let tasmota = "-tls1_2 -cipher ECDHE-RSA-AES128-GCM-SHA256";
    let said = s_client(
        lamp,
        &credential,
        &format!("{router}:{SMALL_PORT} {tasmota}"),
        "",
        "Verify return code",
    );
    assert!(said.contains("Peer signature type: RSA"), "{said}");
    assert!(said.contains("Verify return code: 0 (ok)"), "{said}");

    // A page that somebody opens there is answered.
    let web = format!("{router}:{WEB_PORT}");
    let answer = "HTTP/1.1 426 Upgrade Required";
    let said = s_client(lamp, &credential, &web, page, answer);
    assert!(said.contains(answer), "{said}");

    // A certificate in the place of a password, and what becomes of it when it is revoked.
    let output = publish(lamp, &credential, &clients);
    assert!(output.status.success(), "{output:?}");
    clients.revoke("R\t400101000000Z\t260101000000Z\t07\tunknown\t/CN=lamp\n");
    reload(&guard);
    // Of each client there is an event a second at most, and the page was one.
    thread::sleep(IN_VAIN * 2);
    let output = publish(lamp, &credential, &clients);
    assert!(!output.status.success(), "{output:?}");
    let event = guard
        .wait_event("login-refused", Some(&lamp.mac_text()))
        .unwrap();
    let told = event.to_string();
    assert!(
        told.contains("revoked") && told.contains(&credential.username),
        "{told}"
    );

    // A list that breaks is told, and what it said before holds.
    fs::write(clients.0.join("ca.crl"), "rubbish").unwrap();
    reload(&guard);
    let status = guard.ubus("status", &json!({})).unwrap();
    let told = status.pointer("/broker/listeners").unwrap().to_string();
    assert!(told.contains("ca.crl: no X509 CRL in PEM"), "{told}");
    assert!(!publish(lamp, &credential, &clients).status.success());
}
