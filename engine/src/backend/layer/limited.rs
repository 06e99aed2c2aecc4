//! Limits of the rates at which a destination is written to and read from.

use std::ops::Range;
use std::sync::Arc;

use jiff::tz::TimeZone;
use yore_platform::{ReadBuffer, Space, Timestamp};

use crate::backend::{
    Backend, Capabilities, ChangeToken, ListedObject, NewObject, Published, UnfinishedFile,
};
use crate::error::Result;
use crate::format::object::{Area, ObjectName};

mod bucket;
pub(crate) mod timetable;

pub(super) use bucket::Bucket;
use timetable::Timetable;

use super::retry::wait::Interrupted;

/// The largest piece that is appended at once.
const PIECE: usize = 64 << 10;

/// The limits of a destination, which all connections to it share.
pub struct Limits {
    upload: Bucket,
    download: Bucket,
}

impl Limits {
    /// Limits uploads and downloads by the hours of a time zone; `interrupted` ends a wait.
    pub fn new(
        upload: Timetable,
        download: Timetable,
        zone: TimeZone,
        interrupted: Interrupted,
    ) -> Self {
        let interrupted: Arc<dyn Fn() -> bool + Send + Sync> = Arc::from(interrupted);
        let bucket = |table| Bucket::new(table, zone.clone(), Arc::clone(&interrupted));
        Self { upload: bucket(upload), download: bucket(download) }
    }
}

/// A backend whose appends and reads wait for their turn.
///
/// The pieces of an append flow at the rate. A read waits for its whole range before it is requested, since a request
/// for each piece would cost a round trip.
pub struct Limited {
    inner: Arc<dyn Backend>,
    limits: Arc<Limits>,
}

impl Limited {
    /// Limits the rates of `inner`.
    pub fn new(inner: Arc<dyn Backend>, limits: Arc<Limits>) -> Self {
        Self { inner, limits }
    }
}

impl Backend for Limited {
    forward!(
        location,
        prepare,
        size,
        list,
        names,
        list_areas,
        change_token,
        delete,
        extend_lock,
        locked_until,
        space,
        unfinished,
        remove_abandoned,
        disturbances,
        capabilities
    );

    fn create(&self, name: &ObjectName) -> Result<Box<dyn NewObject + '_>> {
        let inner = self.inner.create(name)?;
        Ok(Box::new(LimitedObject { limits: &self.limits, inner }))
    }

    fn read_into(&self, name: &ObjectName, range: Range<u64>, out: &mut ReadBuffer) -> Result<()> {
        self.limits.download.take(range.end.saturating_sub(range.start))?;
        self.inner.read_into(name, range, out)
    }

    fn load(&self, name: &ObjectName, limit: u64) -> Result<ReadBuffer> {
        self.limits.download.take(0)?;
        let loaded = self.inner.load(name, limit)?;
        self.limits.download.charge(loaded.len() as u64);
        Ok(loaded)
    }
}

/// An object whose bytes are appended at the rate of uploads.
struct LimitedObject<'l> {
    limits: &'l Limits,
    inner: Box<dyn NewObject + 'l>,
}

impl NewObject for LimitedObject<'_> {
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let upload = &self.limits.upload;
        let Some(rate) = upload.rate() else { return self.inner.append(bytes) };
        for piece in bytes.chunks(bucket::piece_at(rate).min(PIECE)) {
            upload.take(piece.len() as u64)?;
            self.inner.append(piece)?;
        }
        Ok(())
    }

    fn publish(self: Box<Self>) -> Result<Published> {
        self.inner.publish()
    }

    fn replace(self: Box<Self>) -> Result<()> {
        self.inner.replace()
    }
}
