//! What of runs and messages is logged.

use super::Sent;
use crate::json::{HistoryRun, SourceRun};

/// Logs the start of a run.
pub(super) fn begins(command: &str) {
    tracing::info!(run = command, "run begins");
}

/// Logs what came of a run, and of each of its sources.
pub(super) fn ends(entry: &HistoryRun) {
    entry.sources.iter().for_each(source);
    let (run, result, exit, seconds) = (entry.command, entry.result, entry.exit, entry.seconds);
    let error = entry.error.as_deref();
    match result {
        "success" => tracing::info!(run, result, exit, seconds, "run ends"),
        "failure" => tracing::error!(run, result, exit, seconds, error, "run ends"),
        _ => tracing::warn!(run, result, exit, seconds, error, "run ends"),
    }
}

fn source(run: &SourceRun) {
    let SourceRun { source, files, bytes, new_bytes, stored_bytes, seconds, suspicious, .. } = run;
    let source = source.as_str();
    let (snapshot, error) = (run.snapshot.as_deref(), run.error.as_deref());
    if snapshot.is_none() {
        return tracing::error!(source, error, "source failed");
    }
    let behind = Some(run.behind.join(", ")).filter(|behind| !behind.is_empty());
    match error.is_some() || *suspicious {
        false => tracing::info!(
            source,
            snapshot,
            files,
            bytes,
            new_bytes,
            stored_bytes,
            seconds,
            behind,
            "source saved"
        ),
        true => tracing::warn!(
            source,
            snapshot,
            files,
            bytes,
            new_bytes,
            stored_bytes,
            seconds,
            behind,
            suspicious,
            error,
            "source saved"
        ),
    }
}

/// Logs the messages that were sent; that one could not be is a warning, which is logged with all others.
pub(super) fn sent(sent: &[Sent]) {
    for one in sent.iter().filter(|one| one.outcome.is_ok()) {
        tracing::info!(alert = one.alert, title = one.title, "alert sent");
    }
}
