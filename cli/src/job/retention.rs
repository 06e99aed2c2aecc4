//! The policies of the configuration, applied to the snapshots of its sources.

use std::collections::BTreeSet;

use yore_engine::history::version_holders;
use yore_engine::repository::{Repository, Snapshots};
use yore_engine::snapshots::retention::{Group, GroupBy, Held, Policy, Retained, group, retain};
use yore_platform::{hostname, snapshot_path};

use super::remote;
use crate::access::state;
use crate::access::writer::writer;
use crate::args::retention::Rules;
use crate::config::{Retention, SourceKind, SourceSettings};
use crate::context::Context;
use crate::failure::{Done, Exit, Failure, Outcome};
use crate::moment::suspicion;
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
    let host = source.host.clone().unwrap_or_else(|| match &source.kind {
        SourceKind::Remote(folders) => remote::host(folders),
        _ => hostname(),
    });
    group.host == host && is_saved_by(&group.sources, source)
}

/// Returns true if these are the paths of one of the snapshots that a run of a source makes.
fn is_saved_by(saved: &[&[u8]], source: &SourceSettings) -> bool {
    let is_one = |is_it: &dyn Fn(&[u8]) -> bool| matches!(saved, [one] if is_it(one));
    match &source.kind {
        SourceKind::Files => {}
        SourceKind::Remote(folders) => return remote::are_saved(saved, folders),
        SourceKind::Command { file, .. } => {
            return is_one(&|one| one == file.trim_start_matches('/').as_bytes());
        }
        SourceKind::Server(_) => {
            let folder = format!("{}/", source.name);
            return is_one(&|one| one.starts_with(folder.as_bytes()));
        }
        SourceKind::Docker(docker) => {
            let paths = docker.volumes.iter().map(|volume| format!("{}/{volume}", source.name));
            let paths: BTreeSet<Vec<u8>> = paths.map(String::into_bytes).collect();
            return saved.iter().copied().eq(paths.iter().map(Vec::as_slice));
        }
        SourceKind::Sqlite => {
            return is_one(&|one| source.paths.iter().any(|path| snapshot_path(path) == one));
        }
    }
    let mut paths: Vec<Vec<u8>> = source.paths.iter().map(|path| snapshot_path(path)).collect();
    paths.sort_unstable();
    paths.dedup();
    saved.iter().copied().eq(paths.iter().map(Vec::as_slice))
}

/// Returns the snapshots, of which rules may forget some.
///
/// # Errors
/// When one can't be read, or is missing that nobody forgot: a rule counts all of them.
pub fn complete(context: &Context, repository: &Repository) -> Outcome<Snapshots> {
    let mut known = repository.snapshots()?;
    if let Some(error) = known.problems.pop() {
        return Err(error.into());
    }
    if !known.rolled_back.is_empty() {
        suspicion::print_rolled_back(context, &known.rolled_back);
        return Err(Failure::new(
            Exit::Failed,
            "nothing was forgotten: snapshots are missing that nobody forgot",
            "a rule counts all snapshots; see above",
        ));
    }
    Ok(known)
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
    let known = complete(context, repository)?;
    let (mut forgotten, mut all) = (0, Done::Whole);
    for group in group(&known.list, GroupBy::default()) {
        if is_of_source(&group, source) {
            let (dropped, done) = forget_of_group(context, repository, &group, source, retention)?;
            forgotten += dropped;
            if done != Done::Whole {
                all = done;
            }
        }
    }
    Ok((forgotten, all))
}

/// Forgets of one group what the rules do not keep.
fn forget_of_group(
    context: &Context,
    repository: &Repository,
    group: &Group<'_>,
    source: &SourceSettings,
    retention: &Retention,
) -> Outcome<(u64, Done)> {
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
    let (now, _) = context.present();
    let ids = retained.dropped_ids();
    let reason = format!("retention: {}", retention.rules.text());
    let report = yore_engine::repository::forget(repository, &ids, &writer, now, &reason)?;
    let counted = format::counted(dropped, "snapshot");
    context.screen.info(format!("Retention: {counted} forgotten, {} kept.", format::count(kept)));
    let is_whole = report.behind.is_empty();
    Ok((dropped, if is_whole { Done::Whole } else { Done::Partly }))
}
