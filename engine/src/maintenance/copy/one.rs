//! Copying one snapshot, in a session of its own.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::census::Counts;
use super::content::Recutter;
use super::tree::{EarlierTrees, Failed, TreeCopier, is_whole};
use super::{BUDGET, Copied, Job, nearest, origin_of};
use crate::backup::resume;
use crate::error::{Error, Refusal, Result};
use crate::format::id::{BlobId, SnapshotId};
use crate::format::object::{Kind, ObjectName};
use crate::format::record::{Origin, Snapshot, Totals, UnknownParts};
use crate::format::seal;
use crate::index::BlobIndex;
use crate::maintenance::replacement::carry_annotation;
use crate::operation::clock::now;
use crate::operation::observer::Event;
use crate::read::reader::Reader;
use crate::repository::session::OpenSession;
use crate::repository::{Behind, MirrorWriter, Snapshots, Targets, session};
use crate::snapshots::{SnapshotEntry, suspicion};
use crate::store::{StoreState, store_blobs};

/// The outcome of copying one snapshot.
pub(super) enum Outcome {
    /// It was copied, but not to these destinations.
    Copied(Box<Copied>, Vec<Behind>),
    /// The snapshot can't be read as a whole: the path, and the error. Nothing was committed.
    Unreadable(Vec<u8>, Error),
    /// Another copy was made meanwhile.
    Present,
}

/// The tree of a copy, and the bytes that it added.
struct Stored {
    root: BlobId,
    counts: Counts,
    new_bytes: u64,
    stored_bytes: u64,
}

/// A tree that was stored, or the path in the source that can't be read.
type Tree = std::result::Result<Stored, (Vec<u8>, Error)>;

