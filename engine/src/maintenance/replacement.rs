//! Snapshots that are made of others: without what is unwanted, or without what is lost.
//!
//! They stand at the times of those that they are made of, and are chained to the newest of the machine that makes them.
//! All of them are committed together.

use yore_platform::Timestamp;

use crate::error::Result;
use crate::format::id::SnapshotId;
use crate::format::object::{Kind, ObjectName};
use crate::format::record::{Annotation, Snapshot};
use crate::format::seal;
use crate::operation::clock::now;
use crate::operation::observer::Observer;
use crate::read::reader::Reader;
use crate::repository::{Behind, MirrorWriter, Repository, Snapshots, Targets, Writer, session};
use crate::snapshots::SnapshotEntry;
use crate::store::{BlobStore, StoreState, store_blobs};

/// Bytes of decoded frames of the trees that are kept.
pub(super) const BUDGET: usize = 32 << 20;

/// The repository, and who makes the snapshots.
#[derive(Clone, Copy)]
pub(super) struct Task<'a> {
    pub(super) repository: &'a Repository,
    pub(super) writer: &'a Writer,
    pub(super) now: Timestamp,
    pub(super) observer: &'a dyn Observer,
}

/// A snapshot, and the record of the one that is made of it.
///
/// The record needs neither a place in the order nor a writer.
pub(super) type Replacement<'e> = (&'e SnapshotEntry, Snapshot);

impl Task<'_> {
    /// Commits the snapshots whose trees `make` stores; returns their ids, and the destinations that are behind.
    ///
    /// # Errors
    /// Those of `make`; then nothing is committed.
    pub(super) fn commit<'e>(
        &self,
        make: impl FnOnce(&Reader, &mut BlobStore<'_, '_>) -> Result<Vec<Replacement<'e>>>,
    ) -> Result<(Vec<SnapshotId>, Vec<Behind>)> {
        let Task { repository, writer, observer, .. } = *self;
        let (mut listing, state) = repository.list_state(Targets::areas(repository))?;
        let targets = Targets::choose(repository, &mut listing, &state)?;
        let mut opened = session::open(repository, &targets.destinations, writer, self.now)?;
        let index = repository.open_index_to_write(&mut opened)?.into_index();
        let mirrors = MirrorWriter::start(repository, opened, observer);
        let (shared, keys) = (repository.mirrors.clone(), repository.keys.clone());
        let reader = Reader::new(shared, keys, index.clone(), BUDGET, repository.frame_cache());
        let stored = StoreState::new(repository, Some(&mirrors));
        let made = store_blobs(&stored, index, |store| make(&reader, store))
            .and_then(|(made, _)| self.save(&mirrors, &state.snapshots, made));
        match made {
            Ok(ids) => {
                let mut behind = mirrors.commit(&ids, now())?;
                behind.extend(targets.behind);
                Ok((ids, behind))
            }
            Err(error) => {
                if let Some(session) = mirrors.stop() {
                    // What was written is in an index; prune frees it.
                    let _ = session.abort(repository, now());
                }
                Err(error)
            }
        }
    }

    /// Saves the records.
    fn save(
        &self,
        mirrors: &MirrorWriter<'_>,
        known: &Snapshots,
        made: Vec<Replacement<'_>>,
    ) -> Result<Vec<SnapshotId>> {
        let keys = &self.repository.keys;
        let (newest, seen) = known.newest_and_heads(self.writer.client);
        let (mut sequence, mut previous) =
            newest.map_or((0, None), |(sequence, id)| (sequence, Some(id)));
        let mut ids = Vec::new();
        for (entry, record) in made {
            sequence += 1;
            let snapshot = Snapshot {
                sequence,
                previous,
                seen: seen.clone(),
                client: self.writer.client,
                session: mirrors.session().id(),
                // Its place is that of its time, as that of the other was.
                time: entry.since,
                time_given: true,
                suspicious: entry.needs_attention(),
                ..record
            };
            let content = snapshot.encode();
            let id = SnapshotId(keys.draw_salt(&content));
            let name = ObjectName::snapshot(id);
            mirrors.save(&name, seal::seal_whole(keys, Kind::Snapshot, &name, id.0, &content)?)?;
            carry_annotation(self.repository, mirrors, (id, &snapshot), entry, self.writer)?;
            previous = Some(id);
            ids.push(id);
        }
        Ok(ids)
    }
}

/// Saves for a snapshot what was noted about the one of which it was made.
///
/// Before the verdict, so that no policy meets it without its pin.
pub(super) fn carry_annotation(
    repository: &Repository,
    mirrors: &MirrorWriter<'_>,
    (id, snapshot): (SnapshotId, &Snapshot),
    entry: &SnapshotEntry,
    writer: &Writer,
) -> Result<()> {
    if !entry.pinned && entry.labels.is_empty() {
        return Ok(());
    }
    let annotation = Annotation {
        snapshot: id,
        time: now(),
        host: writer.host.clone(),
        user: writer.user.clone(),
        pinned: entry.pinned,
        tags: snapshot.tags.clone(),
        labels: entry.labels.clone(),
        unknown: Vec::new(),
    };
    let (name, content) = (ObjectName::annotation(id, 0), annotation.encode());
    let salt = repository.keys.draw_salt(&content);
    let object = seal::seal_whole(&repository.keys, Kind::Annotation, &name, salt, &content)?;
    mirrors.save(&name, object)
}
