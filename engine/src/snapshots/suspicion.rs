//! Suspicious change: a backup in which unusually much changed, was removed, or can't be compressed any more, as after
//! malicious encryption or a mistake.
//!
//! A snapshot is compared with the one before it of the same machine and sources, and with how much usually changes
//! there: a source that changes wholly each night is not suspicious for that.
//!
//! Example: 1,000 files, of which some 20 change a day.
//!
//! ```text
//! changed   removed   new bytes stored in          flagged
//! 30        5         40 % of their size           no
//! 300       0         99 %; 40 % until now         yes: a tenth changed, and can't be compressed any more
//! 450       100       40 %                         yes: more than half changed or was removed
//! ```
//!
//! The thresholds are this project's own: the smallest shares that no ordinary day of a person's files reaches.

use std::cmp::Ordering;

use crate::format::record::{Snapshot, Totals};
use crate::snapshots::order::SnapshotEntry;

/// The label of a snapshot whose suspicious change a person has looked at.
pub const ACKNOWLEDGED: &str = "acknowledged";

/// The fewest files whose change is suspicious: of a few files, a person changes half at once.
const FEWEST_FILES: u64 = 20;
/// The share of files, in a hundred, whose change or removal is suspicious.
const MOST_FILES: u64 = 50;
/// The same of files that can't be compressed any more.
const ENCRYPTED_FILES: u64 = 10;
/// The fewest new bytes by which compression is judged.
const FEWEST_BYTES: u64 = 64 << 10;
/// The share of its size, in a hundred, from which data counts as incompressible, and up to which as compressible.
const INCOMPRESSIBLE: u64 = 95;
const COMPRESSIBLE: u64 = 85;
/// The number of earlier snapshots that tell how much usually changes.
const EARLIER: usize = 10;

/// The change since the snapshot before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Change {
    /// Files that the snapshot before has.
    pub before: u64,
    /// Files of them that changed.
    pub changed: u64,
    /// Files of them that are removed.
    pub removed: u64,
    /// The new data can hardly be compressed, while earlier data could.
    pub incompressible: bool,
}

impl Change {
    /// Compares the totals of a snapshot with those of the snapshots before it, the last of which is the previous one.
    fn new(earlier: &[&Snapshot], totals: &Totals) -> Option<Self> {
        let previous = earlier.last()?.totals;
        let (mut data, mut stored) = (0_u64, 0_u64);
        for snapshot in earlier {
            data = data.saturating_add(snapshot.totals.new_bytes);
            stored = stored.saturating_add(snapshot.totals.stored_bytes);
        }
        Some(Self {
            before: previous.files,
            changed: totals.changed_files,
            removed: previous.files.saturating_add(totals.new_files).saturating_sub(totals.files),
            incompressible: totals.new_bytes >= FEWEST_BYTES
                && compare_share(stored, data, COMPRESSIBLE).is_le()
                && compare_share(totals.stored_bytes, totals.new_bytes, INCOMPRESSIBLE).is_ge(),
        })
    }

    /// Returns the share of files that changed or are removed, in a hundred.
    fn share(&self) -> u64 {
        let files = u128::from(self.changed) + u128::from(self.removed);
        (files * 100 / u128::from(self.before.max(1))) as u64
    }
}

/// Compares `part` with a share, in a hundred, of `whole`.
fn compare_share(part: u64, whole: u64, share: u64) -> Ordering {
    (u128::from(part) * 100).cmp(&(u128::from(whole) * u128::from(share)))
}

/// Returns the change of a snapshot if it is suspicious. `earlier` are the snapshots of the same sources before it.
pub(crate) fn assess(earlier: &[&Snapshot], made: &Snapshot) -> Option<Change> {
    let change = Change::new(earlier, &made.totals)?;
    // What a new rule leaves out is not lost, unless a machine says so that is not trusted.
    let same_rules =
        made.collected || earlier.last().is_some_and(|last| last.excludes == made.excludes);
    let counted = Change { removed: if same_rules { change.removed } else { 0 }, ..change };
    if counted.changed + counted.removed < FEWEST_FILES {
        return None;
    }
    let is_much = counted.share() >= MOST_FILES && counted.share() >= 2 * usual_share(earlier);
    let is_encrypted = change.incompressible
        && counted.changed.saturating_mul(100) >= counted.before.saturating_mul(ENCRYPTED_FILES);
    (is_much || is_encrypted).then_some(change)
}

