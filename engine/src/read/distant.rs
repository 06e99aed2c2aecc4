//! Fetching sealed frames from destinations whose requests cost round trips.
//!
//! A round trip costs as much as some hundred kilobytes, so a frame is fetched together with neighbours that are likely
//! to be read next, as one range of the pack: a *run*. Frames of chunks lie in the order in which files were backed up,
//! and a run goes forward; trees lie before those that name them, so a run of trees goes backward, too. A run doubles
//! when it continues an earlier one of its pack. The workers of a restore overtake each other, so it may also begin
//! where the earlier one ended, to have what they skipped. A thread that needs a frame of a run that another one
//! fetches waits for it.
//!
//! ```text
//! frame wanted   7          9                  10      8      ...   40
//! run fetched    7          8 to 12            -       -            40
//! ```
//!
//! The latest runs are in memory, and every frame of them goes into the cache on disk.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock};

use lru::LruCache;
use yore_platform::ReadBuffer;

use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::format::id::ObjectId;
use crate::format::object::ObjectName;
use crate::format::pack::PackKind;
use crate::index::{BlobIndex, FrameSpan, Location, PackFrames};
use crate::read::frame_cache::{FrameCache, FrameKey};
use crate::read::reader::lock;

/// The bytes of a run that does not continue another one: of trees, and the least that one of chunks grows to.
const FIRST_RUN: u64 = 1 << 20;
/// The most bytes of a run.
const LONGEST_RUN: u64 = 4 << 20;
/// The most runs at the same time: those of the workers of a restore.
const RUNS: u64 = 12;
/// The bytes that a run may skip between two frames that are wanted; at 100 Mbit/s they cost less than 30 ms.
const GAP: u64 = 256 << 10;
/// The share of a reader's budget that runs take, and its bounds in bytes.
const SHARE: usize = 4;
const LEAST_ROOM: usize = 1 << 20;
const MOST_ROOM: usize = 48 << 20;
/// The number of packs whose last runs are known.
const PACKS: usize = 64;
/// The runs of a pack that may be continued: a restore reads at several places of a pack at the same time.
const STREAMS: usize = 8;

/// The runs of one reader.
pub(crate) struct Distant {
    cache: Option<Arc<FrameCache>>,
    /// The bytes that the latest runs may take.
    room: u64,
    /// Guards the latest runs.
    runs: Mutex<Runs>,
}

struct Runs {
    latest: VecDeque<Arc<Run>>,
    /// The last runs of each pack that was read lately, the newest last.
    last: LruCache<ObjectId, VecDeque<LastRun>>,
}

struct LastRun {
    range: Range<u64>,
    /// The bytes that it was meant to have.
    wanted: u64,
}

/// A range of a pack at one destination.
struct Run {
    /// The address of the backend.
    backend: usize,
    pack: ObjectId,
    range: Range<u64>,
    /// The frames in it.
    frames: Vec<FrameSpan>,
    /// The bytes once they were fetched; `None` after an error.
    bytes: OnceLock<Option<ReadBuffer>>,
}

impl Run {
    fn holds(&self, backend: usize, pack: ObjectId, frame: Range<u64>) -> bool {
        self.backend == backend
            && self.pack == pack
            && self.range.start <= frame.start
            && frame.end <= self.range.end
    }

    /// Returns the sealed bytes of a frame, if they were fetched.
    fn frame(&self, frame: Range<u64>) -> Option<&[u8]> {
        let start = usize::try_from(frame.start.checked_sub(self.range.start)?).ok()?;
        let end = usize::try_from(frame.end.checked_sub(self.range.start)?).ok()?;
        self.bytes.get()?.as_ref()?.get(start..end)
    }

    fn size(&self) -> u64 {
        self.range.end - self.range.start
    }
}

/// The frames that are fetched together with one that is needed.
#[derive(Clone, Copy)]
pub(crate) enum Extent {
    /// Neighbours that are likely to be needed.
    Likely,
    /// Everything up to this offset of the pack, and neighbours that are likely to be needed.
    Until(u64),
}

impl Distant {
    /// Makes room for runs in a share of `budget` bytes.
    pub(crate) fn new(cache: Option<Arc<FrameCache>>, budget: usize) -> Self {
        let packs = NonZeroUsize::new(PACKS).expect("more than none");
        let runs = Runs { latest: VecDeque::new(), last: LruCache::new(packs) };
        Self { cache, room: Self::room(budget) as u64, runs: Mutex::new(runs) }
    }

    /// Returns the bytes of a budget that runs take.
    pub(crate) fn room(budget: usize) -> usize {
        (budget / SHARE).clamp(LEAST_ROOM, MOST_ROOM)
    }

    /// Reads the sealed bytes of a frame from the cache; returns false if they are not there.
    pub(crate) fn read_cached(&self, location: &Location, out: &mut ReadBuffer) -> bool {
        self.cache.as_ref().is_some_and(|cache| cache.read(location, out))
    }

