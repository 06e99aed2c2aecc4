//! A writer of objects that are the same on every destination of a repository.

use super::Destination;
use crate::backend::{NewObject, Published};
use crate::error::Result;
use crate::format::object::ObjectName;

/// Creates objects on every destination at once: packs, indexes, snapshots and tombstones.
#[derive(Clone, Copy)]
pub(crate) struct ObjectWriter<'r> {
    destinations: &'r [Destination],
}

/// An object that is being written to several destinations.
struct Copies<'r> {
    copies: Vec<Box<dyn NewObject + 'r>>,
}

impl<'r> ObjectWriter<'r> {
    pub(super) fn new(destinations: &'r [Destination]) -> Self {
        Self { destinations }
    }

    /// Creates an object, which exists at a destination once it is published there.
    pub(crate) fn create(self, name: &ObjectName) -> Result<Box<dyn NewObject + 'r>> {
        if let [only] = self.destinations {
            return only.backend().create(name);
        }
        let copies = self.destinations.iter().map(|destination| destination.backend().create(name));
        Ok(Box::new(Copies { copies: copies.collect::<Result<_>>()? }))
    }

    /// Saves a small object.
    pub(crate) fn save(self, name: &ObjectName, bytes: &[u8]) -> Result<Published> {
        let mut object = self.create(name)?;
        object.append(bytes)?;
        object.publish()
    }
}

impl NewObject for Copies<'_> {
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.copies.iter_mut().try_for_each(|copy| copy.append(bytes))
    }

    /// Publishes one copy after the other; returns `Created` when at least one destination did not have the object.
    fn publish(self: Box<Self>) -> Result<Published> {
        let mut published = Published::Exists;
        for copy in self.copies {
            if copy.publish()? == Published::Created {
                published = Published::Created;
            }
        }
        Ok(published)
    }
}
