//! The lists of one scope as they are shown: its snapshots, their names and days, the newest state.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use yore_engine::{Clock, Machine, Moment, Part, Snapshot, SnapshotEntry, SnapshotId, state};
use yore_platform::{Space, Timestamp, VolumeError};

use crate::calendar::days;
use crate::inode::number::PlaceNo;
use crate::inode::place::Lasting;
use crate::inode::tables::{OriginNo, Tables};
use crate::refresh::Changed;
use crate::tree::state_tree::{Made, State, StatePart};
use crate::virtual_dir::dir::{LATEST, OF_SCOPES, SNAPSHOTS, place_of_fixed, scope_of};
use crate::virtual_dir::no_machine as undecided;
use crate::volume::SnapshotVolume;

/// The lists of a scope.
#[derive(Default)]
pub(crate) struct Shown {
    /// Counts what was shown, from 1.
    pub(crate) generation: u32,
    /// When the lists changed.
    pub(crate) modified: Timestamp,
    /// The snapshots in their order, and the name and the number of each.
    pub(crate) list: Vec<SnapshotEntry>,
    pub(crate) labels: Vec<(Vec<u8>, OriginNo)>,
    /// The top of the scope, and its list of snapshots.
    top: Option<PlaceNo>,
    snapshots: Option<PlaceNo>,
    pub(crate) newest: Option<Arc<State>>,
    pub(crate) names: BTreeMap<Vec<u8>, (Arc<State>, Lasting)>,
    /// The names in the order in which they came: each with a position that it always keeps.
    pub(crate) order: Vec<(u64, Vec<u8>)>,
    pub(crate) space: Space,
    /// The machines that have snapshots, where none of them is the one that is meant; then nothing else is shown.
    pub(crate) undecided: Option<Vec<String>>,
    /// At the top, what `hosts` and `tags` list.
    pub(crate) words: Words,
}

/// The machines and tags of all snapshots that are presented.
#[derive(Default)]
pub(crate) struct Words {
    pub(crate) hosts: BTreeSet<String>,
    pub(crate) tags: BTreeSet<String>,
}

impl Words {
    pub(crate) fn of(all: &[SnapshotEntry]) -> Self {
        let snapshots = || all.iter().map(|entry| &entry.snapshot);
        Self {
            hosts: snapshots().map(|snapshot| snapshot.host.clone()).collect(),
            tags: snapshots().flat_map(|snapshot| snapshot.tags.iter().cloned()).collect(),
        }
    }
}

/// What keeps the names of a scope what they are.
pub(crate) struct Naming {
    /// The scope's top.
    pub(crate) top: PlaceNo,
    positions: HashMap<Vec<u8>, u64>,
}

type Answer<T> = Result<T, VolumeError>;
type Names = HashMap<SnapshotId, String>;
type Origins = HashMap<SnapshotId, OriginNo>;

/// Makes the lists of a scope from its snapshots.
pub(crate) fn build(
    volume: &SnapshotVolume,
    (list, machine): (Vec<SnapshotEntry>, Machine),
    naming: &mut Naming,
    (names, origins): (&Names, &Origins),
    generation: u32,
) -> Answer<Shown> {
    let tables = &volume.tables;
    let end = ends(list.iter());
    let nanos = (end.nanos + generation % 1_000_000_000) % 1_000_000_000;
    let mut shown = Shown { generation, modified: Timestamp { nanos, ..end }, ..Shown::default() };
    let parts = state(&list, &Moment::Latest).unwrap_or_default();
    shown.space = space(volume, &parts);
    let state_of = |(made, modified)| tables.state(made, modified);
    shown.newest = Some(state_of(made(&parts, origins)));
    for (name, moment) in days(&list, &volume.options.naming) {
        let state = state_of(made(&state(&list, &moment).unwrap_or_default(), origins));
        shown.names.insert(name.into_bytes(), (state, Lasting::Following));
    }
    for SnapshotEntry { id, snapshot, .. } in &list {
        let (Some(name), Some(origin)) = (names.get(id), origins.get(id)) else {
            return Err(VolumeError::Damaged);
        };
        let state = state_of((Made::Whole(*origin), snapshot.end));
        shown.names.insert(name.clone().into_bytes(), (state, Lasting::Forever));
        shown.labels.push((name.clone().into_bytes(), *origin));
    }
    shown.order = shown.names.keys().map(|name| (naming.position(name), name.clone())).collect();
    shown.order.sort_unstable();
    shown.top = Some(naming.top);
    let snapshots = match (&machine, scope_of(volume, naming.top)?) {
        (Machine::Several(_), scope) => undecided::folder(volume, naming.top, scope, SNAPSHOTS),
        _ => place_of_fixed(volume, naming.top, SNAPSHOTS)?,
    };
    [naming.top, snapshots].iter().for_each(|place| tables.pin(*place));
    shown.snapshots = Some(snapshots);
    shown.list = list;
    if let Machine::Several(hosts) = machine {
        shown.undecided = Some(hosts);
    }
    Ok(shown)
}

