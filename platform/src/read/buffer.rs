//! The memory that ranges of files are read into.

use std::ops::{Deref, DerefMut, Range};

use super::region::{Part, Region};
use crate::sys::DIRECT_ALIGNMENT;

/// A growable buffer for reading, whose memory is aligned where reading past a page cache needs that.
///
/// It dereferences to its visible bytes; only a reader knows where in the memory they lie. A reader that
/// knows the length calls [`fit`](Self::fit) and fills them; one that receives pieces calls
/// [`clear`](Self::clear) and [`extend_from_slice`](Self::extend_from_slice); one that reads whole pages
/// fills [`memory_mut`](Self::memory_mut) and calls [`show`](Self::show) with the range that was wanted, so
/// that no byte is moved. All of the memory is always initialized. The default has none.
#[derive(Default)]
pub struct ReadBuffer {
    memory: Option<Part>,
    /// The place of the visible bytes in the memory.
    visible: Range<usize>,
}

impl ReadBuffer {
    /// The capacity that a buffer needs beyond the length of a range, so that a reader of whole pages has
    /// room for those around it. With less, it reads in another way.
    pub const MARGIN: usize = 2 * DIRECT_ALIGNMENT;

    /// Makes a buffer of `capacity` zero bytes, rounded up to whole pages, all of them visible.
    ///
    /// # Panics
    ///
    /// Panics if `capacity` is more than half of the address space; the process ends when there is no memory.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        if capacity == 0 {
            return Self::default();
        }
        Region::new(capacity, 1).take(capacity).map(Self::of).unwrap_or_default()
    }

    /// Makes a buffer of memory, all of it visible.
    pub(super) fn of(memory: Part) -> Self {
        Self { visible: 0..memory.len(), memory: Some(memory) }
    }

    /// Returns the size of the memory.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.memory.as_ref().map_or(0, |memory| memory.len())
    }

    /// Returns the visible bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.memory.as_ref().and_then(|memory| memory.get(self.visible.clone())).unwrap_or_default()
    }

    /// Returns the visible bytes, to be changed where they lie.
    #[must_use]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        let visible = self.visible.clone();
        self.memory.as_mut().and_then(|memory| memory.get_mut(visible)).unwrap_or_default()
    }

    /// Sets the number of visible bytes, from the first that is visible now; bytes that become visible hold
    /// what the memory last held there.
    ///
    /// # Panics
    ///
    /// Panics if the memory ends before.
    pub fn set_len(&mut self, len: usize) {
        let end = self.visible.start.checked_add(len).filter(|&end| end <= self.capacity());
        self.visible.end = end.expect("set_len takes no memory");
    }

    /// Makes `len` bytes visible, of any content; takes other memory where this has no room for them.
    pub fn fit(&mut self, len: usize) {
        if self.capacity() < len {
            *self = Self::new(len);
        }
        self.visible = 0..len;
    }

    /// Makes no byte visible, and keeps the memory.
    pub fn clear(&mut self) {
        self.visible = 0..0;
    }

    /// Appends to the visible bytes; takes larger memory where this has no room for them.
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        let (start, old) = (self.visible.start, self.len());
        let len = old.checked_add(bytes.len()).expect("a buffer fits into memory");
        if self.capacity() < len {
            let mut larger = Self::new(len.max(self.capacity().saturating_mul(2)));
            larger.memory_mut()[..old].copy_from_slice(self);
            *self = larger;
            self.visible = 0..len;
        } else if self.capacity() - start < len {
            self.memory_mut().copy_within(start..start + old, 0);
            self.visible = 0..len;
        } else {
            self.visible.end = start + len;
        }
        self.bytes_mut()[old..].copy_from_slice(bytes);
    }

    /// Returns all of the memory, for a reader that fills more of it than is wanted. Its beginning and its
    /// length are multiples of what reading past the page cache needs.
    #[must_use]
    pub fn memory_mut(&mut self) -> &mut [u8] {
        self.memory.as_deref_mut().unwrap_or_default()
    }

    /// Makes a range of the memory the visible bytes.
    ///
    /// # Panics
    ///
    /// Panics if the range begins after its end or ends after the memory.
    pub fn show(&mut self, range: Range<usize>) {
        assert!(range.start <= range.end && range.end <= self.capacity(), "a range of the memory");
        self.visible = range;
    }

    /// Returns the offset of the visible bytes in the memory.
    #[cfg(test)]
    pub(super) fn visible_start(&self) -> usize {
        self.visible.start
    }
}

