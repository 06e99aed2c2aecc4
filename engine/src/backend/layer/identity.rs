//! A check that a destination still holds the repository that was opened there.
//!
//! A disk can be unplugged, and another one mounted at its path. Where a request costs nothing, a list or a missing
//! object is trusted, and an object is created, only after the header was read and belongs to the same repository.
//!
//! Where a request is a round trip, the header that was read when the repository was opened counts until something
//! makes it doubtful: a failed request, also one that was repeated with success, a missing object, or a list that is
//! empty and was not before. Writers verify it again after ten minutes, and after a verdict.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use yore_platform::{ReadBuffer, Space, Timestamp};

use crate::backend::{
    Backend, Capabilities, ChangeToken, ListedObject, NewObject, Published, UnfinishedFile, load,
};
use crate::error::{Error, Result};
use crate::format::header::{MAX_HEADER, Unverified};
use crate::format::id::RepositoryId;
use crate::format::object::{Area, ObjectName};

/// The time for which a distant destination is written to after the header was verified.
const WRITE_INTERVAL: Duration = Duration::from_secs(10 * 60);

/// A backend that verifies which repository its destination holds.
pub(crate) struct IdentityChecked {
    inner: Arc<dyn Backend>,
    repository: RepositoryId,
    /// Reading the header costs a round trip.
    is_distant: bool,
    write_interval: Duration,
    /// A request has failed since the header was verified.
    has_failed: AtomicBool,
    /// The disturbances of the destination when the header was verified.
    disturbances: AtomicU64,
    /// Guards the time of the last verification.
    verified: Mutex<Instant>,
    /// For each area, whether a list of it has held anything.
    was_filled: [AtomicBool; Area::ALL.len()],
}

impl IdentityChecked {
    /// Trusts `inner` while it holds `repository`, whose header the caller has just read there.
    pub(crate) fn new(inner: Arc<dyn Backend>, repository: RepositoryId) -> Self {
        Self {
            is_distant: !inner.capabilities().cheap_requests,
            write_interval: WRITE_INTERVAL,
            has_failed: AtomicBool::new(false),
            disturbances: AtomicU64::new(inner.disturbances()),
            verified: Mutex::new(Instant::now()),
            was_filled: Default::default(),
            inner,
            repository,
        }
    }

    /// Checks that the header at the destination belongs to the repository.
    fn verify_identity(&self) -> Result<()> {
        // Failures during the check make the next one necessary.
        let disturbances = self.inner.disturbances();
        self.has_failed.store(false, Ordering::Relaxed);
        let verified = self.read_header();
        match verified {
            Ok(()) => {
                self.disturbances.store(disturbances, Ordering::Relaxed);
                *self.last_verified() = Instant::now();
            }
            Err(_) => self.has_failed.store(true, Ordering::Relaxed),
        }
        verified
    }

    fn read_header(&self) -> Result<()> {
        let location = self.inner.location();
        let header = match load(&*self.inner, &ObjectName::header(), MAX_HEADER) {
            Err(Error::Missing { .. }) => return Err(Error::NoRepository { location }),
            loaded => Unverified::decode(&location, &loaded?)?.header,
        };
        match header.repository == self.repository {
            true => Ok(()),
            false => Err(Error::OtherRepository { location }),
        }
    }

    /// Verifies the header unless the last verification still counts.
    fn verify_if_doubtful(&self) -> Result<()> {
        match self.is_distant && !self.is_doubtful() {
            true => Ok(()),
            false => self.verify_identity(),
        }
    }

    /// Returns true if a request has failed since the header was verified, even if it was repeated with success.
    fn is_doubtful(&self) -> bool {
        self.has_failed.load(Ordering::Relaxed)
            || self.disturbances.load(Ordering::Relaxed) != self.inner.disturbances()
    }

    /// Verifies the header before a change of the destination.
    fn verify_before_write(&self) -> Result<()> {
        if self.last_verified().elapsed() >= self.write_interval {
            return self.verify_identity();
        }
        self.verify_if_doubtful()
    }

    /// Verifies the header after an object was written, if anything failed meanwhile: a layer below may have begun the
    /// object again at a destination that was exchanged in between.
    fn verify_if_disturbed(&self) -> Result<()> {
        if self.is_doubtful() { self.verify_identity() } else { Ok(()) }
    }

    fn last_verified(&self) -> MutexGuard<'_, Instant> {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the destination doubtful when a request fails for another reason than its object.
    fn noted<T>(&self, outcome: Result<T>) -> Result<T> {
        if let Err(Error::Backend { .. }) = outcome {
            self.has_failed.store(true, Ordering::Relaxed);
        }
        outcome
    }

