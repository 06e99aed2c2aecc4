//! `yore sync`: every destination gets what another one has, and what is damaged is healed.

use std::sync::Arc;

use clap::Args;
use yore_engine::Error;
use yore_engine::repository::{Repository, adopt_copy, restore_header};
use yore_engine::sync::{LockReport, SyncOptions, Verify, extend_locks};

use crate::access::state;
use crate::access::writer::writer;
use crate::context::{Context, Unreached};
use crate::failure::engine_error::message;
use crate::failure::{Done, Failure, Outcome};
use crate::json;
use crate::screen::progress::Progress;
use crate::text::format;

/// The options of `sync`.
#[derive(Debug, Args)]
pub struct Options {
    /// Copy only from this destination, by its name (may be repeated)
    #[arg(long, value_name = "NAME")]
    from: Vec<String>,
    /// Copy only to this destination, by its name (may be repeated)
    #[arg(long, value_name = "NAME")]
    to: Vec<String>,
    /// Read every byte of every destination, and heal what is damaged
    #[arg(long)]
    read_data: bool,
    /// Then lock what is in use for another period, at destinations with Object Lock
    #[arg(long)]
    extend_lock: bool,
}

/// Runs the command.
pub fn run(context: &Context, options: &Options) -> Outcome {
    let mut repository = context.open()?;
    restore_identities(context, &mut repository)?;
    if repository.destinations().len() < 2 && !options.extend_lock {
        return alone(context);
    }
    let mut is_whole = true;
    if repository.destinations().len() > 1 {
        is_whole &= copy(context, options, &repository)?;
    }
    if options.extend_lock {
        is_whole &= extend(context, &repository)?;
    }
    Ok(match is_whole {
        true => context.done_everywhere(Done::Whole),
        false => Done::Partly,
    })
}

/// Copies and heals; returns true if every destination has everything that another one has.
fn copy(context: &Context, options: &Options, repository: &Repository) -> Outcome<bool> {
    let settings = SyncOptions {
        from: numbers(context, &options.from)?,
        to: numbers(context, &options.to)?,
        verify: if options.read_data { Verify::Everything } else { Verify::Suspects },
    };
    let report = context.sync(repository, &settings)?;
    for filled in &report.destinations {
        context.screen.object(&json::Filled::new(context.title(filled.destination), filled));
        context.print_filled(filled);
    }
    Ok(report.is_whole())
}

/// Extends locks; returns true if every lock could be extended.
fn extend(context: &Context, repository: &Repository) -> Outcome<bool> {
    let progress = Progress::start(&context.screen, "extending locks", Some(context.interrupt()?));
    let reports = extend_locks(repository, &progress)?;
    drop(progress);
    let mut is_whole = true;
    for report in &reports {
        let title = context.title(report.destination);
        context.screen.object(&json::Locks::new(title.clone(), report));
        report.problems.iter().for_each(|error| context.screen.problem(&title, &message(error)));
        is_whole &= report.problems.is_empty();
        if let Some(until) = report.until {
            let until = format::time(until, context.now.time_zone());
            let count = format::counted(report.extended, "object");
            context
                .screen
                .info(format!("{title}: {count} in use, locked until {until} or longer."));
        }
    }
    let locks = |report: &LockReport| report.until.is_some() || !report.problems.is_empty();
    if !reports.iter().any(locks) {
        return Err(Failure::usage(
            "no destination locks its objects, so there is no lock to extend",
            "a bucket with Object Lock does, with ?lock=compliance:30d at the end of its URL",
        ));
    }
    Ok(is_whole)
}

/// Ends the command where there is nothing to copy from or to.
fn alone(context: &Context) -> Outcome {
    if context.unreached().is_empty() {
        return Err(Failure::usage(
            "there is one destination only, so there is nothing to copy",
            "add another one: yore destination add URL",
        ));
    }
    context.screen.info("No other destination can be reached now, so nothing was copied.");
    Ok(context.done_everywhere(Done::Whole))
}

/// Returns the numbers of destinations in the repository; `None` for all.
fn numbers(context: &Context, names: &[String]) -> Outcome<Option<Vec<usize>>> {
    if names.is_empty() {
        return Ok(None);
    }
    let reached = context.reached();
    let number = |name: &String| {
        let is_named = |place: &crate::access::place::Place| place.name.as_ref() == Some(name);
        reached.iter().position(is_named).ok_or_else(|| {
            let known: Vec<&str> = reached.iter().filter_map(|p| p.name.as_deref()).collect();
            Failure::usage(
                format!("no destination {name:?} was opened"),
                format!("there are {}", known.join(", ")),
            )
        })
    };
    names.iter().map(number).collect::<Outcome<_>>().map(Some)
}

/// Gives destinations that did not open because their header or their own id is damaged what they lack.
fn restore_identities(context: &Context, repository: &mut Repository) -> Outcome<()> {
    for Unreached { place, .. } in context.unreached() {
        let Ok(backend) = context.backend(&place) else { continue };
        let mut again = repository.add_destination(Arc::clone(&backend));
        if let Err(Error::NoRepository { .. } | Error::Damaged { .. } | Error::Missing { .. }) =
            again
        {
            if restore_header(repository, &backend)? {
                context.screen.problem(&place.title(), "its header was damaged, and is healed");
                again = repository.add_destination(Arc::clone(&backend));
            }
            if let Err(Error::Damaged { .. } | Error::Missing { .. }) = again {
                let writer = writer(state::client()?, None);
                adopt_copy(repository, &backend, &writer, context.present().0)?;
                let what = "the record of which destination it is was damaged; it has a new one";
                context.screen.problem(&place.title(), what);
                again = repository.add_destination(Arc::clone(&backend));
            }
        }
        if again.is_ok() {
            context.add_reached(&place);
        }
    }
    Ok(())
}
