//! Devices that answer a push with whatever they like, and addresses that are somebody else's.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot be set up has failed"
)]

use std::fs::OpenOptions;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use mqttguard::ubus::{CallError, Status};
use mqttguard_lab::{Device, Guard, Lab, address, until};
use mqttguard_tests::firmware::{Served, Tasmota, listen, push};
use mqttguard_tests::house::{PATIENCE, enrol, guarded};
use serde_json::{Value, json};

/// The daemon gives up on the device, not its caller on the daemon.
const MOST: Duration = Duration::from_secs(20);

/// What a hostile device does with each connection, once it has read something.
fn hostile(device: &Device, behave: fn(&mut TcpStream)) -> Arc<AtomicUsize> {
    let listener = listen(device);
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut room = [0; 4096];
            if stream.read(&mut room).is_ok_and(|read| read > 0) {
                counted.fetch_add(1, Ordering::SeqCst);
                behave(&mut stream);
            }
        }
    });
    count
}

fn refused(answer: Result<Value, CallError>) -> (Status, String) {
    match answer {
        Err(CallError::Refused {
            status, message, ..
        }) => (status, message),
        other => panic!("{other:?}"),
    }
}

/// The push fails in time, with these words, and leaves the device's credential as it was.
fn assert_fails(lab: &Lab, guard: &Guard, firmware: &str, words: &str) {
    let begun = Instant::now();
    let answer = push(
        lab,
        &json!({ "device": "plug", "firmware": firmware, "password": "web" }),
    );
    let answer = answer.unwrap();
    assert!(begun.elapsed() < MOST, "{:?}", begun.elapsed());
    assert_eq!(answer["ok"], false, "{answer}");
    let why = answer["why"].as_str().unwrap();
    assert!(why.contains(words), "{why}");
    assert!(
        answer.to_string().len() < 4096,
        "{}",
        answer.to_string().len()
    );
    let plug = guard.device("plug").unwrap();
    assert!(plug.get("username").is_none(), "{plug}");
}

#[test]
fn an_endless_answer_is_cut() {
    let (lab, guard) = guarded(&["plug"]);
    hostile(lab.device(0), |stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(&[b'x'; 4096]).is_ok() {}
    });
    for firmware in ["tasmota", "openbeken", "shelly"] {
        assert_fails(&lab, &guard, firmware, "an answer of more than 16384 bytes");
    }
}

#[test]
fn endless_header_fields_and_nesting_are_cut() {
    let (lab, guard) = guarded(&["plug"]);
    hostile(lab.device(0), |stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nX: ");
        while stream.write_all(&[b'x'; 4096]).is_ok() {}
    });
    assert_fails(
        &lab,
        &guard,
        "tasmota",
        "an answer of more than 16384 bytes",
    );
    drop(guard);
    drop(lab);
    let (lab, guard) = guarded(&["plug"]);
    hostile(lab.device(0), |stream| {
        let deep = "[".repeat(10_000);
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", deep.len());
        let _ = stream.write_all((head + &deep).as_bytes());
    });
    assert_fails(&lab, &guard, "shelly", "expected JSON");
}

#[test]
fn a_slow_answer_holds_up_nobody_else() {
    let (lab, guard) = guarded(&["plug", "lamp"]);
    let asked = hostile(lab.device(0), |stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n");
        for _ in 0..60 {
            if stream.write_all(b"x").is_err() {
                return;
            }
            thread::sleep(Duration::from_millis(500));
        }
    });
    thread::scope(|scope| {
        let slow = scope.spawn(|| assert_fails(&lab, &guard, "tasmota", "did not answer in time"));
        assert!(until(PATIENCE, || asked.load(Ordering::SeqCst) > 0));
        // The bus is answered, and other devices are; this one has its push already.
        assert!(guard.ubus("status", &json!({})).is_ok());
        assert!(!slow.is_finished());
        let (status, why) = refused(push(
            &lab,
            &json!({ "device": "plug", "firmware": "shelly" }),
        ));
        assert_eq!(
            (status, why.contains("under way")),
            (Status::NoMemory, true),
            "{why}"
        );
        assert!(!slow.is_finished());
        slow.join().unwrap();
    });
}

