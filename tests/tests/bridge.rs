//! Bridges to real servers over TLS.

use mqttguard_tests::bridge::{Certificates, House, Mosquitto, wait};

fn section(name: &str, port: u16, certificates: &Certificates, more: &str) -> String {
    let ca = certificates.path("ca.crt");
    format!(
        "config bridge '{name}'\n\toption host 'localhost'\n\toption port '{port}'\n\
         \toption ca '{}'\n{more}\n",
        ca.display()
    )
}

const BOTH: &str = "\tlist out 'tele/#'\n\tlist in 'cmnd/#'\n\toption remote_prefix 'home/'\n";

fn both(qos: u8, more: &str) -> String {
    format!("{BOTH}\toption qos '{qos}'\n{more}")
}

fn numbers(range: std::ops::Range<u32>) -> impl Iterator<Item = String> {
    range.map(|number| number.to_string())
}

#[test]
fn messages_pass_both_ways_at_each_qos_and_in_both_versions() {
    let certificates = Certificates::new();
    let server = Mosquitto::open(&certificates);
    for protocol in ["5", "3.1.1"] {
        for qos in [0, 1, 2] {
            let more = both(qos, &format!("\toption protocol '{protocol}'\n"));
            let name = format!("q{qos}v{}", &protocol[..1]);
            let house = House::new(&section(&name, server.tls, &certificates, &more));
            house.wait_up();
            let there = server.client().subscribe("home/tele/#", qos);
            let here = house.client().subscribe("cmnd/#", qos);
            house.client().publish("tele/lamp", qos, numbers(0..20));
            house.client().publish("other/lamp", qos, numbers(0..1));
            server
                .client()
                .publish("home/cmnd/lamp", qos, numbers(0..20));
            server.client().publish("cmnd/lamp", qos, numbers(0..1));
            let got = there.expect(20);
            assert_eq!(got[7], "0 home/tele/lamp 7", "{protocol} {qos}");
            assert_eq!(here.expect(20)[19], "0 cmnd/lamp 19", "{protocol} {qos}");
            let status = house.bridge();
            assert_eq!((status.messages_in, status.messages_out), (20, 20));
            assert_eq!(status.messages_dropped, 0);
        }
    }
}

#[test]
fn a_server_that_cannot_prove_who_it_is_gets_nothing() {
    let certificates = Certificates::new();
    let other = certificates.path("other-ca.crt");
    let own_ca = format!("{BOTH}\toption ca '{}'\n", other.display());
    for (certificate, more, words) in [
        (
            "misnamed",
            BOTH,
            "its certificate is for another name than localhost",
        ),
        ("expired", BOTH, "its certificate has expired"),
        (
            "server",
            own_ca.as_str(),
            "its certificate is from no authority in",
        ),
    ] {
        let server = Mosquitto::start(&certificates, certificate, "allow_anonymous true");
        let mut text = section("cloud", server.tls, &certificates, more);
        if more != BOTH {
            let ca = certificates.path("ca.crt");
            text = text.replacen(&format!("\toption ca '{}'\n", ca.display()), "", 1);
        }
        let house = House::new(&text);
        house.wait_down(words);
    }
    // What speaks no TLS at all.
    let server = Mosquitto::open(&certificates);
    let house = House::new(&section("cloud", server.plain, &certificates, BOTH));
    house.wait_down("localhost");
}

#[test]
fn a_client_certificate_and_a_password_prove_who_the_router_is() {
    let certificates = Certificates::new();
    let ca = certificates.path("ca.crt");
    let server = Mosquitto::start(
        &certificates,
        "server",
        &format!(
            "allow_anonymous true\nrequire_certificate true\ncafile {}",
            ca.display()
        ),
    );
    let without = House::new(&section("cloud", server.tls, &certificates, BOTH));
    without.wait_down("ertificate");
    let [certificate, key] = ["client.crt", "client.key"].map(|name| certificates.path(name));
    let own = format!(
        "{BOTH}\toption certificate '{}'\n\toption key '{}'\n",
        certificate.display(),
        key.display()
    );
    let with = House::new(&section("cloud", server.tls, &certificates, &own));
    with.wait_up();

    let passwords = certificates.path("passwords");
    let made = std::process::Command::new("mosquitto_passwd")
        .args(["-b", "-c"])
        .arg(&passwords)
        .args(["router", "s3cret"])
        .status()
        .unwrap();
    assert!(made.success());
    let server = Mosquitto::start(
        &certificates,
        "server",
        &format!(
            "allow_anonymous false\npassword_file {}",
            passwords.display()
        ),
    );
    let file = certificates.path("password");
    let login = format!(
        "{BOTH}\toption username 'router'\n\toption password_file '{}'\n",
        file.display()
    );
    let house = House::new(&section("cloud", server.tls, &certificates, &login));
    house.wait_down("password");
    std::fs::write(&file, "wrong\n").unwrap();
    house.wait_down("expected 0600");
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&file, private).unwrap();
    house.wait_down("not authorized");
    std::fs::write(&file, "s3cret\n").unwrap();
    // Without a reload: it is read for each connection.
    house.wait_up();
}

/// Kills and starts the server while numbered messages go both ways at QoS 2.
fn cut_in_the_middle(protocol: &str) {
    let certificates = Certificates::new();
    let mut server = Mosquitto::open(&certificates);
    let more = both(2, &format!("\toption protocol '{protocol}'\n"));
    let house = House::new(&section("cloud", server.tls, &certificates, &more));
    house.wait_up();
    let here = house.client().subscribe("cmnd/#", 2);
    // The subscriber on the other side is a session that outlives the server.
    let mut sent = 0;
    let mut arrived = Vec::new();
    for _ in 0..4 {
        let there = server.client().subscribe("home/tele/#", 2);
        house.wait_up();
        house
            .client()
            .publish("tele/lamp", 2, numbers(sent..sent + 200));
        server
            .client()
            .publish("home/cmnd/lamp", 2, numbers(sent..sent + 200));
        sent += 200;
        wait("all", || {
            there.numbers().len() >= 200 && house.bridge().queued == 0
        });
        arrived.extend(there.numbers());
        // In order: mosquitto writes its sessions down only then.
        server.stop();
        house.wait_down("localhost");
        server.resume();
    }
    house.wait_up();
    let all: Vec<u32> = (0..sent).collect();
    assert_eq!(arrived, all, "out, {protocol}");
    wait("the rest", || here.numbers().len() >= all.len());
    assert_eq!(here.numbers(), all, "in, {protocol}");
}

#[test]
fn a_server_that_is_stopped_and_started_again_costs_no_message() {
    cut_in_the_middle("5");
    cut_in_the_middle("3.1.1");
}
