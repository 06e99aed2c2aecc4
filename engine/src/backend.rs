//! Storage backends: the code that reads and writes the objects of a destination.
//!
//! A backend stores named, write-once objects. It needs four primitives of a destination: create if
//! absent, ranged read, consistent list, and delete (used by prune and `key remove` only). No caller
//! assumes that a destination is a path, or that a list is cheap.

use std::ops::Range;
use std::time::Duration;

use yore_platform::{Metadata, ReadBuffer, Space};

use crate::error::{Error, Result};
use crate::format::object::{Area, ObjectName};

mod folder;
mod layer;

pub use folder::Folder;
pub use layer::deadline::Deadline;
pub(crate) use layer::identity::IdentityChecked;
pub use layer::metered::{Fetched, Meter, Metered};

/// The outcome of publishing an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// The object was created and is durable.
    Created,
    /// An object of that name existed and is unchanged.
    Exists,
}

/// An object as a backend lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedObject {
    /// Its name.
    pub name: ObjectName,
    /// Its size in bytes.
    pub size: u64,
}

/// A temporary file at a destination, of an object that its writer has not published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnfinishedFile {
    /// Its path relative to the destination.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its writer has ended, as far as this machine can detect.
    pub is_abandoned: bool,
}

/// An opaque token that changes when objects of a destination are created or deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeToken(Vec<Option<Metadata>>);

/// The time for which a [`ChangeToken`] must be unchanged before every further change is sure to alter it.
///
/// File systems store times to two seconds (FAT) or to a tick of their clock.
pub const TIMESTAMP_GRANULARITY: Duration = Duration::from_secs(3);

/// The guarantees of a destination besides a consistent list; a writer, prune and `status` allow for missing ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// Exactly one of several concurrent creators of a name gets [`Published::Created`]. Without this guarantee, two
    /// writers of one verdict may both conclude that theirs counts, so prune must run alone.
    pub create_if_absent: bool,
    /// A published object survives a loss of power. Without this guarantee, the destination may write it later.
    pub durable: bool,
    /// A request costs no network round trip, so the header can be read after every list.
    pub cheap_requests: bool,
}

/// Access to the objects of a destination. Several threads may call every method at once.
pub trait Backend: Send + Sync {
    /// Returns the name of the destination for messages.
    fn location(&self) -> String;

    /// Prepares an empty destination for a new repository.
    ///
    /// # Errors
    /// [`Error::Occupied`] when it is not empty.
    fn prepare(&self) -> Result<()>;

    /// Creates an object, which exists once its writer has published it.
    fn create(&self, name: &ObjectName) -> Result<Box<dyn NewObject + '_>>;

    /// Replaces the content of `out` by a range of the object's bytes.
    ///
    /// The memory of `out` is reused where it suffices; after an error its content and memory may be lost. With
    /// [`ReadBuffer::MARGIN`] more capacity than the range, a destination that reads whole pages needs no copy.
    ///
    /// # Errors
    /// [`Error::Missing`] without the object, [`Error::Damaged`] when it ends before the range.
    fn read_into(&self, name: &ObjectName, range: Range<u64>, out: &mut ReadBuffer) -> Result<()>;

    /// Reads a range of an object's bytes.
    ///
    /// # Errors
    /// Those of [`read_into`](Self::read_into).
    fn read(&self, name: &ObjectName, range: Range<u64>) -> Result<ReadBuffer> {
        let mut bytes = ReadBuffer::default();
        self.read_into(name, range, &mut bytes)?;
        Ok(bytes)
    }

    /// Returns the object's size, or `None` when it does not exist.
    fn size(&self, name: &ObjectName) -> Result<Option<u64>>;

    /// Lists the objects of an area in the order of their names.
    ///
    /// The list is consistent: it holds every object that was published before the call.
    fn list(&self, area: Area) -> Result<Vec<ListedObject>>;

    /// Lists the names without the sizes, otherwise like [`list`](Self::list).
    fn names(&self, area: Area) -> Result<Vec<ObjectName>> {
        Ok(self.list(area)?.into_iter().map(|object| object.name).collect())
    }

    /// Returns a token that changes when objects of `areas` or the header are created or deleted.
    ///
    /// The cost does not depend on the number of objects. Once the token has been the same for
    /// [`TIMESTAMP_GRANULARITY`], every later change alters it. Returns `None` where the destination has no such token.
    fn change_token(&self, _areas: &[Area]) -> Result<Option<ChangeToken>> {
        Ok(None)
    }

    /// Deletes an object; succeeds when it does not exist.
    fn delete(&self, name: &ObjectName) -> Result<()>;

    /// Returns the total and the free space of the destination, if it has a limit.
    fn space(&self) -> Result<Option<Space>>;

    /// Returns the temporary files of unpublished objects in the areas that were listed before.
    fn unfinished(&self) -> Result<Vec<UnfinishedFile>> {
        Ok(Vec::new())
    }

    /// Removes the abandoned files among [`unfinished`](Self::unfinished).
    fn remove_abandoned(&self) -> Result<()> {
        Ok(())
    }

    /// Returns the guarantees of the destination as far as they are known; `durable` becomes false after an object
    /// could not be made durable.
    fn capabilities(&self) -> Capabilities;
}

/// An object that is being written. Dropping it unpublished removes it.
pub trait NewObject: Send {
    /// Appends bytes.
    fn append(&mut self, bytes: &[u8]) -> Result<()>;

    /// Makes the object durable under its name, unless an object of that name exists.
    fn publish(self: Box<Self>) -> Result<Published>;
}

/// Loads a whole object of at most `limit` bytes.
///
/// # Errors
/// [`Error::Missing`] without the object, [`Error::Damaged`] when it is larger.
pub fn load(backend: &dyn Backend, name: &ObjectName, limit: u64) -> Result<ReadBuffer> {
    let missing = || Error::Missing { object: name.to_string() };
    let size = backend.size(name)?.ok_or_else(missing)?;
    if size > limit {
        return Err(Error::damaged(name.as_str(), "it is larger than any such object"));
    }
    backend.read(name, 0..size)
}

/// Saves a small object.
pub fn save(backend: &dyn Backend, name: &ObjectName, bytes: &[u8]) -> Result<Published> {
    let mut object = backend.create(name)?;
    object.append(bytes)?;
    object.publish()
}
