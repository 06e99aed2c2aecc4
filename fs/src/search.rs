//! `search`: every path whose name fits, as links into `versions`. Looked up, never listed.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use sha2::{Digest, Sha256};
use yore_engine::{Catalog, Hit, Pattern, Query, SnapshotId, Unobserved, encode_hex};
use yore_platform::{Entry, Kind, VolumeError};

use crate::listing::Each;
use crate::made::{Made, Path, list_names};
use crate::memo::Memo;
use crate::node::damaged;
use crate::number::PlaceNo;
use crate::past::{escape, extension, split, versions_of};
use crate::scope::ScopeNo;
use crate::volume::SnapshotVolume;

/// What stands for `/` in the names of links.
const SLASH: &str = "\u{2215}";
const MAX_NAME: usize = 255;
/// Searches that are remembered.
const SEARCHES: usize = 16;
/// Digits of the digest that tells apart what would have the same name.
const DIGITS: usize = 16;

type Answer<T> = Result<T, VolumeError>;

/// What was found.
pub(crate) struct Searches {
    catalog: OnceLock<Option<Catalog>>,
    found: Memo<(ScopeNo, Path), Found>,
}

/// The hits of a search, by the names of their links.
struct Found {
    names: Vec<Vec<u8>>,
    hits: HashMap<Vec<u8>, Hit>,
    /// Whether everything could be searched.
    is_whole: Answer<()>,
}

impl Searches {
    pub(crate) fn new() -> Self {
        Self { catalog: OnceLock::new(), found: Memo::new(SEARCHES) }
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
        let searched = catalog.find(source, &Query::names(pattern), &counts, &Unobserved);
        let (hits, problems) = searched.map_err(damaged)?;
        let mut found = Found { names: Vec::new(), hits: HashMap::new(), is_whole: Ok(()) };
        if !problems.is_empty() {
            found.is_whole = Err(VolumeError::Damaged);
        }
        for hit in hits {
            let mut name = link_name(&hit.path);
            if found.hits.contains_key(&name) {
                name = with_digest(&hit.path, &name);
            }
            found.names.push(name.clone());
            found.hits.insert(name, hit);
        }
        Ok(found)
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
    place: PlaceNo,
    scope: ScopeNo,
    text: &Path,
    name: &[u8],
) -> Answer<Entry> {
    let found = found(volume, scope, text)?;
    let hit = found.hits.get(name).ok_or(VolumeError::NotFound)?;
    let made = || Made::Pointer(scope, Arc::new(hit.clone()));
    volume.entry_of(volume.tables.place_named(place, name, made)?)
}

/// Where the newest version is, seen from the results. Worked out when a link is followed: a thousand
/// links are listed without looking into a thousand pasts.
pub(crate) fn target(volume: &SnapshotVolume, scope: ScopeNo, hit: &Hit) -> Answer<Vec<u8>> {
    let names = hit.path.split(|byte| *byte == b'/').map(escape);
    let path = names.collect::<Vec<_>>().join(&b'/');
    let versions = versions_of(volume, scope, &Path::from(hit.path.as_slice()))?;
    let newest = versions.iter().max_by_key(|named| named.last()).ok_or(VolumeError::NotFound)?;
    let ever_directory = versions.iter().any(|named| named.kind() == Kind::Directory);
    let states: &[u8] = if ever_directory { b"/@/" } else { b"/" };
    let last = if hit.kind == Kind::Directory { newest.label() } else { newest.file() };
    Ok([b"../../versions/", path.as_slice(), states, last].concat())
}

/// Lists the results of a pattern.
///
/// # Errors
/// Damaged, after everything that was found, when something could not be searched.
pub(crate) fn list(
    volume: &SnapshotVolume,
    place: PlaceNo,
    scope: ScopeNo,
    text: &Path,
    from: u64,
    each: &mut Each<'_>,
) -> Answer<()> {
    let found = found(volume, scope, text)?;
    let mut stopped = false;
    let each = &mut |listed: yore_platform::Listed<'_>| {
        let more = each(listed);
        stopped |= more == yore_platform::More::Stop;
        more
    };
    list_names(&found.names, from, each, |name| find(volume, place, scope, text, name))?;
    if stopped { Ok(()) } else { found.is_whole }
}

#[cfg(test)]
mod tests {
    use super::*;

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
