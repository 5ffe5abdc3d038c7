use super::*;

const LAMP: Mac = Mac([2, 0, 0, 0, 0, 1]);
const PLUG: Mac = Mac([2, 0, 0, 0, 0, 2]);

fn at(minute: u64) -> Duration {
    Duration::from_secs(minute * STEP_S)
}

/// Counters with these frames of these reasons, of 100 bytes each.
fn counters(frames: &[(Reason, u64)]) -> DeviceCounters {
    let mut counters = DeviceCounters::default();
    for (reason, count) in frames {
        counters.frames[*reason as usize] = *count;
        counters.bytes[*reason as usize] = count * 100;
    }
    counters
}

fn passed(count: u64) -> DeviceCounters {
    counters(&[(Reason::Pass, count)])
}

/// A history that has looked once, in minute 1000.
fn begun(known: &[(Mac, DeviceCounters)]) -> History {
    let mut history = History::new(at(1000));
    history.look_at_kernel(Some(known), false, |_| true);
    history
}

fn look(history: &mut History, now: &[(Mac, DeviceCounters)]) {
    history.look_at_kernel(Some(now), false, |_| true);
}

fn samples(series: &[Series], name: &str) -> Vec<u64> {
    let (_, samples) = series.iter().find(|(found, _)| *found == name).unwrap();
    assert_eq!(samples.len(), SAMPLES);
    samples.clone()
}

fn of(history: &History, mac: Mac, name: &str) -> Vec<u64> {
    samples(&history.device(mac), name)
}

fn of_house(history: &History, name: &str) -> Vec<u64> {
    samples(&history.house(), name)
}

/// An hour of nothing, but for these minutes, by how long ago they were.
fn hour(some: &[(usize, u64)]) -> Vec<u64> {
    let mut hour = vec![0; SAMPLES];
    for (ago, sample) in some {
        hour[SAMPLES - 1 - ago] = *sample;
    }
    hour
}

#[test]
fn what_was_counted_before_the_first_look_is_of_no_minute() {
    let mut history = begun(&[(LAMP, passed(1_000_000))]);
    assert_eq!(of(&history, LAMP, "frames"), hour(&[]));
    look(&mut history, &[(LAMP, passed(1_000_005))]);
    assert_eq!(of(&history, LAMP, "frames"), hour(&[(0, 5)]));
    assert_eq!(of(&history, LAMP, "bytes"), hour(&[(0, 500)]));
}

#[test]
fn each_frame_belongs_to_one_minute() {
    let mut history = begun(&[]);
    look(&mut history, &[(LAMP, passed(3))]);
    look(&mut history, &[(LAMP, passed(4))]);
    history.advance(at(1001));
    look(&mut history, &[(LAMP, passed(10))]);
    history.advance(at(1002));
    assert_eq!(of(&history, LAMP, "frames"), hour(&[(2, 4), (1, 6)]));
    // An hour later it is forgotten, whole and for good.
    history.advance(at(1061));
    assert_eq!(of(&history, LAMP, "frames"), hour(&[]));
    assert!(history.devices.is_empty());
    look(&mut history, &[(LAMP, passed(11))]);
    assert_eq!(of(&history, LAMP, "frames"), hour(&[(0, 1)]));
}

