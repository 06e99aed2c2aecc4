//! A repository in a folder: on a local disk, a NAS share, a removable disk.
//!
//! An object is a file. It is written without a name or under a temporary one, made durable, and
//! published without replacing another; so a named object is always complete. It belongs to its owner
//! alone, or to the group of the folder where that is shared with a group.

pub(super) mod bystanders;
#[cfg(test)]
mod tests;
mod unfinished;

use std::fs::DirEntry;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use yore_platform::{
    DurableFile, Flushed, ObjectFile, ReadBuffer, Space, folder_metadata, keeps_folder_times,
    path_metadata,
};

use super::open_packs::OpenPacks;
use super::{
    Backend, Capabilities, ChangeToken, Guarantee, ListedObject, NewObject, Published,
    UnfinishedFile,
};
use crate::error::{Error, Refusal, Result};
use crate::format::object::{Area, ObjectName};

/// A folder that holds a repository.
pub struct Folder {
    root: PathBuf,
    /// No link below the root is followed: somebody else may have made it.
    is_confined: bool,
    /// Open packs, since each is read in many small ranges.
    open_packs: OpenPacks<ObjectFile>,
    /// Guards whether the file system of this device number updates the times of folders.
    keeps_times: Mutex<(bool, Option<u64>)>,
    temporary: unfinished::TemporaryFiles,
    /// The file system did not support flushing an object.
    flush_unsupported: AtomicBool,
}

