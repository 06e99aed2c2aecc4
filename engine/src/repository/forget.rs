//! Forgetting snapshots: a tombstone says that one does not count any more.

use yore_platform::Timestamp;

use crate::backend::Published;
use crate::error::{Error, Result};
use crate::format::id::SnapshotId;
use crate::format::object::{Kind, ObjectName};
use crate::format::record::Tombstone;
use crate::format::seal;
use crate::repository::Repository;
use crate::repository::session::Writer;

/// What forgetting did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ForgetReport {
    /// The snapshots that do not count any more.
    pub forgotten: Vec<SnapshotId>,
    /// Those that somebody had forgotten before.
    pub already: Vec<SnapshotId>,
}

/// Forgets snapshots, one tombstone each; `policy` says why. Space is reclaimed by prune.
///
/// # Errors
/// [`Error::NotFound`], before anything is written, when one of them is not there.
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
        // One that can't be read can be forgotten all the same.
        let known = repository.load_snapshot(snapshot).ok();
        let tombstone = Tombstone {
            snapshot,
            time: now,
            host: writer.host.clone(),
            user: writer.user.clone(),
            policy: policy.into(),
            client_sequence: known.as_ref().map(|known| (known.client, known.sequence)),
            previous: known.as_ref().and_then(|known| known.previous),
            // The place of a snapshot that a person dated says nothing of others.
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
