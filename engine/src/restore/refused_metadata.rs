//! Metadata that the system refused: reported one by one while they are few, summed up when they are many.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, PoisonError};

use yore_platform::{MetadataPart, RefusedMetadata};

/// The refusals of one part that are reported one by one.
const REPORTED_EACH: u64 = 8;

#[derive(Default)]
pub(super) struct RefusalCounts {
    /// Guards how often each part was refused.
    counts: Mutex<BTreeMap<String, u64>>,
}

impl RefusalCounts {
    /// Counts a refusal; returns the error to be reported now, if any.
    pub(super) fn take(&self, refused: RefusedMetadata) -> Option<io::Error> {
        let part = describe(&refused.part);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(part.clone()).or_default();
        *count += 1;
        // A user who is not root owns all that he restores: summed up in one line.
        let is_reported = refused.part != MetadataPart::Owner && *count <= REPORTED_EACH;
        drop(counts);
        let text = format!("{part} could not be restored: {}", refused.error);
        is_reported.then(|| io::Error::new(refused.error.kind(), text))
    }

    pub(super) fn count(&self) -> u64 {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).values().sum()
    }

    /// Returns a line for each part that was refused more often than it was reported.
    pub(super) fn summary(&self) -> Vec<String> {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let owner = describe(&MetadataPart::Owner);
        let unreported =
            counts.iter().filter(|(part, count)| **part == owner || **count > REPORTED_EACH);
        unreported
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

fn describe(part: &MetadataPart) -> String {
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
