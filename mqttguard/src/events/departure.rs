//! Why clients are out, as the broker core has it.

use mqttguard_broker::Departure;
use serde_json::Value;

use crate::coded::Coded;

impl Coded for Departure {
    fn code(&self) -> &'static str {
        match self {
            Departure::Disconnect => "disconnect",
            Departure::ConnectionLost => "connection-lost",
            Departure::KeepAlive => "keep-alive",
            Departure::TakenOver => "taken-over",
            Departure::ProtocolError => "protocol-error",
            Departure::LimitExceeded => "limit-exceeded",
            Departure::MemoryShort => "memory-short",
            Departure::Reauthentication => "re-authentication",
            Departure::Forgotten => "forgotten",
            Departure::Banned => "banned",
            Departure::Revoked => "revoked",
            Departure::ShuttingDown => "shutting-down",
            Departure::Expired => "expired",
        }
    }

    fn values(&self) -> Vec<(&'static str, Value)> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coded::codes_of;

    #[test]
    fn all_departures_are_all_there_is() {
        let codes = Departure::ALL.iter().map(|one| one.code().to_owned());
        assert_eq!(
            codes_of(include_str!("departure.rs"), "impl Coded for Departure"),
            codes.collect()
        );
    }
}
