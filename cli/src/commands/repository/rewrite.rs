//! `yore rewrite`: paths are removed from snapshots that exist.

use clap::Args;
use yore_engine::Run;
use yore_engine::rewrite::{RewriteOptions, RewriteReport, rewrite};

use crate::access::state as own_state;
use crate::access::writer::writer;
use crate::args::exclude::{self, FromHere};
use crate::args::machine::MachineArgs;
use crate::context::Context;
use crate::failure::{Done, Exit, Failure, Outcome};
use crate::json;
use crate::moment::state;
use crate::screen::progress::Progress;
use crate::screen::question;
use crate::text::format;

/// The options of `rewrite`.
#[derive(Debug, Args)]
pub struct Options {
    /// Remove what matches this pattern, as in .gitignore (may be repeated)
    #[arg(long, value_name = "GLOB", required = true, value_parser = exclude::parse)]
    exclude: Vec<String>,
    /// Tell what would be removed, do nothing
    #[arg(long)]
    dry_run: bool,
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
    if !known.problems.is_empty() {
        state::print_problems(context, known.problems);
        return Err(Failure::new(
            Exit::Failed,
            "nothing was changed: not every snapshot could be read",
            "`yore check` tells what is wrong, `yore repair` heals what it can",
        ));
    }
    let list = options.machine.select(known.list)?;
    let sources = list.iter().flat_map(|entry| entry.snapshot.sources.iter().cloned()).collect();
    let bases = exclude::bases(sources, FromHere::Yes);
    let rules = options.exclude.iter().map(|typed| yore_engine::globs::Rule::typed(typed, &bases));
    let mut settings = RewriteOptions { exclude: rules.collect(), run: Run::Dry };
    let (now, _) = context.present();
    let writer = writer(own_state::client()?, None);
    let progress = || -> Outcome<Progress> {
        Ok(Progress::start(&context.screen, "rewriting", Some(context.interrupt()?)))
    };
    let is_asked = !options.dry_run && !options.yes && question::can_be_asked(&context.screen);
    if options.dry_run || is_asked {
        let report = rewrite(&repository, &list, &settings, &writer, now, &progress()?)?;
        print(context, &report, true);
        if options.dry_run || report.rewritten.is_empty() {
            return Ok(Done::Whole);
        }
        let number = report.rewritten.len() as u64;
        let question = format!("Rewrite {}?", format::counted(number, "snapshot"));
        if !question::is_agreed(&context.screen, &question, "say --yes")? {
            return Err(Failure::new(Exit::Failed, "nothing was changed", "--dry-run only tells"));
        }
    }
    settings.run = Run::Real;
    let report = rewrite(&repository, &list, &settings, &writer, now, &progress()?)?;
    print(context, &report, false);
    for one in &report.behind {
        let what = "it did not get the new snapshots: `yore sync` copies them";
        context.screen.problem(&context.title(one.destination), what);
    }
    let is_whole = report.behind.is_empty() && report.pinned.is_empty();
    Ok(context.done_everywhere(if is_whole { Done::Whole } else { Done::Partly }))
}

fn print(context: &Context, report: &RewriteReport, dry_run: bool) {
    let screen = &context.screen;
    let (mut files, mut bytes) = (0, 0);
    for one in &report.rewritten {
        screen.object(&json::Rewritten::new(one, dry_run));
        files = files.max(one.removed.files);
        bytes = bytes.max(one.removed.bytes);
    }
    let number = report.rewritten.len() as u64;
    match (number, dry_run) {
        (0, _) => screen.info("No snapshot has anything that matches."),
        (_, dry) => screen.info(format!(
            "{} {} without up to {} ({}).{}",
            format::counted(number, "snapshot"),
            if dry { "would be made anew" } else { "made anew" },
            format::counted(files, "file"),
            format::bytes(bytes),
            if dry { "" } else { " `yore prune` frees the space." }
        )),
    }
    for id in &report.pinned {
        let what = "it is pinned and stays as it is: yore unpin lets it be rewritten";
        screen.problem(&format!("snapshot {id:.8}"), what);
    }
}
