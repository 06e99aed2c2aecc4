//! The lists of all scopes: built when snapshots come and go, or when a scope is first entered.

use std::collections::BTreeSet;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use yore_engine::format::SnapshotId;
use yore_engine::snapshots::SnapshotEntry;
use yore_platform::{Timestamp, VolumeError};

use crate::calendar::snapshot_names;
use crate::error::Answer;
use crate::inode::number::PlaceNo;
use crate::options::VolumeOptions;
use crate::snapshot_list::list::{Building, HostsAndTags, Names, Positions, SnapshotList, build};
use crate::snapshot_list::scope::{Scope, ScopeNo};
use crate::tree::core::Core;

/// The lists of all scopes.
pub(crate) struct SnapshotLists {
    options: Arc<VolumeOptions>,
    /// Guards what the lists are built from.
    source: Mutex<Source>,
    /// Guards the lists that are shown, by the numbers of their scopes.
    shown: RwLock<Vec<Arc<SnapshotList>>>,
    /// Guards all snapshots that count, also those that a filter hides.
    all: RwLock<Arc<Vec<SnapshotEntry>>>,
}

struct Source {
    /// The snapshots that are presented, before any scope takes its part.
    presented: Vec<SnapshotEntry>,
    names: Names,
    /// Every snapshot ever presented: one that is forgotten keeps its name from others.
    ever: BTreeSet<(Timestamp, SnapshotId)>,
    generation: u32,
    scopes: Vec<KnownScope>,
    /// The list of each scope that hosts know.
    announced: Vec<Arc<SnapshotList>>,
}

struct KnownScope {
    scope: Scope,
    top: PlaceNo,
    positions: Positions,
}

impl KnownScope {
    fn new(scope: Scope, top: PlaceNo) -> Self {
        Self { scope, top, positions: Positions::default() }
    }
}

impl Source {
    fn position(&self, scope: &Scope) -> Option<ScopeNo> {
        let position = self.scopes.iter().position(|known| known.scope == *scope)?;
        u32::try_from(position).map(ScopeNo).ok()
    }
}

/// A list that hosts do not know yet.
pub(crate) struct ChangedList {
    pub(crate) before: Arc<SnapshotList>,
    pub(crate) after: Arc<SnapshotList>,
}

impl SnapshotLists {
    /// Knows the whole alone, which has no list before [`publish`](Self::publish).
    pub(crate) fn new(options: Arc<VolumeOptions>) -> Self {
        let source = Source {
            presented: Vec::new(),
            names: Names::default(),
            ever: BTreeSet::new(),
            generation: 0,
            scopes: vec![KnownScope::new(Scope::Whole, PlaceNo::ROOT)],
            announced: Vec::new(),
        };
        let (shown, all) = (RwLock::default(), RwLock::default());
        Self { options, source: Mutex::new(source), shown, all }
    }

    fn lock(&self) -> MutexGuard<'_, Source> {
        self.source.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the list of a scope.
    pub(crate) fn get(&self, scope: ScopeNo) -> Answer<Arc<SnapshotList>> {
        let shown = self.shown.read().unwrap_or_else(PoisonError::into_inner);
        shown.get(scope.0 as usize).cloned().ok_or(VolumeError::Stale)
    }

    /// Returns all snapshots that count, also those that a filter hides.
    pub(crate) fn all_snapshots(&self) -> Arc<Vec<SnapshotEntry>> {
        Arc::clone(&self.all.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn set_snapshots(&self, all: Arc<Vec<SnapshotEntry>>) {
        *self.all.write().unwrap_or_else(PoisonError::into_inner) = all;
    }

    /// Shows these snapshots from now on, and returns the lists.
    ///
    /// # Errors
    /// More than 2^32 states or snapshots; then the old lists stay.
    pub(crate) fn publish(
        &self,
        core: &Core,
        snapshots: Vec<SnapshotEntry>,
    ) -> Answer<Vec<Arc<SnapshotList>>> {
        let source = &mut *self.lock();
        source.ever.extend(snapshots.iter().map(|entry| (entry.snapshot.time, entry.id)));
        source.names.names = snapshot_names(source.ever.iter().copied(), &self.options.naming);
        let filter = self.options.filter.as_ref();
        let takes =
            |entry: &&SnapshotEntry| filter.is_none_or(|filter| filter(&entry.id, &entry.snapshot));
        source.presented = snapshots.iter().filter(takes).cloned().collect();
        self.set_snapshots(Arc::new(snapshots));
        for entry in &source.presented {
            if let Entry::Vacant(unknown) = source.names.numbers.entry(entry.id) {
                unknown.insert(core.tables.add_snapshot(Arc::new(entry.clone()))?);
            }
        }
        source.generation = source.generation.wrapping_add(1);
        let mut lists = Vec::new();
        for (number, mut scope) in (0..).zip(std::mem::take(&mut source.scopes)) {
            lists.push(self.build(core, source, ScopeNo(number), &mut scope).map(Arc::new));
            source.scopes.push(scope);
        }
        let lists: Vec<Arc<SnapshotList>> = lists.into_iter().collect::<Answer<_>>()?;
        *self.shown.write().unwrap_or_else(PoisonError::into_inner) = lists.clone();
        Ok(lists)
    }

    fn build(
        &self,
        core: &Core,
        source: &Source,
        number: ScopeNo,
        scope: &mut KnownScope,
    ) -> Answer<SnapshotList> {
        let building = Building {
            scope: number,
            top: scope.top,
            taken: scope.scope.take(&source.presented, self.options.machine.as_deref()),
            names: &source.names,
            naming: &self.options.naming,
            generation: source.generation,
        };
        let mut list = build(core, building, &mut scope.positions)?;
        if scope.scope == Scope::Whole {
            list.hosts_and_tags = HostsAndTags::of(&source.presented);
        }
        Ok(list)
    }

    /// Returns the list of a scope that was entered before.
    pub(crate) fn find(&self, scope: &Scope) -> Option<Arc<SnapshotList>> {
        let number = self.lock().position(scope)?;
        self.get(number).ok()
    }

    /// Shows the list of a scope from now on; `place` numbers its top.
    pub(crate) fn add(
        &self,
        core: &Core,
        scope: Scope,
        place: impl FnOnce(ScopeNo) -> PlaceNo,
    ) -> Answer<Arc<SnapshotList>> {
        let source = &mut *self.lock();
        // Another thread may have been faster.
        if let Some(number) = source.position(&scope) {
            return self.get(number);
        }
        let number = u32::try_from(source.scopes.len()).map_err(|_| VolumeError::Damaged)?;
        let number = ScopeNo(number);
        let mut scope = KnownScope::new(scope, place(number));
        let list = Arc::new(self.build(core, source, number, &mut scope)?);
        source.scopes.push(scope);
        source.announced.push(Arc::clone(&list));
        self.shown.write().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&list));
        Ok(list)
    }

    /// Returns the lists that hosts do not know yet; they count as known from now on.
    pub(crate) fn take_changed(&self) -> Vec<ChangedList> {
        let source = &mut *self.lock();
        let shown = self.shown.read().unwrap_or_else(PoisonError::into_inner).clone();
        let pairs = source
            .announced
            .iter()
            .zip(&shown)
            .filter(|(announced, shown)| !Arc::ptr_eq(announced, shown));
        let changed = pairs.map(|(before, after)| ChangedList {
            before: Arc::clone(before),
            after: Arc::clone(after),
        });
        let changed = changed.collect();
        source.announced = shown;
        changed
    }
}
