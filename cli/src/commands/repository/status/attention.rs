//! Suspicious changes that nobody has looked at, and the rest that needs a person.

use yore_engine::snapshots::{Change, SnapshotEntry, change_of};

use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::json;
use crate::moment::{clock, suspicion};
use crate::text::{escape, format};

/// A snapshot with a suspicious change.
pub struct Suspicious {
    entry: SnapshotEntry,
    change: Change,
}

/// Finds the snapshots with a suspicious change that nobody has looked at.
pub fn suspicious(list: &[SnapshotEntry]) -> Vec<Suspicious> {
    let found = list.iter().filter(|entry| entry.needs_attention());
    let change = |entry: &SnapshotEntry| change_of(list, entry).unwrap_or_default();
    found.map(|entry| Suspicious { entry: entry.clone(), change: change(entry) }).collect()
}

/// Prints them.
pub fn print(context: &Context, suspicious: &[Suspicious]) {
    let zone = context.now.time_zone();
    for Suspicious { entry, change } in suspicious {
        let snapshot = &entry.snapshot;
        context.screen.object(&json::Suspicious {
            snapshot: entry.id.to_string(),
            time: format::exact_time(snapshot.time),
            host: &snapshot.host,
            sources: snapshot.sources.iter().map(|source| json::lossy_path(source)).collect(),
            change: change.into(),
        });
        let sources: Vec<String> =
            snapshot.sources.iter().map(|source| escape::path(source)).collect();
        context.screen.line(format!(
            "SUSPICIOUS CHANGE in snapshot {:.8} of {}, {} on {}: {}. `yore diff` shows it; if it is right: yore \
             acknowledge {:.8}",
            entry.id,
            clock::time(entry, zone),
            sources.join(", "),
            escape::text(&snapshot.host),
            suspicion::describe(change),
            entry.id,
        ));
    }
}

/// Fails if something needs a person.
pub fn must_be_none(context: &Context, suspicious: &[Suspicious], unread: u64) -> Outcome<()> {
    let mut needs = Vec::new();
    if !suspicious.is_empty() {
        needs.push(format::counted(suspicious.len() as u64, "suspicious change"));
    }
    if unread > 0 {
        needs.push(format!("{} missing or unreadable", format::counted(unread, "object")));
    }
    let absent = context.unreached().iter().filter(|one| !one.is_normal()).count() as u64;
    if absent > 0 {
        needs.push(format!("{} out of reach", format::counted(absent, "destination")));
    }
    match needs.is_empty() {
        true => Ok(()),
        false => Err(Failure::new(
            Exit::Failed,
            format!("something needs you: {}", needs.join(", ")),
            "it is described above",
        )),
    }
}
