//! Decoding ahead in packs: frames lie in them in the order in which files were backed up, so files
//! that are read in that order, through whatever directories, want one frame after the other.
//!
//! The window doubles with every frame that is reached in order, and is gone as soon as one is not:
//! who reads here and there causes nothing to be read that was not asked for.

use std::num::NonZeroUsize;
use std::sync::Mutex;

use lru::LruCache;

use crate::format::id::{BlobId, ObjectId};
use crate::read::reader::{Reader, lock};

/// How many packs are read in order at the same time.
const PACKS: usize = 16;
/// The most frames that are decoded ahead, of 512 KiB each.
const WINDOW: u32 = 8;

/// How far each pack is wanted, and decoded ahead.
pub(crate) struct Sequences {
    /// Guards the packs that were read last.
    packs: Mutex<LruCache<ObjectId, Sequence>>,
}

struct Sequence {
    last: u32,
    window: u32,
    issued: u32,
}

/// A frame that is worth decoding before anybody asks for it.
pub struct FramePrefetch {
    from: BlobId,
    after: u32,
}

impl Sequences {
    pub(crate) fn new() -> Self {
        let packs = NonZeroUsize::new(PACKS).expect("more than none");
        Self { packs: Mutex::new(LruCache::new(packs)) }
    }

    /// Notes that a frame is wanted; returns the numbers of those to decode ahead.
    fn want(&self, pack: ObjectId, number: u32) -> std::ops::Range<u32> {
        let mut packs = lock(&self.packs);
        let fresh = || Sequence { last: number, window: 0, issued: number };
        let Some(sequence) = packs.get_mut(&pack) else {
            packs.put(pack, fresh());
            return 0..0;
        };
        match number.checked_sub(sequence.last) {
            // The same again says nothing yet, except that it is not read here and there.
            Some(0) if sequence.window > 0 => return 0..0,
            Some(0 | 1) => sequence.window = (sequence.window * 2).clamp(1, WINDOW),
            // Small frames may be passed over by files that are not wanted.
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
    /// Notes that a chunk is about to be read; returns the frames that are worth decoding now if
    /// chunks are read in the order in which they lie.
    pub fn plan_readahead(&self, id: &BlobId) -> Vec<FramePrefetch> {
        let Some(location) = self.index().find(id) else { return Vec::new() };
        let frames = self.sequences.want(location.pack, location.number);
        frames.map(|number| FramePrefetch { from: *id, after: number - location.number }).collect()
    }

    /// Makes a frame and the chunks in it ready; what fails will fail again when it is read.
    pub fn prefetch_frame(&self, ahead: &FramePrefetch) {
        if let Some(found) = self.index().frame_after(&ahead.from, ahead.after)
            && let Ok(frame) = self.frame(&found.location)
        {
            self.compare_all(&frame, || Some(found));
        }
    }

    /// Makes the frame of a chunk ready, with the chunks around it, for whoever wants them all.
    pub(crate) fn prefetch_around(&self, id: &BlobId) {
        let index = self.index();
        if let Some(location) = index.find(id)
            && let Ok(frame) = self.frame(&location)
        {
            self.compare_all(&frame, || index.frame_after(id, 0));
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
        let want = |number| sequences.want(pack, number);
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
