//! `yore collect`: what write-only machines have backed up is verified and taken into the repository.

use clap::Args;
use yore_engine::collect::{CollectReport, collect};
use yore_engine::repository::{Machine, Repository, known_slots, machines};
use yore_engine::{Run, TreePath};

use crate::access::state;
use crate::access::writer::writer;
use crate::commands::repository::prune;
use crate::context::Context;
use crate::failure::engine_error::message;
use crate::failure::{Done, Exit, Failure, Outcome};
use crate::json;
use crate::moment::clock;
use crate::screen::progress::Progress;
use crate::text::{escape, format};

/// The options of `collect`.
#[derive(Debug, Args)]
pub struct Options {
    /// Collect from these write-only machines (default: all of them)
    #[arg(value_name = "MACHINE")]
    machines: Vec<String>,
    /// Tell what would be collected, do nothing
    #[arg(long)]
    dry_run: bool,
    /// Then free the space of what the machines' inboxes need no more
    #[arg(long)]
    prune: bool,
}

/// Runs the command.
pub fn run(context: &Context, options: &Options) -> Outcome {
    let repository = context.open()?;
    let known = known_slots(&repository)?;
    let all = machines(&known);
    known.problems.iter().for_each(|error| context.screen.problem("", &message(error)));
    let chosen = choose(options, &all)?;
    if chosen.is_empty() {
        context
            .screen
            .info("There is no write-only machine: `yore key add --write-only` adds one.");
    }
    let mut done = if known.problems.is_empty() { Done::Whole } else { Done::Partly };
    for machine in chosen {
        match from_machine(context, options, &repository, machine) {
            Ok(Done::Whole) => {}
            Ok(Done::Partly | Done::Damaged) => done = Done::Partly,
            Err(failure) if failure.exit == Exit::Interrupted => return Err(failure),
            // The inboxes of the others are collected all the same.
            Err(failure) => {
                context.screen.problem(&escape::text(&machine.name), &failure.what);
                done = Done::Partly;
            }
        }
    }
    context.heal(&repository)?;
    Ok(context.done_everywhere(done))
}

fn choose<'m>(options: &Options, all: &'m [Machine]) -> Outcome<Vec<&'m Machine>> {
    if options.machines.is_empty() {
        return Ok(all.iter().collect());
    }
    let find = |name: &String| {
        all.iter().find(|machine| machine.name == *name).ok_or_else(|| {
            Failure::usage(
                format!("there is no write-only machine {}", escape::text(name)),
                "`yore key list` lists them",
            )
        })
    };
    options.machines.iter().map(find).collect()
}

/// Collects from the inbox of one machine.
fn from_machine(
    context: &Context,
    options: &Options,
    repository: &Repository,
    machine: &Machine,
) -> Outcome {
    let inbox = context.open_inbox(repository, machine)?;
    let run = if options.dry_run { Run::Dry } else { Run::Real };
    let writer = writer(state::client()?, None);
    let (now, _) = context.present();
    let progress = Progress::start(&context.screen, "collecting", Some(context.interrupt()?));
    let report = collect(&inbox, repository, &machine.name, run, &writer, now, &progress)?;
    drop(progress);
    print(context, machine, &report, run);
    let is_caught_up = context.catch_up(repository, &report.copies.behind)?;
    let copies = &report.copies;
    let is_whole =
        copies.failed.is_empty() && copies.problems.is_empty() && report.behind.is_empty();
    let done = if is_whole && is_caught_up { Done::Whole } else { Done::Partly };
    if options.prune && run == Run::Real {
        context.screen.info(format!("{}, in its inbox:", escape::text(&machine.name)));
        let pruned = prune::free(context, &inbox, &prune::settings(context))?;
        return Ok(if done == Done::Whole { pruned } else { done });
    }
    Ok(done)
}

fn print(context: &Context, machine: &Machine, report: &CollectReport, run: Run) {
    let (screen, zone, name) =
        (&context.screen, context.now.time_zone(), escape::text(&machine.name));
    let copies = &report.copies;
    copies.problems.iter().for_each(|error| screen.problem(&name, &message(error)));
    for one in &copies.failed {
        let path = TreePath::new(&one.path).to_string();
        let what = format!(
            "its snapshot {:.8} is not collected, since /{path} can't be read: {}",
            one.source.id,
            message(&one.error)
        );
        screen.problem(&name, &what);
    }
    for one in &copies.copied {
        screen.object(&json::Copied { host: machine.name.clone(), ..json::Copied::new(one) });
        screen.info(format!(
            "{}  {name}  {}{}",
            clock::time(&one.source, zone),
            format::bytes(one.source.snapshot.totals.bytes),
            one.copy.map(|id| format!("  collected as {id:.8}")).unwrap_or_default(),
        ));
    }
    screen.object(&json::Collected::new(&machine.name, report, run == Run::Dry));
    let number = format::counted(copies.copied.len() as u64, "snapshot");
    let stored = copies.copied.iter().map(|one| one.stored_bytes).sum();
    screen.info(match (run, copies.copied.is_empty()) {
        (_, true) if copies.failed.is_empty() => format!("{name}: nothing new."),
        (Run::Dry, _) => format!("{name}: {number} would be collected."),
        (Run::Real, _) => {
            format!("{name}: {number} collected; they take {} here.", format::bytes(stored))
        }
    });
}
