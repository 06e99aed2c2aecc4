//! A repository on a server that speaks SFTP: over SSH, or a program such as `rclone serve sftp --stdio`.
//!
//! An object is a file. It is written under a temporary name, made durable where the server can do that, and gets
//! its name by a second link, which never replaces another file; so a named object is always complete. Where a
//! server has no links, a name is checked before a file is renamed to it, and `create_if_absent` is not promised.

mod failure;
mod new_file;
mod open_file;
mod pool;
mod program;
mod promises;
mod protocol;
mod rclone;
mod source;
mod ssh;
mod transport;
mod unfinished;

use std::io;
use std::ops::Range;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use yore_platform::{ReadBuffer, Space};

use self::open_file::OpenFile;
use self::pool::{Lease, Pool};
use self::promises::Promises;
use self::protocol::listing::{ListedName, list, list_many, remove_many};
use self::protocol::requests::Mode;
use self::protocol::transfer::{download, download_whole};
use self::transport::Connector;
use self::unfinished::TemporaryFiles;
use super::folder::bystanders;
use super::open_packs::OpenPacks;
use super::runtime::block_on;
use super::{Backend, Capabilities, ListedObject, NewObject, UnfinishedFile, too_large};
use crate::error::{Error, Result};
use crate::format::object::{Area, ObjectName};

pub use program::Program;
pub use rclone::RcloneOptions;
pub use source::SftpSource;
pub(crate) use source::{FilesAhead, RemoteDir, RemoteFile, RemoteFiles, Unwanted};
pub use ssh::config as ssh_config;
pub use ssh::options::{AgentKeys, Identity, SftpOptions, SshHost, UnknownHosts};

/// The time that a program has to connect to its storage.
const PROGRAM_TIMEOUT: Duration = Duration::from_secs(90);

/// A folder on a server that holds a repository.
pub struct Sftp {
    location: String,
    root: String,
    pool: Pool,
    promises: Promises,
    /// Open packs, since each is read in many small ranges.
    open_packs: OpenPacks<OpenFile>,
    temporary: TemporaryFiles,
    /// The time for which a program may answer from its own copy of a list.
    listing_delay: Option<Duration>,
    /// No link below the root is followed: somebody else may have made it.
    is_confined: bool,
    /// The permissions of new files and folders, once the folder's own are known.
    modes: OnceLock<(u32, u32)>,
}

impl Sftp {
    /// Creates a backend for a folder of a server without connecting to it.
    pub fn new(options: SftpOptions) -> Self {
        let (connections, patience) = (options.connections, options.connect_timeout);
        let (location, root) = (options.location.clone(), folder_path(&options.path));
        let connector = Connector::Ssh(Box::new(options));
        let pool = Pool::new(location.clone(), connector, connections, patience);
        Self::of(location, root, pool, Promises::of_server(), None)
    }

    /// Creates a backend for the folder that a program serves on its standard streams, without starting it.
    ///
    /// The program stands between the repository and any storage, so nothing is promised but what can be checked.
    fn served_by(program: Program, location: impl Into<String>) -> Self {
        let location = location.into();
        let pool = Pool::new(location.clone(), Connector::Program(program), 1, PROGRAM_TIMEOUT);
        let delay = Some(rclone::DIRECTORY_CACHE);
        Self::of(location, "/".to_owned(), pool, Promises::of_program(), delay)
    }

    fn of(
        location: String,
        root: String,
        pool: Pool,
        promises: Promises,
        listing_delay: Option<Duration>,
    ) -> Self {
        let (open_packs, temporary) = (OpenPacks::new(), TemporaryFiles::default());
        let modes = OnceLock::new();
        let is_confined = false;
        Self {
            location,
            root,
            pool,
            promises,
            open_packs,
            temporary,
            listing_delay,
            is_confined,
            modes,
        }
    }

    /// Follows no link in the folder from now on: somebody writes into it who is not trusted.
    pub fn confined(self) -> Self {
        Self { is_confined: true, ..self }
    }

    /// Fails if the folder of an area is a link, where none is to be followed.
    async fn must_be_confined(&self, session: &Lease<'_>, area: Area) -> Result<()> {
        if !self.is_confined {
            return Ok(());
        }
        let found = list(session, &self.root).await.map_err(|error| self.root_error(error))?;
        let of_area =
            |entry: &ListedName| entry.name == area.folder() && entry.attributes.is_link();
        match found.unwrap_or_default().iter().any(of_area) {
            false => Ok(()),
            true => {
                let text = "it is a link, which may lead anywhere";
                let source = io::Error::new(io::ErrorKind::PermissionDenied, text);
                Err(self.error(area.folder(), source))
            }
        }
    }

