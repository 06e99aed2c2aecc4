//! `search`: every path whose name fits, as links into `versions`. Looked up, never listed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use yore_engine::{Catalog, Pattern, Query, SnapshotId, Unobserved};
use yore_platform::{Entry, Kind, Listed, More, Timestamp, VolumeError};

use crate::history::cache::{Memo, Most, Weigh};
use crate::inode::number::{FoundNo, PlaceNo, link_ino};
use crate::snapshot_list::scope::ScopeNo;
use crate::tree::attributes::{SOON, link_entry};
use crate::tree::listing::Each;
use crate::tree::node::damaged;
use crate::virtual_dir::dir::{Made, Path};
use crate::virtual_dir::versions::{escape, versions_of};
use crate::volume::SnapshotVolume;

use self::links::{Links, Paths};

mod links;

/// Searches that are remembered.
const SEARCHES: usize = 16;

type Answer<T> = Result<T, VolumeError>;

/// What was found.
pub(crate) struct Searches {
    catalog: OnceLock<Option<Catalog>>,
    found: Memo<(ScopeNo, Path), Found>,
    /// Guards what links were numbered, by its number. Who follows a link of what is not remembered any
    /// more is told to look it up again.
    numbered: Mutex<Numbered>,
}

/// Searches by their numbers.
#[derive(Default)]
struct Numbered {
    found: HashMap<FoundNo, Weak<Found>>,
    next: u64,
}

/// The links of one search, which are numbered by their positions.
struct Found {
    scope: ScopeNo,
    number: OnceLock<FoundNo>,
    modified: Timestamp,
    links: Links,
    /// Whether everything could be searched.
    is_whole: Answer<()>,
}

impl Weigh for Found {
    fn weigh(&self) -> usize {
        self.links.weigh()
    }
}

