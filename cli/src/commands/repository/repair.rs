//! `yore repair`: what is damaged is healed, and what can't be is put aside.

use clap::Args;
use yore_engine::Run;
use yore_engine::check::ReadData;
use yore_engine::repair::{DestinationRepair, RepairOptions, repair};

use crate::access::state;
use crate::access::writer::writer;
use crate::args::time;
use crate::context::Context;
use crate::failure::engine_error::message;
use crate::failure::{Done, Outcome};
use crate::json;
use crate::screen::progress::Progress;
use crate::text::format;

/// The options of `repair`.
#[derive(Debug, Args)]
pub struct Options {
    /// Read only the ends of packs, which list their contents, and not every byte
    #[arg(long)]
    quick: bool,
    /// Tell what would be put aside, do nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs the command.
pub fn run(context: &Context, options: &Options) -> Outcome {
    let repository = context.open()?;
    let settings = RepairOptions {
        read_data: if options.quick { ReadData::None } else { ReadData::All },
        run: if options.dry_run { Run::Dry } else { Run::Real },
    };
    let (now, _) = time::present(&context.now);
    let writer = writer(state::client()?, None);
    let progress = Progress::start(&context.screen, "repairing", Some(context.interrupt()?));
    let reports = repair(&repository, &settings, &writer, now, &progress)?;
    drop(progress);
    let (mut is_whole, mut is_sound) = (true, true);
    for report in &reports {
        let title = context.title(report.destination);
        context.screen.object(&json::Repaired::new(title.clone(), report, options.dry_run));
        print(context, &title, report, options.dry_run);
        is_whole &= report.problems.is_empty() && report.error.is_none();
        is_sound &= report.left.as_ref().is_none_or(|left| left.is_sound());
    }
    if !is_sound {
        context.screen.line(
            "What is listed as lost can't be restored. Where the files still are: `yore backup --force` saves them \
             again, and earlier snapshots that have the same content are whole again.",
        );
        return Ok(Done::Damaged);
    }
    if is_whole && !options.dry_run {
        context.screen.info("Everything is as it should be.");
    }
    Ok(context.done_everywhere(if is_whole { Done::Whole } else { Done::Partly }))
}

fn print(context: &Context, title: &str, report: &DestinationRepair, dry_run: bool) {
    let screen = &context.screen;
    let objects = |number: usize| format::counted(number as u64, "object");
    if !report.healed.is_empty() {
        let healed = objects(report.healed.len());
        screen.info(format!("{title}: {healed} healed from another destination."));
    }
    if report.described > 0 {
        let packs = format::counted(report.described, "pack");
        let verb = if dry_run { "would be" } else { "are" };
        screen.info(format!("{title}: {packs} {verb} in an index again."));
    }
    for name in &report.quarantined {
        let verb = if dry_run { "would be put aside" } else { "is put aside" };
        screen.line(format!("{title}: {name} is damaged, and {verb} in quarantine/."));
    }
    if report.salvaged > 0 || report.lost > 0 {
        screen.line(format!(
            "{title}: of the damaged packs, {} are saved and {} lost.",
            format::counted(report.salvaged, "blob"),
            format::count(report.lost)
        ));
    }
    for error in report.problems.iter().chain(&report.error) {
        screen.problem(title, &message(error));
    }
    for finding in report.left.iter().flat_map(|left| &left.problems) {
        let what = message(&finding.error);
        screen.object(&json::Finding { subject: &finding.subject, message: &what });
        screen.line(format!("LOST     {}: {what}", finding.subject));
    }
}
