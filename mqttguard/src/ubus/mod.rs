//! The `mqttguard` object on the bus: methods in, replies and notifications out. Knows the wire,
//! not what a method does.