    /// Checks that a repository can be created here; changes nothing.
    ///
    /// # Errors
    /// [`Error::Occupied`] when the folder is not empty; files of an interrupted creation are ignored.
    pub fn check_vacant(&self) -> Result<()> {
        let session = self.lease()?;
        let occupied = |found| Error::Occupied { location: self.location(), found };
        let found = block_on(async {
            match session.stat(&self.root).await? {
                None => Ok(Some(Vec::new())),
                Some(root) if !root.is_dir() => Ok(None),
                Some(_) => Ok(Some(list(&session, &self.root).await?.unwrap_or_default())),
            }
        });
        let found = found.map_err(|error| self.root_error(error))?;
        let found = found.ok_or_else(|| occupied("is not a folder"))?;
        if found.iter().any(|entry| entry.name == ObjectName::header().as_str()) {
            return Err(occupied("holds a repository already"));
        }
        let is_allowed = |name: &str| {
            matches!(name, "keys" | "destination")
                || yore_platform::is_temporary(name)
                || bystanders::is_one(name)
        };
        match found.iter().all(|entry| is_allowed(&entry.name)) {
            true => Ok(()),
            false => Err(occupied("is not empty")),
        }
    }

    fn lease(&self) -> Result<Lease<'_>> {
        let leased = block_on(self.pool.lease());
        let session = leased.map_err(|error| failure::unreachable(&self.location, error))?;
        self.promises.learn(&session);
        Ok(session)
    }

    fn path_of(&self, name: &str) -> String {
        match self.root.ends_with('/') {
            true => format!("{}{name}", self.root),
            false => format!("{}/{name}", self.root),
        }
    }

    /// Returns the error of a request for an object.
    fn error(&self, name: &str, source: io::Error) -> Error {
        match source.kind() {
            io::ErrorKind::NotFound => Error::Missing { object: name.to_owned() },
            _ => Error::Backend { object: format!("{}/{name}", self.location), source },
        }
    }

    /// Returns the error of a request for the folder itself.
    fn root_error(&self, source: io::Error) -> Error {
        Error::Backend { object: self.location.clone(), source }
    }

    /// Fails unless the folder exists.
    async fn check_exists(&self, session: &Lease<'_>) -> Result<()> {
        match session.stat(&self.root).await {
            Ok(Some(root)) if root.is_dir() => Ok(()),
            Ok(_) => Err(Error::NoRepository { location: self.location() }),
            Err(error) => Err(self.root_error(error)),
        }
    }

    /// Makes the folder and those above it, as far as they are not there.
    async fn make_root(&self, session: &Lease<'_>) -> io::Result<()> {
        let ends = self.root.match_indices('/').map(|(at, _)| at).chain([self.root.len()]);
        let mut folders: Vec<&str> = ends.map(|end| &self.root[..end]).collect();
        folders.retain(|folder| !matches!(*folder, "" | "."));
        // The folders above may be closed to this user, so the lowest that is missing is looked for from below.
        let mut missing = Vec::new();
        while let Some(folder) = folders.pop() {
            if session.stat(folder).await?.is_some() {
                break;
            }
            missing.push(folder);
        }
        for folder in missing.into_iter().rev() {
            self.make_folder(session, folder).await?;
        }
        Ok(())
    }

    /// Lists the names in the folders of an area: in the folder itself, and for packs in those below.
    async fn listed(
        &self,
        session: &Lease<'_>,
        area: Area,
    ) -> Result<Vec<(String, Vec<ListedName>)>> {
        let failed = |error| self.error(area.folder(), error);
        let folder = area.folder().to_owned();
        self.must_be_confined(session, area).await?;
        let names = match list(session, &self.path_of(&folder)).await.map_err(failed)? {
            Some(mut names) => {
                names.retain(|entry| !self.is_confined || !entry.attributes.is_link());
                names
            }
            None => {
                self.check_exists(session).await?;
                return Ok(Vec::new());
            }
        };
        let below = |entry: &ListedName| entry.name.len() == 2 && entry.attributes.is_dir();
        let (folders, names) = match area.has_subfolders() {
            true => names.into_iter().partition(below),
            false => (Vec::new(), names),
        };
        let paths = folders.iter().map(|entry| self.path_of(&format!("{folder}/{}", entry.name)));
        let found = list_many(session, paths.collect()).await.map_err(failed)?;
        let mut listed = vec![(folder, names)];
        let prefix = self.path_of("");
        listed.extend(
            found.into_iter().map(|(path, names)| {
                (path.strip_prefix(&prefix).unwrap_or(&path).to_owned(), names)
            }),
        );
        Ok(listed)
    }

    /// Reads a range by a new handle, which is kept for packs.
    fn read_anew(&self, name: &ObjectName, range: Range<u64>, out: &mut ReadBuffer) -> Result<()> {
        let session = self.lease()?;
        let path = self.path_of(name.as_str());
        let read = block_on(async {
            let handle = session.open_file(&path, Mode::Read).await?;
            let file = OpenFile::new(Arc::clone(&session), handle);
            download(&session, file.handle(), range, out).await?;
            Ok(file)
        });
        match read {
            Ok(file) if name.is_pack() => self.open_packs.insert(name, &Arc::new(file)),
            Ok(_) => {}
            Err(error) => return Err(self.read_error(name, error)),
        }
        Ok(())
    }

    fn read_error(&self, name: &ObjectName, error: io::Error) -> Error {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Error::damaged(name.as_str(), "truncated"),
            _ => self.error(name.as_str(), error),
        }
    }
}

