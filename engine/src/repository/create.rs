//! Creation of a repository, and of an empty copy at a further destination.

use std::collections::HashSet;
use std::sync::Arc;

use yore_platform::{ReadBuffer, Timestamp};

use super::{Destination, Repository, save_sealed};
use crate::backend::{self, Backend, IdentityChecked, Published};
use crate::error::{Error, Result};
use crate::format::header::{Header, MAX_HEADER, Parameters};
use crate::format::id::RepositoryId;
use crate::format::keys::{Keys, MasterSecret, random};
use crate::format::object::{Area, Kind, ObjectName};
use crate::format::record::{DestinationId, encode_destination};
use crate::format::secret::{Secret, SecretKind};
use crate::format::slot::{self, Cost, MAX_SLOT, Slot};

pub(super) mod adopt_copy;

/// The options of a new repository.
pub struct CreateOptions<'a> {
    /// The secrets that open it, each with the label of its slot; at least one.
    pub secrets: &'a [(&'a Secret, &'a str)],
    /// The cost of deriving a key from a passphrase.
    pub cost: Cost,
    /// The sizes of chunks, frames and packs.
    pub parameters: Parameters,
    /// The time of creation.
    pub time: Timestamp,
}

/// Creates a repository on an empty destination.
///
/// The header is written last: after an interrupted creation there is no repository, and it can be created again.
///
/// # Errors
/// [`Error::Occupied`] when the destination is not empty.
pub fn create(backend: Arc<dyn Backend>, options: &CreateOptions<'_>) -> Result<Repository> {
    backend.prepare()?;
    remove_interrupted(&*backend)?;
    let repository = RepositoryId(random());
    let master = MasterSecret::draw();
    let keys = Keys::derive(&master, repository);
    let (destination, mut written) = save_destination_id(&*backend, &keys, options.time)?;
    let created = options.time.seconds;
    for (secret, label) in options.secrets {
        let slot = slot::create(&master, repository, secret, label, created, options.cost);
        let name = ObjectName::slot(slot.id);
        backend::save(&*backend, &name, &slot.encode(&keys))?;
        let read = Slot::decode(&name, repository, &backend::load(&*backend, &name, MAX_SLOT)?)?;
        // Deriving the key from a passphrase again would double the cost, so the slot's bytes are compared.
        let opens = match secret.kind() {
            SecretKind::Passphrase => read.encode(&keys) == slot.encode(&keys),
            SecretKind::KeyFile | SecretKind::Recovery | SecretKind::WriteOnly => {
                read.open(repository, secret).is_some()
            }
        };
        if !opens {
            return Err(Error::damaged(name.as_str(), "it does not read back as written"));
        }
        written.push(name);
    }
    let parameters = options.parameters;
    let header = Header {
        repository,
        parameters,
        created,
        number: 0,
        generation: 1,
        is_inbox: false,
        unknown_to_writers: None,
    };
    publish_header(&*backend, &header.encode(&keys)?, &written)?;
    let backend = Arc::new(IdentityChecked::new(backend, repository));
    let destinations = vec![Destination::load(backend, &keys, &header)?];
    if destinations.iter().any(|written| written.id() != destination) {
        // Another process created a repository here at the same time.
        return Err(Error::Missing { object: ObjectName::destination().to_string() });
    }
    Ok(Repository::of(Arc::new(keys), header, destinations, None))
}

/// Creates a copy of a repository at an empty destination: headers and key slots, without snapshots.
///
/// The same secrets open the copy. After [`Repository::add_destination`] writers write to both.
///
/// # Errors
/// [`Error::Occupied`] when the destination is not empty.
pub fn create_copy(
    repository: &Repository,
    backend: &Arc<dyn Backend>,
    time: Timestamp,
) -> Result<()> {
    backend.prepare()?;
    remove_interrupted(&**backend)?;
    let from = &**repository.primary().backend();
    let (_, mut written) = save_destination_id(&**backend, &repository.keys, time)?;
    let mut objects = load_slots(repository, from)?;
    for name in from.names(Area::Headers)? {
        objects.push((backend::load(from, &name, MAX_HEADER)?, name));
    }
    for (bytes, name) in objects {
        backend::save(&**backend, &name, &bytes)?;
        written.push(name);
    }
    let header = backend::load(from, &ObjectName::header(), MAX_HEADER)?;
    publish_header(&**backend, &header, &written)
}

/// Creates an inbox at an empty destination: its header, and the id of the destination.
///
/// # Errors
/// [`Error::Occupied`] when the destination is not empty.
pub(super) fn create_inbox(
    backend: &dyn Backend,
    keys: &Keys,
    header: &[u8],
    time: Timestamp,
) -> Result<()> {
    backend.prepare()?;
    remove_interrupted(backend)?;
    let (_, written) = save_destination_id(backend, keys, time)?;
    publish_header(backend, header, &written)
}

/// Loads the key slots of a destination, without those that were removed and are still there.
fn load_slots(
    repository: &Repository,
    from: &dyn Backend,
) -> Result<Vec<(ReadBuffer, ObjectName)>> {
    let (mut objects, mut removed) = (Vec::new(), HashSet::new());
    for name in from.names(Area::Keys)? {
        let bytes = backend::load(from, &name, MAX_SLOT)?;
        let slot = Slot::decode(&name, repository.id(), &bytes)?;
        slot.verify(&repository.keys)?;
        removed.extend(slot.removes.into_iter().map(ObjectName::slot));
        objects.push((bytes, name));
    }
    objects.retain(|(_, name)| !removed.contains(name));
    Ok(objects)
}

/// Draws and saves the id of a destination; returns it with the name of its object.
fn save_destination_id(
    backend: &dyn Backend,
    keys: &Keys,
    time: Timestamp,
) -> Result<(DestinationId, Vec<ObjectName>)> {
    let id = DestinationId(random());
    let name = ObjectName::destination();
    save_sealed(backend, keys, Kind::Destination, &name, &encode_destination(id, time))?;
    Ok((id, vec![name]))
}

/// Publishes the header, which makes the repository exist, unless another process created one at the same time.
fn publish_header(backend: &dyn Backend, header: &[u8], written: &[ObjectName]) -> Result<()> {
    match backend::save(backend, &ObjectName::header(), header)? {
        Published::Created => {}
        Published::Exists => {
            let found = "holds a repository already";
            return Err(Error::Occupied { location: backend.location(), found });
        }
    }
    // Another process that creates at the same time may have removed the slots as leftovers.
    for name in written {
        if backend.size(name)?.is_none() {
            return Err(Error::Missing { object: name.to_string() });
        }
    }
    Ok(())
}

/// Removes the key slots that an interrupted creation left at a destination without a header.
fn remove_interrupted(backend: &dyn Backend) -> Result<()> {
    for area in [Area::Keys, Area::Headers] {
        for name in backend.names(area)? {
            backend.delete(&name)?;
        }
    }
    backend.delete(&ObjectName::destination())
}
