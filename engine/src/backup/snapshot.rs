//! The snapshot object of a backup.

use yore_platform::Timestamp;

use crate::backup::BackupOptions;
use crate::backup::assemble::Saved;
use crate::error::{Refusal, Result};
use crate::format::id::SnapshotId;
use crate::format::object::{Kind, ObjectName};
use crate::format::record::{ForeignKind, ForeignSource, Origin, Snapshot, UnknownParts};
use crate::format::seal;
use crate::operation::clock::now;
use crate::repository::session::Writer;
use crate::repository::{MirrorWriter, Repository, Snapshots};
use crate::snapshots::suspicion::{self, Change};

pub(super) mod parts;

/// Refuses more text than the record of a snapshot can hold.
pub(super) fn check_record_size(sources: &[Vec<u8>], options: &BackupOptions) -> Result<()> {
    let patterns = options.excludes.rules.iter().flat_map(|rule| &rule.patterns);
    let texts = options.tags.iter().chain(patterns).map(String::len);
    let lengths = sources.iter().map(Vec::len).chain(texts);
    // The other fields, and the heads of the texts, are small beside it.
    if lengths.map(|length| length + 16).sum::<usize>() > seal::MAX_RECORD / 2 {
        return Err(Refusal::TextTooLong.into());
    }
    Ok(())
}

/// The contents of a snapshot, but for its tree.
pub(super) struct SnapshotContents<'a> {
    pub(super) sources: Vec<Vec<u8>>,
    pub(super) uncovered: Vec<Vec<u8>>,
    pub(super) time: Timestamp,
    pub(super) options: &'a BackupOptions,
    pub(super) writer: Writer,
    pub(super) known: &'a Snapshots,
    pub(super) origin: Option<Origin>,
    /// The machine on which all sources are, if it is not the one that writes.
    pub(super) machine: Option<&'a str>,
}

/// A snapshot object that was saved.
pub(super) struct SavedSnapshot {
    pub(super) id: SnapshotId,
    pub(super) snapshot: Snapshot,
    /// The change since the snapshot before, if it is suspicious.
    pub(super) suspicion: Option<Change>,
}

/// Saves the snapshot object.
pub(super) fn save(
    repository: &Repository,
    destinations: &MirrorWriter<'_>,
    contents: SnapshotContents<'_>,
    saved: &Saved,
) -> Result<SavedSnapshot> {
    let SnapshotContents { sources, uncovered, time, options, writer, known, origin, machine } =
        contents;
    let foreign = machine.into_iter().flat_map(|text| {
        (0..sources.len() as u64).map(|position| ForeignSource {
            position,
            kind: ForeignKind::Machine,
            text: text.to_owned(),
        })
    });
    let foreign = foreign.collect();
    let Writer { host, user, client, program, .. } = writer;
    let (newest, seen) = known.newest_and_heads(client);
    let mut snapshot = Snapshot {
        time,
        time_given: options.time.is_some(),
        suspicious: false,
        collected: false,
        partial: options.only.is_some(),
        end: now(),
        utc_offset: options.utc_offset,
        host,
        user,
        sources,
        root: saved.root,
        root_flags: saved.root_flags,
        tags: options.tags.clone(),
        client,
        sequence: newest.map_or(1, |(sequence, _)| sequence.saturating_add(1)),
        previous: newest.map(|(_, id)| id),
        seen,
        totals: saved.totals,
        program,
        excludes: options.exclusions(),
        uncovered,
        session: destinations.session().id(),
        foreign,
        origin,
        unknown: UnknownParts::default(),
    };
    let earlier = suspicion::earlier(&known.list, &snapshot.host, &snapshot.sources);
    let parts = parts::of(&known.list, &snapshot);
    parts::add(&mut snapshot.totals, &parts);
    let assess = || suspicion::assess(&earlier, &snapshot);
    let suspicion = if snapshot.time_given { None } else { assess() };
    snapshot.suspicious = suspicion.is_some() || parts.iter().any(|part| part.needs_attention());
    let content = snapshot.encode();
    let id = SnapshotId(repository.keys.draw_salt(&content));
    let name = ObjectName::snapshot(id);
    let object = seal::seal_whole(&repository.keys, Kind::Snapshot, &name, id.0, &content)?;
    destinations.save(&name, object)?;
    repository.remember(&name, &content);
    Ok(SavedSnapshot { id, snapshot, suspicion })
}
