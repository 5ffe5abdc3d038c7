//! The program on real interfaces: attached, taken over, moved.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::sync::mpsc::{channel, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use aya::util::KernelVersion;
use mqttguard::config::Hook as Setting;
use mqttguard::enforce::{Attachment, Enforcer, Progress, Report, Target};
use mqttguard_common::{LAYOUT_VERSION, Reason};
use mqttguard_lab::{PATIENCE, until};
use mqttguard_tests::attach::{Lab, Place, plaintext};
use mqttguard_tests::bpf::{Hook, Nop, rules};

/// How long the kernel may take to verify the program.
const LOADING: Duration = Duration::from_secs(60);

#[test]
#[ignore = "run by the other tests"]
fn child() {
    mqttguard_tests::attach::child();
}

/// How the TC program is attached: a kernel before 6.6 has no TCX.
fn tc() -> &'static str {
    let version = KernelVersion::current().unwrap();
    if version >= KernelVersion::new(6, 6, 0) {
        "tcx"
    } else {
        "tc"
    }
}

/// Who hears it looks there, and takes nftables off that stood in meanwhile.
#[test]
fn what_is_told_of_an_interface_is_so_when_it_is_told() {
    let lab = Lab::new("told");
    lab.inside(|| {
        let (told, reports) = channel();
        let (seen, goes_on) = sync_channel::<()>(0);
        // It goes on when what it told was looked at.
        let report = move |report| {
            if let Report::Attachment {
                interface, what, ..
            } = report
            {
                let _ = told.send((interface, what));
                let _ = goes_on.recv();
            }
        };
        let target = Target {
            devices: vec!["lanbr".into()],
            hook: Setting::Auto,
        };
        let enforcer = Enforcer::start(&lab.pins(), &target, &rules(), &[], report).unwrap();
        // Dropped before the enforcer, whose thread would wait for it.
        let seen = seen;
        for _ in 0..2 {
            let (interface, what) = reports.recv_timeout(LOADING).unwrap();
            assert_eq!(what, "attached");
            let progress = enforcer.progress();
            let Progress::Standing(attachments) = &progress else {
                panic!("{interface}: {progress:?}");
            };
            let stands = |one: &Attachment| one.interface == interface && one.hook.is_some();
            assert!(attachments.iter().any(stands), "{interface}: {progress:?}");
            seen.send(()).unwrap();
        }
        drop(seen);
        enforcer.detach().unwrap();
    });
}

fn take_over(hook: &str, by: &str) {
    let lab = Lab::new(hook);
    let mut first = lab.enforcer(hook);
    for port in ["lan1", "lan2"] {
        first.expect(&format!("{port} attached {by}"));
    }
    first.expect("ready, 1 known");
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
    second.expect("ready, 2 known");
    assert_eq!(second.counted(Reason::PlaintextPort), 20);
    lab.send("dev2", &plaintext(), 10);
    second.wait_counted(Reason::PlaintextPort, 30);
    for port in ["lan1", "lan2"] {
        let shown = second.wait_attachment(port, &format!("{by} Seen"), PATIENCE);
        // Only what is second best has a reason.
        assert!(by == "tc" || shown == format!("{by} Seen "), "{shown}");
    }
    // What the first one's programs called went with them; nothing was loaded for another hook.
    assert_loaded(&lab, if by.starts_with("xdp") { "XDP" } else { "TC" });

    // Stopped on purpose, it leaves nothing.
    second.detach();
    assert!(!lab.pins().exists(), "pins are left");
    let third = lab.enforcer(hook);
    third.expect(&format!("lan1 attached {by}"));
    third.expect("ready, 1 known");
    third.detach();
}

/// The programs of this hook alone were loaded, and once: each time has its array of calls.
#[track_caller]
fn assert_loaded(lab: &Lab, hook: &str) {
    let maps = lab.pins().join(format!("v{LAYOUT_VERSION}"));
    let calls: Vec<_> = std::fs::read_dir(maps)
        .unwrap()
        .map(|pin| pin.unwrap().file_name().into_string().unwrap())
        .filter(|pin| pin.contains("_CALLS-"))
        .collect();
    assert!(
        calls.len() == 1 && calls[0].starts_with(hook),
        "{hook}: {calls:?}"
    );
}

#[test]
fn what_no_port_has_is_not_verified() {
    let lab = Lab::new("without");
    for port in ["lan1", "lan2"] {
        lab.ip(&format!("link set {port} nomaster"));
    }
    // Its driver has no XDP.
    lab.ip("link add lan3 link lan2 type macvlan mode passthru");
    lab.ip("link set lan3 master lanbr up");
    let process = lab.enforcer("auto");
    let line = process.expect(&format!("lan3 attached {} ", tc()));
    assert!(
        line.contains("no xdp: the driver does not have it"),
        "{line}"
    );
    process.expect("ready");
    assert_loaded(&lab, "TC");
    // When one comes that has it, so does the program; the other stays where it is.
    lab.ip("link set lan1 master lanbr");
    process.expect("lan1 attached xdp");
    process.detach();
    assert!(!lab.pins().exists(), "pins are left");
}

