//! A simulation of the broker with clients around it, and a naive model of what each must see.
//!
//! A schedule is a list of steps: clients connect, subscribe, publish and leave; links bring
//! bytes in pieces of any size, hold them back and are lost; time passes; the caller kicks and
//! changes grants. After each step the broker's own counts are checked, and every packet that
//! comes out is held against the model. At the end everybody comes back and gets what is owed,
//! leaves, and nothing may be left.
//!
//! A seed that fails is shrunk to the steps that it takes, which are told.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failure is a panic"
)]

mod bytes;
mod carrying;
mod device;
mod life;
mod link;
mod message;
mod model;
mod owed;
mod packet;
mod plan;
mod publish;
mod session;
mod speech;
mod subscribe;
mod topics;
mod wire;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

pub use bytes::{restore, there_and_back};
pub use plan::Plan;

/// Runs a schedule; panics if anything is not as it must be. How many messages reached a client.
pub fn run(plan: &Plan) -> u64 {
    world::World::new(plan, false).run(plan)
}

/// Where it fails, if it does.
fn failure(plan: &Plan) -> Option<String> {
    let (tell, told) = std::sync::mpsc::channel();
    let thread = std::thread::current().id();
    std::panic::set_hook(Box::new(move |info| {
        if std::thread::current().id() == thread {
            let _ = tell.send(info.location().map(ToString::to_string));
        }
    }));
    let result = catch_unwind(AssertUnwindSafe(|| run(plan)));
    let _ = std::panic::take_hook();
    result.err()?;
    told.try_recv().ok().flatten()
}

/// Leaves away the steps that a failure does not need.
fn shrink(mut plan: Plan) -> Plan {
    let wanted = failure(&plan);
    let mut size = plan.steps.len().next_power_of_two();
    while size > 0 {
        let mut from = 0;
        while from < plan.steps.len() {
            let mut less = plan.clone();
            less.steps.drain(from..plan.steps.len().min(from + size));
            if failure(&less) == wanted {
                plan = less;
            } else {
                from += size;
            }
        }
        size /= 2;
    }
    for place in 0..plan.setup.len() {
        let mut less = plan.clone();
        less.setup[place] = 0;
        if failure(&less) == wanted {
            plan = less;
        }
    }
    plan
}

/// Runs a schedule that fails again, with fewer steps, and tells of each.
pub fn explain(plan: Plan) {
    let plan = shrink(plan);
    eprintln!("{} steps", plan.steps.len());
    world::World::new(&plan, true).run(&plan);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seeds to run: `MQTTGUARD_SIM=FIRST..LAST`, or one to look into.
    const VARIABLE: &str = "MQTTGUARD_SIM";
    const SEEDS: std::ops::Range<u64> = 0..20_000;

    fn seeds() -> std::ops::Range<u64> {
        let Ok(text) = std::env::var(VARIABLE) else {
            return SEEDS;
        };
        let number = |text: &str| text.parse::<u64>().expect("a seed");
        match text.split_once("..") {
            Some((first, last)) => number(first)..number(last),
            None => number(&text)..number(&text) + 1,
        }
    }

    #[test]
    fn clients_get_what_the_model_says_over_links_that_do_not_hold() {
        let mut delivered = 0;
        let seeds = seeds();
        for seed in seeds.start..seeds.end {
            let plan = Plan::seeded(seed);
            match catch_unwind(AssertUnwindSafe(|| run(&plan))) {
                Ok(_) if seeds.end - seeds.start == 1 => {
                    world::World::new(&plan, true).run(&plan);
                }
                Ok(count) => delivered += count,
                Err(_) => {
                    eprintln!(
                        "seed {seed}; again by: {VARIABLE}={seed} cargo test -p mqttguard-broker sim::"
                    );
                    explain(plan);
                    panic!("seed {seed} fails, but not when it is told of");
                }
            }
        }
        eprintln!("{delivered} messages reached a client");
    }
}
