//! Annotations of snapshots: pins, tags and labels that are given later (FORMAT.md §10).
//!
//! The annotation with the highest number is in force as a whole. A writer creates the next number only if it is absent;
//! one that loses the race reads again, so no change is lost.

use std::collections::HashMap;

use yore_platform::Timestamp;

use crate::backend::Published;
use crate::error::{Error, Result};
use crate::format::id::SnapshotId;
use crate::format::object::{Area, Kind, ObjectName};
use crate::format::record::Annotation;
use crate::format::seal;
use crate::repository::forget::save_everywhere;
use crate::repository::records::Records;
use crate::repository::session::Writer;
use crate::repository::{Behind, Problems, Repository};
use crate::snapshots::order::SnapshotEntry;

/// The attempts to create the next annotation while others create some.
const ATTEMPTS: usize = 16;

/// The result of annotating a snapshot.
#[derive(Debug)]
pub struct AnnotateReport {
    /// The annotation that is in force now.
    pub annotation: Annotation,
    /// The destinations that did not get it; `sync` copies it.
    pub behind: Vec<Behind>,
}

/// Applies the annotations in force to their snapshots; `names` are sorted.
///
/// A snapshot whose annotation can't be read counts as pinned: it may be.
pub(in crate::repository) fn apply(
    list: &mut [SnapshotEntry],
    names: &[ObjectName],
    records: &mut Records<'_>,
    problems: &mut Problems,
) {
    if names.is_empty() {
        return;
    }
    // Of several of one snapshot, the last has the highest number.
    let in_force: HashMap<[u8; 32], &ObjectName> =
        names.iter().filter_map(|name| Some((name.id()?, name))).collect();
    for entry in list {
        let Some(name) = in_force.get(&entry.id.0) else { continue };
        match records.annotation(name) {
            Ok(Annotation { pinned, tags, labels, .. }) => {
                (entry.pinned, entry.labels, entry.snapshot.tags) = (pinned, labels, tags);
            }
            Err(error) => {
                entry.pinned = true;
                problems.push(error);
            }
        }
    }
}

/// Changes what is noted about a snapshot.
///
/// # Errors
/// [`Error::NotFound`] when the snapshot does not count; the error of an annotation in force that can't be read.
pub fn annotate(
    repository: &Repository,
    id: SnapshotId,
    writer: &Writer,
    now: Timestamp,
    change: impl Fn(&mut Annotation),
) -> Result<AnnotateReport> {
    repository.must_be_own()?;
    repository.must_be_writable()?;
    for _ in 0..ATTEMPTS {
        let names = repository.list(&[Area::Annotations])?.union(Area::Annotations);
        let newest = names.iter().rfind(|name| name.id() == Some(id.0));
        let known = repository.snapshots()?;
        let found = known.list.iter().find(|entry| entry.id == id);
        let Some(entry) = found else {
            return Err(Error::NotFound { what: format!("there is no snapshot {id}") });
        };
        let mut annotation = Annotation {
            snapshot: id,
            time: now,
            host: writer.host.clone(),
            user: writer.user.clone(),
            pinned: entry.pinned,
            tags: entry.snapshot.tags.clone(),
            labels: entry.labels.clone(),
            unknown: Vec::new(),
        };
        let mut number = 0;
        if let Some(newest) = newest {
            // One that can't be read must not be replaced by a guess.
            let known = Records::open(repository).annotation(newest)?;
            (annotation.pinned, annotation.tags, annotation.labels) =
                (known.pinned, known.tags, known.labels);
            annotation.unknown = known.unknown;
            let last = newest.suffix().and_then(|number| u32::from_str_radix(number, 16).ok());
            number = last.map_or(0, |last| last.saturating_add(1));
        }
        change(&mut annotation);
        let (name, content) = (ObjectName::annotation(id, number), annotation.encode());
        let salt = repository.keys.draw_salt(&content);
        let object = seal::seal_whole(&repository.keys, Kind::Annotation, &name, salt, &content)?;
        let mut behind = Vec::new();
        if save_everywhere(repository, &name, &object, &mut behind)? == Published::Created {
            return Ok(AnnotateReport { annotation, behind });
        }
    }
    Err(Error::Overtaken)
}
