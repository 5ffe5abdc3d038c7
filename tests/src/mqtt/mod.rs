//! MQTT byte by byte, written from the standards and independent of the broker's own codec, so
//! that a mistake there cannot hide behind the same mistake here.
//!
//! [`packet`] writes whatever a test asks for, right or wrong. [`answer`] reads what a server
//! sends and lets nothing pass that a server must not send.

pub mod answer;
pub mod broker;
pub mod client;
pub mod packet;
pub mod props;

pub use answer::{Ack, Answer, Delivery};
pub use broker::{Broker, open_broker};
pub use client::{Client, End};
pub use packet::{Connect, Publish, Subscribe, Version};
pub use props::{Props, Value};
