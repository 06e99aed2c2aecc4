//! `yore backup`: makes a snapshot of files and folders, or of what a program prints.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::json;
use yore_engine::{
    BackupOptions, BackupReport, ClientId, Excludes, FileSystems, Reading, Repository, Run, Writer,
    count_sources,
};
use yore_platform::{
    Interruptible, Timestamp, drives, hostname, name_bytes, process_identity, user_name,
};

use super::snapshots;
use crate::context::Context;
use crate::failure::{Done, Failure, Outcome};
use crate::program_output::ProgramOutput;
use crate::progress::Progress;
use crate::{clock, exclude, format, state, when};

/// The options of `backup`.
#[derive(Debug, Args)]
pub struct Options {
    /// Files and folders
    #[arg(value_name = "PATH", conflicts_with_all = ["stdin", "command"])]
    paths: Vec<PathBuf>,
    /// Leave out what fits, as in .gitignore (may be repeated)
    #[arg(long, value_name = "GLOB", value_parser = exclude::parse)]
    exclude: Vec<String>,
    /// Leave out what fits the lines of a file, as in .gitignore (may be repeated)
    #[arg(long, value_name = "FILE")]
    exclude_file: Vec<PathBuf>,
    /// Leave out the content of folders that say that they are caches (CACHEDIR.TAG)
    #[arg(long)]
    exclude_caches: bool,
    /// Stay on the file system of each path
    #[arg(long)]
    one_file_system: bool,
    /// Attach a word by which the snapshot can be found (may be repeated)
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// The time that the snapshot gets, instead of now
    #[arg(long, value_name = "TIME")]
    time: Option<String>,
    /// The machine's name that the snapshot gets
    #[arg(long, value_name = "HOST")]
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
    /// Back up what a command prints; nothing is kept if it fails
    #[arg(long, value_name = "CMD", requires = "name")]
    command: Option<OsString>,
    /// The path that --stdin or --command gets in the snapshot
    #[arg(long, value_name = "FILE")]
    name: Option<PathBuf>,
}

