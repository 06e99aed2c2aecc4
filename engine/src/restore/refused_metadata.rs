//! Metadata that the system refused: told one by one while they are few, summed up when they are not.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, PoisonError};

use yore_platform::{MetadataPart, RefusedMetadata};

/// So many refusals of one part are told one by one.
const TOLD: u64 = 8;

#[derive(Default)]
pub(super) struct Refusals {
    /// Guards how often each part was refused.
    counts: Mutex<BTreeMap<String, u64>>,
}

impl Refusals {
    /// Counts a refusal; returns what is to be told about it now.
    pub(super) fn take(&self, refused: RefusedMetadata) -> Option<io::Error> {
        let part = words(&refused.part);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(part.clone()).or_default();
        *count += 1;
        // Who is not root owns everything that he restores; that is no news for any single file.
        let told = refused.part != MetadataPart::Owner && *count <= TOLD;
        drop(counts);
        let text = format!("{part} could not be restored: {}", refused.error);
        told.then(|| io::Error::new(refused.error.kind(), text))
    }

    pub(super) fn count(&self) -> u64 {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).values().sum()
    }

    /// What was refused more often than it was told.
    pub(super) fn summary(&self) -> Vec<String> {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let owner = words(&MetadataPart::Owner);
        let untold = counts.iter().filter(|(part, count)| **part == owner || **count > TOLD);
        untold
            .map(|(part, count)| match *part == owner {
                true => format!(
                    "{count} restored files and folders keep another owner than they had (only \
                     root can give files away)"
                ),
                false => format!("{part} could not be restored {count} times in all"),
            })
            .collect()
    }
}

fn words(part: &MetadataPart) -> String {
    match part {
        MetadataPart::All => "its metadata".into(),
        MetadataPart::Owner => "its owner".into(),
        MetadataPart::Mode => "its mode".into(),
        MetadataPart::Xattr(name) => {
            format!("its extended attribute {}", String::from_utf8_lossy(name))
        }
        MetadataPart::Modified => "its time of modification".into(),
    }
}
