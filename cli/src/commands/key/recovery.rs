//! `yore key recovery`: a new recovery key, shown once.

use std::path::{Path, PathBuf};

use clap::Args;
use yore_engine::format::{ObjectId, Secret, SecretKind};
use yore_engine::repository::{KnownSlot, Remaining, Repository, known_slots};
use yore_platform::Published;

use super::change;
use crate::access::key_file::{create_private, exists, outside};
use crate::context::Context;
use crate::failure::{Done, Failure, Outcome};
use crate::json;

mod page;

/// The options of `key recovery`.
#[derive(Debug, Args)]
pub struct Options {
    /// Write a page to print: the key, a QR code of it, and what to do with it
    #[arg(long, value_name = "FILE")]
    page: Option<PathBuf>,
    /// Then remove the recovery keys from before
    #[arg(long)]
    replace: bool,
    /// Words that tell it from others in `key list`
    #[arg(long, value_name = "TEXT", default_value = "recovery key")]
    label: String,
}

/// Runs the command.
pub fn run(context: &Context, options: &Options) -> Outcome {
    let page = options.page.as_deref().map(|path| vacant(context, path)).transpose()?;
    let (repository, opened_with) = change::open(context)?;
    let key = Secret::draw_recovery();
    let report = change::add(context, (&repository, &opened_with), &key, &options.label)?;
    let text = key.to_text().unwrap_or_default();
    let written = page.as_deref().map(|path| write(context, &repository, path, &text));
    let page = page.filter(|_| matches!(written, Some(Ok(()))));
    let shown_page = page.as_deref().map(|path| path.display().to_string());
    context.screen.object(&json::KeyAdded {
        recovery_key: Some(text.as_str()),
        page: shown_page.as_deref(),
        ..json::KeyAdded::new(&report.slot, change::missing(context, &report.behind))
    });
    print(context, &text, shown_page.as_deref());
    let is_added = change::print_missing(context, &report.behind);
    // The key was shown: whatever fails from here on, somebody has it.
    written.transpose()?;
    if !options.replace {
        return Ok(is_added);
    }
    let is_removed = remove_earlier(context, &repository, report.slot.id)?;
    Ok(if is_removed == Done::Whole { is_added } else { is_removed })
}

/// Returns the absolute path of a page that can be written there.
fn vacant(context: &Context, path: &Path) -> Outcome<PathBuf> {
    let path = outside(path, &context.places()?, "page")?;
    match std::fs::symlink_metadata(&path) {
        Ok(_) => Err(exists(&path)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(path),
        Err(error) => Err(Failure::local(&path, error)),
    }
}

fn write(context: &Context, repository: &Repository, path: &Path, key: &str) -> Outcome<()> {
    let locations: Vec<String> =
        context.places()?.iter().map(|place| place.destination.location()).collect();
    let content = page::Content {
        key,
        repository: repository.id().to_string(),
        locations: &locations,
        date: context.now.strftime("%Y-%m-%d").to_string(),
    };
    match create_private(path, content.html().as_bytes())? {
        Published::Created => Ok(()),
        Published::Exists => Err(exists(path)),
    }
}

fn print(context: &Context, key: &str, page: Option<&str>) {
    let screen = &context.screen;
    screen.line(format!("Recovery key:  {key}"));
    screen.info("");
    match page {
        Some(page) => screen.info(format!(
            "Print {page}, delete the file, and keep the paper away from this computer: it opens the repository \
             when all else is lost, and it is not shown again."
        )),
        None => screen.info(
            "Write it down and keep it away from this computer: it opens the repository when all else is lost, \
             and it is not shown again.",
        ),
    }
}

/// Removes every recovery key but the new one.
fn remove_earlier(context: &Context, repository: &Repository, new: ObjectId) -> Outcome {
    let known = known_slots(repository)?;
    let is_earlier =
        |one: &&KnownSlot| one.slot.kind == Some(SecretKind::Recovery) && one.slot.id != new;
    let earlier: Vec<&KnownSlot> = known.list.iter().filter(is_earlier).collect();
    if earlier.is_empty() {
        context.screen.info("There was no other recovery key.");
        return Ok(Done::Whole);
    }
    let ids: Vec<ObjectId> = earlier.iter().map(|one| one.slot.id).collect();
    let report = change::remove(context, repository, &ids, Some(new), Remaining::Any)?;
    Ok(change::print_removed(context, &earlier, &report))
}