#[test]
fn frames_are_sorted_by_why_they_were_dropped() {
    let first = counters(&[(Reason::AddressMismatch, 1000)]);
    let mut history = begun(&[(LAMP, first)]);
    let all: Vec<(Reason, u64)> = Reason::ALL
        .into_iter()
        .zip(1..)
        .map(|(reason, count)| match reason {
            Reason::AddressMismatch => (reason, 1000 + count),
            _ => (reason, count),
        })
        .collect();
    look(&mut history, &[(LAMP, counters(&all))]);
    let sum = |wanted: fn(Reason) -> bool| {
        let all = Reason::ALL.into_iter().zip(1u64..);
        all.filter(|(reason, _)| wanted(*reason))
            .map(|(_, count)| count)
            .sum::<u64>()
    };
    let dropped = sum(|reason| reason.is_drop() && !reason.is_mismatch());
    for (name, expected) in [
        ("plaintext", sum(Reason::is_plaintext)),
        ("floods", sum(Reason::is_flood)),
        (
            "other",
            dropped - sum(Reason::is_plaintext) - sum(Reason::is_flood),
        ),
    ] {
        assert_eq!(of_house(&history, name), hour(&[(0, expected)]), "{name}");
    }
    assert_eq!(of(&history, LAMP, "dropped"), hour(&[(0, dropped)]));
    assert_eq!(of(&history, LAMP, "frames"), hour(&[(0, sum(|_| true))]));

    // What was only reported does not become dropped when the configuration changes.
    history.advance(at(1001));
    let mut more = all.clone();
    more[Reason::AddressMismatch as usize].1 += 7;
    history.look_at_kernel(Some(&[(LAMP, counters(&more))]), true, |_| true);
    assert_eq!(of(&history, LAMP, "dropped"), hour(&[(1, dropped), (0, 7)]));
}

#[test]
fn counters_that_begin_anew_are_no_traffic_of_before() {
    let mut history = begun(&[(LAMP, passed(100)), (PLUG, passed(100))]);
    // The lamp was gone and is back with 60, the plug comes back with more than it had.
    history.forget_frames(PLUG);
    look(&mut history, &[(LAMP, passed(60)), (PLUG, passed(150))]);
    assert_eq!(of(&history, LAMP, "frames"), hour(&[(0, 60)]));
    assert_eq!(of(&history, PLUG, "frames"), hour(&[(0, 150)]));
    // One counter that is lower tells of all.
    let mixed = counters(&[(Reason::Pass, 70), (Reason::Blocked, 1)]);
    look(&mut history, &[(LAMP, mixed)]);
    let again = counters(&[(Reason::Pass, 80), (Reason::Blocked, 0)]);
    look(&mut history, &[(LAMP, again)]);
    assert_eq!(of(&history, LAMP, "frames"), hour(&[(0, 60 + 11 + 80)]));
}

#[test]
fn a_device_that_comes_up_new_is_counted_from_nothing() {
    let mut history = begun(&[(LAMP, passed(5))]);
    look(&mut history, &[(LAMP, passed(5)), (PLUG, passed(9))]);
    assert_eq!(of(&history, PLUG, "frames"), hour(&[(0, 9)]));
    // It is pushed out of the strangers, and in again.
    look(&mut history, &[(LAMP, passed(5))]);
    look(&mut history, &[(LAMP, passed(5)), (PLUG, passed(20))]);
    assert_eq!(of(&history, PLUG, "frames"), hour(&[(0, 29)]));
}

#[test]
fn a_program_that_was_not_there_leaves_no_burst_behind() {
    let mut history = begun(&[(LAMP, passed(100))]);
    history.look_at_kernel(None, false, |_| true);
    // The maps were pinned: the lamp's counters went on, and the plug was there for a year.
    look(
        &mut history,
        &[(LAMP, passed(103)), (PLUG, passed(1_000_000))],
    );
    assert_eq!(of(&history, LAMP, "frames"), hour(&[(0, 3)]));
    assert_eq!(of(&history, PLUG, "frames"), hour(&[]));
    look(
        &mut history,
        &[(LAMP, passed(103)), (PLUG, passed(1_000_001))],
    );
    assert_eq!(of(&history, PLUG, "frames"), hour(&[(0, 1)]));
}

