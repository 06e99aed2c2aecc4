//! Records that prune ends or deletes: sessions without a sign of life, sessions whose snapshots another one commits,
//! and forgotten snapshots.
//!
//! Aborted sessions stay: a writer that was taken for dead must find its verdict.

use std::collections::HashSet;

use crate::backend::Published;
use crate::error::{Error, Result};
use crate::format::id::{ObjectId, SnapshotId};
use crate::format::object::ObjectName;
use crate::format::record::{Outcome, Session, Verdict};
use crate::operation::clock::now;
use crate::repository::session;

use super::report::DestinationPrune;
use super::view::View;
use super::{Access, Task};

/// The number of sessions with committed snapshots that are put together into one.
const MANY_SESSIONS: usize = 16;
/// The most snapshots of one verdict, which is at most 4 MiB (FORMAT.md §5).
const MOST_SNAPSHOTS: usize = 100_000;
/// Aborts the sessions of writers that have ended, as far as that can be known; returns true if there were any.
pub(super) fn abort_dead_sessions(task: &Task<'_>, view: &View) -> Result<bool> {
    let place = task.place();
    let mut found = false;
    for (id, opened) in view.writers_before(u64::MAX) {
        let is_dead = match task.options.access {
            Access::Exclusive => true,
            Access::Shared => {
                session::is_silent(place, &task.repository.keys, (id, opened), task.now)?
            }
        };
        if is_dead {
            let (keys, program) = (&task.repository.keys, &task.writer.program);
            session::end(place, keys, id, Outcome::Abort, task.now, program)?;
            let (location, host) = (place.backend().location(), opened.host.as_str());
            tracing::warn!(location, host, session = %id, "session of a silent writer aborted");
            found = true;
        }
    }
    Ok(found)
}

/// Deletes the records that nobody needs any more.
pub(super) fn clean(task: &Task<'_>, view: &View, report: &mut DestinationPrune) -> Result<()> {
    let backend = &**task.place().backend();
    for (snapshot, time) in &view.forgotten {
        // A mount that shows it has the same time as for its packs.
        if time.seconds.saturating_add(task.options.grace) <= task.now.seconds {
            backend.delete(&ObjectName::snapshot(*snapshot))?;
            report.deleted_records += 1;
        }
    }
    for name in &view.dead_annotations {
        backend.delete(name)?;
        report.deleted_records += 1;
    }
    delete_left_verdicts(task, view, report)?;
    put_sessions_together(task, view, report)
}

/// Deletes the verdicts whose sessions an earlier run has deleted before it was killed.
fn delete_left_verdicts(task: &Task<'_>, view: &View, report: &mut DestinationPrune) -> Result<()> {
    let names: HashSet<&ObjectName> = view.session_names.iter().collect();
    let counting: HashSet<&SnapshotId> = view.snapshots.iter().collect();
    for name in view.session_names.iter().filter(|name| name.suffix() == Some("end")) {
        let Some(id) = name.id().map(ObjectId) else { continue };
        if names.contains(&ObjectName::session(id)) {
            continue;
        }
        let verdict = match task.place().verdict(&task.repository.keys, name) {
            // Another run has deleted it.
            Err(Error::Missing { .. }) => continue,
            verdict => verdict?,
        };
        let Outcome::Commit(snapshots) = verdict.outcome else { continue };
        let is_settled = |id: &SnapshotId| counting.contains(id) || view.tombstones.contains(id);
        if snapshots.iter().all(is_settled) {
            task.place().backend().delete(name)?;
            report.deleted_records += 1;
        }
    }
    Ok(())
}

/// Commits the snapshots of many sessions in one, and deletes those sessions.
fn put_sessions_together(
    task: &Task<'_>,
    view: &View,
    report: &mut DestinationPrune,
) -> Result<()> {
    if view.committed_sessions() < MANY_SESSIONS || view.snapshots.len() > MOST_SNAPSHOTS {
        return Ok(());
    }
    let Task { repository, destination, writer, .. } = *task;
    let opened = session::open(repository, &[destination], writer, now())?;
    let Some(own) = opened.open.first().map(|one| one.id) else { return Ok(()) };
    let outcome = Outcome::Commit(view.snapshots.clone());
    let place = task.place();
    let committed = session::end(place, &repository.keys, own, outcome, now(), &writer.program)?;
    if committed != Published::Created {
        return Ok(());
    }
    let commits = |(_, verdict): &(Session, Option<Verdict>)| {
        verdict.as_ref().is_some_and(|verdict| verdict.outcome != Outcome::Abort)
    };
    for (id, _) in view.sessions.iter().filter(|(_, session)| commits(session)) {
        delete_session(task, view, *id, report)?;
    }
    Ok(())
}

/// Deletes a session, then its heartbeats and its verdict: without its session a verdict does not count.
fn delete_session(
    task: &Task<'_>,
    view: &View,
    id: ObjectId,
    report: &mut DestinationPrune,
) -> Result<()> {
    let backend = &**task.place().backend();
    let of_session = view.session_names.iter().filter(|name| name.id() == Some(id.0));
    let mut names: Vec<&ObjectName> = of_session.collect();
    names.sort_by_key(|name| match name.suffix() {
        None => 0,
        Some("end") => 2,
        Some(_) => 1,
    });
    for name in names {
        backend.delete(name)?;
        report.deleted_records += 1;
    }
    Ok(())
}