#[test]
fn a_redirect_is_not_followed() {
    let (lab, guard) = guarded(&["plug", "lamp"]);
    static ELSEWHERE: Mutex<String> = Mutex::new(String::new());
    *ELSEWHERE.lock().unwrap() = lab.device(1).address().unwrap().to_string();
    let lamp = hostile(lab.device(1), |_| ());
    hostile(lab.device(0), |stream| {
        let to = ELSEWHERE.lock().unwrap().clone();
        let head =
            format!("HTTP/1.1 302 Found\r\nLocation: http://{to}/\r\nContent-Length: 0\r\n\r\n");
        let _ = stream.write_all(head.as_bytes());
    });
    assert_fails(&lab, &guard, "openbeken", "found status 302, expected 200");
    assert_eq!(lamp.load(Ordering::SeqCst), 0);
}

#[test]
fn a_connection_that_is_cut_is_told() {
    let (lab, guard) = guarded(&["plug"]);
    hostile(lab.device(0), |stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{");
        let _ = stream.shutdown(Shutdown::Both);
    });
    assert_fails(&lab, &guard, "shelly", "before it had answered");
}

#[test]
fn a_login_that_would_give_the_password_away_is_not_answered() {
    let (lab, guard) = guarded(&["plug"]);
    static SEEN: Mutex<Vec<u8>> = Mutex::new(Vec::new());
    let listener = listen(lab.device(0));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut room = [0; 4096];
            let read = stream.read(&mut room).unwrap_or(0);
            SEEN.lock().unwrap().extend_from_slice(&room[..read]);
            let is_info = room.starts_with(b"GET /shelly ");
            let answer: &[u8] = match is_info {
                true => b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{\"gen\":2}",
                false => {
                    b"HTTP/1.1 401 X\r\nWWW-Authenticate: Basic realm=\"x\"\r\n\
                      WWW-Authenticate: Digest realm=\"x\", nonce=\"y\", qop=\"auth\", algorithm=MD5\r\n\
                      Content-Length: 0\r\n\r\n"
                }
            };
            let _ = stream.write_all(answer);
        }
    });
    assert_fails(&lab, &guard, "shelly", "refuses the login");
    let seen = String::from_utf8_lossy(&SEEN.lock().unwrap()).into_owned();
    assert!(seen.contains("/rpc/MQTT.GetConfig"), "{seen}");
    assert!(!seen.to_lowercase().contains("authorization"), "{seen}");
}

#[test]
fn a_device_that_says_its_password_does_not_get_it_shown() {
    let lab = Lab::new(&["plug"]).unwrap();
    let plug = lab.device(0);
    let sections = format!(
        "config listener 'plain'\n\toption kind 'plain'\n\toption port '1883'\n\toption enabled '1'\n\
         config device\n\toption mac '{}'\n\toption plaintext '1'\n",
        plug.mac_text()
    );
    let guard = lab.start_guard("", &sections).unwrap();
    let mut firmware = Tasmota::new(false, None);
    firmware.tells_password = true;
    let tasmota = Served::on(plug, firmware);
    let answer = push(&lab, &json!({ "device": "plug", "firmware": "tasmota" })).unwrap();
    assert_eq!(answer["ok"], false, "{answer}");
    assert!(
        answer["why"]
            .as_str()
            .unwrap()
            .contains("MqttHost: found '\"***\"'"),
        "{answer}"
    );
    let password = tasmota.now().set.password.clone();
    assert!(!answer.to_string().contains(&password) && !guard.log().contains(&password));
    // It may well have it, so it is good.
    let outcome = plug
        .plain_client(address::ROUTER, 1883)
        .login("plug", &password)
        .publish("plug/x", "1", 1)
        .unwrap();
    assert!(outcome.succeeded(), "{outcome:?}");
}

