//! `yore init`: makes a repository and shows its recovery key, once.

use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use yore_engine::format::{Cost, Parameters, Secret};
use yore_engine::repository::{CreateOptions, create};
use yore_platform::DurableFile;

use crate::access::destination::Destination;
use crate::access::{secret, strength};
use crate::args::time;
use crate::context::Context;
use crate::failure::engine_error::message;
use crate::failure::{Done, Exit, Failure, Outcome};
use crate::json;
use crate::text::escape;

/// The options of `init`.
#[derive(Debug, Args)]
pub struct Options {}

/// Runs the command.
pub fn run(context: &Context, _options: &Options) -> Outcome {
    let destination = context.destination()?;
    // Checked before a passphrase is asked for.
    destination.check_vacant()?;
    let passphrase = choose_passphrase(context)?;
    // The first interrupt waits for the end, so that no repository is left half made, or without its
    // recovery key having been shown.
    context.interrupt()?;
    let key_file = match key_file_path(context) {
        Some(path) => Some(KeyFile::make_or_take(path, &destination)?),
        None => None,
    };
    let recovery = Secret::draw_recovery();
    let mut secrets = Vec::new();
    secrets.extend(passphrase.as_ref().map(|secret| (secret, "passphrase")));
    secrets.extend(key_file.as_ref().map(|file| (&file.secret, "key file")));
    secrets.push((&recovery, "recovery key"));
    let options = CreateOptions {
        secrets: &secrets,
        cost: Cost::STANDARD,
        parameters: Parameters::default(),
        time: time::present(&context.now).0,
    };
    let repository = create(destination.backend(), &options)?;
    let text = recovery.to_text().unwrap_or_default();
    let path = key_file.map(KeyFile::keep);
    let shown_path = path.as_deref().map(|path| path.display().to_string());
    context.screen.object(&json::Repository {
        id: repository.id().to_string(),
        location: destination.location(),
        recovery_key: text.as_str(),
        key_file: shown_path.as_deref(),
        passphrase: passphrase.is_some(),
    });
    let screen = &context.screen;
    screen.info(format!("Made a repository at {}.", destination.location()));
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

fn key_file_path(context: &Context) -> Option<PathBuf> {
    context.global.key_file.clone().filter(|path| !path.as_os_str().is_empty())
}

/// Takes the passphrase that is given, or asks for one where there is no key file either.
fn choose_passphrase(context: &Context) -> Outcome<Option<Secret>> {
    let text = match secret::passphrase(&context.global)? {
        Some(text) => {
            secret::must_be_usable(&text)?;
            Some(text)
        }
        None if key_file_path(context).is_some() => None,
        None => Some(secret::prompt_new()?),
    };
    text.iter().for_each(|text| strength::warn_if_weak(&context.screen, text));
    Ok(text.map(|text| Secret::passphrase(&text)))
}

/// A key file; dropping it removes one that was made here, unless it is kept.
struct KeyFile {
    path: PathBuf,
    secret: Secret,
    origin: Origin,
}

#[derive(PartialEq, Eq)]
enum Origin {
    Made,
    Found,
}

impl KeyFile {
    fn make_or_take(path: PathBuf, destination: &Destination) -> Outcome<Self> {
        let path = std::path::absolute(&path).map_err(|error| Failure::local(&path, error))?;
        if destination.local_folder().is_some_and(|folder| path.starts_with(folder)) {
            return Err(Failure::usage(
                "the key file would lie inside the repository that it opens",
                "keep it elsewhere: whoever has both can read everything",
            ));
        }
        match std::fs::symlink_metadata(&path) {
            Ok(_) => Self::take(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::make(path),
            Err(error) => Err(Failure::local(&path, error)),
        }
    }

    fn take(path: PathBuf) -> Outcome<Self> {
        let text = secret::read_file(&path)?;
        match Secret::key_file(&path.display().to_string(), &text) {
            Ok(secret) => Ok(Self { path, secret, origin: Origin::Found }),
            Err(error) => Err(Failure::new(
                Exit::Failed,
                format!("{}, and it is not overwritten", message(&error)),
                "name a file that does not exist yet, or a Yore key file",
            )),
        }
    }

    fn make(path: PathBuf) -> Outcome<Self> {
        let secret = Secret::draw_key_file();
        let text = secret.to_text().unwrap_or_default();
        let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(|| {
            let shown = escape::text(&path.display().to_string());
            Failure::usage(format!("{shown} can't name a key file"), "choose another name")
        })?;
        let folder = path.parent().unwrap_or(Path::new("/"));
        let local = |error| Failure::local(&path, error);
        let mut file = DurableFile::create(folder, name).map_err(local)?;
        file.append(text.as_bytes()).map_err(local)?;
        match file.publish().map_err(local)? {
            yore_platform::Published::Created => Ok(Self { path, secret, origin: Origin::Made }),
            yore_platform::Published::Exists => Self::take(path),
        }
    }

    /// Keeps the file, since the repository is made.
    fn keep(mut self) -> PathBuf {
        self.origin = Origin::Found;
        std::mem::take(&mut self.path)
    }
}

impl Drop for KeyFile {
    fn drop(&mut self) {
        if self.origin == Origin::Made {
            // A key that opens nothing does no harm when it can't be removed.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
