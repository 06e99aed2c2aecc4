//! Slots that were removed while a destination was away.

use std::collections::HashSet;

use super::load;
use crate::error::{Error, Refusal, Result};
use crate::format::id::ObjectId;
use crate::format::object::{Area, ObjectName};
use crate::format::secret::SecretKind;
use crate::repository::{Listing, Repository};

/// Finds the slots that a removal names at any destination, if the destinations list different slots.
///
/// Where all list the same nothing has to be copied, and nothing is loaded.
///
/// # Errors
/// When a slot that may be a removal can't be loaded now.
pub(crate) fn removed_somewhere(
    repository: &Repository,
    listing: &Listing,
) -> Result<HashSet<ObjectId>> {
    let mut lists = listing.reached().map(|(_, listed)| listed.names(Area::Keys));
    let first = lists.next();
    let mut removed = HashSet::new();
    if lists.all(|other| Some(other) == first) {
        return Ok(removed);
    }
    for name in listing.union(Area::Keys) {
        let mut failed = None;
        for (number, listed) in listing.reached() {
            if !listed.names(Area::Keys).contains(&name) {
                continue;
            }
            match load(repository, &**repository.destinations()[number].backend(), &name) {
                Ok(slot) => {
                    removed.extend(slot.removes);
                    failed = None;
                    break;
                }
                Err(error) if error.is_of_copy() => {}
                Err(error) => failed = Some(error),
            }
        }
        if let Some(error) = failed {
            return Err(error);
        }
    }
    Ok(removed)
}

/// Deletes the removed slots that a destination has; the removals must be there already.
///
/// # Errors
/// [`Refusal::LastSlot`] when no other slot opens the destination.
pub(crate) fn delete_removed(
    repository: &Repository,
    destination: usize,
    removed: &HashSet<ObjectId>,
) -> Result<Vec<ObjectName>> {
    let backend = &**repository.destinations()[destination].backend();
    let is_removed =
        |name: &ObjectName| name.id().is_some_and(|id| removed.contains(&ObjectId(id)));
    let (gone, rest): (Vec<_>, Vec<_>) =
        backend.names(Area::Keys)?.into_iter().partition(is_removed);
    if gone.is_empty() {
        return Ok(gone);
    }
    let opens = |name: &ObjectName| match load(repository, backend, name) {
        Ok(slot) => Ok(slot.kind.is_some_and(|kind| kind != SecretKind::WriteOnly)),
        Err(Error::Missing { .. } | Error::Damaged { .. } | Error::Unsupported { .. }) => Ok(false),
        Err(error) => Err(error),
    };
    let mut is_left = false;
    for name in &rest {
        is_left = is_left || opens(name)?;
    }
    if !is_left {
        return Err(Refusal::LastSlot.into());
    }
    for name in &gone {
        backend.delete(name)?;
    }
    Ok(gone)
}
