//! `yore forget`: snapshots that do not count any more.

use std::collections::BTreeSet;
use std::ffi::OsString;

use clap::Args;
use yore_engine::format::SnapshotId;
use yore_engine::repository::forget;
use yore_engine::snapshots::SnapshotEntry;

use crate::access::state as own_state;
use crate::access::writer::writer;
use crate::args::machine::MachineArgs;
use crate::args::time;
use crate::commands::browse::snapshots;
use crate::context::Context;
use crate::failure::{Done, Exit, Failure, Outcome};
use crate::json;
use crate::moment::{moment_path, snapshot, state as moment_state};
use crate::screen::question;
use crate::text::{escape, format};

/// The options of `forget`.
#[derive(Debug, Args)]
pub struct Options {
    /// Snapshots, each by its id, the beginning of it, or a moment of this machine: latest, 2026-01-15T10:30
    #[arg(value_name = "MOMENT", required = true)]
    moments: Vec<OsString>,
    /// Tell what would be forgotten, do nothing
    #[arg(long)]
    dry_run: bool,
    /// Forget the last snapshot of a source, too
    #[arg(long)]
    allow_empty: bool,
    /// Ask nothing
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    machine: MachineArgs,
}

/// Runs the command.
pub fn run(context: &Context, options: &Options) -> Outcome {
    let repository = context.open()?;
    let known = repository.snapshots()?;
    moment_state::print_problems(context, known.problems);
    let chosen = choose(context, options, &known.list)?;
    if !options.allow_empty {
        must_keep_last_snapshots(&known.list, &chosen)?;
    }
    let writer = writer(own_state::client()?, None);
    if !options.dry_run {
        if !options.yes && question::can_be_asked(&context.screen) {
            agree(context, &chosen)?;
        }
        let ids: Vec<SnapshotId> = chosen.iter().map(|entry| entry.id).collect();
        let (now, _) = time::present(&context.now);
        forget(&repository, &ids, &writer, now, "chosen by name")?;
    }
    let done = if options.dry_run { "Would forget" } else { "Forgot" };
    for SnapshotEntry { id, snapshot, .. } in &chosen {
        context.screen.object(&json::Forget { snapshot: id.to_string(), dry_run: options.dry_run });
        let time = format::time(snapshot.time, context.now.time_zone());
        let host = escape::text(&snapshot.host);
        context.screen.info(format!("{done} snapshot {id:.8} of {time}, {host}."));
    }
    if !options.dry_run {
        context.screen.info("Its space is not free yet: this version does not reclaim it.");
    }
    Ok(Done::Whole)
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
