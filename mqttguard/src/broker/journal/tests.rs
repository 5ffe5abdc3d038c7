//! On real files; one file system is made too small.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use mio::{Poll, Token};
use mqttguard_broker::{Config, Decision, Grants, Limits, Transmit};

use super::start::Started;
use super::*;

fn rights() -> (Arc<Grants>, Arc<Limits>) {
    let all = || vec!["#".to_owned()];
    let grants = Grants {
        publish: all(),
        subscribe: all(),
        ..Grants::default()
    };
    let limits = Limits {
        packet_size: 1 << 20,
        messages_per_s: u32::MAX,
        bytes_per_s: u32::MAX,
        over_rate: Default::default(),
        burst_ms: 10_000,
        connections: 10_000,
        subscriptions: 100,
        topic_length: 65_535,
        topic_levels: 16,
        user_properties: 8,
        will_size: 4096,
        in_flight: 20,
        queue_messages: 10_000,
        queue_bytes: 1 << 24,
        retained_messages: 20_000,
        retained_bytes: 1 << 24,
        session_expiry_s: 3600,
    };
    (Arc::new(grants), Arc::new(limits))
}

struct House {
    _poll: Poll,
    core: Broker,
    journal: Journal,
    clock: SteadyClock,
    news: Vec<JournalNews>,
}

fn house(directory: &Path, disk: bool) -> House {
    let poll = Poll::new().unwrap();
    let wake = Arc::new(Waker::new(poll.registry(), Token(0)).unwrap());
    let config = Config {
        connections: 4000,
        connect_timeout_ms: 10_000,
        connect_size: 4096,
        sessions: 4000,
        memory: 64 << 20,
        retained_messages_total: 20_000,
        retained_bytes_total: 1 << 25,
    };
    let place = Place {
        directory: directory.to_owned(),
        disk,
    };
    let Started {
        core,
        clock,
        journal,
        news,
    } = start(Some(place), config, wake, |identity, _| {
        (identity == "all").then(rights)
    });
    House {
        _poll: poll,
        core,
        journal: journal.unwrap(),
        clock,
        news,
    }
}

impl House {
    /// A client of MQTT 3.1.1 that is let in.
    fn connect(&mut self, client_id: &str, clean: bool) -> ConnId {
        let now = self.clock.now();
        let id = self.core.open(now).unwrap();
        let mut packet = vec![0x10, 12 + client_id.len() as u8];
        packet.extend(b"\0\x04MQTT\x04");
        packet.push(if clean { 2 } else { 0 });
        packet.extend([0, 0, 0, client_id.len() as u8]);
        packet.extend(client_id.as_bytes());
        self.core.receive(now, id, &packet);
        let (grants, limits) = rights();
        while let Some((conn, _)) = self.core.next_request() {
            let decision = Decision::Accept {
                identity: "all".into(),
                grants: Arc::clone(&grants),
                limits: Arc::clone(&limits),
                data: None,
            };
            self.core.decide(now, conn, decision);
        }
        id
    }

    fn subscribe(&mut self, id: ConnId, filter: &str) {
        let len = filter.len() as u8;
        let mut packet = vec![0x82, 5 + len, 0, 1, 0, len];
        packet.extend(filter.as_bytes());
        packet.push(1);
        self.core.receive(self.clock.now(), id, &packet);
    }

    /// QoS 1.
    fn publish(&mut self, id: ConnId, topic: &str, payload: &[u8], retain: bool) {
        let body = 4 + topic.len() + payload.len();
        let mut packet = vec![0x32 | u8::from(retain)];
        packet.extend([(body & 0x7F) as u8 | 0x80, (body >> 7) as u8]);
        packet.extend([0, topic.len() as u8]);
        packet.extend(topic.as_bytes());
        packet.extend([0, 7]);
        packet.extend(payload);
        self.core.receive(self.clock.now(), id, &packet);
    }

    fn take(&mut self, id: ConnId) -> Vec<u8> {
        let mut out = Vec::new();
        while self.core.transmit(self.clock.now(), id, &mut out, 1 << 16) == Transmit::More {}
        while self.core.next_notice().is_some() {}
        out
    }

    fn commit(&mut self) -> Step {
        self.journal
            .commit(self.clock.now(), clock::wall_ms(), &mut self.core)
    }

    /// Until there is nothing left to write.
    fn commit_all(&mut self) {
        while self.journal.wants_turn(&self.core) {
            self.commit();
        }
    }

