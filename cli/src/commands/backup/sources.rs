//! A backup of the sources of the configuration, one snapshot each, one after the other.

use yore_engine::Run;
use yore_engine::repository::Repository;

use super::{Options, summary};
use crate::commands::repository::prune;
use crate::config::{Settings, SourceSettings};
use crate::context::Context;
use crate::failure::{Done, Exit, Failure, Outcome};
use crate::job::{self, BackupJob, Prepared};

/// Backs up the sources; a source that fails does not keep the others from being saved.
pub(super) fn run(context: &Context, options: &Options) -> Outcome {
    let sources = chosen(context, options)?;
    let mut failures = Failures { several: sources.len() > 1, first: None };
    let mut prepared: Vec<(&str, Prepared)> = Vec::new();
    for source in &sources {
        match job::prepare(context, options.applied_to(BackupJob::of_source(source))) {
            Ok(ready) => prepared.push((&source.name, ready)),
            Err(failure) => failures.add(context, &source.name, failure)?,
        }
    }
    if prepared.is_empty() {
        return failures.end(Done::Whole);
    }
    context.wait_for_network();
    let repository = context.open()?;
    let mut done = Done::Whole;
    for (name, ready) in prepared {
        match ready.run(context, &repository) {
            Ok(record) => {
                summary::print(&context.screen, &record);
                if record.done() != Done::Whole {
                    done = record.done();
                }
                if options.settings().run == Run::Real {
                    retain(context, &repository, name, &mut done)?;
                }
            }
            Err(failure) => failures.add(context, name, failure)?,
        }
    }
    failures.end(context.done_everywhere(done))
}

/// Forgets what the rules of a source do not keep, where that is to be done after each backup.
fn retain(context: &Context, repository: &Repository, name: &str, done: &mut Done) -> Outcome<()> {
    let settings = context.settings()?;
    let Some(source) = settings.sources.iter().find(|source| source.name == name) else {
        return Ok(());
    };
    let retention = settings.retention_of(source);
    if retention.auto != Some(true) || retention.rules.is_empty() {
        return Ok(());
    }
    let outcome = job::retention::forget_after_backup(context, repository, source, &retention);
    let outcome = outcome.and_then(|(forgotten, retained)| {
        match forgotten > 0 && retention.prune == Some(true) {
            true => prune::free(context, repository, &prune::settings(context)),
            false => Ok(retained),
        }
    });
    match outcome {
        Ok(Done::Whole) => {}
        Ok(other) => *done = other,
        // The snapshot is made; that old ones could not be forgotten is no reason to fail.
        Err(failure) if failure.exit != Exit::Interrupted => {
            context.screen.problem("retention", &failure.what);
            *done = Done::Partly;
        }
        Err(failure) => return Err(failure),
    }
    Ok(())
}

/// Returns the sources that are meant: those that are named, or all.
fn chosen<'c>(context: &'c Context, options: &Options) -> Outcome<Vec<&'c SourceSettings>> {
    let settings: &Settings = context.settings()?;
    if settings.sources.is_empty() {
        return Err(Failure::usage(
            "there is nothing to back up",
            match context.names_destination() {
                true => {
                    "name files and folders, as in `yore backup ~/Documents`, or use --stdin or --command (with \
                     --repo or YORE_REPO, the sources of the configuration are not used)"
                }
                false => {
                    "name files and folders, as in `yore backup ~/Documents`, or use --stdin or --command; to need no \
                     names: yore source add ~/Documents"
                }
            },
        ));
    }
    if options.source.is_empty() {
        return Ok(settings.sources.iter().collect());
    }
    let find = |name: &String| {
        settings.sources.iter().find(|source| source.name == *name).ok_or_else(|| {
            let known: Vec<&str> = settings.sources.iter().map(|s| s.name.as_str()).collect();
            Failure::usage(
                format!("there is no source {name:?}"),
                format!("there are {}", known.join(", ")),
            )
        })
    };
    options.source.iter().map(find).collect()
}

/// The failures of sources.
struct Failures {
    /// Tells that a failure of one source does not end the command.
    several: bool,
    first: Option<Failure>,
}

impl Failures {
    /// Takes the failure of a source; an interrupt, or that of the only source, ends the command.
    fn add(&mut self, context: &Context, name: &str, mut failure: Failure) -> Outcome<()> {
        if !self.several || failure.exit == Exit::Interrupted {
            return Err(failure);
        }
        failure.what = format!("source {name}: {}", failure.what);
        if self.first.is_some() {
            context.screen.problem("", &failure.what);
        } else {
            self.first = Some(failure);
        }
        Ok(())
    }

    /// Ends the command: with the first failure, if there was one.
    fn end(self, done: Done) -> Outcome {
        match self.first {
            None => Ok(done),
            Some(failure) => Err(Failure { hint: Some(HINT.to_owned()), ..failure }),
        }
    }
}

const HINT: &str = "that source was not saved; the others are dealt with above";

impl Options {
    /// Adds what was typed to the job of a source.
    fn applied_to(&self, mut job: BackupJob) -> BackupJob {
        let typed = self.settings();
        job.excludes.patterns.extend(typed.excludes.patterns);
        job.excludes.files.extend(typed.excludes.files);
        job.excludes.caches |= typed.excludes.caches;
        job.excludes.if_present.extend(typed.excludes.if_present);
        job.excludes.larger_than = typed.excludes.larger_than.or(job.excludes.larger_than);
        job.tags.extend(typed.tags);
        job.unchanged_by = self.unchanged_by.unwrap_or(job.unchanged_by);
        if self.one_file_system {
            job.file_systems = typed.file_systems;
        }
        if self.allow_empty_source {
            job.empty_sources = typed.empty_sources;
        }
        BackupJob {
            reading: typed.reading,
            run: typed.run,
            time: typed.time,
            host: typed.host.or(job.host),
            ..job
        }
    }
}