/// Returns the median of the shares that changed between snapshots; 0 where fewer than two were compared.
fn usual_share(earlier: &[&Snapshot]) -> u64 {
    let recent = &earlier[earlier.len().saturating_sub(EARLIER + 1)..];
    let change = |pair: &[&Snapshot]| Change::new(&pair[..1], &pair[1].totals);
    let mut shares: Vec<u64> =
        recent.windows(2).filter_map(change).map(|change| change.share()).collect();
    if shares.len() < 2 {
        return 0;
    }
    shares.sort_unstable();
    shares[shares.len() / 2]
}

/// Returns the whole snapshots of the same machine and sources, in their order.
pub(crate) fn earlier<'s>(
    list: impl IntoIterator<Item = &'s SnapshotEntry>,
    host: &str,
    sources: &[Vec<u8>],
) -> Vec<&'s Snapshot> {
    let is_same = |snapshot: &&Snapshot| {
        let is_of_machine = !snapshot.time_given || snapshot.collected;
        let is_same = snapshot.host == host && snapshot.sources == sources;
        is_same && is_of_machine && !snapshot.partial
    };
    list.into_iter().map(|entry| &entry.snapshot).filter(is_same).collect()
}

/// Returns the change of a listed snapshot since the one before it of the same machine and sources.
pub fn change_of(list: &[SnapshotEntry], of: &SnapshotEntry) -> Option<Change> {
    let before = list.iter().take_while(|entry| entry.id != of.id);
    let earlier = earlier(before, &of.snapshot.host, &of.snapshot.sources);
    Change::new(&earlier, &of.snapshot.totals)
}

impl SnapshotEntry {
    /// Returns true if its change was suspicious, and nobody has looked at it.
    pub fn needs_attention(&self) -> bool {
        self.snapshot.suspicious && !self.labels.contains_key(ACKNOWLEDGED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::record::Exclusion;
    use crate::snapshots::order::tests::snapshot;

    fn made(files: u64, new: u64, changed: u64, bytes: (u64, u64)) -> Snapshot {
        let (new_bytes, stored_bytes) = bytes;
        let totals = Totals {
            files,
            new_files: new,
            changed_files: changed,
            new_bytes,
            stored_bytes,
            ..Totals::default()
        };
        Snapshot { totals, ..snapshot(1, 1, 0).1 }
    }

    fn usual() -> Vec<Snapshot> {
        let first = made(1000, 1000, 0, (10 << 20, 4 << 20));
        let day = || made(1000, 2, 20, (1 << 20, 1 << 19));
        vec![first, day(), day(), day()]
    }

    fn flagged(earlier: &[Snapshot], next: &Snapshot) -> bool {
        assess(&earlier.iter().collect::<Vec<_>>(), next).is_some()
    }

    #[test]
    fn an_ordinary_day_is_not_suspicious_and_encryption_and_removal_are() {
        let before = usual();
        let compressible = (1 << 20, 400 << 10);
        assert!(!flagged(&before, &made(1000, 5, 30, compressible)));
        assert!(flagged(&before, &made(1000, 0, 300, (3 << 20, 3 << 20))), "encrypted in place");
        assert!(!flagged(&before, &made(1000, 0, 300, compressible)), "many edited");
        assert!(flagged(&before, &made(900, 0, 450, compressible)), "half changed or removed");
        assert!(
            flagged(&before, &made(1000, 600, 0, (6 << 20, 6 << 20))),
            "renamed with an ending"
        );
        assert!(!flagged(&before, &made(3000, 2000, 0, (9 << 20, 9 << 20))), "photographs added");
        assert!(!flagged(&[], &made(1000, 1000, 0, (1 << 20, 1 << 20))), "the first backup");
    }

    #[test]
    fn what_changes_wholly_each_night_is_not_suspicious() {
        let night = || made(100, 0, 100, (1 << 20, 1 << 19));
        let before = vec![made(100, 100, 0, (1 << 20, 1 << 19)), night(), night(), night()];
        assert!(!flagged(&before, &night()));
        assert!(flagged(&before, &made(100, 0, 100, (1 << 20, 1 << 20))), "but for encryption");
    }

    #[test]
    fn few_files_and_what_a_new_rule_leaves_out_are_not_suspicious() {
        let few = vec![made(10, 10, 0, (1 << 20, 1 << 19))];
        assert!(!flagged(&few, &made(10, 0, 10, (1 << 20, 1 << 19))));
        let rule = Exclusion::Pattern("*.iso".into());
        let fewer = made(300, 0, 0, (0, 0));
        assert!(flagged(&usual(), &fewer));
        assert!(!flagged(&usual(), &Snapshot { excludes: vec![rule], ..fewer }));
    }
}
