//! Parity: each object is whole and of the pack as it is stored. The content of packs does not depend on it.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::packs::Packs;
use super::records::list;
use super::report::Findings;
use crate::backend::{self, Backend, ListedObject};
use crate::error::{Error, Result};
use crate::format::id::ObjectId;
use crate::format::object::{Area, ObjectName};
use crate::operation::observer::Observer;
use crate::repository::Repository;
use crate::store::parity::{Copies, MAX_PARITY_OBJECT, load_head, verify_parity};

/// Checks the heads of all parity objects, and every byte of those whose packs are read whole.
///
/// It is called after the packs were listed: parity is written before its pack, so that of each listed pack is listed.
pub(super) fn check(
    repository: &Repository,
    packs: &Packs,
    chosen: &HashSet<ObjectId>,
    findings: &mut Findings,
    observer: &dyn Observer,
) -> Result<()> {
    let listed = list(repository, Area::Parity, findings);
    let ids: HashSet<ObjectId> =
        listed.iter().filter_map(|stored| stored.name.id().map(ObjectId)).collect();
    if repository.parity() > 0 {
        let without = packs.in_use().filter(|id| !ids.contains(id)).count();
        if without > 0 {
            findings.note(format!("{without} packs have no parity yet: a repair makes it"));
        }
    }
    let left = ids.iter().filter(|id| packs.right_size(id).is_none()).count();
    if left > 0 {
        findings.note(format!(
            "{left} parity objects are of packs that are deleted, or not written yet: prune deletes those that are \
             not needed"
        ));
    }
    let next = AtomicUsize::new(0);
    let shared = Mutex::new(findings);
    let workers = std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 8);
    std::thread::scope(|scope| {
        for _ in 0..workers.min(listed.len()) {
            scope.spawn(|| {
                while let Some(stored) = listed.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if observer.interrupted() {
                        return;
                    }
                    let Some(id) = stored.name.id().map(ObjectId) else { continue };
                    let Some(size) = packs.right_size(&id) else { continue };
                    let backend = &**repository.backend();
                    let checked = verify(backend, stored, (id, size), chosen.contains(&id));
                    // Prune has deleted it since the list.
                    if let Err(error) = checked
                        && !matches!(error, Error::Missing { .. })
                    {
                        let mut findings = shared.lock().unwrap_or_else(PoisonError::into_inner);
                        findings.problem(stored.name.as_str(), error);
                    }
                }
            });
        }
    });
    if observer.interrupted() { Err(Error::Interrupted) } else { Ok(()) }
}

fn verify(
    backend: &dyn Backend,
    stored: &ListedObject,
    (id, size): (ObjectId, u64),
    whole: bool,
) -> Result<()> {
    let damaged = |reason| Error::damaged(ObjectName::parity(id).as_str(), reason);
    let of = match whole {
        true => {
            let object = backend::load(backend, &stored.name, MAX_PARITY_OBJECT)?;
            verify_parity(id, &object)?.0
        }
        false => {
            let head = load_head(backend, id, stored.size, Copies::First)?;
            if head.object_size() != stored.size {
                return Err(damaged("its size is not what its head says"));
            }
            head.pack_size()
        }
    };
    match of == size {
        true => Ok(()),
        false => Err(damaged("it is of a pack of another size")),
    }
}
