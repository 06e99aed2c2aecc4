//! Small files and links that are read ahead of the thread that takes them.
//!
//! Each takes four round trips one after the other: open, ask for the size, read, ask again. So some are on their way
//! at once, in the order in which they are taken. Only the first attempt is made here: what fails is read again when
//! it is its turn, and then it fails for good or waits for the server.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use tokio::task::JoinHandle;
use yore_platform::Kind;

use super::file::RemoteFile;
use super::server::{Server, absolute};
use crate::backend::runtime::{block_on, runtime};
use crate::path::join;

/// The files of a folder that are on their way at once; each of several readers has a folder.
const AHEAD: usize = 32;

/// Files up to this size are fetched as a whole; of larger ones only the beginning waits to be read.
const SMALL: u64 = 128 << 10;

/// Something that was read ahead.
enum Fetched {
    File(Box<RemoteFile>),
    Link(Vec<u8>),
}

/// Files of one folder, in the order in which they are taken.
pub(crate) struct FilesAhead {
    server: Arc<Server>,
    dir: Vec<u8>,
    waiting: VecDeque<(Vec<u8>, Kind)>,
    running: VecDeque<(Vec<u8>, JoinHandle<io::Result<Fetched>>)>,
}

impl FilesAhead {
    pub(super) fn begin(server: &Arc<Server>, dir: &[u8], names: Vec<(Vec<u8>, Kind)>) -> Self {
        let (server, dir) = (Arc::clone(server), dir.to_vec());
        let mut ahead = Self { server, dir, waiting: names.into(), running: VecDeque::new() };
        ahead.start_some();
        ahead
    }

    /// Takes a file; `None` if it has to be opened in the ordinary way.
    pub(crate) fn take_file(&mut self, name: &[u8]) -> Option<Box<RemoteFile>> {
        match self.take(name)? {
            Fetched::File(file) => Some(file),
            Fetched::Link(_) => None,
        }
    }

    /// Takes the text of a link; `None` if it has to be read in the ordinary way.
    pub(crate) fn take_link(&mut self, name: &[u8]) -> Option<Vec<u8>> {
        match self.take(name)? {
            Fetched::Link(text) => Some(text),
            Fetched::File(_) => None,
        }
    }

    fn take(&mut self, name: &[u8]) -> Option<Fetched> {
        let at = self.running.iter().position(|(running, _)| running == name)?;
        // Those before it are not wanted any more.
        for (_, skipped) in self.running.drain(..at) {
            skipped.abort();
        }
        let (_, running) = self.running.pop_front()?;
        self.start_some();
        block_on(running).ok()?.ok()
    }

    fn start_some(&mut self) {
        while self.running.len() < AHEAD
            && let Some((name, kind)) = self.waiting.pop_front()
        {
            let path = absolute(&join(&self.dir, &name));
            let task = runtime().spawn(fetch(Arc::clone(&self.server), path, kind));
            self.running.push_back((name, task));
        }
    }
}

impl Drop for FilesAhead {
    fn drop(&mut self) {
        self.running.iter().for_each(|(_, task)| task.abort());
    }
}

async fn fetch(server: Arc<Server>, path: Vec<u8>, kind: Kind) -> io::Result<Fetched> {
    let lease = server.pool.lease().await?;
    if kind == Kind::Symlink {
        return Ok(Fetched::Link(lease.read_link(&path).await?));
    }
    let mut file = RemoteFile::open(&lease, path).await?;
    if file.opened().size <= SMALL {
        file.fetch().await?;
    }
    Ok(Fetched::File(Box::new(file)))
}
