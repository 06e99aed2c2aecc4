//! `yore watch`: a snapshot soon after files change.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use clap::Args;
use notify::event::{EventKind, Flag};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};
use yore_engine::backup::ChangedPaths;
use yore_engine::repository::Repository;
use yore_platform::{VOLUME_SNAPSHOT_PREFIX, snapshot_path};

use crate::args::duration;
use crate::args::file_system_snapshot::FileSystemSnapshot;
use crate::commands::backup::summary;
use crate::config::{SourceKind, SourceSettings};
use crate::context::Context;
use crate::failure::{Done, Exit, Failure, Outcome};
use crate::job::{self, RunRecord};
use crate::json::SourceRun;
use crate::runs::{Run, Waiting};
use crate::text::escape;

mod thin;

/// The options of `watch`.
#[derive(Debug, Args)]
pub struct Options {
    /// Watch these sources of the configuration only (default: all that are files)
    #[arg(long, value_name = "NAME")]
    source: Vec<String>,
    /// Make a snapshot when nothing changed for so long (default: watch.quiet-after, or 60)
    #[arg(long, value_name = "SECONDS")]
    quiet_after: Option<u64>,
    /// Make one at the latest so long after the first change, however much goes on (default: watch.at-latest, or 300)
    #[arg(long, value_name = "SECONDS")]
    at_latest: Option<u64>,
    /// Look at everything after so long, in case a change went unseen; where the system tells no changes, as on network
    /// shares, this is all there is (default: watch.interval, or a day)
    #[arg(long, value_name = "SECONDS")]
    interval: Option<u64>,
    /// End after this many snapshots
    #[arg(long, value_name = "N", hide = true)]
    snapshots: Option<u64>,
}

/// The time without a change after which a snapshot is made.
const QUIET: Duration = Duration::from_secs(60);
/// The time after the first change at which it is made at the latest.
const AT_LATEST: Duration = Duration::from_secs(300);
/// The time after which everything is looked at.
const DAY: Duration = Duration::from_secs(86_400);
/// The least time between two looks at whether a source is still there.
const LOOK: Duration = Duration::from_secs(10);
/// The time between two looks at an interrupt.
const TICK: Duration = Duration::from_millis(250);

/// The sources that are watched, and what is known of their changes.
struct Watched<'c> {
    context: &'c Context,
    /// The time after which everything is looked at.
    interval: Duration,
    sources: Vec<Observed>,
    watcher: Option<RecommendedWatcher>,
    events: Receiver<notify::Result<Event>>,
}

/// A source that is watched.
struct Observed {
    settings: SourceSettings,
    changed: ChangedPaths,
    /// Everything is to be looked at: at the start, after events were lost, and from time to time.
    wants_scan: bool,
    scanned: Instant,
    /// The folders that are watched, with what tells one from another that takes its place.
    roots: BTreeMap<PathBuf, Option<(u64, u64)>>,
}

/// Runs the command.
pub fn run(context: &Context, options: &Options) -> Outcome {
    let sources = chosen(context, options)?;
    let (mut pace, interval) = times(context, options)?;
    let interrupt = context.interrupt()?;
    context.wait_for_network();
    let repository = context.open()?;
    let (sender, events) = channel();
    let watcher = notify::recommended_watcher(move |event| {
        // Nobody receives when the command ends.
        let _ = sender.send(event);
    });
    let watcher = watcher.map_err(|error| explain(context, &error)).ok();
    let mut watched = Watched {
        context,
        interval,
        sources: sources.into_iter().map(Observed::new).collect(),
        watcher,
        events,
    };
    watched.attach();
    context.screen.info("Watching; Ctrl-C ends it.");
    let (mut done, mut made, mut looked) = (Done::Whole, 0, Instant::now());
    while !interrupt.is_raised() {
        if pace.is_due() {
            pace.begin_anew();
            match watched.save(&repository) {
                Ok((number, outcome)) => {
                    made += number;
                    if outcome != Done::Whole {
                        done = outcome;
                    }
                }
                Err(failure) if failure.exit == Exit::Interrupted => break,
                // It is tried again after a while, as after a change.
                Err(failure) => {
                    context.screen.problem("watch", &failure.what);
                    pace.note_change();
                    done = Done::Partly;
                }
            }
            if options.snapshots.is_some_and(|most| made >= most) {
                break;
            }
        }
        let is_changed = match watched.events.recv_timeout(TICK) {
            Ok(event) => watched.take(event),
            Err(RecvTimeoutError::Timeout) => false,
            Err(RecvTimeoutError::Disconnected) => {
                std::thread::sleep(TICK);
                false
            }
        };
        let is_exchanged = looked.elapsed() > LOOK && {
            looked = Instant::now();
            watched.look()
        };
        if is_changed || is_exchanged {
            pace.note_change();
        }
    }
    // What changed just before the end is saved by the next start, which looks at everything.
    Ok(done)
}

