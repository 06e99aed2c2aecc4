//! Where objects are kept.
//!
//! A backend keeps named, write-once objects. Four primitives are needed of a destination: create
//! if absent, ranged read, consistent list, and delete (for prune and `key remove` alone). Nothing
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

/// What publishing an object found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// The object is durable now.
    Created,
    /// An object of that name was there; it was left as it was.
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

/// A file of a destination that is no object, since its writer has not finished it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnfinishedFile {
    /// Where it is, below the destination.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// Whether its writer will never finish it, as far as can be told from here.
    pub is_abandoned: bool,
}

/// What a destination looked like, to be compared with a later look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeToken(Vec<Option<Metadata>>);

/// How long looks must be the same before a change is sure to make a difference: file systems keep times to
/// two seconds (FAT) or to a tick of their clock.
pub const TIMESTAMP_GRANULARITY: Duration = Duration::from_secs(3);

/// The promises that a destination keeps, besides a consistent list. A writer, prune and `status` act on those that
/// it does not keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// Of several creators of one name exactly one is told that it created it. Without this, two writers of one
    /// verdict may both believe that theirs counts, so prune must run alone.
    pub create_if_absent: bool,
    /// An object that was published survives a loss of power. Without this, the destination writes when it likes.
    pub durable: bool,
    /// A request costs no round trip over a network, so that the header can be read after every list.
    pub cheap_requests: bool,
}

/// A destination's code. Every call may come from several threads at once.
pub trait Backend: Send + Sync {
    /// Names the destination for messages.
    fn location(&self) -> String;

    /// Prepares a destination for a new repository; it must be empty.
    ///
    /// # Errors
    /// [`Error::Occupied`] when something is there.
    fn prepare(&self) -> Result<()>;

    /// Begins an object, which exists only once it is published.
    fn create(&self, name: &ObjectName) -> Result<Box<dyn NewObject + '_>>;

    /// Replaces the content of `out` by a range of the object's bytes, in the memory that it has where that
    /// suffices; after an error content and memory may be lost. A buffer with [`ReadBuffer::MARGIN`] more
    /// capacity than the range lets a destination that reads whole pages do so without a copy.
    ///
    /// # Errors
    /// [`Error::Missing`] without the object, [`Error::Damaged`] when it ends before the range does.
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

    /// Returns the object's size; `None` when it is not there.
    fn size(&self, name: &ObjectName) -> Result<Option<u64>>;

    /// Lists the objects of an area in order of their names, consistently: what was published
    /// before the call began is listed.
    fn list(&self, area: Area) -> Result<Vec<ListedObject>>;

    /// Lists the names alone, as [`list`](Self::list) does.
    fn names(&self, area: Area) -> Result<Vec<ObjectName>> {
        Ok(self.list(area)?.into_iter().map(|stored| stored.name).collect())
    }

    /// Looks, at a cost that does not grow with what is there, at whether objects of `areas` or the header
    /// come or go; `None` where that can't be told.
    ///
    /// Whatever is published or deleted after a look makes the next one differ, once the looks have been
    /// the same for [`TIMESTAMP_GRANULARITY`].
    fn change_token(&self, _areas: &[Area]) -> Result<Option<ChangeToken>> {
        Ok(None)
    }

    /// Deletes an object; one that is not there is no error.
    fn delete(&self, name: &ObjectName) -> Result<()>;

    /// Tells the destination's sizes, if it has any.
    fn space(&self) -> Result<Option<Space>>;

    /// Describes the files of unfinished objects, as far as areas were listed before.
    fn unfinished(&self) -> Result<Vec<UnfinishedFile>> {
        Ok(Vec::new())
    }

    /// Removes those of them that are abandoned.
    fn remove_abandoned(&self) -> Result<()> {
        Ok(())
    }

    /// Returns the promises that the destination keeps, as far as is known by now: one that could not make an
    /// object durable says so afterwards.
    fn capabilities(&self) -> Capabilities;
}

/// An object that is being written. Dropped without being published, it leaves nothing.
pub trait NewObject: Send {
    /// Appends bytes.
    fn append(&mut self, bytes: &[u8]) -> Result<()>;

    /// Makes the object durable under its name, unless one of that name is there.
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
