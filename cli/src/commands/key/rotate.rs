//! `yore key rotate`: new keys for everything that is written from now on.

use std::path::PathBuf;

use clap::Args;
use yore_engine::format::{Cost, Secret, SecretKind};
use yore_engine::repository::{
    KnownSlot, KnownSlots, NewSlot, RemoveReport, RotateReport, known_slots, machines, rotate,
};

use super::change;
use crate::access::secret;
use crate::context::Context;
use crate::failure::{Done, Exit, Failure, Outcome};
use crate::json;
use crate::screen::question;
use crate::text::escape;

/// The options of `key rotate`.
#[derive(Debug, Args)]
pub struct Options {
    /// A key file that is to open the repository afterwards, besides the secret that opens it now (may be repeated)
    #[arg(long, value_name = "FILE")]
    keep_key_file: Vec<PathBuf>,
    /// Make no new recovery key
    #[arg(long)]
    no_recovery: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// Runs the command.
pub fn run(context: &Context, options: &Options) -> Outcome {
    let (repository, opened_with) = change::open(context)?;
    let known = known_slots(&repository)?;
    let (now, _) = context.present();
    let own = repository.opened_with().and_then(|id| known.get(id));
    let own_label = own.map(|one| one.slot.label.clone()).unwrap_or_default();
    let mut others: Vec<(Secret, String)> = Vec::new();
    for path in &options.keep_key_file {
        let label = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = secret::read_file(path)?;
        others.push((Secret::key_file(&path.display().to_string(), &text)?, label));
    }
    if !options.no_recovery && opened_with.kind() != SecretKind::Recovery {
        others.push((Secret::draw_recovery(), "recovery key".to_owned()));
    }
    let slot = |secret, label| NewSlot { secret, label, cost: Cost::STANDARD, time: now };
    let mut new = vec![slot(&opened_with, &own_label)];
    new.extend(others.iter().map(|(secret, label)| slot(secret, label)));
    must_be_meant(context, options, &known, own)?;
    // The first interrupt waits for the end, so that no key is made that nobody has seen.
    context.interrupt()?;
    let report = rotate(&repository, &opened_with, &new, now)?;
    let drawn = others.iter().find(|(secret, _)| secret.kind() == SecretKind::Recovery);
    let recovery = drawn.and_then(|(secret, _)| secret.to_text());
    tell_of_machines(context, &known);
    Ok(print(context, &report, recovery.as_ref().map(|text| text.as_str())))
}

/// Tells that the keys of write-only machines are not changed: they derive from a generation of before.
fn tell_of_machines(context: &Context, known: &KnownSlots) {
    let machines: Vec<String> =
        machines(known).iter().map(|machine| escape::text(&machine.name)).collect();
    if !machines.is_empty() {
        context.screen.line(format!(
            "The inboxes of write-only machines keep their keys, which whoever has the old ones knows, too: {}. To \
             renew one: yore collect, yore key remove ID, and yore key add --write-only with another name.",
            machines.join(", ")
        ));
    }
}

/// Asks before secrets stop to open the repository.
fn must_be_meant(
    context: &Context,
    options: &Options,
    known: &KnownSlots,
    own: Option<&KnownSlot>,
) -> Outcome<()> {
    let is_own = |one: &&KnownSlot| own.is_some_and(|own| own.slot.id == one.slot.id);
    let ending: Vec<String> = known
        .list
        .iter()
        .filter(|one| one.counts() && !is_own(one))
        .map(|one| change::named(&one.slot))
        .collect();
    if ending.is_empty() || options.yes {
        return Ok(());
    }
    let what = format!(
        "these open the repository no more afterwards, unless --keep-key-file names them: {}",
        ending.join(", ")
    );
    if question::can_be_asked(&context.screen) {
        context.screen.ask(&format!("{what}."));
        if question::is_agreed(&context.screen, "Is that meant?", "say --yes")? {
            return Ok(());
        }
    }
    Err(Failure::new(
        Exit::Failed,
        format!("nothing was changed: {what}"),
        "where that is meant, say --yes",
    ))
}

/// Prints the new keys and those that open nothing any more; returns the end of the command.
fn print(context: &Context, report: &RotateReport, recovery: Option<&str>) -> Done {
    let screen = &context.screen;
    let behind: Vec<String> =
        report.behind.iter().map(|behind| context.title(behind.destination)).collect();
    for slot in &report.slots {
        let recovery_key = recovery.filter(|_| slot.kind == Some(SecretKind::Recovery));
        let added = json::KeyAdded::new(slot, behind.clone());
        screen.object(&json::KeyAdded { recovery_key, ..added });
        screen.info(format!("Opens the repository: {}.", change::named(slot)));
    }
    if let Some(key) = recovery {
        screen.line(format!("Recovery key:  {key}"));
        screen.info(
            "Write it down and keep it away from this computer: it opens the repository when all else is lost, \
             and it is not shown again.",
        );
    }
    let removed: Vec<&KnownSlot> = report.removed.iter().collect();
    let removal = RemoveReport { still_open: Vec::new() };
    let mut done = change::print_removed(context, &removed, &removal);
    for one in report.behind.iter().chain(&report.still_open) {
        let what = "its keys are not changed yet: `yore sync` does it";
        screen.problem(&context.title(one.destination), what);
        done = Done::Partly;
    }
    screen.info(format!(
        "Everything new is sealed under keys of generation {}. What was written before stays readable with a copy of \
         the old keys; `yore prune` seals anew what it moves.",
        report.generation
    ));
    context.done_everywhere(done)
}
