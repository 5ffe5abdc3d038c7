//! The kernel program against its reference model: a million frames made up at random, whole,
//! odd, cut and damaged, under random policies, through both hooks on the real verifier and JIT.
//!
//! `MQTTGUARD_SEED` and `MQTTGUARD_FRAMES` make another run than the usual one.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use mqttguard::enforce::DeviceCounters;
use mqttguard_common::{Mac, Reason};
use mqttguard_tests::bpf::{HOOKS, Hook, Kernel};
use mqttguard_tests::generate::Generator;
use mqttguard_tests::model::{Model, source_mac};
use mqttguard_tests::pcap;

const SEED: u64 = 0x6d71_7474;
const FRAMES: u64 = 1_000_000;
/// Frames under one policy.
const BATCH: u64 = 2_500;

/// The kernel makes no socket buffer, for a TC program to run on, of less than an IP header.
fn has_buffer(frame: &[u8]) -> bool {
    match frame[12..14] {
        [0x86, 0xdd] => frame.len() >= 14 + 40,
        _ => frame.len() >= 14 + 20,
    }
}

fn number(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).map_or(usual, |text| {
        text.parse()
            .unwrap_or_else(|error| panic!("{variable}={text}: {error}"))
    })
}

#[test]
fn a_million_frames_are_judged_as_the_model_says() {
    let seed = number("MQTTGUARD_SEED", SEED);
    let frames = number("MQTTGUARD_FRAMES", FRAMES);
    println!("MQTTGUARD_SEED={seed} MQTTGUARD_FRAMES={frames}");
    let mut generator = Generator::new(seed);
    let mut run: Option<Run> = None;
    for index in 0..frames {
        if index % BATCH == 0 {
            let model = generator.model();
            match &mut run {
                Some(run) => run.govern(model),
                None => run = Some(Run::new(model)),
            }
        }
        let run = run.as_mut().unwrap();
        let frame = generator.frame();
        if let Err(difference) = run.judge(&frame) {
            panic!(
                "MQTTGUARD_SEED={seed}, frame {index}: {difference}\n{}",
                describe(&frame, &run.model, index)
            );
        }
    }
    let Run {
        judged, answered, ..
    } = run.unwrap();
    println!("{judged:?}, {answered} answered");
    // Every reason that needs no time was met often enough to mean something; but for that of frames
    // which cannot be handed on, since here they can.
    if frames >= FRAMES {
        let met = |reason: &Reason| !reason.is_flood() && *reason != Reason::Unread;
        for reason in Reason::ALL.into_iter().filter(met) {
            let count = judged.get(&reason).copied().unwrap_or(0);
            assert!(count >= frames / 500, "{}: {count} frames", reason.name());
        }
        assert!(answered >= frames / 100, "{answered} answered");
    }
}

/// The kernel program and the model side by side.
struct Run {
    kernel: Kernel,
    model: Model,
    counted: BTreeMap<Mac, DeviceCounters>,
    /// Frames by what the model said.
    judged: BTreeMap<Reason, u64>,
    /// How many it answered.
    answered: u64,
}

impl Run {
    fn new(model: Model) -> Self {
        let mut run = Run {
            kernel: Kernel::load(&model.rules),
            model,
            counted: BTreeMap::new(),
            judged: BTreeMap::new(),
            answered: 0,
        };
        for hook in HOOKS {
            let checked = run.kernel.verified(hook);
            let sum: u32 = checked.iter().map(|(_, count)| count).sum();
            println!("{hook:?}: the verifier looked at {sum} instructions: {checked:?}");
        }
        run.tell_devices();
        run
    }

    fn govern(&mut self, model: Model) {
        self.model = model;
        self.kernel.forget_streams();
        self.kernel.tables.set_rules(&self.model.rules).unwrap();
        self.tell_devices();
    }

    fn tell_devices(&mut self) {
        self.kernel.set_stations(&self.model.stations);
        for (&mac, policy) in &self.model.devices {
            self.kernel.tables.set_device(mac, policy).unwrap();
        }
    }

    /// Runs a frame through both hooks and reads what they counted of its sender.
    fn judge(&mut self, frame: &[u8]) -> Result<(), String> {
        let mut expected = self
            .counted
            .get(&source_mac(frame))
            .copied()
            .unwrap_or_default();
        // The second hook meets what the first has left behind.
        let mut reasons = Vec::new();
        for hook in HOOKS {
            if hook == Hook::Tc && !has_buffer(frame) {
                continue;
            }
            let (reason, verdict, answer) = self.model.decide(frame);
            *self.judged.entry(reason).or_default() += 1;
            self.answered += u64::from(answer.is_some());
            reasons.push(reason);
            let (found, left) = self.kernel.transform(hook, frame);
            if found != verdict {
                return Err(format!(
                    "{hook:?} says {found:?}, the model {verdict:?} ({})",
                    reason.name()
                ));
            }
            // What is not answered is not touched.
            let expected_frame = answer.as_deref().unwrap_or(frame);
            if left != expected_frame {
                return Err(format!(
                    "{hook:?} ({}) leaves\n{left:02x?}, the model\n{expected_frame:02x?}",
                    reason.name()
                ));
            }
            expected.frames[reason as usize] += match hook {
                // Longer frames than an ordinary link has are taken for merged ones.
                Hook::Xdp if frame.len() > 1522 => 1 + frame.len() as u64 / 1522,
                _ => 1,
            };
            expected.bytes[reason as usize] += frame.len() as u64;
        }
        let mac = source_mac(frame);
        let counters = self.kernel.counters(mac);
        self.counted.insert(mac, counters);
        if counters == expected {
            return Ok(());
        }
        let difference = |reason: &Reason| {
            let index = *reason as usize;
            counters.frames[index] as i64 - expected.frames[index] as i64
        };
        let counted: Vec<(&str, i64)> = Reason::ALL
            .iter()
            .filter(|&reason| difference(reason) != 0)
            .map(|reason| (reason.name(), difference(reason)))
            .collect();
        let said: Vec<&str> = reasons.into_iter().map(Reason::name).collect();
        Err(format!(
            "the model says {said:?}, the counters differ by {counted:?}"
        ))
    }
}

/// What is needed to understand a difference; the frame goes into a file as well.
fn describe(frame: &[u8], model: &Model, index: u64) -> String {
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../target/differential-{index}.pcap"));
    let mut text = match pcap::write(&file, &[frame]) {
        Ok(()) => format!("{}\n", file.display()),
        Err(error) => format!("{}: {error}\n", file.display()),
    };
    for (line, bytes) in frame.chunks(16).enumerate() {
        let _ = write!(text, "{:04x} ", line * 16);
        for byte in bytes {
            let _ = write!(text, " {byte:02x}");
        }
        text.push('\n');
    }
    let _ = writeln!(text, "{:02x?}", mqttguard_tests::model::parse(frame));
    let _ = writeln!(text, "{:?}", model.devices.get(&source_mac(frame)));
    let _ = write!(text, "{:?}", model.rules);
    text
}
