//! Tombstones that prune puts together, so that a repository in which one snapshot an hour is forgotten for years has
//! few of them to list.
//!
//! ```text
//! level 0     t t t t t t … t        one of each snapshot, by forget
//! level 1     [16 or more]           then those of level 0 are deleted, once readers that listed them have ended
//! level 2     [[…] [16 lists] …]     and so on: each tombstone is written anew once for each level
//! ```
//!
//! A list is written first. What it has taken in is deleted by a later run, the grace of readers after the begin of the
//! run that made the list: so whoever lists the names meanwhile sees the one or the other. Two runs at once may make two lists of the same
//! tombstones; both go into a list of the next level.

use std::collections::{BTreeMap, HashSet};

use yore_platform::Timestamp;

use super::Task;
use super::report::DestinationPrune;
use super::view::View;
use crate::backend;
use crate::error::{Error, Result};
use crate::format::id::{ObjectId, SnapshotId};
use crate::format::object::{Kind, ObjectName};
use crate::format::record::TombstoneList;
use crate::format::seal::{self, MAX_RECORD};
use crate::repository::{TombstoneObject, decode_tombstones, load_sealed};

/// The number of objects of a level that are put together into lists of the next.
const MERGE_COUNT: usize = 16;
/// The highest level, which stays as it is.
const HIGHEST_LEVEL: u32 = 15;
/// The length of content from which an object stays as it is, and a list ends. With what encoding adds, the last
/// tombstone of a list does not exceed the largest record.
const LONG: usize = MAX_RECORD / 4;

/// Deletes what lists have taken in, and puts together what there is much of.
pub(super) fn clean(task: &Task<'_>, view: &View, report: &mut DestinationPrune) -> Result<()> {
    delete_superseded(task, view, report)?;
    for (level, objects) in mergeable(view) {
        merge(task, level + 1, &objects)?;
    }
    Ok(())
}

/// Returns true if a later run has nothing to do here, whatever the time.
pub(super) fn are_settled(view: &View) -> bool {
    superseded(view, |_| true).is_empty() && mergeable(view).is_empty()
}

/// Returns the objects of which lists of higher levels name every snapshot; only lists that `counts` accepts do so.
fn superseded(view: &View, counts: impl Fn(&TombstoneObject) -> bool) -> Vec<&TombstoneObject> {
    let mut levels: BTreeMap<u32, Vec<&TombstoneObject>> = BTreeMap::new();
    for object in &view.tombstone_objects {
        levels.entry(object.name.level()).or_default().push(object);
    }
    let mut found = Vec::new();
    let mut above: HashSet<SnapshotId> = HashSet::new();
    for objects in levels.into_values().rev() {
        let is_in_lists =
            |object: &&&TombstoneObject| object.snapshots.iter().all(|id| above.contains(id));
        found.extend(objects.iter().filter(is_in_lists).copied());
        let lists = objects.iter().filter(|one| one.list_time.is_some() && counts(one));
        above.extend(lists.flat_map(|one| &one.snapshots));
    }
    found
}

/// Returns the objects that are to be put together, by their level: those that no list has taken in, if they are many.
fn mergeable(view: &View) -> BTreeMap<u32, Vec<&TombstoneObject>> {
    let taken: HashSet<&ObjectName> =
        superseded(view, |_| true).into_iter().map(|object| &object.name).collect();
    let mut levels: BTreeMap<u32, Vec<&TombstoneObject>> = BTreeMap::new();
    let open = view.tombstone_objects.iter().filter(|object| !taken.contains(&object.name));
    for object in open.filter(|object| object.content_length < LONG) {
        levels.entry(object.name.level()).or_default().push(object);
    }
    levels.retain(|level, objects| *level < HIGHEST_LEVEL && objects.len() >= MERGE_COUNT);
    levels
}

/// Deletes the objects that older lists have taken in. What is known of a list may come from the cache or from another
/// destination, so each one that justifies a deletion is read here first.
fn delete_superseded(task: &Task<'_>, view: &View, report: &mut DestinationPrune) -> Result<()> {
    let is_old = |object: &TombstoneObject| {
        let due = |time: Timestamp| time.seconds.saturating_add(task.options.grace);
        object.list_time.is_some_and(|time| due(time) <= task.now.seconds)
    };
    let going = superseded(view, is_old);
    if going.is_empty() {
        return Ok(());
    }
    let needed: HashSet<SnapshotId> =
        going.iter().flat_map(|object| &object.snapshots).copied().collect();
    let names_one =
        |object: &&TombstoneObject| object.snapshots.iter().any(|id| needed.contains(id));
    let mut whole: HashSet<&ObjectName> = HashSet::new();
    for list in view.tombstone_objects.iter().filter(|one| is_old(one)).filter(names_one) {
        match load(task, list) {
            Ok(_) => drop(whole.insert(&list.name)),
            Err(error) if error.is_of_copy() => report.problems.push(error),
            Err(error) => return Err(error),
        }
    }
    for object in superseded(view, |list| whole.contains(&list.name)) {
        if task.observer.interrupted() {
            return Err(Error::Interrupted);
        }
        task.place().backend().delete(&object.name)?;
        report.deleted_records += 1;
    }
    Ok(())
}

/// Puts objects together into lists of a level.
fn merge(task: &Task<'_>, level: u32, objects: &[&TombstoneObject]) -> Result<()> {
    let mut contents: BTreeMap<SnapshotId, Vec<u8>> = BTreeMap::new();
    for object in objects {
        if task.observer.interrupted() {
            return Err(Error::Interrupted);
        }
        for (id, content) in object.snapshots.iter().zip(load(task, object)?) {
            contents.entry(*id).or_insert(content);
        }
    }
    let (mut list, mut length) = (Vec::new(), 0);
    for content in contents.into_values() {
        length += content.len();
        list.push(content);
        if length >= LONG {
            save(task, level, std::mem::take(&mut list))?;
            length = 0;
        }
    }
    if list.is_empty() { Ok(()) } else { save(task, level, list) }
}

/// Loads the contents of the tombstones of an object, from this destination and not from a cache.
///
/// # Errors
/// [`Error::Damaged`] also when it names other snapshots than are known of it.
fn load(task: &Task<'_>, object: &TombstoneObject) -> Result<Vec<Vec<u8>>> {
    let (backend, name) = (&**task.place().backend(), &object.name);
    let content = match load_sealed(backend, &task.repository.keys, Kind::Tombstone, name) {
        // Another run has put it together.
        Err(Error::Missing { .. }) => return Err(Error::Overtaken),
        content => content?,
    };
    let damaged = || Error::damaged(name.as_str(), "it names other snapshots than before");
    let (found, _) = decode_tombstones(name, &content)?;
    if found.snapshots != object.snapshots {
        return Err(damaged());
    }
    match object.list_time {
        None => Ok(vec![content]),
        Some(_) => TombstoneList::decode(&content).map(|list| list.contents).map_err(|_| damaged()),
    }
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
