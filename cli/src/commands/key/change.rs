//! Adding and removing keys, with what is printed of it.

use std::path::Path;

use yore_engine::format::{Cost, ObjectId, Secret, SecretKind, Slot};
use yore_engine::repository::{
    AddReport, Behind, BehindCause, KnownSlot, KnownSlots, NewSlot, Remaining, Removal,
    RemoveReport, Repository, add_slot, remove_slots,
};
use yore_engine::{Error, Refusal};
use zeroize::Zeroizing;

use crate::access::{secret, strength};
use crate::context::Context;
use crate::failure::engine_error::message;
use crate::failure::{Done, Exit, Failure, Outcome};
use crate::json;
use crate::text::escape;

/// Opens the repository; returns it with the secret that opened it.
pub fn open(context: &Context) -> Outcome<(Repository, Secret)> {
    let (repository, given) = context.open_and_keep_secret()?;
    Ok((repository, given.secret()?))
}

/// Returns the kind of a key in words.
pub fn kind(slot: &Slot) -> &'static str {
    match slot.kind {
        Some(SecretKind::Passphrase) => "passphrase",
        Some(SecretKind::KeyFile) => "key file",
        Some(SecretKind::Recovery) => "recovery key",
        Some(SecretKind::WriteOnly) => "write-only machine",
        None => "key of a kind that this version does not know",
    }
}

/// Returns the words by which a key is named in messages.
pub fn named(slot: &Slot) -> String {
    match slot.label.is_empty() || slot.label == kind(slot) {
        true => format!("{} {:.8}", kind(slot), slot.id),
        false => format!("{} {:.8} ({})", kind(slot), slot.id, escape::text(&slot.label)),
    }
}

/// Finds the key whose id begins so.
pub fn find<'k>(known: &'k KnownSlots, prefix: &str) -> Outcome<&'k KnownSlot> {
    let lower = prefix.to_ascii_lowercase();
    let fits = |one: &&KnownSlot| !lower.is_empty() && one.slot.id.to_string().starts_with(&lower);
    let found: Vec<&KnownSlot> = known.list.iter().filter(fits).collect();
    match *found {
        [one] => Ok(one),
        [] => Err(Failure::usage(
            format!("no key begins with {:?}", escape::text(prefix)),
            "`yore key list` lists them",
        )),
        _ => Err(Failure::usage(
            format!("several keys begin with {}", escape::text(prefix)),
            format!("write more of its id: {}", candidates(&found)),
        )),
    }
}

/// Lists keys in a line, with enough of their ids.
pub fn candidates(keys: &[&KnownSlot]) -> String {
    let line = |one: &&KnownSlot| format!("{:.16} {}", one.slot.id, escape::text(&one.slot.label));
    keys.iter().map(line).collect::<Vec<_>>().join(", ")
}

/// Takes a new passphrase from a file, or asks for it twice.
pub fn new_passphrase(context: &Context, file: Option<&Path>) -> Outcome<Zeroizing<String>> {
    let text = match file {
        Some(path) => secret::read_file(path)?,
        None => {
            secret::must_have_terminal_or("--new-password-file FILE")?;
            secret::prompt_new()?
        }
    };
    secret::must_be_usable(&text)?;
    strength::warn_if_weak(&context.screen, &text);
    Ok(text)
}

/// Adds a key at every destination that can be reached.
pub fn add(
    context: &Context,
    (repository, opened_with): (&Repository, &Secret),
    secret: &Secret,
    label: &str,
) -> Outcome<AddReport> {
    // The first interrupt waits for the end, so that no key is made that nobody has seen.
    context.interrupt()?;
    let (time, _) = context.present();
    let new = NewSlot { secret, label, cost: Cost::STANDARD, time };
    add_slot(repository, opened_with, &new).map_err(explain)
}

/// Returns the titles of the destinations that do not have a new key.
pub fn missing(context: &Context, behind: &[Behind]) -> Vec<String> {
    let failed = behind.iter().map(|behind| context.title(behind.destination));
    let away = context.unreached();
    failed.chain(away.iter().map(|unreached| unreached.place.title())).collect()
}

/// Prints which destinations do not have a new key; returns the end of the command.
pub fn print_missing(context: &Context, behind: &[Behind]) -> Done {
    for Behind { destination, cause } in behind {
        let why = reason(cause);
        let what = format!("the new key does not open it yet: {why} (`yore sync` copies it)");
        context.screen.problem(&context.title(*destination), &what);
    }
    for unreached in context.unreached() {
        let title = unreached.place.title();
        context.screen.note(&format!("the new key does not open {title} until `yore sync`"));
    }
    let done = if behind.is_empty() { Done::Whole } else { Done::Partly };
    context.done_everywhere(done)
}

/// Removes keys at every destination that can be reached.
pub fn remove(
    context: &Context,
    repository: &Repository,
    ids: &[ObjectId],
    replaced_by: Option<ObjectId>,
    remaining: Remaining,
) -> Outcome<RemoveReport> {
    context.interrupt()?;
    let (time, _) = context.present();
    let removal = Removal { ids, replaced_by, remaining, time };
    remove_slots(repository, &removal).map_err(explain)
}

/// Prints what was removed, and where it still opens the repository; returns the end of the command.
pub fn print_removed(context: &Context, removed: &[&KnownSlot], report: &RemoveReport) -> Done {
    let away = context.unreached();
    let failed = report.still_open.iter().map(|behind| context.title(behind.destination));
    let still_opens: Vec<String> =
        failed.chain(away.iter().map(|unreached| unreached.place.title())).collect();
    for KnownSlot { slot, .. } in removed {
        context.screen.object(&json::KeyRemoved {
            id: slot.id.to_string(),
            kind: json::key_kind(slot),
            label: slot.label.clone(),
            still_opens: still_opens.clone(),
        });
        context.screen.info(format!("Removed: {}.", named(slot)));
    }
    let secret = if removed.len() == 1 { "the removed key" } else { "the removed keys" };
    let opens = if removed.len() == 1 { "opens" } else { "open" };
    for Behind { destination, cause } in &report.still_open {
        let why = reason(cause);
        let what = format!(
            "{secret} still {opens} it: {why}; `yore sync`, or this command again, removes what is left"
        );
        context.screen.problem(&context.title(*destination), &what);
    }
    for unreached in &away {
        let what = format!(
            "it was not reached: {secret} still {opens} it until `yore sync`, or this command again, reaches it"
        );
        context.screen.problem(&unreached.place.title(), &what);
    }
    if still_opens.is_empty() { Done::Whole } else { Done::Partly }
}

fn reason(cause: &BehindCause) -> String {
    match cause {
        BehindCause::Failed(error) => message(error),
        BehindCause::Lacking => "it lacks the keys that are to stay".to_owned(),
        BehindCause::Slow => "it was too slow".to_owned(),
    }
}

/// Adds what to do to the refusals of the engine.
fn explain(error: Error) -> Failure {
    let hint = match &error {
        Error::Refused(Refusal::LastSlot) => {
            "nothing was removed; add another key first: yore key add --passphrase, or yore key recovery"
        }
        Error::Refused(Refusal::OnlyKeyFilesLeft) => {
            "nothing was removed; make a recovery key first: yore key recovery, or say --force"
        }
        Error::Refused(Refusal::UnknownKindOfKey { .. }) => {
            "nothing was removed; use the newer version of yore that made it"
        }
        Error::Refused(Refusal::TooManyPassphrases { .. }) => {
            "remove one first: yore key remove ID; `yore key list` lists them"
        }
        _ => return error.into(),
    };
    Failure::new(Exit::Failed, message(&error), hint)
}