impl Searches {
    pub(crate) fn new(most: Most) -> Self {
        let found = Memo::new(SEARCHES, most);
        Self { catalog: OnceLock::new(), found, numbered: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Numbered> {
        self.numbered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn number(&self, found: &Arc<Found>) -> FoundNo {
        *found.number.get_or_init(|| {
            let mut numbered = self.lock();
            numbered.found.retain(|_, found| found.strong_count() > 0);
            let number = FoundNo(numbered.next);
            numbered.next += 1;
            numbered.found.insert(number, Arc::downgrade(found));
            number
        })
    }

    fn numbered(&self, number: FoundNo) -> Answer<Arc<Found>> {
        let found = self.lock().found.get(&number).and_then(Weak::upgrade);
        found.ok_or(VolumeError::Stale)
    }
}

fn found(volume: &SnapshotVolume, scope: ScopeNo, text: &Path) -> Answer<Arc<Found>> {
    let shown = volume.shown(scope)?;
    let generation = shown.generation;
    volume.searches.found.get_or((scope, Arc::clone(text)), generation, || {
        let text = std::str::from_utf8(text).map_err(|_| VolumeError::NotFound)?;
        let pattern = Pattern::parse(text).map_err(|_| VolumeError::NotFound)?;
        let catalog =
            volume.searches.catalog.get_or_init(|| Catalog::open(&volume.repository).ok());
        let catalog = catalog.as_ref().ok_or(VolumeError::Damaged)?;
        let places: HashMap<SnapshotId, usize> =
            shown.list.iter().enumerate().map(|(number, entry)| (entry.id, number)).collect();
        let counts = |id: &SnapshotId| places.get(id).copied();
        let all = volume.all_snapshots();
        let source = (&*volume.reader, all.as_slice());
        let add = |paths: &mut Paths, hit: yore_engine::Hit| paths.add(&hit.path);
        let query = Query::names(pattern);
        let searched = catalog.collect(source, &query, &counts, &Unobserved, add);
        let (paths, problems) = searched.map_err(damaged)?;
        let is_whole = match problems.is_empty() && !paths.overflowed {
            true => Ok(()),
            false => Err(VolumeError::Damaged),
        };
        let (number, modified, links) = (OnceLock::new(), shown.modified, Links::new(paths));
        Ok(Found { scope, number, modified, links, is_whole })
    })
}

/// Finds the results of a pattern.
pub(crate) fn find_results(
    volume: &SnapshotVolume,
    place: PlaceNo,
    scope: ScopeNo,
    name: &[u8],
) -> Answer<Entry> {
    let text = Path::from(name);
    let readable = std::str::from_utf8(name).map_err(|_| VolumeError::NotFound)?;
    Pattern::parse(readable).map_err(|_| VolumeError::NotFound)?;
    volume.entry_of(volume.tables.place_named(place, name, Made::Results(scope, text)))
}

/// Finds a link among the results of a pattern.
pub(crate) fn find(
    volume: &SnapshotVolume,
    scope: ScopeNo,
    text: &Path,
    name: &[u8],
) -> Answer<Entry> {
    let found = found(volume, scope, text)?;
    let at = found.links.find(name).ok_or(VolumeError::NotFound)?;
    entry_at(volume, &found, at)
}

/// The entry of a link, with the length of its text.
fn entry_at(volume: &SnapshotVolume, found: &Arc<Found>, at: usize) -> Answer<Entry> {
    let length = target_at(volume, found, at)?.len() as u64;
    let ino = link_ino(volume.searches.number(found), at).ok_or(VolumeError::Damaged)?;
    Ok(link_entry(&volume.presentation, ino, (found.modified, length), SOON))
}

/// The entry of a link in a listing, which must not be kept: its length is found when somebody asks, so that
/// a thousand links are listed without looking into a thousand pasts.
fn listed_at(volume: &SnapshotVolume, found: &Arc<Found>, at: usize) -> Answer<Entry> {
    let ino = link_ino(volume.searches.number(found), at).ok_or(VolumeError::Damaged)?;
    Ok(link_entry(&volume.presentation, ino, (found.modified, 0), Duration::ZERO))
}

/// The entry of a link that was numbered.
pub(crate) fn entry(volume: &SnapshotVolume, number: FoundNo, at: u32) -> Answer<Entry> {
    entry_at(volume, &volume.searches.numbered(number)?, at as usize)
}

/// Where the newest version is, seen from the results.
pub(crate) fn target(volume: &SnapshotVolume, number: FoundNo, at: u32) -> Answer<Vec<u8>> {
    let found = volume.searches.numbered(number)?;
    target_at(volume, &found, at as usize)
}

fn target_at(volume: &SnapshotVolume, found: &Found, at: usize) -> Answer<Vec<u8>> {
    let path = found.links.path(at).ok_or(VolumeError::Stale)?;
    let versions = versions_of(volume, found.scope, &Path::from(path))?;
    let newest = versions.iter().max_by_key(|named| named.last()).ok_or(VolumeError::NotFound)?;
    let ever_directory = versions.iter().any(|named| named.kind() == Kind::Directory);
    let states: &[u8] = if ever_directory { b"/@/" } else { b"/" };
    let last = if newest.kind() == Kind::Directory { newest.label() } else { newest.file() };
    let shown = path.split(|byte| *byte == b'/').map(escape).collect::<Vec<_>>().join(&b'/');
    Ok([b"../../versions/", shown.as_slice(), states, last].concat())
}

/// Lists the results of a pattern.
///
/// # Errors
/// Damaged, after everything that was found, when something could not be searched.
pub(crate) fn list(
    volume: &SnapshotVolume,
    scope: ScopeNo,
    text: &Path,
    from: u64,
    each: &mut Each<'_>,
) -> Answer<()> {
    let found = found(volume, scope, text)?;
    let from = usize::try_from(from).unwrap_or(usize::MAX);
    for (at, next) in (from..).zip(from as u64 + 1..) {
        let Some(name) = found.links.name(at) else { break };
        let entry = listed_at(volume, &found, at)?;
        if each(Listed { name: &name, next, entry }) == More::Stop {
            return Ok(());
        }
    }
    found.is_whole
}
