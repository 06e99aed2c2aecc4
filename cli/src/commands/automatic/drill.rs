//! `yore drill`: proof that a restore works, before it is needed.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use yore_engine::Run;
use yore_engine::globs::Rule;
use yore_engine::read::{DirRef, Lookup, Reader};
use yore_engine::repository::Repository;
use yore_engine::restore::{
    Extra, Overwrite, Owners, RestoreOptions, RestoreReport, Verify, restore,
};
use yore_engine::snapshots::SnapshotEntry;
use yore_engine::snapshots::retention::{Group, GroupBy, group};
use yore_platform::{Kind, hostname, system_path};

use crate::args::exclude;
use crate::config::SourceSettings;
use crate::context::Context;
use crate::failure::engine_error::reason;
use crate::failure::{Exit, Failure, Outcome};
use crate::job::retention::is_of_source;
use crate::json;
use crate::moment::content::copy_out;
use crate::moment::state;
use crate::runs::{Drilled, record_drill};
use crate::screen::progress::Progress;
use crate::screen::standard_error;
use crate::text::{escape, format};

mod load;
mod page;
mod sample;

use sample::{Sample, Sampled};

/// The options of `drill`.
#[derive(Debug, Args)]
pub struct Options {
    /// Restore everything, not a sample
    #[arg(long)]
    all: bool,
    /// The number of files that are restored of each source, drawn at random
    #[arg(long, value_name = "N", default_value_t = 100, conflicts_with = "all")]
    sample: usize,
    /// Restore only the sources whose paths begin so (may be repeated)
    #[arg(long, value_name = "PATH")]
    path: Vec<PathBuf>,
    /// The machine whose backups are tried, if it is not this one
    #[arg(long, value_name = "HOST", value_parser = NonEmptyStringValueParser::new())]
    host: Option<String>,
    /// Restore into a new folder in this one (default: that of temporary files); it is removed afterwards
    #[arg(long, value_name = "DIR")]
    target: Option<PathBuf>,
    /// A command that checks what was restored, in the folder that holds it; if it fails, so does the drill
    #[arg(long, value_name = "CMD")]
    command: Option<String>,
    /// Write a page about it, for whoever wants proof
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

/// What came of the drill of one source.
pub struct Drill {
    /// The machine.
    pub host: String,
    /// The paths of the source.
    pub sources: Vec<String>,
    /// The snapshot.
    pub snapshot: String,
    /// The age of what can be restored: what would be lost (RPO).
    pub age: Duration,
    /// Files that were restored.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The time that it took.
    pub took: Duration,
    /// The time that all of it would take at that speed (RTO).
    pub estimate: Duration,
    /// The time that the command of the source took to load its dumps.
    pub loaded: Option<Duration>,
    /// Files that are unchanged on this machine, and were compared with what was restored.
    pub compared: u64,
    /// What is not as it should be.
    pub problems: Vec<String>,
}

/// The most problems that are named of one source.
const MOST_NAMED: usize = 20;
/// The bytes that a sample has at most, unless one file has more.
const MOST_BYTES: u64 = 1 << 30;
/// The least time by which a speed is judged.
const LEAST: Duration = Duration::from_millis(20);

/// Runs the command.
pub fn run(context: &Context, options: &Options) -> Outcome {
    let interrupt = context.interrupt()?;
    let repository = context.open()?;
    let known = state::snapshots(context, &repository)?;
    let host = options.host.clone().unwrap_or_else(hostname);
    let newest = newest(&known.list, &host, options, &context.settings()?.sources);
    if newest.is_empty() {
        return Err(Failure::new(
            Exit::Failed,
            format!("there is no snapshot of {} that could be restored", escape::text(&host)),
            "`yore snapshots` lists what there is; --host names another machine",
        ));
    }
    let began = Instant::now();
    let mut drills = Vec::new();
    for (entry, source) in newest {
        let progress = Progress::start(&context.screen, "restoring", Some(interrupt));
        let drill = one(context, options, &repository, (entry, source), &progress);
        drop(progress);
        let drill = drill?;
        print(context, &drill);
        drills.push(drill);
    }
    let is_right = drills.iter().all(|drill| drill.problems.is_empty());
    record(context, &drills, is_right, began.elapsed());
    if let Some(file) = &options.report {
        std::fs::write(file, page::page(context, &drills))
            .map_err(|error| Failure::local(file, error))?;
        context.screen.info(format!("The page is in {}.", file.display()));
    }
    context.heal(&repository)?;
    match is_right {
        true => {
            context.screen.info("The drill succeeded: what was saved can be restored.");
            // A newer state may be among what was reported.
            Ok(known.done)
        }
        false => Err(Failure::new(
            Exit::Failed,
            "the drill failed: something could not be restored as it was saved",
            "it is listed above; where a command of yours failed, try it by hand (yore cat); `yore check --read-data` \
             tells whether the repository is damaged, `yore repair` heals it",
        )),
    }
}

/// Returns the newest snapshot of each list of sources of a machine, with the source whose command tries it.
fn newest<'s>(
    list: &'s [SnapshotEntry],
    host: &str,
    options: &Options,
    sources: &'s [SourceSettings],
) -> Vec<(&'s SnapshotEntry, Option<&'s SourceSettings>)> {
    let is_wanted = |entry: &SnapshotEntry| {
        options.path.is_empty()
            || entry.snapshot.sources.iter().any(|source| {
                let source = system_path(source);
                options.path.iter().any(|path| source.starts_with(path))
            })
    };
    let groups = group(list, GroupBy::default());
    let of_host = groups.into_iter().filter(|group| group.host == host);
    let with_source = |group: Group<'s>| {
        let mut those = sources.iter().filter(|source| source.drill.is_some());
        let source = those.find(|source| is_of_source(&group, source));
        // A part of a backup that was cut short has old files; the drill is of the whole one before it.
        let whole = group.snapshots.iter().rev().find(|entry| !entry.snapshot.partial);
        Some((*whole.or(group.snapshots.last())?, source))
    };
    of_host.filter_map(with_source).filter(|(entry, _)| is_wanted(entry)).collect()
}

