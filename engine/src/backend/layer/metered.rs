//! Counters of the requests to a destination, and a limit of their rate.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use yore_platform::{ReadBuffer, Space, Timestamp};

use super::limited::Bucket;
use crate::backend::{Backend, Capabilities, ChangeToken, ListedObject, NewObject, UnfinishedFile};
use crate::error::Result;
use crate::format::object::{Area, ObjectName};

/// The amount that may be fetched at once after a pause, in seconds of the rate.
const BURST: f64 = 1.0;

/// Counters of requests, which several backends and readers of the counters may share.
pub struct Meter {
    requests: AtomicU64,
    bytes: AtomicU64,
    failures: AtomicU64,
    /// The limit of reads.
    rate: Bucket,
}

/// The counts of a [`Meter`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fetched {
    /// Reads of objects, without the header.
    pub requests: u64,
    /// Bytes that they returned.
    pub bytes: u64,
    /// Requests of any kind that failed.
    pub failures: u64,
}

impl Meter {
    /// Creates a meter; `rate` is the limit in bytes a second.
    pub fn new(rate: Option<u64>) -> Self {
        let count = AtomicU64::default;
        let rate = Bucket::constant(rate, BURST);
        Self { requests: count(), bytes: count(), failures: count(), rate }
    }

    /// Returns the counts so far.
    pub fn fetched(&self) -> Fetched {
        Fetched {
            requests: self.requests.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
        }
    }
}

/// A backend that counts reads of objects other than the header.
pub struct Metered {
    inner: Arc<dyn Backend>,
    meter: Arc<Meter>,
}

impl Metered {
    /// Counts the reads from `inner` in `meter`.
    pub fn new(inner: Arc<dyn Backend>, meter: Arc<Meter>) -> Self {
        Self { inner, meter }
    }

    fn counted<T>(&self, outcome: Result<T>) -> Result<T> {
        if outcome.is_err() {
            self.meter.failures.fetch_add(1, Ordering::Relaxed);
        }
        outcome
    }
}

impl Backend for Metered {
    forward!(
        location,
        prepare,
        create,
        delete,
        extend_lock,
        locked_until,
        remove_abandoned,
        disturbances,
        capabilities
    );

    fn read_into(&self, name: &ObjectName, range: Range<u64>, out: &mut ReadBuffer) -> Result<()> {
        if *name == ObjectName::header() {
            // The identity check reads the header after every list.
            return self.counted(self.inner.read_into(name, range, out));
        }
        let bytes = range.end.saturating_sub(range.start);
        self.meter.rate.take(bytes)?;
        self.counted(self.inner.read_into(name, range, out))?;
        self.meter.requests.fetch_add(1, Ordering::Relaxed);
        self.meter.bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }

    /// Loads an object, and counts as one request what the destination may do in two.
    fn load(&self, name: &ObjectName, limit: u64) -> Result<ReadBuffer> {
        if *name == ObjectName::header() {
            return self.counted(self.inner.load(name, limit));
        }
        self.meter.rate.take(0)?;
        let loaded = self.counted(self.inner.load(name, limit))?;
        self.meter.rate.charge(loaded.len() as u64);
        self.meter.requests.fetch_add(1, Ordering::Relaxed);
        self.meter.bytes.fetch_add(loaded.len() as u64, Ordering::Relaxed);
        Ok(loaded)
    }

    fn size(&self, name: &ObjectName) -> Result<Option<u64>> {
        self.counted(self.inner.size(name))
    }

    fn list(&self, area: Area) -> Result<Vec<ListedObject>> {
        self.counted(self.inner.list(area))
    }

    fn names(&self, area: Area) -> Result<Vec<ObjectName>> {
        self.counted(self.inner.names(area))
    }

    fn list_areas(&self, areas: &[Area]) -> Result<Option<Vec<Vec<ListedObject>>>> {
        self.counted(self.inner.list_areas(areas))
    }

    fn change_token(&self, areas: &[Area]) -> Result<Option<ChangeToken>> {
        self.counted(self.inner.change_token(areas))
    }

    fn space(&self) -> Result<Option<Space>> {
        self.counted(self.inner.space())
    }

    fn unfinished(&self) -> Result<Vec<UnfinishedFile>> {
        self.counted(self.inner.unfinished())
    }
}
