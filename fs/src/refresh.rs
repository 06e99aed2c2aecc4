//! Seeing new snapshots, and snapshots that were forgotten, while mounted.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use yore_engine::Result;
use yore_engine::repository::{KnownSnapshots, Problems, Repository, Snapshots};

use crate::inode::tables::Moved;
use crate::snapshot_list::registry::ChangedList;
use crate::tree::state_tree;
use crate::virtual_dir::dir::{Context, Extent};
use crate::virtual_dir::top::{SNAPSHOTS, settle};

use self::changed::tree_of;

pub use self::changed::Changed;

mod changed;

/// The age at which a look-up refreshes the list of snapshots.
const AGE: Duration = Duration::from_secs(1);
/// The longest that an answer takes to arrive at the host, unless the machine is overloaded.
const ARRIVAL: Duration = Duration::from_millis(200);
/// Problems that are kept for the next `refresh`.
const MAX_PROBLEMS: usize = 64;

/// Finds new and forgotten snapshots.
pub(crate) struct Refresher {
    /// Guards what is known of the snapshots; the thread that holds it reads from the destination.
    known: Mutex<Known>,
}

struct Known {
    snapshots: KnownSnapshots,
    checked: Instant,
    /// Read, but not shown yet.
    pending: Option<Snapshots>,
    problems: Problems,
}

impl Refresher {
    /// Lists the snapshots for the first time; they are shown by [`begin`](Self::begin).
    pub(crate) fn start(repository: &Repository) -> Result<Self> {
        let mut snapshots = KnownSnapshots::default();
        let pending = Some(snapshots.update(repository)?.unwrap_or_default());
        let (checked, problems) = (Instant::now(), Problems::new());
        Ok(Self { known: Mutex::new(Known { snapshots, checked, pending, problems }) })
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows the first list, and returns what could not be read.
    pub(crate) fn begin(&self, context: &Context) -> Problems {
        let mut known = self.lock();
        known.publish(context);
        known.take_changed(context).problems
    }

    /// Looks for new snapshots unless another thread is doing so, or did within the last second.
    pub(crate) fn poll(&self, context: &Context) {
        if let Ok(mut known) = self.known.try_lock()
            && known.checked.elapsed() >= AGE
            && let Err(error) = known.update(context)
        {
            // What was shown stays; the next refresh tells why, at least what was wrong last.
            known.problems.truncate(MAX_PROBLEMS);
            known.problems.push(error);
        }
    }

    /// Looks for new snapshots now, and returns what changed since the last call; calls `host` with what it must
    /// forget before any name that it holds comes to mean another state.
    pub(crate) fn refresh(&self, context: &Context, host: &dyn Fn(&Changed)) -> Changed {
        let core = &context.core;
        let mut changed = {
            let mut known = self.lock();
            if let Err(error) = known.update(context) {
                known.problems.push(error);
            }
            known.take_changed(context)
        };
        let begun = core.tables.begin_moves();
        if !begun.is_empty() {
            // Answers that are on their way may still be kept; they have arrived by then.
            std::thread::sleep(ARRIVAL);
        }
        let lists = changed.directories.len();
        for Moved { place, before } in core.tables.take_moved() {
            match tree_of(core, place) {
                Ok(Some(after)) => changed.add_tree(core, place, before, after),
                Ok(None) | Err(_) => changed.directories.push(place.ino()),
            }
        }
        for (Moved { place, before }, state) in &begun {
            match state_tree::top(core, state) {
                Ok(top) => changed.add_tree(core, *place, before.clone(), top),
                Err(_) => changed.directories.push(place.ino()),
            }
        }
        host(&changed);
        begun.iter().for_each(|(moved, state)| core.tables.end_move(moved.place, state));
        if changed.directories.len() > lists {
            // A listing that the host requested meanwhile is the old one.
            let directories = changed.directories[lists..].to_vec();
            host(&Changed { directories, ..Changed::default() });
        }
        changed
    }
}

impl Known {
    /// Looks whether something changed; shows it once the index knows its blobs.
    fn update(&mut self, context: &Context) -> Result<()> {
        self.checked = Instant::now();
        if let Some(found) = self.snapshots.update(&context.repository)? {
            self.pending = Some(found);
        }
        if self.pending.is_some() {
            self.problems.extend(context.repository.refresh(&context.core.reader)?);
            self.publish(context);
        }
        Ok(())
    }

    /// Shows what was read.
    fn publish(&mut self, context: &Context) {
        let Some(found) = self.pending.take() else { return };
        self.problems.extend(found.problems);
        // Only more than 2^32 states or snapshots can fail; then the old lists stay.
        let lists = context.lists.publish(&context.core, found.list).unwrap_or_default();
        lists.iter().for_each(|list| settle(context, list));
    }

    /// Takes what hosts do not know yet.
    fn take_changed(&mut self, context: &Context) -> Changed {
        let problems = std::mem::take(&mut self.problems);
        let mut changed = Changed { problems, ..Changed::default() };
        for list in context.lists.take_changed() {
            add_list(context, &list, &mut changed);
        }
        changed
    }
}

/// Adds the names of a list that came, went or stand for something else.
fn add_list(context: &Context, list: &ChangedList, changed: &mut Changed) {
    let ChangedList { before, after } = list;
    let top = after.top.ino();
    let Some(snapshots) = context.core.tables.known(after.top, SNAPSHOTS) else { return };
    let snapshots = snapshots.ino();
    changed.directories.extend([top, snapshots]);
    if before.several_machines.is_some() != after.several_machines.is_some() {
        let folders = context.folders.iter();
        let folders = folders.filter(|folder| folder.extent() == Extent::EveryTop);
        changed.names.extend(folders.map(|folder| (top, folder.name().to_vec())));
    }
    let added = after.names.keys().filter(|name| !before.names.contains_key(*name));
    let removed = before.names.keys().filter(|name| !after.names.contains_key(*name));
    changed.names.extend(removed.chain(added).map(|name| (snapshots, name.clone())));
}