impl Folder {
    /// Creates a backend for the folder at `root` without accessing it.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            is_confined: false,
            open_packs: OpenPacks::new(),
            keeps_times: Mutex::default(),
            temporary: unfinished::TemporaryFiles::default(),
            flush_unsupported: AtomicBool::new(false),
        }
    }

    /// Creates a backend for a folder into which somebody writes who is not trusted: no link in it is followed.
    pub fn confined(root: impl Into<PathBuf>) -> Self {
        Self { is_confined: true, ..Self::new(root) }
    }

    /// Fails if a link is on the way to an object or folder of an area, where none is to be followed.
    fn must_be_confined(&self, name: &str) -> io::Result<()> {
        if !self.is_confined {
            return Ok(());
        }
        let mut path = self.root.clone();
        for part in name.split('/') {
            path.push(part);
            match std::fs::symlink_metadata(&path) {
                Ok(found) if found.is_symlink() => {
                    let text = format!("{} is a link, which may lead anywhere", path.display());
                    return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Returns the path of the folder.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// Checks that a repository can be created here; changes nothing.
    ///
    /// # Errors
    /// [`Error::Occupied`] when the folder is not empty; files of an interrupted creation are ignored.
    pub fn check_vacant(&self) -> Result<()> {
        let occupied = |found| Error::Occupied { location: self.location(), found };
        let entries = match std::fs::read_dir(&self.root) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                return Err(occupied("is not a folder"));
            }
            Err(source) => return Err(self.failed(&self.root, source)),
        };
        if self.size(&ObjectName::header())?.is_some() {
            return Err(occupied("holds a repository already"));
        }
        for entry in entries {
            let entry = entry.map_err(|source| Error::local(&self.root, source))?;
            match entry.file_name().to_str() {
                Some("keys" | "destination") => {}
                Some(name) if yore_platform::is_temporary(name) => {}
                Some(name) if bystanders::is_one(name) => {}
                _ => return Err(occupied("is not empty")),
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
        self.failed(&self.path_of(name), source)
    }

    /// Makes the error of a request; one of a share that does not answer is temporary.
    fn failed(&self, path: &Path, source: io::Error) -> Error {
        let object = path.display().to_string();
        let source = match yore_platform::is_share_failure(&self.root, &source) {
            true => io::Error::new(io::ErrorKind::TimedOut, source),
            false => source,
        };
        Error::Backend { object, source }
    }

    fn open(&self, name: &ObjectName) -> Result<Arc<ObjectFile>> {
        let confined = self.must_be_confined(name.as_str());
        let opened = confined.and_then(|()| ObjectFile::open(&self.path_of(name)));
        let opened = opened.map_err(|error| self.error(name, error))?;
        let file = Arc::new(opened);
        if name.is_pack() {
            self.open_packs.insert(name, &file);
        }
        Ok(file)
    }

    /// Creates a folder below the root, and those above it.
    fn create_folders(&self, folder: &Path) -> io::Result<()> {
        let above = folder.ancestors().skip(1).take_while(|above| *above != self.root);
        let missing: Vec<&Path> = above.filter(|above| !above.is_dir()).collect();
        missing.into_iter().rev().chain([folder]).try_for_each(yore_platform::create_dir_durable)
    }

    /// Calls `each` for every object of an area, in no order.
    fn walk(
        &self,
        area: Area,
        folder: &str,
        each: &mut dyn FnMut(ObjectName, &DirEntry) -> io::Result<()>,
    ) -> Result<()> {
        let path = self.root.join(folder);
        let failed = |source| self.failed(&path, source);
        self.must_be_confined(folder).map_err(failed)?;
        let entries = match std::fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(failed(error)),
        };
        for entry in entries {
            let entry = entry.map_err(failed)?;
            if self.is_confined && entry.file_type().map_err(failed)?.is_symlink() {
                continue;
            }
            let file_name = entry.file_name();
            let Some(file_name) = file_name.to_str() else { continue };
            let name = format!("{folder}/{file_name}");
            if area.has_subfolders() && folder == area.folder() && file_name.len() == 2 {
                self.walk(area, &name, each)?;
            } else if let Some(name) = ObjectName::parse(area, &name) {
                match each(name, &entry) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    result => result.map_err(failed)?,
                }
            } else {
                self.temporary.record(area, entry.path());
            }
        }
        Ok(())
    }

    /// Checks that the folder exists.
    fn check_exists(&self) -> Result<()> {
        match std::fs::metadata(&self.root) {
            Ok(metadata) if metadata.is_dir() => Ok(()),
            Ok(_) => Err(Error::NoRepository { location: self.location() }),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                Err(Error::NoRepository { location: self.location() })
            }
            // A share that does not answer is not an empty one.
            Err(source) => Err(self.failed(&self.root, source)),
        }
    }

    /// Reads the metadata of the folder, the header and the folders of areas; `None` on a file system that does not
    /// update the times of folders.
    fn read_change_token(&self, areas: &[Area]) -> io::Result<Option<ChangeToken>> {
        let root = folder_metadata(&self.root)?;
        let (keeps_times, device) =
            *self.keeps_times.lock().unwrap_or_else(PoisonError::into_inner);
        let keeps_times = match device == Some(root.device) {
            true => keeps_times,
            false => {
                let keeps_times = keeps_folder_times(&self.root)?;
                let known = (keeps_times, Some(root.device));
                *self.keeps_times.lock().unwrap_or_else(PoisonError::into_inner) = known;
                keeps_times
            }
        };
        if !keeps_times {
            return Ok(None);
        }
        let header = path_metadata(&self.path_of(&ObjectName::header()))?;
        let mut metadata = vec![Some(root), Some(header)];
        for area in areas {
            metadata.push(match folder_metadata(&self.root.join(area.folder())) {
                // A folder on another disk, which may not update times.
                Ok(folder) if folder.device != root.device => return Ok(None),
                Ok(folder) => Some(folder),
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => return Err(error),
            });
        }
        Ok(Some(ChangeToken(metadata)))
    }
}

impl Backend for Folder {
    fn location(&self) -> String {
        self.root.display().to_string()
    }

    fn prepare(&self) -> Result<()> {
        self.check_vacant()?;
        match self.root.is_dir() {
            true => Ok(()),
            false => yore_platform::create_dir_durable(&self.root)
                .map_err(|source| Error::local(&self.root, source)),
        }
    }

