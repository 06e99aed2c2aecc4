//! Reading the arguments, with errors in the style of all others.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, FromArgMatches};

use crate::failure::Failure;
use crate::usage::arguments::Arguments;

pub mod arguments;
mod help;

/// The result of reading the arguments.
pub enum Parsed {
    /// The arguments are understood; the name of the command, if there is one.
    Arguments(Box<Arguments>, String),
    /// The help or the version was requested.
    Text(clap::Error),
    /// The arguments make no sense.
    Wrong(Failure),
}

/// Reads the arguments of this process.
pub fn read() -> Parsed {
    let command = program();
    let read = command.clone().try_get_matches().and_then(|matches| {
        let name = matches.subcommand_name().unwrap_or_default().to_owned();
        let arguments = Arguments::from_arg_matches(&matches);
        let arguments = arguments.map_err(|error| error.format(&mut command.clone()))?;
        Ok((Box::new(arguments), name))
    });
    match read {
        Ok((arguments, name)) => Parsed::Arguments(arguments, name),
        Err(error) if !error.use_stderr() => Parsed::Text(error),
        Err(error) => Parsed::Wrong(explain(&error, &command)),
    }
}

/// Returns the description of the program and all of its commands.
pub fn program() -> clap::Command {
    help::with_endings(Arguments::command())
}

/// Makes a failure of one line for the error and one for the hint.
fn explain(error: &clap::Error, command: &clap::Command) -> Failure {
    let text = error.to_string();
    let first = text.split("\n\n").next().unwrap_or_default();
    let first = first.strip_prefix("error: ").unwrap_or(first);
    let what = match error.kind() {
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            "a command is missing".to_owned()
        }
        _ => first.lines().map(str::trim).collect::<Vec<_>>().join(" "),
    };
    let named = named_command(command);
    let help = match &named {
        Some(name) => format!("yore help {name}"),
        None => "yore help".to_owned(),
    };
    let hint = match suggestion(error) {
        Some(similar) => format!("did you mean {similar}? `{help}` shows what there is"),
        None => format!("`{help}` shows what there is"),
    };
    Failure::usage(what, hint)
}

/// Finds the command that was typed.
fn named_command(command: &clap::Command) -> Option<String> {
    let mut typed = std::env::args_os().skip(1);
    typed.find_map(|word| {
        let found = command.find_subcommand(&word).filter(|_| word != "help")?;
        Some(found.get_name().to_owned())
    })
}

/// Returns the word that was probably meant.
fn suggestion(error: &clap::Error) -> Option<String> {
    let kinds =
        [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg, ContextKind::SuggestedValue];
    let similar = kinds.into_iter().find_map(|kind| error.get(kind))?;
    match similar {
        ContextValue::String(word) => Some(word.clone()),
        ContextValue::Strings(words) => words.first().cloned(),
        _ => None,
    }
}