/// When the next snapshot is made.
struct Pace {
    /// The first change since the last snapshot.
    first: Option<Instant>,
    last: Instant,
    quiet: Duration,
    at_latest: Duration,
    /// What changed before the start is not known.
    is_first: bool,
}

impl Pace {
    fn note_change(&mut self) {
        self.last = Instant::now();
        self.first.get_or_insert(self.last);
    }

    fn is_due(&self) -> bool {
        let is_due =
            |first: Instant| self.last.elapsed() >= self.quiet || first.elapsed() >= self.at_latest;
        self.is_first || self.first.is_some_and(is_due)
    }

    fn begin_anew(&mut self) {
        (self.first, self.is_first) = (None, false);
    }
}

/// Returns when snapshots are made, and after what time everything is looked at: as the options say, else the
/// configuration.
fn times(context: &Context, options: &Options) -> Outcome<(Pace, Duration)> {
    let set = &context.settings()?.watch;
    let chosen = |option: Option<u64>, set: &Option<String>, usual: Duration| {
        let set =
            set.as_deref().and_then(|text| duration::seconds("watch", text, &context.now).ok());
        let seconds = option.or_else(|| u64::try_from(set?).ok());
        seconds.map_or(usual, Duration::from_secs)
    };
    let pace = Pace {
        first: None,
        last: Instant::now(),
        quiet: chosen(options.quiet_after, &set.quiet_after, QUIET),
        at_latest: chosen(options.at_latest, &set.at_latest, AT_LATEST),
        is_first: true,
    };
    Ok((pace, chosen(options.interval, &set.interval, DAY)))
}

fn chosen(context: &Context, options: &Options) -> Outcome<Vec<SourceSettings>> {
    let all = &context.settings()?.sources;
    let known = |name: &String| all.iter().any(|source| source.name == *name);
    if let Some(unknown) = options.source.iter().find(|name| !known(name)) {
        let hint = "`yore source list` lists them";
        return Err(Failure::usage(format!("there is no source {}", escape::text(unknown)), hint));
    }
    let is_wanted = |source: &&SourceSettings| {
        source.kind == SourceKind::Files
            && (options.source.is_empty() || options.source.contains(&source.name))
    };
    let chosen: Vec<SourceSettings> = all.iter().filter(is_wanted).cloned().collect();
    for source in chosen.iter().filter(|source| source.snapshot != FileSystemSnapshot::Never) {
        context.screen.note(&format!(
            "source {}: what changes is read as it is, not from a snapshot of its file system, which `yore backup` makes",
            source.name
        ));
    }
    match chosen.is_empty() {
        false => Ok(chosen),
        true => Err(Failure::usage(
            "there is no source of files to be watched",
            "add one: yore source add ~/Documents; databases are backed up by a timer: yore schedule install",
        )),
    }
}

/// Tells why changes are not seen; everything is looked at from time to time instead.
fn explain(context: &Context, error: &notify::Error) {
    let what = match error.kind {
        notify::ErrorKind::MaxFilesWatch => {
            "there are more folders than this system lets a person watch, so changes in some are seen only when everything \
             is looked at; to raise the limit: sudo sysctl fs.inotify.max_user_watches=1048576"
                .to_owned()
        }
        _ => format!(
            "changes can't be watched, so everything is looked at from time to time: {}",
            escape::text(&error.to_string())
        ),
    };
    context.screen.problem("watch", &what);
}

impl Observed {
    fn new(settings: SourceSettings) -> Self {
        let roots = settings.paths.iter().map(|path| (real(path), None)).collect();
        Self {
            settings,
            changed: ChangedPaths::default(),
            wants_scan: true,
            scanned: Instant::now(),
            roots,
        }
    }

    /// Returns true if a path is of the source.
    fn holds(&self, path: &Path) -> bool {
        self.roots.keys().any(|root| path.starts_with(root))
    }
}

