//! `yore restore`: copies files out of a snapshot, with everything that they had.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use yore_engine::{
    Extra, Lookup, Overwrite, Owners, Repository, RestoreOptions, RestoreReport, Run, TreePath,
    Verify, path_versions, restore,
};
use yore_platform::system_path;

use crate::args::exclude::{self, FromHere};
use crate::args::machine::MachineArgs;
use crate::commands::restore::in_place::Request;
use crate::context::Context;
use crate::failure::{Done, Exit, Failure, Outcome};
use crate::json;
use crate::moment::moment_path::MomentPath;
use crate::moment::state::MomentState;
use crate::moment::{clock, moment_path, state as moment_state};
use crate::screen::progress::Progress;
use crate::text::{escape, format};

mod in_place;

/// The options of `restore`.
#[derive(Debug, Args)]
pub struct Options {
    /// MOMENT or MOMENT:PATH, as in yesterday:/home/me/Documents; or a FILE, which is taken from the newest
    /// snapshot that has it, and goes back to where it was unless --target is given
    #[arg(value_name = "MOMENT[:PATH]|FILE")]
    moment_path: OsString,
    /// The moment from which FILE is taken
    #[arg(long, value_name = "MOMENT")]
    at: Option<String>,
    /// The folder into which it is copied, made if it is not there; for a single file also the file that it
    /// becomes, unless a folder is there or / ends the name
    #[arg(long, value_name = "DIR|FILE")]
    target: Option<PathBuf>,
    /// Copy it to where it came from
    #[arg(long, conflicts_with = "target")]
    in_place: bool,
    /// Which files that are there already are replaced
    /// (different, unless --in-place: then you are asked, or have to say it)
    #[arg(long, value_enum, value_name = "WHICH")]
    overwrite: Option<Which>,
    /// Replace nothing: put the old version beside what is there, as "report (2026-01-15 10.30).odt"
    #[arg(long, conflicts_with_all = ["overwrite", "delete"])]
    keep_both: bool,
    /// Remove what is there and not in the snapshot
    #[arg(long)]
    delete: bool,
    /// Copy only what fits, as in .gitignore (may be repeated)
    #[arg(long, value_name = "GLOB", value_parser = exclude::parse)]
    include: Vec<String>,
    /// Leave out what fits, as in .gitignore (may be repeated)
    #[arg(long, value_name = "GLOB", value_parser = exclude::parse)]
    exclude: Vec<String>,
    /// Give files to the owners of the same numbers, not of the same names
    #[arg(long)]
    numeric_ids: bool,
    /// Read every file again after it is written, and compare
    #[arg(long)]
    verify: bool,
    /// Tell what would be done, do nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    machine: MachineArgs,
}

/// Which files that are there already are replaced.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Which {
    /// None
    Never,
    /// Those machine size or time differs
    Different,
    /// Those that are older
    Newer,
    /// All
    Always,
}

/// Runs the command.
pub fn run(context: &Context, options: &Options) -> Outcome {
    let typed = typed(context, options)?;
    let repository = context.open()?;
    let interrupt = context.interrupt()?;
    let moment_path = match typed {
        Typed::MomentPath(moment_path) => moment_path,
        Typed::File(file) => newest_of(context, options, &repository, &file)?,
    };
    let state = moment_state::open(context, &repository, &moment_path, &options.machine)?;
    let (path, mut what) = moment_state::locate(&state, &moment_path)?;
    let mut target = target(context, options, &path)?;
    if let Some(name) = target_name(options, &target, &what)
        && let Lookup::Node(seen) = &mut what
    {
        seen.node.name = name;
        target.pop();
    }
    let settings = settings(options, &state, &path, protected_patterns(context, &target, &path)?);
    let began = Instant::now();
    let report = match options.target.is_some() {
        true => {
            let progress = Progress::start(&context.screen, "restoring", Some(interrupt));
            progress.counting(
                |counter| in_place::count(&state.reader, &what, counter),
                || restore(&state.reader, &what, &path, &target, &settings, &progress),
            )?
        }
        false => {
            must_be_of_this_machine(options, &state)?;
            let request = Request { state: &state, what: &what, path: &path, settings: &settings };
            let is_said = options.overwrite.is_some() || options.keep_both;
            in_place::run(context, &request, is_said, interrupt)?
        }
    };
    let landed = match &what {
        Lookup::Root(_) => target,
        Lookup::Node(seen) => target.join(system_name(&seen.node.name)),
    };
    summary(context, options, &landed, &report, began.elapsed());
    Ok(if report.failed + report.refused > 0 { Done::Partly } else { Done::Whole })
}

/// The thing to restore, as it was typed.
enum Typed {
    MomentPath(MomentPath),
    /// A path without a moment.
    File(PathBuf),
}

fn typed(context: &Context, options: &Options) -> Outcome<Typed> {
    let file = PathBuf::from(&options.moment_path);
    if let Some(at) = &options.at {
        return MomentPath::at(at, &file, &context.now).map(Typed::MomentPath);
    }
    match moment_path::parse(&options.moment_path, &context.now) {
        Ok(moment_path) if options.target.is_some() || options.in_place => {
            Ok(Typed::MomentPath(moment_path))
        }
        Ok(_) => Err(Failure::usage(
            "restore does not know where to",
            "name a folder with --target DIR, or say --in-place: to where it came from",
        )),
        Err(_) => Ok(Typed::File(file)),
    }
}

