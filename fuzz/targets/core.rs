//! Any bytes as a schedule of the simulation: what clients see is what the model says.
#![no_main]

use mqttguard_broker::sim::{self, Plan};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Some(plan) = Plan::of_bytes(bytes) {
        sim::run(&plan);
    }
});
