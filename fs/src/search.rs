//! `search`: every path whose name fits, as links into `versions`. Looked up, never listed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use sha2::{Digest, Sha256};
use yore_engine::{Catalog, Pattern, Query, SnapshotId, Unobserved, encode_hex};
use yore_platform::{Entry, Kind, Listed, More, Timestamp, VolumeError};

use crate::attributes::link_entry;
use crate::listing::Each;
use crate::made::{Made, Path};
use crate::memo::Memo;
use crate::node::damaged;
use crate::number::{FoundNo, PlaceNo, link_ino};
use crate::past::{escape, extension, split, versions_of};
use crate::scope::ScopeNo;
use crate::volume::SnapshotVolume;

/// What stands for `/` in the names of links.
const SLASH: &str = "\u{2215}";
const MAX_NAME: usize = 255;
/// Searches that are remembered, and the most bytes of all but the last.
const SEARCHES: usize = 16;
const FOUND: usize = 16 << 20;
/// Digits of the digest that tells apart what would have the same name.
const DIGITS: usize = 16;

type Answer<T> = Result<T, VolumeError>;

/// What was found.
pub(crate) struct Searches {
    catalog: OnceLock<Option<Catalog>>,
    found: Memo<(ScopeNo, Path), Found>,
    /// Guards what links were numbered, by its number. Who follows a link of what is not remembered any
    /// more is told to look it up again.
    numbered: Mutex<Vec<Weak<Found>>>,
}

/// The paths that a search found. Many: of each there is nothing here but its bytes, and links are numbered
/// by their positions.
struct Found {
    scope: ScopeNo,
    number: OnceLock<FoundNo>,
    modified: Timestamp,
    paths: Paths,
    /// The links that are not named by their paths alone: by position, and the positions by name.
    names: HashMap<usize, Vec<u8>>,
    named: HashMap<Vec<u8>, usize>,
    /// Whether everything could be searched.
    is_whole: Answer<()>,
}

/// Paths, in order.
#[derive(Default)]
struct Paths {
    bytes: Vec<u8>,
    /// Where in the bytes each begins and ends.
    places: Vec<(u32, u32)>,
    /// Whether there were more than that can tell.
    overflowed: bool,
}

impl Paths {
    fn add(&mut self, path: &[u8]) {
        let end = |len: usize| u32::try_from(len).ok();
        match (end(self.bytes.len()), end(self.bytes.len() + path.len())) {
            (Some(start), Some(end)) => {
                self.bytes.extend_from_slice(path);
                self.places.push((start, end));
            }
            _ => self.overflowed = true,
        }
    }

    fn sort(&mut self) {
        let Self { bytes, places, .. } = self;
        places.sort_unstable_by_key(|(start, end)| &bytes[*start as usize..*end as usize]);
        bytes.shrink_to_fit();
        places.shrink_to_fit();
    }

    fn get(&self, at: usize) -> Option<&[u8]> {
        let (start, end) = self.places.get(at)?;
        self.bytes.get(*start as usize..*end as usize)
    }

    fn find(&self, path: &[u8]) -> Option<usize> {
        let path_at = |(start, end): &(u32, u32)| &self.bytes[*start as usize..*end as usize];
        self.places.binary_search_by(|place| path_at(place).cmp(path)).ok()
    }
}

impl Found {
    fn new(scope: ScopeNo, modified: Timestamp, mut paths: Paths, is_whole: Answer<()>) -> Self {
        paths.sort();
        let (mut names, mut named) = (HashMap::new(), HashMap::new());
        for (at, path) in (0..).map_while(|at| Some((at, paths.get(at)?))) {
            let mut name = link_name(path);
            if path_of(&name).as_deref() == Some(path) {
                continue;
            }
            let is_taken = path_of(&name).is_some_and(|path| paths.find(&path).is_some());
            if is_taken || named.contains_key(&name) {
                name = with_digest(path, &name);
            }
            names.insert(at, name.clone());
            named.insert(name, at);
        }
        Self { scope, number: OnceLock::new(), modified, paths, names, named, is_whole }
    }

    fn size(&self) -> usize {
        self.paths.bytes.len() + self.paths.places.len() * size_of::<(u32, u32)>()
    }

    fn name(&self, at: usize) -> Option<Vec<u8>> {
        self.names.get(&at).cloned().or_else(|| self.paths.get(at).map(link_name))
    }

    fn find(&self, name: &[u8]) -> Option<usize> {
        let by_path = || self.paths.find(&path_of(name)?);
        self.named.get(name).copied().or_else(by_path)
    }
}

/// The path that a link of this name leads to, if the name says it.
fn path_of(name: &[u8]) -> Option<Vec<u8>> {
    let mut path = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((first, after)) = rest.split_first() {
        match rest.strip_prefix(SLASH.as_bytes()) {
            Some(after) => {
                path.push(b'/');
                rest = after;
            }
            None => {
                path.push(*first);
                rest = after;
            }
        }
    }
    (name.len() <= MAX_NAME).then_some(path)
}

