//! Counting the files of the sources before or during a backup, to foresee how long it takes.

use std::path::PathBuf;

use yore_platform::{Kind, Listing, MountKind, Mounts, path_metadata, snapshot_path, system_path};

use crate::backup::source::Dir;
use crate::backup::walk::exclude::Excluder;
use crate::backup::{BackupOptions, FileSystems};
use crate::error::Result;
use crate::operation::observer::{Event, Observer};
use crate::path::join;

/// A count of sources.
struct Count<'a> {
    excluder: Excluder<'a>,
    options: &'a BackupOptions,
    mounts: Mounts,
    observer: &'a dyn Observer,
    files: u64,
    bytes: u64,
}

/// Counts the files and bytes that a backup of `sources` meets, and reports them as [`Event::Expected`] when all are
/// counted.
///
/// What can't be read counts as nothing. Ends early when the observer is interrupted.
///
/// # Errors
/// A malformed pattern.
pub fn count_sources(
    sources: &[PathBuf],
    options: &BackupOptions,
    observer: &dyn Observer,
) -> Result<()> {
    let excluder = Excluder::new(&options.excludes)?;
    let mounts = Mounts::read().unwrap_or_default();
    let mut count = Count { excluder, options, mounts, observer, files: 0, bytes: 0 };
    for (number, source) in sources.iter().enumerate() {
        let is_within = |other: &PathBuf| source != other && source.starts_with(other);
        if sources.iter().any(is_within) || sources[..number].contains(source) {
            continue;
        }
        match path_metadata(source) {
            Ok(found) if found.kind == Kind::Directory => count.walk(snapshot_path(source)),
            Ok(found) => count.add(found.kind, found.size),
            Err(_) => {}
        }
    }
    if !observer.interrupted() {
        observer.event(Event::Expected { files: count.files, bytes: count.bytes });
    }
    Ok(())
}

impl Count<'_> {
    fn add(&mut self, kind: Kind, size: u64) {
        self.files += 1;
        self.bytes += if kind == Kind::File { size } else { 0 };
    }

    /// Walks a directory and everything below it.
    fn walk(&mut self, top: Vec<u8>) {
        let mut listing = Listing::new();
        let mut device = None;
        let mut pending = vec![top];
        while let Some(path) = pending.pop() {
            if self.observer.interrupted() {
                return;
            }
            let Ok(dir) = Dir::open_local(&system_path(&path)) else { continue };
            let Ok(found) = dir.metadata() else { continue };
            let is_other = *device.get_or_insert(found.device) != found.device;
            if is_other && self.options.file_systems == FileSystems::One {
                continue;
            }
            if dir.list(&mut listing).is_err() {
                continue;
            }
            if self.excluder.marker(&dir, &listing).is_some() {
                self.add(Kind::File, 0);
                continue;
            }
            self.add_dir(&dir, &path, &listing, &mut pending);
        }
    }

    /// Counts the files in a directory, and adds its directories to `pending`.
    fn add_dir(&mut self, dir: &Dir, path: &[u8], listing: &Listing, pending: &mut Vec<Vec<u8>>) {
        for listed in listing.iter() {
            let known = listed.kind.filter(|kind| *kind != Kind::File);
            let (kind, size) = match known {
                Some(kind) => (kind, 0),
                None => match dir.child_metadata(listed.name) {
                    Ok(found) => (found.kind, found.size),
                    Err(_) => continue,
                },
            };
            if self.excluder.leaves_out(path, listed.name, kind) {
                continue;
            }
            match kind {
                Kind::Directory => {
                    let below = join(path, listed.name);
                    let mounted = self.mounts.on(&system_path(&below));
                    // A drive may hang, and then the counter would never end.
                    if !matches!(mounted, Some(MountKind::Drive | MountKind::System(_))) {
                        pending.push(below);
                    }
                }
                kind if self.options.excludes.larger_than.is_none_or(|limit| size <= limit) => {
                    self.add(kind, size);
                }
                _ => {}
            }
        }
    }
}
