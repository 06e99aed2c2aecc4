//! Sources as they were at one moment: snapshots of their file systems, from which they are read.
//!
//! Each file system of a source, and each subvolume of btrfs in it, has a snapshot of its own; all are made between the
//! hooks `snapshot-before` and `snapshot-after`. They are deleted when the source was read, whatever came of it. The names
//! tell which process made them: what a killed one left, the next run deletes.

mod btrfs;
mod lvm;
mod volume;
mod zfs;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use yore_engine::backup::{FileSystems, Place, Places};
use yore_platform::{MountedFileSystem, Mounts, Subvolume, Timestamp, volume_snapshot_name};

use super::hooks;
use crate::args::file_system_snapshot::{FileSystemSnapshot, VolumeKind};
use crate::args::time;
use crate::config::Hooks;
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use volume::{Held, Volume};

/// The most subvolumes inside of others of which a snapshot is made; containers can have thousands.
const MOST_NESTED: usize = 100;

/// The way in which a source is to be frozen.
pub struct Request<'a> {
    /// The kind of snapshot.
    pub how: FileSystemSnapshot,
    /// The name of the source in the configuration.
    pub source: &'a str,
    /// The file systems of it that are read.
    pub file_systems: FileSystems,
    /// The commands around the moment.
    pub hooks: &'a Hooks,
}

/// The file systems of a source at one moment, as far as they have one; dropped, it ends.
pub struct Frozen<'c> {
    context: &'c Context,
    held: Vec<Held>,
    /// The folders at which reading goes on in another place, and those places; the same where it goes on live.
    folders: Vec<(PathBuf, PathBuf)>,
    moment: Option<Timestamp>,
    /// Set if a part of the source is read live.
    is_partly_live: bool,
}

/// Makes snapshots of the file systems that hold `paths`, as far as the request wants it.
///
/// # Errors
/// A hook failed; or a kind of snapshot is wanted that can't be made.
pub fn freeze<'c>(
    context: &'c Context,
    request: &Request<'_>,
    paths: &[PathBuf],
) -> Outcome<Frozen<'c>> {
    let mut frozen = Frozen {
        context,
        held: Vec::new(),
        folders: Vec::new(),
        moment: None,
        is_partly_live: true,
    };
    if request.how == FileSystemSnapshot::Never {
        return Ok(frozen);
    }
    let mounts = Mounts::read().map_err(|error| Failure::local(Path::new("/proc"), error))?;
    let volumes = find(context, request, &mounts, paths, &mut frozen)?;
    if volumes.is_empty() {
        tell_unused_hook(context, request);
        return Ok(frozen);
    }
    for volume in &volumes {
        if let Err(why) = volume.remove_left() {
            frozen.tell_left(volume.top(), &why);
        }
    }
    let name = request.source;
    let before = hooks::at_snapshot(context, request.hooks, name, "snapshot-before");
    let taken = before.and_then(|()| {
        frozen.moment = Some(time::present(&jiff::ZonedDateTime::now()).0);
        take_all(&mut frozen, request, volumes, paths)
    });
    // What stands still since the first hook goes on by the second, whatever came between.
    let thawed = hooks::at_snapshot(context, request.hooks, name, "snapshot-after");
    if let (Err(_), Err(failure)) = (&taken, &thawed) {
        context.screen.problem("hook snapshot-after", &failure.what);
    }
    taken.and(thawed)?;
    Ok(frozen)
}

/// Finds the volumes of the file systems that hold the paths, and of those that are mounted below them.
fn find(
    context: &Context,
    request: &Request<'_>,
    mounts: &Mounts,
    paths: &[PathBuf],
    frozen: &mut Frozen<'_>,
) -> Outcome<Vec<Volume>> {
    frozen.is_partly_live = false;
    let mut volumes: Vec<Volume> = Vec::new();
    let mut add = |volume: Volume| {
        if volumes.iter().all(|known| known.top() != volume.top()) {
            volumes.push(volume);
        }
    };
    for path in paths {
        let mounted = mounts.holding(path);
        match mounted.map_or(Ok(None), |mounted| volume_of(request.how, mounted, path)) {
            Ok(Some(volume)) => add(volume),
            Ok(None) => frozen.live_source(request, path, &not_of_kind(request.how, mounted))?,
            Err(why) => frozen.live_source(request, path, &why)?,
        }
    }
    for path in paths {
        for point in mounts.below(path) {
            // One that is not entered is known by its live number.
            frozen.folders.push((point.to_owned(), point.to_owned()));
            if request.file_systems == FileSystems::One {
                continue;
            }
            let mounted = mounts.holding(point).filter(|mounted| mounted.point == point);
            let volume = mounted.map_or(Ok(None), |mounted| volume_of(request.how, mounted, point));
            match volume {
                Ok(Some(volume)) => add(volume),
                Ok(None) => frozen.is_partly_live = true,
                Err(why) => {
                    frozen.is_partly_live = true;
                    context.screen.note(&format!("{} is read live: {why}", point.display()));
                }
            }
        }
    }
    Ok(volumes)
}

