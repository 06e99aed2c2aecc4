//! The index: the location of every blob.
//!
//! An index object lists packs with their contents. For look-ups it is turned once into a segment:
//! a sorted table of blob ids, mapped from the cache folder or held in memory where there is none.
//! Segments are disposable; a blob found through one is compared with its name before it is used.
//! Segments of the cache are used if every index object that they cover is still listed.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::backend::{self, Backend, Mirrors};
use crate::error::{Error, Result};
use crate::format;
use crate::format::id::{BlobId, ObjectId};
use crate::format::index::IndexObject;
use crate::format::keys::Keys;
use crate::format::object::{Kind, ObjectName};
use crate::format::pack::{FrameInfo, PackInfo, PackKind};
use crate::format::seal;

mod blob_table;
mod contents;
mod pack_frames;
mod segment;

pub(crate) use blob_table::{BlobCopy, BlobTable};
pub(crate) use contents::{contents_of, load_contents, open_pack};
pub(crate) use pack_frames::{FrameSpan, PackFrames};
use segment::Segment;
pub(crate) use segment::{FrameBlob, FrameBlobs};

/// The most segments; more are merged into one.
const MAX_SEGMENTS: usize = 12;

/// The most index objects that are loaded at the same time where a request costs a round trip.
const AT_ONCE: usize = 8;

/// The location of a copy of a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location {
    /// The pack that holds it.
    pub pack: ObjectId,
    /// The kind of blobs in the pack.
    pub kind: PackKind,
    /// The number of its frame in the pack.
    pub number: u32,
    /// The offset of the frame in the pack.
    pub offset: u64,
    /// The stored form of the frame.
    pub frame: FrameInfo,
    /// The offset of the blob in the decoded frame.
    pub at: u32,
    /// The blob's length.
    pub length: u32,
}

/// Finds blobs.
#[derive(Default, Clone)]
pub struct BlobIndex {
    segments: Vec<Arc<Segment>>,
    condemned: HashSet<ObjectId>,
}

impl BlobIndex {
    /// Finds a copy of a blob that prune has not condemned.
    pub fn find(&self, id: &BlobId) -> Option<Location> {
        self.find_all(id).find(|location| !self.condemned.contains(&location.pack))
    }

    /// Finds every copy of a blob, condemned ones too.
    pub fn find_all<'a>(&'a self, id: &'a BlobId) -> impl Iterator<Item = Location> + 'a {
        self.segments.iter().flat_map(|segment| segment.find(id))
    }

    /// Finds the frame that lies `after` frames behind that of a blob in the same pack.
    pub(crate) fn frame_after(&self, id: &BlobId, after: u32) -> Option<FrameBlobs> {
        self.segments.iter().find_map(|segment| segment.frame_after(id, after))
    }

    /// Finds the frames of a pack.
    pub(crate) fn pack_frames(&self, id: &ObjectId) -> Option<PackFrames<'_>> {
        self.segments.iter().find_map(|segment| segment.pack_frames(id))
    }

    /// Returns the number of blobs, copies counted.
    pub fn blobs(&self) -> u64 {
        self.segments.iter().map(|segment| segment.len() as u64).sum()
    }

    /// Returns the bytes of memory that the index takes once all of it was read.
    pub(crate) fn memory(&self) -> usize {
        self.segments.iter().map(|segment| segment.memory()).sum()
    }

    /// Returns the bytes of all packs that the index describes.
    pub fn stored_bytes(&self) -> u64 {
        self.pack_sizes().values().fold(0, |sum, size| sum.saturating_add(*size))
    }

    /// Adds packs that were just written, until the index is opened anew.
    pub(crate) fn add(&mut self, packs: &[PackInfo], covers: &[ObjectId], cache: Option<&Path>) {
        self.segments.push(Arc::new(Segment::keep(Segment::build(packs, covers), cache)));
        // Segments of the cache are merged when it is opened next; in memory, now.
        if cache.is_none() && self.segments.len() > MAX_SEGMENTS {
            self.segments = vec![Arc::new(Segment::merge(&self.segments, None))];
        }
    }

    /// Returns the packs that the index describes, with their sizes.
    pub(crate) fn pack_sizes(&self) -> HashMap<ObjectId, u64> {
        self.segments.iter().flat_map(|segment| segment.pack_sizes()).collect()
    }

    /// Condemns packs: their blobs count as absent.
    pub(crate) fn condemn(&mut self, packs: impl IntoIterator<Item = ObjectId>) {
        self.condemned.extend(packs);
    }

    /// Condemns every described pack that is not among `listed` in its size (FORMAT.md §7).
    pub(crate) fn expect(&mut self, listed: &HashMap<ObjectId, u64>) {
        let described = self.segments.iter().flat_map(|segment| segment.pack_sizes());
        let absent = described.filter(|(id, size)| listed.get(id) != Some(size));
        self.condemned.extend(absent.map(|(id, _)| id));
    }
}

