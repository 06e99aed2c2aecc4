//! What is known of sources, destinations and messages from one run to the next.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use yore_platform::DurableFile;

use crate::access::place::Place;
use crate::context::Unreached;
use crate::json::HistoryRun;

/// The state of a profile. Lost or damaged, it begins anew, and costs at most a message that was sent before.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// The sources of the configuration that were backed up, by name.
    pub sources: BTreeMap<String, SourceState>,
    /// The time when each destination had everything, by title; seconds since 1970.
    pub destinations: BTreeMap<String, i64>,
    /// The last run.
    pub last: Option<LastRun>,
    /// The last drill.
    pub drill: Option<Drilled>,
    /// The time when a watch freed space last, in seconds since 1970.
    pub freed: Option<i64>,
    /// What is wrong, by its key.
    pub conditions: BTreeMap<String, Told>,
}

/// A source.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SourceState {
    /// The end of the last run that saved it, in seconds since 1970.
    pub saved: Option<i64>,
    /// Why the last attempt failed; `None` if it did not.
    pub error: Option<String>,
    /// The id of the last snapshot.
    pub snapshot: Option<String>,
    /// Its change was suspicious.
    pub suspicious: bool,
    /// Its files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The bytes that were stored of it.
    pub stored_bytes: u64,
    /// The duration in seconds.
    pub seconds: f64,
}

/// The last run.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LastRun {
    /// The command.
    pub command: String,
    /// Its end, in seconds since 1970.
    pub time: i64,
    /// `success`, `partial`, `failure` or `interrupted`.
    pub result: String,
    /// What went wrong.
    pub error: Option<String>,
    /// The duration in seconds.
    pub seconds: f64,
}

/// A drill.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Drilled {
    /// Its end, in seconds since 1970.
    pub time: i64,
    /// Everything was as it should be.
    pub is_right: bool,
    /// Files that were restored.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The duration in seconds.
    pub seconds: f64,
}

/// A condition that somebody has been told of, or is to be.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Told {
    /// Since when, in seconds since 1970.
    pub since: i64,
    /// The line that says it.
    pub title: String,
    /// The alerts that have sent it.
    pub by: Vec<String>,
}

impl State {
    /// Loads the state; an empty one where there is none.
    pub fn load(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    /// Saves the state; where that fails, messages may be sent twice.
    pub fn save(&self, path: &Path) {
        let Ok(bytes) = serde_json::to_vec_pretty(self) else { return };
        let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|n| n.to_str()))
        else {
            return;
        };
        let _ = DurableFile::create(folder, name).and_then(|mut file| {
            file.append(&bytes)?;
            file.replace()
        });
    }

    /// Takes what came of a run.
    pub fn take(&mut self, entry: &HistoryRun, reached: &[Place], unreached: &[Unreached]) {
        let now = entry.ended;
        // What a person ended says nothing about what works.
        let is_interrupted = entry.result == "interrupted";
        if entry.command == "backup" && !is_interrupted {
            self.last = Some(LastRun {
                command: entry.command.into(),
                time: now,
                result: entry.result.into(),
                error: entry.error.clone(),
                seconds: entry.seconds,
            });
        }
        for run in &entry.sources {
            let source = self.sources.entry(run.source.clone()).or_default();
            if !is_interrupted {
                source.error.clone_from(&run.error);
            }
            if let Some(snapshot) = &run.snapshot {
                source.saved = Some(now);
                source.snapshot = Some(snapshot.clone());
                source.suspicious = run.suspicious;
                (source.files, source.bytes) = (run.files, run.bytes);
                (source.stored_bytes, source.seconds) = (run.stored_bytes, run.seconds);
            }
        }
        let behind = |title: &String| entry.sources.iter().any(|run| run.behind.contains(title));
        let saved = entry.sources.iter().any(|run| run.snapshot.is_some());
        for title in reached.iter().map(Place::title) {
            if saved && !behind(&title) {
                self.destinations.insert(title, now);
            }
        }
        for title in unreached.iter().map(|unreached| unreached.place.title()) {
            // One that was never there is behind from now on.
            self.destinations.entry(title).or_insert(now);
        }
    }
}