#[test]
fn nothing_is_said_to_who_has_taken_the_address() {
    let (lab, guard) = guarded(&["plug", "thief"]);
    let (plug, thief) = (lab.device(0), lab.device(1));
    let address = plug.address().unwrap();
    let said = Arc::new(Mutex::new(Vec::new()));
    let (listener, heard) = (listen(thief), Arc::clone(&said));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut room = Vec::new();
            let _ = stream.read_to_end(&mut room);
            heard.lock().unwrap().push(room);
        }
    });
    // The lease is the plug's, the thief answers for it.
    plug.netns()
        .ip_batch(&format!("address del {address}/24 dev eth0\n"))
        .unwrap();
    thief
        .netns()
        .ip_batch(&format!("address add {address}/24 dev eth0\n"))
        .unwrap();
    lab.router
        .netns()
        .ip_batch("neigh flush dev br-lan\n")
        .unwrap();
    let args = json!({ "device": plug.mac_text(), "firmware": "tasmota", "password": "web" });
    match push(&lab, &args) {
        Ok(answer) => {
            assert_eq!(answer["ok"], false, "{answer}");
            let why = answer["why"].as_str().unwrap();
            assert!(why.contains("nothing was sent"), "{why}");
        }
        other => panic!("{other:?}"),
    }
    let asked = until(PATIENCE, || !said.lock().unwrap().is_empty());
    assert!(asked, "the thief was not asked");
    let said = said.lock().unwrap();
    assert!(said.iter().all(Vec::is_empty), "{said:?}");
    assert!(
        guard
            .device(&plug.mac_text())
            .unwrap()
            .get("username")
            .is_none()
    );
}

/// Adds a line to the lease file, as a DHCP server would.
fn lease(lab: &Lab, mac: &str, address: &str, name: &str) {
    let mut file = OpenOptions::new()
        .append(true)
        .open(lab.router.leases())
        .unwrap();
    writeln!(file, "4102444800 {mac} {address} {name} *").unwrap();
}

#[test]
fn an_address_has_to_be_one_and_in_a_guarded_network() {
    let (lab, guard) = guarded(&["plug"]);
    let plug = lab.device(0);
    let call = |device: &str, firmware: &str| {
        refused(push(
            &lab,
            &json!({ "device": device, "firmware": firmware }),
        ))
    };
    // Leased, says the file; but it is in the cloud.
    let far = "02:4d:47:00:07:01";
    lease(&lab, far, &address::CLOUD.to_string(), "far");
    let known = |device: &str| guard.device(device).is_ok();
    assert!(until(PATIENCE, || known("far")));
    let (status, why) = call("far", "tasmota");
    assert_eq!(status, Status::NotSupported);
    assert!(why.contains("is in no guarded network"), "{why}");

    lease(&lab, "02:4d:47:00:07:02", "192.168.77.51", "twin");
    lease(&lab, "02:4d:47:00:07:02", "192.168.77.52", "twin");
    let addresses = || {
        let twin = guard.device("twin").ok()?;
        twin["addresses"].as_array().map(Vec::len)
    };
    assert!(until(PATIENCE, || addresses() == Some(2)));
    let (status, why) = call("twin", "tasmota");
    assert_eq!(status, Status::InvalidArgument);
    assert!(
        why.contains("192.168.77.51") && why.contains("192.168.77.52"),
        "{why}"
    );
    // One of them is enough; that nobody is there is another matter.
    let answer = push(
        &lab,
        &json!({ "device": "192.168.77.52", "firmware": "tasmota" }),
    )
    .unwrap();
    assert_eq!(answer["address"], "192.168.77.52", "{answer}");
    assert_eq!(answer["ok"], false, "{answer}");

    assert_eq!(call("plug", "wled").0, Status::NotSupported);
    assert_eq!(call("plug", "nonesuch").0, Status::InvalidArgument);
    let (_, why) = refused(push(&lab, &json!({ "device": "plug" })));
    assert!(why.contains("the firmware of plug is not known"), "{why}");
    assert_eq!(call("02:4d:47:00:07:09", "tasmota").0, Status::NotFound);
    enrol(&guard, "plug");
    guard.ubus("block", &json!({ "device": "plug" })).unwrap();
    let (status, why) = call("plug", "tasmota");
    assert_eq!(status, Status::NotSupported, "{why}");
    assert!(why.contains("plug is blocked"), "{why}");
    drop(plug.address());
}
