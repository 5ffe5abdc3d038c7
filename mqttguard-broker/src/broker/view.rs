use super::Broker;

/// What a session holds: for whoever keeps the other end of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionView {
    /// Messages for it that wait or are not acknowledged.
    pub queued: u64,
    /// Packet identifiers of QoS 2 messages from it that it has not released (PUBREL). Sorted.
    pub unreleased: Vec<u16>,
}

impl Broker {
    /// Looks at a session; `None` if there is none of this client identifier and identity.
    pub fn session(&self, identity: &str, client_id: &str) -> Option<SessionView> {
        let owner = self.identities.find(identity)?;
        let session = self.sessions.get(self.sessions.find(owner, client_id)?)?;
        Some(SessionView {
            queued: session.out.held(),
            unreleased: session.unreleased.clone(),
        })
    }
}
