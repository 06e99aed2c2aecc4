//! The lists after a run that left nothing to do, so that the next one need not read every tree to find that.

use std::fs;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use super::Task;
use super::view::View;
use crate::format::id::encode_hex;

/// Returns true if a run with these options left nothing to do for these lists.
pub(super) fn is_known(task: &Task<'_>, view: &View) -> bool {
    let known = file(task).and_then(|file| fs::read(file).ok());
    known.is_some_and(|known| known == digest(task, view))
}

/// Remembers that there is nothing to do.
pub(super) fn remember(task: &Task<'_>, view: &View) {
    if let Some(file) = file(task) {
        // After an error the next run reads the trees.
        let _ = fs::write(file, digest(task, view));
    }
}

fn file(task: &Task<'_>) -> Option<PathBuf> {
    let name = format!("pruned-{}", encode_hex(&task.place().id().0));
    Some(task.repository.cache.as_ref()?.join(name))
}

/// Returns a digest of all that decides what a run does, but for the clock.
fn digest(task: &Task<'_>, view: &View) -> Vec<u8> {
    let mut digest = Sha256::new();
    digest.update(task.options.max_unused.to_be_bytes());
    for (number, generation) in view.generations.iter() {
        digest.update(number.to_be_bytes());
        digest.update([u8::from(generation.kept.is_some())]);
    }
    digest.update([0xff]);
    let names = view.indexes.iter().chain(&view.session_names).chain(&view.dead_annotations);
    for name in names {
        digest.update(name.as_str());
        digest.update([0]);
    }
    for object in &view.tombstone_objects {
        digest.update(object.name.as_str());
        digest.update([0]);
    }
    digest.update([0xff]);
    let mut roots: Vec<_> = view.roots_here.iter().chain(&view.roots_elsewhere).collect();
    roots.sort_unstable();
    roots.iter().for_each(|root| digest.update(root.0));
    digest.update([0xff]);
    let mut packs: Vec<_> = view.packs.iter().collect();
    packs.sort_unstable();
    for (id, size) in packs {
        digest.update(id.0);
        digest.update(size.to_be_bytes());
    }
    digest.finalize().to_vec()
}
