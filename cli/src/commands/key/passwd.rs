//! `yore key passwd`: another passphrase in place of one.

use std::path::PathBuf;

use clap::Args;
use yore_engine::format::{Secret, SecretKind};
use yore_engine::repository::{KnownSlot, KnownSlots, Remaining, Repository, known_slots};

use super::change;
use crate::access::secret;
use crate::context::Context;
use crate::failure::{Done, Exit, Failure, Outcome};
use crate::json;

/// The options of `key passwd`.
#[derive(Debug, Args)]
pub struct Options {
    /// The passphrase that is replaced, by its id (default: the one that opens the repository now, or the only one)
    #[arg(value_name = "ID")]
    id: Option<String>,
    /// The file that holds the new passphrase; without it, it is asked for twice
    #[arg(long, value_name = "FILE")]
    new_password_file: Option<PathBuf>,
}

/// Runs the command.
pub fn run(context: &Context, options: &Options) -> Outcome {
    let (repository, opened_with) = change::open(context)?;
    let known = known_slots(&repository)?;
    let old = choose(&repository, &known, options.id.as_deref())?;
    let text = change::new_passphrase(context, options.new_password_file.as_deref())?;
    let new = Secret::passphrase(&text);
    let label = &old.slot.label;
    let added = change::add(context, (&repository, &opened_with), &new, label)?;
    let missing = change::missing(context, &added.behind);
    context.screen.object(&json::KeyAdded::new(&added.slot, missing));
    context.screen.info(format!("Added: {}.", change::named(&added.slot)));
    let is_added = change::print_missing(context, &added.behind);
    let (ids, new) = ([old.slot.id], Some(added.slot.id));
    let removed = change::remove(context, &repository, &ids, new, Remaining::Any)?;
    let is_removed = change::print_removed(context, &[old], &removed);
    if secret::is_stored(&context.global, context.references()?) {
        context.screen.info(
            "What gives Yore its passphrase here (a file, a command, a variable) has to give the new one.",
        );
    }
    Ok(match is_removed {
        Done::Whole => is_added,
        other => other,
    })
}

/// Chooses the passphrase that is replaced.
fn choose<'k>(
    repository: &Repository,
    known: &'k KnownSlots,
    id: Option<&str>,
) -> Outcome<&'k KnownSlot> {
    let is_one = |one: &&KnownSlot| one.slot.kind == Some(SecretKind::Passphrase);
    if let Some(id) = id {
        let one = change::find(known, id)?;
        return match is_one(&one) {
            true => Ok(one),
            false => Err(Failure::usage(
                format!("{} is no passphrase", change::named(&one.slot)),
                "`yore key list` shows which are",
            )),
        };
    }
    let opened_with = repository.opened_with().and_then(|id| known.get(id));
    if let Some(one) = opened_with.filter(is_one) {
        return Ok(one);
    }
    let all: Vec<&KnownSlot> =
        known.list.iter().filter(is_one).filter(|one| one.counts()).collect();
    match *all {
        [one] => Ok(one),
        [] => Err(Failure::new(
            Exit::Failed,
            "no passphrase opens the repository",
            "add one: yore key add --passphrase",
        )),
        _ => Err(Failure::usage(
            "several passphrases open the repository",
            format!("name the one that is replaced: {}", change::candidates(&all)),
        )),
    }
}