/// Finds what a snapshot can be made of; `None` where the file system is of no wanted kind.
fn volume_of(
    how: FileSystemSnapshot,
    mounted: &MountedFileSystem,
    path: &Path,
) -> Result<Option<Volume>, String> {
    let volume = Volume::of(mounted, path)?;
    Ok(volume.filter(|volume| match how {
        FileSystemSnapshot::Of(kind) => volume.kind() == kind,
        FileSystemSnapshot::Auto | FileSystemSnapshot::Never => true,
    }))
}

fn not_of_kind(how: FileSystemSnapshot, mounted: Option<&MountedFileSystem>) -> String {
    let kind = mounted.map_or("a file system without snapshots", |mounted| mounted.kind.as_str());
    match how {
        FileSystemSnapshot::Of(VolumeKind::Lvm) => format!("its {kind} is on no logical volume"),
        FileSystemSnapshot::Of(wanted) => format!("it is on {kind}, not on {}", wanted.word()),
        FileSystemSnapshot::Auto | FileSystemSnapshot::Never => String::new(),
    }
}

/// Says that a hook for the moment of the snapshots is not run, because there is none.
fn tell_unused_hook(context: &Context, request: &Request<'_>) {
    if request.hooks.snapshot_before.is_some() || request.hooks.snapshot_after.is_some() {
        let what = "it is read live, so hooks.snapshot-before and hooks.snapshot-after are not run";
        context.screen.problem(&format!("source {}", request.source), what);
    }
}

/// Makes the snapshots of all volumes, and of the subvolumes in them.
fn take_all(
    frozen: &mut Frozen<'_>,
    request: &Request<'_>,
    volumes: Vec<Volume>,
    paths: &[PathBuf],
) -> Outcome<()> {
    for volume in volumes {
        let top = volume.top().to_owned();
        match volume.take(next_name()) {
            Ok(held) => frozen.hold(top, held),
            Err(why) => frozen.live_source(request, &top, &why)?,
        }
    }
    frozen.take_nested(request, paths)?;
    let of_source = |folder: &Path| paths.iter().any(|path| overlap(folder, path));
    for (folder, place) in
        frozen.folders.iter().filter(|(folder, place)| folder != place && of_source(folder))
    {
        let (folder, place) = (folder.display(), place.display());
        frozen.context.screen.detail(format!("{folder} is read from the snapshot {place}"));
    }
    Ok(())
}

fn next_name() -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    volume_snapshot_name(NUMBER.fetch_add(1, Ordering::Relaxed))
}

fn overlap(one: &Path, other: &Path) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

fn label(folder: &Path) -> String {
    folder.display().to_string()
}

