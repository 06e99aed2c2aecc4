//! `versions`: path first, time second.
//!
//! A directory here has every name that it had in any snapshot. A name that ever was a directory is
//! one; any other is a directory too, of its versions, each named by the file and the first snapshot that
//! has it.
//! `@` in any directory, looked up and not listed, has the path's own states. A name of nothing but
//! `@` has one more here.

use std::sync::Arc;

use yore_engine::history::{Kinds, names_ever};
use yore_platform::{Entry, Kind, ListControl, Listed, Timestamp, VolumeError};

use crate::error::{Answer, damaged};
use crate::history::cache::{Cache, CacheLimit, MemorySize};
use crate::history::path_history::NamedVersion;
use crate::history::version_name::{STATES, escape, unescape};
use crate::inode::number::PlaceNo;
use crate::inode::place::Lifetime;
use crate::path::{MAX_NAME, Path, join};
use crate::snapshot_list::list::SnapshotList;
use crate::snapshot_list::scope::ScopeNo;
use crate::tree::listing::Each;
use crate::virtual_dir::dir::{BackedUp, Context, Dir, Folder, VirtualDir, list_names};

/// Directories of which the names are kept.
const LISTS: usize = 16;

/// The names of directories, by scope and path.
type Lists = Cache<(ScopeNo, Path), NameList>;

pub(crate) struct Versions {
    lists: Arc<Lists>,
}

/// Every name that a directory had, as `versions` shows it.
struct NameList {
    names: Vec<Vec<u8>>,
    kinds: Vec<Kinds>,
    /// An error when some could not be read or shown.
    outcome: Answer<()>,
}

impl MemorySize for NameList {
    fn memory_size(&self) -> usize {
        let names = self.names.iter().map(|name| size_of::<Vec<u8>>() + name.len());
        names.sum::<usize>() + self.kinds.len() * size_of::<Kinds>()
    }
}

impl Versions {
    pub(crate) fn new(limit: CacheLimit) -> Self {
        Self { lists: Arc::new(Cache::new(LISTS, limit)) }
    }
}

impl Folder for Versions {
    fn name(&self) -> &'static [u8] {
        b"versions"
    }

    fn place(&self, top: &Dir<'_>, list: &SnapshotList) -> PlaceNo {
        let path = PathInScope { scope: list.scope, path: Path::from(&b""[..]) };
        top.place(self.name(), NamesDir { path, lists: Arc::clone(&self.lists) })
    }
}

/// A path of one scope.
#[derive(PartialEq, Clone)]
struct PathInScope {
    scope: ScopeNo,
    path: Path,
}

impl PathInScope {
    fn versions(&self, dir: &Dir<'_>, list: &SnapshotList) -> Answer<Arc<Vec<NamedVersion>>> {
        dir.context.histories.versions(dir.core(), list, &self.path)
    }

    /// Returns the entry of a version under a name.
    fn version(
        &self,
        dir: &Dir<'_>,
        list: &SnapshotList,
        name: &[u8],
        version: &NamedVersion,
    ) -> Answer<Entry> {
        let backed_up = BackedUp {
            state: list.state_of(version.first())?,
            origin: list.label(version.first())?.origin,
            path: &self.path,
            tree: version.seen.tree,
            position: version.seen.position,
            node: &version.seen.node,
        };
        dir.backed_up(name, &backed_up)
    }
}

/// A directory of every name that it had.
#[derive(PartialEq)]
struct NamesDir {
    path: PathInScope,
    lists: Arc<Lists>,
}

/// The versions of what never was a directory.
#[derive(PartialEq)]
struct VersionsDir(PathInScope);

/// The states of a path, whatever it was: `@`.
#[derive(PartialEq)]
struct StatesDir(PathInScope);

impl NamesDir {
    fn names_ever(&self, dir: &Dir<'_>) -> Answer<Arc<NameList>> {
        let PathInScope { scope, path } = &self.path;
        let list = dir.snapshots(*scope)?;
        self.lists.get_or((*scope, Arc::clone(path)), list.generation, || {
            let history = dir.context.histories.directory(dir.core(), &list, path)?;
            let (found, outcome) = names_ever(&dir.core().reader, &history);
            let mut all = NameList {
                names: Vec::with_capacity(found.len()),
                kinds: Vec::with_capacity(found.len()),
                outcome: outcome.map_err(damaged),
            };
            for (name, kinds) in found {
                let name = escape(&name);
                if name.len() > MAX_NAME {
                    all.outcome = Err(VolumeError::Damaged);
                    continue;
                }
                all.names.push(name);
                all.kinds.push(kinds);
            }
            Ok(all)
        })
    }

    fn below(&self, name: &[u8]) -> PathInScope {
        let PathInScope { scope, path } = &self.path;
        PathInScope { scope: *scope, path: Path::from(join(path, unescape(name))) }
    }

