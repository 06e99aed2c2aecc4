//! Opening a repository with a secret.

use std::path::PathBuf;
use std::sync::Arc;

use super::{Destination, Repository};
use crate::backend::{self, Backend, IdentityChecked};
use crate::error::{Error, Result};
use crate::format::header::{MAX_HEADER, Unverified};
use crate::format::id::RepositoryId;
use crate::format::keys::{Keys, MasterSecret};
use crate::format::object::{Area, ObjectName};
use crate::format::secret::{Secret, SecretKind};
use crate::format::slot::{MAX_SLOT, Slot};

/// The number of passphrase slots that are tried before a passphrase is reported as wrong.
const MAX_PASSPHRASE_SLOTS: usize = 64;

/// Opens a repository with a secret.
///
/// `cache` is a private folder for this and other repositories; with `None` there is no cache.
///
/// # Errors
/// [`Error::NoRepository`], [`Error::WrongSecret`], [`Error::Unsupported`]; [`Error::Damaged`] when
/// the header is damaged, or when a slot is damaged and none opens.
pub fn open(
    backend: Arc<dyn Backend>,
    secret: &Secret,
    cache: Option<PathBuf>,
) -> Result<Repository> {
    let unverified = load_header(&*backend)?;
    let id = unverified.header.repository;
    let backend = Arc::new(IdentityChecked::new(backend, id));
    let master = unlock(&*backend, id, secret)?;
    let keys = Keys::derive(&master, id);
    let header = unverified.verify(&keys)?;
    let destinations = vec![Destination::load(backend, &keys)?];
    let cache = cache.map(|folder| folder.join(id.to_string())).filter(|folder| {
        // A cache only saves time, so a failure is ignored.
        yore_platform::create_private_dir(folder).is_ok()
    });
    Ok(Repository { keys: Arc::new(keys), header, destinations, cache })
}

impl Repository {
    /// Adds a destination that holds a copy of this repository. Sessions opened from now on write to it, too.
    ///
    /// # Errors
    /// [`Error::NoRepository`], [`Error::OtherRepository`]; [`Error::Occupied`] for a destination of an id that is
    /// known already.
    pub fn add_destination(&mut self, backend: Arc<dyn Backend>) -> Result<()> {
        let found = load_header(&*backend)?;
        if found.header.repository != self.id() {
            return Err(Error::OtherRepository { location: backend.location() });
        }
        found.verify(&self.keys)?;
        let backend = Arc::new(IdentityChecked::new(backend, self.id()));
        let added = Destination::load(backend, &self.keys)?;
        if self.destinations.iter().any(|known| known.id() == added.id()) {
            let found = "is a destination of this repository already, or a plain copy of one";
            return Err(Error::Occupied { location: added.location(), found });
        }
        self.destinations.push(added);
        Ok(())
    }
}

/// Loads the header in force: the one with the highest number.
fn load_header(backend: &dyn Backend) -> Result<Unverified> {
    let location = backend.location();
    let first = match backend::load(backend, &ObjectName::header(), MAX_HEADER) {
        Ok(bytes) => Unverified::decode(&location, &bytes)?,
        Err(Error::Missing { .. }) => return Err(Error::NoRepository { location }),
        Err(error) => return Err(error),
    };
    let Some(newest) = backend.list(Area::Headers)?.pop() else { return Ok(first) };
    let bytes = backend::load(backend, &newest.name, MAX_HEADER)?;
    let later = Unverified::decode(&location, &bytes)?;
    if later.header.repository != first.header.repository
        || newest.name.number() != Some(later.header.number)
    {
        return Err(Error::damaged(newest.name.as_str(), "a header of another place"));
    }
    Ok(later)
}

fn unlock(backend: &dyn Backend, id: RepositoryId, secret: &Secret) -> Result<MasterSecret> {
    let mut first_error = None;
    let mut passphrases = 0;
    for stored in backend.list(Area::Keys)? {
        let slot = backend::load(backend, &stored.name, MAX_SLOT)
            .and_then(|bytes| Slot::decode(&stored.name, id, &bytes));
        match slot {
            Ok(slot) if slot.kind == Some(secret.kind()) => {
                passphrases += usize::from(secret.kind() == SecretKind::Passphrase);
                if passphrases > MAX_PASSPHRASE_SLOTS {
                    break;
                }
                if let Some(master) = slot.open(id, secret) {
                    return Ok(master);
                }
            }
            Ok(_) => {}
            Err(error) => drop(first_error.get_or_insert(error)),
        }
    }
    let wrong = Error::WrongSecret { location: backend.location() };
    Err(first_error.unwrap_or(wrong))
}
