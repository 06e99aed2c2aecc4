//! Seeing new snapshots, and snapshots that were forgotten, while mounted.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use yore_engine::{KnownSnapshots, Problems, Result, SnapshotEntry, SnapshotId, Snapshots};
use yore_platform::{Ino, Timestamp, VolumeError};

use crate::calendar::snapshot_names;
use crate::inode::number::PlaceNo;
use crate::inode::tables::{Moved, OriginNo};
use crate::snapshot_list::list::{Naming, Shown, Words, build};
use crate::snapshot_list::scope::{Scope, ScopeNo};
use crate::tree::follow;
use crate::virtual_dir::dir::Made;
use crate::volume::SnapshotVolume;

/// How old the list of snapshots may be when somebody looks at it.
const AGE: Duration = Duration::from_secs(1);
/// How long an answer takes to arrive at most, unless the machine is overloaded.
const ARRIVAL: Duration = Duration::from_millis(200);
/// Problems that are kept until somebody asks.
const MAX_PROBLEMS: usize = 64;

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

/// What is known of the snapshots.
pub(crate) struct Refresher {
    known: KnownSnapshots,
    checked: Instant,
    /// Read, but not shown yet.
    pending: Option<Snapshots>,
    problems: Problems,
    /// What is shown, before any scope takes its part.
    list: Vec<SnapshotEntry>,
    names: HashMap<SnapshotId, String>,
    origins: HashMap<SnapshotId, OriginNo>,
    /// Every snapshot ever shown: one that is forgotten keeps its name from others.
    ever: BTreeSet<(Timestamp, SnapshotId)>,
    generation: u32,
    /// Each scope, and what keeps its names.
    scopes: Vec<(Scope, Naming)>,
    /// What hosts were told last of each scope.
    told: Vec<Arc<Shown>>,
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
            list: Vec::new(),
            names: HashMap::new(),
            origins: HashMap::new(),
            ever: BTreeSet::new(),
            generation: 0,
            scopes: vec![(Scope::Whole, Naming::at(PlaceNo::ROOT))],
            told: Vec::new(),
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
            volume.show(shown);
        }
    }

    fn build(
        &mut self,
        volume: &SnapshotVolume,
        list: Vec<SnapshotEntry>,
    ) -> std::result::Result<Vec<Arc<Shown>>, VolumeError> {
        self.ever.extend(list.iter().map(|entry| (entry.snapshot.time, entry.id)));
        self.names = snapshot_names(self.ever.iter().copied(), &volume.options.naming);
        let all = Arc::new(list);
        let takes = |entry: &&SnapshotEntry| {
            volume.options.filter.as_ref().is_none_or(|filter| filter(&entry.id, &entry.snapshot))
        };
        self.list = all.iter().filter(takes).cloned().collect();
        volume.count(all);
        for entry in &self.list {
            if let Entry::Vacant(unknown) = self.origins.entry(entry.id) {
                unknown.insert(volume.tables.add_origin(Arc::new(entry.clone()))?);
            }
        }
        self.generation = self.generation.wrapping_add(1);
        (0..self.scopes.len()).map(|scope| self.build_scope(volume, scope)).collect()
    }

    fn build_scope(
        &mut self,
        volume: &SnapshotVolume,
        number: usize,
    ) -> std::result::Result<Arc<Shown>, VolumeError> {
        let (scope, naming) = self.scopes.get_mut(number).ok_or(VolumeError::Stale)?;
        let taken = scope.take(&self.list, volume.options.machine.as_deref());
        let mut shown =
            build(volume, taken, naming, (&self.names, &self.origins), self.generation)?;
        if *scope == Scope::Whole {
            shown.words = Words::of(&self.list);
        }
        Ok(Arc::new(shown))
    }

    /// Finds or adds a scope; returns its top.
    fn scope(
        &mut self,
        volume: &SnapshotVolume,
        scope: Scope,
        (parent, name): (PlaceNo, &[u8]),
    ) -> std::result::Result<PlaceNo, VolumeError> {
        if let Some((_, naming)) = self.scopes.iter().find(|(known, _)| *known == scope) {
            return Ok(naming.top);
        }
        let number = self.scopes.len();
        let scope_no = u32::try_from(number).map(ScopeNo).map_err(|_| VolumeError::Damaged)?;
        let top = volume.tables.place_named(parent, name, Made::Top(scope_no));
        self.scopes.push((scope, Naming::at(top)));
        let shown = self.build_scope(volume, number)?;
        self.told.push(Arc::clone(&shown));
        volume.show_also(shown);
        Ok(top)
    }

    /// Tells what hosts have not been told yet.
    fn tell(&mut self, all: Vec<Arc<Shown>>) -> Changed {
        let mut changed =
            Changed { problems: std::mem::take(&mut self.problems), ..Changed::default() };
        for (told, shown) in self.told.iter().zip(&all) {
            if !Arc::ptr_eq(told, shown) {
                shown.differences(told, &mut changed);
            }
        }
        self.told = all;
        changed
    }

    /// Takes what is shown as told, and returns the problems.
    pub(crate) fn begin(&mut self, shown: Vec<Arc<Shown>>) -> Problems {
        self.tell(shown).problems
    }
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

/// Looks for new snapshots now, and tells what changed since the last call; `host` is told what it must
/// forget before any name that it holds comes to stand for another state.
pub(crate) fn refresh(volume: &SnapshotVolume, host: &dyn Fn(&Changed)) -> Changed {
    let mut changed = {
        let mut refresher = lock(volume);
        if let Err(error) = refresher.update(volume) {
            refresher.problems.push(error);
        }
        refresher.tell(volume.all_shown())
    };
    let begun = volume.tables.begin_moves();
    if !begun.is_empty() {
        // Answers that are on their way may still be kept; they have arrived by then.
        std::thread::sleep(ARRIVAL);
    }
    let lists = changed.directories.len();
    for Moved { place, before } in volume.tables.take_moved() {
        match follow::dir_of(volume, place) {
            Ok(Some(after)) => follow::differences(volume, place, before, after, &mut changed),
            Ok(None) | Err(_) => changed.directories.push(place.ino()),
        }
    }
    for (Moved { place, before }, state) in &begun {
        match state.top(&volume.tables, &volume.reader) {
            Ok(top) => follow::differences(volume, *place, before.clone(), top, &mut changed),
            Err(_) => changed.directories.push(place.ino()),
        }
    }
    host(&changed);
    begun.iter().for_each(|(moved, state)| volume.tables.end_move(moved.place, state));
    if changed.directories.len() > lists {
        // A listing that somebody asked for meanwhile is the old one.
        let directories = changed.directories[lists..].to_vec();
        host(&Changed { directories, ..Changed::default() });
    }
    changed
}

fn lock(volume: &SnapshotVolume) -> std::sync::MutexGuard<'_, Refresher> {
    volume.refresher.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Finds or adds the scope of a machine or a tag, under a name; returns its top.
pub(crate) fn scope(
    volume: &SnapshotVolume,
    scope: Scope,
    parent: PlaceNo,
    name: &[u8],
) -> std::result::Result<PlaceNo, VolumeError> {
    lock(volume).scope(volume, scope, (parent, name))
}