#[test]
fn a_stop_does_not_wait_for_the_verifier() {
    let lab = Lab::new("stop");
    let target = Target {
        devices: vec!["lanbr".into()],
        hook: Setting::Auto,
    };
    let start = || {
        let no_reports = |_| {};
        Enforcer::start(&lab.pins(), &target, &rules(), &[], no_reports).unwrap()
    };
    lab.inside(|| {
        let begun = Instant::now();
        let enforcer = start();
        while !matches!(enforcer.progress(), Progress::Standing(_)) {
            assert!(begun.elapsed() < 2 * PATIENCE, "{:?}", enforcer.progress());
            thread::sleep(Duration::from_millis(1));
        }
        let verified = begun.elapsed();
        enforcer.detach().unwrap();

        let enforcer = start();
        thread::sleep(verified / 10);
        let told = Instant::now();
        enforcer.detach().unwrap();
        let took = told.elapsed();
        assert!(!lab.pins().exists(), "pins are left");
        assert!(took < verified / 4, "{took:?} of {verified:?}");

        // What it goes on to verify in vain holds native XDP for as long, and harms nobody.
        let enforcer = start();
        let stands = |enforcer: &Enforcer| match enforcer.progress() {
            Progress::Standing(found) => found.iter().all(|one| one.hook == Some("xdp")),
            _ => false,
        };
        assert!(until(PATIENCE, || stands(&enforcer)));
        thread::sleep(verified);
        assert!(stands(&enforcer), "{:?}", enforcer.progress());
        enforcer.detach().unwrap();
    });
    assert!(!lab.pins().exists(), "pins are left");
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
    take_over("tc", tc());
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
        ("tc", tc()),
        ("xdp-generic", "xdp-generic"),
        ("auto", "xdp"),
        ("xdp-generic", "xdp-generic"),
        ("xdp", "xdp"),
    ] {
        process.ask(&format!("hook {hook}"));
        let line = process.expect("lan1 attached");
        assert_eq!(line.split(' ').nth(2), Some(by), "{line}");
        process.expect("retargeted");
        lab.send("dev1", &plaintext(), 5);
        sent += 5;
        // Neither lost nor counted by two hooks.
        process.wait_counted(Reason::PlaintextPort, sent);
    }
    process.ask("forget all");
    process.expect("1 known");
    process.detach();
}

#[test]
fn another_programs_hook_is_left_alone() {
    let lab = Lab::new("busy");
    let other = Nop::load(Hook::Xdp);
    let link = lab.attach(other.program(), "lan1", Place::NativeXdp);
    let mut process = lab.enforcer("auto");
    let line = process.expect(&format!("lan1 attached {} ", tc()));
    assert!(line.contains("another program holds the hook"), "{line}");
    assert!(line.contains("'somebody_else'"), "{line}");
    process.expect("lan2 attached xdp");
    process.expect("ready");
    lab.send("dev1", &plaintext(), 5);
    process.wait_counted(Reason::PlaintextPort, 5);
    let shown = process.wait_attachment("lan1", tc(), PATIENCE);
    assert!(shown.contains("'somebody_else'"), "{shown}");

    // When the other has left, the better hook is taken, and the worse one is left.
    drop(link);
    process.expect("lan1 attached xdp");
    lab.send("dev1", &plaintext(), 5);
    process.wait_counted(Reason::PlaintextPort, 10);
    process.wait_attachment("lan1", "xdp", PATIENCE);
    process.detach();
}

#[test]
fn native_xdp_that_sees_nothing_gives_way_to_tc() {
    let lab = Lab::new("blind");
    // Nothing may arrive on its own, or the program would see it and be proven.
    lab.silence("dev1");
    // Frames that are redirected into an interface come in behind its driver.
    lab.ip("link add side0 type veth peer name side1");
    lab.ip("link set side0 up");
    lab.ip("link set side1 up");
    lab.run("tc qdisc add dev side0 clsact");
    lab.run(
        "tc filter add dev side0 ingress protocol all u32 match u32 0 0 \
         action mirred ingress redirect dev lan1",
    );
    let mut process = lab.enforcer("auto");
    process.expect("lan1 attached xdp");
    process.expect("ready");
    thread::sleep(Duration::from_millis(1500));
    lab.send("side1", &plaintext(), 40);
    process.expect("lan1 blind frames arrive that the program does not see");
    let line = process.expect(&format!("lan1 attached {} ", tc()));
    assert!(line.contains("saw none"), "{line}");
    lab.send("side1", &plaintext(), 10);
    process.wait_counted(Reason::PlaintextPort, 10);
    process.detach();
}
