//! Any bytes as a journal: whatever is restored is a broker that is whole.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mqttguard_broker::sim::restore(bytes));
