//! Read-ahead in packs. Frames lie in a pack in the order in which files were backed up, so files
//! read in that order, whatever their directories, need one frame after the other.
//!
//! The window doubles with every frame that is reached in order, and closes when one is not: random
//! reads cause no read-ahead.
//!
//! ```text
//! frame wanted    3    3    4      5        7         20
//! window          0    1    2      4        4         0
//! decoded ahead   -    4    5, 6   7 to 9   10, 11    -
//! ```

use std::num::NonZeroUsize;
use std::sync::Mutex;

use lru::LruCache;

use crate::format::id::{BlobId, ObjectId};
use crate::read::reader::{Reader, lock};

/// The number of packs that are read in order at the same time.
const PACKS: usize = 16;
/// The most frames that are decoded ahead, of 512 KiB each.
const WINDOW: u32 = 8;

/// The progress of reads and read-ahead in each pack.
pub(crate) struct Sequences {
    /// Guards the packs that were read last.
    packs: Mutex<LruCache<ObjectId, Sequence>>,
}

struct Sequence {
    last: u32,
    window: u32,
    issued: u32,
}

/// A frame to decode before a read needs it: the one `after` frames behind that of a chunk.
pub struct FramePrefetch {
    from: BlobId,
    after: u32,
}

impl Sequences {
    pub(crate) fn new() -> Self {
        let packs = NonZeroUsize::new(PACKS).expect("more than none");
        Self { packs: Mutex::new(LruCache::new(packs)) }
    }

    /// Records that a frame is needed; returns the numbers of the frames to decode ahead.
    fn advance(&self, pack: ObjectId, number: u32) -> std::ops::Range<u32> {
        let mut packs = lock(&self.packs);
        let fresh = || Sequence { last: number, window: 0, issued: number };
        let Some(sequence) = packs.get_mut(&pack) else {
            packs.put(pack, fresh());
            return 0..0;
        };
        match number.checked_sub(sequence.last) {
            // The same frame again is no progress, but no random read either.
            Some(0) if sequence.window > 0 => return 0..0,
            Some(0 | 1) => sequence.window = (sequence.window * 2).clamp(1, WINDOW),
            // Files that are passed over may fill small frames.
            Some(2..=4) if sequence.window > 0 => {}
            _ => {
                *sequence = fresh();
                return 0..0;
            }
        }
        sequence.last = number;
        let first = sequence.issued.max(number) + 1;
        sequence.issued = sequence.issued.max(number.saturating_add(sequence.window));
        first..sequence.issued + 1
    }
}

impl Reader {
    /// Records that a chunk is about to be read; returns the frames to decode ahead if chunks are
    /// read in their order.
    pub fn plan_readahead(&self, id: &BlobId) -> Vec<FramePrefetch> {
        let Some(location) = self.index().find(id) else { return Vec::new() };
        let frames = self.sequences.advance(location.pack, location.number);
        frames.map(|number| FramePrefetch { from: *id, after: number - location.number }).collect()
    }

    /// Decodes a frame and verifies its chunks; an error is left to the read that meets it.
    pub fn prefetch_frame(&self, ahead: &FramePrefetch) {
        if let Some(found) = self.index().frame_after(&ahead.from, ahead.after)
            && let Ok(frame) = self.frame(&found.location)
        {
            self.verify_all(&frame, || Some(found));
        }
    }

    /// Decodes the frame of a chunk and verifies all chunks in it.
    pub(crate) fn prefetch_around(&self, id: &BlobId) {
        let index = self.index();
        if let Some(location) = index.find(id)
            && let Ok(frame) = self.frame(&location)
        {
            self.verify_all(&frame, || index.frame_after(id, 0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_opens_in_order_and_closes_otherwise() {
        let sequences = Sequences::new();
        let pack = ObjectId([1; 32]);
        let want = |number| sequences.advance(pack, number);
        assert!(want(3).is_empty());
        assert_eq!(want(3), 4..5);
        assert!(want(3).is_empty());
        assert_eq!(want(4), 5..7);
        assert_eq!(want(5), 7..10);
        assert_eq!(want(7), 10..12);
        assert!(want(20).is_empty());
        assert!(want(19).is_empty());
        assert_eq!(want(20), 21..22);
    }
}
