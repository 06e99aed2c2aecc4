//! Bytes on their way through a backup: a part of a buffer that several parts share.

use std::ops::{Deref, Range};
use std::sync::Arc;

use crate::backup::buffers::Buffer;

/// A part of a shared buffer.
#[derive(Clone)]
pub(super) struct Slice {
    bytes: Shared,
    range: Range<usize>,
}

#[derive(Clone)]
enum Shared {
    Pooled(Arc<Buffer>),
    Owned(Arc<Vec<u8>>),
}

impl Slice {
    /// Takes a part of a pooled buffer.
    pub(super) fn part(buffer: &Arc<Buffer>, range: Range<usize>) -> Self {
        Self { bytes: Shared::Pooled(Arc::clone(buffer)), range }
    }

    /// Takes a whole vector.
    pub(super) fn whole(bytes: Vec<u8>) -> Self {
        let range = 0..bytes.len();
        Self { bytes: Shared::Owned(Arc::new(bytes)), range }
    }
}

impl Slice {
    /// Whether it keeps a pooled buffer alive.
    pub(super) fn is_pooled(&self) -> bool {
        matches!(self.bytes, Shared::Pooled(_))
    }

    /// Whether both are parts of one pooled buffer.
    pub(super) fn shares_with(&self, other: &Self) -> bool {
        match (&self.bytes, &other.bytes) {
            (Shared::Pooled(one), Shared::Pooled(other)) => Arc::ptr_eq(one, other),
            (Shared::Owned(_), _) | (_, Shared::Owned(_)) => false,
        }
    }

    /// Copies slices into one vector that holds nothing else.
    pub(super) fn compact<'s>(slices: impl Iterator<Item = &'s mut Slice>) {
        let (mut bytes, mut parts) = (Vec::new(), Vec::new());
        for slice in slices {
            let start = bytes.len();
            bytes.extend_from_slice(slice);
            parts.push((slice, start..bytes.len()));
        }
        let bytes = Arc::new(bytes);
        for (slice, range) in parts {
            *slice = Self { bytes: Shared::Owned(Arc::clone(&bytes)), range };
        }
    }
}

impl Deref for Slice {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.bytes {
            Shared::Pooled(buffer) => &buffer[self.range.clone()],
            Shared::Owned(bytes) => &bytes[self.range.clone()],
        }
    }
}