impl Job<'_> {
    /// Copies the snapshot at a place of the list. `verified` are the snapshots here that are known to be whole.
    pub(super) fn copy(&self, at: usize, verified: &mut HashSet<SnapshotId>) -> Result<Outcome> {
        let (to, entry) = (self.to, &self.list[at]);
        let (mut listing, state) = to.list_state(Targets::areas(to))?;
        let origin = origin_of(self.from, entry, self.machine);
        if state.snapshots.list.iter().any(|one| one.snapshot.origin == Some(origin)) {
            return Ok(Outcome::Present);
        }
        let targets = Targets::choose(to, &mut listing, &state)?;
        let left = resume::left_open(state.sessions.list);
        resume::clear(to, &left);
        let mut opened = session::open(to, &targets.destinations, self.writer, now())?;
        let index = match to.open_index_to_write(&mut opened) {
            Ok(index) => index,
            Err(error) => return Err(self.end_failed(Some(opened), error)),
        };
        let mirrors = MirrorWriter::start(to, opened, self.observer);
        let stored = resume::adopt(to, &left, &mirrors, index).and_then(|index| {
            let common = |one: &&SnapshotEntry| targets.common.contains(&one.id);
            let here: Vec<_> = state.snapshots.list.iter().filter(common).collect();
            self.store(at, &mirrors, index, &here, verified)
        });
        let stored = match stored {
            Ok(Ok(stored)) => stored,
            Ok(Err((path, error))) => {
                let _ = self.end_failed(mirrors.stop(), Error::Interrupted);
                // What does not answer now may answer later, and concerns all snapshots.
                return match error.is_temporary() || matches!(error, Error::Interrupted) {
                    true => Err(error),
                    false => Ok(Outcome::Unreadable(path, error)),
                };
            }
            Err(error) => return Err(self.end_failed(mirrors.stop(), error)),
        };
        let id = match self.save(entry, origin, &state.snapshots, &mirrors, &stored) {
            Ok(id) => id,
            // It has more names than a snapshot can hold with its origin.
            Err(error @ Error::Refused(Refusal::RecordTooLarge { .. })) => {
                let _ = self.end_failed(mirrors.stop(), Error::Interrupted);
                return Ok(Outcome::Unreadable(Vec::new(), error));
            }
            Err(error) => return Err(self.end_failed(mirrors.stop(), error)),
        };
        let mut behind = mirrors.commit(&[id], now())?;
        behind.extend(targets.behind);
        resume::end_dead(to, &left, self.writer);
        verified.insert(id);
        let Stored { new_bytes, stored_bytes, .. } = stored;
        let copied = Copied { source: entry.clone(), copy: Some(id), new_bytes, stored_bytes };
        Ok(Outcome::Copied(Box::new(copied), behind))
    }

    /// Ends a session that commits nothing, and returns the error.
    fn end_failed(&self, session: Option<OpenSession>, error: Error) -> Error {
        // While a session has no verdict, the next writer looks for packs that no index describes.
        if let (Some(session), false) = (session, matches!(error, Error::Backend { .. })) {
            let _ = session.abort(self.to, now());
        }
        error
    }

    /// Stores the tree of a snapshot.
    fn store(
        &self,
        at: usize,
        mirrors: &MirrorWriter<'_>,
        index: BlobIndex,
        here: &[&SnapshotEntry],
        verified: &mut HashSet<SnapshotId>,
    ) -> Result<Tree> {
        let (to, entry) = (self.to, &self.list[at]);
        let (shared, keys) = (Arc::clone(&to.mirrors), Arc::clone(&to.keys));
        let copies = Reader::new(shared, keys, index.clone(), BUDGET, to.frame_cache());
        let earlier = self.earlier(at, &copies, &index, here, verified)?;
        let recutter = Recutter::new(self.reader, to, self.observer);
        let copier = TreeCopier {
            source: self.reader,
            copies: &copies,
            recutter: &recutter,
            observer: self.observer,
            census: self.census.as_ref(),
        };
        let state = StoreState::new(to, Some(mirrors));
        let (tree, stored_bytes) = store_blobs(&state, index, |store| {
            match copier.copy(&entry.snapshot.root, earlier, store) {
                Ok((root, counts)) => Ok(Ok((root, counts, store.new_bytes))),
                Err((path, Failed::Source(error))) => Ok(Err((path, error))),
                Err((_, Failed::Target(error))) => Err(error),
            }
        })?;
        let totals = entry.snapshot.totals;
        let read = recutter.files_read();
        self.observer.event(Event::Done {
            files: totals.files.saturating_sub(read.files),
            bytes: totals.bytes.saturating_sub(read.bytes),
        });
        Ok(tree.map(|(root, counts, new_bytes)| Stored { root, counts, new_bytes, stored_bytes }))
    }

    /// Finds an earlier snapshot with a copy from which unchanged parts are taken.
    ///
    /// A copy of an earlier run is read through once: one that lacks something would pass that on.
    fn earlier(
        &self,
        at: usize,
        copies: &Reader,
        index: &BlobIndex,
        here: &[&SnapshotEntry],
        verified: &mut HashSet<SnapshotId>,
    ) -> Result<Option<EarlierTrees>> {
        let with_origin = |one: &&SnapshotEntry| Some((one.snapshot.origin?, one.id));
        let known: HashMap<Origin, SnapshotId> = here.iter().filter_map(with_origin).collect();
        let found = nearest(self.from, self.list, at, &known, self.machine);
        let Some((source, id)) = found else { return Ok(None) };
        let Some(copy) = here.iter().find(|one| one.id == id) else { return Ok(None) };
        let copy = copy.snapshot.root;
        if !verified.contains(&id) {
            if !is_whole(copies, index, &copy)? {
                return Ok(None);
            }
            verified.insert(id);
        }
        Ok(Some(EarlierTrees { source: source.snapshot.root, copy }))
    }

    /// Saves the record of the copy, and what was noted about the snapshot later.
    fn save(
        &self,
        entry: &SnapshotEntry,
        origin: Origin,
        known: &Snapshots,
        mirrors: &MirrorWriter<'_>,
        stored: &Stored,
    ) -> Result<SnapshotId> {
        let (to, client) = (self.to, self.writer.client);
        let (newest, seen) = known.newest_and_heads(client);
        let (new_bytes, stored_bytes) = (stored.new_bytes, stored.stored_bytes);
        let mut snapshot = Snapshot {
            // Its place is that of its time, which the order of the other repository has set right.
            time: entry.since,
            time_given: true,
            root: stored.root,
            client,
            sequence: newest.map_or(1, |(sequence, _)| sequence.saturating_add(1)),
            previous: newest.map(|(_, id)| id),
            seen,
            totals: Totals { new_bytes, stored_bytes, ..entry.snapshot.totals },
            session: mirrors.session().id(),
            origin: Some(origin),
            ..entry.snapshot.clone()
        };
        if let Some(machine) = self.machine {
            distrust(&mut snapshot, machine, known, stored.counts);
        }
        let content = snapshot.encode();
        let id = SnapshotId(to.keys.draw_salt(&content));
        let name = ObjectName::snapshot(id);
        mirrors.save(&name, seal::seal_whole(&to.keys, Kind::Snapshot, &name, id.0, &content)?)?;
        to.remember(&name, &content);
        carry_annotation(to, mirrors, (id, &snapshot), entry, self.writer)?;
        Ok(id)
    }
}

/// Sets what a write-only machine says of its snapshot right: who it is, when it was, and how much changed.
///
/// Its time is not before what was collected from the machine earlier, so that it can't take the place of a day that is
/// past, and not in the future.
fn distrust(snapshot: &mut Snapshot, machine: &str, known: &Snapshots, counts: Counts) {
    let of_machine = known.list.iter().filter(|one| one.snapshot.host == machine);
    let newest = of_machine.map(|one| one.snapshot.time).max();
    machine.clone_into(&mut snapshot.host);
    snapshot.unknown = UnknownParts::default();
    snapshot.collected = true;
    snapshot.partial = false;
    snapshot.time = newest.map_or(snapshot.time, |newest| snapshot.time.max(newest)).min(now());
    snapshot.totals.files = counts.files;
    snapshot.totals.new_files = counts.new;
    snapshot.totals.changed_files = counts.changed;
    let earlier = suspicion::earlier(&known.list, &snapshot.host, &snapshot.sources);
    snapshot.suspicious |= suspicion::assess(&earlier, snapshot).is_some();
}
