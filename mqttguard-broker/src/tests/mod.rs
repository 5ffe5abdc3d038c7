//! The broker as clients see it, driven without sockets. Tests are named after the normative
//! statements of MQTT 5 where there is one.

mod access;
mod authenticating;
mod bound;
mod bounds;
mod bridge;
mod bridge_hostile;
mod connecting;
mod faithful;
mod fuzz;
mod internal;
mod journal;
mod malformed;
mod malformed_connect;
mod memory;
mod packets;
mod publishing;
mod restoring;
mod retaining;
mod rig;
mod sessions;
mod sharing;
mod subscribing;
mod watching;
mod wills;
mod wire;

#[test]
fn a_broker_may_be_made_on_one_thread_and_run_on_another() {
    fn is_send<T: Send>() {}
    is_send::<crate::Broker>();
}