impl Frozen<'_> {
    /// Returns true if all of the source is read as it was at the moment, so that it may change now.
    pub fn is_whole(&self) -> bool {
        !self.is_partly_live
    }

    /// Returns where paths of a snapshot are read, of which each is given with the live one.
    ///
    /// # Errors
    /// A live path is not there any more.
    pub fn places(&self, paths: &[(PathBuf, PathBuf)]) -> Outcome<Places> {
        let mut places = Vec::new();
        for (path, live) in paths {
            let folder = self.folder_of(live);
            if folder != *live || path != live {
                places.push(Place { path: path.clone(), live: live.clone(), folder });
            }
            for (inner, folder) in &self.folders {
                let Ok(rest) = inner.strip_prefix(live) else { continue };
                if inner != live {
                    let (live, folder) = (inner.clone(), folder.clone());
                    places.push(Place { path: path.join(rest), live, folder });
                }
            }
        }
        let live = paths.first().map_or(Path::new("/"), |(_, live)| live.as_path());
        Places::new(&places, self.moment).map_err(|error| Failure::local(live, error))
    }

    /// Returns where a live path is read: in the place of the nearest folder above that has one.
    fn folder_of(&self, live: &Path) -> PathBuf {
        let above = self.folders.iter().filter(|(folder, _)| live.starts_with(folder));
        let nearest = above.max_by_key(|(folder, _)| folder.components().count());
        nearest.map_or_else(
            || live.to_owned(),
            |(folder, place)| {
                let rest = live.strip_prefix(folder).expect("it is above");
                rest.components().fold(place.clone(), |path, name| path.join(name))
            },
        )
    }

    /// Says that a snapshot that an earlier run left could not be deleted.
    fn tell_left(&self, top: &Path, why: &str) {
        let what = format!("a snapshot that an earlier backup left could not be deleted: {why}");
        self.context.screen.problem(&label(top), &what);
    }

    fn hold(&mut self, top: PathBuf, held: Held) {
        self.folders.retain(|(folder, _)| *folder != top);
        self.folders.push((top, held.folder()));
        self.held.push(held);
    }

    /// Reads a part of the source live, unless a kind of snapshot is wanted of it: then the source is not read.
    fn live_source(&mut self, request: &Request<'_>, path: &Path, why: &str) -> Outcome<()> {
        let path = path.display();
        match request.how {
            FileSystemSnapshot::Of(kind) => Err(Failure::new(
                Exit::Failed,
                format!("no {} snapshot of {path} can be made: {why}", kind.word()),
                "nothing of it was read; with snapshot = \"auto\" it is read live where that is so",
            )),
            FileSystemSnapshot::Auto | FileSystemSnapshot::Never => {
                self.is_partly_live = true;
                match why.is_empty() {
                    true => self.context.screen.detail(format!("{path} is read live")),
                    false => {
                        let what = format!(
                            "{path} is read live, since no snapshot of its file system can be made: {why}"
                        );
                        self.context.screen.note(&what);
                    }
                }
                Ok(())
            }
        }
    }

    /// Makes snapshots of the subvolumes of btrfs inside of those that are held: a snapshot shows them as empty folders.
    fn take_nested(&mut self, request: &Request<'_>, paths: &[PathBuf]) -> Outcome<()> {
        let subvolumes = self.held.iter().filter_map(Held::subvolume).map(|s| s.top().to_owned());
        let mut open: Vec<PathBuf> = subvolumes.collect();
        let (mut taken, mut left) = (0, 0);
        while let Some(top) = open.pop() {
            let inner = match subvolumes_in(&top) {
                Ok(inner) => inner,
                Err(why) => {
                    self.live_source(request, &top, &format!("what is in it is not known: {why}"))?;
                    // A snapshot shows subvolumes inside of it as empty folders.
                    self.folders.retain(|(folder, _)| *folder != top);
                    self.folders.push((top.clone(), top));
                    continue;
                }
            };
            let is_new = |inner: &Subvolume| {
                let is_known =
                    self.held.iter().filter_map(Held::subvolume).any(|s| s.top() == inner.top());
                !is_known && paths.iter().any(|path| inner.top().starts_with(path))
            };
            for inner in inner.into_iter().filter(is_new).collect::<Vec<_>>() {
                let top = inner.top().to_owned();
                open.push(top.clone());
                // What can't change is as it was, and what is not entered is known by its live number.
                let is_entered = request.file_systems == FileSystems::All;
                if !is_entered || inner.is_read_only().unwrap_or(false) {
                    self.folders.push((top.clone(), top));
                    continue;
                }
                if taken == MOST_NESTED {
                    left += 1;
                    self.folders.push((top.clone(), top));
                    continue;
                }
                taken += 1;
                if let Err(why) = btrfs::remove_left(&inner) {
                    self.tell_left(&top, &why);
                }
                match Volume::Btrfs(inner).take(next_name()) {
                    Ok(held) => self.hold(top, held),
                    Err(why) => {
                        self.live_source(request, &top, &why)?;
                        self.folders.push((top.clone(), top));
                    }
                }
            }
        }
        if left > 0 {
            self.is_partly_live = true;
            let what = format!(
                "{left} subvolumes inside of it are read live: there are more than {MOST_NESTED}"
            );
            self.context.screen.note(&what);
        }
        Ok(())
    }
}

/// Returns the subvolumes directly in one that are seen at their place.
fn subvolumes_in(top: &Path) -> Result<Vec<Subvolume>, String> {
    let reason = |error: std::io::Error| crate::failure::engine_error::reason(&error);
    let Some(subvolume) = Subvolume::holding(top).map_err(reason)? else { return Ok(Vec::new()) };
    let tops = btrfs::below(&subvolume).map_err(reason)?;
    // Another file system may be mounted over it, and it may be gone since.
    let seen = tops.into_iter().filter_map(|top| {
        let found = Subvolume::holding(&top).ok().flatten();
        found.filter(|found| found.top() == top)
    });
    Ok(seen.collect())
}

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        for mut held in self.held.drain(..).rev() {
            if let Err(why) = held.delete() {
                let place = held.folder();
                let what = format!(
                    "the snapshot of a file system could not be deleted, which the next backup tries again: {why}"
                );
                self.context.screen.problem(&label(&place), &what);
            }
        }
    }
}