/// Finds the newest version of a path, also of one that is gone.
fn newest_of(
    context: &Context,
    options: &Options,
    repository: &Repository,
    file: &Path,
) -> Outcome<MomentPath> {
    let timeline = options.machine.select(repository.snapshots()?.list)?;
    let (reader, _) = repository.reader(moment_state::BUDGET)?;
    for path in moment_path::alternatives(yore_platform::name_bytes(file.as_os_str())) {
        let versions = path_versions(&reader, &timeline, TreePath::new(&path))?;
        if let Some(version) = versions.iter().rev().find(|version| version.what.is_some()) {
            let newest = &timeline[version.last];
            let time = clock::time(newest, context.now.time_zone());
            context
                .screen
                .detail(format!("{} is taken from the snapshot of {time}", escape::path(&path)));
            return Ok(MomentPath::in_snapshot(newest.id, path));
        }
    }
    Err(Failure::new(
        Exit::Failed,
        format!(
            "{} is neither a moment nor a file that a snapshot has",
            escape::text(&file.to_string_lossy())
        ),
        format!("`yore find NAME` looks for a file; {}", crate::args::time::FORMS),
    ))
}

/// Refuses to put another machine's files in the place of this one's, unless it was named.
fn must_be_of_this_machine(options: &Options, state: &MomentState) -> Outcome<()> {
    let here = yore_platform::hostname();
    let other = state.hosts.iter().find(|host| **host != here);
    match other.filter(|host| options.machine.host.as_ref() != Some(host)) {
        None => Ok(()),
        Some(host) => Err(Failure::usage(
            format!(
                "that is of the machine {}, and this is {}",
                escape::text(host),
                escape::text(&here)
            ),
            format!(
                "to put its files in the place of this machine's: --host {}; or name a --target",
                escape::text(host)
            ),
        )),
    }
}

/// The name that `--target` gives to a single file; `None` where it is the folder for it.
fn target_name(options: &Options, target: &Path, what: &Lookup) -> Option<Vec<u8>> {
    let typed = yore_platform::name_bytes(options.target.as_ref()?.as_os_str());
    let is_one = matches!(what, Lookup::Node(seen) if seen.dir.is_none());
    let ends_in_a_name = !matches!(typed, [.., b'/'] | [.., b'/', b'.'] | b"." | []);
    let named = target.file_name().filter(|_| is_one && ends_in_a_name && !target.is_dir())?;
    Some(yore_platform::name_bytes(named).to_vec())
}

fn system_name(name: &[u8]) -> OsString {
    yore_platform::name_from_bytes(name)
}

/// The folder in which the first name of what is restored comes to lie.
fn target(context: &Context, options: &Options, path: &[u8]) -> Outcome<PathBuf> {
    let target = match &options.target {
        Some(target) => std::path::absolute(target).map_err(|e| Failure::local(target, e))?,
        None => system_path(TreePath::new(path).parent().as_bytes()),
    };
    let whole = std::fs::canonicalize(&target).unwrap_or_else(|_| target.clone());
    let destination = context.destination()?;
    let is_inside = destination.local_folder().is_some_and(|folder| {
        let real = std::fs::canonicalize(folder);
        whole.starts_with(real.as_deref().unwrap_or(folder))
    });
    match is_inside {
        false => Ok(target),
        true => Err(Failure::usage(
            format!("{} lies inside the repository", target.display()),
            "choose another folder",
        )),
    }
}

/// Patterns of the repository and the cache, where they lie in the target: nothing removes those.
fn protected_patterns(context: &Context, target: &Path, path: &[u8]) -> Outcome<Vec<String>> {
    let above = system_path(TreePath::new(path).parent().as_bytes());
    let target = std::fs::canonicalize(target).unwrap_or_else(|_| target.to_owned());
    let within = context.own_folders()?.into_iter().filter_map(|folder| {
        let below = folder.strip_prefix(&target).ok()?.to_owned();
        Some(exclude::exactly(&above.join(below)).patterns)
    });
    Ok(within.flatten().collect())
}

fn run_of(options: &Options) -> Run {
    if options.dry_run { Run::Dry } else { Run::Real }
}

fn settings(
    options: &Options,
    state: &MomentState,
    path: &[u8],
    own: Vec<String>,
) -> RestoreOptions {
    let sources = state.parts.iter().map(|part| part.path.as_slice()).chain([path]);
    let bases = exclude::bases(sources.map(<[u8]>::to_vec).collect(), FromHere::Yes);
    RestoreOptions {
        overwrite: match options.overwrite.unwrap_or(Which::Different) {
            _ if options.keep_both => Overwrite::Beside,
            Which::Never => Overwrite::Never,
            Which::Different => Overwrite::Different,
            Which::Newer => Overwrite::Newer,
            Which::Always => Overwrite::Always,
        },
        extra: if options.delete { Extra::Delete } else { Extra::Keep },
        parts: state.parts.clone(),
        protected: own,
        include: exclude::rules(&options.include, &bases),
        exclude: exclude::rules(&options.exclude, &bases),
        owners: if options.numeric_ids { Owners::ByNumber } else { Owners::ByName },
        run: run_of(options),
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
    screen.object(&json::Restore::new(run_of(options), landed, report, took));
    let at = landed.display();
    let (files, bytes) = (format::counted(report.files, "file"), format::bytes(report.bytes));
    screen.info(match options.dry_run {
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
        (report.beside, "put beside what is there, under names with the time of the snapshot"),
        (report.deleted, deleted),
        (report.leftovers, "temporary files of a restore that was interrupted, removed now"),
    ] {
        if number > 0 {
            screen.info(format!("  {} {what}", format::count(number)));
        }
    }
    for (number, what) in [
        (report.failed, "could not be restored: see the list above"),
        (report.refused, "times the system refused an owner, a time or an attribute: see above"),
    ] {
        if number > 0 {
            screen.line(format!("  {} {what}", format::count(number)));
        }
    }
}
