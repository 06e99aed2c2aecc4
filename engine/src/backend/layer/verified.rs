//! Writes that are read back.
//!
//! Some disks and shares take bytes and keep others. What was published is therefore read again, past the page
//! cache where the destination can, and compared by checksum; it costs a read for each write.

use std::ops::Range;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use yore_platform::{ReadBuffer, Space, Timestamp};

use crate::backend::{
    Backend, Capabilities, ChangeToken, ListedObject, NewObject, Published, UnfinishedFile,
};
use crate::error::{Error, Result};
use crate::format::object::{Area, ObjectName};

/// The bytes that are read back at once; long enough to be read past the page cache.
const PIECE: u64 = 4 << 20;

/// A backend that reads back what is written to it.
pub struct VerifiedWrites {
    inner: Arc<dyn Backend>,
}

impl VerifiedWrites {
    /// Verifies every write to `inner`.
    pub fn new(inner: Arc<dyn Backend>) -> Self {
        Self { inner }
    }

    /// Compares an object with the checksum and the length of what was appended to it.
    fn verify(&self, name: &ObjectName, written: &Written) -> Result<()> {
        let wrong = || Error::damaged(name.as_str(), "it does not read back as written");
        if self.inner.size(name)? != Some(written.len) {
            return Err(wrong());
        }
        let (mut hasher, mut at, mut piece) = (Sha256::new(), 0, ReadBuffer::default());
        while at < written.len {
            let end = written.len.min(at + PIECE);
            self.inner.read_into(name, at..end, &mut piece)?;
            hasher.update(&*piece);
            at = end;
        }
        match hasher.finalize() == written.hasher.clone().finalize() {
            true => Ok(()),
            false => Err(wrong()),
        }
    }

    /// Verifies an object that was just published; one that is wrong does not keep its name.
    fn verify_or_delete(&self, name: &ObjectName, written: &Written) -> Result<()> {
        let verified = self.verify(name, written);
        if let Err(Error::Damaged { .. } | Error::Missing { .. }) = verified {
            // A later backup would take it for one that is there.
            let _ = self.inner.delete(name);
        }
        verified
    }
}

/// The checksum and the length of what was appended to an object.
#[derive(Default)]
struct Written {
    hasher: Sha256,
    len: u64,
}

struct VerifiedObject<'b> {
    backend: &'b VerifiedWrites,
    name: ObjectName,
    inner: Box<dyn NewObject + 'b>,
    written: Written,
}

impl NewObject for VerifiedObject<'_> {
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.inner.append(bytes)?;
        self.written.hasher.update(bytes);
        self.written.len += bytes.len() as u64;
        Ok(())
    }

    fn publish(self: Box<Self>) -> Result<Published> {
        let Self { backend, name, inner, written } = *self;
        let published = inner.publish()?;
        if published == Published::Created {
            backend.verify_or_delete(&name, &written)?;
        }
        Ok(published)
    }

    fn replace(self: Box<Self>) -> Result<()> {
        let Self { backend, name, inner, written } = *self;
        inner.replace()?;
        backend.verify(&name, &written)
    }
}

impl Backend for VerifiedWrites {
    forward!(
        location,
        prepare,
        read_into,
        load,
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
        let written = Written::default();
        Ok(Box::new(VerifiedObject { backend: self, name: name.clone(), inner, written }))
    }
}
