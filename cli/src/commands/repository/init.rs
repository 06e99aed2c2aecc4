//! `yore init`: makes a repository and shows its recovery key, once.

use std::path::PathBuf;

use clap::Args;
use yore_engine::format::{Cost, Parameters, Secret};
use yore_engine::repository::{CreateOptions, Repository, create, create_copy};

use crate::access::key_file::KeyFile;
use crate::access::place::Place;
use crate::access::{contacts, secret, strength};
use crate::args::percent;
use crate::config::ConfigFile;
use crate::context::Context;
use crate::failure::engine_error::quoted;
use crate::failure::{Done, Exit, Failure, Outcome};
use crate::json;
use crate::screen::question;

mod ask;

/// The options of `init`.
#[derive(Debug, Args)]
pub struct Options {
    /// Store parity of this share of the data, from which `yore repair` rebuilds what a disk can't read any more
    #[arg(long, value_name = "PERCENT", value_parser = percent::parse)]
    parity: Option<u32>,
}

/// Runs the command.
pub fn run(context: &Context, options: &Options) -> Outcome {
    let is_first = !context.names_destination() && !ConfigFile::load(&context.global)?.exists;
    if !is_first || !question::can_be_asked(&context.screen) {
        return make(context, options);
    }
    let wishes = ask::ask(context)?;
    let done = make(context, options).inspect_err(|_| {
        // The next `init` asks again, unless something was made.
        if vacant_places(context).is_ok() {
            ask::take_back(context);
        }
    })?;
    ask::go_on(context, &wishes)?;
    Ok(done)
}

/// Makes the repository at the destinations.
fn make(context: &Context, options: &Options) -> Outcome {
    // Checked before a passphrase is asked for.
    let places = vacant_places(context)?;
    let passphrase = choose_passphrase(context)?;
    // The first interrupt waits for the end, so that no repository is left half made, or without its
    // recovery key having been shown.
    context.interrupt()?;
    let key_file = match key_file_path(context)? {
        Some(path) => Some(KeyFile::make_or_take(&path, &places)?),
        None => None,
    };
    let recovery = Secret::draw_recovery();
    let mut secrets = Vec::new();
    secrets.extend(passphrase.as_ref().map(|secret| (secret, "passphrase")));
    secrets.extend(key_file.as_ref().map(|file| (&file.secret, "key file")));
    secrets.push((&recovery, "recovery key"));
    let parity = options.parity.or(context.settings()?.parity).unwrap_or(0);
    let options = CreateOptions {
        secrets: &secrets,
        cost: Cost::STANDARD,
        parameters: Parameters { parity, ..Parameters::default() },
        time: context.present().0,
    };
    let repository = create_everywhere(context, &places, &options)?;
    contacts::record(&context.now, &places);
    let locations: Vec<String> = places.iter().map(|place| place.destination.location()).collect();
    let text = recovery.to_text().unwrap_or_default();
    let path = key_file.map(KeyFile::keep);
    let shown_path = path.as_deref().map(|path| path.display().to_string());
    context.screen.object(&json::Repository {
        id: repository.id().to_string(),
        location: locations[0].clone(),
        copies: locations[1..].to_vec(),
        recovery_key: text.as_str(),
        key_file: shown_path.as_deref(),
        passphrase: passphrase.is_some(),
    });
    let screen = &context.screen;
    screen.info(format!("Made a repository at {}.", locations.join(", and a copy at ")));
    if let Some(path) = &shown_path {
        screen.info(format!("The key file {path} opens it; keep a copy of it elsewhere."));
    }
    screen.info("");
    screen.line(format!("Recovery key:  {}", text.as_str()));
    screen.info("");
    screen.info(
        "Write it down and keep it away from this computer: it opens the repository when all else \
         is lost, and it is not shown again.",
    );
    Ok(Done::Whole)
}

/// Returns the destinations that are empty and there: all, but for disks that come and go.
fn vacant_places(context: &Context) -> Outcome<Vec<Place>> {
    let mut vacant = Vec::new();
    let mut absent = None;
    for place in context.places()? {
        let name = place.name.as_deref().unwrap_or_default();
        match place.destination.check_vacant() {
            // An unmounted share, or a disk that is away, is not an empty one.
            Ok(()) if contacts::of(&place).is_some() => return Err(held_before(&place)),
            Ok(()) => vacant.push(place),
            Err(failure) if place.is_removable && failure.exit == Exit::NoRepository => {
                if contacts::of(&place).is_some() {
                    return Err(held_before(&place));
                }
                context.screen.note(&format!(
                    "{} is not there; when it is, type: yore destination add --name {name} {}",
                    place.title(),
                    quoted(&place.destination.location()),
                ));
                absent = Some(failure);
            }
            Err(failure) => return Err(failure),
        }
    }
    match (vacant.is_empty(), absent) {
        (true, Some(failure)) => Err(failure),
        _ => Ok(vacant),
    }
}

/// Makes the failure of a destination that held the repository and does not hold it now.
fn held_before(place: &Place) -> Failure {
    let name = place.name.as_deref().unwrap_or_default();
    Failure::new(
        Exit::NoRepository,
        format!("{} held the repository before, and does not now", place.title()),
        format!(
            "attach or mount it; if it was deleted, begin anew: yore destination remove {name}, then yore destination \
             add"
        ),
    )
}

/// Creates the repository at the first destination, and a copy of it at each other.
fn create_everywhere(
    context: &Context,
    places: &[Place],
    options: &CreateOptions<'_>,
) -> Outcome<Repository> {
    let (first, others) = places.split_first().expect("there is a destination");
    let repository = create(context.backend(first)?, options)?;
    for place in others {
        create_copy(&repository, &context.backend(place)?, options.time)?;
    }
    Ok(repository)
}

fn key_file_path(context: &Context) -> Outcome<Option<PathBuf>> {
    let named = context.global.key_file.clone().filter(|path| !path.as_os_str().is_empty());
    Ok(match named {
        Some(path) => Some(path),
        None => context.references()?.key_file.clone(),
    })
}

/// Takes the passphrase that is given, or asks for one where there is no key file either.
fn choose_passphrase(context: &Context) -> Outcome<Option<Secret>> {
    let text = match secret::passphrase(&context.global, context.references()?)? {
        Some(text) => {
            secret::must_be_usable(&text)?;
            Some(text)
        }
        None if key_file_path(context)?.is_some() => None,
        None => Some(secret::prompt_new()?),
    };
    text.iter().for_each(|text| strength::warn_if_weak(&context.screen, text));
    Ok(text.map(|text| Secret::passphrase(&text)))
}
