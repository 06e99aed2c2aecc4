//! An observer that records problems.

use std::sync::{Mutex, PoisonError};

use yore_engine::{Event, Observer, Problem};

/// Records problems.
#[derive(Default)]
pub struct Recorder {
    /// Guards the problems so far.
    problems: Mutex<Vec<(Vec<u8>, String)>>,
}

impl Observer for Recorder {
    fn event(&self, _event: Event) {}

    fn problem(&self, problem: Problem) {
        let entry = (problem.subject, problem.error.with_cause());
        self.problems.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
    }

    fn interrupted(&self) -> bool {
        false
    }
}

impl Recorder {
    /// Returns the subjects of all problems.
    pub fn subjects(&self) -> Vec<Vec<u8>> {
        let problems = self.problems.lock().unwrap_or_else(PoisonError::into_inner);
        problems.iter().map(|(subject, _)| subject.clone()).collect()
    }

    /// Returns all problems, each as a line.
    pub fn texts(&self) -> Vec<String> {
        let problems = self.problems.lock().unwrap_or_else(PoisonError::into_inner);
        let line = |(subject, error): &(Vec<u8>, String)| {
            format!("{}: {error}", String::from_utf8_lossy(subject))
        };
        problems.iter().map(line).collect()
    }
}
