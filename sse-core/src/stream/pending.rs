//! Bytes that wait for the body.

use bytes::Bytes;

/// Encoded blocks that the body takes as one chunk.
#[derive(Debug)]
pub(crate) enum Pending {
    /// One frame. The frame stays shared with other streams.
    One(Bytes),
    /// Several frames, or none.
    Joined(Vec<u8>),
}

impl Default for Pending {
    fn default() -> Self {
        Self::Joined(Vec::new())
    }
}

impl Pending {
    pub(crate) fn push(&mut self, bytes: Bytes) {
        if self.is_empty() {
            *self = Self::One(bytes);
        } else {
            self.write(bytes.len(), |joined| joined.extend_from_slice(&bytes));
        }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) const fn len(&self) -> usize {
        match self {
            Self::One(bytes) => bytes.len(),
            Self::Joined(bytes) => bytes.len(),
        }
    }

    /// Appends about `more` bytes, which `put` writes.
    pub(crate) fn write(&mut self, more: usize, put: impl FnOnce(&mut Vec<u8>)) {
        let mut joined = match std::mem::take(self) {
            Self::One(first) => {
                let mut joined = Vec::with_capacity(first.len() + more);
                joined.extend_from_slice(&first);
                joined
            }
            Self::Joined(joined) => joined,
        };
        joined.reserve(more);
        put(&mut joined);
        *self = Self::Joined(joined);
    }

    /// Takes all bytes. `None` if there are none.
    pub(crate) fn take(&mut self) -> Option<Bytes> {
        if self.is_empty() {
            return None;
        }
        Some(match std::mem::take(self) {
            Self::One(bytes) => bytes,
            Self::Joined(bytes) => bytes.into(),
        })
    }
}
