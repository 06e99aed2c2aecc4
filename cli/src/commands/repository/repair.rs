//! `yore repair`: what is damaged is healed, and what can't be is put aside.

use clap::Args;
use yore_engine::Run;
use yore_engine::check::ReadData;
use yore_engine::format::{Area, ObjectName};
use yore_engine::repair::{DestinationRepair, RepairOptions, Saved, repair};

use crate::access::state;
use crate::access::writer::writer;
use crate::context::Context;
use crate::failure::engine_error::message;
use crate::failure::{Done, Outcome};
use crate::json;
use crate::screen::progress::Progress;
use crate::text::{escape, format};

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
    let (now, _) = context.present();
    let writer = writer(state::client()?, None);
    let progress = Progress::start(&context.screen, "repairing", Some(context.interrupt()?));
    let report = repair(&repository, &settings, &writer, now, &progress)?;
    drop(progress);
    let (mut is_whole, mut is_sound) = (true, true);
    for report in &report.destinations {
        let title = context.title(report.destination);
        context.screen.object(&json::Repaired::new(title.clone(), report, options.dry_run));
        print(context, &title, report, options.dry_run);
        is_whole &= report.problems.is_empty() && report.error.is_none();
        is_sound &= report.left.as_ref().is_none_or(|left| left.is_sound());
    }
    print_saved(context, &report.saved);
    if !is_sound {
        context.screen.line(
            "What is listed as damaged or lost can't be restored whole; `yore restore --salvage` gets the intact parts of a \
             file. Where the files still are: the next backup saves them again, and earlier snapshots that have the \
             same content are whole again.",
        );
        return Ok(Done::Damaged);
    }
    if is_whole && !options.dry_run {
        context.screen.info("Everything is as it should be.");
    }
    Ok(context.done_everywhere(if is_whole { Done::Whole } else { Done::Partly }))
}

/// Prints the snapshots that were made of those that lost something, and what was lost.
fn print_saved(context: &Context, saved: &Saved) {
    let screen = &context.screen;
    for path in &saved.lost {
        let path = escape::path(path);
        screen.object(&json::Lost { path: &path });
        screen.line(format!("LOST     {path}"));
    }
    for (old, new, lost) in &saved.snapshots {
        screen.object(&json::Salvaged::new(*old, *new, lost));
        screen.line(format!(
            "Snapshot {new:.8} has what can be saved of {old:.8}: it lacks {}. The old one stays.",
            format::counted(lost.files + lost.directories + lost.others, "name"),
        ));
    }
    for (id, error) in &saved.unsaved {
        screen.problem(
            &format!("snapshot {id:.8}"),
            &format!("nothing can be saved of it: {}", message(error)),
        );
    }
    for one in &saved.behind {
        let what = "it did not get the new snapshots: `yore sync` copies them";
        screen.problem(&context.title(one.destination), what);
    }
}

fn print_parity(context: &Context, title: &str, report: &DestinationRepair, dry_run: bool) {
    let screen = &context.screen;
    for name in &report.rebuilt {
        let verb = if dry_run { "would be rebuilt" } else { "is rebuilt" };
        screen.line(format!(
            "{title}: {name} was damaged, and {verb} from its parity: nothing of it is lost."
        ));
    }
    for name in &report.beyond_parity {
        screen.line(format!("{title}: more of {name} is damaged than its parity covers."));
    }
    let (made, deleted) = (report.parity.made, report.parity.deleted);
    if made.objects > 0 {
        let packs = format::counted(made.objects, "pack");
        screen.info(match dry_run {
            true => format!("{title}: parity of {packs} would be made."),
            false => format!("{title}: parity of {packs} is made ({}).", format::bytes(made.bytes)),
        });
    }
    if deleted.objects > 0 {
        let verb = if dry_run { "would be deleted" } else { "is deleted" };
        let size = format::bytes(deleted.bytes);
        screen.info(format!("{title}: {size} of parity, which repairs nothing, {verb}."));
    }
}

fn print(context: &Context, title: &str, report: &DestinationRepair, dry_run: bool) {
    let screen = &context.screen;
    let objects = |number: usize| format::counted(number as u64, "object");
    if !report.healed.is_empty() {
        let healed = objects(report.healed.len());
        screen.info(format!("{title}: {healed} healed from another destination."));
    }
    print_parity(context, title, report, dry_run);
    if report.described > 0 {
        let packs = format::counted(report.described, "pack");
        let verb = if dry_run { "would be" } else { "are" };
        screen.info(format!("{title}: {packs} {verb} in an index again."));
    }
    for name in &report.quarantined {
        let verb = if dry_run { "would be put aside" } else { "is put aside" };
        screen.line(format!("{title}: {name} is damaged, and {verb} in quarantine/."));
    }
    let is_tombstone = |name: &ObjectName| name.as_str().starts_with(Area::Forgotten.folder());
    if report.quarantined.iter().any(is_tombstone) {
        screen.line(format!(
            "{title}: snapshots that were forgotten may be there again (`yore snapshots`), or be missing: `yore forget --missing` forgets those once more."
        ));
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
        screen.line(format!("DAMAGED  {}: {what}", finding.subject));
    }
}
