//! Sizes and savings of a repository.

use std::collections::HashSet;

use crate::error::Result;
use crate::format::object::{Area, ObjectName};
use crate::format::pack::PackKind;
use crate::index;
use crate::repository::{Problems, Repository};

/// The contents and sizes of a repository.
#[derive(Debug, Default)]
pub struct Stats {
    /// Snapshots that count.
    pub snapshots: u64,
    /// Packs that an index describes.
    pub packs: u64,
    /// Distinct blobs.
    pub blobs: u64,
    /// Bytes stored, by area, in the order of [`Area::ALL`].
    pub stored: Vec<(Area, u64)>,
    /// Bytes of temporary files, which may be abandoned; not included in `stored`.
    pub unfinished: u64,
    /// Bytes of distinct chunks before compression.
    pub raw_data: u64,
    /// Bytes of distinct trees and lists before compression.
    pub raw_trees: u64,
    /// Bytes of the packs that an index describes.
    pub packed: u64,
    /// Bytes of the files in all snapshots together.
    pub described: u64,
    /// The errors of objects that could not be read.
    pub problems: Problems,
}

impl Stats {
    /// Returns the bytes stored in all areas.
    pub fn stored_bytes(&self) -> u64 {
        self.stored.iter().map(|(_, bytes)| bytes).sum()
    }

    /// Returns the bytes of blobs for each stored byte of packs; `None` without packs.
    pub fn compression(&self) -> Option<f64> {
        ratio(self.raw_data + self.raw_trees, self.packed)
    }

    /// Returns the bytes of files for each byte of chunks; `None` without chunks.
    pub fn deduplication(&self) -> Option<f64> {
        ratio(self.described, self.raw_data)
    }
}

fn ratio(of: u64, to: u64) -> Option<f64> {
    (to > 0).then(|| of as f64 / to as f64)
}

/// Computes the sizes of a repository from its lists and indexes.
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
    // The lists above have found the temporary files.
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
                    // Half of an id distinguishes blobs as well, in half the memory.
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
        // Both belong to no area; they are added to that of the headers.
        stats.stored.iter_mut().take(1).for_each(|(_, bytes)| *bytes += size);
    }
    Ok(stats)
}
