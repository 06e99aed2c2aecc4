//! A repository in a folder: on a local disk, a NAS share, a removable disk.
//!
//! An object is a file. It is written under no name or a temporary one, made durable, and published
//! without clobbering; so a name is either absent or whole.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use yore_platform::{AlignedBuf, DurableFile, ObjectFile, Space};

use super::open_packs::OpenPacks;
use super::{Backend, NewObject, Published, Stored};
use crate::error::{Error, Result};
use crate::object::{Area, ObjectName};

/// A folder that holds a repository.
pub struct Folder {
    root: PathBuf,
    /// Packs are read in many small pieces.
    open: OpenPacks,
}

impl Folder {
    /// Names the folder at `root`; nothing is looked at yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), open: OpenPacks::new() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// Fails unless a repository can be made here; changes nothing.
    ///
    /// # Errors
    /// [`Error::Occupied`] when something is there; what an interrupted creation left does not count.
    pub fn must_be_vacant(&self) -> Result<()> {
        let occupied = |found| Error::Occupied { location: self.location(), found };
        let entries = match std::fs::read_dir(&self.root) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                return Err(occupied("is not a folder"));
            }
            Err(source) => return Err(Error::local(&self.root, source)),
        };
        if self.size(&ObjectName::header())?.is_some() {
            return Err(occupied("holds a repository already"));
        }
        for entry in entries {
            let entry = entry.map_err(|source| Error::local(&self.root, source))?;
            if !matches!(entry.file_name().to_str(), Some("keys" | "destination")) {
                return Err(occupied("is not empty"));
            }
        }
        Ok(())
    }

    fn path_of(&self, name: &ObjectName) -> PathBuf {
        self.root.join(name.as_str())
    }

    fn error(&self, name: &ObjectName, source: io::Error) -> Error {
        if source.kind() == io::ErrorKind::NotFound {
            return Error::Missing { object: name.to_string() };
        }
        Error::Backend { object: self.path_of(name).display().to_string(), source }
    }

    fn open(&self, name: &ObjectName) -> Result<Arc<ObjectFile>> {
        let opened = ObjectFile::open(&self.path_of(name)).map_err(|e| self.error(name, e))?;
        let file = Arc::new(opened);
        if name.is_pack() {
            self.open.keep(name, &file);
        }
        Ok(file)
    }

    fn list_folder(&self, area: Area, folder: &str, found: &mut Vec<Stored>) -> Result<()> {
        let path = self.root.join(folder);
        let failed = |source| Error::Backend { object: path.display().to_string(), source };
        let entries = match std::fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(failed(error)),
        };
        for entry in entries {
            let entry = entry.map_err(failed)?;
            let file_name = entry.file_name();
            let Some(file_name) = file_name.to_str() else { continue };
            let name = format!("{folder}/{file_name}");
            if area == Area::Packs && folder == area.folder() && file_name.len() == 2 {
                self.list_folder(area, &name, found)?;
            } else if let Some(name) = ObjectName::parse(area, &name) {
                match entry.metadata() {
                    Ok(metadata) => found.push(Stored { name, size: metadata.len() }),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(failed(error)),
                }
            }
        }
        Ok(())
    }
}

impl Backend for Folder {
    fn location(&self) -> String {
        self.root.display().to_string()
    }

    fn prepare(&self) -> Result<()> {
        self.must_be_vacant()?;
        match self.root.is_dir() {
            true => Ok(()),
            false => yore_platform::make_dir_durable(&self.root)
                .map_err(|source| Error::local(&self.root, source)),
        }
    }

