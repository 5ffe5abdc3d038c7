//! The program on real interfaces: veth pairs in a network namespace of the test's own.
//!
//! The enforcing process is this test run once more as a child in the namespace, so that it can
//! be killed like a daemon.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use mqttguard::config::Hook;
use mqttguard::enforce::{Enforcer, Report, Target};
use mqttguard_common::{Mac, Reason};
use mqttguard_tests::bpf::{GOOD, force_detach, require_root, rules};
use mqttguard_tests::frames::{Frame, SYN};

const DEVICE: Mac = Mac([0x02, 0xc1, 0x1e, 0, 0, 1]);
const CHILD: &str = "MQTTGUARD_TEST_ENFORCER";

/// A network namespace with a bridge `lanbr` and two ports, `lan1` and `lan2`, whose other ends
/// `dev1` and `dev2` are in it too; and a BPF file system. Gone when dropped.
struct Lab {
    namespace: String,
    bpf: PathBuf,
}

impl Lab {
    fn new(name: &str) -> Self {
        require_root();
        let namespace = format!("mqg-{name}-{}", std::process::id());
        let bpf = std::env::temp_dir().join(&namespace);
        fs::create_dir_all(&bpf).unwrap();
        let lab = Lab { namespace, bpf };
        sh(&format!("mount -t bpf bpf {}", lab.bpf.display()));
        sh(&format!("ip netns add {}", lab.namespace));
        lab.ip("link add name lanbr type bridge");
        lab.ip("link set lanbr up");
        for port in 1..=2 {
            lab.ip(&format!("link add lan{port} type veth peer name dev{port}"));
            lab.ip(&format!("link set lan{port} master lanbr up"));
            lab.ip(&format!("link set dev{port} up"));
        }
        lab
    }

    fn ip(&self, arguments: &str) {
        sh(&format!("ip -n {} {arguments}", self.namespace));
    }

    fn pins(&self) -> PathBuf {
        self.bpf.join("mqttguard")
    }

    fn enforcer(&self, hook: &str) -> Process {
        let mut child = Command::new("nsenter")
            .arg(format!("--net=/run/netns/{}", self.namespace))
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--ignored", "--nocapture"])
            .env(CHILD, self.pins())
            .env("MQTTGUARD_TEST_HOOK", hook)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let stdout = child.stdout.take().unwrap();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Process {
            stdin: child.stdin.take().unwrap(),
            child,
            lines,
        }
    }

    /// Sends frames out of an interface of the namespace.
    fn send(&self, interface: &str, frame: &[u8], count: usize) {
        let hex: String = frame.iter().map(|byte| format!("{byte:02x}")).collect();
        let script = format!(
            "import socket\n\
             s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)\n\
             s.bind(('{interface}', 0))\n\
             [s.send(bytes.fromhex('{hex}')) for _ in range({count})]\n"
        );
        let status = Command::new("nsenter")
            .arg(format!("--net=/run/netns/{}", self.namespace))
            .args(["python3", "-c", &script])
            .status()
            .unwrap();
        assert!(status.success());
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for command in [
            format!("ip netns del {}", self.namespace),
            format!("umount {}", self.bpf.display()),
            format!("rmdir {}", self.bpf.display()),
        ] {
            let _ = Command::new("sh").args(["-c", &command]).status();
        }
    }
}

fn sh(command: &str) {
    let status = Command::new("sh").args(["-c", command]).status().unwrap();
    assert!(status.success(), "{command}");
}

/// A child that runs an [`Enforcer`] and answers on its standard output.
struct Process {
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<String>,
}

impl Process {
    /// Waits for a line that starts so; what comes before it is passed over.
    fn expect(&self, start: &str) -> String {
        let deadline = Instant::now() + Duration::from_secs(15);
        let mut passed = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) if line.starts_with(start) => return line,
                Ok(line) => passed.push(line),
                Err(_) => panic!("no line starts with {start:?}; there were {passed:#?}"),
            }
        }
    }

    fn ask(&mut self, question: &str) {
        writeln!(self.stdin, "{question}").unwrap();
    }

    fn counted(&mut self, reason: Reason) -> u64 {
        self.ask(&format!("count {}", reason as u8));
        let line = self.expect("counted ");
        line["counted ".len()..].parse().unwrap()
    }

    /// Waits until that many frames are counted.
    fn wait_counted(&mut self, reason: Reason, frames: u64) {
        let deadline = Instant::now() + Duration::from_secs(5);
        while self.counted(reason) < frames && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(self.counted(reason), frames);
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn detach(mut self) {
        self.ask("detach");
        self.expect("detached all");
        assert!(self.child.wait().unwrap().success());
    }
}

