//! What a hostile client can do to a broker, done to the broker process over real sockets. It
//! keeps its memory, answers as the standard says, and goes on serving others meanwhile.
//!
//! Slow and silent peers, unread answers, floods of guesses and takeover by another identity are
//! in the daemon's own tests (`broker::tests`), malformed packets in `malformed`.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot be set up has failed"
)]

mod connections;
mod packets;
mod rights;
mod sessions;
mod subscriptions;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mqttguard_tests::mqtt::packet::{Publish, Version};
use mqttguard_tests::mqtt::{Broker, Client};

/// What the broker process may hold under any attack, in kB: its code and the 16 MB that its
/// core may keep, with room for the buffers of thousands of sockets.
const MEMORY_KB: u64 = 48 * 1024;
/// How long a round trip of somebody else may take on a busy machine of two cores.
const PATIENCE: Duration = Duration::from_secs(3);

/// A broker under attack, and a bystander whose messages go round all the while.
struct Scene {
    broker: Arc<Broker>,
    over: Arc<AtomicBool>,
    bystander: Option<JoinHandle<(u32, Duration)>>,
}

impl Scene {
    fn new() -> Self {
        Self::with(Broker::start())
    }

    fn with(broker: Broker) -> Self {
        let broker = Arc::new(broker);
        let over = Arc::new(AtomicBool::new(false));
        let bystander = thread::spawn({
            let (broker, over) = (Arc::clone(&broker), Arc::clone(&over));
            move || round_trips(&broker, &over)
        });
        Self {
            broker,
            over,
            bystander: Some(bystander),
        }
    }

    fn client(&self, client_id: &str) -> Client {
        self.broker.client(Version::V5, client_id)
    }

    /// The attack is over: the broker has kept its memory, and the bystander was served.
    #[track_caller]
    fn held(mut self) {
        let kb = self.broker.resident_kb();
        assert!(kb < MEMORY_KB, "the broker holds {kb} kB");
        self.over.store(true, Ordering::Relaxed);
        let (count, worst) = self.bystander.take().unwrap().join().unwrap();
        println!("{kb} kB; {count} round trips of a bystander, the slowest {worst:?}");
        assert!(count > 0);
        assert!(worst < PATIENCE, "a bystander waited {worst:?}");
    }
}

/// QoS 1 to itself until the end; how many, and the slowest.
fn round_trips(broker: &Broker, over: &AtomicBool) -> (u32, Duration) {
    let mut client = broker.client(Version::V5, "bystander");
    client.subscribe("bystander/t", 1);
    let mut count = 0u32;
    let mut worst = Duration::ZERO;
    while count == 0 || !over.load(Ordering::Relaxed) {
        let start = Instant::now();
        count += 1;
        client.send(
            Publish::new("bystander/t", count.to_string())
                .qos(1, 1)
                .bytes(Version::V5),
        );
        // PUBACK and PUBLISH, in any order.
        let mut both = [client.take(), client.take()];
        both.sort_by_key(|answer| matches!(answer, mqttguard_tests::mqtt::Answer::Ack(_)));
        let mqttguard_tests::mqtt::Answer::Publish(delivery) = &both[0] else {
            panic!("{both:?}");
        };
        assert_eq!(delivery.payload, count.to_string().as_bytes());
        client.send(mqttguard_tests::mqtt::packet::ack(0x40, delivery.id));
        worst = worst.max(start.elapsed());
        thread::sleep(Duration::from_millis(2));
    }
    (count, worst)
}
