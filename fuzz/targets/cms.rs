//! Any bytes as the signature of a MUD file: nothing panics, and nothing is valid that nobody vouches for.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mqttguard::mud::fuzzing::signature(bytes));
