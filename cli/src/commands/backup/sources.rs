//! A backup of the sources of the configuration, one snapshot each, one after the other.

use std::time::Instant;

use yore_engine::Run;
use yore_engine::repository::Repository;

use super::retention::{self, Freeing};
use super::{Options, summary};
use crate::args::duration;
use crate::config::{Hooks, Settings, SourceKind, SourceSettings};
use crate::context::Context;
use crate::failure::{Done, Exit, Failure, Outcome};
use crate::job::hooks::{self, Facts};
use crate::job::{self, BackupJob, Prepared, RunRecord};
use crate::json::SourceRun;
use crate::runs::{self, Waiting};

/// Backs up the sources; a source that fails does not keep the others from being saved.
pub(super) fn run(context: &Context, options: &Options) -> Outcome {
    let sources = chosen(context, options)?;
    if options.settings().run == Run::Dry {
        return save(context, options, &sources, &mut Vec::new());
    }
    if options.if_idle
        && let Some(why) = job::limits::reason_to_wait(&context.settings()?.busy)
    {
        context.screen.info(format!("Nothing is backed up now: {why}."));
        return Ok(Done::Whole);
    }
    if is_recent(context, options, &sources)? {
        context.screen.info("Each source was saved recently enough.");
        return Ok(Done::Whole);
    }
    let waiting = if options.wait { Waiting::Yes } else { Waiting::No };
    let run = runs::Run::begin(context, "backup", waiting)?;
    let mut ledger = Vec::new();
    let outcome = with_hooks(context, &context.settings()?.hooks, "", || {
        let outcome = save(context, options, &sources, &mut ledger);
        let snapshot = ledger.last().and_then(|last: &SourceRun| last.snapshot.clone());
        (outcome, snapshot)
    });
    run.end(context, ledger, &outcome);
    outcome
}

/// Tells whether each source was saved within the time that makes another run needless.
fn is_recent(context: &Context, options: &Options, sources: &[&SourceSettings]) -> Outcome<bool> {
    let Some(text) = &options.if_older_than else { return Ok(false) };
    let limit = duration::seconds("--if-older-than", text, &context.now)?;
    let Some(files) = runs::Files::of(context) else { return Ok(false) };
    let state = runs::State::load(&files.state);
    let now = context.now.timestamp().as_second();
    Ok(sources.iter().all(|source| {
        let saved = state.sources.get(&source.name).and_then(|known| known.saved);
        saved.is_some_and(|saved| now.saturating_sub(saved) < limit)
    }))
}

/// Does something between the hooks that are to be run before and after it.
fn with_hooks(
    context: &Context,
    hooks: &Hooks,
    source: &str,
    work: impl FnOnce() -> (Outcome, Option<String>),
) -> Outcome {
    let began = Instant::now();
    let facts = Facts { source: source.to_owned(), ..Facts::default() };
    let (outcome, snapshot) = match hooks::before(context, hooks, &facts) {
        Ok(()) => work(),
        Err(failure) => (Err(failure), None),
    };
    let facts = Facts {
        result: match &outcome {
            Ok(Done::Whole) => "success",
            Ok(Done::Partly | Done::Damaged) => "partial",
            Err(_) => "failure",
        },
        snapshot: snapshot.unwrap_or_default(),
        error: outcome.as_ref().err().map(|failure| failure.what.clone()).unwrap_or_default(),
        seconds: began.elapsed().as_secs_f64(),
        ..facts
    };
    match (hooks::after(context, hooks, &facts), outcome) {
        (false, Ok(Done::Whole)) => Ok(Done::Partly),
        (_, outcome) => outcome,
    }
}

