//! A check that a destination still holds the repository that was opened there.
//!
//! A disk can be unplugged, and another one mounted at its path. A list or a missing object is trusted, and an
//! object is created, only after the header was read and belongs to the same repository.

use std::ops::Range;
use std::sync::Arc;

use yore_platform::{ReadBuffer, Space};

use crate::backend::{
    Backend, Capabilities, ChangeToken, ListedObject, NewObject, UnfinishedFile, load,
};
use crate::error::{Error, Result};
use crate::format::header::{MAX_HEADER, Unverified};
use crate::format::id::RepositoryId;
use crate::format::object::{Area, ObjectName};

/// A backend that verifies which repository its destination holds.
pub(crate) struct IdentityChecked {
    inner: Arc<dyn Backend>,
    repository: RepositoryId,
}

impl IdentityChecked {
    /// Trusts `inner` while it holds `repository`.
    pub(crate) fn new(inner: Arc<dyn Backend>, repository: RepositoryId) -> Self {
        Self { inner, repository }
    }

    /// Checks that the header at the destination belongs to the repository.
    fn verify_identity(&self) -> Result<()> {
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
}

impl Backend for IdentityChecked {
    fn location(&self) -> String {
        self.inner.location()
    }

    fn prepare(&self) -> Result<()> {
        self.inner.prepare()
    }

    fn create(&self, name: &ObjectName) -> Result<Box<dyn NewObject + '_>> {
        self.verify_identity()?;
        self.inner.create(name)
    }

    fn read_into(&self, name: &ObjectName, range: Range<u64>, out: &mut ReadBuffer) -> Result<()> {
        let read = self.inner.read_into(name, range, out);
        if let Err(Error::Missing { .. }) = read {
            self.verify_identity()?;
        }
        read
    }

    fn size(&self, name: &ObjectName) -> Result<Option<u64>> {
        let size = self.inner.size(name)?;
        if size.is_none() {
            self.verify_identity()?;
        }
        Ok(size)
    }

    fn list(&self, area: Area) -> Result<Vec<ListedObject>> {
        // Verified afterwards, so that a disk that was unplugged during the list is detected.
        let listed = self.inner.list(area)?;
        self.verify_identity()?;
        Ok(listed)
    }

    fn names(&self, area: Area) -> Result<Vec<ObjectName>> {
        let listed = self.inner.names(area)?;
        self.verify_identity()?;
        Ok(listed)
    }

    /// Returns the token unverified: it covers the header, and callers compare it only with one from before a
    /// verified list.
    fn change_token(&self, areas: &[Area]) -> Result<Option<ChangeToken>> {
        self.inner.change_token(areas)
    }

    fn delete(&self, name: &ObjectName) -> Result<()> {
        self.verify_identity()?;
        self.inner.delete(name)
    }

    fn space(&self) -> Result<Option<Space>> {
        self.verify_identity()?;
        self.inner.space()
    }

    fn unfinished(&self) -> Result<Vec<UnfinishedFile>> {
        self.inner.unfinished()
    }

    fn remove_abandoned(&self) -> Result<()> {
        self.verify_identity()?;
        self.inner.remove_abandoned()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::Error;
    use crate::backend::save;
    use crate::format::object::{Area, ObjectName};
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
}
