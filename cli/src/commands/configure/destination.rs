//! `yore destination`: where copies of the repository are kept.

use clap::{Args, Subcommand};

use super::{load, refused};
use crate::access::contacts;
use crate::config::Settings;
use crate::config::edit::remove_entry;
use crate::context::Context;
use crate::failure::{Done, Outcome};
use crate::json;
use crate::text::escape;
use crate::text::table::{Column, Table};

mod add;
mod added;
mod adopt;
mod measure;

/// The options of `destination`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check a destination, and add it to the configuration
    Add(add::AddOptions),
    /// List the destinations
    List,
    /// Take a destination out of the configuration; its data stay where they are
    Remove {
        /// The name of the destination
        name: String,
    },
}

/// Runs the command.
pub fn run(context: &Context, options: &Options) -> Outcome {
    match &options.command {
        Command::Add(options) => add::run(context, options),
        Command::List => list(context),
        Command::Remove { name } => remove(context, name),
    }
}

fn list(context: &Context) -> Outcome {
    let file = load(context)?;
    let destinations = Settings::read(&file.text).destinations;
    if destinations.is_empty() {
        context
            .screen
            .info("There are no destinations. To add one: yore destination add /mnt/disk/backup");
    }
    let mut table =
        Table::new([("destination", Column::Text), ("location", Column::Text), ("", Column::Text)]);
    for place in &destinations {
        let name = place.name.clone().unwrap_or_default();
        let location = place.destination.location();
        let notes = [(place.is_removable, "removable"), (place.verify_writes, "reads back")];
        let notes = notes.into_iter().filter_map(|(is_on, note)| is_on.then_some(note));
        table.row(vec![
            name.clone(),
            escape::text(&location),
            notes.collect::<Vec<_>>().join(", "),
        ]);
        context.screen.object(&json::ConfiguredDestination {
            name,
            location,
            removable: place.is_removable,
            verify_writes: place.verify_writes,
        });
    }
    if !destinations.is_empty() {
        context.screen.table(&table);
    }
    Ok(Done::Whole)
}

fn remove(context: &Context, name: &str) -> Outcome {
    let mut file = load(context)?;
    let settings = Settings::read(&file.text);
    let text = remove_entry(&file.text, "destination", name).map_err(refused)?;
    file.save(text)?;
    let location = settings
        .destinations
        .iter()
        .filter(|place| place.name.as_deref() == Some(name))
        .map(|place| place.destination.location())
        .next();
    let location = location.unwrap_or_default();
    contacts::forget(&location);
    context.screen.object(&json::Removed { kind: "destination", name });
    context.screen.info(format!(
        "Destination {name} is not used any more. What is stored at {location} stays there."
    ));
    Ok(Done::Whole)
}
