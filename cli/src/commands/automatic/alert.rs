//! `yore alert`: who is told when something is wrong.

use clap::{Args, Subcommand};

use crate::config::Alert;
use crate::context::Context;
use crate::failure::{Done, Exit, Failure, Outcome};
use crate::json;
use crate::runs::{self, Files, Sent};
use crate::text::escape;

/// The options of `alert`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Send a message by each alert of the configuration, to try the way
    Test {
        /// The alerts (default: all of them)
        #[arg(value_name = "NAME")]
        names: Vec<String>,
    },
    /// Look at what is known here, and tell what is new: a backup that is too old, a destination that is behind
    Check,
}

/// Runs the command.
pub fn run(context: &Context, options: &Options) -> Outcome {
    if context.names_destination() {
        return Err(Failure::usage(
            "alerts are those of the configuration, which is not used with --repo or YORE_REPO",
            "try it without them; --profile or --config names another configuration",
        ));
    }
    match &options.command {
        Command::Test { names } => test(context, names),
        Command::Check => check(context),
    }
}

fn test(context: &Context, names: &[String]) -> Outcome {
    let settings = context.settings()?;
    let known = |name: &String| {
        settings.alerts.iter().find(|alert| alert.name == *name).ok_or_else(|| {
            Failure::usage(
                format!("there is no alert {}", escape::text(name)),
                "each is a table [[alert]] of the configuration: yore config edit",
            )
        })
    };
    let alerts: Vec<&Alert> = match names.is_empty() {
        true => settings.alerts.iter().collect(),
        false => names.iter().map(known).collect::<Outcome<Vec<_>>>()?,
    };
    if alerts.is_empty() {
        return Err(Failure::usage(
            "the configuration tells nobody when something is wrong",
            "add a table [[alert]] with a name and mail-to, webhook, command or desktop: yore config edit",
        ));
    }
    let sent = runs::test(context, settings, &alerts);
    print(context, &sent);
    match sent.iter().find(|one| one.outcome.is_err()) {
        None => Ok(Done::Whole),
        Some(_) => Err(Failure::new(
            Exit::Failed,
            "a message was not sent",
            "the reason is above; the other alerts are not affected",
        )),
    }
}

fn check(context: &Context) -> Outcome {
    let Some(files) = Files::of(context) else { return Ok(Done::Whole) };
    let (state, sent) = runs::settle(context, &files, |_| {});
    print(context, &sent);
    for (key, told) in &state.conditions {
        context.screen.object(&json::Condition { key, title: &told.title, told: &told.by });
        context.screen.info(format!("wrong: {}", escape::text(&told.title)));
    }
    if state.conditions.is_empty() {
        context.screen.info("Nothing is wrong, as far as is known here.");
    }
    let is_sent = sent.iter().all(|one| one.outcome.is_ok());
    Ok(if is_sent && state.conditions.is_empty() { Done::Whole } else { Done::Partly })
}

fn print(context: &Context, sent: &[Sent]) {
    for one in sent {
        let error = one.outcome.as_ref().err();
        context.screen.object(&json::SentAlert {
            alert: &one.alert,
            title: &one.title,
            error: error.map(String::as_str),
        });
        match error {
            None => {
                context.screen.info(format!("Sent by {}: {}", one.alert, escape::text(&one.title)))
            }
            Some(why) => {
                context.screen.problem(&format!("alert {}", one.alert), &escape::text(why))
            }
        }
    }
}
