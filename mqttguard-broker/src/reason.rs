/// A reason code of MQTT 5 (section 2.4). For MQTT 3 see [`Reason::connack_v3`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reason(pub(crate) u8);

impl Reason {
    /// Also "normal disconnection" and "granted QoS 0".
    pub(crate) const SUCCESS: Reason = Reason(0x00);
    pub(crate) const NO_MATCHING_SUBSCRIBERS: Reason = Reason(0x10);
    pub(crate) const NO_SUBSCRIPTION_EXISTED: Reason = Reason(0x11);
    pub(crate) const CONTINUE_AUTHENTICATION: Reason = Reason(0x18);
    pub(crate) const REAUTHENTICATE: Reason = Reason(0x19);
    pub(crate) const UNSPECIFIED_ERROR: Reason = Reason(0x80);
    pub(crate) const MALFORMED_PACKET: Reason = Reason(0x81);
    pub(crate) const PROTOCOL_ERROR: Reason = Reason(0x82);
    pub(crate) const UNSUPPORTED_PROTOCOL_VERSION: Reason = Reason(0x84);
    pub(crate) const CLIENT_IDENTIFIER_NOT_VALID: Reason = Reason(0x85);
    pub(crate) const BAD_USER_NAME_OR_PASSWORD: Reason = Reason(0x86);
    pub(crate) const NOT_AUTHORIZED: Reason = Reason(0x87);
    pub(crate) const SERVER_UNAVAILABLE: Reason = Reason(0x88);
    pub(crate) const SERVER_BUSY: Reason = Reason(0x89);
    pub(crate) const BANNED: Reason = Reason(0x8A);
    pub(crate) const SERVER_SHUTTING_DOWN: Reason = Reason(0x8B);
    pub(crate) const BAD_AUTHENTICATION_METHOD: Reason = Reason(0x8C);
    pub(crate) const KEEP_ALIVE_TIMEOUT: Reason = Reason(0x8D);
    pub(crate) const SESSION_TAKEN_OVER: Reason = Reason(0x8E);
    pub(crate) const TOPIC_FILTER_INVALID: Reason = Reason(0x8F);
    pub(crate) const TOPIC_NAME_INVALID: Reason = Reason(0x90);
    pub(crate) const PACKET_IDENTIFIER_NOT_FOUND: Reason = Reason(0x92);
    pub(crate) const RECEIVE_MAXIMUM_EXCEEDED: Reason = Reason(0x93);
    pub(crate) const TOPIC_ALIAS_INVALID: Reason = Reason(0x94);
    pub(crate) const PACKET_TOO_LARGE: Reason = Reason(0x95);
    pub(crate) const QUOTA_EXCEEDED: Reason = Reason(0x97);
    pub(crate) const ADMINISTRATIVE_ACTION: Reason = Reason(0x98);
    pub(crate) const RETAIN_NOT_SUPPORTED: Reason = Reason(0x9A);
    pub(crate) const MAXIMUM_CONNECT_TIME: Reason = Reason(0xA0);

    /// The code says that something failed.
    pub(crate) fn is_error(self) -> bool {
        self.0 >= 0x80
    }

    /// The CONNACK return code of MQTT 3.1.1 (section 3.2.2.3) nearest to this one.
    pub(crate) fn connack_v3(self) -> u8 {
        match self {
            Reason::SUCCESS => 0,
            Reason::UNSUPPORTED_PROTOCOL_VERSION => 1,
            Reason::CLIENT_IDENTIFIER_NOT_VALID => 2,
            Reason::BAD_USER_NAME_OR_PASSWORD => 4,
            Reason::NOT_AUTHORIZED | Reason::BANNED | Reason::BAD_AUTHENTICATION_METHOD => 5,
            _ => 3,
        }
    }
}