    /// Removes a frame that is not authentic, with the run that holds it.
    pub(crate) fn forget(&self, location: &Location) {
        if let Some(cache) = &self.cache {
            cache.forget(&FrameKey { pack: location.pack, number: location.number });
        }
        let is_held = |run: &Arc<Run>| run.holds(run.backend, location.pack, range_of(location));
        lock(&self.runs).latest.retain(|run| !is_held(run));
    }

    /// Returns true if a frame need not be fetched.
    pub(crate) fn has(&self, location: &Location) -> bool {
        let key = FrameKey { pack: location.pack, number: location.number };
        self.cache.as_ref().is_some_and(|cache| cache.has(&key))
            || lock(&self.runs).latest.iter().any(|run| {
                run.holds(run.backend, location.pack, range_of(location))
                    && !matches!(run.bytes.get(), Some(None))
            })
    }

    /// Fetches a frame, maybe with neighbours, and copies its sealed bytes to `out`.
    pub(crate) fn fetch(
        &self,
        backend: &dyn Backend,
        index: &BlobIndex,
        location: &Location,
        extent: Extent,
        out: &mut ReadBuffer,
    ) -> Result<()> {
        let (name, frame) = (ObjectName::pack(location.pack), range_of(location));
        let run = self.run(backend, index, location, extent);
        let (mut error, mut is_mine) = (None, false);
        run.bytes.get_or_init(|| {
            is_mine = true;
            let mut bytes = ReadBuffer::default();
            let read = backend.read_into(&name, run.range.clone(), &mut bytes);
            read.map_err(|cause| error = Some(cause)).ok().map(|()| bytes)
        });
        if let Some(bytes) = run.frame(frame.clone()) {
            out.fit(bytes.len());
            out.copy_from_slice(bytes);
            if is_mine {
                self.keep(&run, location.kind);
            }
            return Ok(());
        }
        lock(&self.runs).latest.retain(|latest| !Arc::ptr_eq(latest, &run));
        match error {
            // A pack that is too short for its neighbours may hold the frame all the same; and the run of another
            // thread has failed, maybe for a reason that has passed.
            Some(Error::Damaged { .. }) | None => backend.read_into(&name, frame, out),
            Some(error) => Err(error),
        }
    }

    /// Finds the run that holds a frame, or begins one.
    fn run(
        &self,
        backend: &dyn Backend,
        index: &BlobIndex,
        location: &Location,
        extent: Extent,
    ) -> Arc<Run> {
        let (address, frame) = (std::ptr::from_ref(backend).addr(), range_of(location));
        let is_held = |run: &&Arc<Run>| run.holds(address, location.pack, frame.clone());
        let frames = index.pack_frames(&location.pack);
        let mut runs = lock(&self.runs);
        if let Some(run) = runs.latest.iter().find(is_held) {
            return Arc::clone(run);
        }
        let plan = self.plan(&mut runs, location, extent);
        let is_free = |span: &FrameSpan| {
            let key = FrameKey { pack: location.pack, number: span.number };
            let range = span.offset..span.end();
            let is_held = |run: &Arc<Run>| run.holds(address, location.pack, range.clone());
            !self.cache.as_ref().is_some_and(|cache| cache.has(&key))
                && !runs.latest.iter().any(is_held)
        };
        let spans = match frames {
            Some(frames) => neighbours(&frames, location, &plan, is_free),
            None => vec![own_span(location)],
        };
        let start = spans.first().map_or(frame.start, |span| span.offset);
        let range = start..spans.last().map_or(frame.end, FrameSpan::end);
        runs.remember(location.pack, LastRun { range: range.clone(), wanted: plan.wanted });
        let (pack, bytes) = (location.pack, OnceLock::new());
        let run = Arc::new(Run { backend: address, pack, range, frames: spans, bytes });
        runs.latest.push_back(Arc::clone(&run));
        runs.trim(self.room);
        run
    }

    /// Decides where a run should begin, and how many bytes it should have.
    fn plan(&self, runs: &mut Runs, location: &Location, extent: Extent) -> Plan {
        let longest = LONGEST_RUN.min(self.room / RUNS).max(location.frame.sealed.into());
        let frame = range_of(location);
        let needed = match extent {
            Extent::Until(end) => end.saturating_sub(frame.start),
            Extent::Likely if location.kind == PackKind::Tree => FIRST_RUN,
            Extent::Likely => 0,
        };
        let (start, wanted) = match runs.take_continued(location) {
            Some(last) => (last.range.end.min(frame.start), (2 * last.wanted).max(FIRST_RUN)),
            None => (frame.start, 0),
        };
        Plan { start, wanted: wanted.max(needed).min(longest) }
    }

