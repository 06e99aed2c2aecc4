//! The answers that hosts must forget when a name comes to mean another state.

use yore_engine::history::Pairs;
use yore_engine::read::{DirRef, ResolvedNode};
use yore_engine::repository::Problems;
use yore_platform::{Ino, VolumeError};

use crate::error::Answer;
use crate::inode::number::PlaceNo;
use crate::inode::place::Body;
use crate::inode::tables::TreeSource;
use crate::tree::core::Core;
use crate::tree::follow::{current, open_dir};

/// Answers that a host must forget, because they are out of date.
#[derive(Debug, Default)]
pub struct Changed {
    /// Directories whose lists changed.
    pub directories: Vec<Ino>,
    /// Names, each in a directory, that came, went, or mean something else.
    pub names: Vec<(Ino, Vec<u8>)>,
    /// Errors on the way; what could not be read stays as it was shown before.
    pub problems: Problems,
}

/// A directory that hosts hold, as it was and as it will be.
struct HeldDir {
    place: PlaceNo,
    before: DirRef,
    after: DirRef,
}

impl Changed {
    /// Adds what hosts must forget of a held place, and of those below it, when it goes from one tree to
    /// another; `before` is `None` where it was never entered.
    pub(super) fn add_tree(
        &mut self,
        core: &Core,
        place: PlaceNo,
        before: Option<TreeSource>,
        after: DirRef,
    ) {
        self.directories.push(place.ino());
        let Some(before) = before.map(dir_ref) else { return };
        let mut pending = vec![HeldDir { place, before, after }];
        while let Some(dir) = pending.pop() {
            if let Err(error) = self.add_names(core, &dir, &mut pending) {
                self.problems.push(error);
            }
        }
    }

    fn add_names(
        &mut self,
        core: &Core,
        dir: &HeldDir,
        pending: &mut Vec<HeldDir>,
    ) -> yore_engine::Result<()> {
        let readable = |dir| Some(dir).filter(|dir| !matches!(dir, &&DirRef::Unreadable));
        let (before, after) = (readable(&dir.before), readable(&dir.after));
        if let (Some(DirRef::Tree(before)), Some(DirRef::Tree(after))) = (before, after)
            && before == after
        {
            return Ok(());
        }
        let ino = dir.place.ino();
        let mut pairs = Pairs::open(&core.reader, before, after)?;
        while let Some(pair) = pairs.try_next()? {
            match (pair.from, pair.to) {
                (
                    Some(ResolvedNode { dir: Some(before), node: was }),
                    Some(ResolvedNode { dir: Some(after), node: is }),
                ) => {
                    let known = core.tables.known(dir.place, &is.name);
                    let Some(place) = known.filter(|place| core.tables.is_held(*place)) else {
                        continue;
                    };
                    if was != is {
                        self.directories.push(place.ino());
                    }
                    pending.push(HeldDir { place, before, after });
                }
                (Some(was), Some(is)) if was.node == is.node => {}
                (from, to) => {
                    let name = to.or(from).map(|seen| seen.node.name).unwrap_or_default();
                    self.names.push((ino, name));
                }
            }
        }
        Ok(())
    }
}

fn dir_ref(source: TreeSource) -> DirRef {
    match source {
        TreeSource::Blob(id, _) => DirRef::Tree(id),
        TreeSource::Merged { nodes, .. } => DirRef::Merged(nodes),
    }
}

/// Returns the tree of a place at present; `None` where no backup has one, or it can't be read.
pub(super) fn tree_of(core: &Core, place: PlaceNo) -> Answer<Option<DirRef>> {
    let now = current(core, place)?;
    if matches!(now.body, Body::Virtual(_) | Body::File(_)) {
        return Ok(None);
    }
    match open_dir(core, now) {
        Ok(dir) => Ok(Some(dir_ref(core.tables.tree(dir.tree)?))),
        Err(VolumeError::Damaged) => Ok(None),
        Err(error) => Err(error),
    }
}
