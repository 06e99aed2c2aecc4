//! The changes in whole file systems, as fanotify(7) reports them.
//!
//! One mark watches a whole file system: no limit of folders, and no walk of the tree at the start. It needs
//! `CAP_SYS_ADMIN` and `CAP_DAC_READ_SEARCH`, Linux 5.9, and a file system that opens folders by their handles.
//!
//! An event names a folder by its handle, and a name in it:
//!
//! ```text
//! kernel ──► group (queue) ──► event: mask, file system, handle, name
//!                              places: handle ──► path below a watched folder ──► `FileSystemChange`
//! ```
//!
//! Folders are looked up after all events of one read have happened. A path is thus the one that the folder has after
//! the renames of that read; a later rename is an event of its own, with both names. A folder that is deleted by then
//! has no path; its deletion is an event, too, in the nearest folder above that is left.

mod event;
mod group;
mod handle;
mod places;
#[cfg(test)]
mod tests;

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec};
use rustix::io::Errno;

use self::group::Group;
use self::places::{Anchor, Place, changes};

/// The size of one read: some thousand events.
const BUFFER: usize = 256 << 10;
/// The pause after a read, in which the kernel merges equal events. What is read then is less than half of its queue
/// of 16,384 events up to 150,000 events a second; after a larger read there is no pause.
const PAUSE: Duration = Duration::from_millis(50);
/// The pause after an error of the queue itself.
const LONG_PAUSE: Duration = Duration::from_secs(10);

/// A change that a [`FileSystemWatch`] reports.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum FileSystemChange {
    /// A name came, went or was replaced; a folder may have come with everything below it.
    Name(PathBuf),
    /// The content or an attribute of what has the name changed.
    Content(PathBuf),
    /// A file was closed that was open for writing. Only so are changes seen that went through mapped memory.
    Closed(PathBuf),
    /// Events were lost: anything may have changed.
    Unknown,
}

/// A watch of the file systems that hold some folders; it reports what changes below these folders.
#[derive(Debug)]
pub struct FileSystemWatch {
    shared: Arc<Shared>,
    reader: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    group: Group,
    /// Readable when the reader has to end.
    end: OwnedFd,
    /// A leaf lock: guards the watched folders, and that no event is looked up while they change.
    places: Mutex<Vec<Place>>,
}

impl FileSystemWatch {
    /// Starts a watch of nothing, with a thread that calls `report` with some changes at a time.
    ///
    /// # Errors
    /// The kernel has no fanotify that reports folders and names.
    pub fn start(report: impl FnMut(Vec<FileSystemChange>) + Send + 'static) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            group: Group::new()?,
            end: rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            places: Mutex::default(),
        });
        let read = {
            let shared = Arc::clone(&shared);
            move || shared.read_events(report)
        };
        let reader = std::thread::Builder::new().name("fanotify".to_owned()).spawn(read)?;
        Ok(Self { shared, reader: Some(reader) })
    }

    /// Watches a folder with everything below it on its file system, or a file.
    ///
    /// The path is absolute and has no links. Other file systems that are mounted below are to be added by themselves.
    ///
    /// # Errors
    /// The file system can't be watched as a whole, or this process may not; then nothing is watched.
    pub fn add(&self, folder: &Path) -> io::Result<()> {
        let (place, anchor) = Place::new(folder)?;
        // Events after the mark wait for the place.
        let mut places = self.shared.places();
        self.shared.group.mark(anchor.folder.as_fd())?;
        places.retain(|known| known.folder != folder);
        places.push(place);
        Ok(())
    }

    /// Ends the watch of a folder.
    pub fn remove(&self, folder: &Path) {
        // The mark stays, which costs next to nothing.
        self.shared.places().retain(|known| known.folder != folder);
    }

    /// Tells whether a folder was watched without a gap since it was added.
    ///
    /// False after its file system was unmounted, also when it is back, and while or after the folder was not there.
    /// It is to be added again then, and looked at.
    pub fn has_no_gap(&self, folder: &Path) -> bool {
        let places = self.shared.places();
        let place = places.iter().find(|place| place.folder == folder && !place.was_absent);
        let anchor = place.and_then(|place| Anchor::of(place).ok());
        anchor.is_some_and(|anchor| self.shared.group.is_marked(anchor.folder.as_fd()))
    }
}

impl Drop for FileSystemWatch {
    fn drop(&mut self) {
        let _ = rustix::io::write(&self.shared.end, &1u64.to_ne_bytes());
        let _ = self.reader.take().map(JoinHandle::join);
    }
}

impl Shared {
    fn places(&self) -> MutexGuard<'_, Vec<Place>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads events until the watch ends.
    fn read_events(&self, mut report: impl FnMut(Vec<FileSystemChange>)) {
        let mut buffer = vec![0; BUFFER];
        while self.wait_for_events() {
            let pause = match self.group.read(&mut buffer) {
                Ok(length) => {
                    let read = buffer.get(..length).unwrap_or_default();
                    let found = changes(&mut self.places(), read);
                    if !found.is_empty() {
                        report(found);
                    }
                    (length < BUFFER / 2).then_some(PAUSE)
                }
                Err(Errno::AGAIN | Errno::INTR) => None,
                Err(_) => {
                    report(vec![FileSystemChange::Unknown]);
                    Some(LONG_PAUSE)
                }
            };
            if pause.is_some_and(|pause| self.ends_within(pause)) {
                break;
            }
        }
    }

    /// Waits for events; returns false when the watch ends.
    fn wait_for_events(&self) -> bool {
        loop {
            let mut waits = [
                PollFd::new(&self.end, PollFlags::IN),
                PollFd::from_borrowed_fd(self.group.as_fd(), PollFlags::IN),
            ];
            match rustix::event::poll(&mut waits, None) {
                Ok(_) => return waits[0].revents().is_empty(),
                Err(Errno::INTR) => {}
                Err(_) => return false,
            }
        }
    }

    fn ends_within(&self, pause: Duration) -> bool {
        let mut waits = [PollFd::new(&self.end, PollFlags::IN)];
        let limit = Timespec::try_from(pause).ok();
        // A signal ends the pause, which is no harm.
        rustix::event::poll(&mut waits, limit.as_ref()).is_ok_and(|ready| ready > 0)
    }
}
