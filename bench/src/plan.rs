//! What is measured, in which order.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use rustls::ClientConfig;

use crate::client::tls_config;
use crate::contender::Contender;
use crate::crowd::Target;
use crate::load::connects::{self, How};
use crate::load::stream::{self, Shape};
use crate::load::{Done, idle, latency, retained, round_trips};
use crate::report::{Report, Unit};

const FAN_IN: Shape = Shape {
    publishers: 50,
    subscribers: 1,
    deaf: false,
};
const FAN_OUT: Shape = Shape {
    publishers: 1,
    subscribers: 50,
    deaf: false,
};
/// Parts of messages lost that are worth telling.
const LOSS: f64 = 0.001;

/// How thorough the measurement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    Quick,
    Full,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Via {
    Plain,
    Tls,
}

impl Via {
    fn name(self) -> &'static str {
        match self {
            Via::Plain => "plain",
            Via::Tls => "TLS",
        }
    }
}

/// One thing to measure on each broker.
#[derive(Clone, Copy, Debug)]
enum Step {
    Idle(Via, usize),
    /// Fan-in of a fresh broker, whose memory is looked at.
    Fresh,
    FanIn(Via),
    FanOut(Via),
    RoundTrips(Via, u8),
    Connects(How),
    Latency(Via),
    Retained,
}

impl Step {
    /// Whether its name has this, which is in lower case, in it.
    fn is_called(self, part: &str) -> bool {
        format!("{self:?}").to_ascii_lowercase().contains(part)
    }
}

/// The first round alone counts idle clients by thousands.
const ONCE: [Step; 2] = [Step::Idle(Via::Plain, 5_000), Step::Idle(Via::Tls, 5_000)];
const EVERY: [Step; 16] = [
    Step::Idle(Via::Plain, 1_000),
    Step::Idle(Via::Tls, 1_000),
    Step::Fresh,
    Step::FanIn(Via::Tls),
    Step::FanOut(Via::Plain),
    Step::FanOut(Via::Tls),
    Step::RoundTrips(Via::Plain, 1),
    Step::RoundTrips(Via::Tls, 1),
    Step::RoundTrips(Via::Plain, 2),
    Step::RoundTrips(Via::Tls, 2),
    Step::Connects(How::Plain),
    Step::Connects(How::Full),
    Step::Connects(How::Resumed),
    Step::Latency(Via::Plain),
    Step::Latency(Via::Tls),
    Step::Retained,
];

/// Measures, and keeps what was found.
pub(crate) struct Plan {
    pub(crate) report: Report,
    /// What could not be measured, and what was lost, in words.
    pub(crate) failures: Vec<String>,
    extent: Extent,
    /// Steps without this in their name are left out. In lower case.
    only: String,
    tls: Arc<ClientConfig>,
    once: bool,
}

impl Plan {
    pub(crate) fn new(extent: Extent, only: String) -> Result<Plan> {
        let only = only.to_ascii_lowercase();
        if !ONCE.iter().chain(&EVERY).any(|step| step.is_called(&only)) {
            bail!("--only {only}: no measurement has this in its name");
        }
        Ok(Plan {
            report: Report::default(),
            failures: Vec::new(),
            extent,
            only,
            tls: tls_config(false)?,
            once: extent == Extent::Full,
        })
    }

    /// Measures everything once on each.
    pub(crate) fn round(&mut self, contenders: &mut [Contender]) -> Result<()> {
        let once: &[Step] = if std::mem::take(&mut self.once) {
            &ONCE
        } else {
            &[]
        };
        for step in once.iter().chain(&EVERY).copied() {
            if !step.is_called(&self.only) {
                continue;
            }
            for contender in &mut *contenders {
                let begin = Instant::now();
                if let Err(error) = self.step(contender, step) {
                    self.fail(contender, step, &format!("{error:#}"));
                    contender.restart()?;
                }
                let took = begin.elapsed().as_secs_f64();
                eprintln!("  {step:?} {}: {took:.1} s", contender.kind.name());
            }
        }
        Ok(())
    }

    fn fail(&mut self, contender: &Contender, step: Step, what: &str) {
        let failure = format!("{}, {step:?}: {what}", contender.kind.name());
        if !self.failures.contains(&failure) {
            self.failures.push(failure);
        }
    }

