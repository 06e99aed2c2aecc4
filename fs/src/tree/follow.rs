//! Following names that come to mean something else: what a place is at present.
//!
//! A working directory in `latest` stays where it is: the number belongs to the name. So a place below such a
//! name is found again in the new state by its own name when it is next used; what is not there any more
//! stays what it was.

use yore_platform::VolumeError;

use crate::error::Answer;
use crate::inode::number::PlaceNo;
use crate::inode::place::{Body, Place};
use crate::inode::tables::Step;
use crate::tree::core::Core;
use crate::tree::listing::OpenDir;
use crate::tree::state_tree;

/// Returns what a place is at present.
pub(crate) fn current(core: &Core, place: PlaceNo) -> Answer<Place> {
    loop {
        match core.tables.step(place)? {
            Step::Current(place) => return Ok(place),
            Step::Follow { below, name, parent } => {
                let version = parent.version;
                let found = open_dir(core, parent)?.find_dir(&name)?;
                core.tables.follow(below, version, found);
            }
        }
    }
}

/// Enters a directory of a state.
///
/// # Errors
/// Damaged when its tree can't be merged, or was unreadable at its backup: its list is not known, which is
/// not the same as empty.
pub(crate) fn open_dir(core: &Core, place: Place) -> Answer<OpenDir<'_>> {
    let Place { number, body, version, path, ttl } = place;
    let (state, origin, tree) = match body {
        Body::Virtual(_) | Body::File(_) => return Err(VolumeError::Stale),
        Body::StateDir(dir) => (dir.state, dir.origin, dir.tree),
        Body::StateTop(state, Some(top)) => (state, top.origin, top.tree),
        Body::StateTop(state, None) => {
            let dir = state_tree::top(core, &state)?;
            let top = state_tree::number_tree(&core.tables, &state, &[][..].into(), &dir)?;
            core.tables.keep_top(number, version, top);
            (state, top.origin, top.tree)
        }
    };
    let tree = tree.ok_or(VolumeError::Damaged)?;
    core.tables.enter(path, tree);
    Ok(OpenDir { core, place: number, version, state, origin, tree, ttl })
}