/// Loads an index object.
pub(crate) fn load(backend: &dyn Backend, keys: &Keys, name: &ObjectName) -> Result<IndexObject> {
    let mut object = backend::load(backend, name, seal::MAX_OBJECT as u64)?;
    let content = seal::open_whole(keys, Kind::Index, name, &mut object)?;
    IndexObject::decode(&content).map_err(|_| Error::damaged(name.as_str(), "it does not decode"))
}

/// Seals packs as an index object of these sessions; returns its name, its id and its bytes.
pub(crate) fn seal(
    keys: &Keys,
    packs: &[PackInfo],
    sessions: &[ObjectId],
) -> (ObjectName, ObjectId, Vec<u8>) {
    let content = format::index::encode(packs, &[], sessions);
    let id = ObjectId(keys.draw_salt(&content));
    let name = ObjectName::index(id);
    let object = seal::seal_by_any(keys, Kind::Index, &name, id.0, &content);
    (name, id, object)
}

/// Seals packs as an index object that replaces others of lower levels; returns its name and its bytes.
pub(crate) fn seal_merged(
    keys: &Keys,
    packs: &[PackInfo],
    replaces: &[ObjectId],
    level: u32,
) -> (ObjectName, Vec<u8>) {
    let content = format::index::encode(packs, replaces, &[]);
    let id = ObjectId(keys.draw_salt(&content));
    let name = ObjectName::merged_index(id, level);
    let object = seal::seal_by_any(keys, Kind::Index, &name, id.0, &content);
    (name, object)
}

/// An opened index, with the index objects that could not be read.
pub(crate) struct Opened {
    pub(crate) index: BlobIndex,
    pub(crate) damaged: Vec<Error>,
}

impl Opened {
    /// Returns true if an index object was deleted after it was listed.
    pub(crate) fn has_vanished(&self) -> bool {
        self.damaged.iter().any(|error| matches!(error, Error::Missing { .. }))
    }
}

