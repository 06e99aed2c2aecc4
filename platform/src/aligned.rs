//! Memory aligned as `O_DIRECT` wants it.

#![allow(unsafe_code)]

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// The alignment of memory, offset and length that every disk in use accepts.
pub(crate) const ALIGNMENT: usize = 4096;

/// A buffer of fixed capacity, aligned to a page, for reading with
/// [`ReadMode::Direct`](crate::ReadMode::Direct).
///
/// Its capacity is a multiple of the page. It dereferences to the bytes in use, whose number is set
/// with [`set_len`](Self::set_len); all of it is always initialized.
pub struct AlignedBuf {
    start: NonNull<u8>,
    capacity: usize,
    len: usize,
}

// SAFETY: the buffer owns its memory, as a `Vec<u8>` does.
unsafe impl Send for AlignedBuf {}
// SAFETY: shared access only reads.
unsafe impl Sync for AlignedBuf {}

impl AlignedBuf {
    /// Makes a buffer of `capacity` zero bytes, rounded up to whole pages and at least one, with
    /// all of it in use.
    ///
    /// # Panics
    ///
    /// Panics if `capacity` is more than half of the address space.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        let layout = Layout::from_size_align(capacity.max(1), ALIGNMENT)
            .map(|layout| layout.pad_to_align())
            .expect("a buffer fits into memory");
        // SAFETY: the layout is not of size zero.
        let start = unsafe { alloc_zeroed(layout) };
        let Some(start) = NonNull::new(start) else { handle_alloc_error(layout) };
        Self { start, capacity: layout.size(), len: layout.size() }
    }

    /// How many bytes there is room for.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Sets how many bytes are in use; bytes that come into use again hold what they last held.
    ///
    /// # Panics
    ///
    /// Panics if `len` is more than the capacity.
    pub fn set_len(&mut self, len: usize) {
        assert!(len <= self.capacity, "a buffer does not grow");
        self.len = len;
    }
}

impl Deref for AlignedBuf {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: `len` is at most the capacity, all of which was initialized when allocated.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl DerefMut for AlignedBuf {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`, and `self` is borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl Drop for AlignedBuf {
    fn drop(&mut self) {
        let layout = Layout::from_size_align(self.capacity, ALIGNMENT)
            .expect("the layout was made when allocating");
        // SAFETY: allocated in `new` with this very layout: a capacity is a multiple of the page.
        unsafe { dealloc(self.start.as_ptr(), layout) };
    }
}

/// One aligned block on the stack.
#[repr(C, align(4096))]
pub(crate) struct AlignedBlock([u8; ALIGNMENT]);

impl AlignedBlock {
    pub(crate) fn new() -> Self {
        Self([0; ALIGNMENT])
    }

    pub(crate) fn bytes(&mut self) -> &mut [u8] {
        &mut self.0
    }
}
