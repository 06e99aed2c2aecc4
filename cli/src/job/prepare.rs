//! Preparing a job: everything that can fail before a secret is asked for.

use std::path::PathBuf;

use yore_engine::Run;
use yore_engine::backup::{Excludes, Selection};
use yore_engine::globs::Rule;
use yore_platform::{Timestamp, VOLUME_SNAPSHOT_PREFIX, name_bytes, snapshot_path};

use super::remote::{self, RemoteSources};
use super::sources::{self, Sources};
use super::{BackupJob, ExcludeLists, Input, priority};
use crate::args::exclude::{self, FromHere};
use crate::args::time;
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};

/// A job whose sources are found.
pub struct Prepared {
    pub(super) job: BackupJob,
    /// The files and folders; none for a stream.
    pub(super) sources: Sources,
    /// The files and folders of a server, where they are on one.
    pub(super) remote: Option<RemoteSources>,
    /// The program's own folders, which are left out of the sources.
    pub(super) own_folders: Vec<PathBuf>,
    pub(super) excludes: Excludes,
    /// What is saved before the rest.
    pub(super) selections: Vec<Selection>,
    /// The time that the snapshot gets, if not that of its making.
    pub(super) time: Option<Timestamp>,
    /// The offset from UTC at that time, in seconds.
    pub(super) utc_offset: i64,
}

/// Finds the sources of a job, what is left out of them, and its time.
///
/// # Errors
/// When a source, or the repository for it, is not there; when a source belongs to the repository or
/// the cache; when a list of patterns can't be read, or the time is in the future.
pub fn prepare(context: &Context, job: BackupJob) -> Outcome<Prepared> {
    find_all(context, job).map_err(|failure| {
        // A repository that is not there is said first. One that does not answer is waited for when it is opened.
        let absent = context.must_be_there().err();
        absent.filter(|absent| absent.exit == Exit::NoRepository).unwrap_or(failure)
    })
}

fn find_all(context: &Context, job: BackupJob) -> Outcome<Prepared> {
    let mut remote = None;
    let (sources, own_folders, excludes) = match &job.input {
        Input::Files(named) => {
            let sources = sources::find(named, &context.screen)?;
            of_files(context, &job, sources)?
        }
        Input::Volumes(volumes) => {
            let name = job.source.as_deref().unwrap_or_default();
            of_files(context, &job, sources::of_volumes(name, volumes)?)?
        }
        Input::Sqlite { database } => {
            std::fs::symlink_metadata(database).map_err(|error| Failure::local(database, error))?;
            Default::default()
        }
        Input::Remote(folders) => {
            let found = remote.insert(remote::find(context, &job, folders)?);
            (Sources::default(), Vec::new(), found.excludes(&job.excludes)?)
        }
        Input::Stdin { .. } | Input::Command { .. } => Default::default(),
    };
    let (time, utc_offset) = time(context, job.time.as_deref())?;
    let selections = match job.smart && job.run == Run::Real && !sources.paths.is_empty() {
        true => priority::selections(context, &sources.paths, &context.settings()?.priority),
        false => Vec::new(),
    };
    Ok(Prepared { job, sources, remote, own_folders, excludes, selections, time, utc_offset })
}

/// Finds what is left out of files and folders.
fn of_files(
    context: &Context,
    job: &BackupJob,
    sources: Sources,
) -> Outcome<(Sources, Vec<PathBuf>, Excludes)> {
    let own_folders = own_folders(context, &sources.live)?;
    let excludes = excludes(&job.excludes, &sources.paths, &own_folders)?;
    Ok((sources, own_folders, excludes))
}

/// Returns the folders that are the program's own: the repository and the cache. None may be a source.
fn own_folders(context: &Context, sources: &[PathBuf]) -> Outcome<Vec<PathBuf>> {
    let folders = context.own_folders()?;
    for folder in &folders {
        if let Some(source) = sources.iter().find(|source| source.starts_with(folder)) {
            return Err(Failure::usage(
                format!("{} belongs to the repository or to Yore's cache", source.display()),
                "back up what you want to keep; to copy the repository, copy its folder",
            ));
        }
        if sources.iter().any(|source| folder.starts_with(source)) {
            context.screen.detail(format!("left out: {} (Yore's own)", folder.display()));
        }
    }
    Ok(folders)
}

/// Makes rules of what was typed, of what files list, and of the program's own folders.
fn excludes(
    lists: &ExcludeLists,
    sources: &[PathBuf],
    own_folders: &[PathBuf],
) -> Outcome<Excludes> {
    let sources = || sources.iter().map(|source| snapshot_path(source)).collect();
    let from_files = exclude::read_files(&lists.files)?;
    let mut rules = exclude::rules(&lists.patterns, &exclude::bases(sources(), FromHere::Yes));
    rules.extend(exclude::rules(&from_files, &exclude::bases(sources(), FromHere::No)));
    // As patterns, too, so that a restore that deletes knows that they were left out.
    rules.extend(own_folders.iter().map(|folder| exclude::exactly(folder)));
    // Another run may have one in a source.
    rules.push(Rule::added(vec![format!("**/{VOLUME_SNAPSHOT_PREFIX}*/")]));
    let if_present = lists.if_present.iter().map(|name| name_bytes(name).to_vec());
    Ok(Excludes {
        rules,
        caches: lists.caches,
        if_present: if_present.collect(),
        larger_than: lists.larger_than,
    })
}

/// Returns the time that the snapshot gets, if not that of its making, and the offset from UTC.
fn time(context: &Context, typed: Option<&str>) -> Outcome<(Option<Timestamp>, i64)> {
    let present = context.present();
    let Some(text) = typed else { return Ok((None, present.1)) };
    let (time, offset) = time::instant(text, &context.now)?;
    match time > present.0 {
        false => Ok((Some(time), offset)),
        true => Err(Failure::usage(
            format!("{text:?} is in the future"),
            "give the time at which the files were as they are backed up",
        )),
    }
}
