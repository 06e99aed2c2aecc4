//! Following names that come to mean something else: what a place is at present, and what hosts must forget
//! when that changes.
//!
//! A working directory in `latest` stays where it is: the number belongs to the name. So a place below such a
//! name is found again in the new state by its own name when it is next used; what is not there any more
//! stays what it was.

use yore_engine::{DirRef, Pairs, SeenNode};
use yore_platform::VolumeError;

use crate::inode::number::PlaceNo;
use crate::inode::place::{Body, Entered, Place};
use crate::inode::tables::{Step, TreeSource};
use crate::refresh::Changed;
use crate::tree::listing::{Inside, find_dir};
use crate::tree::state_tree::{numbered, tree_of};
use crate::volume::SnapshotVolume;

type Answer<T> = Result<T, VolumeError>;

/// Returns what a place is at present.
pub(crate) fn current(volume: &SnapshotVolume, place: PlaceNo) -> Answer<Place> {
    loop {
        match volume.tables.step(place)? {
            Step::Current(place) => return Ok(place),
            Step::Follow { below, name, parent: (number, parent) } => {
                let version = parent.version;
                let found = find_dir(volume, &inside(volume, number, parent)?, &name)?;
                volume.tables.follow(below, version, found);
            }
        }
    }
}

/// Goes into a directory of a state.
///
/// # Errors
/// Damaged when its tree can't be put together, or was unreadable at its backup.
pub(crate) fn inside(volume: &SnapshotVolume, number: PlaceNo, place: Place) -> Answer<Inside> {
    let (state, origin, tree) = match place.body {
        Body::Made(_) => return Err(VolumeError::Stale),
        Body::Inside(dir) => (dir.state, dir.origin, dir.tree),
        Body::Top(state, Some(entered)) => (state, entered.origin, entered.tree),
        Body::Top(state, None) => {
            let dir = state.top(&volume.tables, &volume.reader)?;
            let entered: Entered = numbered(&volume.tables, &state, &[][..].into(), &dir)?;
            volume.tables.keep_entered(number, place.version, entered);
            (state, entered.origin, entered.tree)
        }
    };
    let tree = tree_of(tree)?;
    volume.tables.look_into(place.path, tree);
    Ok(Inside { place: number, version: place.version, state, origin, tree, ttl: place.ttl })
}

/// A directory that hosts hold, as it was and as it will be.
struct Pair {
    place: PlaceNo,
    before: DirRef,
    after: DirRef,
}

/// Adds what hosts must forget of a held place, and of those below it, when it goes from one tree to another.
pub(crate) fn differences(
    volume: &SnapshotVolume,
    place: PlaceNo,
    before: Option<TreeSource>,
    after: DirRef,
    changed: &mut Changed,
) {
    changed.directories.push(place.ino());
    let before = match before {
        Some(TreeSource::Blob(id, _)) => DirRef::Tree(id),
        Some(TreeSource::Merged { nodes, .. }) => DirRef::Merged(nodes),
        // Nobody saw what was in it.
        None => return,
    };
    let mut pending = vec![Pair { place, before, after }];
    while let Some(pair) = pending.pop() {
        if let Err(error) = names(volume, &pair, &mut pending, changed) {
            changed.problems.push(error);
        }
    }
}

fn names(
    volume: &SnapshotVolume,
    both: &Pair,
    pending: &mut Vec<Pair>,
    changed: &mut Changed,
) -> yore_engine::Result<()> {
    let readable = |dir| Some(dir).filter(|dir| !matches!(dir, &&DirRef::Unreadable));
    let (before, after) = (readable(&both.before), readable(&both.after));
    if let (Some(DirRef::Tree(before)), Some(DirRef::Tree(after))) = (before, after)
        && before == after
    {
        return Ok(());
    }
    let ino = both.place.ino();
    let mut pairs = Pairs::open(&volume.reader, before, after)?;
    while let Some(pair) = pairs.try_next()? {
        match (pair.from, pair.to) {
            (
                Some(SeenNode { dir: Some(before), node: was }),
                Some(SeenNode { dir: Some(after), node: is }),
            ) => {
                let held = volume.tables.known(both.place, &is.name);
                let Some(below) = held.filter(|place| volume.tables.is_held(*place)) else {
                    continue;
                };
                if was != is {
                    changed.directories.push(below.ino());
                }
                pending.push(Pair { place: below, before, after });
            }
            (Some(was), Some(is)) if was.node == is.node => {}
            (from, to) => {
                let name = to.or(from).map(|seen| seen.node.name).unwrap_or_default();
                changed.names.push((ino, name));
            }
        }
    }
    Ok(())
}

/// What a place holds at present, for comparison; `None` for what no backup has or nobody can read.
pub(crate) fn dir_of(volume: &SnapshotVolume, place: PlaceNo) -> Answer<Option<DirRef>> {
    let now = current(volume, place)?;
    if matches!(now.body, Body::Made(_)) {
        return Ok(None);
    }
    let inside = match inside(volume, place, now) {
        Ok(inside) => inside,
        Err(VolumeError::Damaged) => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(Some(match volume.tables.tree(inside.tree)? {
        TreeSource::Blob(id, _) => DirRef::Tree(id),
        TreeSource::Merged { nodes, .. } => DirRef::Merged(nodes),
    }))
}