/// Saves the sources, and notes in `ledger` what came of each.
fn save(
    context: &Context,
    options: &Options,
    sources: &[&SourceSettings],
    ledger: &mut Vec<SourceRun>,
) -> Outcome {
    let mut failures = Failures { several: sources.len() > 1, first: None };
    let mut ready: Vec<(&SourceSettings, Vec<Prepared>)> = Vec::new();
    for &source in sources {
        // A server is asked for its databases after the hook that may start it.
        let prepared = match source.kind {
            SourceKind::Files => prepare(context, options, source),
            _ => Ok(Vec::new()),
        };
        match prepared {
            Ok(prepared) => ready.push((source, prepared)),
            Err(failure) => {
                ledger.push(failed(source, &failure));
                failures.add(context, &source.name, failure)?;
            }
        }
    }
    if ready.is_empty() {
        return failures.end(Done::Whole);
    }
    context.wait_for_network();
    let repository = context.open()?;
    let mut done = Done::Whole;
    for (source, prepared) in ready {
        let mut run = SourceRun { source: source.name.clone(), ..SourceRun::default() };
        let one = with_hooks(context, &source.hooks, &source.name, || {
            let outcome = save_one(context, options, &repository, source, prepared, &mut run);
            (outcome, run.snapshot.clone())
        });
        match one {
            Ok(Done::Whole) => ledger.push(run),
            Ok(other) => {
                run.error = run.error.or_else(|| Some("it was not saved as a whole".to_owned()));
                done = other;
                ledger.push(run);
            }
            Err(failure) => {
                ledger.push(SourceRun { error: Some(failure.what.clone()), ..run });
                failures.add(context, &source.name, failure)?;
            }
        }
    }
    failures.end(context.done_everywhere(done))
}

fn failed(source: &SourceSettings, failure: &Failure) -> SourceRun {
    let (source, error) = (source.name.clone(), Some(failure.what.clone()));
    SourceRun { source, error, ..SourceRun::default() }
}

fn prepare(
    context: &Context,
    options: &Options,
    source: &SourceSettings,
) -> Outcome<Vec<Prepared>> {
    let jobs = job::jobs(source)?.into_iter();
    let smart = options.smart || context.settings()?.smart && options.time.is_none();
    let apply = |job| BackupJob { smart, ..options.applied_to(job) };
    jobs.map(|job| job::prepare(context, apply(job))).collect()
}

/// Makes the snapshots of a source, and forgets what its rules do not keep.
fn save_one(
    context: &Context,
    options: &Options,
    repository: &Repository,
    source: &SourceSettings,
    mut prepared: Vec<Prepared>,
    run: &mut SourceRun,
) -> Outcome {
    let mut done = Done::Whole;
    if source.kind != SourceKind::Files {
        prepared = prepare(context, options, source)?;
    }
    let mut first = None;
    for ready in prepared {
        match ready.run(context, repository) {
            Ok(record) => {
                summary::print(&context.screen, &record);
                if record.done() != Done::Whole {
                    done = record.done();
                }
                add(run, &record);
            }
            Err(failure) if failure.exit == Exit::Interrupted => return Err(failure),
            // The other databases are saved all the same.
            Err(failure) => {
                if first.is_some() {
                    context.screen.problem(&format!("source {}", source.name), &failure.what);
                }
                first.get_or_insert(failure);
            }
        }
    }
    if let Some(failure) = first {
        return Err(failure);
    }
    match options.settings().run {
        Run::Real => {
            Ok(done.and(retention::apply(context, repository, source, &mut Freeing::Now)?))
        }
        Run::Dry => Ok(done),
    }
}

/// Adds what one of the snapshots of a source has.
fn add(run: &mut SourceRun, record: &RunRecord) {
    let totals = &record.report.totals;
    run.snapshot = record.report.snapshot.map(|id| id.to_string());
    run.files += totals.files;
    run.bytes += totals.bytes;
    run.new_bytes += totals.new_bytes;
    run.stored_bytes += totals.stored_bytes;
    run.seconds += record.took.as_secs_f64();
    run.suspicious |= record.report.suspicion.is_some();
    let new = record.behind.iter().filter(|title| !run.behind.contains(title)).cloned();
    let new: Vec<String> = new.collect();
    run.behind.extend(new);
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
        job.snapshot = self.snapshot.unwrap_or(job.snapshot);
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
