//! The runs of a machine.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

/// A run.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(tag = "type", rename = "run")]
pub struct HistoryRun {
    /// The command.
    pub command: &'static str,
    /// Its start.
    pub time: String,
    /// Its end, in seconds since 1970.
    pub ended: i64,
    /// `success`, `partial`, `failure` or `interrupted`.
    pub result: &'static str,
    /// The exit code.
    pub exit: u8,
    /// The duration.
    pub seconds: f64,
    /// What went wrong; null where nothing did.
    pub error: Option<String>,
    /// The sources of the configuration that it concerned.
    pub sources: Vec<SourceRun>,
}

/// A source in a run.
#[derive(Debug, Clone, Default, Serialize)]
pub struct SourceRun {
    /// The name.
    pub source: String,
    /// The id of the snapshot; null where none was made.
    pub snapshot: Option<String>,
    /// Why it failed, or is not whole.
    pub error: Option<String>,
    /// Files of the snapshot.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes that were new.
    pub new_bytes: u64,
    /// The same as stored.
    pub stored_bytes: u64,
    /// Tells that unusually much changed.
    pub suspicious: bool,
    /// The destinations that do not have it, by name or location.
    pub behind: Vec<String>,
    /// The duration.
    pub seconds: f64,
}

impl HistoryRun {
    /// Describes a run that ended with an exit code, or with one and a message.
    pub fn new(
        command: &'static str,
        took: Duration,
        sources: Vec<SourceRun>,
        ended: Result<u8, (u8, String)>,
    ) -> Self {
        let first = sources.iter().find_map(|run| {
            let why = run.error.as_ref()?;
            Some(format!("source {}: {why}", run.source))
        });
        let (exit, error) = match ended {
            Ok(code) => (code, first.filter(|_| code != 0)),
            Err((code, what)) => (code, Some(what)),
        };
        let now = Timestamp::now();
        let began = now - took;
        let result = match exit {
            0 => "success",
            3 => "partial",
            130 => "interrupted",
            _ => "failure",
        };
        Self {
            command,
            time: began.to_string(),
            ended: now.as_second(),
            result,
            exit,
            seconds: took.as_secs_f64(),
            error,
            sources,
        }
    }
}

/// A condition that is wrong.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "type", rename = "condition")]
pub struct Condition<'a> {
    /// What it is, for telling one from another.
    pub key: &'a str,
    /// The line that says it.
    pub title: &'a str,
    /// The alerts that have told it.
    pub told: &'a [String],
}

/// A message that was sent, or could not be.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "type", rename = "alert")]
pub struct SentAlert<'a> {
    /// The name of the alert.
    pub alert: &'a str,
    /// The line that it says.
    pub title: &'a str,
    /// Why it was not sent; null where it was.
    pub error: Option<&'a str>,
}

/// A timer of the system that starts this program.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(tag = "type", rename = "timer")]
pub struct Timer {
    /// The name.
    pub name: String,
    /// `systemd`, `cron` or `launchd`.
    pub by: &'static str,
    /// When it runs: in words, or in a list as the system's own timer has it.
    pub when: String,
    /// Tells that nothing was installed.
    pub dry_run: bool,
}

/// The drill of one source.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "type", rename = "drill")]
pub struct Drilled<'a> {
    /// The machine.
    pub host: &'a str,
    /// The paths of the source.
    pub sources: &'a [String],
    /// The id of the snapshot.
    pub snapshot: &'a str,
    /// Files that were restored.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files that are unchanged on this machine, and were compared with those.
    pub compared: u64,
    /// The age of the snapshot (RPO).
    pub age_seconds: u64,
    /// The duration of the restore.
    pub restore_seconds: f64,
    /// The time that all of it would take (RTO).
    pub estimated_seconds: u64,
    /// The duration of loading the dumps by the command of the source; null where there is none, or it failed.
    pub loaded_seconds: Option<f64>,
    /// What is not as it should be.
    pub problems: &'a [String],
}

/// What happens by itself.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "type", rename = "automatic")]
pub struct Automatic {
    /// The result of the last run.
    pub last_run: Option<String>,
    /// The seconds since its end.
    pub last_run_seconds: Option<i64>,
    /// Whether the last drill succeeded.
    pub drill_succeeded: Option<bool>,
    /// The seconds since its end.
    pub drill_seconds: Option<i64>,
    /// What is wrong now.
    pub wrong: Vec<String>,
}
