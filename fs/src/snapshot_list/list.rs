//! The list of one scope: its snapshots, their names, its days, and its newest state.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use yore_engine::format::{Snapshot, SnapshotId};
use yore_engine::snapshots::{Clock, Machine, Moment, Part, SnapshotEntry, state};
use yore_platform::{Space, Timestamp, VolumeError};

use crate::calendar::{Naming, days};
use crate::error::Answer;
use crate::inode::number::{PlaceNo, SnapshotNo};
use crate::inode::place::Lifetime;
use crate::inode::state::{State, StatePart, StateParts};
use crate::snapshot_list::scope::{ScopeNo, ScopeSnapshots};
use crate::tree::core::Core;

/// The list of a scope.
pub(crate) struct SnapshotList {
    pub(crate) scope: ScopeNo,
    /// The place of the scope's top.
    pub(crate) top: PlaceNo,
    /// Counts the lists that were shown, from 1.
    pub(crate) generation: u32,
    /// The time of the last change.
    pub(crate) modified: Timestamp,
    /// The snapshots in their order.
    pub(crate) snapshots: Vec<SnapshotEntry>,
    /// The label of each.
    pub(crate) labels: Vec<Label>,
    pub(crate) newest: Arc<State>,
    /// The names under `snapshots`.
    pub(crate) names: BTreeMap<Vec<u8>, NamedState>,
    /// The same names in the order in which they came.
    pub(crate) order: Vec<OrderedName>,
    pub(crate) space: Space,
    /// The machines that have snapshots, where none of them is the wanted one; then nothing else is shown.
    pub(crate) several_machines: Option<Vec<String>>,
    /// The names in `hosts` and `tags`; empty in every scope but the whole.
    pub(crate) hosts_and_tags: HostsAndTags,
}

/// The name of a snapshot, and its number.
pub(crate) struct Label {
    pub(crate) name: Vec<u8>,
    pub(crate) origin: SnapshotNo,
}

/// A state that has a name.
pub(crate) struct NamedState {
    pub(crate) state: Arc<State>,
    pub(crate) lifetime: Lifetime,
}

/// A name, and the position in listings that it always keeps.
pub(crate) struct OrderedName {
    pub(crate) position: u64,
    pub(crate) name: Vec<u8>,
}

/// The machines and tags of all snapshots that are presented.
#[derive(Default)]
pub(crate) struct HostsAndTags {
    pub(crate) hosts: BTreeSet<String>,
    pub(crate) tags: BTreeSet<String>,
}

/// The positions of a scope's names in listings.
#[derive(Default)]
pub(crate) struct Positions(HashMap<Vec<u8>, u64>);

/// The names of the snapshots of every scope, and their numbers.
#[derive(Default)]
pub(crate) struct Names {
    pub(crate) names: HashMap<SnapshotId, String>,
    pub(crate) numbers: HashMap<SnapshotId, SnapshotNo>,
}

/// A scope whose list is built.
pub(crate) struct Building<'b> {
    pub(crate) scope: ScopeNo,
    pub(crate) top: PlaceNo,
    pub(crate) taken: ScopeSnapshots,
    pub(crate) names: &'b Names,
    pub(crate) naming: &'b Naming,
    pub(crate) generation: u32,
}