impl Searches {
    pub(crate) fn new() -> Self {
        let found = Memo::bounded(SEARCHES, FOUND, Found::size);
        Self { catalog: OnceLock::new(), found, numbered: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Weak<Found>>> {
        self.numbered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn number(&self, found: &Arc<Found>) -> FoundNo {
        *found.number.get_or_init(|| {
            let mut numbered = self.lock();
            numbered.push(Arc::downgrade(found));
            FoundNo(u32::try_from(numbered.len() - 1).unwrap_or(u32::MAX))
        })
    }

    fn numbered(&self, number: FoundNo) -> Answer<Arc<Found>> {
        let found = self.lock().get(number.0 as usize).and_then(Weak::upgrade);
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
            shown.list.iter().enumerate().map(|(number, (id, _))| (*id, number)).collect();
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
        Ok(Found::new(scope, shown.modified, paths, is_whole))
    })
}

/// The path as a name.
fn link_name(path: &[u8]) -> Vec<u8> {
    let parts: Vec<&[u8]> = path.split(|byte| *byte == b'/').collect();
    let name = parts.join(SLASH.as_bytes());
    if name.len() > MAX_NAME { with_digest(path, &name) } else { name }
}

/// A name with digits that depend on the path alone, before the extension.
fn with_digest(path: &[u8], name: &[u8]) -> Vec<u8> {
    let end = extension(split(path).1);
    let digits = &encode_hex(&Sha256::digest(path))[..DIGITS];
    let end: &[u8] = if end.len() > MAX_NAME / 2 { b"" } else { end };
    let room = MAX_NAME - end.len() - digits.len() - 1;
    let mut kept = name.strip_suffix(end).unwrap_or(name);
    kept = &kept[..kept.len().min(room)];
    // Not in the middle of a letter.
    let valid = kept.utf8_chunks().last().map_or(0, |last| match last.invalid().len() {
        1..=3 if name.len() > room => last.invalid().len(),
        _ => 0,
    });
    [&kept[..kept.len() - valid], b"~", digits.as_bytes(), end].concat()
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
    let made = || Made::Results(scope, text);
    volume.entry_of(volume.tables.place_named(place, name, made)?)
}

/// Finds a link among the results of a pattern.
pub(crate) fn find(
    volume: &SnapshotVolume,
    scope: ScopeNo,
    text: &Path,
    name: &[u8],
) -> Answer<Entry> {
    let found = found(volume, scope, text)?;
    let at = found.find(name).ok_or(VolumeError::NotFound)?;
    entry_at(volume, &found, at)
}

fn entry_at(volume: &SnapshotVolume, found: &Arc<Found>, at: usize) -> Answer<Entry> {
    let ino = link_ino(volume.searches.number(found), at).ok_or(VolumeError::Damaged)?;
    Ok(link_entry(&volume.presentation, ino, found.modified))
}

/// The entry of a link that was numbered.
pub(crate) fn entry(volume: &SnapshotVolume, number: FoundNo, at: u32) -> Answer<Entry> {
    entry_at(volume, &volume.searches.numbered(number)?, at as usize)
}

/// Where the newest version is, seen from the results. Worked out when a link is followed: a thousand
/// links are listed without looking into a thousand pasts.
pub(crate) fn target(volume: &SnapshotVolume, number: FoundNo, at: u32) -> Answer<Vec<u8>> {
    let found = volume.searches.numbered(number)?;
    let path = found.paths.get(at as usize).ok_or(VolumeError::Stale)?;
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
        let Some(name) = found.name(at) else { break };
        let entry = entry_at(volume, &found, at)?;
        if each(Listed { name: &name, next, entry }) == More::Stop {
            return Ok(());
        }
    }
    found.is_whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_link_is_found_by_its_own_name() {
        let long = "x/".repeat(200);
        let paths = [
            "a/b",
            "a\u{2215}b",
            "a\u{2215}b/c",
            "a/b\u{2215}c",
            "c",
            "\u{2215}",
            &long,
            "b/\u{2215}d",
        ];
        let mut all = Paths::default();
        paths.iter().for_each(|path| all.add(path.as_bytes()));
        all.add(b"not \xff/UTF-8");
        let modified = Timestamp { seconds: 0, nanos: 0 };
        let found = Found::new(ScopeNo::WHOLE, modified, all, Ok(()));
        let mut names = std::collections::HashSet::new();
        for at in 0..=paths.len() {
            let name = found.name(at).expect("a name");
            assert!(name.len() <= MAX_NAME && !name.contains(&b'/'));
            assert_eq!(found.find(&name), Some(at), "{}", name.escape_ascii());
            assert!(names.insert(name));
        }
        assert_eq!(found.name(paths.len() + 1), None);
        assert_eq!(found.find(b"d"), None);
        assert!(names.contains("a\u{2215}b".as_bytes()), "the plain path has the plain name");
    }

    #[test]
    fn names_of_links_are_short_and_differ() {
        assert_eq!(link_name(b"home/a.odt"), "home∕a.odt".as_bytes());
        let long = |last: char| format!("{}/{}{last}.odt", "ä".repeat(100), "ö".repeat(100));
        let (one, other) = (link_name(long('x').as_bytes()), link_name(long('y').as_bytes()));
        for name in [&one, &other] {
            assert!(name.len() <= MAX_NAME && name.ends_with(b".odt"));
            assert!(std::str::from_utf8(name).is_ok());
        }
        assert_ne!(one, other);
    }
}
