//! UCI in, validated [`Settings`] out. The only place that knows UCI.

mod settings;

pub use settings::*;