    fn create(&self, name: &ObjectName) -> Result<Box<dyn NewObject + '_>> {
        let path = self.path_of(name);
        let (Some(folder), Some(file)) = (path.parent(), path.file_name().and_then(|f| f.to_str()))
        else {
            return Err(Refusal::InvalidObjectName { name: name.to_string() }.into());
        };
        self.must_be_confined(name.as_str()).map_err(|source| self.error(name, source))?;
        let created = match DurableFile::create(folder, file) {
            // The root is never created here: with the share unmounted, that would fill the local disk.
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.root.is_dir() => {
                self.create_folders(folder).and_then(|()| DurableFile::create(folder, file))
            }
            other => other,
        };
        let file = created.map_err(|source| self.error(name, source))?;
        file.share_as_folder().map_err(|source| self.error(name, source))?;
        Ok(Box::new(NewFile { folder: self, name: name.clone(), file }))
    }

    fn read_into(&self, name: &ObjectName, range: Range<u64>, out: &mut ReadBuffer) -> Result<()> {
        if let Some(file) = self.open_packs.get(name) {
            // After an error the open file may be on an unplugged disk, or deleted by a repair.
            match file.read_into(range.clone(), out) {
                Ok(()) => return Ok(()),
                Err(_) => self.open_packs.close(name),
            }
        }
        self.open(name)?.read_into(range, out).map_err(|error| {
            self.open_packs.close(name);
            match error.kind() {
                io::ErrorKind::UnexpectedEof => Error::damaged(name.as_str(), "truncated"),
                _ => self.error(name, error),
            }
        })
    }

    fn size(&self, name: &ObjectName) -> Result<Option<u64>> {
        let confined = self.must_be_confined(name.as_str());
        match confined.and_then(|()| std::fs::metadata(self.path_of(name))) {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.error(name, error)),
        }
    }

    fn list(&self, area: Area) -> Result<Vec<ListedObject>> {
        self.open_packs.close_idle();
        self.check_exists()?;
        self.temporary.clear(area);
        let mut found = Vec::new();
        self.walk(area, area.folder(), &mut |name, entry| {
            found.push(ListedObject { name, size: entry.metadata()?.len() });
            Ok(())
        })?;
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    fn names(&self, area: Area) -> Result<Vec<ObjectName>> {
        self.open_packs.close_idle();
        self.check_exists()?;
        self.temporary.clear(area);
        let mut found = Vec::new();
        self.walk(area, area.folder(), &mut |name, _| {
            found.push(name);
            Ok(())
        })?;
        found.sort_unstable();
        Ok(found)
    }

    fn change_token(&self, areas: &[Area]) -> Result<Option<ChangeToken>> {
        // A drive calls this every second, so idle packs are closed in time.
        self.open_packs.close_idle();
        // After an error the caller lists, and the list returns the error.
        Ok(self.read_change_token(areas).unwrap_or_default())
    }

    fn delete(&self, name: &ObjectName) -> Result<()> {
        self.open_packs.close(name);
        let removed = match self.is_confined {
            true => yore_platform::remove_beneath(&self.root, Path::new(name.as_str())),
            false => yore_platform::remove_durable(&self.path_of(name)),
        };
        match removed {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other.map_err(|error| self.error(name, error)),
        }
    }

    fn space(&self) -> Result<Option<Space>> {
        yore_platform::free_space(&self.root)
            .map(Some)
            .map_err(|source| self.failed(&self.root, source))
    }

    fn unfinished(&self) -> Result<Vec<UnfinishedFile>> {
        self.temporary.describe(&self.root)
    }

    fn remove_abandoned(&self) -> Result<()> {
        for file in self.unfinished()?.iter().filter(|file| file.is_abandoned) {
            let path = self.root.join(&file.name);
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                removed => removed.map_err(|source| Error::local(&path, source))?,
            }
        }
        Ok(())
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            create_if_absent: Guarantee::Kept,
            durable: !self.flush_unsupported.load(Ordering::Relaxed),
            cheap_requests: true,
        }
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
        let published = self.file.publish_flushed();
        let (published, flushed) =
            published.map_err(|source| self.folder.error(&self.name, source))?;
        if flushed == Flushed::Unsupported {
            self.folder.flush_unsupported.store(true, Ordering::Relaxed);
        }
        match published {
            yore_platform::Published::Created => Ok(Published::Created),
            yore_platform::Published::Exists => Ok(Published::Exists),
        }
    }

    fn replace(self: Box<Self>) -> Result<()> {
        // An open pack would go on returning the bytes that are replaced.
        self.folder.open_packs.close(&self.name);
        self.file.replace().map_err(|source| self.folder.error(&self.name, source))
    }
}
