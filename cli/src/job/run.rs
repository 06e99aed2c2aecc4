//! Running a job.

use std::time::Instant;

use yore_engine::Run;
use yore_engine::backup::{
    BackupOptions, BackupReport, backup_in_parts, backup_server, backup_stream, count_sources,
};
use yore_engine::repository::Repository;
use yore_platform::{Interrupt, Interruptible, snapshot_path};

use super::containers::Still;
use super::frozen::{self, Request};
use super::program_output::ProgramOutput;
use super::sources::Sources;
use super::{Input, Prepared, RunRecord, sqlite};
use crate::access::writer::writer;
use crate::access::{flushing, shared_client, state};
use crate::args::file_system_snapshot::FileSystemSnapshot;
use crate::context::Context;
use crate::failure::Outcome;
use crate::moment::{clock, suspicion};
use crate::screen::progress::Progress;

impl Prepared {
    /// Makes the snapshot, and warns of what was met on the way.
    pub fn run(self, context: &Context, repository: &Repository) -> Outcome<RunRecord> {
        let options = self.options()?;
        let interrupt = context.interrupt()?;
        let began = Instant::now();
        let report = self.save(context, repository, &options, interrupt)?;
        if let Some(ahead) = &report.ahead {
            clock::warn_of_future(context, ahead);
        }
        suspicion::print_rolled_back(context, &report.rolled_back);
        if let Some(new) = report.new_client {
            shared_client::replace(&context.screen, new);
        }
        flushing::warn_once(&context.screen, repository);
        let took = began.elapsed();
        let behind = match context.catch_up(repository, &report.behind)? {
            true => Vec::new(),
            false => report.behind.iter().map(|one| context.title(one.destination)).collect(),
        };
        context.heal(repository)?;
        Ok(RunRecord {
            source: self.job.source,
            repository: repository.id(),
            report,
            missing: self.sources.missing,
            empty_sources: options.empty_sources,
            behind,
            took,
        })
    }

    fn options(&self) -> Outcome<BackupOptions> {
        let job = &self.job;
        Ok(BackupOptions {
            excludes: self.excludes.clone(),
            reading: job.reading,
            unchanged_by: job.unchanged_by,
            file_systems: job.file_systems,
            empty_sources: job.empty_sources,
            own_folders: self.own_folders.clone(),
            changed: job.changed.clone(),
            only: None,
            run: job.run,
            tags: job.tags.clone(),
            time: self.time,
            utc_offset: self.utc_offset,
            writer: writer(state::client()?, self.host()),
        })
    }

    /// The name of the source, if it has one.
    fn source(&self) -> &str {
        self.job.source.as_deref().unwrap_or_default()
    }

    /// Saves files and folders, from snapshots of their file systems where that is wanted; calls `frozen` when these
    /// are made, with whether they show all of it.
    fn save_files(
        &self,
        context: &Context,
        repository: &Repository,
        options: &BackupOptions,
        progress: &Progress,
        frozen: impl FnOnce(bool) -> Outcome<()>,
    ) -> Outcome<BackupReport> {
        let job = &self.job;
        let request = Request {
            // Nothing is written in a dry run, also no snapshot of a file system.
            how: if job.run == Run::Dry { FileSystemSnapshot::Never } else { job.snapshot },
            source: self.source(),
            file_systems: job.file_systems,
            hooks: &job.hooks,
        };
        let Sources { paths, live, .. } = &self.sources;
        let state = frozen::freeze(context, &request, live)?;
        frozen(state.is_whole())?;
        let both: Vec<_> = paths.iter().cloned().zip(live.iter().cloned()).collect();
        let places = state.places(&both)?;
        let (live, counted) = (live.clone(), options.clone());
        Ok(progress.counting_in_background(
            // The backup reports a pattern that is none.
            move |counter| drop(count_sources(&live, &counted, counter)),
            || backup_in_parts(repository, (paths, &places), &self.selections, options, progress),
        )?)
    }

    /// Returns the machine that the snapshot is of, if it is not this one.
    fn host(&self) -> Option<String> {
        let of_server = self.remote.as_ref().map(|remote| remote.host.clone());
        self.job.host.clone().or(of_server)
    }

    fn save(
        &self,
        context: &Context,
        repository: &Repository,
        options: &BackupOptions,
        interrupt: Interrupt,
    ) -> Outcome<BackupReport> {
        let progress = Progress::start(&context.screen, "backing up", Some(interrupt));
        match &self.job.input {
            Input::Files(_) | Input::Remote(_) => match &self.remote {
                Some(remote) => Ok(backup_server(repository, &remote.files(), options, &progress)?),
                None => self.save_files(context, repository, options, &progress, |_| Ok(())),
            },
            Input::Volumes(volumes) => {
                let mut still = match self.job.run {
                    Run::Real => Still::begin(context, self.source(), volumes)?,
                    Run::Dry => Still::none(context),
                };
                let saved = self.save_files(context, repository, options, &progress, |is_whole| {
                    if is_whole { still.end() } else { Ok(()) }
                });
                // They go on whatever came of it, and that they do not is worse than anything else.
                still.end().and(saved)
            }
            Input::Stdin { path } => {
                let mut input = Interruptible::new(std::io::stdin(), interrupt);
                Ok(backup_stream(repository, path, &mut input, options, &progress)?)
            }
            Input::Sqlite { database } => {
                let path = snapshot_path(database);
                let mut input = Interruptible::new(sqlite::copy(database)?, interrupt);
                Ok(backup_stream(repository, &path, &mut input, options, &progress)?)
            }
            Input::Command { path, command } => {
                let mut output = ProgramOutput::start(command, interrupt)?;
                let saved = backup_stream(repository, path, &mut output, options, &progress);
                match (saved, output.failure()) {
                    // The failure of the program explains more than the read that it broke.
                    (Err(_), Some(failure)) => Err(failure),
                    (saved, _) => Ok(saved?),
                }
            }
        }
    }
}