/// The child's side of [`Process`].
#[test]
#[ignore = "run by the other tests"]
fn child() {
    let Some(pins) = std::env::var_os(CHILD) else {
        return;
    };
    let target = Target {
        devices: vec!["lanbr".into()],
        hook: hook(&std::env::var("MQTTGUARD_TEST_HOOK").unwrap()),
    };
    let mut enforcer =
        Enforcer::start(Path::new(&pins), &target, &rules(), |report| match report {
            Report::Attachment {
                interface,
                what,
                detail,
            } => println!("{interface} {what} {detail}"),
            Report::Frame(event) => println!("event {} {}", event.mac, event.reason.name()),
        })
        .unwrap();
    let known = enforcer.known().count();
    enforcer.set_device(DEVICE, &GOOD).unwrap();
    println!("ready, {known} known");
    for line in std::io::stdin().lines().map_while(Result::ok) {
        match line.split_once(' ') {
            Some(("count", reason)) => {
                let reason: usize = reason.parse().unwrap();
                let counters = enforcer.counters().unwrap();
                let found = counters.iter().find(|(mac, _)| *mac == DEVICE).unwrap();
                println!("counted {}", found.1.frames[reason]);
            }
            Some(("hook", name)) => {
                let target = Target {
                    hook: hook(name),
                    ..target.clone()
                };
                enforcer.retarget(&target).unwrap();
                println!("retargeted");
            }
            Some(("forget", _)) => {
                enforcer.remove_device(DEVICE).unwrap();
                println!("{} known", enforcer.known().count());
            }
            _ if line == "attachments" => {
                for attachment in enforcer.attachments() {
                    println!(
                        "at {} by {} {:?}",
                        attachment.interface,
                        attachment.hook.unwrap_or("nothing"),
                        attachment.proof
                    );
                }
            }
            _ => {
                enforcer.detach().unwrap();
                println!("detached all");
                return;
            }
        }
    }
}

fn hook(name: &str) -> Hook {
    match name {
        "auto" => Hook::Auto,
        "xdp" => Hook::Xdp,
        "xdp-generic" => Hook::XdpGeneric,
        "tc" => Hook::Tc,
        other => panic!("{other}"),
    }
}

fn plaintext() -> Vec<u8> {
    let mut frame = Frame::tcp(DEVICE, "192.0.2.1".parse().unwrap(), 1883, SYN, &[]).bytes();
    // To everybody, so that the bridge passes it on.
    frame[..6].fill(0xff);
    frame
}

fn take_over(hook: &str, by: &str) {
    let lab = Lab::new(hook);
    let mut first = lab.enforcer(hook);
    for port in ["lan1", "lan2"] {
        first.expect(&format!("{port} attached {by}"));
    }
    first.expect("ready, 0 known");
    lab.send("dev1", &plaintext(), 10);
    first.expect("event 02:c1:1e:00:00:01 plaintext-port");
    first.wait_counted(Reason::PlaintextPort, 10);

    // Killed, it leaves enforcement standing.
    first.kill();
    lab.send("dev1", &plaintext(), 10);

    let mut second = lab.enforcer(hook);
    for port in ["lan1", "lan2"] {
        second.expect(&format!("{port} taken-over {by}"));
    }
    second.expect("ready, 1 known");
    assert_eq!(second.counted(Reason::PlaintextPort), 20);
    lab.send("dev2", &plaintext(), 10);
    second.wait_counted(Reason::PlaintextPort, 30);
    thread::sleep(Duration::from_millis(1500));
    second.ask("attachments");
    for port in ["lan1", "lan2"] {
        second.expect(&format!("at {port} by {by} Seen"));
    }

    // Stopped on purpose, it leaves nothing.
    second.detach();
    assert!(!lab.pins().exists(), "pins are left");
    let third = lab.enforcer(hook);
    third.expect(&format!("lan1 attached {by}"));
    third.expect("ready, 0 known");
    third.detach();
}

#[test]
fn a_killed_predecessor_is_taken_over_by_native_xdp() {
    take_over("auto", "xdp");
}

#[test]
fn a_killed_predecessor_is_taken_over_by_generic_xdp() {
    take_over("xdp-generic", "xdp-generic");
}

