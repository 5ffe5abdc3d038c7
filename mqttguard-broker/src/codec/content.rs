//! What a message is made of, in PUBLISH and in a will.

use super::properties::{self, Properties, Property};

/// An application message as it came, borrowed from the packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Content<'a> {
    /// Empty only in a PUBLISH that has a Topic Alias instead.
    pub(crate) topic: &'a str,
    /// As the client sent them, without their length.
    pub(crate) properties: &'a [u8],
    /// The properties are to be forwarded as they are: there is none among them that the broker
    /// consumes or rewrites.
    pub(crate) verbatim: bool,
    /// How many of them are User Properties.
    pub(crate) user_properties: u32,
    /// Message Expiry Interval, in seconds.
    pub(crate) expiry_s: Option<u32>,
    pub(crate) payload: &'a [u8],
}

impl Default for Content<'_> {
    fn default() -> Self {
        Content {
            topic: "",
            properties: &[],
            verbatim: true,
            user_properties: 0,
            expiry_s: None,
            payload: &[],
        }
    }
}

impl<'a> Content<'a> {
    /// Appends the properties that go on to the subscribers, in their order (`MQTT-3.3.2-18`).
    pub(crate) fn forward_properties(&self, out: &mut Vec<u8>) {
        if self.verbatim {
            out.extend_from_slice(self.properties);
            return;
        }
        let mut left = self.properties;
        loop {
            let mut one = Properties::over(left, properties::IN_FORWARD);
            let next = match one.next() {
                Ok(Some(Property::Other)) => true,
                Ok(Some(_)) => false,
                Ok(None) | Err(_) => return,
            };
            let rest = one.rest();
            if next && let Some(bytes) = left.get(..left.len().saturating_sub(rest.len())) {
                out.extend_from_slice(bytes);
            }
            left = rest;
        }
    }
}
