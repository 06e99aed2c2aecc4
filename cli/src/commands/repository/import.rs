//! `yore import`: dated folders of another tool become snapshots.

use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use yore_engine::backup::{
    BackupOptions, BackupReport, EmptySources, Excludes, FileSystems, Reading, UnchangedBy,
};
use yore_engine::import::{
    DatePattern, DatedFolder, Dates, Found, Importer, Known, find_dated_folders,
};
use yore_engine::repository::{Behind, Repository};
use yore_engine::{Error, Repeat, Run, TreePath, TreePathBuf};
use yore_platform::snapshot_path;

use crate::access::writer::writer;
use crate::access::{flushing, shared_client, state};
use crate::args::exclude::{self, FromHere};
use crate::args::{live_path, unchanged_by};
use crate::context::Context;
use crate::failure::engine_error::message;
use crate::failure::{Done, Failure, Outcome};
use crate::json;
use crate::screen::progress::Progress;
use crate::text::{escape, format};

/// The number of names that a message shows.
const NAMED: usize = 3;

/// The options of `import`.
#[derive(Debug, Args)]
pub struct Options {
    /// The folder that holds the dated folders
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// The form of their names, as in %Y-%m-%d or daily.%Y%m%d_%H%M%S (as in `date`; without %z, in the local time zone)
    #[arg(long, value_name = "PATTERN", required_unless_present = "snapper")]
    pattern: Option<String>,
    /// The folders are those of snapper: 1/snapshot, 2/snapshot and so on, each with its date in info.xml
    #[arg(long, conflicts_with = "pattern")]
    snapper: bool,
    /// Import this folder of each dated folder only
    #[arg(long, value_name = "PATH")]
    subfolder: Option<PathBuf>,
    /// The path that the dated folders show, under which their content is found in the snapshots (default: DIR)
    #[arg(long = "as", value_name = "PATH")]
    shown: Option<PathBuf>,
    /// The machine's name that the snapshots get
    #[arg(long, value_name = "HOST", value_parser = NonEmptyStringValueParser::new())]
    host: Option<String>,
    /// Attach a word by which the snapshots can be found (may be repeated)
    #[arg(long, value_name = "TAG", value_parser = NonEmptyStringValueParser::new())]
    tag: Vec<String>,
    /// Leave out what fits, as in .gitignore (may be repeated)
    #[arg(long, value_name = "GLOB", value_parser = exclude::parse)]
    exclude: Vec<String>,
    /// Take a file for that of the folder before if these are the same: size, mtime and, if named, ctime and inode
    /// (all four, but inode only where the file system keeps it)
    #[arg(long, value_name = "size,mtime,…", value_parser = unchanged_by::parse)]
    unchanged_by: Option<UnchangedBy>,
    /// Import also what was imported before and forgotten since
    #[arg(long)]
    again: bool,
    /// Tell what would be imported, do nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs the command.
pub fn run(context: &Context, options: &Options) -> Outcome {
    let dir =
        std::fs::canonicalize(&options.dir).map_err(|error| Failure::local(&options.dir, error))?;
    let own_folders = context.own_folders()?;
    if let Some(own) = own_folders.iter().find(|own| dir.starts_with(own)) {
        return Err(Failure::usage(
            format!("{} belongs to the repository or to Yore's cache", own.display()),
            "name the folder in which the other tool keeps its dated folders",
        ));
    }
    let found = find(context, options, &dir)?;
    let path = match &options.shown {
        Some(shown) => live_path::absolute(shown),
        None => snapshot_path(&dir),
    };
    let repository = context.open()?;
    let settings = settings(options, &path, own_folders)?;
    let repeat = if options.again { Repeat::Forgotten } else { Repeat::Never };
    let importer = Importer::new(&repository, TreePath::new(&path), settings, repeat)?;
    let mut import = Import {
        context,
        repository: &repository,
        importer,
        path: TreePath::new(&path).into(),
        summary: json::Import::new(&found, options.dry_run),
        behind: Vec::new(),
    };
    for folder in &found.folders {
        import.folder(folder, options.dry_run)?;
    }
    import.finish()
}

/// Finds the dated folders, and tells which folders are none.
fn find(context: &Context, options: &Options, dir: &Path) -> Outcome<Found> {
    let dates = match &options.pattern {
        Some(pattern) => Dates::Names(DatePattern::new(pattern).map_err(|error| {
            let hint = "%Y-%m-%d_%H%M%S fits 2026-01-15_103000; other signs mean themselves";
            Failure::usage(message(&error), hint)
        })?),
        None => Dates::Snapper,
    };
    let inner = options.subfolder.clone().unwrap_or_default();
    if inner.components().any(|part| !matches!(part, std::path::Component::Normal(_))) {
        return Err(Failure::usage(
            format!("{} is no path below a dated folder", inner.display()),
            "give it without a slash at its beginning, as in --subfolder home/me",
        ));
    }
    let found =
        find_dated_folders(dir, &inner, &dates, context.now.time_zone()).map_err(|error| {
            match error {
                Error::Refused(_) => Failure::usage(
                    message(&error),
                    "give a pattern that fits only one of them, or that has the time of day",
                ),
                error => error.into(),
            }
        })?;
    let screen = &context.screen;
    if found.folders.is_empty() && found.lacking.is_empty() {
        return Err(nothing_fits(context, &dates, dir, &found));
    }
    if !found.undated.is_empty() {
        let number = format::counted(found.undated.len() as u64, "folder");
        let names = some(&found.undated);
        screen.note(&format!("passed over, since the names have no such date: {number} ({names})"));
    }
    if !found.lacking.is_empty() {
        let names: Vec<Vec<u8>> = found.lacking.iter().map(|one| one.name.clone()).collect();
        let number = format::counted(found.lacking.len() as u64, "dated folder");
        let what = format!(
            "not imported, since {} is not there: {number} ({})",
            inner.display(),
            some(&names)
        );
        screen.problem("", &what);
    }
    Ok(found)
}

/// Returns the failure where no folder has a date.
fn nothing_fits(context: &Context, dates: &Dates, dir: &Path, found: &Found) -> Failure {
    let dir = dir.display();
    let hint = match dates {
        Dates::Names(pattern) => {
            format!("a folder of now would be {}", escape::text(&pattern.example(&context.now)))
        }
        Dates::Snapper => "name the folder .snapshots, and run it as a user who may read it".into(),
    };
    let what = match (dates, found.undated.is_empty()) {
        (_, true) => format!("there are no folders in {dir}"),
        (Dates::Names(pattern), false) => {
            let pattern = escape::text(pattern.text());
            format!(
                "no folder in {dir} has a name like {pattern}: there are {}",
                some(&found.undated)
            )
        }
        (Dates::Snapper, false) => format!("no folder in {dir} has the date of snapper (info.xml)"),
    };
    Failure::usage(what, hint)
}

/// Lists the first of some names.
fn some(names: &[Vec<u8>]) -> String {
    let mut text: Vec<String> = names.iter().take(NAMED).map(|name| escape::name(name)).collect();
    text.extend((names.len() > NAMED).then(|| "…".to_owned()));
    text.join(", ")
}

/// Makes the options of every snapshot.
fn settings(options: &Options, path: &[u8], own_folders: Vec<PathBuf>) -> Outcome<BackupOptions> {
    let bases = exclude::bases(vec![path.to_vec()], FromHere::No);
    let rules = exclude::rules(&options.exclude, &bases);
    Ok(BackupOptions {
        changed: None,
        only: None,
        excludes: Excludes { rules, ..Excludes::default() },
        reading: Reading::Changed,
        unchanged_by: options.unchanged_by.unwrap_or_default(),
        file_systems: FileSystems::All,
        empty_sources: EmptySources::Accept,
        own_folders,
        run: if options.dry_run { Run::Dry } else { Run::Real },
        tags: options.tag.clone(),
        time: None,
        utc_offset: 0,
        writer: writer(state::client()?, options.host.clone()),
    })
}

/// An import on its way.
struct Import<'a> {
    context: &'a Context,
    repository: &'a Repository,
    importer: Importer<'a>,
    path: TreePathBuf,
    summary: json::Import,
    behind: Vec<Behind>,
}