/// Restores a sample of one snapshot, and compares it.
fn one(
    context: &Context,
    options: &Options,
    repository: &Repository,
    (entry, source): (&SnapshotEntry, Option<&SourceSettings>),
    progress: &Progress,
) -> Outcome<Drill> {
    let (reader, _) = repository.reader(state::BUDGET)?;
    let root = DirRef::Tree(entry.snapshot.root);
    let most = if options.all { usize::MAX } else { options.sample.max(1) };
    let Sample { chosen, bytes_of_all, mut problems } =
        sample::draw(&reader, &root, most, MOST_BYTES);
    let folder = tempfile::Builder::new()
        .prefix("yore-drill-")
        .tempdir_in(options.target.clone().unwrap_or_else(std::env::temp_dir))
        .map_err(|error| Failure::local(Path::new("the folder for what is restored"), error))?;
    let include = match options.all {
        true => Vec::new(),
        false => chosen.iter().map(|one| exclude::exactly(&system_path(&one.path))).collect(),
    };
    let began = Instant::now();
    let what = Lookup::Root(root);
    let report = restore(&reader, &what, b"", folder.path(), &settings(include), progress)?;
    let took = began.elapsed();
    let mut compared = 0;
    for one in &chosen {
        if progress_is_interrupted(context) {
            return Err(Failure::new(Exit::Interrupted, "interrupted", "nothing was changed"));
        }
        compare(&reader, folder.path(), one, &mut compared, &mut problems);
    }
    if report.failed > 0 {
        problems.push(format!("{} could not be restored", format::counted(report.failed, "file")));
    }
    if let Some(command) = &options.command
        && let Err(why) = own_check(command, folder.path())
    {
        problems.push(format!("your own check failed: {why}"));
    }
    let by = source.and_then(|source| Some((source, source.drill.as_deref()?)));
    let loaded = by.and_then(|by| load::all(context, &reader, &chosen, by, entry, &mut problems));
    let now = jiff::Timestamp::now().as_second();
    let age = u64::try_from(now.saturating_sub(entry.snapshot.time.seconds)).unwrap_or(0);
    Ok(Drill {
        host: entry.snapshot.host.clone(),
        sources: entry.snapshot.sources.iter().map(|source| escape::path(source)).collect(),
        snapshot: entry.id.to_string(),
        age: Duration::from_secs(age),
        files: report.files,
        bytes: report.bytes,
        took,
        estimate: loaded.unwrap_or_else(|| estimate(&report, took, bytes_of_all)),
        loaded,
        compared,
        problems,
    })
}

/// Returns how files are restored: read once more after they were written.
fn settings(include: Vec<Rule>) -> RestoreOptions {
    RestoreOptions {
        overwrite: Overwrite::Always,
        extra: Extra::Keep,
        parts: Vec::new(),
        protected: Vec::new(),
        include,
        exclude: Vec::new(),
        owners: Owners::ByNumber,
        run: Run::Real,
        verify: Verify::Reread,
        salvage: false,
    }
}

fn progress_is_interrupted(context: &Context) -> bool {
    context.screen.is_interrupted()
}

/// Returns the time that everything takes at the speed of the sample.
fn estimate(report: &RestoreReport, took: Duration, bytes_of_all: u64) -> Duration {
    let share = bytes_of_all as f64 / report.bytes.max(1) as f64;
    Duration::try_from_secs_f64(took.max(LEAST).as_secs_f64() * share.max(1.0))
        .unwrap_or(Duration::MAX)
}

