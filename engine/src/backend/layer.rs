//! Wrappers around any backend: limits of rates, repeated requests, a deadline, an identity check, counters, and writes
//! that are read back.
//!
//! From the destination outwards: counters and limits, then retries, then the identity check. A deadline lies below
//! retries, which repeat what it gives up.

/// Implements methods of [`Backend`](super::Backend) by calls of the same methods of `self.inner`.
macro_rules! forward {
    ($($method:ident),*) => { $(forward!(@ $method);)* };
    (@ location) => {
        fn location(&self) -> String {
            self.inner.location()
        }
    };
    (@ prepare) => {
        fn prepare(&self) -> Result<()> {
            self.inner.prepare()
        }
    };
    (@ create) => {
        fn create(&self, name: &ObjectName) -> Result<Box<dyn NewObject + '_>> {
            self.inner.create(name)
        }
    };
    (@ read_into) => {
        fn read_into(
            &self,
            name: &ObjectName,
            range: Range<u64>,
            out: &mut ReadBuffer,
        ) -> Result<()> {
            self.inner.read_into(name, range, out)
        }
    };
    (@ load) => {
        fn load(&self, name: &ObjectName, limit: u64) -> Result<ReadBuffer> {
            self.inner.load(name, limit)
        }
    };
    (@ size) => {
        fn size(&self, name: &ObjectName) -> Result<Option<u64>> {
            self.inner.size(name)
        }
    };
    (@ list) => {
        fn list(&self, area: Area) -> Result<Vec<ListedObject>> {
            self.inner.list(area)
        }
    };
    (@ names) => {
        fn names(&self, area: Area) -> Result<Vec<ObjectName>> {
            self.inner.names(area)
        }
    };
    (@ list_areas) => {
        fn list_areas(&self, areas: &[Area]) -> Result<Option<Vec<Vec<ListedObject>>>> {
            self.inner.list_areas(areas)
        }
    };
    (@ change_token) => {
        fn change_token(&self, areas: &[Area]) -> Result<Option<ChangeToken>> {
            self.inner.change_token(areas)
        }
    };
    (@ delete) => {
        fn delete(&self, name: &ObjectName) -> Result<()> {
            self.inner.delete(name)
        }
    };
    (@ extend_lock) => {
        fn extend_lock(&self, name: &ObjectName) -> Result<Option<Timestamp>> {
            self.inner.extend_lock(name)
        }
    };
    (@ locked_until) => {
        fn locked_until(&self, name: &ObjectName) -> Result<Option<Timestamp>> {
            self.inner.locked_until(name)
        }
    };
    (@ space) => {
        fn space(&self) -> Result<Option<Space>> {
            self.inner.space()
        }
    };
    (@ unfinished) => {
        fn unfinished(&self) -> Result<Vec<UnfinishedFile>> {
            self.inner.unfinished()
        }
    };
    (@ remove_abandoned) => {
        fn remove_abandoned(&self) -> Result<()> {
            self.inner.remove_abandoned()
        }
    };
    (@ disturbances) => {
        fn disturbances(&self) -> u64 {
            self.inner.disturbances()
        }
    };
    (@ capabilities) => {
        fn capabilities(&self) -> Capabilities {
            self.inner.capabilities()
        }
    };
}

pub(crate) mod deadline;
pub(crate) mod identity;
pub(crate) mod limited;
pub(crate) mod metered;
pub(crate) mod retry;
pub(crate) mod verified;
