//! What the benchmarks share: tables, the machine they ran on, the document they go into.

mod document;
mod machine;
mod table;

pub use document::write_section;
pub use machine::{load_average, machine};
pub use table::{aligned, median, ratio, thousands};
