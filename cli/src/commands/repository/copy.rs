//! `yore copy`: snapshots of another repository are brought into this one.

use std::collections::HashSet;

use clap::Args;
use yore_engine::copy::{CopyOptions, CopyReport, copy};
use yore_engine::format::SnapshotId;
use yore_engine::repository::Repository;
use yore_engine::snapshots::SnapshotEntry;
use yore_engine::{Error, Repeat, Run, TreePath};

use crate::access::state as own_state;
use crate::access::writer::writer;
use crate::args::machine::MachineArgs;
use crate::args::other_repository::OtherRepository;
use crate::args::snapshot_filter::SnapshotFilter;
use crate::context::Context;
use crate::failure::engine_error::message;
use crate::failure::{Done, Outcome};
use crate::json;
use crate::moment::{clock, moment_path, snapshot};
use crate::screen::progress::Progress;
use crate::text::{escape, format};

/// The options of `copy`.
#[derive(Debug, Args)]
pub struct Options {
    /// Copy these snapshots only: ids or moments of the other repository (default: all that are not here yet)
    #[arg(value_name = "SNAPSHOT")]
    snapshots: Vec<std::ffi::OsString>,
    #[command(flatten)]
    other: OtherRepository,
    #[command(flatten)]
    filter: SnapshotFilter,
    /// Copy also what was copied before and forgotten here since
    #[arg(long)]
    again: bool,
    /// Tell what would be copied, do nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs the command.
pub fn run(context: &Context, options: &Options) -> Outcome {
    let to = context.open()?;
    let from = context.open_other(&options.other)?;
    let named = named(context, options, &from)?;
    let choose = |entry: &SnapshotEntry| {
        named.as_ref().is_none_or(|named| named.contains(&entry.id))
            && options.filter.accepts(&entry.snapshot)
    };
    let settings = CopyOptions {
        machine: None,
        repeat: if options.again { Repeat::Forgotten } else { Repeat::Never },
        run: if options.dry_run { Run::Dry } else { Run::Real },
    };
    let writer = writer(own_state::client()?, None);
    let progress = Progress::start(&context.screen, "copying", Some(context.interrupt()?));
    let report = copy(&from, &to, &choose, settings, &writer, &progress)?;
    drop(progress);
    print(context, &report, settings.run);
    let is_caught_up = context.catch_up(&to, &report.behind)?;
    context.heal(&to)?;
    let is_whole = is_caught_up && report.failed.is_empty() && report.problems.is_empty();
    Ok(context.done_everywhere(if is_whole { Done::Whole } else { Done::Partly }))
}

/// Finds the snapshots of the other repository that are named; `None` where none is.
fn named(
    context: &Context,
    options: &Options,
    from: &Repository,
) -> Outcome<Option<HashSet<SnapshotId>>> {
    if options.snapshots.is_empty() {
        return Ok(None);
    }
    let list = from.snapshots()?.list;
    let host = options.filter.host.first().cloned();
    let machine = MachineArgs { all_hosts: host.is_none(), host };
    let find = |text: &std::ffi::OsString| {
        let moment = moment_path::parse(text, &context.now)?;
        Ok(snapshot::one(context, &moment, &list, &machine)?.id)
    };
    options.snapshots.iter().map(find).collect::<Outcome<HashSet<_>>>().map(Some)
}

fn print(context: &Context, report: &CopyReport, run: Run) {
    let (screen, zone) = (&context.screen, context.now.time_zone());
    let is_dry = run == Run::Dry;
    for error in &report.problems {
        screen.problem("the other repository", &message(error));
    }
    for one in &report.failed {
        let what = match &one.error {
            Error::Unsupported { .. } => format!("it is not copied: {}", message(&one.error)),
            error => {
                let path = TreePath::new(&one.path);
                format!("it is not copied, since /{path} can't be read: {}", message(error))
            }
        };
        screen.problem(&format!("snapshot {:.8}", one.source.id), &what);
    }
    for one in &report.copied {
        screen.object(&json::Copied::new(one));
        let entry = &one.source;
        screen.info(format!(
            "{}  {}  {}{}",
            clock::time(entry, zone),
            escape::text(&entry.snapshot.host),
            format::bytes(entry.snapshot.totals.bytes),
            one.copy.map(|id| format!("  copied as {id:.8}")).unwrap_or_default(),
        ));
    }
    screen.object(&json::Copy::new(report, is_dry));
    let number = format::counted(report.copied.len() as u64, "snapshot");
    let stored = report.copied.iter().map(|one| one.stored_bytes).sum();
    screen.info(match (is_dry, report.copied.is_empty()) {
        (_, true) if report.failed.is_empty() => "Nothing is left to be copied.".to_owned(),
        (true, _) => format!("{number} would be copied."),
        (false, _) => format!("{number} copied; they take {} here.", format::bytes(stored)),
    });
    if report.forgotten > 0 {
        screen.info(format!(
            "  {} copied before and forgotten here since; --again copies what was forgotten",
            match report.forgotten {
                1 => "1 snapshot was".to_owned(),
                more => format!("{} snapshots were", format::count(more)),
            }
        ));
    }
}
