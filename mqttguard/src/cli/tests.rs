//! What people and scripts get to see, through a real bus: a ubusd, the object as the daemon
//! serves it, and in the place of the daemon a function that answers.

mod acts;
mod answers;
mod bus;
mod seen;
mod usage;
