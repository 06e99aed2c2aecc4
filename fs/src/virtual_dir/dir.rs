//! Directories that no backup has: what kinds there are, and who answers for each.

use std::sync::Arc;

use yore_engine::SeenNode;
use yore_platform::{Entry, Listed, More, VolumeError};

use crate::inode::number::PlaceNo;
use crate::inode::place::{Body, Lasting};
use crate::refresh;
use crate::snapshot_list::scope::{Scope, ScopeNo, file_name};
use crate::tree::attributes::{SOON, made_entry, node_entry};
use crate::tree::follow::current;
use crate::tree::listing::Each;
use crate::virtual_dir::changes::{self, Between, ChangeDir};
use crate::virtual_dir::deleted as gone;
use crate::virtual_dir::no_machine as undecided;
use crate::virtual_dir::versions as past;
use crate::virtual_dir::{at, label, search};
use crate::volume::SnapshotVolume;

pub(crate) const LATEST: &[u8] = b"latest";
pub(crate) const SNAPSHOTS: &[u8] = b"snapshots";
const AT: &[u8] = b"at";
const VERSIONS: &[u8] = b"versions";
const DELETED: &[u8] = b"deleted";
const CHANGES: &[u8] = b"changes";
const SEARCH: &[u8] = b"search";
const HOSTS: &[u8] = b"hosts";
const TAGS: &[u8] = b"tags";

/// What every scope has.
pub(crate) const OF_SCOPES: [&[u8]; 7] =
    [LATEST, SNAPSHOTS, AT, VERSIONS, DELETED, CHANGES, SEARCH];
/// What only the whole has besides.
const OF_THE_WHOLE: [&[u8]; 2] = [HOSTS, TAGS];

/// A path within states: components joined by `/`.
pub(crate) type Path = Arc<[u8]>;

/// Something that no backup has.
#[derive(Clone)]
pub(crate) enum Made {
    /// The top of a scope.
    Top(ScopeNo),
    /// Its snapshots and days.
    Snapshots(ScopeNo),
    /// Where states are looked up by time.
    At(ScopeNo),
    /// The machines.
    Hosts,
    /// The tags.
    Tags,
    /// A directory of `versions`.
    Past(ScopeNo, Path),
    /// The versions of what never was a directory.
    Versions(ScopeNo, Path),
    /// The states of a path, whatever it was.
    States(ScopeNo, Path),
    /// A directory of `deleted`.
    Gone(ScopeNo, Path),
    /// Where differences are looked up; those of neighbours are listed.
    ChangeList(ScopeNo),
    /// The differences between two states.
    Between(Arc<Between>),
    /// A directory of one kind of difference.
    Changed(Arc<ChangeDir>),
    /// Where names are searched.
    Search(ScopeNo),
    /// What was found for a pattern.
    Results(ScopeNo, Path),
    /// A folder of a scope in which no machine can be meant: it says so in a file.
    Undecided(ScopeNo),
    /// A node that stands in a directory put together by the drive.
    Held(Arc<SeenNode>),
}

type Answer<T> = Result<T, VolumeError>;

impl Made {
    /// Reports whether both are the same thing, so that a name that stood for one stands for the other.
    pub(crate) fn is(&self, other: &Made) -> bool {
        match (self, other) {
            (Made::Top(a), Made::Top(b))
            | (Made::Undecided(a), Made::Undecided(b))
            | (Made::Snapshots(a), Made::Snapshots(b))
            | (Made::At(a), Made::At(b))
            | (Made::ChangeList(a), Made::ChangeList(b))
            | (Made::Search(a), Made::Search(b)) => a == b,
            (Made::Past(a, path), Made::Past(b, other))
            | (Made::Versions(a, path), Made::Versions(b, other))
            | (Made::States(a, path), Made::States(b, other))
            | (Made::Gone(a, path), Made::Gone(b, other))
            | (Made::Results(a, path), Made::Results(b, other)) => a == b && path == other,
            (Made::Between(a), Made::Between(b)) => a.is(b),
            (Made::Changed(a), Made::Changed(b)) => a.is(b),
            (Made::Held(a), Made::Held(b)) => a.node == b.node,
            (Made::Hosts, Made::Hosts) | (Made::Tags, Made::Tags) => true,
            _ => false,
        }
    }

    /// Reports whether it is a file.
    pub(crate) fn is_file(&self) -> bool {
        matches!(self, Made::Held(_))
    }
}

/// The scope of which a place is the top.
pub(crate) fn scope_of(volume: &SnapshotVolume, top: PlaceNo) -> Answer<ScopeNo> {
    match current(volume, top)?.body {
        Body::Made(Made::Top(scope)) => Ok(scope),
        _ => Err(VolumeError::Stale),
    }
}

