//! `yore backup`: makes a snapshot of files and folders, or of what a program prints.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use yore_engine::{
    BackupOptions, EmptySources, Excludes, FileSystems, Reading, Run, TreePath, TreePathBuf,
    UnchangedBy, count_sources,
};
use yore_platform::{Interruptible, Timestamp, name_bytes, snapshot_path};

use crate::access::writer::writer;
use crate::access::{flushing, shared_client, state};
use crate::args::exclude::{self, FromHere};
use crate::args::{size, unchanged_by, when};
use crate::context::Context;
use crate::failure::{Done, Failure, Outcome};
use crate::job::program_output::ProgramOutput;
use crate::job::sources::{Named, Sources};
use crate::past::clock;
use crate::screen::progress::Progress;

mod summary;

/// The options of `backup`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    named: Named,
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
    /// Read everything, also what looks unchanged
    #[arg(long)]
    force: bool,
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
    let plan = plan(context, options)?;
    let excludes = excludes(options, &plan)?;
    let time = time(context, options)?;
    let repository = context.open()?;
    let settings = settings(options, &plan, excludes, time)?;
    let interrupt = context.interrupt()?;
    let began = Instant::now();
    let progress = Progress::start(&context.screen, "backing up", Some(interrupt));
    let report = match &plan {
        Plan::Paths { sources, .. } => {
            let (paths, options) = (sources.paths.clone(), settings.clone());
            progress.counting_aside(
                // A pattern that is none is told by the backup.
                move |counter| drop(count_sources(&paths, &options, counter)),
                || yore_engine::backup(&repository, &sources.paths, &settings, &progress),
            )?
        }
        Plan::Stdin { path } => {
            let mut input = Interruptible::new(std::io::stdin(), interrupt);
            yore_engine::backup_stream(&repository, path, &mut input, &settings, &progress)?
        }
        Plan::Command { path, command } => {
            let mut output = ProgramOutput::start(command, interrupt)?;
            let made =
                yore_engine::backup_stream(&repository, path, &mut output, &settings, &progress);
            match (made, output.failure()) {
                // What the program did explains more than the read that it broke.
                (Err(_), Some(failure)) => return Err(failure),
                (made, _) => made?,
            }
        }
    };
    drop(progress);
    if let Some(ahead) = &report.ahead {
        clock::warn_of(context, ahead);
    }
    if let Some(new) = report.new_client {
        shared_client::leave(&context.screen, new);
    }
    flushing::warn_of(&context.screen, &repository);
    summary::print(context, &repository, &report, began.elapsed());
    let missing = if let Plan::Paths { sources, .. } = &plan { sources.missing } else { 0 };
    let is_whole = report.totals.unreadable + report.changed_while_read + missing == 0
        && report.emptied.is_empty()
        && (report.left_out.whole_sources.is_empty() || options.allow_empty_source);
    Ok(if is_whole { Done::Whole } else { Done::Partly })
}

/// What is backed up.
enum Plan {
    Paths { sources: Sources, own: Vec<PathBuf> },
    Stdin { path: Vec<u8> },
    Command { path: Vec<u8>, command: OsString },
}

fn plan(context: &Context, options: &Options) -> Outcome<Plan> {
    let name = options.name.as_deref().map(stream_path).transpose()?;
    match (options.stdin, &options.command, name) {
        (true, _, Some(path)) => Ok(Plan::Stdin { path }),
        (false, Some(command), Some(path)) => Ok(Plan::Command { path, command: command.clone() }),
        (_, _, Some(_)) => Err(Failure::usage(
            "--name goes with --stdin or --command",
            "yore backup --command 'pg_dump mydb' --name mydb.sql",
        )),
        (_, _, None) if options.named.is_empty() => Err(Failure::usage(
            "there is nothing to back up",
            "name files and folders, as in `yore backup ~/Documents`, or use --stdin or --command",
        )),
        (_, _, None) => {
            context.destination()?.must_be_there()?;
            let sources = options.named.find(context)?;
            let own = own_folders(context, &sources.paths)?;
            Ok(Plan::Paths { sources, own })
        }
    }
}

/// The path in the snapshot of what has none outside.
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

/// The folders that are the program's own: the repository and the cache. None may be a source.
fn own_folders(context: &Context, sources: &[PathBuf]) -> Outcome<Vec<PathBuf>> {
    let folders = [Some(context.destination()?.folder().to_owned()), context.cache()];
    let folders = folders.into_iter().flatten().filter_map(|f| std::fs::canonicalize(f).ok());
    let folders: Vec<PathBuf> = folders.collect();
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

/// What is left out: what was typed, what files list, and the program's own folders.
fn excludes(options: &Options, plan: &Plan) -> Outcome<Excludes> {
    let Plan::Paths { sources, own } = plan else { return Ok(Excludes::default()) };
    let sources = || sources.paths.iter().map(|source| snapshot_path(source)).collect();
    let from_files = exclude::read_files(&options.exclude_file)?;
    let mut rules = exclude::rules(&options.exclude, &exclude::bases(sources(), FromHere::Yes));
    rules.extend(exclude::rules(&from_files, &exclude::bases(sources(), FromHere::No)));
    // As patterns, too, so that a restore that deletes knows that they were left out.
    rules.extend(own.iter().map(|folder| exclude::exactly(folder)));
    let if_present = options.exclude_if_present.iter().map(|name| name_bytes(name).to_vec());
    Ok(Excludes {
        rules,
        caches: options.exclude_caches,
        if_present: if_present.collect(),
        larger_than: options.exclude_larger_than,
    })
}

/// The time that the snapshot gets, if not that of its making, and the offset from UTC.
fn time(context: &Context, options: &Options) -> Outcome<(Option<Timestamp>, i64)> {
    let present = when::present(&context.now);
    let Some(text) = &options.time else { return Ok((None, present.1)) };
    let (time, offset) = when::instant(text, &context.now)?;
    match time > present.0 {
        false => Ok((Some(time), offset)),
        true => Err(Failure::usage(
            format!("{text:?} is in the future"),
            "give the time at which the files were as they are backed up",
        )),
    }
}

fn settings(
    options: &Options,
    plan: &Plan,
    excludes: Excludes,
    (time, utc_offset): (Option<Timestamp>, i64),
) -> Outcome<BackupOptions> {
    Ok(BackupOptions {
        excludes,
        reading: if options.force { Reading::Everything } else { Reading::Changed },
        unchanged_by: options.unchanged_by.unwrap_or_default(),
        file_systems: if options.one_file_system { FileSystems::One } else { FileSystems::All },
        empty_sources: match options.allow_empty_source {
            true => EmptySources::Accept,
            false => EmptySources::KeepLast,
        },
        own_folders: if let Plan::Paths { own, .. } = plan { own.clone() } else { Vec::new() },
        run: if options.dry_run { Run::Dry } else { Run::Real },
        tags: options.tag.clone(),
        time,
        utc_offset,
        writer: writer(state::client()?, options.host.clone()),
    })
}

/// Takes a name without a slash.
fn file_name(text: &str) -> Result<OsString, String> {
    match text.is_empty() || text.contains('/') {
        true => Err("it is not the name of a file".into()),
        false => Ok(text.into()),
    }
}
