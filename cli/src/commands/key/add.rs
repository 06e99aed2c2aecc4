//! `yore key add`: a passphrase, a key file or a write-only machine more.

use std::path::{Path, PathBuf};

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Arg, Args};
use yore_engine::format::Secret;

use super::{change, machine};
use crate::access::key_file::KeyFile;
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::json;

/// The options of `key add`.
#[derive(Debug, Args)]
#[command(arg = opener())]
pub struct Options {
    /// Add a passphrase, which is asked for twice
    #[arg(long)]
    passphrase: bool,
    /// Add the passphrase that a file holds
    #[arg(long, value_name = "FILE")]
    new_password_file: Option<PathBuf>,
    /// Draw a key, and store it in a new file
    #[arg(
        id = "new_key_file",
        long = "key-file",
        value_name = "FILE",
        conflicts_with_all = ["passphrase", "new_password_file"]
    )]
    key_file: Option<PathBuf>,
    /// Add a machine of this name that backs up into an inbox of its own, and can neither read nor change what is
    /// there; its key is stored in the file of --key-file
    #[arg(long, value_name = "NAME", requires = "new_key_file", conflicts_with = "label")]
    write_only: Option<String>,
    /// Words that tell it from others in `key list`
    #[arg(long, value_name = "TEXT")]
    label: Option<String>,
}

/// Makes the option in place of the global `--key-file`, which has another meaning here.
fn opener() -> Arg {
    let any_path = OsStringValueParser::new().map(PathBuf::from);
    Arg::new("key_file").long("opened-by").value_name("FILE").value_parser(any_path).help(
        "The key file that opens the repository now (default: YORE_KEY_FILE, or the configuration)",
    )
}

/// Runs the command.
pub fn run(context: &Context, options: &Options) -> Outcome {
    let label = options.label.as_deref();
    match &options.key_file {
        Some(path) if options.write_only.is_some() => {
            machine::add(context, options.write_only.as_deref().unwrap_or_default(), path)
        }
        Some(path) => key_file(context, path, label.unwrap_or("key file")),
        None if options.passphrase || options.new_password_file.is_some() => {
            let file = options.new_password_file.as_deref();
            passphrase(context, file, label.unwrap_or("passphrase"))
        }
        None => Err(Failure::usage(
            "neither a passphrase nor a key file is to be added",
            "say --passphrase, or --key-file FILE",
        )),
    }
}

fn passphrase(context: &Context, file: Option<&Path>, label: &str) -> Outcome {
    let (repository, opened_with) = change::open(context)?;
    let text = change::new_passphrase(context, file)?;
    let secret = Secret::passphrase(&text);
    let report = change::add(context, (&repository, &opened_with), &secret, label)?;
    let missing = change::missing(context, &report.behind);
    context.screen.object(&json::KeyAdded::new(&report.slot, missing));
    context.screen.info(format!("Added: {}.", change::named(&report.slot)));
    Ok(change::print_missing(context, &report.behind))
}

/// Makes a key file that opens the repository.
pub fn key_file(context: &Context, path: &Path, label: &str) -> Outcome {
    let (repository, opened_with) = change::open(context)?;
    let file = KeyFile::make(path, &context.places()?)?;
    let report = change::add(context, (&repository, &opened_with), &file.secret, label)?;
    let path = file.keep().display().to_string();
    let missing = change::missing(context, &report.behind);
    let added =
        json::KeyAdded { key_file: Some(&path), ..json::KeyAdded::new(&report.slot, missing) };
    context.screen.object(&added);
    let named = change::named(&report.slot);
    context
        .screen
        .info(format!("Added: {named}, in {path}; whoever has that file can read everything."));
    Ok(change::print_missing(context, &report.behind))
}
