//! `yore backup`: makes a snapshot of files and folders, or of what a program prints.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use yore_engine::backup::{EmptySources, FileSystems, Reading, UnchangedBy};
use yore_engine::{Run, TreePath, TreePathBuf};
use yore_platform::name_bytes;

use crate::access::destination::ServerFolder;
use crate::args::file_system_snapshot::{self, FileSystemSnapshot};
use crate::args::files::FileArgs;
use crate::args::{exclude, size, unchanged_by};
use crate::config::{Hooks, is_of_server, server_folders};
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::job::{self, BackupJob, ExcludeLists, Input};

pub mod retention;
mod sources;
pub mod summary;

/// The options of `backup`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    files: FileArgs,
    /// Back up this source of the configuration only (may be repeated)
    #[arg(long, value_name = "NAME", conflicts_with_all = ["paths", "files_from", "files_from0", "stdin", "command"])]
    source: Vec<String>,
    /// Leave out what fits, as in .gitignore; with a slash, below each PATH and the working directory
    /// (may be repeated)
    #[arg(long, value_name = "GLOB", value_parser = exclude::parse)]
    exclude: Vec<String>,
    /// Leave out what fits the lines of a file, as in .gitignore (may be repeated)
    #[arg(long, value_name = "FILE")]
    exclude_file: Vec<PathBuf>,
    /// Leave out the content of folders that say that they are caches (CACHEDIR.TAG)
    #[arg(long)]
    exclude_caches: bool,
    /// Leave out the content of folders that hold a file of this name, as in .nobackup (may be repeated)
    #[arg(long, value_name = "NAME", value_parser = file_name)]
    exclude_if_present: Vec<OsString>,
    /// Leave out files that are larger, as in 4G
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    exclude_larger_than: Option<u64>,
    /// Save a PATH as empty that had files and has none, rather than to keep its last state
    #[arg(long)]
    allow_empty_source: bool,
    /// Take a file for unchanged if these are the same: size, mtime and, if named, ctime and inode
    /// (all four, but inode only where the file system keeps it)
    #[arg(long, value_name = "size,mtime,…", value_parser = unchanged_by::parse)]
    unchanged_by: Option<UnchangedBy>,
    /// Stay on the file system of each path
    #[arg(long)]
    one_file_system: bool,
    /// Read from a snapshot of the file system: never, auto (where it can make one), btrfs, zfs or lvm
    #[arg(long, value_name = "KIND", value_parser = file_system_snapshot::parse, conflicts_with_all = ["stdin", "command"])]
    snapshot: Option<FileSystemSnapshot>,
    /// Attach a word by which the snapshot can be found (may be repeated)
    #[arg(long, value_name = "TAG", value_parser = NonEmptyStringValueParser::new())]
    tag: Vec<String>,
    /// The time that the snapshot gets, instead of now
    #[arg(long, value_name = "TIME")]
    time: Option<String>,
    /// The machine's name that the snapshot gets
    #[arg(long, value_name = "HOST", value_parser = NonEmptyStringValueParser::new())]
    host: Option<String>,
    /// Read and count everything, write nothing
    #[arg(long)]
    dry_run: bool,
    /// Save first what matters most (`priority` of the configuration, otherwise documents) and what changed this week,
    /// so that a backup that is cut short has saved it
    #[arg(long, conflicts_with_all = ["time", "stdin", "command"])]
    smart: bool,
    /// Read everything, also what looks unchanged
    #[arg(long)]
    force: bool,
    /// Wait while another run of the configured sources is not finished, rather than to fail
    #[arg(long, conflicts_with_all = ["paths", "files_from", "files_from0", "stdin", "command"])]
    wait: bool,
    /// Do nothing now if the configuration says so: on battery, over a metered network, on a busy machine
    #[arg(long, conflicts_with_all = ["paths", "files_from", "files_from0", "stdin", "command"])]
    if_idle: bool,
    /// Do nothing if each source was saved within this time, as in 24h
    #[arg(long, value_name = "DURATION", conflicts_with_all = ["paths", "files_from", "files_from0", "stdin", "command"])]
    if_older_than: Option<String>,
    /// Back up what comes from standard input
    #[arg(long, requires = "name", conflicts_with = "command")]
    stdin: bool,
    /// Back up what a command prints; nothing is kept if it fails (any part of a pipeline, where there is bash or
    /// another shell that knows pipefail)
    #[arg(long, value_name = "CMD", requires = "name")]
    command: Option<OsString>,
    /// The path that --stdin or --command gets in the snapshot
    #[arg(long, value_name = "FILE")]
    name: Option<PathBuf>,
}

