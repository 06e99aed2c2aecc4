//! Objects while they are written: a temporary file, which gets its name when it is complete.
//!
//! The content is flushed before the file gets its name. It is flushed once more after that: the flush of a file
//! whose links changed makes the change of its folder durable on the file systems of Linux, and the protocol has no
//! flush of a folder.

use std::io;
use std::sync::Arc;

use super::Sftp;
use super::pool::Lease;
use super::protocol::requests::{Mode, Status, extension};
use super::protocol::session::{Pending, Session};
use super::protocol::transfer::Upload;
use crate::backend::runtime::block_on;
use crate::backend::{NewObject, Published};
use crate::error::Result;
use crate::format::object::ObjectName;

/// The permissions of files and folders: for their owner, and in a shared folder for its group.
const PRIVATE: (u32, u32) = (0o600, 0o700);
const SHARED: (u32, u32) = (0o640, 0o770);

/// The bits of a folder that is shared with a group: set-group-ID, or writable for the group.
const SHARED_BITS: u32 = 0o2020;

/// The free space below which a failure without a reason is taken for a full disk, in bytes.
const FULL_BELOW: u64 = 1 << 20;

/// An object that is being written.
pub(super) struct NewFile<'s> {
    sftp: &'s Sftp,
    name: ObjectName,
    /// The path of the file before it is published.
    temporary: String,
    upload: Upload,
    /// Something of it is left on the server.
    remains: bool,
    /// Counts the session as used.
    _lease: Lease<'s>,
}

impl Sftp {
    /// Creates the temporary file of an object, and the folders for it where they are missing.
    pub(super) async fn create_file<'s>(
        &'s self,
        lease: Lease<'s>,
        name: &ObjectName,
    ) -> Result<NewFile<'s>> {
        let folder = match name.as_str().rsplit_once('/') {
            Some((folder, _)) => self.path_of(folder),
            None => self.root.clone(),
        };
        let (file_mode, _) = self.modes(&lease).await.map_err(|error| self.root_error(error))?;
        let temporary = format!("{}/{}", folder.trim_end_matches('/'), temporary_name());
        let mut opened = lease.open_file(&temporary, Mode::Create(file_mode)).await;
        if opened.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            // The root is never made here: with a share unmounted below it, that would fill the wrong disk.
            self.check_exists(&lease).await?;
            self.make_folders(&lease, name)
                .await
                .map_err(|error| self.error(name.as_str(), error))?;
            opened = lease.open_file(&temporary, Mode::Create(file_mode)).await;
        }
        let handle = match opened {
            Ok(handle) => handle,
            Err(error) => return Err(self.error(name.as_str(), self.diagnose(&lease, error).await)),
        };
        let upload = Upload::new(Arc::clone(&lease), handle);
        let name = name.clone();
        Ok(NewFile { sftp: self, name, temporary, upload, remains: true, _lease: lease })
    }

    /// Makes the folders of an object below the root.
    async fn make_folders(&self, lease: &Lease<'_>, name: &ObjectName) -> io::Result<()> {
        for (end, _) in name.as_str().match_indices('/') {
            self.make_folder(lease, &self.path_of(&name.as_str()[..end])).await?;
        }
        Ok(())
    }

    /// Makes a folder, unless it is there.
    pub(super) async fn make_folder(&self, lease: &Lease<'_>, path: &str) -> io::Result<()> {
        let (_, mode) = self.modes(lease).await?;
        match lease.mkdir(path, mode).await {
            Ok(()) => Ok(()),
            // The protocol has no code for a name that exists.
            Err(error) => match lease.stat(path).await? {
                Some(found) if found.is_dir() => Ok(()),
                _ => Err(self.diagnose(lease, error).await),
            },
        }
    }

    /// Returns the permissions of new files and folders.
    async fn modes(&self, lease: &Lease<'_>) -> io::Result<(u32, u32)> {
        if let Some(modes) = self.modes.get() {
            return Ok(*modes);
        }
        let Some(root) = lease.stat(&self.root).await? else { return Ok(PRIVATE) };
        let is_shared = root.mode.is_some_and(|mode| mode & SHARED_BITS != 0);
        Ok(*self.modes.get_or_init(|| if is_shared { SHARED } else { PRIVATE }))
    }

    /// Judges the answer to a flush: a file system that has none makes nothing durable, and is no error.
    fn flushed(&self, answer: io::Result<()>) -> io::Result<()> {
        match answer {
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::Unsupported | io::ErrorKind::InvalidInput
                ) =>
            {
                self.promises.flush_failed();
                Ok(())
            }
            other => other,
        }
    }

    /// Finds the reason of a failure for which the protocol has no code.
    async fn diagnose(&self, session: &Session, error: io::Error) -> io::Error {
        if error.kind() != io::ErrorKind::Other {
            return error;
        }
        if let Some(full) = session.explain_full().await {
            return full;
        }
        match session.statvfs(&self.root).await {
            Ok(Some(space)) if space.is_read_only => {
                io::Error::new(io::ErrorKind::ReadOnlyFilesystem, "it is read-only")
            }
            Ok(Some(space)) if space.available < FULL_BELOW => {
                io::Error::new(io::ErrorKind::StorageFull, "no space left")
            }
            _ => error,
        }
    }
}

