//! `versions`: path first, time second.
//!
//! A directory here has every name that it had in any snapshot. A name that ever was a directory is
//! one; any other is a directory too, of its versions, each named by the file and the first snapshot that
//! has it.
//! `@` in any directory, looked up and not listed, has the path's own states. A name of nothing but
//! `@` has one more here.

use std::sync::Arc;

use yore_engine::{DirHistory, Kinds, Seen, Version, descend, names, top_history, versions};
use yore_platform::{Entry, Kind, VolumeError};

use crate::history::cache::{Memo, Most, Weigh};
use crate::history::version_name::{bare_version_name, version_name};
use crate::inode::number::{NodeNo, PlaceNo, TreeNo};
use crate::inode::place::{Dir, Lasting};
use crate::inode::sharing::PathHash;
use crate::snapshot_list::list::Shown;
use crate::snapshot_list::scope::ScopeNo;
use crate::tree::attributes::{SOON, join, node_entry};
use crate::tree::listing::Each;
use crate::tree::node::{damaged, weigh_node};
use crate::tree::state_tree::State;
use crate::virtual_dir::dir::{Made, Path, list_names};
use crate::volume::SnapshotVolume;

/// The name under which a path's own states are.
const STATES: &[u8] = b"@";
/// The longest name that hosts can show.
const MAX_NAME: usize = 255;
/// How many paths are remembered, by what is remembered of each.
const HISTORIES: usize = 64;
const LISTS: usize = 16;

type Answer<T> = Result<T, VolumeError>;
type Key = (ScopeNo, Path);

/// What was worked out about paths.
pub(crate) struct Pasts {
    histories: Memo<Key, DirHistory>,
    names: Memo<Key, Names>,
    versions: Memo<Key, Vec<Named>>,
}

/// Every name that a directory had, as it is shown.
struct Names {
    names: Vec<Vec<u8>>,
    kinds: Vec<Kinds>,
    /// Whether some could not be read or shown.
    is_whole: Result<(), VolumeError>,
}

/// A version, by the names that it can have.
pub(crate) struct Named {
    /// That of its first snapshot.
    label: Vec<u8>,
    /// That of the file, with the one before.
    file: Vec<u8>,
    /// A name that is found and not listed.
    bare: Vec<u8>,
    version: Version,
    seen: Seen,
}

impl Weigh for DirHistory {
    fn weigh(&self) -> usize {
        self.memory()
    }
}

impl Weigh for Names {
    fn weigh(&self) -> usize {
        let names = self.names.iter().map(|name| size_of::<Vec<u8>>() + name.len());
        names.sum::<usize>() + self.kinds.len() * size_of::<Kinds>()
    }
}

impl Weigh for Vec<Named> {
    fn weigh(&self) -> usize {
        let names = |named: &Named| {
            let names = named.label.len() + named.file.len() + named.bare.len();
            names + size_of::<Named>()
        };
        self.iter().map(|named| names(named) + weigh_node(&named.seen.node)).sum()
    }
}

impl Pasts {
    pub(crate) fn new(most: Most) -> Self {
        let (histories, names) = (Memo::new(HISTORIES, most), Memo::new(LISTS, most));
        Self { histories, names, versions: Memo::new(HISTORIES, most) }
    }
}

/// The name of a directory's entry as it is shown.
pub(crate) fn escape(name: &[u8]) -> Vec<u8> {
    let is_states = name.iter().all(|byte| *byte == b'@');
    if is_states { [name, STATES].concat() } else { name.to_vec() }
}

/// The name of an entry that is shown so.
pub(crate) fn unescape(shown: &[u8]) -> &[u8] {
    let is_states = shown.iter().all(|byte| *byte == b'@');
    if is_states { &shown[1..] } else { shown }
}

/// Takes a path apart into its directory and its last name.
pub(crate) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (&[], path),
    }
}

