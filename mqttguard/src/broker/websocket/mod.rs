//! The server's side of one WebSocket (RFC 6455) that carries MQTT (MQTT 5 section 6), as bytes
//! in and bytes out. It holds the request until it is whole, then next to nothing: MQTT is handed
//! on as it comes, whatever length a frame claims.

mod frame;
mod head;
#[cfg(test)]
mod tests;

use std::mem;
use std::sync::Arc;

use frame::{Decoder, Event};
use head::Request;
use zeroize::Zeroizing;

/// One connection's.
pub(super) struct WebSocket(State);

enum State {
    /// The request is coming in.
    Request {
        bytes: Vec<u8>,
        /// Origins of pages that may connect beside those of the same host.
        origins: Arc<[String]>,
    },
    Open(Decoder),
    /// The last frame, or a refusal, has been said.
    Over,
}

/// What came of bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// All were taken.
    Taken,
    /// The client has closed.
    Closed,
    /// The client has broken the rules. It has been told.
    Broken(String),
}

impl WebSocket {
    /// One that waits for a request.
    pub(super) fn new(origins: Arc<[String]>) -> WebSocket {
        WebSocket(State::Request {
            bytes: Vec::new(),
            origins,
        })
    }

    /// Takes bytes, hands MQTT to `deliver`, and appends what is to be answered to `reply`. That
    /// is never longer than the bytes taken, but for the one answer to the request.
    pub(super) fn receive(
        &mut self,
        input: &[u8],
        reply: &mut Vec<u8>,
        mut deliver: impl FnMut(&[u8]),
    ) -> Received {
        match &mut self.0 {
            State::Request { bytes, origins } => {
                let is_first = bytes.is_empty();
                bytes.extend_from_slice(input);
                // What has no new line is no more of a request than before.
                if !is_first && !input.contains(&b'\n') && bytes.len() <= head::MAX {
                    return Received::Taken;
                }
                match head::read(bytes, origins) {
                    Request::Partial => Received::Taken,
                    Request::Refused { response, why } => {
                        reply.extend(response);
                        self.0 = State::Over;
                        Received::Broken(why)
                    }
                    Request::Accepted { response, length } => {
                        reply.extend(response);
                        let rest = Zeroizing::new(bytes.split_off(length.min(bytes.len())));
                        self.0 = State::Open(Decoder::default());
                        self.frames(&rest, reply, &mut deliver)
                    }
                }
            }
            State::Open(_) => self.frames(input, reply, &mut deliver),
            State::Over => Received::Taken,
        }
    }

    fn frames(
        &mut self,
        input: &[u8],
        reply: &mut Vec<u8>,
        deliver: &mut impl FnMut(&[u8]),
    ) -> Received {
        let State::Open(decoder) = &mut self.0 else {
            return Received::Taken;
        };
        let mut closed = false;
        let decoded = decoder.decode(input, |event| match event {
            Event::Data(bytes) => deliver(bytes),
            Event::Ping(payload) => frame::write(frame::PONG, payload, reply),
            // Unasked for, and allowed: section 5.5.3.
            Event::Pong => {}
            Event::Close(code) => {
                let code = code.map(u16::to_be_bytes);
                frame::write(frame::CLOSE, code.as_ref().map_or(&[], |c| c), reply);
                closed = true;
            }
        });
        match decoded {
            Err(violation) => {
                frame::write(frame::CLOSE, &violation.code.to_be_bytes(), reply);
                self.0 = State::Over;
                Received::Broken(violation.what.to_owned())
            }
            Ok(()) if closed => {
                self.0 = State::Over;
                Received::Closed
            }
            Ok(()) => Received::Taken,
        }
    }

    /// Appends MQTT to `wire`, in a frame. Nothing is said before the request or after the end.
    pub(super) fn send(&self, mqtt: &[u8], wire: &mut Vec<u8>) {
        if matches!(self.0, State::Open(_)) && !mqtt.is_empty() {
            frame::write(frame::BINARY, mqtt, wire);
        }
    }

    /// Appends the last frame to `wire`, unless it has been said.
    pub(super) fn close(&mut self, wire: &mut Vec<u8>) {
        if let State::Open(_) = mem::replace(&mut self.0, State::Over) {
            frame::write(frame::CLOSE, &frame::NORMAL.to_be_bytes(), wire);
        }
    }
}
