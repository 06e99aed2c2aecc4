//! Writes that are read back, to a destination that keeps other bytes than it took.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use yore_engine::backend::{
    Backend, Capabilities, ListedObject, NewObject, Published, VerifiedWrites, load, save,
};
use yore_engine::format::{Area, ObjectId, ObjectName};
use yore_engine::{Error, Result};
use yore_platform::{ReadBuffer, Space};
use yore_tests::{Memory, Person, noise};

/// A destination that flips a byte, or drops the last one, of what is published while it lies.
struct Lying {
    inner: Memory,
    lies: AtomicBool,
    shortens: bool,
}

impl Lying {
    fn spoil(&self, name: &ObjectName) {
        if self.lies.load(Ordering::Relaxed) {
            let mut bytes = self.inner.get(name.as_str());
            match self.shortens {
                true => drop(bytes.pop()),
                false => *bytes.last_mut().expect("a byte") ^= 1,
            }
            self.inner.put(name.as_str(), bytes);
        }
    }
}

struct LyingObject<'l> {
    of: &'l Lying,
    name: ObjectName,
    inner: Box<dyn NewObject + 'l>,
}

impl NewObject for LyingObject<'_> {
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.inner.append(bytes)
    }

    fn publish(self: Box<Self>) -> Result<Published> {
        let published = self.inner.publish()?;
        self.of.spoil(&self.name);
        Ok(published)
    }

    fn replace(self: Box<Self>) -> Result<()> {
        self.inner.replace()?;
        self.of.spoil(&self.name);
        Ok(())
    }
}

impl Backend for Lying {
    fn location(&self) -> String {
        self.inner.location()
    }

    fn prepare(&self) -> Result<()> {
        self.inner.prepare()
    }

    fn create(&self, name: &ObjectName) -> Result<Box<dyn NewObject + '_>> {
        let inner = self.inner.create(name)?;
        Ok(Box::new(LyingObject { of: self, name: name.clone(), inner }))
    }

    fn read_into(&self, name: &ObjectName, range: Range<u64>, out: &mut ReadBuffer) -> Result<()> {
        self.inner.read_into(name, range, out)
    }

    fn size(&self, name: &ObjectName) -> Result<Option<u64>> {
        self.inner.size(name)
    }

    fn list(&self, area: Area) -> Result<Vec<ListedObject>> {
        self.inner.list(area)
    }

    fn delete(&self, name: &ObjectName) -> Result<()> {
        self.inner.delete(name)
    }

    fn space(&self) -> Result<Option<Space>> {
        self.inner.space()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
}

#[test]
fn an_object_that_reads_back_otherwise_is_an_error_and_is_not_there() {
    for shortens in [false, true] {
        let lying =
            Arc::new(Lying { inner: Memory::default(), lies: AtomicBool::new(true), shortens });
        let verified = VerifiedWrites::new(Arc::clone(&lying) as Arc<dyn Backend>);
        let name = ObjectName::pack(ObjectId([7; 32]));
        for size in [1, 100, 5_000_000] {
            let bytes = noise(size, 3);
            let refused = save(&verified, &name, &bytes);
            assert!(matches!(refused, Err(Error::Damaged { .. })), "{refused:?}");
            assert_eq!(verified.size(&name).expect("an answer"), None, "it has no name");
            lying.lies.store(false, Ordering::Relaxed);
            assert_eq!(save(&verified, &name, &bytes).expect("saved"), Published::Created);
            assert_eq!(*load(&verified, &name, 1 << 30).expect("its bytes"), *bytes);
            assert_eq!(save(&verified, &name, &bytes).expect("saved"), Published::Exists);
            lying.lies.store(true, Ordering::Relaxed);
            let mut object = verified.create(&name).expect("an object");
            object.append(&bytes).expect("appended");
            assert!(matches!(object.replace(), Err(Error::Damaged { .. })));
            lying.inner.remove(name.as_str());
        }
    }
}

#[test]
fn a_backup_with_writes_that_are_read_back_is_as_any_other() {
    let person = Person::with_destinations(&["one"]);
    person.types(["config", "set", "destination.one.verify-writes", "true"]).assert_code(0);
    let docs = person.folder("docs", "small");
    std::fs::write(docs.join("large"), noise(20_000_000, 5)).expect("a file");
    person.types(["backup", "docs"]).assert_code(0);
    person.types(["check", "--read-data"]).assert_code(0);
    let listed = person.types(["destination", "list", "--json"]).assert_code(0).objects();
    assert_eq!(listed[0]["verify_writes"], true);
}
