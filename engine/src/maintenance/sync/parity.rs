//! Copying parity: it is the same on every destination, and much smaller than the packs of which it could be made.

use std::collections::HashSet;

use super::FillReport;
use super::fill::{Found, Task};
use crate::backend::{self, Backend};
use crate::error::{Error, Result};
use crate::format::id::ObjectId;
use crate::format::object::{Area, ObjectName};
use crate::store::parity::{MAX_PARITY_OBJECT, verify_parity};

/// Copies the parity of packs that the destination has, from the first source that has it whole.
///
/// Nothing depends on parity: where no source has it whole, a repair makes it.
pub(super) fn copy(
    task: &Task<'_>,
    found: &Found,
    to: &dyn Backend,
    report: &mut FillReport,
) -> Result<()> {
    let Ok(listed) = found.listing.of(task.destination) else { return Ok(()) };
    let own: HashSet<&ObjectName> = listed.names(Area::Parity).iter().collect();
    let all = found.listing.union(Area::Parity).into_iter();
    for name in all.filter(|name| !own.contains(name)) {
        let Some(id) = name.id().map(ObjectId) else { continue };
        let Some(size) = found.described.get(&id) else { continue };
        // A pack that was lacking was copied meanwhile, if a source has it whole.
        let is_there = listed.packs.get(&id) == Some(size)
            || to.size(&ObjectName::pack(id))?.as_ref() == Some(size);
        if found.condemned.contains(&id) || !is_there {
            continue;
        }
        if task.observer.interrupted() {
            return Err(Error::Interrupted);
        }
        if let Some(bytes) = load(task, found, &name, id, *size)? {
            backend::save(to, &name, &bytes)?;
            report.copied += 1;
            report.bytes += bytes.len() as u64;
        }
    }
    Ok(())
}

/// Loads the parity of a pack of `size` bytes from the first source that has it whole.
fn load(
    task: &Task<'_>,
    found: &Found,
    name: &ObjectName,
    id: ObjectId,
    size: u64,
) -> Result<Option<Vec<u8>>> {
    for &number in &found.sources {
        let is_listed = |names: &[ObjectName]| names.binary_search(name).is_ok();
        if !found.listing.of(number).is_ok_and(|listed| is_listed(listed.names(Area::Parity))) {
            continue;
        }
        let from = &**task.repository.destinations()[number].backend();
        match backend::load(from, name, MAX_PARITY_OBJECT) {
            Ok(bytes) if verify_parity(id, &bytes).is_ok_and(|(of, _)| of == size) => {
                return Ok(Some(bytes.to_vec()));
            }
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            Ok(_) | Err(_) => {}
        }
    }
    Ok(None)
}
