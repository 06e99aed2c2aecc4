//! `search`: every path whose name fits, as links into `versions`. Patterns are looked up, never listed.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use yore_engine::Unobserved;
use yore_engine::format::SnapshotId;
use yore_engine::history::{Catalog, Pattern, Query};
use yore_platform::{Entry, Kind, ListControl, Listed, Timestamp, VolumeError};

use crate::error::{Answer, damaged};
use crate::history::cache::{Cache, CacheLimit, MemorySize};
use crate::history::version_name::escape;
use crate::inode::number::{PlaceNo, SearchNo, link_ino};
use crate::path::Path;
use crate::snapshot_list::list::SnapshotList;
use crate::snapshot_list::scope::ScopeNo;
use crate::tree::listing::Each;
use crate::virtual_dir::dir::{Context, Dir, Folder, Links, VirtualDir};

use self::links::{PathLinks, Paths};

mod links;

/// Searches that are remembered.
const SEARCHES: usize = 16;

/// The searches that were made last.
struct Searches {
    /// Opened by the first search; `None` where there can be none.
    catalog: OnceLock<Option<Catalog>>,
    results: Cache<(ScopeNo, Path), SearchResult>,
}

pub(crate) struct Search {
    searches: Arc<Searches>,
}

impl Search {
    pub(crate) fn new(limit: CacheLimit) -> Self {
        let results = Cache::new(SEARCHES, limit);
        Self { searches: Arc::new(Searches { catalog: OnceLock::new(), results }) }
    }
}

impl Folder for Search {
    fn name(&self) -> &'static [u8] {
        b"search"
    }

    fn place(&self, top: &Dir<'_>, list: &SnapshotList) -> PlaceNo {
        let (scope, searches) = (list.scope, Arc::clone(&self.searches));
        top.place(self.name(), SearchDir { scope, searches })
    }
}

/// `search` itself.
struct SearchDir {
    scope: ScopeNo,
    searches: Arc<Searches>,
}

impl PartialEq for SearchDir {
    fn eq(&self, other: &Self) -> bool {
        self.scope == other.scope
    }
}

impl VirtualDir for SearchDir {
    fn modified(&self, context: &Context) -> Answer<Timestamp> {
        Ok(context.lists.get(self.scope)?.modified)
    }

    fn find(&self, dir: &Dir<'_>, name: &[u8]) -> Answer<Entry> {
        parse(name)?;
        let (pattern, searches) = (Path::from(name), Arc::clone(&self.searches));
        dir.enter(name, ResultsDir { scope: self.scope, pattern, searches })
    }

    fn list(&self, _dir: &Dir<'_>, _from: u64, _each: &mut Each<'_>) -> Answer<()> {
        Ok(())
    }
}

fn parse(pattern: &[u8]) -> Answer<Pattern> {
    let text = std::str::from_utf8(pattern).map_err(|_| VolumeError::NotFound)?;
    Pattern::parse(text).map_err(|_| VolumeError::NotFound)
}

/// The results for a pattern.
struct ResultsDir {
    scope: ScopeNo,
    pattern: Path,
    searches: Arc<Searches>,
}

impl PartialEq for ResultsDir {
    fn eq(&self, other: &Self) -> bool {
        (self.scope, &self.pattern) == (other.scope, &other.pattern)
    }
}

impl VirtualDir for ResultsDir {
    fn modified(&self, context: &Context) -> Answer<Timestamp> {
        Ok(context.lists.get(self.scope)?.modified)
    }

    fn find(&self, dir: &Dir<'_>, name: &[u8]) -> Answer<Entry> {
        let result = self.result(dir.context)?;
        result.entry(dir.context, result.links.find(name).ok_or(VolumeError::NotFound)?)
    }

    /// # Errors
    /// Damaged, after everything that was found, when something could not be searched.
    fn list(&self, dir: &Dir<'_>, from: u64, each: &mut Each<'_>) -> Answer<()> {
        let result = self.result(dir.context)?;
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        for (position, next) in (from..).zip(from as u64 + 1..) {
            let Some(name) = result.links.name(position) else { break };
            let entry = result.listed(dir.context, position)?;
            if each(Listed { name: &name, next, entry }) == ListControl::Stop {
                return Ok(());
            }
        }
        result.outcome
    }
}

