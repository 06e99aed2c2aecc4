//! Temporary files that killed writers left.
//!
//! Listing objects finds them, so they cost no requests of their own. A file is abandoned once this machine knows
//! that its writer has ended, or after a week without a change by the server's own clock.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::sync::{Mutex, PoisonError};

use yore_platform::{is_temporary, writer_has_ended};

use super::Sftp;
use super::new_file::temporary_name;
use super::pool::Lease;
use super::protocol::listing::{list, stat_many};
use super::protocol::packet::Attributes;
use super::protocol::requests::{Mode, Status};
use crate::backend::UnfinishedFile;
use crate::format::object::Area;

/// The seconds without a change after which a file counts as abandoned, as in folders.
const ABANDONED_AFTER: u32 = 7 * 24 * 60 * 60;

/// The temporary files of each area, as found by its latest list.
#[derive(Default)]
pub(super) struct TemporaryFiles(Mutex<HashMap<Area, BTreeSet<String>>>);

impl TemporaryFiles {
    /// Forgets the files of an area before it is listed again.
    pub fn clear(&self, area: Area) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&area);
    }

    /// Adds a file that is not an object, if its name is temporary.
    pub fn record(&self, area: Area, name: String) {
        if name.rsplit('/').next().is_some_and(is_temporary) {
            let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            files.entry(area).or_default().insert(name);
        }
    }

    fn all(&self) -> BTreeSet<String> {
        let files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        files.values().flatten().cloned().collect()
    }
}

impl Sftp {
    /// Describes the temporary files that still exist, and those in the root itself.
    pub(super) async fn describe_unfinished(
        &self,
        lease: &Lease<'_>,
    ) -> io::Result<Vec<UnfinishedFile>> {
        let mut names = self.temporary.all();
        // The header and `destination` are created in the root.
        let root = list(lease, &self.root).await?.unwrap_or_default();
        names.extend(root.into_iter().map(|entry| entry.name).filter(|name| is_temporary(name)));
        let names: Vec<String> = names.into_iter().collect();
        let paths: Vec<String> = names.iter().map(|name| self.path_of(name)).collect();
        let mut described = Vec::new();
        let mut clock = None;
        for (name, found) in names.into_iter().zip(stat_many(lease, &paths).await?) {
            // Published or removed since the list.
            let Some(found) = found else { continue };
            let file = name.rsplit('/').next().unwrap_or_default();
            let is_abandoned = writer_has_ended(file) || {
                if clock.is_none() {
                    clock = Some(self.clock(lease).await);
                }
                is_old(&found, clock.flatten())
            };
            let size = found.size.unwrap_or_default();
            described.push(UnfinishedFile { name, size, is_abandoned });
        }
        Ok(described)
    }

    /// Returns the time that the server gives to a file which changes now; `None` where none can be made.
    async fn clock(&self, lease: &Lease<'_>) -> Option<u32> {
        let path = self.path_of(&temporary_name());
        let handle = lease.open_file(&path, Mode::Create(0o600)).await.ok()?;
        let found = lease.fstat(&handle).await;
        lease.close_unanswered(&handle);
        let removed = lease.remove(&path).await.ok()?;
        Status::of(removed).await.ok()?;
        found.ok()?.modified
    }
}

fn is_old(found: &Attributes, now: Option<u32>) -> bool {
    let age = now.zip(found.modified).map(|(now, modified)| now.saturating_sub(modified));
    age.is_some_and(|age| age > ABANDONED_AFTER)
}
