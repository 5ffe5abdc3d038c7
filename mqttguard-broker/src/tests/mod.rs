//! The broker as clients see it, driven without sockets. Tests are named after the normative
//! statements of MQTT 5 where there is one.

mod access;
mod bounds;
mod connecting;
mod fuzz;
mod malformed;
mod packets;
mod publishing;
mod retaining;
mod rig;
mod sessions;
mod sharing;
mod subscribing;
mod wills;
