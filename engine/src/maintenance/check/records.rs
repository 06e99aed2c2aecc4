//! The small objects: header, key slots, destination, sessions, generations.

use std::collections::{BTreeMap, HashSet};

use super::report::Findings;
use crate::backend::{self, ListedObject, UnfinishedFile};
use crate::error::{Error, Result};
use crate::format::cbor::Read;
use crate::format::header::{MAX_HEADER, Unverified};
use crate::format::id::{ObjectId, SnapshotId};
use crate::format::object::{Area, Kind, ObjectName};
use crate::format::record::{
    Annotation, Generation, Outcome, Session, Tombstone, Verdict, decode_destination,
};
use crate::repository::{KnownSlot, Repository, known_slots, load_sealed};

/// Lists an area; what can't be listed is a problem and holds nothing.
pub(super) fn list(
    repository: &Repository,
    area: Area,
    findings: &mut Findings,
) -> Vec<ListedObject> {
    findings.take(area.folder(), repository.backend().list(area)).unwrap_or_default()
}

/// Loads and decodes a sealed record.
pub(super) fn load<T>(
    repository: &Repository,
    kind: Kind,
    name: &ObjectName,
    decode: impl FnOnce(&[u8]) -> Read<T>,
) -> Result<T> {
    let content = load_sealed(&**repository.backend(), &repository.keys, kind, name)?;
    decode(&content).map_err(|_| Error::damaged(name.as_str(), "it does not decode"))
}

/// Adds notes about the unfinished files of killed writers, once every area was listed.
pub(super) fn unfinished(repository: &Repository, findings: &mut Findings) {
    let found = findings.take("unfinished files", repository.backend().unfinished());
    for UnfinishedFile { name, size, is_abandoned } in found.unwrap_or_default() {
        findings.note(match is_abandoned {
            true => format!(
                "{name} ({size} bytes) is no object: a killed program left it, and the next backup removes it"
            ),
            false => format!(
                "{name} ({size} bytes) is no object: it is being written, or a program killed elsewhere left it"
            ),
        });
    }
}

/// Checks every header and the destination's own name. The numbers of headers may have gaps.
pub(super) fn header(repository: &Repository, findings: &mut Findings) {
    let mut names = vec![ObjectName::header()];
    names.extend(list(repository, Area::Headers, findings).into_iter().map(|stored| stored.name));
    let mut expected = 0;
    for name in names {
        let read = backend::load(&**repository.backend(), &name, MAX_HEADER)
            .and_then(|bytes| Unverified::decode(&repository.location(), &bytes))
            .and_then(|header| header.verify(&repository.keys));
        let Some(header) = findings.take(name.as_str(), read) else { continue };
        if header.number != name.number().unwrap_or(0) || header.repository != repository.id() {
            findings.damaged(name.as_str(), "it is not the header that comes here");
        } else if header.number > expected {
            findings.note(format!(
                "{name} is not the next after the header before it: a change was not completed, or one that nothing \
                 needs was removed"
            ));
        }
        expected = header.number.saturating_add(1);
    }
    let name = ObjectName::destination();
    let read = load(repository, Kind::Destination, &name, decode_destination);
    if let Some(id) = findings.take(name.as_str(), read)
        && id != repository.primary().id()
    {
        findings.damaged(name.as_str(), "it names another destination than when it was opened");
    }
}

/// Checks every key slot.
pub(super) fn keys(repository: &Repository, findings: &mut Findings) {
    let Some(known) = findings.take("keys", known_slots(repository)) else { return };
    let none = !known.list.iter().any(KnownSlot::counts) && known.problems.is_empty();
    known.problems.into_iter().for_each(|error| findings.problem("keys", error));
    for unread in known.unread {
        findings.problem("keys", unread.into_error());
    }
    for unknown in known.list.iter().filter(|known| known.slot.is_of_unknown_kind()) {
        findings.note(format!(
            "{} is of a kind that this version does not know: a newer one made it",
            ObjectName::slot(unknown.slot.id)
        ));
    }
    for removed in known.list.iter().filter(|known| known.is_removed) {
        findings.note(format!(
            "{} was removed, and its secret still opens this destination: a sync, or the same removal again, removes it",
            ObjectName::slot(removed.slot.id)
        ));
    }
    // An inbox has none: its machine has a key of its own, and its owner derives it.
    if none && !repository.header().is_inbox {
        findings.problem("keys", Error::Missing { object: "every key slot".into() });
    }
}

