//! Seeing new snapshots, and snapshots that were forgotten, while mounted.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use yore_engine::{
    KnownSnapshots, Moment, Part, Problems, Result, Snapshot, SnapshotId, Snapshots, state,
};
use yore_platform::{Ino, Space, Timestamp, VolumeError};

use crate::calendar::{days, snapshot_names};
use crate::number::PlaceNo;
use crate::states::{Made, State, StateNo, StatePart};
use crate::tables::{OriginNo, Tables};
use crate::volume::SnapshotVolume;

/// How old the list of snapshots may be when somebody looks at it.
const AGE: Duration = Duration::from_secs(1);
/// Problems that are kept until somebody asks.
const MAX_PROBLEMS: usize = 64;
/// The name of the newest state.
pub(crate) const LATEST: &[u8] = b"latest";
/// The name of the list of snapshots.
pub(crate) const SNAPSHOTS: &[u8] = b"snapshots";

/// What a host must forget, because it is otherwise now.
#[derive(Debug, Default)]
pub struct Changed {
    /// Directories whose lists changed.
    pub directories: Vec<Ino>,
    /// Names, each in a directory, that came, went, or stand for something else.
    pub names: Vec<(Ino, Vec<u8>)>,
    /// What could not be read on the way; what was shown before stays.
    pub problems: Problems,
}

/// The lists as they are shown.
#[derive(Default)]
pub(crate) struct Shown {
    /// When the lists changed.
    pub(crate) modified: Timestamp,
    pub(crate) latest: Option<PlaceNo>,
    pub(crate) names: BTreeMap<Vec<u8>, PlaceNo>,
    /// The names in the order in which they came: each with a position that it always keeps.
    pub(crate) order: Vec<(u64, Vec<u8>)>,
    pub(crate) space: Space,
}

/// What is known of the snapshots.
pub(crate) struct Refresher {
    known: KnownSnapshots,
    checked: Instant,
    /// Read, but not shown yet.
    pending: Option<Snapshots>,
    problems: Problems,
    origins: HashMap<SnapshotId, OriginNo>,
    /// Every snapshot ever shown: one that is forgotten keeps its name from others.
    ever: BTreeSet<(Timestamp, SnapshotId)>,
    positions: HashMap<Vec<u8>, u64>,
    states: HashMap<Vec<u8>, (StateNo, PlaceNo)>,
    generation: u32,
    /// What hosts were told last.
    told: Arc<Shown>,
}

impl Refresher {
    /// Lists the snapshots for the first time.
    pub(crate) fn start(repository: &yore_engine::Repository) -> Result<Self> {
        let mut known = KnownSnapshots::default();
        let pending = Some(known.update(repository)?.unwrap_or_default());
        Ok(Self {
            known,
            checked: Instant::now(),
            pending,
            problems: Problems::new(),
            origins: HashMap::new(),
            ever: BTreeSet::new(),
            positions: HashMap::new(),
            states: HashMap::new(),
            generation: 0,
            told: Arc::default(),
        })
    }

    /// Looks whether something changed; shows it once the index knows its blobs.
    fn update(&mut self, volume: &SnapshotVolume) -> Result<()> {
        self.checked = Instant::now();
        if let Some(found) = self.known.update(&volume.repository)? {
            self.pending = Some(found);
        }
        if self.pending.is_some() {
            self.problems.extend(volume.repository.refresh(&volume.reader)?);
            self.publish(volume);
        }
        Ok(())
    }

    /// Shows what was read.
    pub(crate) fn publish(&mut self, volume: &SnapshotVolume) {
        let Some(found) = self.pending.take() else { return };
        self.problems.extend(found.problems);
        // Only more than 2^32 states or snapshots can fail; then the old lists stay.
        if let Ok(shown) = self.build(volume, found.list) {
            volume.show(Arc::new(shown));
        }
    }

