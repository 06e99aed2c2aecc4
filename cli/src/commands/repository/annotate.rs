//! `yore pin`, `yore unpin`, `yore tag` and `yore acknowledge`: what is noted about snapshots later.

use std::ffi::OsString;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use yore_engine::format::Annotation;
use yore_engine::repository::{AnnotateReport, annotate};
use yore_engine::snapshots::{ACKNOWLEDGED, SnapshotEntry};

use crate::access::state as own_state;
use crate::access::writer::writer;
use crate::args::machine::MachineArgs;
use crate::context::Context;
use crate::failure::{Done, Failure, Outcome};
use crate::json;
use crate::moment::{clock, moment_path, snapshot, state as moment_state};
use crate::text::{escape, format};

/// The options of `pin` and `unpin`.
#[derive(Debug, Args)]
pub struct Pin {
    #[command(flatten)]
    chosen: Chosen,
}

/// The options of `tag`.
#[derive(Debug, Args)]
pub struct Tag {
    #[command(flatten)]
    chosen: Chosen,
    /// Add a word (may be repeated)
    #[arg(long, value_name = "TAG", value_parser = NonEmptyStringValueParser::new())]
    add: Vec<String>,
    /// Remove a word (may be repeated)
    #[arg(long, value_name = "TAG", value_parser = NonEmptyStringValueParser::new())]
    remove: Vec<String>,
}

/// The options of `acknowledge`.
#[derive(Debug, Args)]
pub struct Acknowledge {
    /// Snapshots, each by its id, the beginning of it, or a moment of this machine; without any, all of this machine's,
    /// and snapshots that a destination had and has no more are expected there no more
    #[arg(value_name = "MOMENT")]
    moments: Vec<OsString>,
    #[command(flatten)]
    machine: MachineArgs,
}

/// The snapshots that are meant.
#[derive(Debug, Args)]
struct Chosen {
    /// Snapshots, each by its id, the beginning of it, or a moment of this machine: latest, 2026-01-15T10:30
    #[arg(value_name = "MOMENT", required = true)]
    moments: Vec<OsString>,
    #[command(flatten)]
    machine: MachineArgs,
}

/// Runs `pin`.
pub fn pin(context: &Context, options: &Pin) -> Outcome {
    change(context, &options.chosen, |annotation| annotation.pinned = true)
}

/// Runs `unpin`.
pub fn unpin(context: &Context, options: &Pin) -> Outcome {
    change(context, &options.chosen, |annotation| annotation.pinned = false)
}

/// Runs `tag`.
pub fn tag(context: &Context, options: &Tag) -> Outcome {
    if options.add.is_empty() && options.remove.is_empty() {
        return Err(Failure::usage(
            "neither a word to add nor one to remove is named",
            "say --add WORD or --remove WORD",
        ));
    }
    change(context, &options.chosen, |annotation| {
        annotation.tags.retain(|tag| !options.remove.contains(tag));
        for tag in &options.add {
            if !annotation.tags.contains(tag) {
                annotation.tags.push(tag.clone());
            }
        }
    })
}

/// Runs `acknowledge`: suspicious changes were looked at, and what is missing is accepted.
pub fn acknowledge(context: &Context, options: &Acknowledge) -> Outcome {
    let repository = context.open()?;
    let known = moment_state::snapshots(context, &repository)?;
    let mut entries = match options.moments.is_empty() {
        true => options.machine.select(known.list)?,
        false => named(context, &options.moments, &options.machine, &known.list)?,
    };
    entries.retain(SnapshotEntry::needs_attention);
    let (now, _) = context.present();
    let writer = writer(own_state::client()?, None);
    let mut is_whole = true;
    for entry in &entries {
        let report = annotate(&repository, entry.id, &writer, now, |annotation| {
            annotation.labels.insert(ACKNOWLEDGED.to_owned(), "yes".to_owned());
        })?;
        context.screen.object(&json::Acknowledged { snapshot: entry.id.to_string() });
        context.screen.info(format!(
            "The change of snapshot {:.8} of {} is taken for right.",
            entry.id,
            clock::time(entry, context.now.time_zone())
        ));
        print_behind(context, &report);
        is_whole &= report.behind.is_empty();
    }
    let mut accepted = Vec::new();
    if options.moments.is_empty() {
        accepted = repository.accept_lost_snapshots()?;
    }
    for lost in &accepted {
        let (title, snapshot) = (context.title(lost.destination), lost.snapshot);
        context.screen.info(format!("{title}: snapshot {snapshot:.8} is expected no more."));
        let snapshot = snapshot.to_string();
        context.screen.object(&json::AcceptedLoss { destination: title, snapshot });
    }
    if entries.is_empty() && accepted.is_empty() {
        context.screen.info("There is nothing to acknowledge.");
    }
    Ok(context.done_everywhere(if is_whole { Done::Whole } else { Done::Partly }))
}

/// Changes what is noted about snapshots; all of them must be there before any is changed.
fn change(context: &Context, chosen: &Chosen, change: impl Fn(&mut Annotation)) -> Outcome {
    let repository = context.open()?;
    let known = moment_state::snapshots(context, &repository)?;
    let entries = named(context, &chosen.moments, &chosen.machine, &known.list)?;
    let (now, _) = context.present();
    let writer = writer(own_state::client()?, None);
    let mut is_whole = true;
    for entry in &entries {
        let report = annotate(&repository, entry.id, &writer, now, &change)?;
        print(context, entry, &report);
        is_whole &= report.behind.is_empty();
    }
    Ok(context.done_everywhere(if is_whole { Done::Whole } else { Done::Partly }))
}

/// Finds the snapshots that moments name.
fn named(
    context: &Context,
    moments: &[OsString],
    machine: &MachineArgs,
    list: &[SnapshotEntry],
) -> Outcome<Vec<SnapshotEntry>> {
    let mut entries: Vec<SnapshotEntry> = Vec::new();
    for text in moments {
        let moment_path = moment_path::parse(text, &context.now)?;
        if !moment_path.is_whole() {
            return Err(Failure::usage(
                format!("{} names a path in a snapshot", escape::text(&text.to_string_lossy())),
                "this is about whole snapshots; name one without a path",
            ));
        }
        entries.push(snapshot::one(context, &moment_path, list, machine)?);
    }
    Ok(entries)
}

fn print(context: &Context, entry: &SnapshotEntry, report: &AnnotateReport) {
    let annotation = &report.annotation;
    let (pinned, tags) = (annotation.pinned, annotation.tags.clone());
    context.screen.object(&json::Annotated { snapshot: entry.id.to_string(), pinned, tags });
    let time = format::time(entry.snapshot.time, context.now.time_zone());
    let mut facts = Vec::new();
    if pinned {
        facts.push("pinned: no policy forgets it".to_owned());
    }
    if !annotation.tags.is_empty() {
        facts.push(format!("tags {}", escape::text(&annotation.tags.join(","))));
    }
    let facts = if facts.is_empty() { "not pinned, no tags".to_owned() } else { facts.join("; ") };
    context.screen.info(format!("Snapshot {:.8} of {time}: {facts}.", entry.id));
    print_behind(context, report);
}

fn print_behind(context: &Context, report: &AnnotateReport) {
    for one in &report.behind {
        let what = "it did not get to know of this: `yore sync` copies it";
        context.screen.problem(&context.title(one.destination), what);
    }
}
