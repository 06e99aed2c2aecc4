//! Filling one destination with what the others have.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::objects::{load, load_from_any};
use super::packs::{Action, Copier, Outcome, PackTask};
use super::{FillReport, SyncOptions, Verify, parity};
use crate::backend::{self, Backend, Published};
use crate::error::{Error, Result};
use crate::format::id::{ObjectId, SnapshotId};
use crate::format::object::{Area, ObjectName};
use crate::format::record;
use crate::maintenance::check;
use crate::operation::clock::now;
use crate::operation::observer::Observer;
use crate::repository::session::{self, OpenSession};
use crate::repository::{
    Coverage, Lacking, Listing, Pulse, Repository, State, TombstoneObject, Writer, delete_removed,
    load_header, removed_somewhere,
};

/// The destination to be filled, and how.
pub(super) struct Task<'a> {
    pub(super) repository: &'a Repository,
    pub(super) destination: usize,
    pub(super) options: &'a SyncOptions,
    pub(super) writer: &'a Writer,
    pub(super) observer: &'a dyn Observer,
}

/// Everything that was found before anything is written.
pub(super) struct Found {
    pub(super) listing: Listing,
    state: State,
    lacking: Lacking,
    /// The packs that the index describes, with their sizes.
    pub(super) described: HashMap<ObjectId, u64>,
    /// The packs that prune has condemned at the destination.
    pub(super) condemned: HashSet<ObjectId>,
    /// Packs or indexes are lost on all destinations, so a snapshot may be incomplete.
    has_losses: bool,
    /// The destinations from which objects are copied.
    pub(super) sources: Vec<usize>,
    /// The key slots that were removed, if the destinations list different ones.
    removed_slots: HashSet<ObjectId>,
}

/// The number of times that the lists are made while prune condemns packs.
const ATTEMPTS: u32 = 4;

/// Fills a destination; `suspects` are objects of it that a reader found damaged or missing.
///
/// # Errors
/// [`Error::Interrupted`], and an error of every destination at once. Others are in the report.
pub(super) fn fill(task: &Task<'_>, suspects: &[ObjectName]) -> Result<FillReport> {
    let mut report = FillReport { destination: task.destination, ..FillReport::default() };
    for attempt in 1.. {
        let Some(found) = find(task, &mut report)? else { return Ok(report) };
        match copy(task, &found, suspects, &mut report) {
            Ok(()) => break,
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            // Prune has condemned packs since the lists: they are made anew.
            Err(Error::Overtaken) if attempt < ATTEMPTS => report.problems.clear(),
            Err(error) => {
                report.error = Some(error);
                break;
            }
        }
    }
    report.healed.sort_unstable();
    report.incomplete.sort_unstable();
    Ok(report)
}

/// Lists everything; returns `None`, with the reason in the report, when the destination can't be listed.
fn find(task: &Task<'_>, report: &mut FillReport) -> Result<Option<Found>> {
    let Task { repository, destination, options, .. } = *task;
    let (mut listing, mut state) = repository.list_state(&Area::ALL)?;
    if let Some(error) = listing.take_error(destination) {
        report.error = Some(error);
        return Ok(None);
    }
    let mut unread = std::mem::take(&mut state.snapshots.problems);
    // What was forgotten must not be committed because a request failed.
    let of_tombstone = |error: &Error| matches!(error, Error::Backend { object, .. } if object.contains(Area::Forgotten.folder()));
    if let Some(at) = unread.iter().position(of_tombstone) {
        report.error = Some(unread.swap_remove(at));
        return Ok(None);
    }
    // A session that can't be read matters while it may commit a snapshot that no other one commits.
    let is_settled = covers(&listing, &state);
    report.problems.extend(unread.into_iter().filter(|error| !is_settled || !is_of_session(error)));
    if !state.counting_beyond(destination).is_empty() {
        // Lists of one moment may show a snapshot without its index and packs: later ones show them.
        report.problems.extend(listing.list_again(repository, &[Area::Index, Area::Packs]));
    }
    let index = repository.open_listed_index(&listing.union(Area::Index), HashSet::new())?;
    let described = index.index.pack_sizes();
    let mut condemned = repository.condemned_lists(&listing)?;
    let removed_slots = match removed_somewhere(repository, &listing) {
        Ok(removed) => removed,
        Err(error) => {
            // A removed slot must not be copied.
            report.error = Some(error);
            return Ok(None);
        }
    };
    let coverage = Coverage::new(&listing, &state, described.clone(), &condemned)
        .without_slots(removed_slots.clone());
    let lacking = match listing.of(destination) {
        Ok(listed) => coverage.lacking(destination, listed),
        Err(_) => return Ok(None),
    };
    let is_source = |number: &usize| {
        *number != destination && options.from.as_ref().is_none_or(|wanted| wanted.contains(number))
    };
    let sources = listing.reached().map(|(number, _)| number).filter(is_source).collect();
    // Nothing is known of what such a source has, so the destination does not count as whole.
    for source in (0..repository.destinations().len()).filter(is_source) {
        report.problems.extend(listing.take_error(source));
    }
    let condemned = condemned.swap_remove(destination);
    let is_lost = |(id, size): (&ObjectId, &u64)| {
        !listing.reached().any(|(_, listed)| listed.packs.get(id) == Some(size))
    };
    let has_losses = !index.damaged.is_empty() || described.iter().any(is_lost);
    Ok(Some(Found {
        listing,
        state,
        lacking,
        described,
        condemned,
        has_losses,
        sources,
        removed_slots,
    }))
}

