//! The jobs of a source of the configuration: one for its files, or one for each database.

use std::ffi::OsString;

use yore_engine::Run;
use yore_engine::backup::{EmptySources, FileSystems, Reading};

use super::dumps::{self, Dump};
use super::{BackupJob, ExcludeLists, Input};
use crate::args::files::FileArgs;
use crate::config::{SourceKind, SourceSettings};
use crate::failure::Outcome;

/// Makes the jobs of a source: one run of each makes one snapshot.
///
/// # Errors
/// When a server of databases does not list them.
pub fn jobs(source: &SourceSettings) -> Outcome<Vec<BackupJob>> {
    let of = |input| BackupJob::of_source(source, input);
    let stream = |path: &str, command: &str| {
        of(Input::Command { path: path.as_bytes().to_vec(), command: OsString::from(command) })
    };
    Ok(match &source.kind {
        SourceKind::Files => {
            let paths = source.paths.clone();
            vec![of(Input::Files(FileArgs {
                paths,
                files_from: Vec::new(),
                files_from0: Vec::new(),
            }))]
        }
        SourceKind::Docker(volumes) => vec![of(Input::Volumes(volumes.clone()))],
        SourceKind::Remote(folders) => vec![of(Input::Remote(folders.clone()))],
        SourceKind::Command { command, file } => {
            vec![stream(file.trim_start_matches('/'), command)]
        }
        SourceKind::Server(server) => {
            let dumps = dumps::of_server(&source.name, server)?;
            dumps.iter().map(|Dump { path, command }| stream(path, command)).collect()
        }
        SourceKind::Sqlite => {
            let databases = source.paths.iter().cloned();
            databases.map(|database| of(Input::Sqlite { database })).collect()
        }
    })
}

impl BackupJob {
    fn of_source(source: &SourceSettings, input: Input) -> Self {
        Self {
            source: Some(source.name.clone()),
            input,
            excludes: ExcludeLists {
                patterns: source.exclude.clone(),
                files: source.exclude_file.clone(),
                caches: source.exclude_caches,
                if_present: source.exclude_if_present.clone(),
                larger_than: source.exclude_larger_than,
            },
            reading: Reading::Changed,
            unchanged_by: source.unchanged_by.unwrap_or_default(),
            file_systems: match source.one_file_system {
                true => FileSystems::One,
                false => FileSystems::All,
            },
            snapshot: source.snapshot,
            hooks: source.hooks.clone(),
            empty_sources: match source.allow_empty_source {
                true => EmptySources::Accept,
                false => EmptySources::KeepLast,
            },
            changed: None,
            smart: false,
            run: Run::Real,
            tags: source.tags.clone(),
            time: None,
            host: source.host.clone(),
        }
    }
}