/// Builds the list of a scope.
pub(crate) fn build(
    core: &Core,
    building: Building<'_>,
    positions: &mut Positions,
) -> Answer<SnapshotList> {
    let Building { scope, top, taken, names, naming, generation } = building;
    let snapshots = taken.snapshots;
    let end = newest_end(snapshots.iter());
    let nanos = (end.nanos + generation % 1_000_000_000) % 1_000_000_000;
    let parts = state(&snapshots, &Moment::Latest).unwrap_or_default();
    let state_of = |parts: &[Part<'_>]| {
        let (parts, modified) = state_parts(parts, &names.numbers);
        core.tables.state(parts, modified)
    };
    let mut list = SnapshotList {
        scope,
        top,
        generation,
        modified: Timestamp { nanos, ..end },
        space: space(core, &parts),
        newest: state_of(&parts),
        snapshots: Vec::new(),
        labels: Vec::new(),
        names: BTreeMap::new(),
        order: Vec::new(),
        several_machines: None,
        hosts_and_tags: HostsAndTags::default(),
    };
    for (name, moment) in days(&snapshots, naming) {
        let state = state_of(&state(&snapshots, &moment).unwrap_or_default());
        list.names
            .insert(name.into_bytes(), NamedState { state, lifetime: Lifetime::UntilRefresh });
    }
    for SnapshotEntry { id, snapshot, .. } in &snapshots {
        let (Some(name), Some(origin)) = (names.names.get(id), names.numbers.get(id)) else {
            return Err(VolumeError::Damaged);
        };
        let (name, origin) = (name.clone().into_bytes(), *origin);
        let state = core.tables.state(StateParts::Whole(origin), snapshot.end);
        list.names.insert(name.clone(), NamedState { state, lifetime: Lifetime::Forever });
        list.labels.push(Label { name, origin });
    }
    let ordered = |name: &Vec<u8>| OrderedName { position: positions.of(name), name: name.clone() };
    list.order = list.names.keys().map(ordered).collect();
    list.order.sort_unstable_by_key(|ordered| ordered.position);
    list.snapshots = snapshots;
    if let Machine::Several(hosts) = taken.machine {
        list.several_machines = Some(hosts);
    }
    Ok(list)
}

/// Returns the end of the newest of some snapshots, as far as their clocks are believed.
fn newest_end<'s>(snapshots: impl Iterator<Item = &'s SnapshotEntry>) -> Timestamp {
    let end = |entry: &SnapshotEntry| match entry.clock {
        Clock::Wrong => entry.since,
        Clock::Believed | Clock::Given => entry.snapshot.end,
    };
    snapshots.map(end).max().unwrap_or_default()
}

/// Returns the numbered parts of a state, and the end of the newest of its snapshots.
pub(crate) fn state_parts(
    parts: &[Part<'_>],
    numbers: &HashMap<SnapshotId, SnapshotNo>,
) -> (StateParts, Timestamp) {
    let part = |part: &Part<'_>| {
        let origin = *numbers.get(&part.snapshot.id)?;
        Some(StatePart { source: part.source.as_bytes().to_vec(), origin })
    };
    let end = newest_end(parts.iter().map(|part| part.snapshot));
    match parts.is_empty() {
        true => (StateParts::Empty, end),
        false => (StateParts::Sources(parts.iter().filter_map(part).collect()), end),
    }
}

impl HostsAndTags {
    pub(crate) fn of(all: &[SnapshotEntry]) -> Self {
        let snapshots = || all.iter().map(|entry| &entry.snapshot);
        Self {
            hosts: snapshots().map(|snapshot| snapshot.host.clone()).collect(),
            tags: snapshots().flat_map(|snapshot| snapshot.tags.iter().cloned()).collect(),
        }
    }
}

impl Positions {
    fn of(&mut self, name: &[u8]) -> u64 {
        let next = self.0.len() as u64 + 1;
        *self.0.entry(name.to_vec()).or_insert(next)
    }
}

impl SnapshotList {
    /// Returns the index of the snapshot that has a name.
    pub(crate) fn find(&self, name: &[u8]) -> Option<usize> {
        self.labels.iter().position(|label| label.name == name)
    }

    /// Returns the label of the snapshot at an index.
    pub(crate) fn label(&self, index: usize) -> Answer<&Label> {
        self.labels.get(index).ok_or(VolumeError::Stale)
    }

    /// Returns the state of one snapshot.
    pub(crate) fn state_of(&self, index: usize) -> Answer<&Arc<State>> {
        let named = self.names.get(&self.label(index)?.name).ok_or(VolumeError::Stale)?;
        Ok(&named.state)
    }
}

fn space(core: &Core, parts: &[Part<'_>]) -> Space {
    let snapshots: BTreeMap<SnapshotId, &Snapshot> =
        parts.iter().map(|part| (part.snapshot.id, &part.snapshot.snapshot)).collect();
    let count = |sum: u64, snapshot: &&Snapshot| {
        let totals = &snapshot.totals;
        [totals.files, totals.directories, totals.others]
            .iter()
            .fold(sum, |a, b| a.saturating_add(*b))
    };
    let files = snapshots.values().fold(0, count);
    Space { total: core.reader.index().stored_bytes(), free: 0, files }
}