pub(super) fn temporary_name() -> String {
    let mut number = [0; 8];
    getrandom::fill(&mut number).expect("the system has random numbers");
    yore_platform::temporary_name(u64::from_le_bytes(number))
}

impl NewObject for NewFile<'_> {
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let rest = self.upload.fill(bytes);
        if rest.is_empty() {
            return Ok(());
        }
        block_on(async {
            match self.upload.append(rest).await {
                Ok(()) => Ok(()),
                Err(error) => Err(self.sftp.diagnose(self.upload.session(), error).await),
            }
        })
        .map_err(|error| self.error(error))
    }

    fn publish(mut self: Box<Self>) -> Result<Published> {
        let published = block_on(async {
            self.complete().await?;
            match self.sftp.promises.uses_links() {
                true => self.publish_by_link().await,
                false => self.publish_by_rename().await,
            }
        });
        published.map_err(|error| self.error(error))
    }

    fn replace(mut self: Box<Self>) -> Result<()> {
        // An open pack would go on returning the bytes that are replaced.
        self.sftp.open_packs.close(&self.name);
        let replaced = block_on(async {
            self.complete().await?;
            self.close().await?;
            let (session, target) = (self.upload.session(), self.target());
            if session.offers(extension::POSIX_RENAME) {
                session.posix_rename(&self.temporary, &target).await?;
            } else {
                ignore_missing(Status::of(session.remove(&target).await?).await)?;
                session.rename(&self.temporary, &target).await?;
            }
            self.remains = false;
            self.flush_name().await
        });
        replaced.map_err(|error| self.error(error))
    }
}

