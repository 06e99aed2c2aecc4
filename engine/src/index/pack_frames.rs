//! The frames of a pack in their order, for a reader that fetches neighbours together.

use super::segment::Segment;
use crate::format::id::ObjectId;

/// The frames of a pack, as a segment of the index describes them.
pub(crate) struct PackFrames<'a> {
    segment: &'a Segment,
    /// The number of the pack in the segment.
    pack: u32,
    /// The number of its first frame in the segment.
    first: u32,
}

/// The place of a frame in its pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameSpan {
    pub(crate) number: u32,
    pub(crate) offset: u64,
    /// The length of the sealed frame in bytes.
    pub(crate) sealed: u32,
}

impl FrameSpan {
    /// Returns the offset of the byte behind it.
    pub(crate) fn end(&self) -> u64 {
        self.offset.saturating_add(self.sealed.into())
    }
}

impl Segment {
    /// Finds the frames of a pack.
    ///
    /// It goes through the packs of the segment: that takes microseconds, and a request follows.
    pub(super) fn pack_frames(&self, id: &ObjectId) -> Option<PackFrames<'_>> {
        let pack = u32::try_from(self.pack_ids().position(|listed| listed == id.0)?).ok()?;
        Some(PackFrames { segment: self, pack, first: self.first_frame_of(pack) })
    }

    /// Returns the number of the first frame of a pack.
    pub(super) fn first_frame_of(&self, pack: u32) -> u32 {
        let (mut first, mut end) = (0, self.frame_count());
        while first < end {
            let middle = first + (end - first) / 2;
            match self.frame_span(middle).is_some_and(|(of, _)| of < pack) {
                true => first = middle + 1,
                false => end = middle,
            }
        }
        first
    }
}

impl PackFrames<'_> {
    /// Returns a frame by its number in the pack.
    pub(crate) fn get(&self, number: u32) -> Option<FrameSpan> {
        let (pack, span) = self.segment.frame_span(self.first.checked_add(number)?)?;
        (pack == self.pack && span.number == number).then_some(span)
    }
}
