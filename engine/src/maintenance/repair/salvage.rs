//! The intact blobs of damaged packs, written to new ones.

use std::collections::HashSet;

use super::Task;
use super::examine::{Examined, read_frame};
use crate::error::{Error, Result};
use crate::format::id::ObjectId;
use crate::operation::clock::now;
use crate::repository::{MirrorWriter, session};
use crate::store::buffers::blob_bytes::BlobBytes;
use crate::store::{Added, StoreState, store_blobs};

/// Writes the intact blobs that no other pack of the destination has; returns their number.
pub(super) fn run(task: &Task<'_>, examined: &Examined) -> Result<u64> {
    if examined.damaged.iter().all(|pack| !pack.intact.contains(&true)) {
        return Ok(0);
    }
    let Task { repository, destination, writer, observer, .. } = *task;
    let mut opened = session::open(repository, &[destination], writer, task.now)?;
    let mut index = repository.open_index_to_write(&mut opened)?.into_index();
    let damaged: HashSet<ObjectId> = examined.damaged.iter().map(|pack| pack.id).collect();
    index.condemn(damaged);
    let mirrors = MirrorWriter::start(repository, opened, observer);
    let state = StoreState::new(repository, Some(&mirrors));
    let written = store_blobs(&state, index, |store| {
        let mut salvaged = 0;
        for pack in &examined.damaged {
            let Some(info) = &pack.info else { continue };
            for (frame, _) in pack.intact.iter().enumerate().filter(|(_, intact)| **intact) {
                if observer.interrupted() {
                    return Err(Error::Interrupted);
                }
                for blob in read_frame(task, info, frame)? {
                    let added = store.add(blob.kind, blob.id, BlobBytes::whole(blob.bytes))?;
                    salvaged += u64::from(added == Added::New);
                }
            }
        }
        Ok(salvaged)
    });
    match written {
        Ok((salvaged, _)) => {
            mirrors.commit(&[], now())?;
            Ok(salvaged)
        }
        Err(error) => {
            if let Some(session) = mirrors.stop() {
                let _ = session.abort(repository, now());
            }
            Err(error)
        }
    }
}
