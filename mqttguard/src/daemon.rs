//! Wires the parts together; start, reload, stop.