impl NewFile<'_> {
    fn error(&self, source: io::Error) -> crate::error::Error {
        self.sftp.error(self.name.as_str(), source)
    }

    fn target(&self) -> String {
        self.sftp.path_of(self.name.as_str())
    }

    /// Sends the rest of the content and makes it durable.
    async fn complete(&mut self) -> io::Result<()> {
        let flushes = self.sftp.promises.uses_flushes();
        let completed = async {
            match self.upload.finish(flushes).await? {
                Some(flush) => self.sftp.flushed(Status::of(flush).await),
                None => Ok(()),
            }
        };
        match completed.await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.sftp.diagnose(self.upload.session(), error).await),
        }
    }

    /// Publishes the complete file by a second link, which fails where the name is taken.
    async fn publish_by_link(&mut self) -> io::Result<Published> {
        let (session, target) = (Arc::clone(self.upload.session()), self.target());
        let linked = session.hardlink(&self.temporary, &target).await?;
        // Once links are known to work, what follows need not wait for the answer.
        let settling = match self.sftp.promises.links_work() {
            true => Some(self.begin_to_settle().await?),
            false => None,
        };
        let was_settling = settling.is_some();
        let linked = Status::of(linked).await;
        if linked.is_ok() {
            self.sftp.promises.link_succeeded();
            let settling = match settling {
                Some(settling) => settling,
                None => self.begin_to_settle().await?,
            };
            self.settle(settling).await?;
            return Ok(Published::Created);
        }
        if let Some(settling) = settling {
            self.settle(settling).await?;
        }
        let error = match session.stat(&target).await? {
            Some(_) if was_settling => return Ok(Published::Exists),
            Some(_) => {
                let settling = self.begin_to_settle().await?;
                self.settle(settling).await?;
                return Ok(Published::Exists);
            }
            None => linked.err(),
        };
        match (was_settling, error) {
            // The temporary file is removed already.
            (true, Some(error)) => Err(self.sftp.diagnose(&session, error).await),
            _ => {
                let published = self.publish_by_rename().await?;
                self.sftp.promises.links_failed();
                Ok(published)
            }
        }
    }

    /// Publishes the complete file by a rename, after a look whether the name is taken.
    async fn publish_by_rename(&mut self) -> io::Result<Published> {
        self.close().await?;
        let (session, target) = (Arc::clone(self.upload.session()), self.target());
        let mut is_taken = session.stat(&target).await?.is_some();
        if !is_taken {
            match session.rename(&self.temporary, &target).await {
                Ok(()) => {
                    self.remains = false;
                    self.flush_name().await?;
                    return Ok(Published::Created);
                }
                Err(error) => {
                    is_taken = session.is_alive() && session.stat(&target).await?.is_some();
                    if !is_taken {
                        return Err(self.sftp.diagnose(&session, error).await);
                    }
                }
            }
        }
        ignore_missing(Status::of(session.remove(&self.temporary).await?).await)?;
        self.remains = false;
        Ok(Published::Exists)
    }

    /// Closes the file; programs store it at this moment only.
    async fn close(&mut self) -> io::Result<()> {
        let session = self.upload.session();
        match Status::of(session.close(self.upload.handle()).await?).await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.sftp.diagnose(session, error).await),
        }
    }

    /// Sends what follows a link: a flush, the removal of the temporary name, the close.
    async fn begin_to_settle(&self) -> io::Result<(Option<Pending>, Pending, Pending)> {
        let (session, handle) = (self.upload.session(), self.upload.handle());
        let flush = match self.sftp.promises.uses_flushes() {
            true => Some(session.fsync(handle).await?),
            false => None,
        };
        Ok((flush, session.remove(&self.temporary).await?, session.close(handle).await?))
    }

    async fn settle(&mut self, sent: (Option<Pending>, Pending, Pending)) -> io::Result<()> {
        let (flush, remove, close) = sent;
        if let Some(flush) = flush {
            self.sftp.flushed(Status::of(flush).await)?;
        }
        ignore_missing(Status::of(remove).await)?;
        self.remains = false;
        Status::of(close).await
    }

    /// Makes the name durable that the closed file got.
    async fn flush_name(&self) -> io::Result<()> {
        if !self.sftp.promises.uses_flushes() {
            return Ok(());
        }
        let session = self.upload.session();
        let handle = session.open_file(&self.target(), Mode::Read).await?;
        let flushed = Status::of(session.fsync(&handle).await?).await;
        session.close_unanswered(&handle);
        self.sftp.flushed(flushed)
    }
}

impl Drop for NewFile<'_> {
    fn drop(&mut self) {
        let session = Arc::clone(self.upload.session());
        if !self.remains || !session.is_alive() {
            return;
        }
        // What can't be removed now is recognised as abandoned later.
        let _ = block_on(async {
            session.close_unanswered(self.upload.handle());
            Status::of(session.remove(&self.temporary).await?).await
        });
    }
}

fn ignore_missing(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
