use mqttguard_broker::ConnId;

/// What connections are to be sent, in order, once the journal allows it.
#[derive(Default)]
pub(in super::super) struct Staged {
    bytes: Vec<u8>,
    /// Whose bytes end where.
    ends: Vec<(ConnId, usize)>,
}

impl Staged {
    pub(super) fn push(&mut self, id: ConnId, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.ends.push((id, self.bytes.len()));
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(in super::super) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    pub(in super::super) fn iter(&self) -> impl Iterator<Item = (ConnId, &[u8])> {
        let starts = std::iter::once(0).chain(self.ends.iter().map(|(_, end)| *end));
        starts
            .zip(&self.ends)
            .map(|(start, (id, end))| (*id, self.bytes.get(start..*end).unwrap_or_default()))
    }
}
