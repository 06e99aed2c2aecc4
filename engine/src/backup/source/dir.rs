//! Folders and files that are open for reading, wherever they are.

use std::io;
use std::ops::Range;
use std::path::Path;

use yore_platform::{FoundXattrs, Kind, Listing, Metadata, ReadMode, SourceDir, SourceFile};

#[cfg(feature = "sftp")]
use crate::backend::{FilesAhead, RemoteDir, RemoteFile};

/// An open folder.
pub(in crate::backup) enum Dir {
    Local(SourceDir),
    #[cfg(feature = "sftp")]
    Remote(RemoteDir),
}

/// An open file.
pub(in crate::backup) enum File {
    Local(SourceFile),
    #[cfg(feature = "sftp")]
    Remote(Box<RemoteFile>),
}

/// Calls a verb of a folder or file.
macro_rules! call {
    ($kind:ident, $of:expr, $inner:ident => $call:expr) => {
        match $of {
            $kind::Local($inner) => $call,
            #[cfg(feature = "sftp")]
            $kind::Remote($inner) => $call,
        }
    };
}

impl Dir {
    /// Opens a folder of this system.
    pub(in crate::backup) fn open_local(path: &Path) -> io::Result<Self> {
        SourceDir::open(path).map(Dir::Local)
    }

    /// Gives the folder, and everything that is opened through it, the number of another file system.
    pub(super) fn on_device(self, device: u64) -> Self {
        match self {
            Dir::Local(dir) => Dir::Local(dir.as_if_on(device)),
            #[cfg(feature = "sftp")]
            Dir::Remote(dir) => Dir::Remote(dir),
        }
    }

    pub(in crate::backup) fn open_child(&self, name: &[u8]) -> io::Result<Self> {
        Ok(match self {
            Dir::Local(dir) => Dir::Local(dir.open_child(name)?),
            #[cfg(feature = "sftp")]
            Dir::Remote(dir) => Dir::Remote(dir.open_child(name)?),
        })
    }

    pub(in crate::backup) fn open_file(&self, name: &[u8], how: ReadMode) -> io::Result<File> {
        Ok(match self {
            Dir::Local(dir) => File::Local(dir.open_file(name, how)?),
            #[cfg(feature = "sftp")]
            Dir::Remote(dir) => File::Remote(Box::new(dir.open_file(name, how)?)),
        })
    }

    pub(in crate::backup) fn metadata(&self) -> io::Result<Metadata> {
        call!(Dir, self, dir => dir.metadata())
    }

    pub(in crate::backup) fn child_metadata(&self, name: &[u8]) -> io::Result<Metadata> {
        call!(Dir, self, dir => dir.child_metadata(name))
    }

    pub(in crate::backup) fn keeps_inode_numbers(&self) -> io::Result<bool> {
        call!(Dir, self, dir => dir.keeps_inode_numbers())
    }

    pub(in crate::backup) fn list(&self, listing: &mut Listing) -> io::Result<()> {
        call!(Dir, self, dir => dir.list(listing))
    }

    pub(in crate::backup) fn list_fresh(&self) -> io::Result<Listing> {
        call!(Dir, self, dir => dir.list_fresh())
    }

    pub(in crate::backup) fn read_link(&self, name: &[u8]) -> io::Result<Vec<u8>> {
        call!(Dir, self, dir => dir.read_link(name))
    }

    pub(in crate::backup) fn xattrs(&self) -> FoundXattrs {
        call!(Dir, self, dir => dir.xattrs())
    }

    pub(in crate::backup) fn child_xattrs(&self, name: &[u8]) -> io::Result<FoundXattrs> {
        call!(Dir, self, dir => dir.child_xattrs(name))
    }

    /// Copies an open file as it is at this moment, where the file system can.
    pub(in crate::backup) fn freeze(&self, file: &File) -> Option<File> {
        match (self, file) {
            (Dir::Local(dir), File::Local(file)) => dir.freeze(file).map(File::Local),
            #[cfg(feature = "sftp")]
            _ => None,
        }
    }

    /// Tells whether each request takes a round trip, and devices have no numbers.
    pub(in crate::backup) fn is_remote(&self) -> bool {
        !matches!(self, Dir::Local(_))
    }

    /// Begins to read files and links in it, which are taken in this order.
    #[cfg_attr(not(feature = "sftp"), expect(unused_variables))]
    pub(in crate::backup) fn read_ahead(&self, names: Vec<(Vec<u8>, Kind)>) -> ReadAhead {
        match self {
            Dir::Local(_) => ReadAhead::default(),
            #[cfg(feature = "sftp")]
            Dir::Remote(dir) => ReadAhead { files: Some(dir.read_ahead(names)) },
        }
    }

    /// Tells whether to do something anew that failed: the connection to a server was lost, and is there again.
    #[cfg_attr(not(feature = "sftp"), expect(unused_variables))]
    pub(in crate::backup) fn is_back_after(&self, error: &io::Error, attempt: u32) -> bool {
        match self {
            Dir::Local(_) => false,
            #[cfg(feature = "sftp")]
            Dir::Remote(dir) => dir.is_back_after(error, attempt),
        }
    }

    /// Tells whether its server is out of reach for good.
    pub(in crate::backup) fn is_lost(&self) -> bool {
        match self {
            Dir::Local(_) => false,
            #[cfg(feature = "sftp")]
            Dir::Remote(dir) => dir.is_lost(),
        }
    }
}

impl File {
    pub(in crate::backup) fn opened(&self) -> &Metadata {
        call!(File, self, file => file.opened())
    }

    pub(in crate::backup) fn metadata(&self) -> io::Result<Metadata> {
        call!(File, self, file => file.metadata())
    }

    pub(in crate::backup) fn xattrs(&self) -> FoundXattrs {
        call!(File, self, file => file.xattrs())
    }

    pub(in crate::backup) fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        call!(File, self, file => file.read_at(buffer, offset))
    }

    pub(in crate::backup) fn has_more(&self, offset: u64) -> io::Result<bool> {
        call!(File, self, file => file.has_more(offset))
    }

    pub(in crate::backup) fn next_data(&self, from: u64) -> io::Result<Option<Range<u64>>> {
        call!(File, self, file => file.next_data(from))
    }
}

/// Files and links that are read ahead of the thread that takes them. On this system, none are.
#[derive(Default)]
pub(in crate::backup) struct ReadAhead {
    #[cfg(feature = "sftp")]
    files: Option<FilesAhead>,
}

#[cfg(feature = "sftp")]
impl ReadAhead {
    /// Takes a file; `None` if it has to be opened.
    pub(in crate::backup) fn take_file(&mut self, name: &[u8]) -> Option<File> {
        self.files.as_mut()?.take_file(name).map(File::Remote)
    }

    /// Takes the text of a link; `None` if it has to be read.
    pub(in crate::backup) fn take_link(&mut self, name: &[u8]) -> Option<Vec<u8>> {
        self.files.as_mut()?.take_link(name)
    }
}

#[cfg(not(feature = "sftp"))]
impl ReadAhead {
    pub(in crate::backup) fn take_file(&mut self, _name: &[u8]) -> Option<File> {
        None
    }

    pub(in crate::backup) fn take_link(&mut self, _name: &[u8]) -> Option<Vec<u8>> {
        None
    }
}