    fn entry(&self, dir: &Dir<'_>, name: &[u8], kinds: Kinds) -> Answer<Entry> {
        let path = self.below(name);
        match (kinds.directory, kinds.other) {
            (true, _) => dir.enter(name, NamesDir { path, lists: Arc::clone(&self.lists) }),
            (false, true) => dir.enter(name, VersionsDir(path)),
            (false, false) => Err(VolumeError::NotFound),
        }
    }
}

impl VirtualDir for NamesDir {
    fn modified(&self, context: &Context) -> Answer<Timestamp> {
        Ok(context.lists.get(self.path.scope)?.modified)
    }

    fn find(&self, dir: &Dir<'_>, name: &[u8]) -> Answer<Entry> {
        if name.len() > MAX_NAME {
            return Err(VolumeError::NameTooLong);
        }
        if name == STATES {
            return dir.enter(name, StatesDir(self.path.clone()));
        }
        let (list, below) = (dir.snapshots(self.path.scope)?, self.below(name));
        let history = dir.context.histories.directory(dir.core(), &list, &below.path)?;
        let directory = !history.states.is_empty();
        let other = !directory && !below.versions(dir, &list)?.is_empty();
        self.entry(dir, name, Kinds { directory, other })
    }

    /// # Errors
    /// Damaged, after everything that can be shown, when there is more.
    fn list(&self, dir: &Dir<'_>, from: u64, each: &mut Each<'_>) -> Answer<()> {
        let all = self.names_ever(dir)?;
        let mut is_stopped = false;
        let each = &mut |listed: Listed<'_>| {
            let more = each(listed);
            is_stopped |= more == ListControl::Stop;
            more
        };
        list_names(&all.names, from, each, |name| {
            let at = all.names.binary_search_by(|known| known.as_slice().cmp(name));
            let at = at.or_else(|_| all.names.iter().position(|known| known == name).ok_or(()));
            let kinds = at.ok().and_then(|at| all.kinds.get(at)).copied().unwrap_or_default();
            self.entry(dir, name, kinds)
        })?;
        if is_stopped { Ok(()) } else { all.outcome }
    }
}

impl VirtualDir for VersionsDir {
    fn modified(&self, context: &Context) -> Answer<Timestamp> {
        Ok(context.lists.get(self.0.scope)?.modified)
    }

    fn find(&self, dir: &Dir<'_>, name: &[u8]) -> Answer<Entry> {
        let list = dir.snapshots(self.0.scope)?;
        let versions = self.0.versions(dir, &list)?;
        let found = versions.iter().find(|version| version.is_called(name));
        self.0.version(dir, &list, name, found.ok_or(VolumeError::NotFound)?)
    }

    fn list(&self, dir: &Dir<'_>, from: u64, each: &mut Each<'_>) -> Answer<()> {
        let versions = self.0.versions(dir, &*dir.snapshots(self.0.scope)?)?;
        let names: Vec<&Vec<u8>> = versions.iter().map(|version| &version.file).collect();
        list_names(&names, from, each, |name| self.find(dir, name))
    }
}

impl VirtualDir for StatesDir {
    fn modified(&self, context: &Context) -> Answer<Timestamp> {
        Ok(context.lists.get(self.0.scope)?.modified)
    }

    fn find(&self, dir: &Dir<'_>, name: &[u8]) -> Answer<Entry> {
        let list = dir.snapshots(self.0.scope)?;
        if self.0.path.is_empty() {
            let index = list.find(name).ok_or(VolumeError::NotFound)?;
            return dir.state(name, list.state_of(index)?, Lifetime::UntilLookup);
        }
        let versions = self.0.versions(dir, &list)?;
        let is_it = |version: &&NamedVersion| match version.kind() {
            Kind::Directory => version.label == name,
            _ => version.is_called(name),
        };
        let found = versions.iter().find(is_it).ok_or(VolumeError::NotFound)?;
        self.0.version(dir, &list, name, found)
    }

    fn list(&self, dir: &Dir<'_>, from: u64, each: &mut Each<'_>) -> Answer<()> {
        let list = dir.snapshots(self.0.scope)?;
        if self.0.path.is_empty() {
            let names: Vec<&Vec<u8>> = list.labels.iter().map(|label| &label.name).collect();
            return list_names(&names, from, each, |name| self.find(dir, name));
        }
        let versions = self.0.versions(dir, &list)?;
        let name = |version: &'_ NamedVersion| match version.kind() {
            Kind::Directory => version.label.clone(),
            _ => version.file.clone(),
        };
        let names: Vec<Vec<u8>> = versions.iter().map(name).collect();
        list_names(&names, from, each, |name| self.find(dir, name))
    }
}
