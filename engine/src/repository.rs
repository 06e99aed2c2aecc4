//! An open repository: its keys, its header, and the destinations that hold it.
//!
//! Readers use the first destination. A writer opens a session on each, writes every object to each, and commits
//! on each; a blob counts as present only when every destination has it.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use crate::backend::{self, Backend, Published};
use crate::error::{Error, Result};
use crate::format::header::Header;
use crate::format::id::{ObjectId, RepositoryId};
use crate::format::keys::Keys;
use crate::format::object::{Area, Kind, ObjectName};
use crate::format::pack::PackInfo;
use crate::format::seal::{self, MAX_OBJECT};
use crate::format::slot::{MAX_SLOT, Slot};
use crate::index::{self, BlobIndex};
use crate::read::reader::Reader;

mod create;
mod destination;
pub(crate) mod forget;
mod known;
mod object_writer;
mod open;
mod records;
pub(crate) mod session;
mod snapshots;
pub(crate) mod stats;
#[cfg(test)]
mod tests;

pub use forget::{ForgetReport, forget};
pub use session::Writer;
pub use stats::{Stats, stats};

pub use create::{CreateOptions, create, create_copy};
pub use destination::Destination;
pub(crate) use destination::Sessions;
pub use known::KnownSnapshots;
pub(crate) use object_writer::ObjectWriter;
pub use open::open;
pub use snapshots::Snapshots;

/// An open repository at one or more destinations.
pub struct Repository {
    pub(crate) keys: Arc<Keys>,
    pub(crate) header: Header,
    /// The destinations, at least one; readers use the first.
    destinations: Vec<Destination>,
    /// The folder for segments of the index and for records; `None` keeps them in memory.
    pub(crate) cache: Option<PathBuf>,
}

/// The errors of objects that exist but could not be read; the operation continues without them.
pub type Problems = Vec<Error>;

pub(crate) fn load_sealed(
    backend: &dyn Backend,
    keys: &Keys,
    kind: Kind,
    name: &ObjectName,
) -> Result<Vec<u8>> {
    let mut object = backend::load(backend, name, MAX_OBJECT as u64)?;
    seal::open_whole(keys, kind, name, &mut object)
}

/// Seals and saves a record whose name is not its salt.
pub(crate) fn save_sealed(
    backend: &dyn Backend,
    keys: &Keys,
    kind: Kind,
    name: &ObjectName,
    content: &[u8],
) -> Result<Published> {
    let object = seal::seal_whole(keys, kind, name, keys.draw_salt(content), content);
    backend::save(backend, name, &object)
}

impl Repository {
    /// Returns the id of the repository.
    pub fn id(&self) -> RepositoryId {
        self.header.repository
    }

    /// Returns the header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Returns the destinations; readers use the first.
    pub fn destinations(&self) -> &[Destination] {
        &self.destinations
    }

    /// Returns the destination that readers use.
    pub(crate) fn primary(&self) -> &Destination {
        self.destinations.first().expect("a repository is opened at a destination")
    }

    /// Returns the name of the first destination for messages.
    pub fn location(&self) -> String {
        self.primary().location()
    }

    /// Returns the backend of the first destination.
    pub fn backend(&self) -> &Arc<dyn Backend> {
        self.primary().backend()
    }

    /// Returns a writer of objects to every destination.
    pub(crate) fn writer(&self) -> ObjectWriter<'_> {
        ObjectWriter::new(&self.destinations)
    }

    /// Opens a reader; returns it with the errors of index objects that could not be read.
    ///
    /// The reader keeps up to `budget` bytes of decoded frames and of the index together; a large index leaves three
    /// quarters of them to frames.
    pub fn reader(&self, budget: usize) -> Result<(Reader, Problems)> {
        let opened = self.open_index(HashSet::new())?;
        let reader =
            Reader::new(Arc::clone(self.backend()), Arc::clone(&self.keys), opened.index, budget);
        Ok((reader, opened.damaged))
    }

    /// Loads the index again, so that a reader sees objects written since it was opened.
    pub fn refresh(&self, reader: &Reader) -> Result<Problems> {
        let opened = self.open_index(HashSet::new())?;
        reader.set_index(opened.index);
        Ok(opened.damaged)
    }

    /// Removes the temporary files of killed writers in the areas that were listed before.
    ///
    /// A file that can't be removed does no harm; `check` and `stats` report it.
    pub(crate) fn remove_abandoned(&self) {
        for destination in &self.destinations {
            let _ = destination.backend().remove_abandoned();
        }
    }

    /// Loads the ids of the packs that prune has condemned on any destination.
    pub(crate) fn condemned(&self) -> Result<HashSet<ObjectId>> {
        let mut packs = HashSet::new();
        for destination in &self.destinations {
            packs.extend(destination.condemned(&self.keys)?.packs);
        }
        Ok(packs)
    }

    pub(crate) fn open_index(&self, condemned: HashSet<ObjectId>) -> Result<index::Opened> {
        let names = self.backend().names(Area::Index)?;
        index::open(&**self.backend(), &self.keys, &names, condemned, self.cache.as_deref())
    }

    /// Opens the index for a writer, which may reuse only packs that every destination has and none has condemned.
    pub(crate) fn open_index_to_write(&self, condemned: HashSet<ObjectId>) -> Result<BlobIndex> {
        let names = listed_by_all(&self.destinations, |backend| backend.names(Area::Index))?;
        let backend = &**self.backend();
        let cache = self.cache.as_deref();
        let mut index = index::open(backend, &self.keys, &names, condemned, cache)?.index;
        index.expect(&self.common_packs()?.into_iter().collect::<HashMap<_, _>>());
        Ok(index)
    }

    /// Lists the packs that every destination has in the same size.
    pub(crate) fn common_packs(&self) -> Result<Vec<(ObjectId, u64)>> {
        listed_by_all(&self.destinations, |backend| {
            let packs = backend.list(Area::Packs)?.into_iter();
            Ok(packs.filter_map(|pack| Some((ObjectId(pack.name.id()?), pack.size))).collect())
        })
    }

    /// Saves packs as an index object on every destination.
    pub(crate) fn save_index(&self, packs: &[PackInfo]) -> Result<ObjectId> {
        let (name, id, object) = index::seal(&self.keys, packs);
        self.writer().save(&name, &object)?;
        Ok(id)
    }

    /// Loads the key slots; returns them with the errors of damaged ones.
    pub fn slots(&self) -> Result<(Vec<Slot>, Problems)> {
        let (mut slots, mut problems) = (Vec::new(), Vec::new());
        for stored in self.backend().list(Area::Keys)? {
            let slot = backend::load(&**self.backend(), &stored.name, MAX_SLOT)
                .and_then(|bytes| Slot::decode(&stored.name, self.id(), &bytes))
                .and_then(|slot| slot.verify(&self.keys).map(|()| slot));
            match slot {
                Ok(slot) => slots.push(slot),
                Err(error) => problems.push(error),
            }
        }
        Ok((slots, problems))
    }
}

/// Returns the items that every destination lists, in the order of the first.
fn listed_by_all<T: Eq + std::hash::Hash>(
    destinations: &[Destination],
    list: impl Fn(&dyn Backend) -> Result<Vec<T>>,
) -> Result<Vec<T>> {
    let mut lists = destinations.iter().map(|destination| list(&**destination.backend()));
    let mut common = lists.next().transpose()?.unwrap_or_default();
    for other in lists {
        let other: HashSet<T> = other?.into_iter().collect();
        common.retain(|item| other.contains(item));
    }
    Ok(common)
}
