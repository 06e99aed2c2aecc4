//! A repository in a bucket of S3 or of a compatible server.
//!
//! An object is a key, and is written by one conditional request, or in parts that a conditional
//! request puts together; so it is absent or whole. S3.md has what stores differ in.

mod bucket;
mod client;
mod clock;
mod failure;
mod headers;
mod list;
mod lock;
mod options;
mod race;
mod read;
mod write;

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use yore_platform::{ReadBuffer, Space, Timestamp};

use self::bucket::Bucket;
pub use self::options::{
    AddressingStyle, CredentialSource, LockMode, ObjectLock, Patience, S3Options, ServerEncryption,
};
use self::write::Upload;
use super::runtime::block_on;
use super::{Backend, Capabilities, Guarantee, ListedObject, NewObject, UnfinishedFile};
use crate::error::{Error, Result};
use crate::format::object::{Area, ObjectName};

/// A bucket, or a prefix in one, that holds a repository.
pub struct S3 {
    bucket: Arc<Bucket>,
    /// The store answered that it does not know conditional requests.
    refuses_conditions: AtomicBool,
}

impl S3 {
    /// Creates a backend without sending anything; credentials are looked for at the first request.
    pub fn new(options: S3Options) -> Self {
        let refuses_conditions = AtomicBool::new(false);
        Self { bucket: Arc::new(Bucket::new(options)), refuses_conditions }
    }

    /// Checks that a repository can be created here; changes nothing.
    ///
    /// # Errors
    /// [`Error::Occupied`] when there are objects of something else, or a repository.
    pub fn check_vacant(&self) -> Result<()> {
        block_on(list::check_vacant(&self.bucket))
    }

    /// Extends the retention of an object until a time, in the mode of the options or else as governance.
    ///
    /// # Errors
    /// [`Refusal::RetentionShortened`](crate::Refusal::RetentionShortened) when the retention ends later already.
    pub fn retain_until(&self, name: &ObjectName, until: Timestamp) -> Result<()> {
        let mode = self.bucket.options.lock.map_or(LockMode::Governance, |lock| lock.mode);
        block_on(lock::extend(&self.bucket, name, mode, until.seconds))
    }

    /// Returns the end of an object's retention in seconds since 1970; `None` without one.
    pub fn retained_until(&self, name: &ObjectName) -> Result<Option<i64>> {
        block_on(lock::retained_until(&self.bucket, name))
    }

    /// Finds out whether the store keeps the retention of the header, which must have been written with one.
    ///
    /// Some stores accept the headers of Object Lock and forget them.
    pub fn probe_lock(&self) -> Result<Guarantee> {
        block_on(lock::probe(&self.bucket))
    }

    /// Lets several writers create one object at once, and deletes it if that is allowed.
    ///
    /// A store that looks for an object and then writes passes
    /// [`probe_create_if_absent`](super::probe_create_if_absent), and fails here. The object is beside those of
    /// the repository, which ignores it; where nothing may be deleted, it stays.
    pub fn probe_race(&self) -> Result<Guarantee> {
        block_on(race::probe(&self.bucket))
    }

    fn refuses_conditions(&self) -> bool {
        self.refuses_conditions.load(Ordering::Relaxed)
    }

    fn learn_refusal(&self) {
        self.refuses_conditions.store(true, Ordering::Relaxed);
    }
}

impl Backend for S3 {
    fn location(&self) -> String {
        self.bucket.location()
    }

    fn prepare(&self) -> Result<()> {
        self.check_vacant()
    }

    fn create(&self, name: &ObjectName) -> Result<Box<dyn NewObject + '_>> {
        Ok(Box::new(Upload::new(self, name)?))
    }

    fn read_into(&self, name: &ObjectName, range: Range<u64>, out: &mut ReadBuffer) -> Result<()> {
        block_on(read::read(&self.bucket, name, range, out))
    }

    fn load(&self, name: &ObjectName, limit: u64) -> Result<ReadBuffer> {
        block_on(read::load(&self.bucket, name, limit))
    }

    fn size(&self, name: &ObjectName) -> Result<Option<u64>> {
        let Some(found) = block_on(self.bucket.head(name))? else { return Ok(None) };
        let size = found.content_length().and_then(|length| u64::try_from(length).ok());
        size.map(Some).ok_or_else(|| Error::Backend {
            object: format!("{}/{name}", self.location()),
            source: std::io::Error::other("the server did not tell its size"),
        })
    }

    /// Lists as consistently as the store does; Amazon's and those that promise its consistency list what was
    /// published before.
    fn list(&self, area: Area) -> Result<Vec<ListedObject>> {
        block_on(list::list(&self.bucket, area))
    }

    /// Needs one request for a small repository.
    fn list_areas(&self, areas: &[Area]) -> Result<Option<Vec<Vec<ListedObject>>>> {
        block_on(list::list_areas(&self.bucket, areas))
    }

    fn delete(&self, name: &ObjectName) -> Result<()> {
        block_on(self.bucket.delete(name))
    }

    fn extend_lock(&self, name: &ObjectName) -> Result<Option<Timestamp>> {
        let Some(lock) = self.bucket.options.lock else { return Ok(None) };
        let until = lock::retain_until(&self.bucket, lock).secs();
        block_on(lock::extend_to(&self.bucket, name, lock.mode, until)).map(Some)
    }

    fn locked_until(&self, name: &ObjectName) -> Result<Option<Timestamp>> {
        if self.bucket.options.lock.is_none() {
            return Ok(None);
        }
        let until = block_on(lock::retained_until(&self.bucket, name))?;
        Ok(until.map(|seconds| Timestamp { seconds, nanos: 0 }))
    }

    fn space(&self) -> Result<Option<Space>> {
        Ok(None)
    }

    fn unfinished(&self) -> Result<Vec<UnfinishedFile>> {
        block_on(list::unfinished(&self.bucket))
    }

    fn remove_abandoned(&self) -> Result<()> {
        block_on(list::remove_abandoned(&self.bucket))
    }

    fn capabilities(&self) -> Capabilities {
        let create_if_absent = match self.refuses_conditions() {
            true => Guarantee::Broken,
            false => self.bucket.options.create_if_absent,
        };
        Capabilities { create_if_absent, durable: true, cheap_requests: false }
    }
}
