//! The program stays where it is to be, whatever others do to the interfaces and their hooks.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::fs;
use std::os::fd::OwnedFd;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;

use mqttguard_common::{LAYOUT_VERSION, Reason};
use mqttguard_lab::{PATIENCE, until};
use mqttguard_tests::attach::{Lab, Place, from_blocked, plaintext};
use mqttguard_tests::bpf::{Hook, Nop, force_detach};
use mqttguard_tests::ender::Ender;

/// What the kernel does not announce is noticed after so long at most, and what follows is done.
const NOTICED: Duration = Duration::from_secs(4);
/// What it announces.
const SECOND: Duration = Duration::from_secs(1);
/// Programs that fit at a TCX hook (BPF_MPROG_MAX, and one that stays empty).
const TCX_ROOM: usize = 63;

#[test]
#[ignore = "run by the other tests"]
fn child() {
    mqttguard_tests::attach::child();
}

/// Fills the TCX hook of an interface, so that only clsact is left.
fn fill_tcx(lab: &Lab, interface: &str) -> Vec<OwnedFd> {
    let attach = |_| {
        let program = Nop::load(Hook::Tc);
        lab.attach(program.program(), interface, Place::FirstTcx)
    };
    (0..TCX_ROOM).map(attach).collect()
}

#[test]
fn a_link_that_somebody_detaches_is_attached_again() {
    for (setting, hook) in [("auto", "xdp"), ("tc", "tcx")] {
        let lab = Lab::new(&format!("lost-{hook}"));
        let mut process = lab.enforcer(setting);
        process.expect("ready");
        let pin = lab
            .pins()
            .join(format!("links/{hook}-{}", lab.index("lan1")));
        lab.send("dev1", &plaintext(), 3);
        process.wait_counted(Reason::PlaintextPort, 3);

        force_detach(&pin).unwrap();
        let told = process.expect_within("lan1 lost", NOTICED);
        assert_eq!(told, format!("lan1 lost somebody took it off {hook}"));
        assert_eq!(
            process.expect("lan1 attached"),
            format!("lan1 attached {hook}")
        );
        lab.send("dev1", &plaintext(), 3);
        process.wait_counted(Reason::PlaintextPort, 6);
        process.wait_attachment("lan1", hook, SECOND);

        fs::remove_file(&pin).unwrap();
        process.expect_within("lan1 lost", NOTICED);
        assert_eq!(
            process.expect("lan1 attached"),
            format!("lan1 attached {hook}")
        );
        assert!(pin.exists());
        lab.send("dev1", &plaintext(), 3);
        process.wait_counted(Reason::PlaintextPort, 9);

        // Once each, and of this interface alone.
        thread::sleep(2 * NOTICED);
        let more = process.lines();
        let attachments = more.iter().filter(|line| line.starts_with("lan"));
        assert_eq!(attachments.count(), 0, "{more:?}");
        process.detach();
    }
}

#[test]
fn a_clsact_filter_is_followed_like_a_link() {
    let lab = Lab::new("clsact");
    let _full = ["lan1", "lan2"].map(|port| fill_tcx(&lab, port));
    let mut process = lab.enforcer("tc");
    let line = process.expect("lan1 attached tc ");
    assert!(line.contains("no tcx: it is full"), "{line}");
    process.expect("ready");
    lab.send("dev1", &plaintext(), 3);
    process.wait_counted(Reason::PlaintextPort, 3);

    // Killed, it leaves the filter for the next.
    process.kill();
    lab.send("dev1", &plaintext(), 3);
    let mut process = lab.enforcer("tc");
    process.expect("lan1 taken-over tc");
    process.expect("ready");
    assert_eq!(process.counted(Reason::PlaintextPort), 6);

    for (how, counted) in [
        ("tc qdisc del dev lan1 clsact", 9),
        ("tc filter del dev lan1 ingress", 12),
    ] {
        lab.run(how);
        process.expect_within("lan1 lost somebody took it off tc", SECOND);
        process.expect_within("lan1 attached tc", SECOND);
        lab.send("dev1", &plaintext(), 3);
        process.wait_counted(Reason::PlaintextPort, counted);
    }

    // Replaced by another, it does not take back the place by force.
    let other = Nop::load(Hook::Tc);
    let pin = lab.bpf().join("other");
    other.pin(&pin);
    lab.run(&format!(
        "tc filter replace dev lan1 ingress pref 19793 handle 0x4d51 bpf direct-action \
         object-pinned {}",
        pin.display()
    ));
    let line = process.expect_within("lan1 lost tc has the bpf filter", SECOND);
    assert!(line.contains("'other:"), "{line}");
    let line = process.expect("lan1 failed");
    assert!(
        line.contains("no tc: another program holds the hook, the bpf filter"),
        "{line}"
    );
    process.wait_attachment("lan1", "nothing", SECOND);
    lab.run("tc filter del dev lan1 ingress");
    process.expect_within("lan1 attached tc", NOTICED);
    lab.send("dev1", &plaintext(), 3);
    process.wait_counted(Reason::PlaintextPort, 15);
    process.detach();
}

