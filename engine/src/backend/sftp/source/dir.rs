//! One folder of a server.

use std::io;
use std::sync::{Arc, OnceLock};

use yore_platform::{FoundXattrs, Kind, Listing, Metadata, ReadMode};

use super::file::RemoteFile;
use super::files_ahead::FilesAhead;
use super::names::{Names, metadata_of, not_there};
use super::server::{Server, absolute, marked};
use crate::backend::runtime::block_on;
use crate::path::join;

/// A folder of a server, with the verbs of a folder of this system.
pub(crate) struct RemoteDir {
    server: Arc<Server>,
    /// The path, as a snapshot has it.
    path: Vec<u8>,
    metadata: Metadata,
    names: OnceLock<Names>,
}

impl RemoteDir {
    pub(super) fn open(server: &Arc<Server>, path: &[u8]) -> io::Result<Self> {
        let metadata = server.metadata(path)?;
        Self::of(server, path.to_vec(), metadata)
    }

    fn of(server: &Arc<Server>, path: Vec<u8>, metadata: Metadata) -> io::Result<Self> {
        match metadata.kind {
            Kind::Directory => {
                Ok(Self { server: Arc::clone(server), path, metadata, names: OnceLock::new() })
            }
            _ => Err(io::Error::new(io::ErrorKind::NotADirectory, "it is no folder any more")),
        }
    }

    fn names(&self) -> io::Result<&Names> {
        if let Some(names) = self.names.get() {
            return Ok(names);
        }
        let names = self.server.names_of(&self.path)?;
        Ok(self.names.get_or_init(|| names))
    }

    /// Opens a folder in this one, and lists it.
    pub(crate) fn open_child(&self, name: &[u8]) -> io::Result<Self> {
        let metadata = self.child_metadata(name)?;
        let child = Self::of(&self.server, join(&self.path, name), metadata)?;
        child.names()?;
        Ok(child)
    }

    /// Returns the metadata that the folder had when the one above it was listed.
    pub(crate) fn metadata(&self) -> io::Result<Metadata> {
        Ok(self.metadata)
    }

    /// Returns the metadata that a name had when the folder was listed, or has now if it was not.
    pub(crate) fn child_metadata(&self, name: &[u8]) -> io::Result<Metadata> {
        match self.names.get() {
            Some(names) => metadata_of(names.find(name).ok_or_else(not_there)?),
            None => self.server.metadata(&join(&self.path, name)),
        }
    }

    /// Tells that files are not known by their inode numbers, which a server does not tell.
    pub(crate) fn keeps_inode_numbers(&self) -> io::Result<bool> {
        Ok(false)
    }

    /// Puts the names into `listing`.
    pub(crate) fn list(&self, listing: &mut Listing) -> io::Result<()> {
        listing.clear();
        self.names()?.list(listing)
    }

    /// Lists the folder as it is now.
    pub(crate) fn list_fresh(&self) -> io::Result<Listing> {
        let mut listing = Listing::new();
        self.server.list_now(&self.path)?.list(&mut listing)?;
        Ok(listing)
    }

    /// Reads the text of a link.
    pub(crate) fn read_link(&self, name: &[u8]) -> io::Result<Vec<u8>> {
        let path = absolute(&join(&self.path, name));
        self.server.repeat(async |session| session.read_link(&path).await)
    }

    /// Opens a regular file that was not, or not successfully, read ahead; anything else in its place is an error.
    pub(crate) fn open_file(&self, name: &[u8], _how: ReadMode) -> io::Result<RemoteFile> {
        let path = absolute(&join(&self.path, name));
        let lease = self.server.lease()?;
        let opened = block_on(RemoteFile::open_anew(&lease, path));
        opened.map_err(|error| marked(&lease, error))
    }

    /// Returns no attributes: the protocol does not tell them.
    pub(crate) fn xattrs(&self) -> FoundXattrs {
        FoundXattrs::default()
    }

    /// Returns no attributes, as [`Self::xattrs`].
    pub(crate) fn child_xattrs(&self, _name: &[u8]) -> io::Result<FoundXattrs> {
        Ok(FoundXattrs::default())
    }

    /// Begins to read some files and links in it, which are taken in this order.
    pub(crate) fn read_ahead(&self, names: Vec<(Vec<u8>, Kind)>) -> FilesAhead {
        FilesAhead::begin(&self.server, &self.path, names)
    }

    /// Tells whether to do something anew that failed: the connection was lost, and is there again.
    pub(crate) fn is_back_after(&self, error: &io::Error, attempt: u32) -> bool {
        self.server.is_back_after(error, attempt)
    }

    /// Tells whether the server is out of reach for good.
    pub(crate) fn is_lost(&self) -> bool {
        self.server.is_lost()
    }
}