fn copy(
    task: &Task<'_>,
    found: &Found,
    suspects: &[ObjectName],
    report: &mut FillReport,
) -> Result<()> {
    let to = &**task.repository.destinations()[task.destination].backend();
    let is_thorough = task.options.verify == Verify::Everything;
    let heals = is_thorough || to.capabilities().cheap_requests;
    let mut healed = Healing { task, found, to, report, suspects, heals };
    healed.heal_areas(&[Area::Keys, Area::Headers])?;
    healed.copy_keys()?;
    // A tombstone comes first: what was forgotten elsewhere must not be committed here.
    let lost = healed.heal_areas(&[Area::Forgotten])?;
    healed.copy_areas(&[Area::Forgotten])?;
    healed.copy_in_place_of(&lost)?;
    healed.remove_slots()?;
    let tasks = pack_tasks(found, task, suspects, is_thorough);
    let writes = tasks.iter().any(|task| task.action == Action::Copy);
    let mut open = None;
    if writes || !found.lacking.commits.is_empty() {
        let destination = [task.destination];
        let session = session::open(task.repository, &destination, task.writer, now())?;
        if session.condemned != found.condemned {
            session.abort(task.repository, now())?;
            return Err(Error::Overtaken);
        }
        open = Some(session);
    }
    let lost = copy_packs(task, found, to, (&tasks, open.as_ref()), healed.report)?;
    let last = [Area::Index, Area::Snapshots, Area::Annotations];
    healed.heal_areas(&last)?;
    healed.copy_areas(&last)?;
    if let Some(session) = open {
        // An index that no source has whole leaves out packs, as a lost pack does.
        let has_losses = !lost.is_empty() || !report.problems.is_empty();
        commit(task, found, session, has_losses, report)?;
    }
    parity::copy(task, found, to, report)?;
    if heals {
        remove_damaged_sessions(task, found, to, report)?;
    }
    Ok(())
}

/// Chooses the packs to be copied and verified.
fn pack_tasks(
    found: &Found,
    task: &Task<'_>,
    suspects: &[ObjectName],
    is_thorough: bool,
) -> Vec<PackTask> {
    let Ok(listed) = found.listing.of(task.destination) else { return Vec::new() };
    let lacking = found.lacking.packs.iter().map(|&(id, size)| {
        let is_there = listed.packs.contains_key(&id);
        let action = if is_there { Action::Replace } else { Action::Copy };
        PackTask { id, size, action }
    });
    let mut tasks: Vec<PackTask> = lacking.collect();
    let suspects: HashSet<&ObjectName> = suspects.iter().collect();
    let verified = found.described.iter().filter(|(id, size)| {
        let is_chosen = is_thorough || suspects.contains(&ObjectName::pack(**id));
        is_chosen && listed.packs.get(*id) == Some(*size) && !found.condemned.contains(*id)
    });
    let mut verified: Vec<PackTask> =
        verified.map(|(&id, &size)| PackTask { id, size, action: Action::Verify }).collect();
    verified.sort_unstable_by_key(|task| task.id);
    tasks.append(&mut verified);
    tasks
}

/// Copies packs; returns those that could not be copied, because no source has them whole.
fn copy_packs(
    task: &Task<'_>,
    found: &Found,
    to: &dyn Backend,
    (tasks, session): (&[PackTask], Option<&OpenSession>),
    report: &mut FillReport,
) -> Result<Vec<ObjectId>> {
    if tasks.is_empty() {
        return Ok(Vec::new());
    }
    let sizes = |&number: &usize| Some((number, &found.listing.of(number).ok()?.packs));
    let copier = Copier {
        repository: task.repository,
        sources: found.sources.iter().filter_map(sizes).collect(),
        to,
        session,
        pulse: Pulse::default(),
        observer: task.observer,
    };
    let Outcome { copied, bytes, healed, failed, error } = copier.run(tasks);
    report.copied += copied;
    report.bytes += bytes;
    report.healed.extend(healed);
    let (mut lost, mut unreachable) = (Vec::new(), None);
    for (id, error) in failed {
        match error.is_of_copy() {
            true => {
                lost.push(id);
                report.problems.push(error);
            }
            // A source that fails now may have the pack at the next time.
            false => drop(unreachable.get_or_insert(error)),
        }
    }
    error.or(unreachable).map_or(Ok(lost), Err)
}

