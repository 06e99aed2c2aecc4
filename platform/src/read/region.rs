//! Memory of the system, divided into parts that have one owner each.

#![allow(unsafe_code)]

use std::alloc::{Layout, handle_alloc_error};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::sys::{DIRECT_ALIGNMENT, Pages};

/// Memory in equal parts, at most 32.
pub(super) struct Region {
    pages: Pages,
    /// The bytes of a part.
    unit: usize,
    /// A bit for each part without an owner.
    free: AtomicU32,
}

/// Some parts of a region, side by side, which are the owner's alone.
///
/// It dereferences to all of its memory, which is always initialized.
pub(super) struct Part {
    start: NonNull<u8>,
    length: usize,
    region: Arc<Region>,
    /// A bit for each of them.
    mask: u32,
}

// SAFETY: a part owns its memory, as a `Vec<u8>` does.
unsafe impl Send for Part {}
// SAFETY: a shared part gives no access to its memory but for reading.
unsafe impl Sync for Part {}

impl Region {
    /// Takes memory from the system: `parts` times the same whole pages, at least `bytes` in all, and all
    /// of it zero.
    ///
    /// # Panics
    /// Panics if `bytes` is more than half of the address space; the process ends when there is no memory.
    pub(super) fn new(bytes: usize, parts: usize) -> Arc<Self> {
        let too_large = "a buffer fits into memory";
        let unit =
            bytes.div_ceil(parts).checked_next_multiple_of(DIRECT_ALIGNMENT).expect(too_large);
        let bytes = unit.checked_mul(parts).expect(too_large).max(DIRECT_ALIGNMENT);
        let layout = Layout::from_size_align(bytes, DIRECT_ALIGNMENT).expect(too_large);
        let Some(pages) = Pages::new(bytes) else { handle_alloc_error(layout) };
        Arc::new(Self { pages, unit, free: AtomicU32::new(mask(parts)) })
    }

    /// Returns the bytes of one part.
    pub(super) fn unit(&self) -> usize {
        self.unit
    }

    /// Tells whether none of the `parts` into which it was divided has an owner.
    pub(super) fn is_free(&self, parts: usize) -> bool {
        self.free.load(Ordering::Acquire) == mask(parts)
    }

    /// Takes adjacent parts that have at least `bytes`, which is not 0; `None` when there are none.
    pub(super) fn take(self: &Arc<Self>, bytes: usize) -> Option<Part> {
        let count = bytes.div_ceil(self.unit.max(1));
        let mut first = 0;
        let taken = self.free.fetch_update(Ordering::AcqRel, Ordering::Acquire, |free| {
            // A bit stays where as many as are wanted begin.
            let runs = (1..count.min(33)).fold(free, |runs, _| runs & (runs >> 1));
            first = runs.trailing_zeros();
            (runs != 0).then(|| free & !(mask(count) << first))
        });
        taken.ok()?;
        // SAFETY: within the region, whose parts these are.
        let start = unsafe { self.pages.start().add(first as usize * self.unit) };
        let (length, mask) = (count * self.unit, mask(count) << first);
        Some(Part { start, length, region: Arc::clone(self), mask })
    }
}

/// Returns a number with the lowest `count` bits set.
fn mask(count: usize) -> u32 {
    u32::MAX.checked_shr(32 - count as u32).unwrap_or(0)
}

impl Deref for Part {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: within the region, initialized, and no other part's as long as this one lives.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.length) }
    }
}

impl DerefMut for Part {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`, and `self` is borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.length) }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.region.free.fetch_or(self.mask, Ordering::AcqRel);
    }
}
