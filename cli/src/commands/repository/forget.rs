//! `yore forget`: snapshots that do not count any more, named one by one or left over by a policy.

use std::collections::BTreeSet;
use std::ffi::OsString;

use clap::Args;
use yore_engine::format::SnapshotId;
use yore_engine::repository::{Behind, Repository, forget};
use yore_engine::snapshots::SnapshotEntry;

use crate::access::state as own_state;
use crate::access::writer::writer;
use crate::args::machine::MachineArgs;
use crate::args::retention::PolicyArgs;
use crate::commands::browse::snapshots;
use crate::commands::repository::prune;
use crate::context::Context;
use crate::failure::{Done, Exit, Failure, Outcome};
use crate::json;
use crate::moment::{moment_path, snapshot, state as moment_state};
use crate::screen::question;
use crate::text::{escape, format};

mod by_policy;
mod missing;

/// The options of `forget`.
#[derive(Debug, Args)]
pub struct Options {
    /// Snapshots, each by its id, the beginning of it, or a moment of this machine: latest, 2026-01-15T10:30
    #[arg(value_name = "MOMENT", conflicts_with = "PolicyArgs")]
    moments: Vec<OsString>,
    #[command(flatten)]
    policy: PolicyArgs,
    /// Tell what would be forgotten, do nothing
    #[arg(long)]
    dry_run: bool,
    /// Then free the space of what no snapshot needs any more
    #[arg(long)]
    prune: bool,
    /// Forget the last snapshot of a source, too
    #[arg(long)]
    allow_empty: bool,
    /// Forget by a policy more than half of a group
    #[arg(long)]
    force: bool,
    /// Forget the snapshots that were committed and whose records are gone, after `yore repair`
    #[arg(long, conflicts_with_all = ["moments", "PolicyArgs"])]
    missing: bool,
    /// Ask nothing
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    machine: MachineArgs,
}

/// Runs the command.
pub fn run(context: &Context, options: &Options) -> Outcome {
    if options.missing {
        return missing::run(context, options);
    }
    if options.moments.is_empty() {
        return by_policy::run(context, options);
    }
    let repository = context.open()?;
    let known = moment_state::snapshots(context, &repository)?;
    let chosen = choose(context, options, &known.list)?;
    must_not_be_pinned(&chosen)?;
    if !options.allow_empty {
        must_keep_last_snapshots(&known.list, &chosen)?;
    }
    if !options.dry_run && !options.yes && question::can_be_asked(&context.screen) {
        agree(context, &chosen)?;
    }
    let chosen: Vec<&SnapshotEntry> = chosen.iter().collect();
    forget_all(context, &repository, &chosen, options, "chosen by name")
}

/// Forgets snapshots for a reason, or tells that it would.
fn forget_all(
    context: &Context,
    repository: &Repository,
    chosen: &[&SnapshotEntry],
    options: &Options,
    reason: &str,
) -> Outcome {
    let dry_run = options.dry_run;
    let mut behind = Vec::new();
    if !dry_run && !chosen.is_empty() {
        let writer = writer(own_state::client()?, None);
        let ids: Vec<SnapshotId> = chosen.iter().map(|entry| entry.id).collect();
        let (now, _) = context.present();
        behind = forget(repository, &ids, &writer, now, reason)?.behind;
    }
    let done = if dry_run { "Would forget" } else { "Forgot" };
    for SnapshotEntry { id, snapshot, .. } in chosen {
        context.screen.object(&json::Forget { snapshot: id.to_string(), dry_run });
        let time = format::time(snapshot.time, context.now.time_zone());
        let host = escape::text(&snapshot.host);
        context.screen.info(format!("{done} snapshot {id:.8} of {time}, {host}."));
    }
    if !dry_run && !chosen.is_empty() && !options.prune {
        context.screen.info("`yore prune` frees their space.");
    }
    finish(context, repository, options, &behind)
}

/// Tells which destinations are behind, and frees the space where that is wanted.
fn finish(
    context: &Context,
    repository: &Repository,
    options: &Options,
    behind: &[Behind],
) -> Outcome {
    for one in behind {
        let what = "it did not get to know of this: `yore sync` copies it";
        context.screen.problem(&context.title(one.destination), what);
    }
    let done = if behind.is_empty() { Done::Whole } else { Done::Partly };
    if options.prune && !options.dry_run {
        let pruned = prune::free(context, repository, &prune::settings(context))?;
        return Ok(if behind.is_empty() { pruned } else { done });
    }
    Ok(context.done_everywhere(done))
}

/// Finds the snapshots that were named; all of them must be there before any is forgotten.
fn choose(
    context: &Context,
    options: &Options,
    list: &[SnapshotEntry],
) -> Outcome<Vec<SnapshotEntry>> {
    let mut chosen: Vec<SnapshotEntry> = Vec::new();
    for text in &options.moments {
        let moment_path = moment_path::parse(text, &context.now)?;
        if !moment_path.is_whole() {
            return Err(Failure::usage(
                format!("{} names a path in a snapshot", escape::text(&text.to_string_lossy())),
                "whole snapshots are forgotten; name one without a path",
            ));
        }
        let one = snapshot::one(context, &moment_path, list, &options.machine)?;
        if !chosen.iter().any(|other| other.id == one.id) {
            chosen.push(one);
        }
    }
    Ok(chosen)
}

/// Refuses to forget what somebody has pinned.
fn must_not_be_pinned(chosen: &[SnapshotEntry]) -> Outcome<()> {
    let Some(pinned) = chosen.iter().find(|entry| entry.pinned) else { return Ok(()) };
    Err(Failure::usage(
        format!("nothing was forgotten: snapshot {:.8} is pinned", pinned.id),
        format!("to forget it all the same: yore unpin {:.8}", pinned.id),
    ))
}

/// Refuses to forget all snapshots of a source of a machine.
fn must_keep_last_snapshots(list: &[SnapshotEntry], chosen: &[SnapshotEntry]) -> Outcome<()> {
    let is_chosen = |entry: &&SnapshotEntry| chosen.iter().any(|other| other.id == entry.id);
    let sources =
        |entries: &mut dyn Iterator<Item = &SnapshotEntry>| -> BTreeSet<(String, Vec<u8>)> {
            entries
                .flat_map(|entry| {
                    let host = &entry.snapshot.host;
                    entry.snapshot.sources.iter().map(move |source| (host.clone(), source.clone()))
                })
                .collect()
        };
    let goes = sources(&mut list.iter().filter(is_chosen));
    let stays = sources(&mut list.iter().filter(|entry| !is_chosen(entry)));
    let Some((host, source)) = goes.difference(&stays).next() else { return Ok(()) };
    Err(Failure::usage(
        format!(
            "nothing was forgotten: no snapshot of {} on {} would be left",
            escape::path(source),
            escape::text(host)
        ),
        "to forget the last one, too, say --allow-empty",
    ))
}

/// Shows what is to be forgotten, and asks.
fn agree(context: &Context, chosen: &[SnapshotEntry]) -> Outcome<()> {
    let table = snapshots::table(chosen, context.now.time_zone());
    table
        .lines(Some(context.screen.width_of_progress()))
        .iter()
        .for_each(|line| context.screen.ask(line));
    let number = chosen.len() as u64;
    let question = format!("Forget {}?", format::counted(number, "snapshot"));
    match question::is_agreed(&context.screen, &question, "say --yes")? {
        true => Ok(()),
        false => Err(Failure::new(
            Exit::Failed,
            "nothing was forgotten",
            "--dry-run shows what would be forgotten",
        )),
    }
}
