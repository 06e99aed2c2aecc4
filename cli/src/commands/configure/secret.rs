//! `yore secret`: secrets in the keyring of the desktop, to which the configuration refers by name.

use clap::{Args, Subcommand};

use crate::access::secret::{self, reference};
use crate::commands::configure::source::parse_name;
use crate::context::Context;
use crate::failure::{Done, Failure, Outcome};
use crate::json;
use crate::text::escape;

/// The options of `secret`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Store a secret in the keyring of the desktop: typed twice, or from standard input
    Set {
        /// The name, for password-keyring and token-keyring
        #[arg(value_name = "NAME", value_parser = parse_name)]
        name: String,
    },
    /// Remove a secret from the keyring of the desktop
    Remove {
        /// The name
        #[arg(value_name = "NAME", value_parser = parse_name)]
        name: String,
    },
}

/// Runs the command.
pub fn run(context: &Context, options: &Options) -> Outcome {
    match &options.command {
        Command::Set { name } => set(context, name),
        Command::Remove { name } => remove(context, name),
    }
}

fn set(context: &Context, name: &str) -> Outcome {
    let text = secret::to_be_stored(name)?;
    reference::store(name, &text)?;
    let name = escape::text(name);
    context.screen.object(&json::StoredSecret { name: &name });
    context.screen.info(format!(
        "Stored in the keyring as {name}. To use it: yore config set password-keyring {name}"
    ));
    Ok(Done::Whole)
}

fn remove(context: &Context, name: &str) -> Outcome {
    if !reference::remove(name)? {
        return Err(Failure::usage(
            format!("the keyring of the desktop has no secret {}", escape::text(name)),
            "`yore config show` lists the names that the configuration uses",
        ));
    }
    context.screen.object(&json::Removed { kind: "secret", name });
    context.screen.info(format!("Removed the secret {}.", escape::text(name)));
    Ok(Done::Whole)
}
