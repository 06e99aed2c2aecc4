//! Tombstones that prune puts together, so that a repository in which one snapshot an hour is forgotten for years has
//! few of them to list.
//!
//! ```text
//! level 0     t t t t t t … t        one of each snapshot, by forget
//! level 1     [16 or more]           then those of level 0 are deleted, once readers that listed them have ended
//! level 2     [[…] [16 lists] …]     and so on: each tombstone is written anew once for each level
//! ```
//!
//! A list is written first. What it holds is deleted by a later run, the grace of readers after the time of the list: so
//! whoever lists the names meanwhile sees the one or the other. Two runs at once may make two lists of the same
//! tombstones; both go into a list of the next level.

use std::collections::{BTreeMap, HashSet};

use super::Task;
use super::report::DestinationPrune;
use super::view::View;
use crate::backend;
use crate::error::{Error, Result};
use crate::format::id::{ObjectId, SnapshotId};
use crate::format::object::{Kind, ObjectName};
use crate::format::record::TombstoneList;
use crate::format::seal::{self, MAX_RECORD};
use crate::repository::{TombstoneObject, load_sealed};

/// The number of tombstones, or of lists of a level, that are put together into one of the next level.
const MANY: usize = 16;
/// The highest level, which stays as it is.
const HIGHEST: u32 = 15;
/// The length of content from which an object stays as it is, and a list ends. With what encoding adds, the last
/// tombstone of a list does not exceed the largest record.
const LARGE: usize = MAX_RECORD / 4;

/// Deletes what lists hold, and makes lists of what there are many of.
pub(super) fn clean(task: &Task<'_>, view: &View, report: &mut DestinationPrune) -> Result<()> {
    for name in held_by_lists(task, view) {
        task.place().backend().delete(name)?;
        report.deleted_records += 1;
    }
    put_together(task, view)
}

/// Returns true if a later run has nothing to do here, whatever the time.
pub(super) fn are_settled(view: &View) -> bool {
    let (held, _) = split(view, |object| object.listed.is_some());
    held.is_empty() && many_of_a_level(view).is_empty()
}

/// Returns the objects of which older lists of higher levels hold every tombstone.
fn held_by_lists<'v>(task: &Task<'_>, view: &'v View) -> Vec<&'v ObjectName> {
    let is_old = |object: &TombstoneObject| {
        object
            .listed
            .is_some_and(|time| time.seconds.saturating_add(task.options.grace) <= task.now.seconds)
    };
    let (held, _) = split(view, is_old);
    held.into_iter().map(|object| &object.name).collect()
}

/// Returns the objects that are to be put together, by their level: many that no list holds, and none too large.
fn many_of_a_level(view: &View) -> BTreeMap<u32, Vec<&TombstoneObject>> {
    let (_, open) = split(view, |object| object.listed.is_some());
    let mut levels: BTreeMap<u32, Vec<&TombstoneObject>> = BTreeMap::new();
    for object in open.into_iter().filter(|object| object.bytes < LARGE) {
        levels.entry(object.name.level()).or_default().push(object);
    }
    levels.retain(|level, objects| *level < HIGHEST && objects.len() >= MANY);
    levels
}

/// Splits the objects into those of which lists of higher levels hold every tombstone, and the others; only lists that
/// `counts` accepts are lists here.
fn split(
    view: &View,
    counts: impl Fn(&TombstoneObject) -> bool,
) -> (Vec<&TombstoneObject>, Vec<&TombstoneObject>) {
    let mut levels: BTreeMap<u32, Vec<&TombstoneObject>> = BTreeMap::new();
    for object in &view.tombstone_objects {
        levels.entry(object.name.level()).or_default().push(object);
    }
    let (mut held, mut others) = (Vec::new(), Vec::new());
    let mut above: HashSet<SnapshotId> = HashSet::new();
    for objects in levels.into_values().rev() {
        for object in &objects {
            match object.snapshots.iter().all(|id| above.contains(id)) {
                true => held.push(*object),
                false => others.push(*object),
            }
        }
        above.extend(objects.iter().filter(|one| counts(one)).flat_map(|one| &one.snapshots));
    }
    (held, others)
}

fn put_together(task: &Task<'_>, view: &View) -> Result<()> {
    for (level, objects) in many_of_a_level(view) {
        let mut contents: BTreeMap<SnapshotId, Vec<u8>> = BTreeMap::new();
        for object in objects {
            for (id, content) in object.snapshots.iter().zip(load(task, object)?) {
                contents.entry(*id).or_insert(content);
            }
        }
        let (mut list, mut bytes) = (Vec::new(), 0);
        for content in contents.into_values() {
            bytes += content.len();
            list.push(content);
            if bytes >= LARGE {
                save(task, level + 1, std::mem::take(&mut list))?;
                bytes = 0;
            }
        }
        if !list.is_empty() {
            save(task, level + 1, list)?;
        }
    }
    Ok(())
}

/// Loads the contents of the tombstones of an object.
fn load(task: &Task<'_>, object: &TombstoneObject) -> Result<Vec<Vec<u8>>> {
    let backend = &**task.place().backend();
    let content = load_sealed(backend, &task.repository.keys, Kind::Tombstone, &object.name);
    let content = match content {
        // Another run has put it together.
        Err(Error::Missing { .. }) => return Err(Error::Overtaken),
        content => content?,
    };
    if object.listed.is_none() {
        return Ok(vec![content]);
    }
    let list = TombstoneList::decode(&content);
    let damaged = |_| Error::damaged(object.name.as_str(), "it is no tombstone of this repository");
    list.map(|list| list.contents).map_err(damaged)
}

fn save(task: &Task<'_>, level: u32, contents: Vec<Vec<u8>>) -> Result<()> {
    let keys = &task.repository.keys;
    let content = TombstoneList { time: task.now, contents }.encode();
    let salt = keys.draw_salt(&content);
    let name = ObjectName::tombstone_list(ObjectId(salt), level);
    let object = seal::seal_whole(keys, Kind::Tombstone, &name, salt, &content)?;
    backend::save(&**task.place().backend(), &name, &object)?;
    Ok(())
}