/// The place of a fixed name at the top of a scope.
pub(crate) fn fixed(volume: &SnapshotVolume, top: PlaceNo, name: &[u8]) -> Answer<PlaceNo> {
    let scope = scope_of(volume, top)?;
    if OF_SCOPES.contains(&name) && volume.shown(scope)?.undecided.is_some() {
        return Ok(undecided::folder(volume, top, scope, name));
    }
    place_of_fixed(volume, top, name)
}

/// The place of a fixed name whose scope shows a machine.
pub(crate) fn place_of_fixed(
    volume: &SnapshotVolume,
    top: PlaceNo,
    name: &[u8],
) -> Answer<PlaceNo> {
    let scope = scope_of(volume, top)?;
    let nowhere = || Path::from(&b""[..]);
    let made = match name {
        LATEST => {
            let shown = volume.shown(scope)?;
            let newest = shown.newest.as_ref().ok_or(VolumeError::NotFound)?;
            return Ok(volume.tables.place_state(top, LATEST, (newest, Lasting::Following)));
        }
        SNAPSHOTS => Made::Snapshots(scope),
        AT => Made::At(scope),
        VERSIONS => Made::Past(scope, nowhere()),
        DELETED => Made::Gone(scope, nowhere()),
        CHANGES => Made::ChangeList(scope),
        SEARCH => Made::Search(scope),
        HOSTS if scope == ScopeNo::WHOLE => Made::Hosts,
        TAGS if scope == ScopeNo::WHOLE => Made::Tags,
        _ if scope == ScopeNo::WHOLE => label_file(volume, name)?,
        _ => return Err(VolumeError::NotFound),
    };
    Ok(volume.tables.place_named(top, name, made))
}

/// A file about the drive itself.
fn label_file(volume: &SnapshotVolume, name: &[u8]) -> Answer<Made> {
    let label = volume.options.label.as_ref().ok_or(VolumeError::NotFound)?;
    let modified = volume.shown(ScopeNo::WHOLE)?.modified;
    label::file(label, name, modified).ok_or(VolumeError::NotFound)
}

/// The entry of a place that is made.
pub(crate) fn entry(volume: &SnapshotVolume, place: PlaceNo, made: &Made) -> Answer<Entry> {
    let presentation = &volume.presentation;
    let modified = match made {
        Made::Held(seen) => return Ok(node_entry(presentation, place.ino(), &seen.node, SOON)),
        Made::Between(between) => between.modified,
        Made::Changed(dir) => dir.between.modified,
        Made::Hosts | Made::Tags => volume.shown(ScopeNo::WHOLE)?.modified,
        Made::Top(scope)
        | Made::Snapshots(scope)
        | Made::At(scope)
        | Made::Past(scope, _)
        | Made::Versions(scope, _)
        | Made::States(scope, _)
        | Made::Gone(scope, _)
        | Made::Search(scope)
        | Made::Results(scope, _)
        | Made::Undecided(scope)
        | Made::ChangeList(scope) => volume.shown(*scope)?.modified,
    };
    Ok(made_entry(presentation, place.ino(), modified))
}

/// Finds a name in a place that is made.
pub(crate) fn find(
    volume: &SnapshotVolume,
    place: PlaceNo,
    made: &Made,
    name: &[u8],
) -> Answer<Entry> {
    refresh::poll(volume);
    match made {
        Made::Top(_) => volume.entry_of(fixed(volume, place, name)?),
        Made::Snapshots(scope) => {
            let shown = volume.shown(*scope)?;
            let (state, lasting) = shown.names.get(name).ok_or(VolumeError::NotFound)?;
            volume.entry_of(volume.tables.place_state(place, name, (state, *lasting)))
        }
        Made::At(scope) => at::find(volume, place, *scope, name),
        Made::Hosts | Made::Tags => find_scope(volume, place, made, name),
        Made::Past(scope, path) => past::find(volume, place, *scope, path, name),
        Made::Versions(scope, path) => past::find_version(volume, *scope, path, name),
        Made::States(scope, path) => past::find_state(volume, place, *scope, path, name),
        Made::Gone(scope, path) => gone::find(volume, place, *scope, path, name),
        Made::ChangeList(scope) => changes::find_between(volume, place, *scope, name),
        Made::Between(between) => changes::find_which(volume, place, between, name),
        Made::Changed(dir) => changes::find(volume, place, dir, name),
        Made::Search(scope) => search::find_results(volume, place, *scope, name),
        Made::Results(scope, text) => search::find(volume, *scope, text, name),
        Made::Undecided(scope) => undecided::find(volume, place, *scope, name),
        Made::Held(_) => Err(VolumeError::NotDirectory),
    }
}

