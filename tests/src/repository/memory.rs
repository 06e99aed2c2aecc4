//! A destination in memory, which is quick to copy and easy to damage.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use yore_engine::backend::{Backend, Capabilities, Guarantee, ListedObject, NewObject, Published};
use yore_engine::format::{Area, ObjectName};
use yore_engine::{Error, Result};
use yore_platform::{ReadBuffer, Space};

type Objects = BTreeMap<String, Arc<Vec<u8>>>;

/// Objects in memory.
#[derive(Default)]
pub struct Memory {
    /// Guards the objects.
    objects: Mutex<Objects>,
    /// It says that its requests cost round trips.
    is_distant: bool,
}

impl Memory {
    /// Makes an empty destination whose requests cost round trips, as it says; it lists several areas with one request.
    pub fn distant() -> Self {
        Self { is_distant: true, ..Self::default() }
    }

    /// Returns a second destination with the same objects.
    pub fn copy(&self) -> Self {
        Self { objects: Mutex::new(self.lock().clone()), is_distant: self.is_distant }
    }

    /// Returns the names of all objects.
    pub fn names(&self) -> Vec<String> {
        self.lock().keys().cloned().collect()
    }

    /// Returns the bytes of an object, which must be there.
    pub fn get(&self, name: &str) -> Vec<u8> {
        self.lock().get(name).expect("the object is there").to_vec()
    }

    /// Replaces the bytes of an object.
    pub fn put(&self, name: &str, bytes: Vec<u8>) {
        self.lock().insert(name.to_owned(), Arc::new(bytes));
    }

    /// Removes an object.
    pub fn remove(&self, name: &str) {
        self.lock().remove(name);
    }

    /// Returns the total size of all objects whose names begin with `prefix`.
    pub fn bytes_of(&self, prefix: &str) -> u64 {
        let objects = self.lock();
        let those = objects.iter().filter(|(name, _)| name.starts_with(prefix));
        those.map(|(_, bytes)| bytes.len() as u64).sum()
    }

    fn lock(&self) -> MutexGuard<'_, Objects> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, name: &ObjectName) -> Option<Arc<Vec<u8>>> {
        self.lock().get(name.as_str()).cloned()
    }
}

impl Backend for Memory {
    fn location(&self) -> String {
        "memory".into()
    }

    fn prepare(&self) -> Result<()> {
        match self.lock().is_empty() {
            true => Ok(()),
            false => Err(Error::Occupied { location: self.location(), found: "is not empty" }),
        }
    }

    fn create(&self, name: &ObjectName) -> Result<Box<dyn NewObject + '_>> {
        Ok(Box::new(NewMemoryObject {
            memory: self,
            name: name.as_str().into(),
            bytes: Vec::new(),
        }))
    }

    fn read_into(&self, name: &ObjectName, range: Range<u64>, out: &mut ReadBuffer) -> Result<()> {
        let bytes =
            self.find(name).ok_or_else(|| Error::Missing { object: name.as_str().into() })?;
        let short = || Error::Damaged { object: name.as_str().into(), reason: "truncated" };
        let place = |at: u64| usize::try_from(at).map_err(|_| short());
        let range = place(range.start)?..place(range.end)?;
        let wanted = bytes.get(range).ok_or_else(short)?;
        // A destination that reads whole pages returns bytes before the range, too.
        let before = b"before";
        out.fit(before.len() + wanted.len());
        out[..before.len()].copy_from_slice(before);
        out[before.len()..].copy_from_slice(wanted);
        out.show(before.len()..before.len() + wanted.len());
        Ok(())
    }

    fn size(&self, name: &ObjectName) -> Result<Option<u64>> {
        Ok(self.find(name).map(|bytes| bytes.len() as u64))
    }

    fn list(&self, area: Area) -> Result<Vec<ListedObject>> {
        let objects = self.lock();
        let stored = |(name, bytes): (&String, &Arc<Vec<u8>>)| {
            ObjectName::parse(area, name)
                .map(|name| ListedObject { name, size: bytes.len() as u64 })
        };
        Ok(objects.iter().filter_map(stored).collect())
    }

    fn list_areas(&self, areas: &[Area]) -> Result<Option<Vec<Vec<ListedObject>>>> {
        match self.is_distant {
            true => areas.iter().map(|area| self.list(*area)).collect::<Result<_>>().map(Some),
            false => Ok(None),
        }
    }

    fn delete(&self, name: &ObjectName) -> Result<()> {
        self.lock().remove(name.as_str());
        Ok(())
    }

    fn space(&self) -> Result<Option<Space>> {
        Ok(None)
    }

    fn capabilities(&self) -> Capabilities {
        let cheap_requests = !self.is_distant;
        Capabilities { create_if_absent: Guarantee::Kept, durable: true, cheap_requests }
    }
}

struct NewMemoryObject<'m> {
    memory: &'m Memory,
    name: String,
    bytes: Vec<u8>,
}

impl NewObject for NewMemoryObject<'_> {
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn publish(self: Box<Self>) -> Result<Published> {
        let mut objects = self.memory.lock();
        if objects.contains_key(&self.name) {
            return Ok(Published::Exists);
        }
        objects.insert(self.name, Arc::new(self.bytes));
        Ok(Published::Created)
    }

    fn replace(self: Box<Self>) -> Result<()> {
        self.memory.lock().insert(self.name, Arc::new(self.bytes));
        Ok(())
    }
}
