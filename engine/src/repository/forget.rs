//! Forgetting snapshots: a snapshot with a tombstone no longer counts.

use yore_platform::Timestamp;

use crate::backend::Published;
use crate::error::{Error, Result};
use crate::format::id::SnapshotId;
use crate::format::object::{Kind, ObjectName};
use crate::format::record::Tombstone;
use crate::format::seal;
use crate::repository::Repository;
use crate::repository::session::Writer;

/// The result of forgetting snapshots.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ForgetReport {
    /// The snapshots that this call forgot.
    pub forgotten: Vec<SnapshotId>,
    /// The snapshots that had a tombstone before.
    pub already: Vec<SnapshotId>,
}

/// Forgets snapshots by one tombstone each, which records `policy` as the reason. Prune frees their space.
///
/// # Errors
/// [`Error::NotFound`], before anything is written, when one of them does not exist.
pub fn forget(
    repository: &Repository,
    ids: &[SnapshotId],
    writer: &Writer,
    now: Timestamp,
    policy: &str,
) -> Result<ForgetReport> {
    for id in ids {
        if repository.backend().size(&ObjectName::snapshot(*id))?.is_none() {
            return Err(Error::NotFound { what: format!("there is no snapshot {id}") });
        }
    }
    let mut report = ForgetReport::default();
    for &snapshot in ids {
        // A snapshot that can't be read can still be forgotten.
        let known = repository.load_snapshot(snapshot).ok();
        let tombstone = Tombstone {
            snapshot,
            time: now,
            host: writer.host.clone(),
            user: writer.user.clone(),
            policy: policy.into(),
            client_sequence: known.as_ref().map(|known| (known.client, known.sequence)),
            previous: known.as_ref().and_then(|known| known.previous),
            // A snapshot whose time a person gave does not order others.
            seen: known.filter(|known| !known.time_given).map_or_else(Vec::new, |known| known.seen),
        };
        let name = ObjectName::tombstone(snapshot);
        let content = tombstone.encode();
        let salt = repository.keys.draw_salt(&content);
        let object = seal::seal_whole(&repository.keys, Kind::Tombstone, &name, salt, &content);
        match repository.writer().save(&name, &object)? {
            Published::Created => report.forgotten.push(snapshot),
            Published::Exists => report.already.push(snapshot),
        }
    }
    Ok(report)
}