/// Checks that every generation of prune decodes and none is missing before its end.
pub(super) fn generations(repository: &Repository, findings: &mut Findings) {
    let listed = list(repository, Area::Generations, findings);
    for ListedObject { name, .. } in &listed {
        let is_end = name.suffix().is_some();
        let kind = if is_end { Kind::GenerationEnd } else { Kind::Generation };
        let read = load(repository, kind, name, Generation::decode);
        let Some(generation) = findings.take(name.as_str(), read) else { continue };
        if name.number() != Some(generation.number) {
            findings.damaged(name.as_str(), "an object of another name");
        }
    }
}

/// Checks that every annotation decodes and is of its snapshot.
pub(super) fn annotations(repository: &Repository, findings: &mut Findings) {
    for ListedObject { name, .. } in list(repository, Area::Annotations, findings) {
        let read = load(repository, Kind::Annotation, &name, Annotation::decode);
        let Some(annotation) = findings.take(name.as_str(), read) else { continue };
        if name.id() != Some(annotation.snapshot.0) {
            findings.damaged(name.as_str(), "an object of another name");
        }
    }
}

/// The sessions of a destination, in short.
#[derive(Default)]
pub(super) struct Sessions {
    /// The snapshots that existing sessions commit.
    pub(super) committed: HashSet<SnapshotId>,
    /// The verdicts that commit snapshots and whose sessions are gone, with those snapshots.
    bodiless: Vec<(ObjectName, Vec<SnapshotId>)>,
}

/// Checks sessions, verdicts and heartbeats.
pub(super) fn sessions(repository: &Repository, findings: &mut Findings) -> Sessions {
    let mut by_id: BTreeMap<ObjectId, (bool, Option<Option<Verdict>>)> = BTreeMap::new();
    for ListedObject { name, .. } in list(repository, Area::Sessions, findings) {
        let Some(id) = name.id().map(ObjectId) else { continue };
        let entry = by_id.entry(id).or_default();
        match name.suffix() {
            None => {
                entry.0 = true;
                let read = load(repository, Kind::Session, &name, Session::decode);
                findings.take(name.as_str(), read);
            }
            Some("end") => {
                let read = load(repository, Kind::Verdict, &name, Verdict::decode);
                let ours = |verdict: &Verdict| verdict.destination == repository.primary().id();
                entry.1 = Some(findings.take(name.as_str(), read).filter(ours));
            }
            Some(_) => {
                let read =
                    load_sealed(&**repository.backend(), &repository.keys, Kind::Heartbeat, &name);
                findings.take(name.as_str(), read);
            }
        }
    }
    let mut sessions = Sessions::default();
    for (id, (is_there, verdict)) in by_id {
        let name = ObjectName::session(id);
        match verdict {
            None if is_there => findings.note(format!(
                "{name} has no verdict: a backup is running, or was interrupted and left it"
            )),
            None => findings.note(format!("{name} is gone, but left heartbeats")),
            Some(Some(Verdict { outcome: Outcome::Commit(snapshots), .. })) if is_there => {
                sessions.committed.extend(snapshots);
            }
            Some(Some(Verdict { outcome: Outcome::Commit(snapshots), .. })) => {
                sessions.bodiless.push((name, snapshots));
            }
            Some(_) if is_there => {}
            Some(_) => findings.note(format!("{name} is gone, but its verdict is there")),
        }
    }
    sessions
}

/// Checks the verdicts without a session: prune deletes a session before its verdict once another commits the same, but
/// for what is forgotten.
pub(super) fn bodiless_verdicts(
    sessions: &Sessions,
    forgotten: &BTreeMap<SnapshotId, Tombstone>,
    findings: &mut Findings,
) {
    for (name, snapshots) in &sessions.bodiless {
        let is_settled =
            |id: &SnapshotId| sessions.committed.contains(id) || forgotten.contains_key(id);
        if snapshots.iter().all(is_settled) {
            findings.note(format!("{name} is gone, but its verdict is there"));
        } else {
            findings.problem(name.as_str(), Error::Missing { object: name.to_string() });
        }
    }
}