/// Opens the index objects of these names: takes what the cache has of them and loads the rest.
///
/// A damaged index object is reported, not fatal: another one may describe the same packs, and a
/// blob that none describes fails when it is read.
pub(crate) fn open(
    mirrors: &Mirrors,
    keys: &Keys,
    names: &[ObjectName],
    condemned: HashSet<ObjectId>,
    cache: Option<&Path>,
) -> Result<Opened> {
    let listed: HashSet<ObjectId> = names.iter().filter_map(|n| n.id()).map(ObjectId).collect();
    let cached = cached_segments(cache, &listed);
    let mut covered: HashSet<ObjectId> =
        cached.iter().flat_map(|cached| cached.segment.covers()).collect();
    let mut segments: Vec<Arc<Segment>> =
        cached.iter().map(|cached| Arc::clone(&cached.segment)).collect();
    let mut damaged = Vec::new();
    // Those that replace others come first, so that the others need not be read.
    let levels = names.iter().filter_map(|one| Some((ObjectId(one.id()?), one.level())));
    let levels: HashMap<ObjectId, u32> = levels.collect();
    let mut names: Vec<&ObjectName> = names.iter().collect();
    names.sort_by_key(|name| std::cmp::Reverse(name.level()));
    let at_once = if mirrors.are_distant() { AT_ONCE } else { 1 };
    for level in names.chunk_by(|one, next| one.level() == next.level()) {
        let is_unknown =
            |name: &&ObjectName| name.id().is_some_and(|id| !covered.contains(&ObjectId(id)));
        let unknown: Vec<&ObjectName> = level.iter().copied().filter(is_unknown).collect();
        for some in unknown.chunks(at_once) {
            for (name, loaded) in some.iter().zip(load_at_once(mirrors, keys, some)) {
                let IndexObject { packs, replaces, .. } = match loaded {
                    Ok(object) => object,
                    Err(error @ (Error::Damaged { .. } | Error::Missing { .. })) => {
                        damaged.push(error);
                        continue;
                    }
                    Err(error) => return Err(error),
                };
                let is_below =
                    |id: &ObjectId| levels.get(id).is_some_and(|one| *one < name.level());
                let own = name.id().map(ObjectId);
                let replaced = replaces.into_iter().filter(is_below);
                let covers: Vec<ObjectId> = own.into_iter().chain(replaced).collect();
                segments.push(Arc::new(Segment::keep(Segment::build(&packs, &covers), cache)));
                covered.extend(covers);
            }
        }
    }
    if segments.len() > MAX_SEGMENTS {
        segments = vec![Arc::new(Segment::merge(&segments, cache))];
        for CachedSegment { path, .. } in &cached {
            // A file that stays costs space, nothing else.
            let _ = std::fs::remove_file(path);
        }
    }
    Ok(Opened { index: BlobIndex { segments, condemned }, damaged })
}

/// Loads index objects, each on a thread of its own if there are several.
fn load_at_once(mirrors: &Mirrors, keys: &Keys, names: &[&ObjectName]) -> Vec<Result<IndexObject>> {
    let load = |name: &ObjectName| mirrors.read(name, |backend| load(backend, keys, name));
    if let [only] = names {
        return vec![load(only)];
    }
    std::thread::scope(|scope| {
        let threads: Vec<_> = names.iter().map(|name| scope.spawn(move || load(name))).collect();
        let joined = threads.into_iter().map(|thread| thread.join());
        joined.map(|one| one.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    })
}

/// A segment and its file in the cache.
struct CachedSegment {
    path: PathBuf,
    segment: Arc<Segment>,
}

/// Opens the segments in the cache whose index objects are all still there, none covered twice.
fn cached_segments(cache: Option<&Path>, listed: &HashSet<ObjectId>) -> Vec<CachedSegment> {
    let Some(entries) = cache.and_then(|folder| std::fs::read_dir(folder).ok()) else {
        return Vec::new();
    };
    let paths: Vec<PathBuf> =
        entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    for path in paths.iter().filter(|path| yore_platform::is_abandoned(path).unwrap_or(false)) {
        // A file that stays costs space, nothing else.
        let _ = std::fs::remove_file(path);
    }
    let mut found: Vec<_> = paths
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == segment::EXTENSION))
        .filter_map(|path| Some((Segment::open(&path)?, path)))
        .collect();
    // One that covers more comes first: it may replace those that cover some of the same.
    found.sort_by_key(|(segment, _)| std::cmp::Reverse(segment.covers().count()));
    let mut covered = HashSet::new();
    let mut kept = Vec::new();
    for (segment, path) in found {
        let fits = segment.covers().all(|id| listed.contains(&id) && !covered.contains(&id));
        if fits && segment.covers().next().is_some() {
            covered.extend(segment.covers());
            kept.push(CachedSegment { path, segment: Arc::new(segment) });
        } else {
            let _ = std::fs::remove_file(path);
        }
    }
    kept
}

#[cfg(test)]
mod tests;