    /// Verifies the header after a list, so that a disk that was unplugged during the list is detected.
    fn listed<T>(&self, area: Area, list: Result<Vec<T>>) -> Result<Vec<T>> {
        let list = self.noted(list)?;
        match self.became_empty(area, list.is_empty()) {
            true => self.verify_identity()?,
            false => self.verify_if_doubtful()?,
        }
        Ok(list)
    }

    /// Remembers whether a list of an area is empty; returns true if an earlier one was not.
    fn became_empty(&self, area: Area, is_empty: bool) -> bool {
        let place = Area::ALL.iter().position(|other| *other == area);
        let was_filled = place.and_then(|place| self.was_filled.get(place));
        was_filled.is_some_and(|filled| match is_empty {
            true => filled.load(Ordering::Relaxed),
            false => {
                filled.store(true, Ordering::Relaxed);
                false
            }
        })
    }
}

impl Backend for IdentityChecked {
    forward!(location, prepare, disturbances, capabilities);

    fn create(&self, name: &ObjectName) -> Result<Box<dyn NewObject + '_>> {
        self.verify_before_write()?;
        let inner = self.noted(self.inner.create(name))?;
        // A report of success must not rest on a verdict at another destination.
        let is_last = self.is_distant && name.suffix() == Some("end");
        Ok(Box::new(CheckedObject { checked: self, is_last, inner }))
    }

    fn read_into(&self, name: &ObjectName, range: Range<u64>, out: &mut ReadBuffer) -> Result<()> {
        let read = self.noted(self.inner.read_into(name, range, out));
        if let Err(Error::Missing { .. }) = read {
            self.verify_identity()?;
        }
        read
    }

    fn load(&self, name: &ObjectName, limit: u64) -> Result<ReadBuffer> {
        let loaded = self.noted(self.inner.load(name, limit));
        if let Err(Error::Missing { .. }) = loaded {
            self.verify_identity()?;
        }
        loaded
    }

    fn size(&self, name: &ObjectName) -> Result<Option<u64>> {
        let size = self.noted(self.inner.size(name))?;
        if size.is_none() {
            self.verify_identity()?;
        }
        Ok(size)
    }

    fn list(&self, area: Area) -> Result<Vec<ListedObject>> {
        self.listed(area, self.inner.list(area))
    }

    fn names(&self, area: Area) -> Result<Vec<ObjectName>> {
        self.listed(area, self.inner.names(area))
    }

    fn list_areas(&self, areas: &[Area]) -> Result<Option<Vec<Vec<ListedObject>>>> {
        let Some(lists) = self.noted(self.inner.list_areas(areas))? else { return Ok(None) };
        let became_empty =
            |(area, list): (&Area, &Vec<_>)| self.became_empty(*area, list.is_empty());
        // Each is remembered.
        match areas.iter().zip(&lists).filter(|pair| became_empty(*pair)).count() {
            0 => self.verify_if_doubtful()?,
            _ => self.verify_identity()?,
        }
        Ok(Some(lists))
    }

    /// Returns the token unverified: it covers the header, and callers compare it only with one from before a
    /// verified list.
    fn change_token(&self, areas: &[Area]) -> Result<Option<ChangeToken>> {
        self.noted(self.inner.change_token(areas))
    }

    fn delete(&self, name: &ObjectName) -> Result<()> {
        self.verify_before_write()?;
        self.noted(self.inner.delete(name))
    }

    fn locked_until(&self, name: &ObjectName) -> Result<Option<Timestamp>> {
        self.noted(self.inner.locked_until(name))
    }

    fn extend_lock(&self, name: &ObjectName) -> Result<Option<Timestamp>> {
        self.verify_before_write()?;
        self.noted(self.inner.extend_lock(name))
    }

    fn space(&self) -> Result<Option<Space>> {
        self.verify_if_doubtful()?;
        self.noted(self.inner.space())
    }

    fn unfinished(&self) -> Result<Vec<UnfinishedFile>> {
        self.noted(self.inner.unfinished())
    }

    fn remove_abandoned(&self) -> Result<()> {
        self.verify_before_write()?;
        self.noted(self.inner.remove_abandoned())
    }
}

/// An object whose failures make the destination doubtful.
struct CheckedObject<'c> {
    checked: &'c IdentityChecked,
    /// It completes what its writer reports, so the header is verified once more.
    is_last: bool,
    inner: Box<dyn NewObject + 'c>,
}