#[test]
fn sleep_leaves_its_minutes_empty() {
    let mut history = begun(&[]);
    look(&mut history, &[(LAMP, passed(1))]);
    let broker = BrokerCounters {
        connected: 3,
        ..BrokerCounters::default()
    };
    history.look_at_broker(broker, |_| true);
    history.advance(at(1010));
    look(&mut history, &[(LAMP, passed(3))]);
    assert_eq!(of(&history, LAMP, "frames"), hour(&[(10, 1), (0, 2)]));
    assert_eq!(of_house(&history, "sessions"), hour(&[(10, 3), (0, 3)]));
    // Longer than the hour, and by far.
    history.advance(at(1_000_000));
    assert_eq!(of(&history, LAMP, "frames"), hour(&[]));
    assert_eq!(of_house(&history, "sessions"), hour(&[(0, 3)]));
    // Never back.
    history.advance(at(5));
    assert_eq!(of_house(&history, "sessions"), hour(&[(0, 3)]));
    assert_eq!(history.left(at(1_000_000)), Duration::from_secs(60));
    assert_eq!(
        history.left(at(1_000_000) + Duration::from_millis(59_500)),
        Duration::from_millis(500)
    );
    assert!(!history.is_due(at(1_000_000) + Duration::from_millis(59_999)));
    assert!(history.is_due(at(1_000_001)));
}

#[test]
fn the_broker_is_counted_and_its_highest_level_shown() {
    let mut history = begun(&[]);
    let counters = |messages, connected, lamp| BrokerCounters {
        refused: messages / 10,
        messages,
        delivered: messages * 2,
        connected,
        by_device: HashMap::from([(LAMP, lamp)]),
    };
    history.look_at_broker(counters(50, 2, 50), |_| true);
    history.look_at_broker(counters(60, 7, 55), |_| true);
    history.look_at_broker(counters(60, 1, 55), |_| true);
    assert_eq!(of_house(&history, "messages"), hour(&[(0, 60)]));
    assert_eq!(of_house(&history, "delivered"), hour(&[(0, 120)]));
    assert_eq!(of_house(&history, "refused"), hour(&[(0, 6)]));
    assert_eq!(of_house(&history, "sessions"), hour(&[(0, 7)]));
    assert_eq!(of(&history, LAMP, "messages"), hour(&[(0, 55)]));
    history.advance(at(1001));
    assert_eq!(of_house(&history, "sessions"), hour(&[(1, 7), (0, 1)]));
    // Another broker has counted more by now than the one before.
    history.forget_broker();
    history.look_at_broker(counters(100, 0, 80), |_| true);
    assert_eq!(of_house(&history, "messages"), hour(&[(1, 60), (0, 100)]));
    assert_eq!(of(&history, LAMP, "messages"), hour(&[(1, 55), (0, 80)]));
}

#[test]
fn only_known_devices_have_a_history_and_the_house_has_all() {
    let mut history = begun(&[]);
    let dropped = counters(&[(Reason::PlaintextPort, 4)]);
    history.look_at_kernel(Some(&[(LAMP, dropped), (PLUG, dropped)]), false, |mac| {
        mac == LAMP
    });
    assert_eq!(of_house(&history, "plaintext"), hour(&[(0, 8)]));
    assert_eq!(of(&history, LAMP, "dropped"), hour(&[(0, 4)]));
    assert_eq!(of(&history, PLUG, "dropped"), hour(&[]));
    history.retain(|_| false);
    assert_eq!(of(&history, LAMP, "dropped"), hour(&[]));
}

#[test]
fn a_sample_says_the_most_that_it_can() {
    let mut history = begun(&[]);
    look(&mut history, &[(LAMP, passed(u64::MAX / 200))]);
    assert_eq!(
        of(&history, LAMP, "frames"),
        hour(&[(0, u64::from(u32::MAX))])
    );
    assert_eq!(
        of(&history, LAMP, "bytes"),
        hour(&[(0, u64::MAX / 200 * 100)])
    );
}

#[test]
fn what_it_costs_is_what_is_said() {
    assert_eq!(size_of::<Device>(), 1200);
    let frames = size_of::<(Mac, Frames)>() * 2;
    assert!(frames <= 112, "{frames}");
}