    fn segments(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(&self.journal.place.directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

#[test]
fn files_are_for_nobody_else_and_a_second_daemon_is_kept_out() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run");
    let mut first = house(&path, false);
    first.connect("c", false);
    first.commit_all();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    assert_eq!(mode(&path.join("00000001.journal")), 0o600);
    let mut second = house(&path, false);
    let news = second.news.pop().unwrap();
    assert!(
        !news.is_well() && news.to_string().contains("another daemon"),
        "{news}"
    );
    assert_eq!(second.journal.status().trouble.as_ref(), Some(&news));
    // It serves all the same, and writes nothing.
    let id = second.connect("c", false);
    assert!(!second.take(id).is_empty());
    assert!(!second.journal.wants_turn(&second.core));
    assert_eq!(first.segments(), ["00000001.journal"]);
}

#[test]
fn on_a_disk_nothing_goes_out_before_it_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let mut house = house(dir.path(), true);
    let id = house.connect("c", false);
    let connack = house.take(id);
    assert!(!connack.is_empty() && house.core.journal_len() > 0);
    house.journal.stage(id, &connack);
    let step = house.commit();
    assert!(step.release.is_empty() && house.journal.is_closed());
    assert!(house.journal.passes_over());
    let begin = Instant::now();
    let step = loop {
        let step = house.journal.poll(house.clock.now());
        if !step.release.is_empty() {
            break step;
        }
        assert!(begin.elapsed() < Duration::from_secs(10));
        sleep(Duration::from_millis(1));
    };
    let out: Vec<_> = step.release.iter().collect();
    assert_eq!(out, [(id, &connack[..])]);
    assert!(step.passed_over && !house.journal.is_closed());
}

#[test]
fn a_journal_that_cannot_be_written_is_told_and_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut house = house(dir.path(), false);
    // In the way of the first segment.
    let obstacle = dir.path().join("00000001.journal");
    fs::create_dir(&obstacle).unwrap();
    let id = house.connect("c", false);
    let connack = house.take(id);
    house.journal.stage(id, &connack);
    let step = house.commit();
    // The broker goes on.
    assert!(!step.release.is_empty());
    let news = step.news.unwrap();
    assert!(matches!(news, JournalNews::Unwritable { .. }), "{news}");
    assert!(house.journal.status().trouble.is_some());
    house.subscribe(id, "t/#");
    house.commit_all();
    assert_eq!(house.segments(), ["00000001.journal"]);
    let later = house.clock.now() + RETRY;
    assert!(house.journal.deadline().is_some_and(|at| at <= later));
    let mut news = None;
    while news.is_none() {
        let step = house.journal.commit(later, 0, &mut house.core);
        news = step.news;
    }
    assert!(news.unwrap().is_well());
    assert_eq!(house.journal.status().trouble, None);
    fs::remove_dir(&obstacle).unwrap_or_default();
    drop(house);
    // What was changed while nothing could be written is there.
    let again = super::tests::house(dir.path(), false);
    let stats = again.core.stats();
    assert_eq!((stats.sessions, stats.subscriptions), (1, 1));
}

#[test]
fn a_damaged_file_is_told_and_kept_once_and_a_torn_end_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = house(dir.path(), false);
    let id = first.connect("c", false);
    first.subscribe(id, "t/#");
    first.commit_all();
    drop(first);
    let file = dir.path().join("00000001.journal");
    let mut bytes = fs::read(&file).unwrap();
    bytes.extend([0x55; 5]);
    fs::write(&file, &bytes).unwrap();
    let mut second = house(dir.path(), false);
    assert!(
        second.news.iter().all(JournalNews::is_well),
        "{:?}",
        second.news
    );
    second.commit_all();
    assert_eq!(second.segments(), ["00000002.journal"]);
    let from = second.connect("other", true);
    second.publish(from, "r", b"1", true);
    second.commit_all();
    drop(second);

    let file = dir.path().join("00000002.journal");
    let mut bytes = fs::read(&file).unwrap();
    let middle = 20;
    bytes[middle] ^= 4;
    fs::write(&file, &bytes).unwrap();
    let mut third = house(dir.path(), false);
    let told = third.news.iter().find(|news| !news.is_well());
    assert!(
        matches!(told, Some(JournalNews::Damaged { .. })),
        "{:?}",
        third.news
    );
    third.commit_all();
    assert_eq!(third.segments(), ["00000003.journal", "damaged"]);
    assert_eq!(fs::read(dir.path().join("damaged")).unwrap(), bytes);
}

#[test]
fn a_journal_stays_small_however_much_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let mut house = house(dir.path(), false);
    let id = house.connect("c", true);
    let (mut largest, mut written) = (0, 0);
    for n in 0..20_000u32 {
        let topic = format!("t/{}", n % 100);
        house.publish(id, &topic, &[n as u8; 600], true);
        house.take(id);
        if n % 50 == 0 {
            written += house.core.journal_len();
            house.commit();
            let sizes = house.segments();
            let path = &house.journal.place.directory;
            let sizes = sizes
                .iter()
                .map(|name| fs::metadata(path.join(name)).unwrap().len());
            largest = largest.max(sizes.sum::<u64>());
        }
    }
    let live = 100 * 640;
    let bound = SMALLEST + live * 5 / 4 + 50 * 640 + 32 * 1024;
    assert!(
        written > 10 << 20 && largest < bound,
        "{largest} of {bound}"
    );
    house.commit_all();
    drop(house);
    let again = super::tests::house(dir.path(), false);
    assert_eq!(again.core.stats().retained, 100);
}

/// Prints how long it takes; what is asserted is what is there then.
#[test]
fn ten_thousand_retained_messages_and_a_thousand_sessions_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = house(dir.path(), false);
    for n in 0..1000 {
        let id = first.connect(&format!("session-{n}"), false);
        first.subscribe(id, &format!("for/{n}/#"));
        first.take(id);
        first.core.lost(first.clock.now(), id);
    }
    let id = first.connect("publisher", true);
    for n in 0..10_000 {
        first.publish(id, &format!("home/room-{n}/state"), &[b'x'; 100], true);
        first.publish(id, &format!("for/{}/it", n % 1000), &[b'y'; 100], false);
        first.take(id);
        first.commit();
    }
    first.commit_all();
    drop(first);
    let begin = Instant::now();
    let again = house(dir.path(), false);
    let took = begin.elapsed();
    let stats = again.core.stats();
    assert_eq!((stats.sessions, stats.subscriptions), (1000, 1000));
    assert_eq!(stats.retained, 10_000);
    assert_eq!(again.news.len(), 1, "{:?}", again.news);
    assert!(
        again.news[0].to_string().contains("10000 messages"),
        "{:?}",
        again.news
    );
    println!("restored in {took:?}: {}", again.news[0]);
}
