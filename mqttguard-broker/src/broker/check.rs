#![allow(clippy::expect_used, reason = "a failure is a panic")]

use super::Broker;

impl Broker {
    /// What must hold after every step of a test.
    pub(crate) fn check(&self) {
        let sessions = || self.sessions.iter().map(|(_, session)| session);
        let held: u64 = sessions().map(|session| session.out.held()).sum();
        assert_eq!(self.held, held, "deliveries held");
        let subscriptions: usize = sessions().map(|session| session.subscriptions.len()).sum();
        assert_eq!(
            self.subscriptions.count(),
            subscriptions as u64,
            "subscriptions"
        );
        let connections = self.connections.iter();
        let partial = connections
            .map(|(_, conn)| conn.partial.capacity() as u64)
            .sum();
        assert_eq!(self.partial, partial, "bytes of packets that are not whole");
        assert_eq!(
            self.retained.bytes(),
            self.retained.sizes().sum::<usize>() as u64,
            "bytes retained"
        );
        let outboxes: usize = self.connections.iter().map(|(_, c)| c.outbox.len()).sum();
        assert_eq!(self.outboxes, outboxes as u64, "bytes of answers");
        let aliases: u64 = self.connections.iter().map(|(_, c)| c.alias_bytes()).sum();
        assert_eq!(self.aliases, aliases, "bytes of aliases");
        self.watching.check();
        let mut connections = 0;
        for (index, session) in self.sessions.iter() {
            let identity = self
                .identities
                .get(session.identity)
                .expect("a session's identity");
            let own = || sessions().filter(|other| other.identity == session.identity);
            assert_eq!(
                identity.sessions as usize,
                own().count(),
                "sessions of an identity"
            );
            let connected = own().filter(|other| other.connected).count();
            assert_eq!(
                identity.connections as usize, connected,
                "connections of an identity"
            );
            if session.connected {
                connections += 1;
                let conn = self
                    .connections
                    .get(session.conn.slot)
                    .expect("a connection");
                assert_eq!(conn.session(), Some(index), "the connection's session");
            }
        }
        assert!(connections <= self.connections.len());
        assert_eq!(self.stats.connected, connections as u64, "connected");
        if self.sessions.len() == 0 {
            assert_eq!(
                self.subscriptions.nodes(),
                1,
                "filters nobody is subscribed to"
            );
            if self.retained.len() == 0 {
                assert_eq!(self.held_bytes(), 0, "bytes nobody holds");
                assert_eq!(self.sessions.bytes(), 0, "bytes of sessions");
                assert_eq!(self.subscriptions.bytes(), 0, "bytes of subscriptions");
                assert_eq!(self.identities.len(), 0, "identities with nothing in use");
            }
        }
    }
}
