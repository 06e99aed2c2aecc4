//! `yore key remove`: keys that are to open the repository no more.

use clap::Args;
use yore_engine::format::ObjectId;
use yore_engine::repository::{KnownSlot, Remaining, RemoveReport, Repository, known_slots};

use super::change;
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::screen::question;
use crate::text::format;

/// The options of `key remove`.
#[derive(Debug, Args)]
pub struct Options {
    /// Keys, each by its id or the beginning of it, as `key list` shows them
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
    /// Remove the last passphrase or recovery key, too: only key files are left then
    #[arg(long)]
    force: bool,
    /// Ask nothing
    #[arg(long, short)]
    yes: bool,
}

/// Runs the command.
pub fn run(context: &Context, options: &Options) -> Outcome {
    let repository = context.open()?;
    let known = known_slots(&repository)?;
    let mut chosen: Vec<&KnownSlot> = Vec::new();
    for id in &options.ids {
        let one = change::find(&known, id)?;
        if chosen.iter().all(|other| other.slot.id != one.slot.id) {
            chosen.push(one);
        }
    }
    if !options.yes && question::can_be_asked(&context.screen) {
        agree(context, &repository, &chosen)?;
    }
    let ids: Vec<ObjectId> = chosen.iter().map(|one| one.slot.id).collect();
    let report = remove(context, options, &repository, &ids)?;
    Ok(change::print_removed(context, &chosen, &report))
}

/// Removes keys; asks once more before the last that a person can type.
fn remove(
    context: &Context,
    options: &Options,
    repository: &Repository,
    ids: &[ObjectId],
) -> Outcome<RemoveReport> {
    let may_ask = !options.yes && question::can_be_asked(&context.screen);
    let known = known_slots(repository)?;
    let needs_force = known.leaves_only_key_files(ids) && !options.force;
    let remaining = match needs_force && may_ask {
        true => {
            let question = "Only key files would open the repository then: whoever loses them loses everything. \
                            Remove it all the same?";
            must_be_agreed(context, question)?;
            Remaining::Any
        }
        false if options.force => Remaining::Any,
        false => Remaining::Typed,
    };
    change::remove(context, repository, ids, None, remaining)
}

/// Shows what is to be removed, and asks.
fn agree(context: &Context, repository: &Repository, chosen: &[&KnownSlot]) -> Outcome<()> {
    for one in chosen {
        let is_this_one = repository.opened_with() == Some(one.slot.id);
        let note = if is_this_one { ", which opened the repository now" } else { "" };
        context.screen.ask(&format!("{}{note}", change::named(&one.slot)));
    }
    let number = format::counted(chosen.len() as u64, "key");
    must_be_agreed(context, &format!("Remove {number}?"))
}

fn must_be_agreed(context: &Context, question: &str) -> Outcome<()> {
    match question::is_agreed(&context.screen, question, "say --yes")? {
        true => Ok(()),
        false => Err(Failure::new(
            Exit::Failed,
            "nothing was removed",
            "`yore key list` shows what opens the repository",
        )),
    }
}
