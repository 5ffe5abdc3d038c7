//! Any bytes as packets of any version: nothing panics, and what is encoded again decodes to the
//! same.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mqttguard_broker::sim::there_and_back(bytes));