/// Copies small objects, and replaces damaged ones.
struct Healing<'a, 'f> {
    task: &'a Task<'f>,
    found: &'a Found,
    to: &'a dyn Backend,
    report: &'a mut FillReport,
    suspects: &'a [ObjectName],
    /// Every small object is verified, not only the suspects.
    heals: bool,
}

impl Healing<'_, '_> {
    /// Replaces what the destination has in a damaged form; returns what no other one has whole.
    fn heal_areas(&mut self, areas: &[Area]) -> Result<Vec<ObjectName>> {
        let Task { repository, destination, observer, .. } = *self.task;
        let mut lost = Vec::new();
        let Ok(listed) = self.found.listing.of(destination) else { return Ok(lost) };
        for &area in areas {
            let header = (area == Area::Headers).then(ObjectName::header);
            for name in header.iter().chain(listed.names(area)) {
                if !self.heals && !self.suspects.contains(name) {
                    continue;
                }
                if observer.interrupted() {
                    return Err(Error::Interrupted);
                }
                if self.is_removed_slot(area, name) {
                    continue;
                }
                match load(repository, self.to, area, name) {
                    // One that is missing is deleted just now, or copied.
                    Ok(_) | Err(Error::Missing { .. }) => continue,
                    Err(error) if error.is_of_copy() => {}
                    Err(error) => return Err(error),
                }
                match load_from_any(repository, &self.found.sources, area, name) {
                    Ok(bytes) => {
                        backend::replace(self.to, name, &bytes)?;
                        self.report.healed.push(name.clone());
                        self.report.bytes += bytes.len() as u64;
                    }
                    Err(error) if error.is_of_copy() => {
                        self.report.problems.push(error);
                        lost.push(name.clone());
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(lost)
    }

    /// Copies the tombstones of other destinations that name what lost ones of this destination may have named: lists
    /// have other names everywhere.
    fn copy_in_place_of(&mut self, lost: &[ObjectName]) -> Result<()> {
        let Task { repository, destination, .. } = *self.task;
        let Ok(listed) = self.found.listing.of(destination) else { return Ok(()) };
        if lost.is_empty() {
            return Ok(());
        }
        let own: HashSet<&ObjectName> = listed.names(Area::Forgotten).iter().collect();
        let objects = &self.found.state.tombstone_objects;
        let is_whole = |object: &&TombstoneObject| !lost.contains(&object.name);
        let here = objects.iter().filter(is_whole).filter(|object| own.contains(&object.name));
        let mut known: HashSet<SnapshotId> = here.flat_map(|one| &one.snapshots).copied().collect();
        for object in objects.iter().filter(is_whole) {
            if object.snapshots.iter().all(|id| known.contains(id)) {
                continue;
            }
            let name = &object.name;
            match load_from_any(repository, &self.found.sources, Area::Forgotten, name) {
                Ok(bytes) => {
                    backend::save(self.to, name, &bytes)?;
                    self.report.copied += 1;
                    self.report.bytes += bytes.len() as u64;
                    known.extend(&object.snapshots);
                }
                Err(error) if error.is_of_copy() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn is_removed_slot(&self, area: Area, name: &ObjectName) -> bool {
        let id = name.id().filter(|_| area == Area::Keys);
        id.is_some_and(|id| self.found.removed_slots.contains(&ObjectId(id)))
    }

    /// Removes the key slots that were removed elsewhere, now that the removals are copied.
    fn remove_slots(&mut self) -> Result<()> {
        let Task { repository, destination, .. } = *self.task;
        if self.found.removed_slots.is_empty() {
            return Ok(());
        }
        match delete_removed(repository, destination, &self.found.removed_slots) {
            Ok(removed) => self.report.removed_slots += removed.len() as u64,
            Err(error @ Error::Refused(_)) => self.report.problems.push(error),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Copies key slots, and then the headers that put their keys in force: without the slots nothing would open the
    /// destination.
    fn copy_keys(&mut self) -> Result<()> {
        let problems = self.report.problems.len();
        self.copy_areas(&[Area::Keys])?;
        if self.report.problems.len() > problems {
            return Ok(());
        }
        self.copy_areas(&[Area::Headers])?;
        let Task { repository, destination, .. } = *self.task;
        let header = load_header(self.to)?.verify(&repository.keys)?;
        repository.destinations()[destination].put_in_force(header.generation);
        Ok(())
    }

    /// Copies what the destination lacks.
    fn copy_areas(&mut self, areas: &[Area]) -> Result<()> {
        for &area in areas {
            let prefix = format!("{}/", area.folder());
            let objects = self.found.lacking.objects.iter();
            for name in objects.filter(|name| name.as_str().starts_with(&prefix)) {
                if self.task.observer.interrupted() {
                    return Err(Error::Interrupted);
                }
                match load_from_any(self.task.repository, &self.found.sources, area, name) {
                    Ok(bytes) => {
                        backend::save(self.to, name, &bytes)?;
                        self.report.copied += 1;
                        self.report.bytes += bytes.len() as u64;
                    }
                    // Prune has put it together with others.
                    Err(Error::Missing { .. }) if area == Area::Forgotten => {}
                    Err(error) if error.is_of_copy() => self.report.problems.push(error),
                    // A source that fails now may have it at the next time.
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }
}

/// Commits the snapshots that the destination has whole and did not commit yet.
fn commit(
    task: &Task<'_>,
    found: &Found,
    session: OpenSession,
    has_losses: bool,
    report: &mut FillReport,
) -> Result<()> {
    let Task { repository, destination, observer, .. } = *task;
    let view = repository.only(destination);
    let mut commits: BTreeSet<SnapshotId> = found.lacking.commits.iter().copied().collect();
    let mut incomplete = view.unreadable_snapshots(&commits);
    // Otherwise the destination has every pack that an index describes, so every tree is whole.
    let is_described = |id: &ObjectId| found.described.contains_key(id);
    if has_losses || found.has_losses || found.condemned.iter().any(is_described) {
        let entries = found.state.snapshots.list.iter();
        let chosen = entries.filter(|entry| commits.contains(&entry.id));
        let chosen: Vec<_> = chosen.map(|entry| (entry.id, entry.snapshot.clone())).collect();
        incomplete.extend(check::incomplete(&view, &chosen, observer)?);
    }
    commits.retain(|id| !incomplete.contains(id));
    report.incomplete.extend(incomplete);
    let Some(open) = session.open.first() else { return Ok(()) };
    let ordered = found.state.snapshots.list.iter().map(|entry| entry.id);
    let ordered: Vec<SnapshotId> = ordered.filter(|id| commits.contains(id)).collect();
    let count = ordered.len() as u64;
    let outcome = record::Outcome::Commit(ordered);
    let place = &repository.destinations()[destination];
    let verdict =
        session::seal_verdict(place, &repository.keys, open.id, &outcome, now(), &session);
    match backend::save(&**place.backend(), &verdict.name, &verdict.object)? {
        Published::Created => report.committed = count,
        Published::Exists => return Err(Error::Overtaken),
    }
    Ok(())
}

/// Returns true if every listed snapshot is committed or forgotten as far as the sessions could be read.
fn covers(listing: &Listing, state: &State) -> bool {
    let forgotten: HashSet<SnapshotId> =
        state.snapshots.forgotten.iter().map(|tombstone| tombstone.snapshot).collect();
    let committed: HashSet<SnapshotId> = state.committed.iter().flatten().copied().collect();
    let is_covered = |name: &ObjectName| {
        let id = name.id().map(SnapshotId);
        id.is_none_or(|id| committed.contains(&id) || forgotten.contains(&id))
    };
    listing.union(Area::Snapshots).iter().all(is_covered)
}

fn is_of_session(error: &Error) -> bool {
    let (Error::Damaged { object, .. } | Error::Missing { object }) = error else { return false };
    object.starts_with(Area::Sessions.folder())
}

/// Removes damaged sessions and verdicts, once everything that they may have committed is committed by others.
fn remove_damaged_sessions(
    task: &Task<'_>,
    found: &Found,
    to: &dyn Backend,
    report: &mut FillReport,
) -> Result<()> {
    let Ok(listed) = found.listing.of(task.destination) else { return Ok(()) };
    let mut damaged = BTreeSet::new();
    for name in listed.names(Area::Sessions) {
        match load(task.repository, to, Area::Sessions, name) {
            Ok(_) | Err(Error::Missing { .. }) => {}
            Err(error) if error.is_of_copy() => damaged.extend(name.id()),
            Err(error) => return Err(error),
        }
    }
    if damaged.is_empty() {
        return Ok(());
    }
    let now = task.repository.only(task.destination).list(&[
        Area::Sessions,
        Area::Snapshots,
        Area::Forgotten,
    ])?;
    let state = task.repository.only(task.destination).state(&now);
    if !covers(&now, &state) {
        return Ok(());
    }
    for id in damaged {
        let id = ObjectId(id);
        let of_session = |name: &&ObjectName| name.id() == Some(id.0);
        // The session goes before its verdict (FORMAT.md §11).
        for name in listed.names(Area::Sessions).iter().filter(of_session) {
            to.delete(name)?;
            report.healed.push(name.clone());
        }
    }
    Ok(())
}