impl Deref for ReadBuffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes()
    }
}

impl DerefMut for ReadBuffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.bytes_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::HUGE_PAGE;

    #[test]
    fn a_buffer_is_aligned_and_zero() {
        for capacity in [1, 4096, 4097, 1 << 20, HUGE_PAGE, HUGE_PAGE + 1] {
            let mut buffer = ReadBuffer::new(capacity);
            assert_eq!(buffer.capacity(), capacity.next_multiple_of(DIRECT_ALIGNMENT));
            assert_eq!(buffer.len(), buffer.capacity());
            assert_eq!(buffer.as_ptr().align_offset(DIRECT_ALIGNMENT), 0);
            assert!(buffer.iter().all(|&byte| byte == 0));
            buffer.fill(1);
        }
        assert_eq!(ReadBuffer::new(0).capacity(), 0);
    }

    #[test]
    fn bytes_that_are_not_in_use_are_kept() {
        let mut buffer = ReadBuffer::new(5000);
        buffer[4999] = 7;
        buffer.set_len(10);
        assert_eq!(buffer.len(), 10);
        buffer.set_len(8192);
        assert_eq!(buffer[4999], 7);
        buffer.fit(5000);
        assert_eq!((buffer.len(), buffer[4999]), (5000, 7));
        buffer.fit(8193);
        assert_eq!((buffer.len(), buffer.capacity()), (8193, 12288));
        assert!(ReadBuffer::default().is_empty());
    }

    #[test]
    fn only_the_range_that_was_wanted_is_visible() {
        let mut buffer = ReadBuffer::new(2 * DIRECT_ALIGNMENT);
        for (at, byte) in buffer.memory_mut().iter_mut().enumerate() {
            *byte = (at % 251) as u8;
        }
        buffer.show(100..300);
        assert_eq!((buffer.len(), buffer[0], buffer.bytes()[199]), (200, 100, 48));
        buffer.bytes_mut()[0] = 7;
        buffer.set_len(250);
        assert_eq!((buffer.len(), buffer[0], buffer[249]), (250, 7, 98));
        assert_eq!(buffer.visible_start(), 100);
        buffer.show(8192..8192);
        assert!(buffer.is_empty());
        buffer.fit(8192);
        assert_eq!((buffer.len(), buffer[100]), (8192, 7));
    }

    #[test]
    fn bytes_are_appended_wherever_the_visible_ones_lie() {
        let mut buffer = ReadBuffer::default();
        let mut expected = Vec::new();
        for round in 0..2000_usize {
            let piece = vec![round as u8; round % 37];
            buffer.extend_from_slice(&piece);
            expected.extend_from_slice(&piece);
            assert_eq!(buffer.bytes(), expected);
        }
        let (capacity, place) = (buffer.capacity(), buffer.memory_mut().as_ptr());
        buffer.show(capacity - 10..capacity);
        let shown = buffer.to_vec();
        buffer.extend_from_slice(b"more");
        assert_eq!(buffer.bytes(), [&shown[..], b"more"].concat());
        buffer.clear();
        assert!(buffer.is_empty());
        buffer.extend_from_slice(&expected[..capacity.min(expected.len())]);
        assert_eq!(buffer.as_ptr(), place, "the memory is kept");
    }
}