/// The past of the directory at a path.
pub(crate) fn history(
    volume: &SnapshotVolume,
    scope: ScopeNo,
    shown: &Shown,
    path: &[u8],
) -> Answer<Arc<DirHistory>> {
    let memo = &volume.pasts.histories;
    let known = |end: usize| memo.get(&(scope, Path::from(&path[..end])), shown.generation);
    if let Some(known) = known(path.len()) {
        return Ok(known);
    }
    // From the nearest directory above whose past is known, and on to what was backed up.
    let source = source_below(shown, path);
    let keep = |end: usize, history: DirHistory| {
        memo.keep((scope, Path::from(&source[..end])), shown.generation, history)
    };
    let mut ends: Vec<usize> =
        (1..=source.len()).filter(|end| matches!(source.get(*end), None | Some(b'/'))).collect();
    let above = ends.partition_point(|end| *end < path.len());
    let nearest = ends[..above].iter().rposition(|end| known(*end).is_some());
    let start = match nearest.and_then(|nearest| known(ends[nearest])) {
        Some(start) => start,
        None => known(0).unwrap_or_else(|| keep(0, top_history(&shown.list))),
    };
    ends.drain(..nearest.map_or(0, |nearest| nearest + 1));
    let names: Vec<&[u8]> = ends.iter().map(|end| split(&source[..*end]).1).collect();
    let below = descend(&volume.reader, &shown.list, &start, &names).map_err(damaged)?;
    let mut asked = start;
    for (end, history) in ends.into_iter().zip(below) {
        let history = keep(end, history);
        if end == path.len() {
            asked = history;
        }
    }
    Ok(asked)
}

/// A source of the newest snapshot at or below a path; the path where there is none. All snapshots have
/// other trees above what was backed up, and nothing else in them.
fn source_below<'a>(shown: &'a Shown, path: &'a [u8]) -> &'a [u8] {
    let sources = shown.list.last().map_or(&[][..], |newest| &newest.snapshot.sources);
    let is_below = |source: &&Vec<u8>| {
        let rest = source.strip_prefix(path);
        path.is_empty() || rest.is_some_and(|rest| rest.first() == Some(&b'/'))
    };
    sources.iter().find(is_below).map_or(path, Vec::as_slice)
}

fn names_of(volume: &SnapshotVolume, scope: ScopeNo, path: &Path) -> Answer<Arc<Names>> {
    let shown = volume.shown(scope)?;
    volume.pasts.names.get_or((scope, Arc::clone(path)), shown.generation, || {
        let history = history(volume, scope, &shown, path)?;
        let (found, outcome) = names(&volume.reader, &history);
        let mut all = Names {
            names: Vec::with_capacity(found.len()),
            kinds: Vec::with_capacity(found.len()),
            is_whole: outcome.map_err(damaged),
        };
        for (name, kinds) in found {
            let name = escape(&name);
            if name.len() > MAX_NAME {
                all.is_whole = Err(VolumeError::Damaged);
                continue;
            }
            all.names.push(name);
            all.kinds.push(kinds);
        }
        Ok(all)
    })
}

/// Finds a name in a directory of `versions`.
pub(crate) fn find(
    volume: &SnapshotVolume,
    place: PlaceNo,
    scope: ScopeNo,
    path: &Path,
    name: &[u8],
) -> Answer<Entry> {
    if name.len() > MAX_NAME {
        return Err(VolumeError::NameTooLong);
    }
    if name == STATES {
        let states = Made::States(scope, Arc::clone(path));
        return volume.entry_of(volume.tables.place_named(place, name, states));
    }
    let shown = volume.shown(scope)?;
    let below = Path::from(join(path, unescape(name)));
    let directory = !history(volume, scope, &shown, &below)?.states.is_empty();
    let other = !directory && !versions_of(volume, scope, &below)?.is_empty();
    let kinds = Kinds { directory, other };
    entry(volume, place, scope, (name, below), kinds)
}

