//! What the tests of uplift share: a house whose cloud has a real broker with TLS on port 8883, as
//! vendors of devices do, and a guard that uplifts some of the devices.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use mqttguard_lab::packet::TCP;
use mqttguard_lab::{Client, Device, Guard, Lab, Process, address, until, wait_for};
use serde_json::{Value, json};

use crate::bridge::{CLOUD_HOST, Certificates};
use crate::house::{IN_VAIN, PATIENCE};

/// What the vendor's broker lets in.
pub const USER: &str = "lamp";
/// The password that must not be seen outside.
pub const PASSWORD: &str = "s3cret-of-the-lamp";
/// The vendor's broker in the clear, for the cloud itself.
const INSIDE: u16 = 18_840;

/// A house with a vendor's broker.
pub struct House {
    vendor: Option<Process>,
    /// The certificates of the vendor, good and bad.
    pub certificates: Certificates,
    /// The house.
    pub lab: Lab,
}

impl House {
    /// With these devices; the vendor's broker has a good certificate.
    pub fn new(names: &[&str]) -> House {
        let mut house = House {
            vendor: None,
            certificates: Certificates::new(),
            lab: Lab::new(names).expect("a house"),
        };
        house.lab.cloud.mqtts_mut().close();
        house.serve("cloud");
        house
    }

    /// Has the vendor's broker begin anew, with the certificate of this name.
    pub fn serve(&mut self, certificate: &str) {
        self.vendor = None;
        let dir = self.certificates.path("");
        let passwords = dir.join("passwords");
        let made = Command::new("mosquitto_passwd")
            .args(["-b", "-c"])
            .arg(&passwords)
            .args([USER, PASSWORD])
            .stderr(Stdio::null())
            .status()
            .expect("mosquitto_passwd");
        assert!(made.success());
        let file = |end: &str| dir.join(format!("{certificate}.{end}"));
        let text = format!(
            "per_listener_settings true\npersistence false\nuser root\nlog_dest stdout\n\
             listener {INSIDE} 127.0.0.1\nallow_anonymous true\n\
             listener 8883\ncertfile {}\nkeyfile {}\nallow_anonymous false\npassword_file {}\n",
            file("crt").display(),
            file("key").display(),
            passwords.display()
        );
        let config = dir.join("vendor.conf");
        fs::write(&config, text).expect("a configuration");
        let mut command = Command::new("mosquitto");
        let log = self.lab.dir().join("vendor.log");
        let netns = self.lab.cloud.netns();
        let mut vendor =
            Process::start(netns, command.arg("-c").arg(config), &log).expect("mosquitto");
        vendor
            .wait_ready(PATIENCE, || {
                let inside = SocketAddr::from(([127, 0, 0, 1], INSIDE));
                netns.run(|| Ok(TcpStream::connect(inside)?))
            })
            .expect("a vendor");
        self.vendor = Some(vendor);
    }

    /// Ends the vendor's broker.
    pub fn stop_vendor(&mut self) {
        self.vendor = None;
    }

    /// A section that uplifts the devices at these places.
    pub fn section(&self, name: &str, devices: &[usize], more: &str) -> String {
        let ca = self.certificates.path("ca.crt");
        let macs: String = devices
            .iter()
            .map(|index| format!("\tlist mac '{}'\n", self.lab.device(*index).mac_text()))
            .collect();
        format!(
            "config uplift '{name}'\n\toption host '{CLOUD_HOST}'\n\toption ca '{}'\n{macs}{more}",
            ca.display()
        )
    }

    /// A guard with these sections, once it uplifts.
    pub fn guard(&self, sections: &str) -> Guard {
        let guard = self.lab.start_guard("", sections).expect("a guard");
        wait_ready(&guard);
        guard
    }