#[test]
fn a_program_in_front_that_hides_frames_is_found_out() {
    const TCX_PASS: i32 = 0;
    let lab = Lab::new("front");
    let mut process = lab.enforcer("tc");
    process.expect("ready");
    lab.send("dev1", &plaintext(), 3);
    process.wait_counted(Reason::PlaintextPort, 3);
    process.wait_attachment("lan1", "tcx Seen", NOTICED);

    let other = Nop::answering(Hook::Tc, TCX_PASS);
    let link = lab.attach(other.program(), "lan1", Place::FirstTcx);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let ender = Ender(&stop);
        scope.spawn(|| lab.flood("dev1", &plaintext(), Duration::from_millis(20), &stop));
        let line = process.expect_within("lan1 blind", Duration::from_secs(40));
        let found = process.wait_attachment("lan1", "tcx Blind", SECOND);
        drop(link);
        let again = process.expect_within("lan1 recovered", Duration::from_secs(10));
        ender.end();
        assert!(line.contains("'somebody_else'"), "{line}");
        assert!(found.contains("'somebody_else' runs before"), "{found}");
        assert_eq!(again, "lan1 recovered it sees what arrives");
    });
    let shown = process.wait_attachment("lan1", "tcx Seen", NOTICED);
    assert!(!shown.contains("somebody_else"), "{shown}");
    process.detach();
}

#[test]
fn interfaces_are_followed_within_a_second() {
    let lab = Lab::new("follow");
    let mut process = lab.enforcer("auto");
    process.expect("lan2 attached xdp");
    process.expect("ready");

    // Renamed: it stays attached, and is told by its new name.
    lab.ip("link set lan2 down");
    lab.ip("link set lan2 name upstairs");
    lab.ip("link set upstairs up");
    let line = process.expect_within("upstairs attached", SECOND);
    assert_eq!(line, "upstairs attached xdp (the interface was lan2)");
    lab.send("dev2", &plaintext(), 3);
    process.wait_counted(Reason::PlaintextPort, 3);

    // Gone, and another with the same index and name.
    let index = lab.index("upstairs");
    lab.ip("link del upstairs");
    lab.ip(&format!(
        "link add upstairs index {index} master lanbr type veth peer name dev2"
    ));
    lab.ip("link set upstairs up");
    lab.ip("link set dev2 up");
    process.expect_within("upstairs attached xdp", SECOND);
    thread::sleep(NOTICED);
    lab.send("dev2", &plaintext(), 3);
    process.wait_counted(Reason::PlaintextPort, 6);

    // The bridge is made anew, as a reload of the network does it, at once.
    process.lines();
    lab.ip("link del lanbr");
    lab.ip("link add name lanbr type bridge");
    lab.ip("link set lan1 master lanbr up");
    lab.ip("link set lanbr up");
    process.expect_within("lan1 attached xdp", SECOND);
    lab.ip("link set upstairs master lanbr up");
    process.expect_within("upstairs attached xdp", SECOND);
    lab.send("dev2", &plaintext(), 3);
    process.wait_counted(Reason::PlaintextPort, 9);

    // Out of the bridge it is nobody's business.
    lab.ip("link set upstairs nomaster");
    process.expect_within("upstairs detached", SECOND);
    lab.send("dev2", &plaintext(), 3);
    thread::sleep(NOTICED);
    assert_eq!(process.counted(Reason::PlaintextPort), 9);
    let more = process.lines();
    assert!(
        !more.iter().any(|line| line.contains("attached")),
        "{more:?}"
    );
    process.detach();
}

#[test]
fn tables_of_another_layout_give_way_without_a_gap() {
    let lab = Lab::new("layout");
    lab.silence("dev2");
    let mut first = lab.enforcer("auto");
    first.expect("ready");
    lab.send("dev1", &plaintext(), 5);
    first.wait_counted(Reason::PlaintextPort, 5);
    first.kill();
    let [ours, older] =
        [LAYOUT_VERSION, LAYOUT_VERSION - 1].map(|version| lab.pins().join(format!("v{version}")));
    fs::rename(&ours, &older).unwrap();

    let leaked = lab.listen("dev2");
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let ender = Ender(&stop);
        let flood = scope.spawn(|| {
            let pause = Duration::from_micros(100);
            lab.flood("dev1", &plaintext(), pause, &stop)
        });
        scope.spawn(|| {
            let pause = Duration::from_micros(100);
            lab.flood("dev1", &from_blocked(), pause, &stop)
        });
        thread::sleep(Duration::from_millis(300));
        let mut second = lab.enforcer("auto");
        let line = second.expect("lan1 taken-over xdp");
        second.expect("ready, 1 known");
        let counts = until(PATIENCE, || second.counted(Reason::PlaintextPort) >= 100);
        ender.end();
        let sent = flood.join().unwrap();
        let told = format!(
            "the tables of layout {} do not fit layout {LAYOUT_VERSION}",
            LAYOUT_VERSION - 1
        );
        assert!(line.contains(&told), "{line}");
        assert!(!older.exists() && ours.exists());
        // Some by the old program into the old tables, all others by the new one.
        let counted = second.counted(Reason::PlaintextPort);
        assert!(counts && counted < sent, "{counted} of {sent}");
        second.detach();
    });
    assert_eq!(leaked.frames(), 0, "something came through");
}