/// Compares a restored file with its snapshot, and with the file of this machine where that is unchanged.
fn compare(
    reader: &Reader,
    folder: &Path,
    one: &Sampled,
    compared: &mut u64,
    problems: &mut Vec<String>,
) {
    let live = system_path(&one.path);
    let restored = folder.join(live.strip_prefix("/").unwrap_or(&live));
    let mut problem = |what: &str| {
        if problems.len() < MOST_NAMED {
            problems.push(format!("{}: {what}", escape::path(&one.path)));
        }
    };
    let metadata = match yore_platform::path_metadata(&restored) {
        Ok(metadata) => metadata,
        Err(error) => return problem(&format!("it was not restored: {}", reason(&error))),
    };
    if metadata.size != one.node.size {
        problem("its size is another than in the snapshot");
    }
    if metadata.modified != one.node.modified {
        problem("its time is another than in the snapshot");
    }
    if one.node.mode.is_some() && metadata.mode != one.node.mode {
        problem("its permissions are others than in the snapshot");
    }
    match is_as_saved(reader, &restored, one) {
        Ok(true) => {}
        Ok(false) => problem("its content is another than in the snapshot"),
        Err(why) => problem(&why),
    }
    let is_unchanged = yore_platform::path_metadata(&live).is_ok_and(|now| {
        now.kind == Kind::File
            && (now.size, now.modified, now.changed)
                == (one.node.size, one.node.modified, one.node.changed)
    });
    if is_unchanged {
        match same_content(&restored, &live) {
            Ok(true) => *compared += 1,
            Ok(false) => {
                problem("it is unchanged on this machine, by its times, and has another content")
            }
            // It may not be read any more.
            Err(_) => {}
        }
    }
}

/// Returns whether a file has the content of the snapshot, which is read once more.
fn is_as_saved(reader: &Reader, restored: &Path, one: &Sampled) -> Result<bool, String> {
    let mut file = std::fs::File::open(restored).map_err(|error| reason(&error))?;
    let (mut is_same, mut buffer) = (true, Vec::new());
    let copied = copy_out(reader, &one.node, &mut |bytes| {
        buffer.resize(bytes.len(), 0);
        is_same = is_same && file.read_exact(&mut buffer).is_ok() && buffer == bytes;
        is_same
    });
    copied.map_err(|error| escape::text(&error.to_string()))?;
    let is_end = file.read(&mut [0]).map_err(|error| reason(&error))? == 0;
    Ok(is_same && is_end)
}

fn same_content(one: &Path, other: &Path) -> std::io::Result<bool> {
    let (mut one, mut other) = (std::fs::File::open(one)?, std::fs::File::open(other)?);
    let (mut left, mut right) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        let length = one.read(&mut left)?;
        if length == 0 {
            return Ok(other.read(&mut right[..1])? == 0);
        }
        match other.read_exact(&mut right[..length]) {
            Ok(()) if left[..length] == right[..length] => {}
            Ok(()) => return Ok(false),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(false),
            Err(error) => return Err(error),
        }
    }
}

/// Runs the person's own check in the folder that holds what was restored.
fn own_check(command: &str, folder: &Path) -> Result<(), String> {
    let ended = Command::new("sh")
        .args(["-c", command])
        .current_dir(folder)
        .env("YORE_DRILL_DIR", folder)
        .stdin(Stdio::null())
        .stdout(standard_error())
        .status();
    match ended {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(status.to_string()),
        Err(error) => Err(reason(&error)),
    }
}

/// Remembers the drill, for `status` and alerts.
fn record(context: &Context, drills: &[Drill], is_right: bool, took: Duration) {
    let drilled = Drilled {
        time: jiff::Timestamp::now().as_second(),
        is_right,
        files: drills.iter().map(|drill| drill.files).sum(),
        bytes: drills.iter().map(|drill| drill.bytes).sum(),
        seconds: took.as_secs_f64(),
    };
    record_drill(context, drilled);
}

fn print(context: &Context, drill: &Drill) {
    let screen = &context.screen;
    screen.object(&json::Drilled {
        host: &drill.host,
        sources: &drill.sources,
        snapshot: &drill.snapshot,
        files: drill.files,
        bytes: drill.bytes,
        compared: drill.compared,
        age_seconds: drill.age.as_secs(),
        restore_seconds: drill.took.as_secs_f64(),
        estimated_seconds: drill.estimate.as_secs(),
        loaded_seconds: drill.loaded.map(|loaded| loaded.as_secs_f64()),
        problems: &drill.problems,
    });
    screen.info(format!(
        "{} on {}: {} ({}) restored in {}, and compared with snapshot {:.8}; {} also with the files here.",
        drill.sources.join(", "),
        escape::text(&drill.host),
        format::counted(drill.files, "file"),
        format::bytes(drill.bytes),
        format::duration(drill.took),
        drill.snapshot,
        format::count(drill.compared),
    ));
    let age = format::duration(drill.age);
    screen.info(match drill.loaded {
        Some(took) => format!(
            "  the newest state is {age} old (RPO); its command loaded it in {} (RTO)",
            format::duration(took)
        ),
        None => format!(
            "  the newest state is {age} old (RPO); all of it would take some {} (RTO)",
            format::duration(drill.estimate)
        ),
    });
    drill.problems.iter().for_each(|what| screen.problem("", what));
}
