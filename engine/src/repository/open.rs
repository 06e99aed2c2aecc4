//! Opening a repository with a secret.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use super::{Destination, FRAMES_BUDGET, Repository};
use crate::backend::{self, Backend, IdentityChecked, Mirrors};
use crate::error::{Error, Refusal, Result};
use crate::format::header::{Header, MAX_HEADER, Unverified};
use crate::format::id::{ObjectId, RepositoryId};
use crate::format::keys::{Keys, MasterSecret};
use crate::format::object::{Area, ObjectName};
use crate::format::secret::{Secret, SecretKind};
use crate::format::slot::{MAX_SLOT, Slot};

mod kept;

use kept::{Kept, Opened};

/// The number of passphrase slots that are tried before a passphrase is reported as wrong.
pub(super) const MAX_PASSPHRASE_SLOTS: usize = 64;

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
    let is_costly = !backend.capabilities().cheap_requests;
    let is_kept = is_costly && secret.kind() != SecretKind::WriteOnly;
    let kept_in = cache.as_deref().filter(|_| is_kept);
    let Opened { keys, header, destination, slot } = match kept_in {
        None => open_anew(backend, secret)?.0,
        Some(folder) => {
            let location = backend.location();
            let mut kept = Kept::load(folder, &location);
            match kept.as_mut().and_then(|kept| kept.open(&backend, secret, folder)) {
                Some(opened) => opened,
                None => {
                    let (opened, mut used) = open_anew(backend, secret)?;
                    used.add_slots(kept);
                    used.save(folder, &location);
                    opened
                }
            }
        }
    };
    let cache = cache.map(|folder| folder.join(header.repository.to_string())).filter(|folder| {
        // A cache only saves time, so a failure is ignored.
        yore_platform::create_private_dir(folder).is_ok()
    });
    let mut repository = Repository::of(Arc::new(keys), header, vec![destination], cache);
    repository.slot = slot;
    Ok(repository)
}

/// Opens a repository by the objects at the destination; returns those objects, too.
fn open_anew(backend: Arc<dyn Backend>, secret: &Secret) -> Result<(Opened, Kept)> {
    let (unverified, bytes) = load_header_in_force(&*backend)?;
    let id = unverified.header.repository;
    let backend = Arc::new(IdentityChecked::new(backend, id));
    if secret.kind() == SecretKind::WriteOnly {
        return Ok((open_inbox(backend, unverified, secret)?, Kept::default()));
    }
    if unverified.header.is_inbox {
        return Err(Refusal::Inbox { location: backend.location() }.into());
    }
    // An interrupted change of the keys may have left a slot with a generation that is not in force.
    let fits = |master: &MasterSecret| unverified.verifies(&Keys::derive(master, id)) == Some(true);
    let (master, slot) = unlock(&*backend, id, secret, fits)?;
    let keys = Keys::derive(&master, id);
    let header = unverified.verify(&keys)?;
    keys.put_in_force(header.generation);
    let header_number = (header.number > 0).then_some(header.number);
    let opened_with = slot.0.id().map(ObjectId);
    let kept = Kept { header: bytes, header_number, slots: vec![slot] };
    let destination = Destination::load(backend, &keys, &header)?;
    Ok((Opened { keys, header, destination, slot: opened_with }, kept))
}

/// Opens an inbox with the key of its machine.
fn open_inbox(
    backend: Arc<IdentityChecked>,
    header: Unverified,
    secret: &Secret,
) -> Result<Opened> {
    let of_this = |keys: &Keys| keys.repository() == header.header.repository;
    let wrong = || Error::WrongSecret { location: backend.location() };
    let keys = Keys::of_machine(secret.bytes()).filter(of_this).ok_or_else(wrong)?;
    let header = header.verify(&keys)?;
    let destination = Destination::load(backend, &keys, &header)?;
    Ok(Opened { keys, header, destination, slot: None })
}

