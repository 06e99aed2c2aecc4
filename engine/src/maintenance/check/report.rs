//! The report of a check.

use crate::error::Error;
use crate::format::id::SnapshotId;

/// The most problems that are listed; further ones are counted.
const MOST_LISTED: usize = 1000;

/// A problem of the repository.
#[derive(Debug)]
pub struct Finding {
    /// The object that it concerns, or the path in a snapshot.
    pub subject: String,
    /// The error.
    pub error: Error,
}

/// The problems that a check found, and the extent of the check.
#[derive(Debug, Default)]
pub struct CheckReport {
    /// The problems, in the order in which they were found.
    pub problems: Vec<Finding>,
    /// The number of problems that are not listed.
    pub more_problems: u64,
    /// Unusual and harmless observations, in sentences.
    pub notes: Vec<String>,
    /// Snapshots that count.
    pub snapshots: u64,
    /// Trees visited, each once.
    pub trees: u64,
    /// Nodes in them.
    pub nodes: u64,
    /// Packs that an index describes.
    pub packs: u64,
    /// Packs that were read whole.
    pub packs_read: u64,
    /// Bytes of packs that were read.
    pub bytes_read: u64,
}

impl CheckReport {
    /// Returns whether there are no problems.
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty() && self.more_problems == 0
    }
}

impl Finding {
    /// Makes the finding that a snapshot which was expected is nowhere.
    pub(super) fn missing_head(prefix: &str) -> Self {
        let what = format!(
            "the expected snapshot {prefix} is not there, and nobody forgot it: the repository was put back to an \
             earlier state, or the snapshot was removed"
        );
        Self { subject: format!("snapshot {prefix}"), error: Error::Unreadable { what } }
    }
}

#[derive(Default)]
pub(super) struct Findings {
    pub(super) report: CheckReport,
}

impl Findings {
    pub(super) fn problem(&mut self, subject: impl Into<String>, error: Error) {
        if self.report.problems.len() < MOST_LISTED {
            self.report.problems.push(Finding { subject: subject.into(), error });
        } else {
            self.report.more_problems += 1;
        }
    }

    /// Returns true if an object that was listed was missing.
    pub(super) fn has_vanished(&self) -> bool {
        let is_missing = |finding: &Finding| matches!(finding.error, Error::Missing { .. });
        self.report.problems.iter().any(is_missing)
    }

    /// Adds a snapshot that was there and that nobody forgot.
    pub(super) fn rolled_back(&mut self, id: SnapshotId) {
        let what = format!(
            "snapshot {id:.8} was there and is not any more, although nobody forgot it: the destination was put back \
             to an earlier state, or somebody removed it"
        );
        self.problem(format!("snapshot {id:.8}"), Error::Unreadable { what });
    }

    /// Adds a damaged object.
    pub(super) fn damaged(&mut self, subject: impl Into<String>, reason: &'static str) {
        let subject = subject.into();
        self.problem(subject.clone(), Error::damaged(subject, reason));
    }

    pub(super) fn note(&mut self, note: String) {
        if self.report.notes.len() < MOST_LISTED {
            self.report.notes.push(note);
        }
    }

    /// Returns a value, or adds the error as a problem.
    pub(super) fn take<T>(&mut self, subject: &str, result: crate::error::Result<T>) -> Option<T> {
        result.map_err(|error| self.problem(subject, error)).ok()
    }
}