    fn build(
        &mut self,
        volume: &SnapshotVolume,
        list: Vec<(SnapshotId, Snapshot)>,
    ) -> std::result::Result<Shown, VolumeError> {
        let zone = &volume.options.zone;
        self.ever.extend(list.iter().map(|(id, snapshot)| (snapshot.time, *id)));
        let names = snapshot_names(self.ever.iter().copied(), zone);
        let list = match &volume.options.filter {
            Some(filter) => list.into_iter().filter(|(id, s)| filter(id, s)).collect(),
            None => list,
        };
        for (id, snapshot) in &list {
            if !self.origins.contains_key(id) {
                let origin = volume.tables.add_origin(Arc::new((*id, snapshot.clone())))?;
                self.origins.insert(*id, origin);
            }
        }
        let end = list.iter().map(|(_, snapshot)| snapshot.end).max().unwrap_or_default();
        let nanos = (end.nanos + self.generation % 1_000_000_000) % 1_000_000_000;
        self.generation = self.generation.wrapping_add(1);
        let mut shown = Shown { modified: Timestamp { nanos, ..end }, ..Shown::default() };
        let parts = state(&list, &Moment::Latest).unwrap_or_default();
        shown.space = space(volume, &parts);
        let tables = &volume.tables;
        shown.latest = Some(self.place(tables, PlaceNo::ROOT, LATEST, self.made(&parts))?);
        for (name, moment) in days(&list, zone) {
            let made = self.made(&state(&list, &moment).unwrap_or_default());
            let name = name.into_bytes();
            let place = self.place(tables, PlaceNo::SNAPSHOTS, &name, made)?;
            shown.names.insert(name, place);
        }
        for (id, snapshot) in &list {
            let (Some(name), Some(origin)) = (names.get(id), self.origins.get(id)) else {
                continue;
            };
            let made = (Made::Whole(*origin), snapshot.end);
            let place = self.place(tables, PlaceNo::SNAPSHOTS, name.as_bytes(), made)?;
            shown.names.insert(name.clone().into_bytes(), place);
        }
        shown.order = shown.names.keys().map(|name| (self.position(name), name.clone())).collect();
        shown.order.sort_unstable();
        Ok(shown)
    }

    fn made(&self, parts: &[Part<'_>]) -> (Made, Timestamp) {
        let part = |part: &Part<'_>| {
            let origin = *self.origins.get(&part.snapshot.0)?;
            Some(StatePart { source: part.source.to_vec(), origin })
        };
        let end = parts.iter().map(|part| part.snapshot.1.end).max().unwrap_or_default();
        match parts.is_empty() {
            true => (Made::Empty, end),
            false => (Made::Parts(parts.iter().filter_map(part).collect()), end),
        }
    }

    /// The place of a name: the one it had, unless it is made of something else now.
    fn place(
        &mut self,
        tables: &Tables,
        parent: PlaceNo,
        name: &[u8],
        (made, modified): (Made, Timestamp),
    ) -> std::result::Result<PlaceNo, VolumeError> {
        if let Some((state, place)) = self.states.get(name)
            && tables.state(*state)?.made == made
        {
            return Ok(*place);
        }
        let added = tables.add_state(parent, State::new(made, modified))?;
        self.states.insert(name.to_vec(), added);
        Ok(added.1)
    }

    fn position(&mut self, name: &[u8]) -> u64 {
        let next = self.positions.len() as u64 + 1;
        *self.positions.entry(name.to_vec()).or_insert(next)
    }

    /// Tells what hosts have not been told yet.
    fn tell(&mut self, shown: Arc<Shown>) -> Changed {
        let mut changed =
            Changed { problems: std::mem::take(&mut self.problems), ..Changed::default() };
        if !Arc::ptr_eq(&self.told, &shown) {
            let (root, snapshots) = (PlaceNo::ROOT.ino(), PlaceNo::SNAPSHOTS.ino());
            changed.directories = vec![root, snapshots];
            if self.told.latest != shown.latest {
                changed.names.push((root, LATEST.to_vec()));
            }
            let gone = self.told.names.keys().filter(|name| !shown.names.contains_key(*name));
            let other = shown.names.iter();
            let other = other.filter(|(name, place)| self.told.names.get(*name) != Some(place));
            let names = gone.chain(other.map(|(name, _)| name));
            changed.names.extend(names.map(|name| (snapshots, name.clone())));
            self.told = shown;
        }
        changed
    }

    /// Takes what is shown as told, and returns the problems.
    pub(crate) fn begin(&mut self, shown: Arc<Shown>) -> Problems {
        self.tell(shown).problems
    }
}

fn space(volume: &SnapshotVolume, parts: &[Part<'_>]) -> Space {
    let snapshots: BTreeMap<SnapshotId, &Snapshot> =
        parts.iter().map(|part| (part.snapshot.0, &part.snapshot.1)).collect();
    let count = |sum: u64, snapshot: &&Snapshot| {
        let totals = &snapshot.totals;
        [totals.files, totals.directories, totals.others]
            .iter()
            .fold(sum, |a, b| a.saturating_add(*b))
    };
    let files = snapshots.values().fold(0, count);
    Space { total: volume.reader.index().stored_bytes(), free: 0, files }
}

/// Looks for new snapshots if nobody has for a second, or is just doing so.
pub(crate) fn poll(volume: &SnapshotVolume) {
    if let Ok(mut refresher) = volume.refresher.try_lock()
        && refresher.checked.elapsed() >= AGE
        && let Err(error) = refresher.update(volume)
    {
        // What was shown stays; the next refresh tells why, at least what was wrong last.
        refresher.problems.truncate(MAX_PROBLEMS);
        refresher.problems.push(error);
    }
}

/// Looks for new snapshots now, and tells what changed since the last call.
pub(crate) fn refresh(volume: &SnapshotVolume) -> Changed {
    let mut refresher = volume.refresher.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Err(error) = refresher.update(volume) {
        refresher.problems.push(error);
    }
    refresher.tell(volume.shown())
}