/// When the newest of some snapshots ended, as far as their clocks are believed.
fn ends<'s>(snapshots: impl Iterator<Item = &'s SnapshotEntry>) -> Timestamp {
    let end = |entry: &SnapshotEntry| match entry.clock {
        Clock::Wrong => entry.since,
        Clock::Believed | Clock::Given => entry.snapshot.end,
    };
    snapshots.map(end).max().unwrap_or_default()
}

/// Of what a state is made, and when the newest of its snapshots ended.
pub(crate) fn made(parts: &[Part<'_>], origins: &Origins) -> (Made, Timestamp) {
    let part = |part: &Part<'_>| {
        let origin = *origins.get(&part.snapshot.id)?;
        Some(StatePart { source: part.source.to_vec(), origin })
    };
    let end = ends(parts.iter().map(|part| part.snapshot));
    match parts.is_empty() {
        true => (Made::Empty, end),
        false => (Made::Parts(parts.iter().filter_map(part).collect()), end),
    }
}

impl Naming {
    /// For the scope whose top is in a place.
    pub(crate) fn at(top: PlaceNo) -> Self {
        Self { top, positions: HashMap::new() }
    }

    fn position(&mut self, name: &[u8]) -> u64 {
        let next = self.positions.len() as u64 + 1;
        *self.positions.entry(name.to_vec()).or_insert(next)
    }
}

impl Shown {
    /// The snapshot of a name, by its place in the list.
    pub(crate) fn find(&self, name: &[u8]) -> Option<usize> {
        self.labels.iter().position(|(label, _)| label == name)
    }

    /// Tells what is otherwise than it was.
    pub(crate) fn differences(&self, before: &Shown, changed: &mut Changed) {
        let (Some(top), Some(snapshots)) = (self.top, self.snapshots) else { return };
        let (top, snapshots) = (top.ino(), snapshots.ino());
        changed.directories.extend([top, snapshots]);
        if before.undecided.is_some() != self.undecided.is_some() {
            changed.names.extend(OF_SCOPES.map(|name| (top, name.to_vec())));
        }
        let come = self.names.keys().filter(|name| !before.names.contains_key(*name));
        let gone = before.names.keys().filter(|name| !self.names.contains_key(*name));
        changed.names.extend(gone.chain(come).map(|name| (snapshots, name.clone())));
    }

    /// Makes the names that somebody looked at stand for the states that they are now.
    pub(crate) fn lead(&self, tables: &Tables) {
        let (Some(top), Some(snapshots)) = (self.top, self.snapshots) else { return };
        if self.undecided.is_some() {
            return;
        }
        if let Some(newest) = &self.newest {
            tables.lead(top, LATEST, newest);
        }
        for (name, (state, _)) in &self.names {
            tables.lead(snapshots, name, state);
        }
    }
}

fn space(volume: &SnapshotVolume, parts: &[Part<'_>]) -> Space {
    let snapshots: BTreeMap<SnapshotId, &Snapshot> =
        parts.iter().map(|part| (part.snapshot.id, &part.snapshot.snapshot)).collect();
    let count = |sum: u64, snapshot: &&Snapshot| {
        let totals = &snapshot.totals;
        [totals.files, totals.directories, totals.others]
            .iter()
            .fold(sum, |a, b| a.saturating_add(*b))
    };
    let files = snapshots.values().fold(0, count);
    Space { total: volume.reader.index().stored_bytes(), free: 0, files }
}
