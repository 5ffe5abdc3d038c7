//! A daemon in a quiet house costs next to nothing.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot be set up has failed"
)]

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use mqttguard_lab::{Guard, Lab, Means, until};
use mqttguard_tests::house::{PATIENCE, guarded};
use mqttguard_tests::uplift::House;

/// How long each is watched.
const WATCHED: Duration = Duration::from_secs(20);
/// Processor time of a second that it may take, in thousandths.
const MOST: u64 = 5;
/// Memory of its own that it may hold: pages of the program file come and go as the kernel likes.
const MOST_KIB: u64 = 8 * 1024;

/// Processor time that the daemon's threads have used, and those of its children that have ended.
fn used(guard: &Guard) -> Duration {
    let proc = format!("/proc/{}", guard.id());
    let threads = fs::read_dir(format!("{proc}/task")).unwrap();
    let own: u64 = threads
        .filter_map(|thread| fs::read_to_string(thread.unwrap().path().join("schedstat")).ok())
        .map(|stat| stat.split(' ').next().unwrap().parse::<u64>().unwrap())
        .sum();
    let stat = fs::read_to_string(format!("{proc}/stat")).unwrap();
    // What comes after the name, which may have spaces: state is the third field, cutime and
    // cstime are the 16th and 17th (proc_pid_stat(5)).
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    let ticks: u64 = fields[13..15]
        .iter()
        .map(|field| field.parse::<u64>().unwrap())
        .sum();
    Duration::from_nanos(own) + Duration::from_millis(ticks * 10)
}

/// A line of its status, in KiB.
fn memory(guard: &Guard, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", guard.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with(name));
    let number = line.unwrap().split_whitespace().nth(1).unwrap();
    number.parse().unwrap()
}

fn assert_idle(what: &str, guard: &Guard) {
    // What a start has to do is done once the daemon rests for some seconds.
    let rests = until(PATIENCE, || {
        let before = used(guard);
        sleep(Duration::from_secs(5));
        // What a thread has used that ends is gone with it.
        let took = used(guard).checked_sub(before);
        took.is_some_and(|took| took < Duration::from_millis(10 * MOST))
    });
    assert!(rests, "{what}: there is no end to what it does");
    let before = used(guard);
    sleep(WATCHED);
    let took = used(guard) - before;
    let (own, resident) = (memory(guard, "RssAnon:"), memory(guard, "VmRSS:"));
    let share = took.as_secs_f64() / WATCHED.as_secs_f64() * 100.0;
    println!("{what}: {share:.3} % of a processor, {own} of {resident} KiB its own");
    let most = WATCHED * u32::try_from(MOST).unwrap() / 1000;
    assert!(took < most, "{what}: {took:?} in {WATCHED:?}");
    assert!(own < MOST_KIB, "{what}: {own} KiB");
}

#[test]
fn a_daemon_with_nothing_to_do_does_nothing() {
    let (_lab, guard) = guarded(&["plug"]);
    assert_idle("kernel program", &guard);
}

#[test]
fn uplift_that_nobody_uses_is_cheap() {
    let house = House::new(&["plug"]);
    let guard = house.guard(&house.section("vendor", &[0], ""));
    assert_idle("uplift", &guard);
}

#[test]
fn nftables_in_the_programs_place_is_cheap() {
    let lab = Lab::new(&["plug"]).unwrap();
    let guard = lab.launch_guard(Means::NoBpf, "", "").unwrap();
    let reduced = |status: &serde_json::Value| status["protection"] == "reduced";
    guard.wait_status("reduced", reduced).unwrap();
    assert_idle("nftables", &guard);
}
