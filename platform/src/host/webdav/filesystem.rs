//! The volume as the file system of the WebDAV server.

use std::fmt;
use std::io::SeekFrom;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::{Buf, Bytes};
use dav_server::davpath::DavPath;
use dav_server::fs::{
    DavDirEntry, DavFile, DavFileSystem, DavMetaData, FsError, FsFuture, FsResult, FsStream,
    OpenOptions, ReadDirMeta,
};
use futures_util::stream;

use super::super::request::run;
use super::encode::{http_size, http_time};
use super::walk::{Ancestors, walk};
use crate::metadata::Kind;
use crate::volume::{Attr, ListControl, Volume, VolumeError};

/// The volume; each copy is the same one.
#[derive(Clone)]
pub(super) struct VolumeFileSystem {
    volume: Arc<dyn Volume>,
}

impl VolumeFileSystem {
    pub(super) fn new(volume: Arc<dyn Volume>) -> VolumeFileSystem {
        VolumeFileSystem { volume }
    }

    /// Finds a file or a directory; WebDAV has nothing else.
    async fn find(&self, path: &DavPath) -> FsResult<Attr> {
        let path = path.as_bytes().to_vec();
        let found =
            run(&self.volume, move |volume| walk(volume, &mut Ancestors::root(), &path)).await;
        found
            .map_err(fs_error)
            .and_then(|attr| if is_presentable(&attr) { Ok(attr) } else { Err(FsError::NotFound) })
    }
}

fn is_presentable(attr: &Attr) -> bool {
    matches!(attr.kind, Kind::File | Kind::Directory)
}

fn fs_error(error: VolumeError) -> FsError {
    match error {
        VolumeError::NotFound | VolumeError::Stale | VolumeError::NotDirectory => FsError::NotFound,
        VolumeError::NameTooLong => FsError::PathTooLong,
        VolumeError::IsDirectory | VolumeError::NotSymlink | VolumeError::NoAttribute => {
            FsError::Forbidden
        }
        VolumeError::BeyondEnd | VolumeError::Damaged => FsError::GeneralFailure,
    }
}

impl DavFileSystem for VolumeFileSystem {
    fn open<'a>(
        &'a self,
        path: &'a DavPath,
        options: OpenOptions,
    ) -> FsFuture<'a, Box<dyn DavFile>> {
        Box::pin(async move {
            if options.write || options.append || options.truncate || options.create {
                return Err(FsError::Forbidden);
            }
            let attr = self.find(path).await?;
            if attr.kind != Kind::File {
                return Err(FsError::Forbidden);
            }
            Ok(Box::new(OpenFile { volume: Arc::clone(&self.volume), attr, at: 0 }) as _)
        })
    }

    fn read_dir<'a>(
        &'a self,
        path: &'a DavPath,
        _: ReadDirMeta,
    ) -> FsFuture<'a, FsStream<Box<dyn DavDirEntry>>> {
        let path = path.as_bytes().to_vec();
        Box::pin(async move {
            let listed = run(&self.volume, move |volume| list(volume, &path)).await;
            let entries = listed.map_err(fs_error)?.into_iter();
            let entries = entries.map(|entry| Ok(Box::new(entry) as Box<dyn DavDirEntry>));
            Ok(Box::pin(stream::iter(entries)) as _)
        })
    }

    fn metadata<'a>(&'a self, path: &'a DavPath) -> FsFuture<'a, Box<dyn DavMetaData>> {
        Box::pin(async move { Ok(Box::new(DavAttr(self.find(path).await?)) as _) })
    }

    fn get_quota(&self) -> FsFuture<'_, (u64, Option<u64>)> {
        Box::pin(async move {
            let space = run(&self.volume, |volume| volume.space()).await.map_err(fs_error)?;
            Ok((space.total.saturating_sub(space.free), Some(space.total)))
        })
    }
}

