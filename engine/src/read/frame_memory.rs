//! Memory for frames that are read, cut from slabs of which the system makes huge pages.
//!
//! The budget counts whole slabs, in use or not: that is the memory which the system has given.

use std::sync::{Mutex, MutexGuard, PoisonError};

use yore_platform::{HUGE_PAGE, ReadBuffer, Slab};

/// Hands out buffers.
#[derive(Default)]
pub(crate) struct FrameMemory {
    /// Guards the slabs. A buffer is cut from the first that has room, so that the last ones empty.
    slabs: Mutex<Vec<Slab>>,
}

impl FrameMemory {
    /// Takes a buffer with room for `bytes`, of any content, while all slabs stay within `room`.
    ///
    /// Returns `None` when frames have to be dropped first.
    pub(crate) fn take(&self, bytes: usize, room: usize) -> Option<ReadBuffer> {
        let mut slabs = self.lock();
        shrink_to(&mut slabs, room);
        let free = slabs.iter().find_map(|slab| slab.take(bytes));
        if free.is_some() {
            return free;
        }
        let left = room.checked_sub(slab_for(bytes))?;
        shrink_to(&mut slabs, left);
        (size(&slabs) <= left).then(|| make(&mut slabs, bytes))
    }

    /// Takes a buffer beyond the budget, for when there is nothing to drop.
    pub(crate) fn take_beyond(&self, bytes: usize) -> ReadBuffer {
        let mut slabs = self.lock();
        let free = slabs.iter().find_map(|slab| slab.take(bytes));
        free.unwrap_or_else(|| make(&mut slabs, bytes))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Slab>> {
        self.slabs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the size of a slab for a buffer of `bytes`.
fn slab_for(bytes: usize) -> usize {
    bytes.max(HUGE_PAGE)
}

fn size(slabs: &[Slab]) -> usize {
    slabs.iter().map(Slab::size).sum()
}

/// Makes a slab and takes a buffer of it.
fn make(slabs: &mut Vec<Slab>, bytes: usize) -> ReadBuffer {
    let slab = Slab::new(slab_for(bytes));
    let buffer = slab.take(bytes).expect("it was made for that");
    slabs.push(slab);
    buffer
}

/// Gives unused slabs back to the system while there are more than `bytes`.
fn shrink_to(slabs: &mut Vec<Slab>, bytes: usize) {
    let mut excess = size(slabs).saturating_sub(bytes);
    for n in (0..slabs.len()).rev() {
        if excess == 0 {
            return;
        }
        if slabs[n].is_unused() {
            excess = excess.saturating_sub(slabs.remove(n).size());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl FrameMemory {
        fn bytes(&self) -> usize {
            size(&self.lock())
        }
    }

    #[test]
    fn buffers_are_taken_within_the_room_and_used_again() {
        let (memory, room) = (FrameMemory::default(), 2 * HUGE_PAGE);
        let mut taken: Vec<_> = (0..9).map_while(|_| memory.take(500 << 10, room)).collect();
        assert_eq!((taken.len(), memory.bytes()), (8, room));
        assert!(memory.take(1, room).is_none());
        let last = taken.pop().map(|buffer| buffer.as_ptr());
        let again = memory.take(512 << 10, room).expect("one came back");
        assert_eq!(Some(again.as_ptr()), last);
        assert!(memory.take_beyond(1).capacity() > 0);
        assert_eq!(memory.bytes(), room + HUGE_PAGE);
        assert!(memory.take(1, room).is_none());
        assert_eq!(memory.bytes(), room);
    }

    #[test]
    fn a_slab_gives_way_to_a_larger_one_once_it_is_not_in_use() {
        let (memory, room) = (FrameMemory::default(), 3 * HUGE_PAGE);
        let first = memory.take(HUGE_PAGE, room).expect("room");
        let second = memory.take(1, room).expect("room");
        assert!(memory.take(5 << 20, room).is_none());
        assert_eq!(memory.bytes(), 2 * HUGE_PAGE);
        drop(first);
        assert!(memory.take(4 << 20, room).is_some_and(|buffer| buffer.len() >= 4 << 20));
        assert_eq!(memory.bytes(), room);
        drop(second);
        assert!(memory.take(7 << 20, room).is_none());
        assert!(memory.take(1, 0).is_none());
        assert_eq!(memory.bytes(), 0);
        assert!(memory.take_beyond(7 << 20).capacity() >= 7 << 20);
    }
}
