//! Indexes without what is damaged.

use std::collections::HashSet;

use super::Task;
use super::examine::Examined;
use crate::backend;
use crate::error::Result;
use crate::format::id::ObjectId;
use crate::format::object::ObjectName;
use crate::format::pack::PackInfo;
use crate::index;

/// The most blobs of one index object.
const MOST_BLOBS: usize = 1_000_000;

/// Describes anew what the outdated indexes describe and is whole, and the packs that no readable one describes;
/// returns the number of the latter.
///
/// The outdated indexes are deleted when the new ones are durable: they hold nothing else, but for what is damaged.
pub(super) fn write(task: &Task<'_>, examined: &Examined) -> Result<u64> {
    let backend = &**task.place().backend();
    let keys = &task.repository.keys;
    let damaged: HashSet<ObjectId> = examined.damaged.iter().map(|pack| pack.id).collect();
    let (mut packs, mut blobs): (Vec<PackInfo>, usize) = (Vec::new(), 0);
    let save = |packs: &mut Vec<PackInfo>| -> Result<()> {
        if !packs.is_empty() {
            let (name, _, object) = index::seal(keys, packs, &[]);
            backend::save(backend, &name, &object)?;
            packs.clear();
        }
        Ok(())
    };
    let mut known = HashSet::new();
    let mut described = 0;
    for pack in &examined.undescribed {
        described += u64::from(known.insert(pack.id));
        blobs += pack.contents.blobs.len();
        packs.push(pack.clone());
        if blobs >= MOST_BLOBS {
            save(&mut packs)?;
            blobs = 0;
        }
    }
    for name in &examined.outdated_indexes {
        let object = index::load(backend, keys, name)?;
        let whole = object.packs.into_iter().filter(|pack| !damaged.contains(&pack.id));
        for pack in whole.filter(|pack| known.insert(pack.id)) {
            blobs += pack.contents.blobs.len();
            packs.push(pack);
        }
        if blobs >= MOST_BLOBS {
            save(&mut packs)?;
            blobs = 0;
        }
    }
    save(&mut packs)?;
    let delete = |name: &ObjectName| backend.delete(name);
    examined.outdated_indexes.iter().try_for_each(delete)?;
    Ok(described)
}
