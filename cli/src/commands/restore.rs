//! `yore restore`: copies files out of a snapshot, with everything that they had.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use serde_json::json;
use yore_engine::{Extra, Found, Overwrite, RestoreOptions, RestoreReport, Run, Verify, restore};
use yore_platform::system_path;

use crate::context::Context;
use crate::failure::{Done, Failure, Outcome};
use crate::place::Past;
use crate::progress::Progress;
use crate::{exclude, format, place};

/// The options of `restore`.
#[derive(Debug, Args)]
pub struct Options {
    /// MOMENT or MOMENT:PATH, as in yesterday:/home/me/Documents
    #[arg(value_name = "MOMENT[:PATH]")]
    place: OsString,
    /// The folder into which it is copied; made if it is not there
    #[arg(long, value_name = "DIR", required_unless_present = "in_place")]
    target: Option<PathBuf>,
    /// Copy it to where it came from
    #[arg(long, conflicts_with = "target")]
    in_place: bool,
    /// Which files that are there already are replaced
    #[arg(long, value_enum, value_name = "WHICH", default_value_t = Which::Different)]
    overwrite: Which,
    /// Remove what is there and not in the snapshot
    #[arg(long)]
    delete: bool,
    /// Copy only what fits, as in .gitignore (may be repeated)
    #[arg(long, value_name = "GLOB", value_parser = exclude::parse)]
    include: Vec<String>,
    /// Leave out what fits, as in .gitignore (may be repeated)
    #[arg(long, value_name = "GLOB", value_parser = exclude::parse)]
    exclude: Vec<String>,
    /// Read every file again after it is written, and compare
    #[arg(long)]
    verify: bool,
    /// Tell what would be done, do nothing
    #[arg(long)]
    dry_run: bool,
}

/// Which files that are there already are replaced.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Which {
    /// None
    Never,
    /// Those whose size or time differs
    Different,
    /// Those that are older
    Newer,
    /// All
    Always,
}

/// Runs the command.
pub fn run(context: &Context, options: &Options) -> Outcome {
    let place = place::parse(&options.place, &context.now)?;
    let target = target(context, options, &place.path)?;
    let repository = context.open()?;
    let interrupt = context.interrupt()?;
    let past = place::open(context, &repository, &place.moment)?;
    let what = place::found(&past, &place.path)?;
    let settings = settings(options, &past, own_folders(context, &target, &place.path)?);
    let began = Instant::now();
    let progress = Progress::start(context, "restoring", Some(interrupt));
    let report = restore(&past.reader, &what, &place.path, &target, &settings, &progress)?;
    drop(progress);
    let landed = match &what {
        Found::Root(_) => target,
        Found::Node(seen) => target.join(system_name(&seen.node.name)),
    };
    summary(context, options, &landed, &report, began.elapsed());
    Ok(if report.failed + report.refused > 0 { Done::Partly } else { Done::Whole })
}

fn system_name(name: &[u8]) -> OsString {
    yore_platform::name_from_bytes(name)
}

/// The folder in which the first name of what is restored comes to lie.
fn target(context: &Context, options: &Options, path: &[u8]) -> Outcome<PathBuf> {
    let target = match &options.target {
        Some(target) => std::path::absolute(target).map_err(|e| Failure::local(target, e))?,
        None => {
            let above = path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
            system_path(&path[..above])
        }
    };
    let whole = std::fs::canonicalize(&target).unwrap_or_else(|_| target.clone());
    let repository = context.destination()?.folder().to_owned();
    let repository = std::fs::canonicalize(&repository).unwrap_or(repository);
    match whole.starts_with(&repository) {
        false => Ok(target),
        true => Err(Failure::usage(
            format!("{} lies inside the repository", target.display()),
            "choose another folder",
        )),
    }
}

/// Patterns of the repository and the cache, where they lie in the target: nothing removes those.
fn own_folders(context: &Context, target: &Path, path: &[u8]) -> Outcome<Vec<String>> {
    let above = path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
    let target = std::fs::canonicalize(target).unwrap_or_else(|_| target.to_owned());
    let repository = context.destination()?.folder().to_owned();
    let folders = [Some(repository), context.cache()].into_iter().flatten();
    let within = folders.filter_map(|folder| {
        let folder = std::fs::canonicalize(folder).ok()?;
        let below = folder.strip_prefix(&target).ok()?.to_owned();
        exclude::exactly(&system_path(&path[..above]).join(below))
    });
    Ok(within.collect())
}

fn settings(options: &Options, past: &Past, own: Vec<String>) -> RestoreOptions {
    let extra = match options.delete {
        false => Extra::Keep,
        true => Extra::Delete {
            sources: past.sources.clone(),
            left_out: past.left_out.iter().cloned().chain(own).collect(),
            root_flags: past.root_flags,
        },
    };
    RestoreOptions {
        overwrite: match options.overwrite {
            Which::Never => Overwrite::Never,
            Which::Different => Overwrite::Different,
            Which::Newer => Overwrite::Newer,
            Which::Always => Overwrite::Always,
        },
        extra,
        include: options.include.clone(),
        exclude: options.exclude.clone(),
        run: if options.dry_run { Run::Dry } else { Run::Real },
        verify: if options.verify { Verify::Reread } else { Verify::Trust },
    }
}

fn summary(
    context: &Context,
    options: &Options,
    landed: &Path,
    report: &RestoreReport,
    took: Duration,
) {
    let screen = &context.screen;
    screen.object(&json!({
        "type": "restore",
        "dry_run": options.dry_run,
        "at": landed.display().to_string(),
        "files": report.files,
        "directories": report.directories,
        "others": report.others,
        "links": report.links,
        "bytes": report.bytes,
        "unchanged": report.unchanged,
        "skipped": report.skipped,
        "deleted": report.deleted,
        "failed": report.failed,
        "refused": report.refused,
        "seconds": took.as_secs_f64(),
    }));
    let at = landed.display();
    let (files, bytes) = (format::counted(report.files, "file"), format::bytes(report.bytes));
    screen.line(match options.dry_run {
        true => format!("A trial: {files} ({bytes}) would be written to {at}."),
        false => format!("Restored {files} ({bytes}) to {at} in {}.", format::duration(took)),
    });
    let deleted = match options.dry_run {
        true => "would be removed, because the snapshot does not have them",
        false => "removed, because the snapshot does not have them",
    };
    for (number, what) in [
        (report.unchanged, "there already as they should be"),
        (report.skipped, "there and left as they are (--overwrite)"),
        (report.deleted, deleted),
        (report.failed, "could not be restored: see the list above"),
        (report.refused, "times the system refused an owner, a time or an attribute: see above"),
    ] {
        if number > 0 {
            screen.line(format!("  {} {what}", format::count(number)));
        }
    }
}
