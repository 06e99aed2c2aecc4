//! Verifying and copying small objects, which are read whole.

use crate::backend::{self, Backend};
use crate::error::{Error, Result};
use crate::format::header::{MAX_HEADER, Unverified};
use crate::format::index::IndexObject;
use crate::format::object::{Area, Kind, ObjectName};
use crate::format::record::{Annotation, Session, Snapshot, Verdict};
use crate::format::seal::{self, MAX_OBJECT};
use crate::format::slot::{MAX_SLOT, Slot};
use crate::repository::{Repository, decode_tombstones};

/// Loads an object of an area, packs excepted, and verifies it with the keys of the repository.
pub(super) fn load(
    repository: &Repository,
    backend: &dyn Backend,
    area: Area,
    name: &ObjectName,
) -> Result<Vec<u8>> {
    let limit = match area {
        Area::Headers => MAX_HEADER,
        Area::Keys => MAX_SLOT,
        _ => MAX_OBJECT as u64,
    };
    let bytes = backend::load(backend, name, limit)?.to_vec();
    verify(repository, area, name, &bytes)?;
    Ok(bytes)
}

fn verify(repository: &Repository, area: Area, name: &ObjectName, bytes: &[u8]) -> Result<()> {
    let keys = &repository.keys;
    let undecodable = || Error::damaged(name.as_str(), "it does not decode");
    let open = |kind| seal::open_whole(keys, kind, name, &mut bytes.to_vec());
    let decodes = match area {
        Area::Headers => {
            let header = Unverified::decode(name.as_str(), bytes)?.verify(keys)?;
            header.repository == repository.id() && name.number().unwrap_or(0) == header.number
        }
        Area::Keys => return Slot::decode(name, repository.id(), bytes)?.verify(keys),
        Area::Index => IndexObject::decode(&open(Kind::Index)?).is_ok(),
        Area::Snapshots => Snapshot::decode(&open(Kind::Snapshot)?).is_ok(),
        Area::Forgotten => return decode_tombstones(name, &open(Kind::Tombstone)?).map(|_| ()),
        Area::Annotations => Annotation::decode(&open(Kind::Annotation)?)
            .is_ok_and(|annotation| name.id() == Some(annotation.snapshot.0)),
        Area::Sessions => match name.suffix() {
            None => Session::decode(&open(Kind::Session)?).is_ok(),
            Some("end") => Verdict::decode(&open(Kind::Verdict)?).is_ok(),
            Some(_) => open(Kind::Heartbeat).is_ok(),
        },
        Area::Generations | Area::Packs | Area::Parity => true,
    };
    if decodes { Ok(()) } else { Err(undecodable()) }
}

/// Loads an object from the first of these destinations that has it whole.
///
/// # Errors
/// The first error, when none has it whole.
pub(super) fn load_from_any(
    repository: &Repository,
    sources: &[usize],
    area: Area,
    name: &ObjectName,
) -> Result<Vec<u8>> {
    let mut first_error = None;
    for source in sources {
        match load(repository, &**repository.destinations()[*source].backend(), area, name) {
            Ok(bytes) => return Ok(bytes),
            Err(error) => drop(first_error.get_or_insert(error)),
        }
    }
    Err(first_error.unwrap_or_else(|| Error::Missing { object: name.to_string() }))
}