    /// A client on a device, speaking in the clear to the vendor's IPv4 address, as it was made
    /// to.
    pub fn client<'a>(&self, device: &'a Device) -> Client<'a> {
        device
            .plain_client(address::CLOUD, 1883)
            .login(USER, PASSWORD)
    }

    /// Publishes at the vendor's.
    pub fn publish_in_cloud(&self, topic: &str, payload: &str) {
        let mut command = Command::new("mosquitto_pub");
        command.args(["-p", &INSIDE.to_string(), "-t", topic, "-m", payload]);
        let output = self.lab.cloud.netns().output(&mut command).expect("a run");
        assert!(output.status.success(), "{output:?}");
    }

    /// Begins to subscribe at the vendor's; ends after `count` messages. Topic and payload of each
    /// go to the file that is returned.
    pub fn subscribe_in_cloud(&self, filter: &str, count: u32) -> (Process, std::path::PathBuf) {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let log = self.lab.dir().join(format!("cloud{number}.log"));
        let mut command = Command::new("stdbuf");
        command.args(["-oL", "mosquitto_sub", "-p", &INSIDE.to_string()]);
        command.args(["-t", filter, "-q", "1", "-v", "-d"]);
        command.args(["-C", &count.to_string()]);
        let client = Process::start(self.lab.cloud.netns(), &mut command, &log).expect("a client");
        let subscribed = until(PATIENCE, || client.log().contains("Subscribed (mid"));
        assert!(subscribed, "{}", client.log());
        (client, log)
    }

    /// Waits until the vendor has got this line: topic, space, payload.
    pub fn wait_in_cloud(&self, log: &Path, line: &str) {
        let there = || {
            let text = fs::read_to_string(log).unwrap_or_default();
            text.lines().any(|known| known == line)
        };
        assert!(until(PATIENCE, there), "{line} is missing");
    }

    /// That the wan has seen no MQTT in the clear, no frame to the plaintext port and no password.
    pub fn assert_nothing_leaked(&self) {
        let witness = self.lab.cloud.witness();
        let leaked = witness.plaintext().expect("a sighted witness");
        assert!(leaked.is_empty(), "reached the cloud: {leaked:?}");
        assert_eq!(witness.secret_frames().expect("a sighted witness"), 0);
        let router = [address::WAN.into(), address::WAN6.into()];
        let devices = self.lab.devices().iter();
        let addresses = devices.flat_map(|device| {
            let v4 = device.address().expect("an address");
            [v4.into(), device.address6().into()]
        });
        for source in addresses.chain(router) {
            let tally = witness.tally(source, TCP, 1883).expect("a tally");
            assert_eq!(tally.frames, 0, "from {source} to port 1883");
        }
    }
}

/// Waits until the guard says that uplift is ready.
pub fn wait_ready(guard: &Guard) {
    wait_for("uplift", PATIENCE, || {
        let status = guard.ubus("status", &json!({}))?;
        let ready = status.pointer("/uplift/ready") == Some(&Value::Bool(true));
        Ok(ready.then_some(()))
    })
    .expect("uplift is ready");
}

/// Counters of the first section.
pub fn counter(guard: &Guard, name: &str) -> u64 {
    let status = guard.ubus("status", &json!({})).expect("a status");
    let counter = status.pointer(&format!("/uplift/sections/0/{name}"));
    counter
        .and_then(Value::as_u64)
        .unwrap_or_else(|| panic!("{name}: {status}"))
}

/// Waits until a refusal was told with these words in its reason.
pub fn wait_refused(guard: &Guard, words: &str) -> Value {
    wait_for(&format!("a refusal: {words}"), PATIENCE, || {
        let events = guard.events()?;
        Ok(events.into_iter().find(|event| {
            let why = event.get("why").and_then(Value::as_str);
            event.get("event").and_then(Value::as_str) == Some("uplift-refused")
                && why.is_some_and(|why| why.contains(words))
        }))
    })
    .unwrap_or_else(|error| panic!("{error:#}: {:?}", guard.events()))
}

/// A CONNECT of MQTT 3.1.1 with the vendor's user name and password, and a client identifier that
/// no other has.
pub fn login() -> Vec<u8> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let client_id = format!("lab{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let mut rest = b"\x00\x04MQTT\x04\xc2\x00\x3c".to_vec();
    for text in [client_id.as_str(), USER, PASSWORD] {
        rest.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
        rest.extend(text.as_bytes());
    }
    [&[0x10, u8::try_from(rest.len()).unwrap()], &rest[..]].concat()
}

/// A connection of a device to its vendor, let in.
pub fn logged_in(device: &Device, to: SocketAddr) -> TcpStream {
    let mut stream = device.connect(to, PATIENCE).unwrap();
    stream.write_all(&login()).unwrap();
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer, *b"\x20\x02\x00\x00", "CONNACK");
    stream
}

/// Whether the vendor still answers.
pub fn answers(stream: &mut TcpStream) -> bool {
    let mut answer = [0; 2];
    stream.write_all(b"\xc0\x00").is_ok()
        && stream.read_exact(&mut answer).is_ok()
        && answer == *b"\xd0\x00"
}

/// Whether the connection has ended, or nothing passes on it any more.
pub fn is_cut(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(IN_VAIN)).unwrap();
    !answers(stream)
}

/// Puts another configuration in force.
pub fn reload(guard: &Guard, main: &str, sections: &str) {
    guard
        .write_config(&guard.files().uci(main, sections))
        .unwrap();
    let answer = guard.ubus("reload", &json!({})).unwrap();
    assert_eq!(answer.get("error"), None, "{answer}");
}

/// Runs nft on the router.
pub fn nft(house: &House, args: &[&str]) -> String {
    let output = house
        .lab
        .router
        .netns()
        .output(Command::new("nft").args(args));
    let output = output.unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}