impl Import<'_> {
    /// Imports a folder, unless the repository has it.
    fn folder(&mut self, folder: &DatedFolder, is_dry: bool) -> Outcome<()> {
        let screen = &self.context.screen;
        let (name, time) = (escape::name(&folder.name), self.time_of(folder));
        match self.importer.known(folder) {
            Known::Present => {
                self.summary.present += 1;
                screen.detail(format!("{time}  {name}  is there"));
                return Ok(());
            }
            Known::Forgotten => {
                self.summary.forgotten += 1;
                screen.detail(format!("{time}  {name}  was forgotten"));
                return Ok(());
            }
            Known::New if is_dry => {
                self.summary.imported += 1;
                screen.object(&json::Imported::planned(folder, &self.path));
                screen.info(format!("{time}  {name}  would be imported"));
                return Ok(());
            }
            Known::New => {}
        }
        let progress = Progress::start(screen, "importing", Some(self.context.interrupt()?));
        let imported = self.importer.import(folder, &progress);
        drop(progress);
        match imported {
            Ok(report) => self.take(folder, report),
            // The other folders are not concerned.
            Err(error @ (Error::Local { .. } | Error::Refused(_))) => {
                self.summary.failed += 1;
                screen.problem(&name, &format!("it is not imported: {}", message(&error)));
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn time_of(&self, folder: &DatedFolder) -> String {
        format::time(folder.time, self.context.now.time_zone())
    }

    /// Prints what became of a folder.
    fn take(&mut self, folder: &DatedFolder, report: BackupReport) -> Outcome<()> {
        let screen = &self.context.screen;
        if let Some(new) = report.new_client {
            shared_client::replace(screen, new);
        }
        screen.object(&json::Imported::new(folder, &self.path, &report));
        let totals = &report.totals;
        screen.info(format!(
            "{}  {}  {}, {}; {} new{}",
            self.time_of(folder),
            escape::name(&folder.name),
            format::counted(totals.files, "file"),
            format::bytes(totals.bytes),
            format::bytes(totals.new_bytes),
            report.snapshot.map(|id| format!("; snapshot {id:.8}")).unwrap_or_default(),
        ));
        self.summary.imported += 1;
        self.summary.unreadable += totals.unreadable + report.changed_while_read;
        for behind in report.behind {
            if self.behind.iter().all(|known| known.destination != behind.destination) {
                self.behind.push(behind);
            }
        }
        Ok(())
    }

    /// Prints the summary, and brings destinations up to date.
    fn finish(self) -> Outcome {
        let Self { context, repository, summary, behind, .. } = self;
        let screen = &context.screen;
        screen.object(&summary);
        let number = format::counted(summary.imported, "folder");
        screen.info(match (summary.imported, summary.dry_run) {
            (0, _) if summary.failed == 0 => "Nothing is left to be imported.".to_owned(),
            (_, true) => format!("{number} would be imported."),
            (_, false) => format!("{number} imported."),
        });
        if summary.forgotten > 0 {
            screen.info(format!(
                "  {} imported before and forgotten since; --again imports what was forgotten",
                match summary.forgotten {
                    1 => "1 was".to_owned(),
                    more => format!("{} were", format::count(more)),
                }
            ));
        }
        if summary.unreadable > 0 {
            screen.info(
                "  What could not be read is listed above. To import such a folder once more: yore forget its snapshot, \
                 then import with --again",
            );
        }
        flushing::warn_once(screen, repository);
        let is_caught_up = context.catch_up(repository, &behind)?;
        context.heal(repository)?;
        let is_whole = is_caught_up && summary.failed + summary.unreadable + summary.lacking == 0;
        Ok(context.done_everywhere(if is_whole { Done::Whole } else { Done::Partly }))
    }
}
