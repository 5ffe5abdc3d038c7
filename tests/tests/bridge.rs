//! Bridges to real servers over TLS.

use std::time::Duration;

use mqttguard_lab::{PATIENCE, until};
use mqttguard_tests::bridge::{Certificates, House, Mosquitto, Nats, Wire, bridges, wait};

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

#[test]
fn a_wire_cut_in_mid_traffic_loses_nothing_and_doubles_nothing_at_qos_2() {
    for protocol in ["5", "3.1.1"] {
        let certificates = Certificates::new();
        let server = Mosquitto::open(&certificates);
        let wire = Wire::to(server.tls);
        let more = both(2, &format!("\toption protocol '{protocol}'\n"));
        let house = House::new(&section("cloud", wire.port, &certificates, &more));
        house.wait_up();
        let there = server.client().subscribe("home/tele/#", 2);
        let here = house.client().subscribe("cmnd/#", 2);
        let mut cuts = 0;
        // Each cut doubles the wait for the next connection.
        for round in 0..4 {
            house.wait_up();
            wire.cut_after(3_000 + 2_777 * round);
            let batch = u32::try_from(round).unwrap() * 100;
            house
                .client()
                .publish("tele/lamp", 2, numbers(batch..batch + 100));
            server
                .client()
                .publish("home/cmnd/lamp", 2, numbers(batch..batch + 100));
            // What passes in a round is more than the wire lets through.
            let cut = until(PATIENCE, || wire.is_cut());
            cuts += u32::from(cut);
            wire.cut_after(i64::MAX);
        }
        let all: Vec<u32> = (0..400).collect();
        wait("all out", || there.numbers().len() >= all.len());
        wait("all in", || here.numbers().len() >= all.len());
        std::thread::sleep(Duration::from_millis(500));
        assert_eq!(there.numbers(), all, "out, {protocol}");
        assert_eq!(here.numbers(), all, "in, {protocol}");
        assert!(cuts >= 3, "{cuts}");
        wait("an empty queue", || house.bridge().queued == 0);
    }
}

#[test]
fn what_is_published_while_the_server_is_dead_waits_on_both_sides() {
    let certificates = Certificates::new();
    let mut server = Mosquitto::open(&certificates);
    // Whoever subscribes later than the bridge is back gets all the same.
    let subscribe = |server: &Mosquitto, reader: &str| {
        let reader = server.client().lasting(reader);
        reader.subscribe("home/tele/#", 1)
    };
    drop(subscribe(&server, "first"));
    // Dead from the start.
    server.stop();
    let house = House::new(&section("cloud", server.tls, &certificates, &both(1, "")));
    house.wait_down("refused");
    let state = house
        .client()
        .subscribe("$SYS/broker/connection/+/state", 0);
    state.expect(1);
    house.client().publish("tele/lamp", 1, numbers(0..300));
    assert_eq!(house.bridge().queued, 300);
    server.resume();
    let there = subscribe(&server, "first");
    let arrived = there.expect(300);
    assert_eq!(arrived[299], "0 home/tele/lamp 299");
    assert_eq!(there.numbers(), (0..300).collect::<Vec<_>>());
    let topic = "$SYS/broker/connection/cloud/state";
    assert_eq!(
        state.expect(2),
        [format!("1 {topic} 0"), format!("0 {topic} 1")]
    );
    // And dead in between.
    wait("all acknowledged", || house.bridge().queued == 0);
    drop(subscribe(&server, "second"));
    server.stop();
    house.wait_down("localhost");
    house.client().publish("tele/lamp", 1, numbers(300..400));
    server.resume();
    let there = subscribe(&server, "second");
    wait("the rest", || there.numbers().contains(&399));
    assert_eq!(there.numbers(), (300..400).collect::<Vec<_>>());
}

#[test]
fn two_routers_that_share_topics_over_one_server_do_not_loop() {
    for protocol in ["5", "3.1.1"] {
        let certificates = Certificates::new();
        let server = Mosquitto::open(&certificates);
        let more = format!("\tlist out 't/#'\n\tlist in 't/#'\n\toption protocol '{protocol}'\n");
        let [one, two] =
            ["one", "two"].map(|name| House::new(&section(name, server.tls, &certificates, &more)));
        one.wait_up();
        two.wait_up();
        let everywhere = [&one.client(), &two.client(), &server.client()]
            .map(|client| client.subscribe("t/#", 1));
        one.client().publish("t/a", 1, numbers(0..10));
        two.client().publish("t/b", 1, numbers(0..10));
        server.client().publish("t/c", 1, numbers(0..10));
        for side in &everywhere {
            side.expect(30);
        }
        let status = one.bridge();
        assert_eq!(
            (status.messages_in, status.messages_out),
            (20, 10),
            "{protocol}"
        );
    }
}

