//! `yore restore`: copies files out of a snapshot, with everything that they had.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{Args, ValueEnum};
use yore_engine::history::path_versions;
use yore_engine::read::Lookup;
use yore_engine::repository::Repository;
use yore_engine::restore::{Extra, Overwrite, Owners, RestoreOptions, Verify, restore};
use yore_engine::{Run, TreePath};
use yore_platform::{hostname, name_bytes, name_from_bytes};

use crate::args::exclude::{self, FromHere};
use crate::args::machine::MachineArgs;
use crate::context::Context;
use crate::failure::{Done, Exit, Failure, Outcome};
use crate::moment::moment_path::MomentPath;
use crate::moment::state::MomentState;
use crate::moment::{clock, moment_path, state as moment_state};
use crate::screen::progress::Progress;
use crate::text::escape;

mod in_place;
mod summary;
mod target;

use in_place::{Consent, Request};

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
    /// The files that are replaced, of those that are there already
    /// (different, unless --in-place: then you are asked, or have to say it)
    #[arg(long, value_enum, value_name = "WHICH")]
    overwrite: Option<OverwriteRule>,
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
    /// Of files that are damaged in the repository, write the intact parts, as "report (salvaged).odt"
    #[arg(long)]
    salvage: bool,
    /// Tell what would be done, do nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    machine: MachineArgs,
}

/// The files that are replaced, of those that are there already.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum OverwriteRule {
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
    let typed = typed(context, options)?;
    let repository = context.open()?;
    let interrupt = context.interrupt()?;
    let moment_path = match typed {
        Typed::MomentPath(moment_path) => moment_path,
        Typed::File(file) => newest_of(context, options, &repository, &file)?,
    };
    let state = moment_state::open(context, &repository, &moment_path, &options.machine)?;
    let (path, mut what) = moment_state::locate(&state, &moment_path)?;
    let mut target = target::folder(context, options, &path)?;
    if let Some(name) = target::name(options, &target, &what)
        && let Lookup::Node(seen) = &mut what
    {
        seen.node.name = name;
        target.pop();
    }
    let settings =
        settings(options, &state, &path, target::protected_patterns(context, &target, &path)?);
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
            let consent = match options.overwrite.is_some() || options.keep_both {
                true => Consent::Given,
                false => Consent::Asked,
            };
            let (state, what) = (&state, &what);
            let request = Request { state, what, path: &path, settings: &settings, consent };
            in_place::run(context, &request, interrupt)?
        }
    };
    let landed = match &what {
        Lookup::Root(_) => target,
        Lookup::Node(seen) => target.join(name_from_bytes(&seen.node.name)),
    };
    summary::print(&context.screen, settings.run, &landed, &report, began.elapsed());
    context.heal(&repository)?;
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

/// Finds the newest version of a path, also of one that is deleted.
fn newest_of(
    context: &Context,
    options: &Options,
    repository: &Repository,
    file: &Path,
) -> Outcome<MomentPath> {
    let timeline = options.machine.select(repository.snapshots()?.list)?;
    let (reader, _) = repository.reader(moment_state::BUDGET)?;
    for path in moment_path::alternatives(name_bytes(file.as_os_str())) {
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
    let here = hostname();
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

fn settings(
    options: &Options,
    state: &MomentState,
    path: &[u8],
    own: Vec<String>,
) -> RestoreOptions {
    let sources = state.parts.iter().map(|part| part.path.as_slice()).chain([path]);
    let bases = exclude::bases(sources.map(<[u8]>::to_vec).collect(), FromHere::Yes);
    RestoreOptions {
        overwrite: match options.overwrite.unwrap_or(OverwriteRule::Different) {
            _ if options.keep_both => Overwrite::Beside,
            OverwriteRule::Never => Overwrite::Never,
            OverwriteRule::Different => Overwrite::Different,
            OverwriteRule::Newer => Overwrite::Newer,
            OverwriteRule::Always => Overwrite::Always,
        },
        extra: if options.delete { Extra::Delete } else { Extra::Keep },
        parts: state.parts.clone(),
        protected: own,
        include: exclude::rules(&options.include, &bases),
        exclude: exclude::rules(&options.exclude, &bases),
        owners: if options.numeric_ids { Owners::ByNumber } else { Owners::ByName },
        run: if options.dry_run { Run::Dry } else { Run::Real },
        verify: if options.verify { Verify::Reread } else { Verify::Trust },
        salvage: options.salvage,
    }
}
