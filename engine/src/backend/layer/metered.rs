//! Counters of the requests to a destination, and a limit of their rate.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use yore_platform::{ReadBuffer, Space};

use crate::backend::{Backend, Capabilities, ChangeToken, ListedObject, NewObject, UnfinishedFile};
use crate::error::Result;
use crate::format::object::{Area, ObjectName};

/// The amount that may be fetched at once after a pause, in seconds of the rate.
const BURST: f64 = 1.0;

/// Counters of requests, which several backends and readers of the counters may share.
#[derive(Default)]
pub struct Meter {
    requests: AtomicU64,
    bytes: AtomicU64,
    failures: AtomicU64,
    /// The limit in bytes a second; `None` without a limit.
    rate: Option<u64>,
    /// Guards the time from which the next byte may be fetched.
    next: Mutex<Option<Instant>>,
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
        Self { rate: rate.filter(|rate| *rate > 0), ..Self::default() }
    }

    /// Returns the counts so far.
    pub fn fetched(&self) -> Fetched {
        Fetched {
            requests: self.requests.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
        }
    }

    /// Waits until `bytes` may be fetched.
    fn pace(&self, bytes: u64) {
        let Some(rate) = self.rate else { return };
        let takes = Duration::from_secs_f64(bytes as f64 / rate as f64);
        let now = Instant::now();
        let begins = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let earliest = now.checked_sub(Duration::from_secs_f64(BURST)).unwrap_or(now);
            let begins = next.unwrap_or(earliest).max(earliest);
            *next = Some(begins + takes);
            begins + takes
        };
        std::thread::sleep(begins.saturating_duration_since(now));
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
    fn location(&self) -> String {
        self.inner.location()
    }

    fn prepare(&self) -> Result<()> {
        self.inner.prepare()
    }

    fn create(&self, name: &ObjectName) -> Result<Box<dyn NewObject + '_>> {
        self.inner.create(name)
    }

    fn read_into(&self, name: &ObjectName, range: Range<u64>, out: &mut ReadBuffer) -> Result<()> {
        if *name == ObjectName::header() {
            // The identity check reads the header after every list.
            return self.counted(self.inner.read_into(name, range, out));
        }
        let bytes = range.end.saturating_sub(range.start);
        self.meter.pace(bytes);
        self.counted(self.inner.read_into(name, range, out))?;
        self.meter.requests.fetch_add(1, Ordering::Relaxed);
        self.meter.bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
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

    fn change_token(&self, areas: &[Area]) -> Result<Option<ChangeToken>> {
        self.counted(self.inner.change_token(areas))
    }

    fn delete(&self, name: &ObjectName) -> Result<()> {
        self.inner.delete(name)
    }

    fn space(&self) -> Result<Option<Space>> {
        self.counted(self.inner.space())
    }

    fn unfinished(&self) -> Result<Vec<UnfinishedFile>> {
        self.counted(self.inner.unfinished())
    }

    fn remove_abandoned(&self) -> Result<()> {
        self.inner.remove_abandoned()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_beyond_the_rate_are_delayed() {
        let meter = Meter::new(Some(1000));
        let begin = Instant::now();
        // The burst of one second is free; reads beyond it wait.
        meter.pace(1000);
        let free = begin.elapsed();
        meter.pace(300);
        assert!(begin.elapsed() >= free + Duration::from_millis(250));
        Meter::new(None).pace(u64::MAX);
    }
}