    /// Stores the frames of a run in the cache.
    fn keep(&self, run: &Run, kind: PackKind) {
        let Some(cache) = &self.cache else { return };
        let frames: Vec<(u32, &[u8])> = run
            .frames
            .iter()
            .filter_map(|span| Some((span.number, run.frame(span.offset..span.end())?)))
            .collect();
        cache.store(kind, run.pack, &frames);
    }
}

/// The place and the size that a run should have.
struct Plan {
    /// The offset at which it may begin, at most at that of the frame that is needed.
    start: u64,
    /// The bytes.
    wanted: u64,
}

impl LastRun {
    /// Returns true if a frame is likely to be read soon after the run.
    fn is_continued_by(&self, location: &Location) -> bool {
        let (frame, end) = (range_of(location), self.range.end);
        match location.kind {
            PackKind::Tree => {
                frame.start.abs_diff(end) <= GAP || frame.end.abs_diff(self.range.start) <= GAP
            }
            PackKind::Data => match frame.start.checked_sub(end) {
                Some(skipped) => skipped <= self.wanted.max(FIRST_RUN) / 2,
                None => end - frame.start <= GAP,
            },
        }
    }
}

impl Runs {
    /// Removes and returns the run that a frame continues.
    fn take_continued(&mut self, location: &Location) -> Option<LastRun> {
        let known = self.last.get_mut(&location.pack)?;
        let at = known.iter().rposition(|last| last.is_continued_by(location))?;
        known.remove(at)
    }

    fn remember(&mut self, pack: ObjectId, run: LastRun) {
        let known = self.last.get_or_insert_mut(pack, VecDeque::new);
        if known.len() == STREAMS {
            known.pop_front();
        }
        known.push_back(run);
    }

    /// Drops the oldest runs beyond `room`; those that are being fetched stay.
    fn trim(&mut self, room: u64) {
        let mut excess = self.latest.iter().map(|run| run.size()).sum::<u64>().saturating_sub(room);
        self.latest.retain(|run| {
            let stays = excess == 0 || run.bytes.get().is_none();
            if !stays {
                excess = excess.saturating_sub(run.size());
            }
            stays
        });
    }
}

/// Puts sorted frames together that lie so near that one range fetches them, each group with the offset of its end.
pub(crate) fn groups(locations: &[Location]) -> impl Iterator<Item = (&[Location], u64)> {
    let end = |location: &Location| range_of(location).end;
    let is_together = move |one: &Location, next: &Location| {
        one.pack == next.pack && next.offset <= end(one).saturating_add(GAP)
    };
    locations.chunk_by(is_together).filter_map(move |group| Some((group, group.last().map(end)?)))
}

fn range_of(location: &Location) -> Range<u64> {
    location.offset..location.offset.saturating_add(location.frame.sealed.into())
}

fn own_span(location: &Location) -> FrameSpan {
    let (number, offset) = (location.number, location.offset);
    FrameSpan { number, offset, sealed: location.frame.sealed }
}

/// Chooses the frames around one that is needed: as many as the bytes of the plan hold, and as `is_free` allows.
///
/// Of chunks, those from the beginning of the plan to the frame come first, then those behind it. Of trees a quarter of
/// the bytes lies behind the frame, the others before it.
fn neighbours(
    frames: &PackFrames<'_>,
    location: &Location,
    plan: &Plan,
    is_free: impl Fn(&FrameSpan) -> bool,
) -> Vec<FrameSpan> {
    let wanted = plan.wanted;
    let own = own_span(location);
    let (mut spans, mut size) = (VecDeque::from([own]), u64::from(own.sealed));
    let fits = |size: u64, limit: u64, span: &FrameSpan| {
        size.saturating_add(span.sealed.into()) <= limit && is_free(span)
    };
    let is_tree = location.kind == PackKind::Tree;
    let mut first = own;
    let skipped = |span: &FrameSpan| !is_tree && span.offset >= plan.start;
    while let Some(before) = first.number.checked_sub(1).and_then(|number| frames.get(number))
        && before.end() == first.offset
        && skipped(&before)
        && fits(size, wanted, &before)
    {
        (size, first) = (size + u64::from(before.sealed), before);
        spans.push_front(before);
    }
    let behind = if is_tree { wanted / 4 } else { wanted };
    let mut last = own;
    while let Some(next) = last.number.checked_add(1).and_then(|number| frames.get(number))
        && next.offset == last.end()
        && fits(size, behind, &next)
    {
        (size, last) = (size + u64::from(next.sealed), next);
        spans.push_back(next);
    }
    while is_tree
        && let Some(before) = first.number.checked_sub(1).and_then(|number| frames.get(number))
        && before.end() == first.offset
        && fits(size, wanted, &before)
    {
        (size, first) = (size + u64::from(before.sealed), before);
        spans.push_front(before);
    }
    spans.into()
}

#[cfg(test)]
mod tests;
