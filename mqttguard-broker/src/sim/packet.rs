//! What clients say, in the words of the model.

/// A packet on its way to the broker.
#[derive(Clone, Debug)]
pub(super) enum Up {
    Connect(Connect),
    Publish(Publishing),
    Ack {
        first: u8,
        id: u16,
    },
    Subscribe {
        id: u16,
        filters: Vec<Subscription>,
    },
    Unsubscribe {
        id: u16,
        filters: Vec<&'static str>,
    },
    Ping,
    Disconnect {
        with_will: bool,
        expiry_s: Option<u32>,
    },
}

#[derive(Clone, Debug)]
pub(super) struct Connect {
    /// The device's number.
    pub(super) device: usize,
    pub(super) clean: bool,
    pub(super) expiry_s: u32,
    pub(super) will: Option<Will>,
}

#[derive(Clone, Debug)]
pub(super) struct Will {
    pub(super) delay_s: u32,
    /// A crash has ended the connection.
    pub(super) orphan: bool,
    pub(super) message: Publishing,
}

/// A PUBLISH, or a will; the topic is the one meant, whether it was sent or an alias.
#[derive(Clone, Debug)]
pub(super) struct Publishing {
    /// 0 with QoS 0.
    pub(super) id: u16,
    pub(super) topic: String,
    pub(super) payload: String,
    pub(super) properties: Vec<u8>,
    pub(super) expiry_s: Option<u32>,
    pub(super) qos: u8,
    pub(super) retain: bool,
}

/// A subscription as a client asks for it and as the model keeps it.
#[derive(Clone, Debug)]
pub(super) struct Subscription {
    pub(super) filter: &'static str,
    /// 0 for none.
    pub(super) id: u32,
    pub(super) qos: u8,
    pub(super) no_local: bool,
    pub(super) retain_as_published: bool,
    pub(super) retain_handling: u8,
}