/// Runs the command.
pub fn run(context: &Context, options: &Options) -> Outcome {
    let plan = plan(context, options)?;
    let patterns = patterns(options, &plan)?;
    let time = time(context, options)?;
    let repository = context.open()?;
    let settings = settings(options, patterns, time)?;
    let interrupt = context.interrupt()?;
    let began = Instant::now();
    let progress = Progress::start(context, "backing up", Some(interrupt));
    let report = match &plan {
        Plan::Paths { sources, .. } => {
            let BackupOptions { excludes, file_systems, .. } = &settings;
            progress.counting(
                // A pattern that is none is told by the backup.
                |counter| drop(count_sources(sources, excludes, *file_systems, counter)),
                || yore_engine::backup(&repository, sources, &settings, &progress),
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
    summary(context, &repository, &report, began.elapsed());
    Ok(if report.totals.unreadable > 0 { Done::Partly } else { Done::Whole })
}

/// What is backed up.
enum Plan {
    Paths { sources: Vec<PathBuf>, own: Vec<String> },
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
        (_, _, None) if options.paths.is_empty() => Err(Failure::usage(
            "there is nothing to back up",
            "name files and folders, as in `yore backup ~/Documents`, or use --stdin or --command",
        )),
        (_, _, None) => {
            context.destination()?.must_be_there()?;
            let sources = canonical(&options.paths)?;
            let own = own_folders(context, &sources)?;
            Ok(Plan::Paths { sources, own })
        }
    }
}

/// The path in the snapshot of what has none outside.
fn stream_path(name: &Path) -> Outcome<Vec<u8>> {
    let bytes = name_bytes(name.as_os_str());
    let names: Vec<&[u8]> = bytes
        .split(|byte| *byte == b'/')
        .filter(|name| !name.is_empty() && *name != b".")
        .collect();
    if names.is_empty() || names.contains(&b"..".as_slice()) {
        return Err(Failure::usage(
            format!("--name {} is no path of a file", name.display()),
            "give a name, as in --name mydb.sql",
        ));
    }
    Ok(names.join(&b'/'))
}

/// Makes the paths absolute, without links, each once; all must be there.
fn canonical(paths: &[PathBuf]) -> Outcome<Vec<PathBuf>> {
    let mut sources: Vec<PathBuf> = Vec::new();
    for path in paths {
        let source = std::fs::canonicalize(path).map_err(|error| {
            let mut failure = Failure::local(path, error);
            failure.hint = Some(format!(
                "nothing was backed up; {}",
                failure.hint.as_deref().unwrap_or("check the path")
            ));
            failure
        })?;
        if !sources.contains(&source) {
            sources.push(source);
        }
    }
    Ok(sources)
}

/// Patterns that keep the repository, the cache and mounted drives out of the backup, where a source holds them.
fn own_folders(context: &Context, sources: &[PathBuf]) -> Outcome<Vec<String>> {
    let repository = context.destination()?.folder().to_owned();
    let mut patterns = Vec::new();
    for folder in [Some(repository), context.cache()].into_iter().flatten() {
        let Ok(folder) = std::fs::canonicalize(folder) else { continue };
        if let Some(source) = sources.iter().find(|source| source.starts_with(&folder)) {
            return Err(Failure::usage(
                format!("{} belongs to the repository or to Yore's cache", source.display()),
                "back up what you want to keep; to copy the repository, copy its folder",
            ));
        }
        if sources.iter().any(|source| folder.starts_with(source)) {
            context.screen.detail(format!("left out: {} (Yore's own)", folder.display()));
            patterns.extend(exclude::exactly(&folder));
        }
    }
    // Without the table of mounts nothing is known of drives; the walk meets them as any folder.
    for drive in drives().unwrap_or_default() {
        let is_below = |source: &PathBuf| drive.starts_with(source) && drive != *source;
        if sources.iter().any(is_below) {
            context
                .screen
                .detail(format!("left out: {} (a mounted drive of Yore)", drive.display()));
            patterns.extend(exclude::exactly(&drive));
        }
    }
    Ok(patterns)
}

fn patterns(options: &Options, plan: &Plan) -> Outcome<Vec<String>> {
    let mut patterns = options.exclude.clone();
    patterns.extend(exclude::read_files(&options.exclude_file)?);
    if let Plan::Paths { own, .. } = plan {
        patterns.extend(own.iter().cloned());
    }
    Ok(patterns)
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
    patterns: Vec<String>,
    (time, utc_offset): (Option<Timestamp>, i64),
) -> Outcome<BackupOptions> {
    Ok(BackupOptions {
        excludes: Excludes { patterns, caches: options.exclude_caches },
        reading: if options.force { Reading::Everything } else { Reading::Changed },
        file_systems: if options.one_file_system { FileSystems::One } else { FileSystems::All },
        run: if options.dry_run { Run::Dry } else { Run::Real },
        tags: options.tag.clone(),
        time,
        utc_offset,
        writer: writer(state::client()?, options.host.clone()),
    })
}

/// Who writes a snapshot.
pub fn writer(client: ClientId, host: Option<String>) -> Writer {
    Writer {
        host: host.unwrap_or_else(hostname),
        user: user_name(),
        client,
        process: process_identity(),
        program: concat!("yore ", env!("CARGO_PKG_VERSION")).into(),
    }
}

fn summary(context: &Context, repository: &Repository, report: &BackupReport, took: Duration) {
    let (screen, totals) = (&context.screen, &report.totals);
    let unchanged = totals.files.saturating_sub(totals.new_files + totals.changed_files);
    screen.object(&json!({
        "type": "backup",
        "repository": repository.id().to_string(),
        "snapshot": report.snapshot.map(|id| id.to_string()),
        "totals": snapshots::totals(totals),
        "unchanged_files": unchanged,
        "seconds": took.as_secs_f64(),
    }));
    match report.snapshot {
        Some(id) => screen.say(format!("Saved snapshot {id:.8} in {}.", format::duration(took))),
        None => screen.say("A trial: nothing was saved."),
    }
    screen.say(format!(
        "  {}: {} new, {} changed, {} unchanged; {}",
        format::counted(totals.files, "file"),
        format::count(totals.new_files),
        format::count(totals.changed_files),
        format::count(unchanged),
        format::bytes(totals.bytes),
    ));
    screen.say(match report.snapshot {
        Some(_) => format!(
            "  {} were new to the repository, and take {} there",
            format::bytes(totals.new_bytes),
            format::bytes(totals.stored_bytes),
        ),
        None => format!("  {} would be new to the repository", format::bytes(totals.new_bytes)),
    });
    if totals.unreadable > 0 {
        let what = match totals.unreadable {
            1 => "1 file or folder".into(),
            more => format!("{} files and folders", format::count(more)),
        };
        screen.line(format!(
            "  {what} could not be read, listed above; what earlier snapshots have of them is kept. \
             All else is saved."
        ));
    }
}