/// Runs the command.
pub fn run(context: &Context, options: &Options) -> Outcome {
    if options.names_input() {
        let prepared = job::prepare(context, options.job()?)?;
        context.wait_for_network();
        let repository = context.open()?;
        let record = prepared.run(context, &repository)?;
        summary::print(&context.screen, &record);
        return Ok(context.done_everywhere(record.done()));
    }
    sources::run(context, options)
}

impl Options {
    /// Tells whether arguments name what is saved, and not the configuration.
    fn names_input(&self) -> bool {
        !self.files.is_empty() || self.stdin || self.command.is_some() || self.name.is_some()
    }

    /// Makes a job of what was typed.
    fn job(&self) -> Outcome<BackupJob> {
        Ok(BackupJob { input: self.input()?, ..self.settings() })
    }

    /// Makes a job of the options that apply to any input.
    fn settings(&self) -> BackupJob {
        BackupJob {
            source: None,
            input: Input::Files(self.files.clone()),
            excludes: ExcludeLists {
                patterns: self.exclude.clone(),
                files: self.exclude_file.clone(),
                caches: self.exclude_caches,
                if_present: self.exclude_if_present.clone(),
                larger_than: self.exclude_larger_than,
            },
            reading: if self.force { Reading::Everything } else { Reading::Changed },
            unchanged_by: self.unchanged_by.unwrap_or_default(),
            file_systems: if self.one_file_system { FileSystems::One } else { FileSystems::All },
            snapshot: self.snapshot.unwrap_or_default(),
            hooks: Hooks::default(),
            empty_sources: match self.allow_empty_source {
                true => EmptySources::Accept,
                false => EmptySources::KeepLast,
            },
            changed: None,
            smart: self.smart,
            run: if self.dry_run { Run::Dry } else { Run::Real },
            tags: self.tag.clone(),
            time: self.time.clone(),
            host: self.host.clone(),
        }
    }

    /// Returns the places on a server that are named, if any is.
    fn server_folders(&self) -> Outcome<Option<Vec<ServerFolder>>> {
        let paths = self.files.paths.iter().filter_map(|path| path.to_str());
        if !paths.clone().any(is_of_server) {
            return Ok(None);
        }
        let is_alone = paths.clone().count() == self.files.paths.len()
            && self.files.files_from.is_empty()
            && self.files.files_from0.is_empty();
        let folders = match is_alone {
            true => server_folders(paths),
            false => Err("must all be on the server, or none".to_owned()),
        };
        folders.map(Some).map_err(|what| {
            Failure::usage(format!("the paths {what}"), "yore backup sftp://user@host/path")
        })
    }

    fn input(&self) -> Outcome<Input> {
        let name = self.name.as_deref().map(stream_path).transpose()?;
        if let Some(folders) = self.server_folders()? {
            return Ok(Input::Remote(folders));
        }
        match (self.stdin, &self.command, name) {
            (true, _, Some(path)) => Ok(Input::Stdin { path }),
            (false, Some(command), Some(path)) => {
                Ok(Input::Command { path, command: command.clone() })
            }
            (_, _, Some(_)) => Err(Failure::usage(
                "--name goes with --stdin or --command",
                "yore backup --command 'pg_dump mydb' --name mydb.sql",
            )),
            (_, _, None) => Ok(Input::Files(self.files.clone())),
        }
    }
}

/// Returns the path in the snapshot of a stream.
fn stream_path(name: &Path) -> Outcome<Vec<u8>> {
    let bytes = name_bytes(name.as_os_str());
    let names: Vec<&[u8]> =
        TreePath::new(bytes).components().filter(|name| *name != b".").collect();
    if names.is_empty() || names.contains(&b"..".as_slice()) {
        return Err(Failure::usage(
            format!("--name {} is no path of a file", name.display()),
            "give a name, as in --name mydb.sql",
        ));
    }
    Ok(names.into_iter().collect::<TreePathBuf>().into_bytes())
}

/// Takes a name without a slash.
fn file_name(text: &str) -> Result<OsString, String> {
    match text.is_empty() || text.contains('/') {
        true => Err("it is not the name of a file".into()),
        false => Ok(text.into()),
    }
}