#[test]
fn retained_messages_keep_their_flag_and_do_not_come_again() {
    for protocol in ["5", "3.1.1"] {
        let certificates = Certificates::new();
        let server = Mosquitto::open(&certificates);
        let wire = Wire::to(server.tls);
        server.client().retain("home/cmnd/lamp", "there");
        let more = both(1, &format!("\toption protocol '{protocol}'\n"));
        let house = House::new(&section("cloud", wire.port, &certificates, &more));
        house.wait_up();
        let passing = server.client().subscribe("home/tele/#", 1);
        house.client().retain("tele/lamp", "here");
        // Counted when it is sent; the server has it later.
        wait("both", || {
            let status = house.bridge();
            (status.messages_in, status.messages_out) == (1, 1)
        });
        assert_eq!(passing.expect(1), ["0 home/tele/lamp here"]);
        let there = server.client().subscribe("home/tele/#", 1);
        assert_eq!(there.expect(1), ["1 home/tele/lamp here"]);
        let here = house.client().subscribe("cmnd/#", 1);
        assert_eq!(here.expect(1), ["1 cmnd/lamp there"]);
        // A cut wire brings nothing again.
        wire.cut_after(0);
        house.client().publish("tele/plug", 0, numbers(0..1));
        house.wait_down("localhost");
        wire.cut_after(i64::MAX);
        house.wait_up();
        server.client().publish("home/cmnd/plug", 1, numbers(7..8));
        assert_eq!(here.expect(2)[1], "0 cmnd/plug 7", "{protocol}");
        assert_eq!(house.bridge().messages_in, 2, "{protocol}");
    }
}

#[test]
fn a_server_of_another_make_that_only_speaks_3_1_1_is_bridged_to() {
    let certificates = Certificates::new();
    let server = Nats::start(&certificates);
    let house = House::new(&section("nats", server.tls, &certificates, &both(1, "")));
    let status = house.wait_up();
    assert_eq!(status.up.unwrap().0, mqttguard_broker::Version::V311);
    let there = server.client(&certificates).subscribe("home/tele/#", 1);
    let here = house.client().subscribe("cmnd/#", 1);
    house.client().publish("tele/lamp", 1, numbers(0..50));
    server
        .client(&certificates)
        .publish("home/cmnd/lamp", 1, numbers(0..50));
    assert_eq!(there.expect(50)[49], "0 home/tele/lamp 49");
    assert_eq!(here.expect(50)[49], "0 cmnd/lamp 49");
    // It would send back what it is sent, and says so neither to MQTT 5 nor to the flag.
    let more = "\tlist out 't/#'\n\tlist in 't/+'\n";
    let house = House::new(&section("echo", server.tls, &certificates, more));
    house.wait_down("in 't/+' overlaps out 't/#'");
}

#[test]
fn bridges_that_change_are_changed_and_the_others_go_on() {
    let certificates = Certificates::new();
    let server = Mosquitto::open(&certificates);
    let stays = section("stays", server.tls, &certificates, "\tlist out 'a/#'\n");
    let changes = |out: &str| {
        let more = format!("\tlist out '{out}'\n\toption remote_prefix 'x/'\n");
        section("changes", server.tls, &certificates, &more)
    };
    let house = House::new(&format!("{stays}{}", changes("b/#")));
    let status = |place: usize| house.handle.stats().unwrap().bridges[place].clone();
    wait("both", || status(0).up.is_some() && status(1).up.is_some());
    let port_of_stays = server.client().subscribe("#", 1);
    house.client().publish("a/1", 1, numbers(0..1));
    house.client().publish("b/1", 1, numbers(1..2));
    port_of_stays.expect(2);
    let since = status(0).up.unwrap().1;
    house
        .handle
        .set_bridges(bridges(&format!("{stays}{}", changes("c/#"))));
    wait("the changed one", || {
        let bridges = house.handle.stats().unwrap().bridges;
        bridges.len() == 2 && bridges[1].up.is_some()
    });
    assert!(status(0).up.unwrap().1 >= since, "undisturbed");
    house.client().publish("b/1", 1, numbers(2..3));
    house.client().publish("c/1", 1, numbers(3..4));
    assert_eq!(port_of_stays.expect(3)[2], "0 x/c/1 3");
    house.handle.set_bridges(Vec::new());
    wait("none", || house.handle.stats().unwrap().core.sessions == 0);
    assert!(house.handle.stats().unwrap().bridges.is_empty());
}

#[test]
fn no_client_gets_the_identifier_of_a_bridge() {
    let certificates = Certificates::new();
    let server = Mosquitto::open(&certificates);
    let house = House::new(&section("cloud", server.tls, &certificates, BOTH));
    house.wait_up();
    let ended = house.client().try_as("$bridge/cloud");
    assert!(!ended, "let in");
    assert!(house.bridge().up.is_some());
}
