//! Any bytes as a MUD file: nothing panics, what is read is bounded and is the same when it was stored,
//! and no topic is taken over that could be another device's.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mqttguard::mud::fuzzing::file(bytes));