/// Lists the files and directories of a directory, and what its links lead to.
fn list(volume: &dyn Volume, path: &[u8]) -> Result<Vec<Listed>, VolumeError> {
    let mut ancestors = Ancestors::root();
    walk(volume, &mut ancestors, path)?;
    let mut entries = Vec::new();
    volume.list(ancestors.end(), 0, &mut |listed| {
        entries.push(Listed { name: listed.name.to_vec(), attr: listed.entry.attr });
        ListControl::Continue
    })?;
    for entry in entries.iter_mut().filter(|entry| entry.attr.kind == Kind::Symlink) {
        if let Ok(attr) = walk(volume, &mut ancestors.clone(), &entry.name) {
            entry.attr = attr;
        }
    }
    entries.retain(|entry| is_presentable(&entry.attr));
    Ok(entries)
}

struct Listed {
    name: Vec<u8>,
    attr: Attr,
}

impl DavDirEntry for Listed {
    fn name(&self) -> Vec<u8> {
        self.name.clone()
    }

    fn metadata(&self) -> FsFuture<'_, Box<dyn DavMetaData>> {
        Box::pin(async move { Ok(Box::new(DavAttr(self.attr)) as _) })
    }
}

#[derive(Debug, Clone)]
struct DavAttr(Attr);

impl DavMetaData for DavAttr {
    fn len(&self) -> u64 {
        if self.is_dir() { 0 } else { http_size(self.0.size) }
    }

    fn modified(&self) -> FsResult<SystemTime> {
        Ok(http_time(self.0.modified))
    }

    fn created(&self) -> FsResult<SystemTime> {
        Ok(http_time(self.0.born))
    }

    fn status_changed(&self) -> FsResult<SystemTime> {
        Ok(http_time(self.0.changed))
    }

    fn executable(&self) -> FsResult<bool> {
        Ok(self.0.mode & 0o100 != 0)
    }

    fn is_dir(&self) -> bool {
        self.0.kind == Kind::Directory
    }

    /// Differs where content differs, also between two files of one length and time.
    fn etag(&self) -> Option<String> {
        let (modified, changed) = (self.0.modified, self.0.changed);
        Some(format!(
            "{:x}-{:x}-{:x}.{:x}-{:x}.{:x}",
            self.0.ino.0,
            self.0.size,
            modified.seconds,
            modified.nanos,
            changed.seconds,
            changed.nanos
        ))
    }
}

/// An open file, read from a position.
struct OpenFile {
    volume: Arc<dyn Volume>,
    attr: Attr,
    at: u64,
}

impl fmt::Debug for OpenFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?} at {}", self.attr.ino, self.at)
    }
}

impl DavFile for OpenFile {
    fn metadata(&mut self) -> FsFuture<'_, Box<dyn DavMetaData>> {
        Box::pin(async move { Ok(Box::new(DavAttr(self.attr)) as _) })
    }

    /// Never empty: the server would fill up with zeros, without end where it counts too far.
    fn read_bytes(&mut self, count: usize) -> FsFuture<'_, Bytes> {
        Box::pin(async move {
            let (ino, at) = (self.attr.ino, self.at);
            let size = u32::try_from(count).unwrap_or(u32::MAX);
            let read = run(&self.volume, move |volume| {
                let mut bytes = Bytes::new();
                volume.read(ino, at, size, &mut |piece| bytes = Bytes::copy_from_slice(piece))?;
                Ok(bytes)
            });
            let bytes = read.await.map_err(fs_error)?;
            if bytes.is_empty() && count > 0 {
                return Err(FsError::GeneralFailure);
            }
            self.at = at.saturating_add(bytes.len() as u64);
            Ok(bytes)
        })
    }

    fn seek(&mut self, to: SeekFrom) -> FsFuture<'_, u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.attr.size.checked_add_signed(by),
        };
        let moved = at.ok_or(FsError::GeneralFailure).inspect(|at| self.at = *at);
        Box::pin(async move { moved })
    }

    fn write_buf(&mut self, _: Box<dyn Buf + Send>) -> FsFuture<'_, ()> {
        Box::pin(async { Err(FsError::Forbidden) })
    }

    fn write_bytes(&mut self, _: Bytes) -> FsFuture<'_, ()> {
        Box::pin(async { Err(FsError::Forbidden) })
    }

    fn flush(&mut self) -> FsFuture<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}