    fn create(&self, name: &ObjectName) -> Result<Box<dyn NewObject + '_>> {
        let path = self.path_of(name);
        let (Some(folder), Some(file)) = (path.parent(), path.file_name().and_then(|f| f.to_str()))
        else {
            return Err(Error::Refused { what: format!("{name} names no file") });
        };
        let created = match DurableFile::create(folder, file) {
            // The destination itself is never made here: an unmounted share must not be filled.
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.root.is_dir() => {
                yore_platform::make_dir_durable(folder)
                    .and_then(|()| DurableFile::create(folder, file))
            }
            other => other,
        };
        let file = created.map_err(|source| self.error(name, source))?;
        Ok(Box::new(NewFile { folder: self, name: name.clone(), file }))
    }

    fn fetch(&self, name: &ObjectName, range: Range<u64>, out: &mut AlignedBuf) -> Result<usize> {
        if let Some(file) = self.open.get(name) {
            // After an error it may be of a disk that was unplugged, or what it was before it was repaired.
            match file.read_range(range.clone(), out) {
                Ok(start) => return Ok(start),
                Err(_) => self.open.close(name),
            }
        }
        self.open(name)?.read_range(range, out).map_err(|error| {
            self.open.close(name);
            match error.kind() {
                io::ErrorKind::UnexpectedEof => Error::damaged(name.as_str(), "truncated"),
                _ => self.error(name, error),
            }
        })
    }

    fn size(&self, name: &ObjectName) -> Result<Option<u64>> {
        match std::fs::metadata(self.path_of(name)) {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.error(name, error)),
        }
    }

    fn list(&self, area: Area) -> Result<Vec<Stored>> {
        // A drive asks for lists all the time.
        self.open.close_unused();
        if !self.root.is_dir() {
            return Err(Error::NoRepository { location: self.location() });
        }
        let mut found = Vec::new();
        self.list_folder(area, area.folder(), &mut found)?;
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    fn delete(&self, name: &ObjectName) -> Result<()> {
        self.open.close(name);
        match yore_platform::remove_durable(&self.path_of(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other.map_err(|error| self.error(name, error)),
        }
    }

    fn space(&self) -> Result<Option<Space>> {
        yore_platform::free_space(&self.root)
            .map(Some)
            .map_err(|source| Error::local(&self.root, source))
    }
}

struct NewFile<'a> {
    folder: &'a Folder,
    name: ObjectName,
    file: DurableFile,
}

impl NewObject for NewFile<'_> {
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.append(bytes).map_err(|source| self.folder.error(&self.name, source))
    }

    fn publish(self: Box<Self>) -> Result<Published> {
        match self.file.publish().map_err(|source| self.folder.error(&self.name, source))? {
            yore_platform::Published::Created => Ok(Published::Created),
            yore_platform::Published::Exists => Ok(Published::Exists),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ObjectId;

    #[test]
    fn an_open_pack_that_went_bad_is_opened_anew() {
        let folder = tempfile::tempdir().unwrap();
        let backend = Folder::new(folder.path());
        let name = ObjectName::pack(ObjectId([7; 32]));
        let path = backend.path_of(&name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, b"0123456789").unwrap();
        assert_eq!(*backend.read(&name, 2..5).unwrap(), *b"234");
        // What is open loses its content, as if its disk had gone; what is there now is another file.
        std::fs::File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
        assert!(matches!(backend.read(&name, 2..5), Err(Error::Damaged { .. })));
        std::fs::write(&path, b"0123456789").unwrap();
        assert_eq!(*backend.read(&name, 2..5).unwrap(), *b"234");
        std::fs::File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(backend.read(&name, 2..5), Err(Error::Missing { .. })));
        std::fs::write(&path, b"abcdefghij").unwrap();
        assert_eq!(*backend.read(&name, 2..5).unwrap(), *b"cde");
        // Open and whole, and then away without a sign: another one takes its place at once.
        std::fs::File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, b"ABCDEFGHIJ").unwrap();
        assert_eq!(*backend.read(&name, 2..5).unwrap(), *b"CDE");
    }

    #[test]
    fn to_delete_an_object_that_is_not_there_is_no_error() {
        let folder = tempfile::tempdir().unwrap();
        Folder::new(folder.path()).delete(&ObjectName::destination()).unwrap();
    }
}