fn entry(
    volume: &SnapshotVolume,
    place: PlaceNo,
    scope: ScopeNo,
    (name, below): (&[u8], Path),
    kinds: Kinds,
) -> Answer<Entry> {
    let made = match (kinds.directory, kinds.other) {
        (true, _) => Made::Past(scope, below),
        (false, true) => Made::Versions(scope, below),
        (false, false) => return Err(VolumeError::NotFound),
    };
    volume.entry_of(volume.tables.place_named(place, name, made))
}

/// Lists a directory of `versions`.
///
/// # Errors
/// Damaged, after everything that can be shown, when there is more.
pub(crate) fn list(
    volume: &SnapshotVolume,
    place: PlaceNo,
    scope: ScopeNo,
    path: &Path,
    from: u64,
    each: &mut Each<'_>,
) -> Answer<()> {
    let names = names_of(volume, scope, path)?;
    let mut stopped = false;
    let each = &mut |listed: yore_platform::Listed<'_>| {
        let more = each(listed);
        stopped |= more == yore_platform::More::Stop;
        more
    };
    list_names(&names.names, from, each, |name| {
        let at = names.names.binary_search_by(|known| known.as_slice().cmp(name));
        let at = at.or_else(|_| names.names.iter().position(|known| known == name).ok_or(()));
        let kinds = at.ok().and_then(|at| names.kinds.get(at)).copied().unwrap_or_default();
        entry(volume, place, scope, (name, Path::from(join(path, unescape(name)))), kinds)
    })?;
    if stopped { Ok(()) } else { names.is_whole }
}

/// The versions of a path, without those in which it was gone.
pub(crate) fn versions_of(
    volume: &SnapshotVolume,
    scope: ScopeNo,
    path: &Path,
) -> Answer<Arc<Vec<Named>>> {
    let shown = volume.shown(scope)?;
    volume.pasts.versions.get_or((scope, Arc::clone(path)), shown.generation, || {
        let (folder, name) = split(path);
        let dir = history(volume, scope, &shown, folder)?;
        let found = versions(&volume.reader, &shown.list, &dir, name).map_err(damaged)?;
        let named = |mut version: Version| {
            let seen = version.what.take()?;
            let (label, _) = shown.labels.get(version.first)?;
            let file = version_name(name, label);
            let bare = bare_version_name(name, label);
            Some(Named { label: label.clone(), file, bare, version, seen })
        };
        Ok(found.into_iter().filter_map(named).collect())
    })
}

/// Finds a version by its name.
pub(crate) fn find_version(
    volume: &SnapshotVolume,
    scope: ScopeNo,
    path: &Path,
    name: &[u8],
) -> Answer<Entry> {
    let versions = versions_of(volume, scope, path)?;
    let found = versions.iter().find(|named| named.is_called(name));
    let found = found.ok_or(VolumeError::NotFound)?;
    node_of_version(volume, scope, found)
}

/// Lists the versions of what never was a directory.
pub(crate) fn list_versions(
    volume: &SnapshotVolume,
    scope: ScopeNo,
    path: &Path,
    from: u64,
    each: &mut Each<'_>,
) -> Answer<()> {
    let names: Vec<Vec<u8>> =
        versions_of(volume, scope, path)?.iter().map(|named| named.file.clone()).collect();
    list_names(&names, from, each, |name| find_version(volume, scope, path, name))
}

fn node_of_version(volume: &SnapshotVolume, scope: ScopeNo, named: &Named) -> Answer<Entry> {
    let shown = volume.shown(scope)?;
    let (_, origin) = shown.labels.get(named.version.first).ok_or(VolumeError::Stale)?;
    let tree = volume.tables.tree_of_blob(named.seen.tree, *origin)?;
    Ok(node_entry(
        &volume.presentation,
        number(volume, tree, named.seen.position)?,
        &named.seen.node,
        SOON,
    ))
}

/// The number that snapshots show a node by.
pub(crate) fn number(
    volume: &SnapshotVolume,
    tree: TreeNo,
    position: usize,
) -> Answer<yore_platform::Ino> {
    let shared = volume.tables.known_number(tree, position);
    let number = shared.or_else(|| NodeNo::new(tree, position)).ok_or(VolumeError::Damaged)?;
    Ok(number.ino())
}

