//! The sources that are watched, and what is known of their changes.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use yore_engine::backup::ChangedPaths;
use yore_platform::{
    FileSystemChange, Kind, Mounts, VOLUME_SNAPSHOT_PREFIX, path_metadata, snapshot_path,
};

use super::feed::{Feed, Means};
use super::root::Root;
use crate::access::state::state_folder;
use crate::config::SourceSettings;
use crate::context::Context;
use crate::failure::Outcome;
use crate::runs;
use crate::text::escape;

/// The kernel stamps files by a clock that it moves on up to 100 times a second, so that it lags behind.
const CLOCK_STEP: Duration = Duration::from_secs(1);

/// The sources that are watched.
pub struct Watched<'c> {
    pub(super) context: &'c Context,
    /// The time after which everything is looked at.
    interval: Duration,
    pub(super) sources: Vec<Observed>,
    feed: Feed,
    /// The time when this watch, or one before it, freed space last, in seconds since 1970.
    pub(super) freed: Option<i64>,
    /// The program's own folders: what is written there at each snapshot is no change.
    own_folders: Vec<PathBuf>,
}

/// A source that is watched.
pub struct Observed {
    pub(super) settings: SourceSettings,
    pub(super) changed: ChangedPaths,
    /// Everything is to be looked at: at the start, after events were lost, and from time to time.
    pub(super) wants_scan: bool,
    pub(super) scanned: Instant,
    /// The time by the system's clock since which every change is known.
    pub(super) known_since: SystemTime,
    roots: Vec<Root>,
}

impl Observed {
    fn new(settings: SourceSettings) -> Self {
        let roots = settings.paths.iter().map(|path| Root::unknown(path)).collect();
        Self {
            settings,
            changed: ChangedPaths::default(),
            wants_scan: true,
            scanned: Instant::now(),
            known_since: SystemTime::UNIX_EPOCH,
            roots,
        }
    }

    /// Tells whether there is something to be saved.
    pub fn is_due(&self) -> bool {
        self.wants_scan || !self.changed.is_empty()
    }

    /// Tells whether a path is of the source.
    fn holds(&self, path: &Path) -> bool {
        self.roots.iter().any(|root| path.starts_with(&root.path))
    }

    /// Notes a change of a path; returns false if it is none.
    fn note(&mut self, change: &FileSystemChange, path: &Path) -> bool {
        match change {
            // A file that was open for writing is closed: it has changed if its times have.
            FileSystemChange::Closed(_) if !is_changed_since(path, self.known_since) => {
                return false;
            }
            // Its other names are not known, and show the change, too.
            FileSystemChange::Content(_) | FileSystemChange::Closed(_) if has_names(path) => {
                self.wants_scan = true;
            }
            FileSystemChange::Name(_)
            | FileSystemChange::Content(_)
            | FileSystemChange::Closed(_)
            | FileSystemChange::Unknown => {}
        }
        self.changed.add(&snapshot_path(path));
        true
    }
}

impl<'c> Watched<'c> {
    /// Prepares the watch of sources.
    pub fn new(
        context: &'c Context,
        sources: Vec<SourceSettings>,
        interval: Duration,
    ) -> Outcome<Self> {
        let state = state_folder().and_then(|folder| std::fs::canonicalize(folder).ok());
        let own_folders = context.own_folders()?.into_iter().chain(state).collect();
        let sources = sources.into_iter().map(Observed::new).collect();
        let (feed, freed) = (Feed::new(), runs::freed(context));
        Ok(Self { context, interval, sources, feed, freed, own_folders })
    }

    /// Watches the folders that are there and not watched yet; returns true if one came, went or was exchanged, or if
    /// changes in it may have gone unseen.
    pub fn attach(&mut self) -> bool {
        // Without the table of mounts, each file system below a folder goes unwatched: the interval is for that.
        let mounts = Mounts::read().unwrap_or_default();
        let gaps = self.feed.gaps();
        let mut exchanged = Vec::new();
        for source in &mut self.sources {
            let is_one = source.settings.one_file_system;
            for (given, root) in source.settings.paths.iter().zip(&mut source.roots) {
                let found = Root::look(given, &mounts, is_one);
                if found != *root || found.places().any(|place| gaps.contains(place)) {
                    *root = found.clone();
                    exchanged.push(found);
                    source.wants_scan = true;
                }
            }
        }
        let roots = self.sources.iter().flat_map(|source| &source.roots);
        let places: BTreeSet<PathBuf> = roots.flat_map(Root::places).cloned().collect();
        self.feed.keep_only(&places);
        exchanged.iter().for_each(|root| self.watch(root));
        !exchanged.is_empty()
    }

