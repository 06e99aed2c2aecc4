//! `yore config`: shows and changes single values of the configuration.

use clap::{Args, Subcommand};
use serde_json::Value;

use super::{edit, load, refused};
use crate::config::{self, ConfigFile};
use crate::context::Context;
use crate::failure::{Done, Exit, Failure, Outcome};
use crate::json;

/// The options of `config`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the configuration
    Show,
    /// Print a value, as in destination.nas.url
    Get {
        /// The key
        key: String,
    },
    /// Set a value; comments and everything else stay as they are
    Set(SetOptions),
    /// Change the configuration in an editor (VISUAL, EDITOR); it is checked before it is saved
    Edit,
    /// Print where the configuration is
    Path,
}

#[derive(Debug, Args)]
struct SetOptions {
    /// The key, as in limit.upload or destination.nas.verify-writes
    key: String,
    /// The value; several make a list
    #[arg(value_name = "VALUE", required_unless_present = "remove", allow_hyphen_values = true)]
    values: Vec<String>,
    /// Remove the key, so that its usual value holds
    #[arg(long, conflicts_with = "values")]
    remove: bool,
}

/// Runs the command.
pub fn run(context: &Context, options: &Options) -> Outcome {
    match &options.command {
        Command::Show => show(context),
        Command::Get { key } => get(context, key),
        Command::Set(options) => set(context, options),
        Command::Edit => edit::run(context),
        Command::Path => {
            let path = ConfigFile::load(&context.global)?.path.display().to_string();
            context.screen.object(&json::ConfigPath { path: &path });
            context.screen.literal(&path);
            Ok(Done::Whole)
        }
    }
}

/// Prints the whole text, also when it has mistakes, which are told after it.
fn show(context: &Context) -> Outcome {
    let file = ConfigFile::load(&context.global)?;
    let path = file.path.display().to_string();
    context.screen.object(&json::Config { path: &path, settings: config::to_json(&file.text) });
    if !file.exists {
        context.screen.info(format!(
            "There is no configuration at {path}. To begin one: yore destination add URL"
        ));
    }
    file.text.lines().for_each(|line| context.screen.literal(line));
    file.must_be_right(&file.text)?;
    Ok(Done::Whole)
}

fn get(context: &Context, key: &str) -> Outcome {
    let file = ConfigFile::load(&context.global)?;
    file.must_be_right(&file.text)?;
    let value = config::get(&file.text, key).map_err(refused)?.ok_or_else(|| {
        Failure::new(
            Exit::Failed,
            format!("{key} is not set"),
            format!("set it: yore config set {key} VALUE"),
        )
    })?;
    context.screen.object(&json::ConfigValue { key, value: &value });
    match &value {
        Value::Array(values) => {
            values.iter().for_each(|value| context.screen.literal(plain(value)))
        }
        value => context.screen.literal(plain(value)),
    }
    Ok(Done::Whole)
}

/// Returns a text without its quotes.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn set(context: &Context, options: &SetOptions) -> Outcome {
    let mut file = load(context)?;
    let key = &options.key;
    let text = match options.remove {
        true => config::edit::unset(&file.text, key),
        false => config::edit::set(&file.text, key, &options.values),
    };
    file.save(text.map_err(refused)?)?;
    let value = config::get(&file.text, key).map_err(refused)?;
    let shown = value.as_ref().unwrap_or(&Value::Null);
    context.screen.object(&json::ConfigValue { key, value: shown });
    context.screen.info(match &value {
        Some(value) => format!("{key} = {value}"),
        None => format!("{key} is not set any more."),
    });
    Ok(Done::Whole)
}
