//! The broker as clients see it, driven without sockets. Tests are named after the normative
//! statements of MQTT 5 where there is one.

mod packets;
mod publishing;
mod rig;
