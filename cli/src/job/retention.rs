//! The policies of the configuration, applied to the snapshots of its sources.

use yore_engine::history::version_holders;
use yore_engine::repository::Repository;
use yore_engine::snapshots::retention::{Group, GroupBy, Held, Policy, Retained, group, retain};
use yore_platform::{hostname, snapshot_path};

use crate::access::state;
use crate::access::writer::writer;
use crate::args::retention::Rules;
use crate::args::time;
use crate::config::{Retention, SourceSettings};
use crate::context::Context;
use crate::failure::{Done, Outcome};
use crate::text::{escape, format};

/// Bytes of decoded frames that comparing snapshots keeps.
const BUDGET: usize = 32 << 20;

/// Finds the snapshots that hold the versions which a policy keeps.
pub fn held(repository: &Repository, group: &Group<'_>, policy: &Policy) -> Outcome<Held> {
    if policy.versions == 0 {
        return Ok(Held::new());
    }
    let (reader, _) = repository.reader(BUDGET)?;
    Ok(version_holders(&reader, &group.snapshots, policy.versions)?)
}

/// Decides what rules keep of a group.
pub fn retained<'s>(
    context: &Context,
    repository: &Repository,
    group: &Group<'s>,
    rules: &Rules,
    may_empty: bool,
) -> Outcome<Retained<'s>> {
    let policy = rules.policy(&context.now)?;
    let held = held(repository, group, &policy)?;
    Ok(retain(group, (&policy, &held), context.now.time_zone(), may_empty))
}

/// Returns true if a group is of the snapshots of a source on this machine.
pub fn is_of_source(group: &Group<'_>, source: &SourceSettings) -> bool {
    let mut paths: Vec<Vec<u8>> = source.paths.iter().map(|path| snapshot_path(path)).collect();
    paths.sort_unstable();
    paths.dedup();
    let host = source.host.clone().unwrap_or_else(hostname);
    group.host == host && group.sources.iter().copied().eq(paths.iter().map(Vec::as_slice))
}

/// Forgets, after a backup of a source, what its rules do not keep; returns the number of snapshots.
///
/// More than half of them is more than a person expects: then nothing is forgotten, and that is told.
pub fn forget_after_backup(
    context: &Context,
    repository: &Repository,
    source: &SourceSettings,
    retention: &Retention,
) -> Outcome<(u64, Done)> {
    let known = repository.snapshots()?;
    if let Some(error) = known.problems.into_iter().next() {
        return Err(error.into());
    }
    let groups = group(&known.list, GroupBy::default());
    let Some(group) = groups.iter().find(|group| is_of_source(group, source)) else {
        return Ok((0, Done::Whole));
    };
    if let Some(entry) = group.snapshots.iter().find(|entry| entry.needs_attention()) {
        context.screen.line(format!(
            "Retention of {} pauses: snapshot {:.8} has a suspicious change that nobody has looked at. If it is right: \
             yore acknowledge",
            escape::text(&source.name),
            entry.id
        ));
        return Ok((0, Done::Whole));
    }
    let retained = retained(context, repository, group, &retention.rules, false)?;
    let (dropped, kept) = (retained.dropped.len() as u64, retained.kept.len() as u64);
    if dropped == 0 {
        return Ok((0, Done::Whole));
    }
    if retained.drops_most() {
        let what = format!(
            "retention would forget {} and keep {}: more than half, so nothing is forgotten by itself. \
             `yore forget --dry-run` shows it, `yore forget --force` does it",
            format::count(dropped),
            format::count(kept)
        );
        context.screen.problem(&format!("source {}", source.name), &what);
        return Ok((0, Done::Partly));
    }
    let writer = writer(state::client()?, None);
    let (now, _) = time::present(&context.now);
    let ids = retained.dropped_ids();
    let reason = format!("retention: {}", retention.rules.text());
    let report = yore_engine::repository::forget(repository, &ids, &writer, now, &reason)?;
    let counted = format::counted(dropped, "snapshot");
    context.screen.info(format!("Retention: {counted} forgotten, {} kept.", format::count(kept)));
    let is_whole = report.behind.is_empty();
    Ok((dropped, if is_whole { Done::Whole } else { Done::Partly }))
}
