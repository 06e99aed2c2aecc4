//! Sizes and savings of a repository.

use std::collections::HashSet;

use crate::error::Result;
use crate::format::object::{Area, ObjectName};
use crate::format::pack::PackKind;
use crate::index;
use crate::repository::{Problems, Repository};

/// What a repository holds and what it takes.
#[derive(Debug, Default)]
pub struct Stats {
    /// Snapshots that count.
    pub snapshots: u64,
    /// Packs that an index describes.
    pub packs: u64,
    /// Different blobs.
    pub blobs: u64,
    /// Bytes stored, by area, in the order of [`Area::ALL`].
    pub stored: Vec<(Area, u64)>,
    /// Bytes of files that their writers have not finished, and that may be abandoned; not among `stored`.
    pub unfinished: u64,
    /// Bytes of different chunks before compression.
    pub raw_data: u64,
    /// Bytes of different trees and lists before compression.
    pub raw_trees: u64,
    /// Bytes of the packs that an index describes.
    pub packed: u64,
    /// Bytes of files that the snapshots describe together.
    pub described: u64,
    /// What could not be read on the way.
    pub problems: Problems,
}

impl Stats {
    /// Bytes stored in all.
    pub fn stored_bytes(&self) -> u64 {
        self.stored.iter().map(|(_, bytes)| bytes).sum()
    }

    /// How many bytes of blobs one stored byte of packs stands for; `None` without packs.
    pub fn compression(&self) -> Option<f64> {
        ratio(self.raw_data + self.raw_trees, self.packed)
    }

    /// How many bytes of files one byte of chunks stands for; `None` without chunks.
    pub fn deduplication(&self) -> Option<f64> {
        ratio(self.described, self.raw_data)
    }
}

fn ratio(of: u64, to: u64) -> Option<f64> {
    (to > 0).then(|| of as f64 / to as f64)
}

/// Adds up a repository's sizes from its lists and indexes.
pub fn stats(repository: &Repository) -> Result<Stats> {
    let found = repository.snapshots()?;
    let mut stats = Stats {
        snapshots: found.list.len() as u64,
        described: found.list.iter().map(|entry| entry.snapshot.totals.bytes).sum(),
        problems: found.problems,
        ..Stats::default()
    };
    let mut indexes = Vec::new();
    for area in Area::ALL {
        let listed = repository.backend().list(area)?;
        stats.stored.push((area, listed.iter().map(|stored| stored.size).sum()));
        if area == Area::Index {
            indexes = listed;
        }
    }
    // Now that every area was listed.
    match repository.backend().unfinished() {
        Ok(files) => stats.unfinished = files.iter().map(|file| file.size).sum(),
        Err(error) => stats.problems.push(error),
    }
    let (mut blobs, mut packs) = (HashSet::new(), HashSet::new());
    for stored in indexes {
        match index::load(&**repository.backend(), &repository.keys, &stored.name) {
            Ok(described) => described.packs.iter().for_each(|pack| {
                if !packs.insert(pack.id) {
                    return;
                }
                stats.packed += pack.size;
                for (id, length) in &pack.contents.blobs {
                    // Half an id tells blobs apart as well, in half the memory.
                    let (half, _) = id.0.split_first_chunk::<16>().expect("an id has 32 bytes");
                    let raw = match pack.kind {
                        PackKind::Data => &mut stats.raw_data,
                        PackKind::Tree => &mut stats.raw_trees,
                    };
                    *raw += if blobs.insert(*half) { u64::from(*length) } else { 0 };
                }
            }),
            Err(error) => stats.problems.push(error),
        }
    }
    (stats.blobs, stats.packs) = (blobs.len() as u64, packs.len() as u64);
    for name in [ObjectName::header(), ObjectName::destination()] {
        let size = repository.backend().size(&name)?.unwrap_or(0);
        // Both belong to no area; the headers' is nearest.
        stats.stored.iter_mut().take(1).for_each(|(_, bytes)| *bytes += size);
    }
    Ok(stats)
}
