//! Destinations whose identity is damaged, or is that of another one.
//!
//! A folder that was copied by `cp` or rclone has the id of the destination from which it was copied. As a destination
//! of its own it needs an id of its own: the sessions that came with the copy do not count there any more, and a sync
//! commits the snapshots that are whole.

use std::sync::Arc;

use yore_platform::Timestamp;

use crate::backend::{self, Backend};
use crate::error::{Error, Result};
use crate::format::header::{MAX_HEADER, Unverified};
use crate::format::keys::random;
use crate::format::object::{Kind, ObjectName};
use crate::format::record::{DestinationId, encode_destination};
use crate::format::seal;
use crate::repository::{Destination, Repository, Writer, load_sealed, open, session};

/// Gives a plain copy of a destination, or one whose id was lost, an id of its own.
///
/// A session is opened there first: where another destination shows it, too, both are one place by two names, and a new
/// id would take its commits away.
///
/// # Errors
/// [`Error::NoRepository`], [`Error::OtherRepository`]; [`Error::Occupied`] when it is a destination of its own, or one
/// that is open already by another name.
pub fn adopt_copy(
    repository: &Repository,
    backend: &Arc<dyn Backend>,
    writer: &Writer,
    time: Timestamp,
) -> Result<()> {
    let header = open::load_header(&**backend)?;
    if header.header.repository != repository.id() {
        return Err(Error::OtherRepository { location: backend.location() });
    }
    header.verify(&repository.keys)?;
    match Destination::load(Arc::clone(backend), &repository.keys, repository.header()) {
        Ok(found) if repository.destinations().iter().all(|known| known.id() != found.id()) => {
            let found = "is a destination of this repository of its own already";
            return Err(Error::Occupied { location: backend.location(), found });
        }
        Ok(copy) => must_be_another_place(repository, &copy, writer, time)?,
        Err(Error::Missing { .. } | Error::Damaged { .. }) => {}
        Err(error) => return Err(error),
    }
    let name = ObjectName::destination();
    let content = encode_destination(DestinationId(random()), time);
    let salt = repository.keys.draw_salt(&content);
    let object = seal::seal_by_any(&repository.keys, Kind::Destination, &name, salt, &content);
    backend::replace(&**backend, &name, &object)
}

/// Fails when a session that is opened at `copy` appears at a destination of the same id.
fn must_be_another_place(
    repository: &Repository,
    copy: &Destination,
    writer: &Writer,
    time: Timestamp,
) -> Result<()> {
    let (session, _) = session::open_at(repository, copy, writer, time)?;
    let name = ObjectName::session(session);
    let same = repository.destinations().iter().filter(|known| known.id() == copy.id());
    let mut is_same = false;
    for known in same {
        is_same |= known.backend().size(&name)?.is_some();
    }
    // Without a verdict it commits nothing, should it stay.
    let _ = copy.backend().delete(&name);
    match is_same {
        true => {
            let found = "is a destination of this repository already, by another name";
            Err(Error::Occupied { location: copy.location(), found })
        }
        false => Ok(()),
    }
}

/// Restores the header of a destination that can't be opened for want of it; returns false if that is not its fault.
///
/// The destination's own id, which only a holder of the keys can seal, shows that it belongs to the repository.
pub fn restore_header(repository: &Repository, backend: &Arc<dyn Backend>) -> Result<bool> {
    let name = ObjectName::header();
    match backend::load(&**backend, &name, MAX_HEADER) {
        Ok(bytes) => {
            if let Ok(header) = Unverified::decode(&backend.location(), &bytes) {
                let is_other = header.header.repository != repository.id();
                if is_other || header.verify(&repository.keys).is_ok() {
                    return Ok(false);
                }
            }
        }
        Err(Error::Missing { .. } | Error::Damaged { .. }) => {}
        Err(error) => return Err(error),
    }
    let own = ObjectName::destination();
    match load_sealed(&**backend, &repository.keys, Kind::Destination, &own) {
        Ok(_) => {}
        Err(Error::Missing { .. } | Error::Damaged { .. }) => return Ok(false),
        Err(error) => return Err(error),
    }
    let header = repository.mirrors.read(&name, |from| {
        let bytes = backend::load(from, &name, MAX_HEADER)?;
        Unverified::decode(&from.location(), &bytes)?.verify(&repository.keys)?;
        Ok(bytes)
    })?;
    backend::replace(&**backend, &name, &header)?;
    Ok(true)
}
