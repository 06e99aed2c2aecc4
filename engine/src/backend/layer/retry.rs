//! Requests that are repeated while a destination fails temporarily.
//!
//! An object that is being written is kept until it is published, and written anew after a failure. When the answer
//! to a publish is lost, the object that is found under its name is compared with ours: only the same bytes count as
//! created, so that of two creators with different bytes one wins as before. A publish of bytes that were there before
//! is therefore reported as created when its answer is lost.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use yore_platform::{ReadBuffer, Space, Timestamp};

use crate::backend::{Backend, Capabilities, ChangeToken, ListedObject, NewObject, UnfinishedFile};
use crate::error::{Error, Result};
use crate::format::object::{Area, ObjectName};

mod object;
mod replay;
pub(crate) mod wait;

use object::RetriedObject;
use wait::{Interrupted, OnOutage, Patience, Waits};

/// A backend that repeats what fails temporarily ([`Error::is_temporary`]).
pub struct Retry {
    inner: Arc<dyn Backend>,
    waits: Waits,
    /// The folder for the bytes of unpublished objects; `None` keeps them in memory.
    scratch: Option<PathBuf>,
}

/// The surroundings of a [`Retry`].
pub struct RetryOptions {
    /// The times.
    pub patience: Patience,
    /// A private folder for files without a name, which hold objects of more than 1 MiB until they are published, two
    /// packs at most; `None` keeps them in memory.
    pub scratch: Option<PathBuf>,
    /// Ends a wait with [`Error::Interrupted`] when it returns true.
    pub interrupted: Interrupted,
    /// Receives outages.
    pub on_outage: OnOutage,
}

impl Retry {
    /// Repeats requests to `inner`.
    pub fn new(inner: Arc<dyn Backend>, options: RetryOptions) -> Self {
        let RetryOptions { patience, scratch, interrupted, on_outage } = options;
        let waits = Waits::new(inner.location(), patience, interrupted, on_outage);
        Self { inner, waits, scratch }
    }

    /// Makes a request until it succeeds or fails for good.
    fn repeat<T>(&self, mut request: impl FnMut() -> Result<T>) -> Result<T> {
        let mut attempts = self.waits.attempts();
        loop {
            match request() {
                Err(error) if error.is_temporary() => attempts.wait_out(error)?,
                answer => {
                    self.waits.answered();
                    return answer;
                }
            }
        }
    }

    /// Makes a request once more when it finds damage: an answer that ended early looks like an object that does.
    fn twice_if_damaged<T>(&self, mut request: impl FnMut() -> Result<T>) -> Result<T> {
        match self.repeat(&mut request) {
            Err(Error::Damaged { .. }) => self.repeat(request),
            answer => answer,
        }
    }
}

impl Backend for Retry {
    forward!(location, capabilities);

    fn prepare(&self) -> Result<()> {
        self.repeat(|| self.inner.prepare())
    }

    fn create(&self, name: &ObjectName) -> Result<Box<dyn NewObject + '_>> {
        Ok(Box::new(RetriedObject::create(self, name)?))
    }

    fn read_into(&self, name: &ObjectName, range: Range<u64>, out: &mut ReadBuffer) -> Result<()> {
        self.twice_if_damaged(|| self.inner.read_into(name, range.clone(), out))
    }

    fn load(&self, name: &ObjectName, limit: u64) -> Result<ReadBuffer> {
        self.twice_if_damaged(|| self.inner.load(name, limit))
    }

    fn size(&self, name: &ObjectName) -> Result<Option<u64>> {
        self.repeat(|| self.inner.size(name))
    }

    fn list(&self, area: Area) -> Result<Vec<ListedObject>> {
        self.repeat(|| self.inner.list(area))
    }

    fn names(&self, area: Area) -> Result<Vec<ObjectName>> {
        self.repeat(|| self.inner.names(area))
    }

    fn list_areas(&self, areas: &[Area]) -> Result<Option<Vec<Vec<ListedObject>>>> {
        self.repeat(|| self.inner.list_areas(areas))
    }

    fn change_token(&self, areas: &[Area]) -> Result<Option<ChangeToken>> {
        self.repeat(|| self.inner.change_token(areas))
    }

    fn delete(&self, name: &ObjectName) -> Result<()> {
        self.repeat(|| self.inner.delete(name))
    }

    fn locked_until(&self, name: &ObjectName) -> Result<Option<Timestamp>> {
        self.repeat(|| self.inner.locked_until(name))
    }

    fn extend_lock(&self, name: &ObjectName) -> Result<Option<Timestamp>> {
        self.repeat(|| self.inner.extend_lock(name))
    }

    fn space(&self) -> Result<Option<Space>> {
        self.repeat(|| self.inner.space())
    }

    fn unfinished(&self) -> Result<Vec<UnfinishedFile>> {
        self.repeat(|| self.inner.unfinished())
    }

    fn remove_abandoned(&self) -> Result<()> {
        self.repeat(|| self.inner.remove_abandoned())
    }

    fn disturbances(&self) -> u64 {
        self.inner.disturbances() + self.waits.failures()
    }
}
