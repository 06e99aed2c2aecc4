//! Memory straight from the system, and the alignment that reading past the page cache needs.

#![allow(unsafe_code)]

use std::ptr::{self, NonNull};

use rustix::mm::{Advice, MapFlags, ProtFlags};

/// The alignment of memory, offset and length that every disk in use accepts.
pub(crate) const DIRECT_ALIGNMENT: usize = 4096;

/// The size of a huge page where that of the others is 4 KiB.
pub const HUGE_PAGE: usize = 2 << 20;

/// Memory fresh from the system, which is zero and takes no room before it is touched.
///
/// The memory is aligned for reading past the page cache, and of huge pages where it is as large as one.
pub(crate) struct Pages {
    start: NonNull<u8>,
    /// The mapping; larger than the memory where that is aligned to a huge page.
    mapped: (NonNull<u8>, usize),
}

// SAFETY: the memory is the owner's alone, as that of a `Box<[u8]>` is.
unsafe impl Send for Pages {}
// SAFETY: a shared reference gives no access to the memory.
unsafe impl Sync for Pages {}

impl Pages {
    /// Takes `bytes` bytes from the system, which must be more than none; `None` when it has no more.
    pub(crate) fn new(bytes: usize) -> Option<Self> {
        let is_huge = bytes >= HUGE_PAGE;
        // The system aligns to its own page, which is at least as large as the small one.
        let length = if is_huge { bytes.checked_add(HUGE_PAGE)? } else { bytes };
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping at a place of the kernel's choice.
        let mapped = unsafe {
            rustix::mm::mmap_anonymous(ptr::null_mut(), length, protection, MapFlags::PRIVATE)
        };
        let base = NonNull::new(mapped.ok()?.cast::<u8>())?;
        if !is_huge {
            return Some(Self { start: base, mapped: (base, length) });
        }
        // SAFETY: a whole huge page more was mapped than what is used, where that is aligned to one.
        let start = unsafe { base.add(base.align_offset(HUGE_PAGE)) };
        // SAFETY: within the mapping. Where the system has no huge pages, it keeps the others.
        let _ = unsafe { rustix::mm::madvise(start.as_ptr().cast(), bytes, Advice::LinuxHugepage) };
        Some(Self { start, mapped: (base, length) })
    }

    /// Returns where the memory begins; it stays there until it is dropped.
    pub(crate) fn start(&self) -> NonNull<u8> {
        self.start
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        let (base, length) = self.mapped;
        // SAFETY: mapped in `new` with this length, and nothing borrows from it any more.
        let _ = unsafe { rustix::mm::munmap(base.as_ptr().cast(), length) };
    }
}

/// One aligned block on the stack.
#[repr(C, align(4096))]
pub(crate) struct AlignedBlock([u8; DIRECT_ALIGNMENT]);

impl AlignedBlock {
    pub(crate) fn new() -> Self {
        Self([0; DIRECT_ALIGNMENT])
    }

    pub(crate) fn bytes(&mut self) -> &mut [u8] {
        &mut self.0
    }
}