impl NewObject for CheckedObject<'_> {
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.checked.noted(self.inner.append(bytes))
    }

    fn publish(self: Box<Self>) -> Result<Published> {
        let published = self.checked.noted(self.inner.publish())?;
        match self.is_last {
            true => self.checked.verify_identity()?,
            false => self.checked.verify_if_disturbed()?,
        }
        Ok(published)
    }

    fn replace(self: Box<Self>) -> Result<()> {
        self.checked.noted(self.inner.replace())?;
        self.checked.verify_if_disturbed()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::*;
    use crate::backend::{Folder, save};
    use crate::testing::Sample;

    #[test]
    fn an_empty_or_another_destination_is_not_an_empty_repository() {
        let sample = Sample::new();
        let backend = &**sample.repository.backend();
        let [present, moved] = ["repository", "away"].map(|name| sample.folder.path().join(name));
        assert_eq!(backend.location(), present.display().to_string());
        assert!(!backend.list(Area::Keys).expect("a list").is_empty());
        let absent = ObjectName::parse(Area::Index, &format!("index/{}", "0".repeat(64)));
        let absent = absent.expect("a name");
        assert_eq!(backend.size(&absent).expect("nothing"), None);
        let fails = |is_right: fn(&Error) -> bool| {
            let errors = [
                backend.list(Area::Keys).err(),
                backend.names(Area::Keys).err(),
                backend.size(&absent).err(),
                backend.read(&absent, 0..1).err(),
                save(backend, &absent, b"x").err(),
                backend.delete(&absent).err(),
                backend.space().err(),
            ];
            for error in errors {
                let error = error.expect("an error");
                assert!(is_right(&error), "{error}");
            }
        };
        fs::rename(&present, &moved).expect("moved");
        fails(|error| matches!(error, Error::NoRepository { .. }));
        fs::create_dir(&present).expect("an empty folder");
        fails(|error| matches!(error, Error::NoRepository { .. }));
        assert_eq!(fs::read_dir(&present).expect("a folder").count(), 0);
        let other = Sample::new();
        fs::remove_dir(&present).expect("removed");
        fs::rename(other.folder.path().join("repository"), &present).expect("moved");
        fails(|error| matches!(error, Error::OtherRepository { .. }));
        fs::write(present.join("yore.cbor"), "nonsense").expect("written");
        fails(|error| matches!(error, Error::Damaged { .. }));
        fs::remove_dir_all(&present).expect("removed");
        fs::rename(&moved, &present).expect("moved back");
        assert!(!backend.list(Area::Keys).expect("a list").is_empty());
        assert_eq!(backend.size(&absent).expect("nothing"), None);
    }
    /// The check of a distant destination over a folder, with the header's path before and after it is hidden.
    fn distant(sample: &Sample, write_interval: Duration) -> (IdentityChecked, [PathBuf; 2]) {
        let inner: Arc<dyn Backend> = Arc::new(Folder::new(sample.path()));
        let checked = IdentityChecked::new(inner, sample.repository.id());
        let header = ["yore.cbor", "hidden"].map(|name| sample.path().join(name));
        (IdentityChecked { is_distant: true, write_interval, ..checked }, header)
    }

    fn index(digit: &str) -> ObjectName {
        ObjectName::parse(Area::Index, &format!("index/{}", digit.repeat(64))).expect("a name")
    }

    #[test]
    fn a_distant_destination_is_trusted_until_something_is_missing() {
        let sample = Sample::new();
        let (checked, [header, hidden]) = distant(&sample, WRITE_INTERVAL);
        fs::rename(&header, &hidden).expect("hidden");
        // Nothing looks at the header.
        assert!(!checked.list(Area::Keys).expect("trusted").is_empty());
        assert!(checked.list(Area::Index).expect("trusted").is_empty());
        save(&checked, &index("1"), b"x").expect("trusted");
        checked.delete(&index("1")).expect("trusted");
        checked.space().expect("trusted");
        // A missing object is doubtful, and so is everything until the header is there again.
        let is_gone = |error: Option<Error>| matches!(error, Some(Error::NoRepository { .. }));
        assert!(is_gone(checked.read(&index("2"), 0..1).err()));
        assert!(is_gone(checked.list(Area::Keys).err()));
        assert!(is_gone(save(&checked, &index("1"), b"x").err()));
        assert!(is_gone(checked.size(&index("2")).err()));
        fs::rename(&hidden, &header).expect("back");
        assert!(!checked.list(Area::Keys).expect("verified").is_empty());
        fs::rename(&header, &hidden).expect("hidden");
        assert!(!checked.list(Area::Keys).expect("trusted again").is_empty());
        // An area that was not empty before.
        fs::remove_dir_all(sample.path().join("keys")).expect("removed");
        assert!(is_gone(checked.list(Area::Keys).err()));
    }

    #[test]
    fn a_distant_destination_is_verified_before_a_write_after_some_minutes() {
        let sample = Sample::new();
        let (checked, [header, hidden]) = distant(&sample, Duration::ZERO);
        save(&checked, &index("1"), b"x").expect("verified");
        fs::rename(&header, &hidden).expect("hidden");
        let refused = save(&checked, &index("2"), b"x");
        assert!(matches!(refused, Err(Error::NoRepository { .. })), "{refused:?}");
    }
}