    /// Watches a folder, and the file systems below it.
    fn watch(&mut self, root: &Root) {
        for place in root.places() {
            let path = place.display();
            match self.feed.watch(place) {
                Ok(Means::FileSystem) => {
                    self.context.screen.detail(format!("{path} is watched with its file system"));
                }
                Ok(Means::Folders) => {
                    self.context.screen.detail(format!("{path} is watched folder by folder"));
                    if *place == root.path {
                        // That includes what is mounted below.
                        break;
                    }
                }
                Err(error) => explain(self.context, &error),
            }
        }
    }

    /// Looks whether the folders are still the same, and whether it is time to look at everything.
    pub fn look(&mut self) -> bool {
        let mut is_due = self.attach();
        for source in &mut self.sources {
            if source.scanned.elapsed() >= self.interval {
                source.wants_scan = true;
                is_due = true;
            }
        }
        is_due
    }

    /// Waits for changes, but not longer than a time, and notes them; returns true if something changed.
    pub fn wait(&mut self, longest: Duration) -> bool {
        let seen = self.feed.wait(longest);
        let mut is_lost = !seen.errors.is_empty();
        seen.errors.iter().for_each(|error| explain(self.context, error));
        if seen.changes.contains(&FileSystemChange::Unknown) {
            self.context.screen.detail("changes came too fast to be told: everything is looked at");
            is_lost = true;
        }
        if is_lost {
            self.sources.iter_mut().for_each(|source| source.wants_scan = true);
        }
        let mut is_changed = is_lost;
        for change in &seen.changes {
            is_changed |= self.note(change);
        }
        is_changed
    }

    fn note(&mut self, change: &FileSystemChange) -> bool {
        let (FileSystemChange::Name(path)
        | FileSystemChange::Content(path)
        | FileSystemChange::Closed(path)) = change
        else {
            return false;
        };
        // A backup makes and deletes its snapshots of file systems in their top folders.
        let is_snapshot =
            || path.iter().any(|name| name.to_string_lossy().starts_with(VOLUME_SNAPSHOT_PREFIX));
        let is_own = self.own_folders.iter().any(|folder| path.starts_with(folder));
        if is_own || is_without_name(path) || is_snapshot() {
            return false;
        }
        let mut is_changed = false;
        for source in self.sources.iter_mut().filter(|source| source.holds(path)) {
            is_changed |= source.note(change, path);
        }
        is_changed
    }
}

/// Tells why changes are not seen; everything is looked at from time to time instead.
fn explain(context: &Context, error: &notify::Error) {
    let what = match error.kind {
        notify::ErrorKind::MaxFilesWatch => {
            "there are more folders than this system lets a person watch, so changes in some are seen only when everything \
             is looked at; to raise the limit: sudo sysctl fs.inotify.max_user_watches=1048576; root watches without one"
                .to_owned()
        }
        _ => format!(
            "changes can't be watched, so everything is looked at from time to time: {}",
            escape::text(&error.to_string())
        ),
    };
    context.screen.problem("watch", &what);
}

/// Tells whether the content or an attribute of a path changed since a time, as far as that is known.
fn is_changed_since(path: &Path, time: SystemTime) -> bool {
    let Some(changed) = path_metadata(path).ok().and_then(|metadata| metadata.changed) else {
        return true;
    };
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let since = since.saturating_sub(CLOCK_STEP).as_secs();
    changed.seconds >= i64::try_from(since).unwrap_or(i64::MAX)
}

/// Tells whether a file has several names.
fn has_names(path: &Path) -> bool {
    path_metadata(path).is_ok_and(|metadata| metadata.kind != Kind::Directory && metadata.links > 1)
}

/// Tells whether a path is that of a file without a name, of which the kernel tells as `#NUMBER`: a backup makes one of a file
/// that changes while it is read.
fn is_without_name(path: &Path) -> bool {
    let number = path.file_name().and_then(OsStr::to_str).and_then(|name| name.strip_prefix('#'));
    number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
        && path.symlink_metadata().is_err()
}