/// Lists a place that is made.
pub(crate) fn list(
    volume: &SnapshotVolume,
    place: PlaceNo,
    made: &Made,
    from: u64,
    each: &mut Each<'_>,
) -> Answer<()> {
    if from == 0 {
        refresh::poll(volume);
    }
    match made {
        Made::Top(scope) => {
            let more = OF_THE_WHOLE.iter().filter(|_| *scope == ScopeNo::WHOLE);
            let names = OF_SCOPES.iter().chain(more).map(|name| name.to_vec());
            let names = names.collect::<Vec<_>>();
            list_names(&names, from, each, |name| volume.entry_of(fixed(volume, place, name)?))
        }
        Made::Snapshots(scope) => list_snapshots(volume, place, *scope, from, each),
        Made::At(_) | Made::Search(_) => Ok(()),
        Made::Results(scope, text) => search::list(volume, *scope, text, from, each),
        Made::Hosts | Made::Tags => {
            let names: Vec<_> = scopes(volume, made)?.into_iter().map(|(name, _)| name).collect();
            list_names(&names, from, each, |name| find_scope(volume, place, made, name))
        }
        Made::Past(scope, path) => past::list(volume, place, *scope, path, from, each),
        Made::Versions(scope, path) => past::list_versions(volume, *scope, path, from, each),
        Made::States(scope, path) => past::list_states(volume, place, *scope, path, from, each),
        Made::Gone(scope, path) => gone::list(volume, place, *scope, path, from, each),
        Made::ChangeList(scope) => changes::list_between(volume, place, *scope, from, each),
        Made::Between(between) => changes::list_which(volume, place, between, from, each),
        Made::Changed(dir) => changes::list(volume, place, dir, from, each),
        Made::Undecided(scope) => {
            list_names(&undecided::NAMES.map(<[u8]>::to_vec), from, each, |name| {
                undecided::find(volume, place, *scope, name)
            })
        }
        Made::Held(_) => Err(VolumeError::NotDirectory),
    }
}

/// Lists names that stand at fixed positions, from a position.
pub(crate) fn list_names(
    names: &[Vec<u8>],
    from: u64,
    each: &mut Each<'_>,
    entry: impl Fn(&[u8]) -> Answer<Entry>,
) -> Answer<()> {
    let from = usize::try_from(from).unwrap_or(usize::MAX);
    for (next, name) in (1..).zip(names).skip(from) {
        let entry = match entry(name) {
            Ok(entry) => entry,
            // It went while the list was made.
            Err(VolumeError::NotFound) => continue,
            Err(error) => return Err(error),
        };
        if each(Listed { name, next, entry }) == More::Stop {
            break;
        }
    }
    Ok(())
}

fn list_snapshots(
    volume: &SnapshotVolume,
    place: PlaceNo,
    scope: ScopeNo,
    from: u64,
    each: &mut Each<'_>,
) -> Answer<()> {
    let shown = volume.shown(scope)?;
    let first = shown.order.partition_point(|(position, _)| *position <= from);
    for (next, name) in shown.order.iter().skip(first) {
        let Some((state, lasting)) = shown.names.get(name) else { continue };
        let place = volume.tables.place_state(place, name, (state, *lasting));
        let entry = volume.entry_of(place)?;
        if each(Listed { name, next: *next, entry }) == More::Stop {
            break;
        }
    }
    Ok(())
}

/// The machines or tags that there are, by the names that they are shown by.
fn scopes(volume: &SnapshotVolume, made: &Made) -> Answer<Vec<(Vec<u8>, Scope)>> {
    let shown = volume.shown(ScopeNo::WHOLE)?;
    let words = match made {
        Made::Hosts => &shown.words.hosts,
        _ => &shown.words.tags,
    };
    let named = |word: &String| {
        let scope = match made {
            Made::Hosts => Scope::Host(word.clone()),
            _ => Scope::Tag(word.clone()),
        };
        (file_name(word), scope)
    };
    Ok(words.iter().map(named).collect())
}

fn find_scope(volume: &SnapshotVolume, place: PlaceNo, made: &Made, name: &[u8]) -> Answer<Entry> {
    let found = scopes(volume, made)?.into_iter().find(|(shown, _)| shown == name);
    let (_, scope) = found.ok_or(VolumeError::NotFound)?;
    volume.entry_of(refresh::scope(volume, scope, place, name)?)
}
