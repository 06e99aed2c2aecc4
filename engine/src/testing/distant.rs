//! A folder that acts as a destination whose requests cost round trips.

use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use yore_platform::{ReadBuffer, Space};

use crate::backend::{Backend, Capabilities, Folder, ListedObject, NewObject};
use crate::error::{Error, Result};
use crate::format::object::{Area, ObjectName};

/// Records the ranges that are read, and can be out of reach.
pub(crate) struct DistantFolder {
    inner: Folder,
    reads: Mutex<Vec<(ObjectName, Range<u64>)>>,
    is_away: AtomicBool,
    /// The next read of a pack has a wrong byte.
    is_noisy: AtomicBool,
}

impl DistantFolder {
    pub(crate) fn new(folder: PathBuf) -> Self {
        let (is_away, is_noisy) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { inner: Folder::new(folder), reads: Mutex::default(), is_away, is_noisy }
    }

    /// Puts the destination out of reach, or back.
    pub(crate) fn set_away(&self, is_away: bool) {
        self.is_away.store(is_away, Ordering::Relaxed);
    }

    /// Gives the next read of a pack a wrong byte at its end.
    pub(crate) fn damage_next_read(&self) {
        self.is_noisy.store(true, Ordering::Relaxed);
    }

    /// Returns the reads of packs since the last call.
    pub(crate) fn take_reads(&self) -> Vec<(ObjectName, Range<u64>)> {
        let mut reads = self.reads.lock().unwrap_or_else(PoisonError::into_inner);
        let all = std::mem::take(&mut *reads);
        all.into_iter().filter(|(name, _)| name.as_str().starts_with("packs/")).collect()
    }

    fn reach(&self, object: &str) -> Result<()> {
        match self.is_away.load(Ordering::Relaxed) {
            false => Ok(()),
            true => {
                let source = io::Error::from(io::ErrorKind::NotConnected);
                Err(Error::Backend { object: object.into(), source })
            }
        }
    }
}

impl Backend for DistantFolder {
    fn location(&self) -> String {
        self.inner.location()
    }

    fn prepare(&self) -> Result<()> {
        self.inner.prepare()
    }

    fn create(&self, name: &ObjectName) -> Result<Box<dyn NewObject + '_>> {
        self.reach(name.as_str())?;
        self.inner.create(name)
    }

    fn read_into(&self, name: &ObjectName, range: Range<u64>, out: &mut ReadBuffer) -> Result<()> {
        self.reach(name.as_str())?;
        let mut reads = self.reads.lock().unwrap_or_else(PoisonError::into_inner);
        reads.push((name.clone(), range.clone()));
        drop(reads);
        self.inner.read_into(name, range, out)?;
        if name.as_str().starts_with("packs/") && self.is_noisy.swap(false, Ordering::Relaxed) {
            out.iter_mut().last().into_iter().for_each(|byte| *byte ^= 1);
        }
        Ok(())
    }

    fn size(&self, name: &ObjectName) -> Result<Option<u64>> {
        self.reach(name.as_str())?;
        self.inner.size(name)
    }

    fn list(&self, area: Area) -> Result<Vec<ListedObject>> {
        self.reach("a list")?;
        self.inner.list(area)
    }

    fn delete(&self, name: &ObjectName) -> Result<()> {
        self.inner.delete(name)
    }

    fn space(&self) -> Result<Option<Space>> {
        self.inner.space()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { cheap_requests: false, ..self.inner.capabilities() }
    }
}
