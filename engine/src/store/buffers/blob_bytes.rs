//! The bytes of a blob on their way through a backup: a range of a buffer that several blobs share.

use std::ops::{Deref, Range};
use std::sync::Arc;

use crate::store::buffers::Buffer;

/// A range of a shared buffer.
#[derive(Clone)]
pub(crate) struct BlobBytes {
    bytes: Storage,
    range: Range<usize>,
}

#[derive(Clone)]
enum Storage {
    Pooled(Arc<Buffer>),
    Owned(Arc<Vec<u8>>),
}

impl BlobBytes {
    /// Takes a range of a pooled buffer.
    pub(crate) fn range(buffer: &Arc<Buffer>, range: Range<usize>) -> Self {
        Self { bytes: Storage::Pooled(Arc::clone(buffer)), range }
    }

    /// Takes a whole vector.
    pub(crate) fn whole(bytes: Vec<u8>) -> Self {
        let range = 0..bytes.len();
        Self { bytes: Storage::Owned(Arc::new(bytes)), range }
    }

    /// Returns whether it keeps a pooled buffer alive.
    pub(crate) fn is_pooled(&self) -> bool {
        matches!(self.bytes, Storage::Pooled(_))
    }

    /// Returns whether both are ranges of one pooled buffer.
    pub(crate) fn shares_with(&self, other: &Self) -> bool {
        match (&self.bytes, &other.bytes) {
            (Storage::Pooled(one), Storage::Pooled(other)) => Arc::ptr_eq(one, other),
            (Storage::Owned(_), _) | (_, Storage::Owned(_)) => false,
        }
    }

    /// Copies blobs into one vector that holds nothing else.
    pub(crate) fn compact<'s>(blobs: impl Iterator<Item = &'s mut BlobBytes>) {
        let (mut bytes, mut parts) = (Vec::new(), Vec::new());
        for blob in blobs {
            let start = bytes.len();
            bytes.extend_from_slice(blob);
            parts.push((blob, start..bytes.len()));
        }
        let bytes = Arc::new(bytes);
        for (blob, range) in parts {
            *blob = Self { bytes: Storage::Owned(Arc::clone(&bytes)), range };
        }
    }
}

impl Deref for BlobBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.bytes {
            Storage::Pooled(buffer) => &buffer[self.range.clone()],
            Storage::Owned(bytes) => &bytes[self.range.clone()],
        }
    }
}