impl Backend for Sftp {
    fn location(&self) -> String {
        self.location.clone()
    }

    fn prepare(&self) -> Result<()> {
        self.check_vacant()?;
        let session = self.lease()?;
        block_on(self.make_root(&session)).map_err(|error| self.root_error(error))
    }

    fn create(&self, name: &ObjectName) -> Result<Box<dyn NewObject + '_>> {
        let session = self.lease()?;
        Ok(Box::new(block_on(self.create_file(session, name))?))
    }

    fn read_into(&self, name: &ObjectName, range: Range<u64>, out: &mut ReadBuffer) -> Result<()> {
        if let Some(pack) = self.open_packs.get(name) {
            // After an error the file may have been removed by a repair, or the connection lost.
            match block_on(download(pack.session(), pack.handle(), range.clone(), out)) {
                Ok(()) => return Ok(()),
                Err(_) => self.open_packs.close(name),
            }
        }
        self.read_anew(name, range, out)
    }

    fn load(&self, name: &ObjectName, limit: u64) -> Result<ReadBuffer> {
        let session = self.lease()?;
        let path = self.path_of(name.as_str());
        let mut bytes = ReadBuffer::default();
        let loaded = block_on(async {
            let handle = session.open_file(&path, Mode::Read).await?;
            let file = OpenFile::new(Arc::clone(&session), handle);
            download_whole(&session, file.handle(), limit, &mut bytes).await
        });
        match loaded.map_err(|error| self.read_error(name, error))? {
            true => Ok(bytes),
            false => Err(too_large(name)),
        }
    }

    fn size(&self, name: &ObjectName) -> Result<Option<u64>> {
        let session = self.lease()?;
        let found = block_on(session.stat(&self.path_of(name.as_str())));
        match found.map_err(|error| self.error(name.as_str(), error))? {
            None => Ok(None),
            Some(found) => found.size.map(Some).ok_or_else(|| {
                let text = "the server tells no sizes of files";
                self.error(name.as_str(), io::Error::new(io::ErrorKind::Unsupported, text))
            }),
        }
    }

    fn list(&self, area: Area) -> Result<Vec<ListedObject>> {
        self.open_packs.close_idle();
        let session = self.lease()?;
        self.temporary.clear(area);
        if let Some(cached) = self.listing_delay {
            std::thread::sleep(cached);
        }
        let mut found = Vec::new();
        for (folder, names) in block_on(self.listed(&session, area))? {
            for entry in names {
                let name = format!("{folder}/{}", entry.name);
                match ObjectName::parse(area, &name) {
                    Some(name) => {
                        let size = entry.attributes.size.unwrap_or_default();
                        found.push(ListedObject { name, size });
                    }
                    None => self.temporary.record(area, name),
                }
            }
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    fn delete(&self, name: &ObjectName) -> Result<()> {
        self.open_packs.close(name);
        let session = self.lease()?;
        let removed = block_on(remove_many(&session, &[self.path_of(name.as_str())]));
        removed.map_err(|error| self.error(name.as_str(), error))
    }

    fn space(&self) -> Result<Option<Space>> {
        let session = self.lease()?;
        let found =
            block_on(session.statvfs(&self.root)).map_err(|error| self.root_error(error))?;
        Ok(found.map(|found| Space {
            total: found.total,
            free: found.available,
            files: found.files,
        }))
    }

    fn unfinished(&self) -> Result<Vec<UnfinishedFile>> {
        let session = self.lease()?;
        block_on(self.describe_unfinished(&session)).map_err(|error| self.root_error(error))
    }

    fn remove_abandoned(&self) -> Result<()> {
        let session = self.lease()?;
        let removed = block_on(async {
            let files = self.describe_unfinished(&session).await?;
            let abandoned = files.iter().filter(|file| file.is_abandoned);
            let paths: Vec<_> = abandoned.map(|file| self.path_of(&file.name)).collect();
            remove_many(&session, &paths).await
        });
        removed.map_err(|error| self.root_error(error))
    }

    fn disturbances(&self) -> u64 {
        self.pool.disturbances()
    }

    fn capabilities(&self) -> Capabilities {
        self.promises.capabilities()
    }
}

/// Returns a path without slashes at its end; the empty path is the user's home.
fn folder_path(path: &str) -> String {
    match (path.trim_end_matches('/'), path.starts_with('/')) {
        ("", true) => "/".to_owned(),
        ("", false) => ".".to_owned(),
        (path, _) => path.to_owned(),
    }
}
