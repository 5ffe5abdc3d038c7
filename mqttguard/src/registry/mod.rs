//! Devices: who they are, what state they are in, what they may do. The heart.

mod directory;

pub use directory::{Account, Directory, Standing};
