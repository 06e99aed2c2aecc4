//! The suite itself: each flaw of a backend is found by a check.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use yore_engine::Result;
use yore_engine::backend::{Backend, Capabilities, ListedObject, NewObject, Published};
use yore_engine::format::{Area, ObjectName};
use yore_platform::{ReadBuffer, Space};

use super::*;
use crate::repository::Memory;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flaw {
    Overwrites,
    ShowsUnpublished,
    ListsTooFew,
    ReadsPastTheEnd,
    KeepsDeleted,
    NeverReplaces,
}

/// A destination in memory with a flaw.
struct Flawed {
    inner: Memory,
    flaw: Flaw,
}

impl Backend for Flawed {
    fn location(&self) -> String {
        self.inner.location()
    }

    fn prepare(&self) -> Result<()> {
        self.inner.prepare()
    }

    fn create(&self, name: &ObjectName) -> Result<Box<dyn NewObject + '_>> {
        if self.flaw == Flaw::ShowsUnpublished {
            self.inner.put(name.as_str(), Vec::new());
        }
        let inner = self.inner.create(name)?;
        Ok(Box::new(FlawedObject { of: self, name: name.clone(), inner }))
    }

    fn read_into(&self, name: &ObjectName, range: Range<u64>, out: &mut ReadBuffer) -> Result<()> {
        let end = match (self.flaw, self.inner.size(name)?) {
            (Flaw::ReadsPastTheEnd, Some(size)) => range.end.min(size),
            _ => range.end,
        };
        self.inner.read_into(name, range.start.min(end)..end, out)
    }

    fn size(&self, name: &ObjectName) -> Result<Option<u64>> {
        self.inner.size(name)
    }

    fn list(&self, area: Area) -> Result<Vec<ListedObject>> {
        let mut listed = self.inner.list(area)?;
        if self.flaw == Flaw::ListsTooFew {
            listed.pop();
        }
        Ok(listed)
    }

    fn delete(&self, name: &ObjectName) -> Result<()> {
        match self.flaw {
            Flaw::KeepsDeleted => Ok(()),
            _ => self.inner.delete(name),
        }
    }

    fn space(&self) -> Result<Option<Space>> {
        self.inner.space()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
}

struct FlawedObject<'f> {
    of: &'f Flawed,
    name: ObjectName,
    inner: Box<dyn NewObject + 'f>,
}

impl NewObject for FlawedObject<'_> {
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.inner.append(bytes)
    }

    fn publish(self: Box<Self>) -> Result<Published> {
        if self.of.flaw == Flaw::Overwrites {
            self.of.inner.delete(&self.name)?;
        }
        self.inner.publish()
    }

    fn replace(self: Box<Self>) -> Result<()> {
        match self.of.flaw {
            Flaw::NeverReplaces => self.inner.publish().map(drop),
            _ => self.inner.replace(),
        }
    }
}

fn assert_found(flaw: Flaw, check: fn(&dyn Backend)) {
    let flawed = Flawed { inner: Memory::default(), flaw };
    let passed = catch_unwind(AssertUnwindSafe(|| check(&flawed))).is_ok();
    assert!(!passed, "the check passes");
}

#[test]
fn a_backend_that_overwrites_is_found() {
    assert_found(Flaw::Overwrites, one_of_thirty_two_racing_creators_wins);
    assert_found(Flaw::Overwrites, a_deleted_object_is_gone_and_its_name_is_free);
}

#[test]
fn a_backend_that_shows_unpublished_objects_is_found() {
    assert_found(Flaw::ShowsUnpublished, an_object_appears_whole_or_not_at_all);
    assert_found(Flaw::ShowsUnpublished, writes_that_were_interrupted_leave_nothing);
}

#[test]
fn a_backend_whose_lists_are_incomplete_is_found() {
    assert_found(Flaw::ListsTooFew, a_list_holds_what_was_published_before_it_began);
    assert_found(Flaw::ListsTooFew, ten_thousand_objects_are_listed_in_order);
    let every_area = the_objects_of_every_area_are_listed_there_and_nowhere_else;
    assert_found(Flaw::ListsTooFew, every_area);
}

#[test]
fn a_backend_that_reads_past_the_end_is_found() {
    let check = what_is_not_there_is_missing_and_what_is_too_short_is_damaged;
    assert_found(Flaw::ReadsPastTheEnd, check);
}

#[test]
fn a_backend_that_keeps_deleted_objects_is_found() {
    assert_found(Flaw::KeepsDeleted, a_deleted_object_is_gone_and_its_name_is_free);
}

#[test]
fn a_backend_that_does_not_replace_is_found() {
    assert_found(Flaw::NeverReplaces, a_replaced_object_has_the_new_bytes);
}
