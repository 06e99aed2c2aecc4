//! What changes in folders, as the system reports it.
//!
//! Where it is possible and allowed, whole file systems are watched (fanotify of Linux); everywhere else each folder is
//! (inotify and its like on other systems, by the crate `notify`).

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, Flag, ModifyKind};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use yore_platform::{FileSystemChange, FileSystemWatch};

/// The most changes that are kept until they are taken; when there are more, everything is looked at.
const MOST_CHANGES: usize = 200_000;

/// The changes in watched folders.
pub struct Feed {
    pending: Arc<Pending>,
    file_systems: Option<FileSystemWatch>,
    folders: Option<RecommendedWatcher>,
    watched: BTreeMap<PathBuf, Means>,
}

/// The means by which a folder is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    /// With its whole file system; others that are mounted below are watched by themselves.
    FileSystem,
    /// With every folder below it, on all file systems.
    Folders,
}

/// What happened since it was taken last.
#[derive(Default)]
pub struct Seen {
    /// The changes, each once.
    pub changes: HashSet<FileSystemChange>,
    /// The errors by which changes went unseen.
    pub errors: Vec<notify::Error>,
}

/// What happened and was not taken yet.
#[derive(Default)]
struct Pending {
    /// A leaf lock.
    seen: Mutex<Seen>,
    arrived: Condvar,
}

impl Feed {
    /// Watches nothing yet.
    pub fn new() -> Self {
        Self {
            pending: Arc::default(),
            file_systems: None,
            folders: None,
            watched: BTreeMap::new(),
        }
    }

    /// Watches a folder, anew if it is watched already and has a gap.
    ///
    /// # Errors
    /// Not all changes in it can be seen.
    pub fn watch(&mut self, folder: &Path) -> Result<Means, notify::Error> {
        if self.watched.get(folder) == Some(&Means::FileSystem) && !self.has_gap(folder) {
            return Ok(Means::FileSystem);
        }
        self.end(folder);
        let (means, outcome) = match self.watch_file_system(folder) {
            Ok(()) => (Means::FileSystem, Ok(())),
            Err(_) => (Means::Folders, self.watch_folders(folder)),
        };
        self.watched.insert(folder.to_owned(), means);
        outcome.map(|()| means)
    }

    /// Ends the watch of all folders but some.
    pub fn keep_only(&mut self, folders: &BTreeSet<PathBuf>) {
        let ended: Vec<PathBuf> =
            self.watched.keys().filter(|folder| !folders.contains(*folder)).cloned().collect();
        ended.iter().for_each(|folder| self.end(folder));
    }

    /// Returns the folders in which changes may have gone unseen since they were watched.
    pub fn gaps(&self) -> BTreeSet<PathBuf> {
        let folders = self.watched.iter().filter(|(_, means)| **means == Means::FileSystem);
        folders
            .filter(|(folder, _)| self.has_gap(folder))
            .map(|(folder, _)| folder.clone())
            .collect()
    }

    /// Waits until something happens, but not longer than a time, and takes it.
    pub fn wait(&self, longest: Duration) -> Seen {
        let seen = self.pending.seen();
        let is_nothing = |seen: &mut Seen| seen.changes.is_empty() && seen.errors.is_empty();
        let waited = self.pending.arrived.wait_timeout_while(seen, longest, is_nothing);
        let (mut seen, _) = waited.unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *seen)
    }

    fn has_gap(&self, folder: &Path) -> bool {
        !self.file_systems.as_ref().is_some_and(|watch| watch.has_no_gap(folder))
    }

    fn watch_file_system(&mut self, folder: &Path) -> std::io::Result<()> {
        let watch = match self.file_systems.take() {
            Some(watch) => watch,
            None => {
                let pending = Arc::clone(&self.pending);
                FileSystemWatch::start(move |changes| pending.add(changes))?
            }
        };
        let added = watch.add(folder);
        let is_used = self.watched.values().any(|means| *means == Means::FileSystem);
        self.file_systems = Some(watch).filter(|_| added.is_ok() || is_used);
        added
    }

    fn watch_folders(&mut self, folder: &Path) -> Result<(), notify::Error> {
        let watcher = match &mut self.folders {
            Some(watcher) => watcher,
            none => {
                let pending = Arc::clone(&self.pending);
                none.insert(notify::recommended_watcher(move |event| pending.add_event(event))?)
            }
        };
        watcher.watch(folder, RecursiveMode::Recursive)
    }

    fn end(&mut self, folder: &Path) {
        match (self.watched.remove(folder), &self.file_systems, &mut self.folders) {
            (Some(Means::FileSystem), Some(watch), _) => watch.remove(folder),
            (Some(Means::Folders), _, Some(watcher)) => {
                // Its watches may have gone with the folder.
                let _ = watcher.unwatch(folder);
            }
            _ => {}
        }
    }
}

