//! Storage backends: the code that reads and writes the objects of a destination.
//!
//! A backend stores named, write-once objects. It needs four primitives of a destination: create if
//! absent, ranged read, consistent list, and delete (used by prune and `key remove` only). No caller
//! assumes that a destination is a path, or that a list is cheap.

use std::ops::Range;
use std::time::Duration;

use yore_platform::{Metadata, ReadBuffer, Space, Timestamp};

use crate::error::{Error, Result};
use crate::format::header::MAX_HEADER;
use crate::format::object::{Area, ObjectName};

mod folder;
mod layer;
mod mirrors;
mod open_packs;
#[cfg(any(feature = "sftp", feature = "s3"))]
mod pages;
#[cfg(any(feature = "sftp", feature = "s3"))]
mod runtime;
#[cfg(feature = "s3")]
pub mod s3;
#[cfg(feature = "sftp")]
mod sftp;

pub use folder::Folder;
pub use layer::deadline::Deadline;
pub(crate) use layer::identity::IdentityChecked;
pub use layer::limited::timetable::{Timetable, Window};
pub use layer::limited::{Limited, Limits};
pub use layer::metered::{Fetched, Meter, Metered};
pub use layer::retry::wait::{Interrupted, OnOutage, Outage, Patience};
pub use layer::retry::{Retry, RetryOptions};
pub use layer::verified::VerifiedWrites;
pub(crate) use mirrors::{Mirrors, Suspect};
#[cfg(feature = "s3")]
pub use s3::S3;
#[cfg(feature = "sftp")]
pub use sftp::{
    AgentKeys, Identity, Program, RcloneOptions, Sftp, SftpOptions, SftpSource, SshHost,
    UnknownHosts, ssh_config,
};
#[cfg(feature = "sftp")]
pub(crate) use sftp::{FilesAhead, RemoteDir, RemoteFile, RemoteFiles, Unwanted};

/// The outcome of publishing an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// The object was created and is durable.
    Created,
    /// An object of that name existed and is unchanged.
    Exists,
}

/// Tells whether a destination keeps a promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guarantee {
    /// It does, by its protocol or as a probe found.
    Kept,
    /// It does not.
    Broken,
    /// Servers of its kind differ, and this one was not probed yet.
    Unprobed,
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
    pub create_if_absent: Guarantee,
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

    /// Loads a whole object of at most `limit` bytes; a destination that learns the size with the bytes needs one
    /// request instead of two.
    ///
    /// # Errors
    /// [`Error::Missing`] without the object, [`Error::Damaged`] when it is larger.
    fn load(&self, name: &ObjectName, limit: u64) -> Result<ReadBuffer> {
        let size = self.size(name)?.ok_or_else(|| Error::Missing { object: name.to_string() })?;
        if size > limit {
            return Err(too_large(name));
        }
        self.read(name, 0..size)
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

    /// Lists several areas with fewer requests than one after the other: for each, what [`list`](Self::list) returns.
    ///
    /// Returns `None` where there is no such request.
    fn list_areas(&self, _areas: &[Area]) -> Result<Option<Vec<Vec<ListedObject>>>> {
        Ok(None)
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

    /// Extends the time for which the object may not be deleted to that of an object which is created now.
    ///
    /// Returns its end, or `None` where objects have no such time.
    fn extend_lock(&self, _name: &ObjectName) -> Result<Option<Timestamp>> {
        Ok(None)
    }

    /// Returns the time until which the object may not be deleted, or `None` where nothing keeps it.
    fn locked_until(&self, _name: &ObjectName) -> Result<Option<Timestamp>> {
        Ok(None)
    }

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

    /// Returns the number of times so far that the destination was out of reach; after each it may be another one.
    fn disturbances(&self) -> u64 {
        0
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

    /// Makes the object durable under its name in place of one of that name, if there is one; a reader finds either.
    ///
    /// Used only to heal: the object that is replaced was verified to be damaged.
    fn replace(self: Box<Self>) -> Result<()>;
}

/// Loads a whole object of at most `limit` bytes.
///
/// # Errors
/// [`Error::Missing`] without the object, [`Error::Damaged`] when it is larger.
pub fn load(backend: &dyn Backend, name: &ObjectName, limit: u64) -> Result<ReadBuffer> {
    backend.load(name, limit)
}

/// The error of an object that is larger than any of its kind.
fn too_large(name: &ObjectName) -> Error {
    Error::damaged(name.as_str(), "it is larger than any such object")
}

/// Saves a small object.
pub fn save(backend: &dyn Backend, name: &ObjectName, bytes: &[u8]) -> Result<Published> {
    let mut object = backend.create(name)?;
    object.append(bytes)?;
    object.publish()
}

/// Puts a small object in the place of a damaged or missing one.
pub(crate) fn replace(backend: &dyn Backend, name: &ObjectName, bytes: &[u8]) -> Result<()> {
    let mut object = backend.create(name)?;
    object.append(bytes)?;
    object.replace()
}

/// Finds out whether a destination that holds a repository keeps the promise to create an object only if it is absent.
///
/// It publishes the header once more, with the bytes that it has: a destination that keeps the promise refuses, and
/// one that does not keeps the same header. So the probe needs no object of its own and no right to delete.
pub fn probe_create_if_absent(backend: &dyn Backend) -> Result<Guarantee> {
    let name = ObjectName::header();
    let header = load(backend, &name, MAX_HEADER)?;
    Ok(match save(backend, &name, &header)? {
        Published::Exists => Guarantee::Kept,
        Published::Created => Guarantee::Broken,
    })
}