#[test]
fn a_killed_predecessor_is_taken_over_by_tc() {
    take_over("tc", "tcx");
}

#[test]
fn ports_are_followed_as_they_come_and_go() {
    let lab = Lab::new("ports");
    let process = lab.enforcer("auto");
    process.expect("ready");
    let start = Instant::now();
    lab.ip("link set lan2 nomaster");
    process.expect("lan2 detached");
    lab.ip("link set lan2 master lanbr");
    process.expect("lan2 attached xdp");
    lab.ip("link del lan2");
    process.expect("lan2 detached");
    lab.ip("link del lanbr");
    process.expect("lanbr failed there is no such device");
    lab.ip("link add name lanbr type bridge");
    lab.ip("link set lan1 master lanbr");
    process.expect("lan1 attached xdp");
    assert!(start.elapsed() < Duration::from_secs(6));
    process.detach();
}

#[test]
fn the_hook_can_be_changed_at_work() {
    let lab = Lab::new("hooks");
    let mut process = lab.enforcer("auto");
    process.expect("lan1 attached xdp");
    process.expect("ready");
    let mut sent = 0;
    for (hook, by) in [
        ("tc", "tcx"),
        ("xdp-generic", "xdp-generic"),
        ("auto", "xdp"),
        ("xdp-generic", "xdp-generic"),
        ("xdp", "xdp"),
    ] {
        process.ask(&format!("hook {hook}"));
        let line = process.expect("lan1 attached");
        assert_eq!(line, format!("lan1 attached {by}"));
        process.expect("retargeted");
        lab.send("dev1", &plaintext(), 5);
        sent += 5;
        // Neither lost nor counted by two hooks.
        process.wait_counted(Reason::PlaintextPort, sent);
    }
    process.ask("forget all");
    process.expect("0 known");
    process.detach();
}

#[test]
fn another_programs_hook_is_left_alone() {
    let lab = Lab::new("busy");
    // Somebody else's generic XDP program on lan1 keeps native XDP away.
    let other = lab.bpf.join("other");
    fs::create_dir(&other).unwrap();
    let holder = Command::new("nsenter")
        .arg(format!("--net=/run/netns/{}", lab.namespace))
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "foreign", "--ignored"])
        .env("MQTTGUARD_TEST_FOREIGN", other.join("link"))
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(holder.success());
    let process = lab.enforcer("auto");
    let line = process.expect("lan1 attached tcx");
    assert!(line.contains("another program holds the hook"), "{line}");
    process.expect("lan2 attached xdp");
    process.detach();
    assert!(other.join("link").exists());
}

#[test]
fn native_xdp_that_sees_nothing_gives_way_to_tc() {
    let lab = Lab::new("blind");
    // Nothing may arrive on its own, or the program would see it and be proven.
    lab.ip("link set dev1 down");
    let mut process = lab.enforcer("auto");
    process.expect("lan1 attached xdp");
    process.expect("ready");
    let index = Command::new("nsenter")
        .arg(format!("--net=/run/netns/{}", lab.namespace))
        .args([
            "python3",
            "-c",
            "import socket; print(socket.if_nametoindex('lan1'))",
        ])
        .output()
        .unwrap();
    let index = String::from_utf8(index.stdout).unwrap();
    force_detach(&lab.pins().join(format!("links/xdp-{}", index.trim())));
    thread::sleep(Duration::from_millis(1500));
    lab.ip("link set dev1 up");
    lab.send("dev1", &plaintext(), 40);
    process.expect("lan1 failed frames arrive that the program does not see");
    let line = process.expect("lan1 attached tcx");
    assert!(line.contains("saw none"), "{line}");
    lab.send("dev1", &plaintext(), 10);
    process.wait_counted(Reason::PlaintextPort, 10);
    process.detach();
}

/// Attaches a program to lan1 as somebody else would.
#[test]
#[ignore = "run by another test"]
fn foreign() {
    use aya::programs::XdpMode;
    use aya::programs::links::FdLink;
    use mqttguard::enforce::object;
    let Some(pin) = std::env::var_os("MQTTGUARD_TEST_FOREIGN") else {
        return;
    };
    let mut object = object::load(object::OBJECT, None).unwrap();
    let program = object::xdp(&mut object).unwrap();
    let id = program.attach("lan1", XdpMode::Driver).unwrap();
    let link: FdLink = program.take_link(id).unwrap().try_into().unwrap();
    link.pin(pin).unwrap();
}
