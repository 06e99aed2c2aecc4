//! What a check found.

use crate::error::Error;

/// So many problems are listed; more are counted.
const LISTED: usize = 1000;

/// Something that is not as it should be.
#[derive(Debug)]
pub struct Finding {
    /// The object that it concerns, or the path in a snapshot.
    pub subject: String,
    /// What is wrong with it.
    pub error: Error,
}

/// What a check found, and what it looked at.
#[derive(Debug, Default)]
pub struct CheckReport {
    /// What is wrong, in the order in which it was found.
    pub problems: Vec<Finding>,
    /// How many more problems there are than are listed.
    pub more_problems: u64,
    /// What is unusual and harmless, as sentences.
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
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty() && self.more_problems == 0
    }
}

#[derive(Default)]
pub(super) struct Findings {
    pub(super) report: CheckReport,
}

impl Findings {
    pub(super) fn problem(&mut self, subject: impl Into<String>, error: Error) {
        if self.report.problems.len() < LISTED {
            self.report.problems.push(Finding { subject: subject.into(), error });
        } else {
            self.report.more_problems += 1;
        }
    }

    /// Notes that an object is wrong by `reason`.
    pub(super) fn damaged(&mut self, subject: impl Into<String>, reason: &'static str) {
        let subject = subject.into();
        self.problem(subject.clone(), Error::damaged(subject, reason));
    }

    pub(super) fn note(&mut self, note: String) {
        if self.report.notes.len() < LISTED {
            self.report.notes.push(note);
        }
    }

    /// Takes a result apart.
    pub(super) fn take<T>(&mut self, subject: &str, result: crate::error::Result<T>) -> Option<T> {
        result.map_err(|error| self.problem(subject, error)).ok()
    }
}
