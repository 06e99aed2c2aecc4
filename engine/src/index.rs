//! Where every blob is: index objects, and the segments made of them.
//!
//! An index object lists packs with their contents. For lookups it is turned once into a segment:
//! a sorted table of blob ids, mapped from the cache folder or held in memory where there is none.
//! Segments are disposable; a blob found through one is compared with its name before it is used.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::backend::{self, Backend};
use crate::error::{Error, Result};
use crate::format;
use crate::format::id::{BlobId, ObjectId};
use crate::format::keys::Keys;
use crate::format::object::{Kind, ObjectName};
use crate::format::pack::{FrameInfo, PackInfo, PackKind};
use crate::format::seal;

mod contents;
mod segment;

pub(crate) use contents::load_contents;
pub(crate) use segment::FrameBlobs;
use segment::Segment;

/// Above so many segments, they are merged into one.
const MAX_SEGMENTS: usize = 12;

/// Where one blob is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location {
    /// The pack that holds it.
    pub pack: ObjectId,
    /// What the pack holds.
    pub kind: PackKind,
    /// The number of its frame in the pack.
    pub number: u32,
    /// Where the frame begins in the pack.
    pub offset: u64,
    /// How the frame is stored.
    pub frame: FrameInfo,
    /// Where the blob begins in the decoded frame.
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

    /// How many blobs there are, copies counted.
    pub fn blobs(&self) -> u64 {
        self.segments.iter().map(|segment| segment.len() as u64).sum()
    }

    /// Bytes of memory that the index takes once all of it has been looked at.
    pub(crate) fn memory(&self) -> usize {
        self.segments.iter().map(|segment| segment.memory()).sum()
    }

    /// Bytes that the packs take which the index describes.
    pub fn stored_bytes(&self) -> u64 {
        let packs: HashMap<ObjectId, u64> =
            self.segments.iter().flat_map(|segment| segment.pack_sizes()).collect();
        packs.values().fold(0, |sum, size| sum.saturating_add(*size))
    }

    /// Adds packs that have just been written, until the index is opened anew.
    pub(crate) fn add(&mut self, packs: &[PackInfo], covers: &[ObjectId], cache: Option<&Path>) {
        self.segments.push(Arc::new(Segment::keep(Segment::build(packs, covers), cache)));
        // Merging is for the next one who opens the index from the cache; here, memory counts.
        if cache.is_none() && self.segments.len() > MAX_SEGMENTS {
            self.segments = vec![Arc::new(Segment::merge(&self.segments, None))];
        }
    }

    /// Has packs that the index describes count as absent unless they are among `listed`, in their
    /// size (FORMAT.md §7).
    pub(crate) fn expect(&mut self, listed: &HashMap<ObjectId, u64>) {
        let described = self.segments.iter().flat_map(|segment| segment.pack_sizes());
        let absent = described.filter(|(id, size)| listed.get(id) != Some(size));
        self.condemned.extend(absent.map(|(id, _)| id));
    }

    /// Every pack that the index describes.
    pub(crate) fn packs(&self) -> HashSet<ObjectId> {
        self.segments.iter().flat_map(|segment| segment.pack_ids()).collect()
    }
}

/// Loads an index object.
pub(crate) fn load(backend: &dyn Backend, keys: &Keys, name: &ObjectName) -> Result<Vec<PackInfo>> {
    let mut object = backend::load(backend, name, seal::MAX_OBJECT as u64)?;
    let content = seal::open_whole(keys, Kind::Index, name, &mut object)?;
    format::index::decode(&content).map_err(|_| Error::damaged(name.as_str(), "it does not decode"))
}

/// Seals packs as an index object; returns its name, its id and its bytes.
pub(crate) fn seal(keys: &Keys, packs: &[PackInfo]) -> (ObjectName, ObjectId, Vec<u8>) {
    let content = format::index::encode(packs);
    let id = ObjectId(keys.draw_salt(&content));
    let name = ObjectName::index(id);
    let object = seal::seal_whole(keys, Kind::Index, &name, id.0, &content);
    (name, id, object)
}

/// The index as it was opened, and what of it could not be read.
pub(crate) struct Opened {
    pub(crate) index: BlobIndex,
    pub(crate) damaged: Vec<Error>,
}

/// Opens the index objects of these names: takes what the cache has of them and loads the rest.
///
/// An index object that is damaged is reported, not fatal: what it describes may be described
/// elsewhere, and what is not fails when it is asked for.
pub(crate) fn open(
    backend: &dyn Backend,
    keys: &Keys,
    names: &[ObjectName],
    condemned: HashSet<ObjectId>,
    cache: Option<&Path>,
) -> Result<Opened> {
    let listed: HashSet<ObjectId> = names.iter().filter_map(|n| n.id()).map(ObjectId).collect();
    let cached = cached_segments(cache, &listed);
    let covered: HashSet<ObjectId> = cached.iter().flat_map(|(_, s)| s.covers()).collect();
    let mut segments: Vec<Arc<Segment>> =
        cached.iter().map(|(_, segment)| Arc::clone(segment)).collect();
    let mut damaged = Vec::new();
    for name in names {
        let Some(id) = name.id().map(ObjectId).filter(|id| !covered.contains(id)) else { continue };
        match load(backend, keys, name) {
            Ok(packs) => {
                segments.push(Arc::new(Segment::keep(Segment::build(&packs, &[id]), cache)));
            }
            Err(error @ (Error::Damaged { .. } | Error::Missing { .. })) => damaged.push(error),
            Err(error) => return Err(error),
        }
    }
    if segments.len() > MAX_SEGMENTS {
        segments = vec![Arc::new(Segment::merge(&segments, cache))];
        for (path, _) in &cached {
            // A file that stays costs space, nothing else.
            let _ = std::fs::remove_file(path);
        }
    }
    Ok(Opened { index: BlobIndex { segments, condemned }, damaged })
}

/// Opens the segments in the cache whose every index object is still there, none covered twice.
fn cached_segments(
    cache: Option<&Path>,
    listed: &HashSet<ObjectId>,
) -> Vec<(PathBuf, Arc<Segment>)> {
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
    found.sort_by_key(|(segment, _)| std::cmp::Reverse(segment.covers().count()));
    let mut covered = HashSet::new();
    let mut kept = Vec::new();
    for (segment, path) in found {
        let fits = segment.covers().all(|id| listed.contains(&id) && !covered.contains(&id));
        if fits && segment.covers().next().is_some() {
            covered.extend(segment.covers());
            kept.push((path, Arc::new(segment)));
        } else {
            let _ = std::fs::remove_file(path);
        }
    }
    kept
}