    fn time(&self) -> Duration {
        Duration::from_millis(match self.extent {
            Extent::Quick => 400,
            Extent::Full => 1_000,
        })
    }

    fn target(&self, contender: &Contender, via: Via) -> Result<Target> {
        Ok(match via {
            Via::Plain => Target {
                address: contender.plain()?,
                tls: None,
            },
            Via::Tls => Target {
                address: contender.tls()?,
                tls: Some(self.tls.clone()),
            },
        })
    }

    fn step(&mut self, contender: &mut Contender, step: Step) -> Result<()> {
        let (kind, time) = (contender.kind, self.time());
        match step {
            Step::Idle(via, count) => {
                contender.restart()?;
                let target = self.target(contender, via)?;
                let bytes = idle::run(contender, &target, count)?;
                let name = format!("memory of one of {count} idle clients, {}", via.name());
                self.report.record(kind, &name, Unit::Kilo, bytes);
                contender.restart()?;
            }
            Step::Fresh => {
                contender.restart()?;
                self.step(contender, Step::FanIn(Via::Plain))?;
                let peak = contender.peak_memory()?;
                let name = "memory under fan-in";
                self.report.record(kind, name, Unit::Mega, peak);
            }
            Step::FanIn(via) => {
                let target = self.target(contender, via)?;
                let done = stream::run(contender, &target, FAN_IN, time)?;
                let name = format!("fan-in 50 to 1, {}", via.name());
                self.record(contender, step, &name, done);
            }
            Step::FanOut(via) => {
                let target = self.target(contender, via)?;
                let done = stream::run(contender, &target, FAN_OUT, time)?;
                let name = format!("fan-out 1 to 50, {}", via.name());
                self.record(contender, step, &name, done);
                if via == Via::Plain {
                    let deaf = Shape {
                        deaf: true,
                        ..FAN_OUT
                    };
                    let beside = stream::run(contender, &target, deaf, time)?;
                    let part = beside.rate / done.rate;
                    let name = "fan-out beside an unread subscriber";
                    self.report.record(kind, name, Unit::Part, part);
                }
            }
            Step::RoundTrips(via, qos) => {
                let target = self.target(contender, via)?;
                let done = round_trips::run(contender, &target, qos, time)?;
                let name = format!("QoS {qos} round trips, {}", via.name());
                self.record(contender, step, &name, done);
            }
            Step::Connects(how) => {
                let (via, name) = match how {
                    How::Plain => (Via::Plain, "connects, plain"),
                    How::Full => (Via::Tls, "connects, TLS, full handshake"),
                    How::Resumed => (Via::Tls, "connects, TLS, resumed"),
                };
                let target = self.target(contender, via)?;
                let done = connects::run(contender, &target, how, time)?;
                self.record(contender, step, name, done);
            }
            Step::Latency(via) => {
                let target = self.target(contender, via)?;
                let (half, most) = latency::run(&target, time / 2)?;
                let name = format!("{} msg/s, {}", latency::RATE, via.name());
                let mut record = |part: &str, value| {
                    let name = format!("{part} latency at {name}");
                    self.report.record(kind, &name, Unit::Micros, value);
                };
                record("p50", half);
                record("p99", most);
            }
            Step::Retained => {
                let target = self.target(contender, Via::Plain)?;
                retained::publish(&target)?;
                for qos in 0..=2 {
                    let (count, millis) = retained::receive(&target, qos)?;
                    let name = format!("of {} retained, at QoS {qos}", retained::COUNT);
                    self.report.record(kind, &name, Unit::Count, count as f64);
                    if count == retained::COUNT {
                        let name = format!("{name}, in");
                        self.report.record(kind, &name, Unit::Millis, millis);
                    }
                }
                // The next round finds an empty broker.
                contender.restart()?;
            }
        }
        Ok(())
    }

    fn record(&mut self, contender: &Contender, step: Step, name: &str, done: Done) {
        let (kind, report) = (contender.kind, &mut self.report);
        report.record(kind, &format!("{name}, a second"), Unit::Rate, done.rate);
        if done.rate > 0.0 {
            let name = format!("{name}, CPU each");
            report.record(kind, &name, Unit::Micros, done.cpu);
        }
        if done.lost > LOSS {
            self.fail(contender, step, &format!("lost {:.1}%", done.lost * 100.0));
        }
    }
}