/// Returns a path without links, as a backup has it.
fn real(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// Returns the numbers of a folder that is there.
fn identity(path: &Path) -> Option<(u64, u64)> {
    let metadata = yore_platform::path_metadata(path).ok()?;
    Some((metadata.device, metadata.inode))
}

impl Watched<'_> {
    /// Watches the folders that are there and not watched yet; returns true if one came, went or was exchanged.
    fn attach(&mut self) -> bool {
        let mut is_changed = false;
        for source in &mut self.sources {
            for (root, known) in &mut source.roots {
                let found = identity(root);
                if found == *known {
                    continue;
                }
                *known = found;
                is_changed = true;
                source.wants_scan = true;
                let Some(watcher) = self.watcher.as_mut().filter(|_| found.is_some()) else {
                    continue;
                };
                let _ = watcher.unwatch(root);
                if let Err(error) = watcher.watch(root, RecursiveMode::Recursive) {
                    explain(self.context, &error);
                }
            }
        }
        is_changed
    }

    /// Looks whether the folders are still the same, and whether it is time to look at everything.
    fn look(&mut self) -> bool {
        let mut is_due = self.attach();
        for source in &mut self.sources {
            if source.scanned.elapsed() >= self.interval {
                source.wants_scan = true;
                is_due = true;
            }
        }
        is_due
    }

    /// Notes what an event says; returns true if something changed.
    fn take(&mut self, event: notify::Result<Event>) -> bool {
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                explain(self.context, &error);
                self.sources.iter_mut().for_each(|source| source.wants_scan = true);
                return true;
            }
        };
        if event.attrs.flag() == Some(Flag::Rescan) {
            // Events were lost.
            self.sources.iter_mut().for_each(|source| source.wants_scan = true);
            return true;
        }
        if matches!(event.kind, EventKind::Access(_)) {
            return false;
        }
        let mut is_of_some = false;
        // A backup makes and deletes its snapshots of file systems in their top folders.
        let is_snapshot = |path: &Path| {
            path.iter().any(|name| name.to_string_lossy().starts_with(VOLUME_SNAPSHOT_PREFIX))
        };
        let is_ignored = |path: &Path| is_without_name(path) || is_snapshot(path);
        for path in event.paths.iter().filter(|path| !is_ignored(path)) {
            for source in self.sources.iter_mut().filter(|source| source.holds(path)) {
                source.changed.add(&snapshot_path(path));
                is_of_some = true;
            }
        }
        is_of_some
    }

    /// Makes a snapshot of each source that changed; returns the number of snapshots.
    fn save(&mut self, repository: &Repository) -> Outcome<(u64, Done)> {
        // What is in the queue is older than the snapshot that is made now.
        let queued: Vec<_> = self.events.try_iter().collect();
        queued.into_iter().for_each(|event| {
            self.take(event);
        });
        let context = self.context;
        let is_due = |source: &Observed| source.wants_scan || !source.changed.is_empty();
        if !self.sources.iter().any(is_due) {
            return Ok((0, Done::Whole));
        }
        let run = Run::begin(context, "backup", Waiting::Yes)?;
        let (mut ledger, mut done, mut made) = (Vec::new(), Done::Whole, 0);
        let mut first: Option<Failure> = None;
        for source in self.sources.iter_mut().filter(|source| is_due(source)) {
            let changed = source.changed.take();
            let scan = std::mem::take(&mut source.wants_scan);
            let hint = (!scan).then(|| changed.clone());
            let mut entry =
                SourceRun { source: source.settings.name.clone(), ..SourceRun::default() };
            match save_one(context, repository, &source.settings, hint) {
                Ok(record) => {
                    made += 1;
                    note(&mut entry, &record);
                    if record.done() != Done::Whole {
                        done = record.done();
                        entry.error = Some("it was not saved as a whole".to_owned());
                    }
                    if scan {
                        source.scanned = Instant::now();
                    }
                }
                Err(failure) => {
                    // It is saved with the next change.
                    source.changed.extend(changed);
                    source.wants_scan |= scan;
                    entry.error = Some(failure.what.clone());
                    first.get_or_insert(failure);
                }
            }
            ledger.push(entry);
        }
        let outcome = match first {
            Some(failure) => Err(failure),
            None => Ok(done),
        };
        run.end(context, ledger, &outcome);
        let names: BTreeSet<&str> =
            self.sources.iter().map(|source| source.settings.name.as_str()).collect();
        let thinned = thin::apply(context, repository, &names)?;
        outcome.map(|done| (made, done.and(thinned)))
    }
}

/// Makes a snapshot of a source, and looks only at what changed where that is known.
fn save_one(
    context: &Context,
    repository: &Repository,
    source: &SourceSettings,
    changed: Option<ChangedPaths>,
) -> Outcome<RunRecord> {
    let mut jobs = job::jobs(source)?;
    let mut job = jobs.pop().expect("files are one job");
    let looked_at = if changed.is_some() { "what changed" } else { "everything" };
    job.changed = changed;
    // What changed is read as it is now; a snapshot each minute would keep the file system busy.
    job.snapshot = FileSystemSnapshot::Never;
    let record = job::prepare(context, job)?.run(context, repository)?;
    context.screen.detail(format!("looked at {looked_at} of {}", source.name));
    summary::print(&context.screen, &record);
    Ok(record)
}

fn note(entry: &mut SourceRun, record: &RunRecord) {
    let totals = &record.report.totals;
    entry.snapshot = record.report.snapshot.map(|id| id.to_string());
    (entry.files, entry.bytes) = (totals.files, totals.bytes);
    (entry.new_bytes, entry.stored_bytes) = (totals.new_bytes, totals.stored_bytes);
    entry.suspicious = record.report.suspicion.is_some();
    entry.behind.clone_from(&record.behind);
    entry.seconds = record.took.as_secs_f64();
}

/// Tells whether a path is that of a file without a name, of which the kernel tells as `#NUMBER`: a backup makes one of a file
/// that changes while it is read.
fn is_without_name(path: &Path) -> bool {
    let number = path.file_name().and_then(OsStr::to_str).and_then(|name| name.strip_prefix('#'));
    number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
        && path.symlink_metadata().is_err()
}