impl Pending {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, changes: impl IntoIterator<Item = FileSystemChange>) {
        let mut seen = self.seen();
        seen.changes.extend(changes);
        if seen.changes.len() > MOST_CHANGES {
            seen.changes = HashSet::from([FileSystemChange::Unknown]);
        }
        if !seen.changes.is_empty() {
            self.arrived.notify_one();
        }
    }

    fn add_event(&self, event: notify::Result<Event>) {
        match event {
            Ok(event) => self.add(changes(event)),
            Err(error) => {
                self.seen().errors.push(error);
                self.arrived.notify_one();
            }
        }
    }
}

/// Returns the changes of which an event tells.
fn changes(event: Event) -> Vec<FileSystemChange> {
    if event.attrs.flag() == Some(Flag::Rescan) {
        return vec![FileSystemChange::Unknown];
    }
    let change = match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => FileSystemChange::Closed,
        EventKind::Access(_) => return Vec::new(),
        EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Metadata(_)) => {
            FileSystemChange::Content
        }
        EventKind::Any
        | EventKind::Create(_)
        | EventKind::Modify(_)
        | EventKind::Remove(_)
        | EventKind::Other => FileSystemChange::Name,
    };
    event.paths.into_iter().map(change).collect()
}

#[cfg(test)]
mod tests {
    use notify::event::{CreateKind, DataChange};

    use super::*;

    fn changes_of(kind: EventKind) -> Vec<FileSystemChange> {
        changes(Event::new(kind).add_path("/file".into()))
    }

    #[test]
    fn what_is_only_read_is_no_change() {
        let read = AccessKind::Close(AccessMode::Read);
        assert_eq!(changes_of(EventKind::Access(read)), []);
        let open = AccessKind::Open(AccessMode::Any);
        assert_eq!(changes_of(EventKind::Access(open)), []);
        let written = AccessKind::Close(AccessMode::Write);
        let path = || PathBuf::from("/file");
        assert_eq!(changes_of(EventKind::Access(written)), [FileSystemChange::Closed(path())]);
        let data = ModifyKind::Data(DataChange::Any);
        assert_eq!(changes_of(EventKind::Modify(data)), [FileSystemChange::Content(path())]);
        let made = EventKind::Create(CreateKind::Any);
        assert_eq!(changes_of(made), [FileSystemChange::Name(path())]);
        let lost = Event::new(EventKind::Other).set_flag(Flag::Rescan);
        assert_eq!(changes(lost), [FileSystemChange::Unknown]);
    }

    #[test]
    fn more_changes_than_are_kept_count_as_lost() {
        let feed = Feed::new();
        let change = |number: usize| FileSystemChange::Name(number.to_string().into());
        feed.pending.add((0..MOST_CHANGES).map(change));
        assert_eq!(feed.wait(Duration::ZERO).changes.len(), MOST_CHANGES);
        feed.pending.add((0..=MOST_CHANGES).map(change));
        let seen = feed.wait(Duration::ZERO);
        assert_eq!(seen.changes, HashSet::from([FileSystemChange::Unknown]));
        assert!(feed.wait(Duration::ZERO).changes.is_empty());
    }
}
