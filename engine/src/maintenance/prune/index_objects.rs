//! Index objects: those that describe deleted packs, and many small ones, are put together into others.

use std::collections::HashSet;

use super::Task;
use super::report::DestinationPrune;
use super::view::View;
use crate::backend;
use crate::error::{Error, Result};
use crate::format::id::ObjectId;
use crate::format::index::IndexObject;
use crate::format::object::ObjectName;
use crate::format::pack::PackInfo;
use crate::index;

/// The number of small index objects that are put together.
const SMALL_INDEXES: usize = 16;
/// The blobs below which an index object is small.
const SMALL: usize = 100_000;
/// The most blobs that are put together in one index object: some 36 MB of ids and lengths.
const MOST_BLOBS: usize = 1_000_000;
/// The highest level of an index object (FORMAT.md §7).
const HIGHEST_LEVEL: u32 = 15;

/// What decides whether an index object is rewritten.
struct Facts<'v> {
    name: &'v ObjectName,
    blobs: usize,
    describes_deleted: bool,
    replaces: Vec<ObjectId>,
    /// Its writer has no verdict, so its packs are found by its sessions.
    is_of_open_session: bool,
}

/// Rewrites index objects before the packs `going` are deleted.
///
/// A new object replaces the others where it holds all of what they describe, so that another destination does not
/// copy them here again. The others are deleted after it is durable.
pub(super) fn merge(
    task: &Task<'_>,
    view: &View,
    going: &HashSet<ObjectId>,
    report: &mut DestinationPrune,
) -> Result<()> {
    let has_replaced = view.indexes.iter().any(|name| name.level() > 0) && view.indexes.len() > 1;
    if going.is_empty() && view.indexes.len() < SMALL_INDEXES && !has_replaced {
        return Ok(());
    }
    let is_deleted = |pack: &ObjectId| {
        (going.contains(pack) || !view.packs.contains_key(pack))
            && !view.elsewhere.packs.contains(pack)
            && !view.elsewhere.is_incomplete
    };
    let mut facts = Vec::new();
    for name in &view.indexes {
        facts.push(load_facts(task, view, name, is_deleted)?);
    }
    let superseded: HashSet<ObjectId> =
        facts.iter().flat_map(|one| &one.replaces).copied().collect();
    let is_superseded =
        |one: &Facts<'_>| one.name.id().is_some_and(|id| superseded.contains(&ObjectId(id)));
    let (old, mut left): (Vec<Facts<'_>>, Vec<Facts<'_>>) =
        facts.into_iter().partition(is_superseded);
    left.retain(|one| !one.is_of_open_session);
    let small = left.iter().filter(|one| one.blobs < SMALL).count();
    let takes_small = small >= SMALL_INDEXES;
    let rewritten = left
        .into_iter()
        .filter(|one| one.describes_deleted || (takes_small && one.blobs < SMALL))
        .collect::<Vec<_>>();
    delete(task, old.iter().map(|one| one.name), report)?;
    for group in groups(&rewritten) {
        rewrite(task, group, is_deleted, going, report)?;
    }
    Ok(())
}

fn load_facts<'v>(
    task: &Task<'_>,
    view: &View,
    name: &'v ObjectName,
    is_deleted: impl Fn(&ObjectId) -> bool,
) -> Result<Facts<'v>> {
    if task.observer.interrupted() {
        return Err(Error::Interrupted);
    }
    let object = load(task, name)?;
    let blobs = object.packs.iter().map(|pack| pack.contents.blobs.len()).sum();
    let describes_deleted = object.packs.iter().any(|pack| is_deleted(&pack.id));
    let is_open = |id| view.sessions.get(id).is_some_and(|(_, verdict)| verdict.is_none());
    let is_of_open_session = object.sessions.iter().any(is_open);
    Ok(Facts { name, blobs, describes_deleted, replaces: object.replaces, is_of_open_session })
}

/// Loads an index object; one that was deleted since the list was put together with others by another run.
fn load(task: &Task<'_>, name: &ObjectName) -> Result<IndexObject> {
    match index::load(&**task.place().backend(), &task.repository.keys, name) {
        Err(Error::Missing { .. }) => Err(Error::Overtaken),
        loaded => loaded,
    }
}

/// Divides index objects into groups of at most [`MOST_BLOBS`] blobs, or of one object.
fn groups<'a, 'v>(facts: &'a [Facts<'v>]) -> Vec<&'a [Facts<'v>]> {
    let (mut groups, mut begin, mut blobs) = (Vec::new(), 0, 0);
    for (at, one) in facts.iter().enumerate() {
        if at > begin && blobs + one.blobs > MOST_BLOBS {
            groups.push(&facts[begin..at]);
            (begin, blobs) = (at, 0);
        }
        blobs += one.blobs;
    }
    if begin < facts.len() {
        groups.push(&facts[begin..]);
    }
    groups
}

/// Returns true if the destination answers that it does not have a pack, whatever its list lacks.
fn is_absent(task: &Task<'_>, id: &ObjectId) -> Result<bool> {
    Ok(task.place().backend().size(&ObjectName::pack(*id))?.is_none())
}

/// Puts index objects together, without deleted packs, and deletes them.
fn rewrite(
    task: &Task<'_>,
    group: &[Facts<'_>],
    is_deleted: impl Fn(&ObjectId) -> bool,
    going: &HashSet<ObjectId>,
    report: &mut DestinationPrune,
) -> Result<()> {
    let (mut packs, mut known): (Vec<PackInfo>, HashSet<ObjectId>) = Default::default();
    let (mut replaces, mut sessions) = (Vec::new(), Vec::new());
    for one in group {
        let object = load(task, one.name)?;
        sessions.extend(object.sessions);
        replaces.extend(one.name.id().map(ObjectId).into_iter().chain(object.replaces));
        for pack in object.packs {
            let goes =
                is_deleted(&pack.id) && (going.contains(&pack.id) || is_absent(task, &pack.id)?);
            if !goes && known.insert(pack.id) {
                packs.push(pack);
            }
        }
    }
    if !packs.is_empty() {
        let level = group.iter().map(|one| one.name.level()).max().unwrap_or(0) + 1;
        let (name, object) = match level <= HIGHEST_LEVEL {
            true => index::seal_merged(&task.repository.keys, &packs, &replaces, level),
            // Others can't know that it replaces these; they are only deleted.
            false => {
                let (name, _, object) = index::seal(&task.repository.keys, &packs, &sessions);
                (name, object)
            }
        };
        for (number, place) in task.repository.destinations().iter().enumerate() {
            let saved = backend::save(&**place.backend(), &name, &object);
            if number == task.destination {
                saved?;
            }
            // Another destination gets it from `sync`.
        }
    }
    delete(task, group.iter().map(|one| one.name), report)
}

fn delete<'v>(
    task: &Task<'_>,
    names: impl Iterator<Item = &'v ObjectName>,
    report: &mut DestinationPrune,
) -> Result<()> {
    for name in names {
        task.place().backend().delete(name)?;
        report.merged_indexes += 1;
    }
    Ok(())
}