/// Finds a state of a path.
pub(crate) fn find_state(
    volume: &SnapshotVolume,
    place: PlaceNo,
    scope: ScopeNo,
    path: &Path,
    name: &[u8],
) -> Answer<Entry> {
    let shown = volume.shown(scope)?;
    if path.is_empty() {
        let number = shown.find(name).ok_or(VolumeError::NotFound)?;
        let state = state_of(&shown, number)?;
        let place = volume.tables.place_state(place, name, (&state, Lasting::Soon));
        return volume.entry_of(place);
    }
    let versions = versions_of(volume, scope, path)?;
    let is_it = |named: &&Named| match named.seen.node.kind {
        Kind::Directory => named.label == name,
        _ => named.is_called(name),
    };
    let found = versions.iter().find(is_it).ok_or(VolumeError::NotFound)?;
    if found.seen.node.kind != Kind::Directory {
        return node_of_version(volume, scope, found);
    }
    directory(volume, place, &shown, path, (name, found.version.first), &found.seen)
}

/// Lists the states of a path.
pub(crate) fn list_states(
    volume: &SnapshotVolume,
    place: PlaceNo,
    scope: ScopeNo,
    path: &Path,
    from: u64,
    each: &mut Each<'_>,
) -> Answer<()> {
    let name = |named: &Named| match named.seen.node.kind {
        Kind::Directory => named.label.clone(),
        _ => named.file.clone(),
    };
    let names: Vec<Vec<u8>> = match path.is_empty() {
        true => volume.shown(scope)?.labels.iter().map(|(label, _)| label.clone()).collect(),
        false => versions_of(volume, scope, path)?.iter().map(name).collect(),
    };
    list_names(&names, from, each, |name| find_state(volume, place, scope, path, name))
}

/// The state of one snapshot.
pub(crate) fn state_of(shown: &Shown, number: usize) -> Answer<Arc<State>> {
    let (label, _) = shown.labels.get(number).ok_or(VolumeError::Stale)?;
    let (state, _) = shown.names.get(label).ok_or(VolumeError::Stale)?;
    Ok(Arc::clone(state))
}

/// A directory as one snapshot has it, under a name of a made one.
pub(crate) fn directory(
    volume: &SnapshotVolume,
    place: PlaceNo,
    shown: &Shown,
    path: &[u8],
    (name, snapshot): (&[u8], usize),
    seen: &Seen,
) -> Answer<Entry> {
    let (_, origin) = *shown.labels.get(snapshot).ok_or(VolumeError::Stale)?;
    let state = state_of(shown, snapshot)?;
    let tree = seen.node.subtree.map(|id| volume.tables.tree_of_blob(id, origin)).transpose()?;
    let holder = volume.tables.tree_of_blob(seen.tree, origin)?;
    let position = u32::try_from(seen.position).map_err(|_| VolumeError::Damaged)?;
    let hash = path.split(|byte| *byte == b'/').fold(PathHash::TOP, PathHash::child);
    let dir = Dir { state, origin: Some(origin), tree, node: (holder, position) };
    let place = volume.tables.place_of_tree(place, name, (dir, hash));
    Ok(node_entry(&volume.presentation, place.ino(), &seen.node, SOON))
}

impl Named {
    /// Reports whether the version of a file is found by a name.
    fn is_called(&self, name: &[u8]) -> bool {
        self.file == name || self.bare == name
    }

    /// The name of the version of a file.
    pub(crate) fn file(&self) -> &[u8] {
        &self.file
    }

    /// The name of the state of a directory.
    pub(crate) fn label(&self) -> &[u8] {
        &self.label
    }

    /// What it is.
    pub(crate) fn kind(&self) -> Kind {
        self.seen.node.kind
    }

    /// The last snapshot that has it.
    pub(crate) fn last(&self) -> usize {
        self.version.last
    }
}