impl Repository {
    /// Puts a repository together.
    pub(super) fn of(
        keys: Arc<Keys>,
        header: Header,
        destinations: Vec<Destination>,
        cache: Option<PathBuf>,
    ) -> Self {
        let mirrors = mirrors(&destinations);
        let (frames_budget, frames) = (FRAMES_BUDGET, OnceLock::new());
        let (parity, slot) = (header.parameters.parity, None);
        Self { keys, header, destinations, mirrors, cache, frames_budget, frames, slot, parity }
    }

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
        let header = found.verify(&self.keys)?;
        let backend = Arc::new(IdentityChecked::new(backend, self.id()));
        let added = Destination::load(backend, &self.keys, &header)?;
        if self.destinations.iter().any(|known| known.id() == added.id()) {
            let found = "is a destination of this repository already, or a plain copy of one";
            return Err(Error::Occupied { location: added.location(), found });
        }
        if header.generation > self.header.generation {
            // The keys were changed while the others were away.
            self.keys.put_in_force(header.generation);
            self.header = header;
        }
        self.destinations.push(added);
        self.mirrors = mirrors(&self.destinations);
        Ok(())
    }
}

fn mirrors(destinations: &[Destination]) -> Arc<Mirrors> {
    Arc::new(Mirrors::new(destinations.iter().map(|one| Arc::clone(one.backend()))))
}

/// Loads the header in force: the one with the highest number.
pub(crate) fn load_header(backend: &dyn Backend) -> Result<Unverified> {
    Ok(load_header_in_force(backend)?.0)
}

/// Loads the header in force with its bytes.
fn load_header_in_force(backend: &dyn Backend) -> Result<(Unverified, Vec<u8>)> {
    let location = backend.location();
    let (first, bytes) = match backend::load(backend, &ObjectName::header(), MAX_HEADER) {
        Ok(bytes) => (Unverified::decode(&location, &bytes)?, bytes),
        Err(Error::Missing { .. }) => return Err(Error::NoRepository { location }),
        Err(error) => return Err(error),
    };
    let Some(newest) = backend.list(Area::Headers)?.pop() else {
        return Ok((first, bytes.to_vec()));
    };
    let bytes = backend::load(backend, &newest.name, MAX_HEADER)?;
    let later = Unverified::decode(&location, &bytes)?;
    if later.header.repository != first.header.repository
        || newest.name.number() != Some(later.header.number)
    {
        return Err(Error::damaged(newest.name.as_str(), "a header of another place"));
    }
    Ok((later, bytes.to_vec()))
}

/// Finds the key slot that a secret opens; returns it with the master secret. Of several, it is the first whose master
/// secret fits, or else the first.
pub(super) fn unlock(
    backend: &dyn Backend,
    id: RepositoryId,
    secret: &Secret,
    fits: impl Fn(&MasterSecret) -> bool,
) -> Result<(MasterSecret, (ObjectName, Vec<u8>))> {
    let (mut first_error, mut other) = (None, None);
    let mut passphrases = 0;
    for stored in backend.list(Area::Keys)? {
        let slot = backend::load(backend, &stored.name, MAX_SLOT)
            .and_then(|bytes| Ok((Slot::decode(&stored.name, id, &bytes)?, bytes)));
        match slot {
            Ok((slot, bytes)) if slot.kind == Some(secret.kind()) => {
                passphrases += usize::from(secret.kind() == SecretKind::Passphrase);
                if passphrases > MAX_PASSPHRASE_SLOTS {
                    break;
                }
                if let Some(master) = slot.open(id, secret) {
                    let is_fit = fits(&master);
                    let opened = (master, (stored.name, bytes.to_vec()));
                    if is_fit {
                        return Ok(opened);
                    }
                    other = other.or(Some(opened));
                }
            }
            Ok(_) => {}
            Err(error) => drop(first_error.get_or_insert(error)),
        }
    }
    if let Some(opened) = other {
        return Ok(opened);
    }
    let wrong = Error::WrongSecret { location: backend.location() };
    Err(first_error.unwrap_or(wrong))
}
