//! `yore prune`: the space of what no snapshot needs is freed.

use clap::Args;
use yore_engine::prune::{Access, Amount, DestinationPrune, PruneOptions, prune};
use yore_engine::repository::Repository;
use yore_engine::{Error, Refusal, Run};

use crate::access::state;
use crate::access::writer::writer;
use crate::args::duration;
use crate::context::Context;
use crate::failure::engine_error::message;
use crate::failure::{Done, Exit, Failure, Outcome};
use crate::json;
use crate::screen::progress::Progress;
use crate::text::format;

mod waiting;

/// The options of `prune`.
#[derive(Debug, Args)]
pub struct Options {
    /// Leave at most this share of unused bytes in packs that are in use
    #[arg(long, value_name = "PERCENT", default_value = "5%", value_parser = percent)]
    max_unused: f64,
    /// Delete packs only after this time, so that mounts and restores that began before go on
    #[arg(long, value_name = "DURATION", default_value = "72h")]
    grace: String,
    /// Tell what would be freed, do nothing
    #[arg(long)]
    dry_run: bool,
    /// Nobody else uses the repository now: abort the backups that never ended
    #[arg(long)]
    exclusive: bool,
}

/// Reads a percentage as a share.
fn percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').unwrap_or(text).trim().parse::<f64>();
    match number {
        Ok(number) if (0.0..=100.0).contains(&number) => Ok(number / 100.0),
        _ => Err("write a percentage, such as 5%".to_owned()),
    }
}

/// Runs the command.
pub fn run(context: &Context, options: &Options) -> Outcome {
    let grace = duration::seconds("--grace", &options.grace, &context.now)?;
    let repository = context.open()?;
    let settings = PruneOptions {
        max_unused: options.max_unused,
        grace,
        access: if options.exclusive { Access::Exclusive } else { Access::Shared },
        run: if options.dry_run { Run::Dry } else { Run::Real },
        has_absent_destinations: !context.unreached().is_empty(),
    };
    free(context, &repository, &settings)
}

/// Returns the usual settings, for a prune that follows another operation.
pub fn settings(context: &Context) -> PruneOptions {
    let has_absent_destinations = !context.unreached().is_empty();
    PruneOptions { has_absent_destinations, ..PruneOptions::default() }
}

/// Prunes every destination, and tells what was freed.
pub fn free(context: &Context, repository: &Repository, settings: &PruneOptions) -> Outcome {
    let progress = Progress::start(&context.screen, "pruning", Some(context.interrupt()?));
    let (now, _) = context.present();
    let writer = writer(state::client()?, None);
    let report = prune(repository, settings, &writer, now, &progress);
    drop(progress);
    let report = report.map_err(|error| match &error {
        Error::Refused(Refusal::NeedsExclusiveAccess { .. }) => Failure::new(
            Exit::Failed,
            message(&error),
            "when no backup runs on any machine, say --exclusive",
        ),
        _ => error.into(),
    })?;
    let mut is_whole = true;
    for pruned in &report.destinations {
        let title = context.title(pruned.destination);
        context.screen.object(&json::Pruned::new(title.clone(), pruned, settings.run));
        print(context, &title, pruned, settings.run);
        let problems = pruned.problems.iter().chain(&pruned.error);
        problems.for_each(|error| context.screen.problem(&title, &message(error)));
        if let Some(Error::Missing { .. } | Error::Damaged { .. }) = pruned.error {
            let what = "nothing is deleted while something that a snapshot needs can't be read: \
                        `yore check` tells what, `yore repair` heals what it can";
            context.screen.problem(&title, what);
        }
        is_whole &= pruned.problems.is_empty() && pruned.error.is_none();
    }
    if report.destinations.iter().all(|pruned| pruned.error.is_some()) {
        return Err(Failure::new(Exit::Failed, "nothing was freed", "see above"));
    }
    Ok(context.done_everywhere(if is_whole { Done::Whole } else { Done::Partly }))
}

/// Shows a number of packs: `1.4 GiB in 22 packs`.
fn amount(amount: &Amount) -> String {
    format!("{} in {}", format::bytes(amount.bytes), format::counted(amount.packs, "pack"))
}

fn print(context: &Context, title: &str, pruned: &DestinationPrune, run: Run) {
    let screen = &context.screen;
    let is_dry = run == Run::Dry;
    if pruned.is_unchanged() && pruned.pending.is_empty() {
        screen.info(format!("{title}: nothing to free."));
    }
    if pruned.condemned.packs > 0 {
        let verb =
            if is_dry { "would be marked to be deleted" } else { "are marked to be deleted" };
        let what = amount(&pruned.condemned);
        screen.info(format!("{title}: {what}, which no snapshot needs, {verb}."));
    }
    if pruned.repacked.packs > 0 {
        let verb = if is_dry { "would be moved" } else { "was moved" };
        let written = if is_dry { "would be" } else { "are" };
        screen.info(format!(
            "{title}: what is in use of {} {verb}: {} {written} written instead.",
            amount(&pruned.repacked),
            format::bytes(pruned.written.bytes)
        ));
    }
    if pruned.deleted.packs > 0 {
        let freed = format::bytes(pruned.deleted.bytes);
        screen.info(format!("{title}: {freed} freed: {} deleted.", amount(&pruned.deleted)));
    }
    if pruned.parity.objects > 0 {
        let verb = if is_dry { "would be deleted" } else { "is deleted" };
        let size = format::bytes(pruned.parity.bytes);
        screen.info(format!("{title}: {size} of parity, of packs that are deleted, {verb}."));
    }
    if pruned.rescued > 0 {
        let rescued = format::counted(pruned.rescued, "pack");
        screen.info(format!("{title}: {rescued} stay, since a backup meanwhile needs them."));
    }
    for line in waiting::lines(&pruned.pending, context.now.time_zone()) {
        screen.info(format!("{title}: {line}"));
    }
    if pruned.is_behind {
        let what = "it lacks snapshots that another destination has: packs are moved there after `yore sync`";
        screen.problem(title, what);
    }
}