impl ResultsDir {
    fn result(&self, context: &Context) -> Answer<Arc<SearchResult>> {
        let list = context.lists.get(self.scope)?;
        let key = (self.scope, Arc::clone(&self.pattern));
        let result = self.searches.results.get_or(key, list.generation, || {
            let pattern = parse(&self.pattern)?;
            let catalog =
                self.searches.catalog.get_or_init(|| Catalog::open(&context.repository).ok());
            search(context, catalog.as_ref().ok_or(VolumeError::Damaged)?, &list, pattern)
        })?;
        result.number.get_or_init(|| {
            let links: Weak<dyn Links> = Arc::downgrade(&result) as Weak<dyn Links>;
            context.links.add(links)
        });
        Ok(result)
    }
}

fn search(
    context: &Context,
    catalog: &Catalog,
    list: &SnapshotList,
    pattern: Pattern,
) -> Answer<SearchResult> {
    let numbers: HashMap<SnapshotId, usize> =
        list.snapshots.iter().enumerate().map(|(number, entry)| (entry.id, number)).collect();
    let counts = |id: &SnapshotId| numbers.get(id).copied();
    let all = context.lists.all_snapshots();
    let source = (&*context.core.reader, all.as_slice());
    let add = |paths: &mut Paths, hit: yore_engine::history::Hit| paths.add(&hit.path);
    let query = Query::names(pattern);
    let searched = catalog.collect(source, &query, &counts, &Unobserved, add);
    let (paths, problems) = searched.map_err(damaged)?;
    let outcome = match problems.is_empty() && !paths.overflowed {
        true => Ok(()),
        false => Err(VolumeError::Damaged),
    };
    Ok(SearchResult {
        scope: list.scope,
        number: OnceLock::new(),
        modified: list.modified,
        links: PathLinks::new(paths),
        outcome,
    })
}

/// The links of one search, which are numbered by their positions.
struct SearchResult {
    scope: ScopeNo,
    number: OnceLock<SearchNo>,
    modified: Timestamp,
    links: PathLinks,
    /// An error when something could not be searched.
    outcome: Answer<()>,
}

impl MemorySize for SearchResult {
    fn memory_size(&self) -> usize {
        self.links.memory_size()
    }
}

impl SearchResult {
    /// Returns the entry of a link in a listing, which must not be kept: its length is found by `attr`,
    /// so that a thousand links are listed without reading a thousand histories.
    fn listed(&self, context: &Context, position: usize) -> Answer<Entry> {
        let entry = self.sized(context, position, 0)?;
        Ok(Entry { ttl: Duration::ZERO, ..entry })
    }

    fn sized(&self, context: &Context, position: usize, length: u64) -> Answer<Entry> {
        let number = *self.number.get().ok_or(VolumeError::Stale)?;
        let ino = link_ino(number, position).ok_or(VolumeError::Damaged)?;
        Ok(context.core.presentation.link(ino, self.modified, length))
    }
}

impl Links for SearchResult {
    /// Returns the entry of a link, with the length of its text.
    fn entry(&self, context: &Context, position: usize) -> Answer<Entry> {
        let length = self.target(context, position)?.len() as u64;
        self.sized(context, position, length)
    }

    /// Returns the path from the results to the newest version.
    fn target(&self, context: &Context, position: usize) -> Answer<Vec<u8>> {
        let path = self.links.path(position).ok_or(VolumeError::Stale)?;
        let list = context.lists.get(self.scope)?;
        let versions = context.histories.versions(&context.core, &list, &Path::from(path))?;
        let newest = versions.iter().max_by_key(|version| version.last());
        let newest = newest.ok_or(VolumeError::NotFound)?;
        let ever_directory = versions.iter().any(|version| version.kind() == Kind::Directory);
        let states: &[u8] = if ever_directory { b"/@/" } else { b"/" };
        let last = if newest.kind() == Kind::Directory { &newest.label } else { &newest.file };
        let shown = path.split(|byte| *byte == b'/').map(escape).collect::<Vec<_>>().join(&b'/');
        Ok([b"../../versions/", shown.as_slice(), states, last].concat())
    }
}
