//! The throw-away state of `yore try`: a folder with a repository, a mountpoint, and a sample.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::{ToSpan, ZonedDateTime};
use tempfile::TempDir;
use yore_engine::Run;
use yore_engine::backend::Folder;
use yore_engine::backup::{
    BackupOptions, EmptySources, Excludes, FileSystems, Reading, UnchangedBy,
};
use yore_engine::format::{ClientId, Cost, Parameters, Secret, Totals};
use yore_engine::repository::{CreateOptions, Repository, create};
use yore_platform::Interrupt;

use crate::access::state;
use crate::access::writer::writer;
use crate::args::machine::MachineArgs;
use crate::args::{exclude, time};
use crate::context::Context;
use crate::failure::engine_error::reason;
use crate::failure::{Exit, Failure, Outcome};
use crate::moment::state::MomentState;
use crate::moment::{moment_path, state as moment_state};
use crate::screen::progress::Progress;
use crate::text::format;

mod sample;
mod tree;
pub mod view;

/// The largest file of a person's own folder that is copied out as an example.
const EXAMPLE: u64 = 16 << 20;
/// The number of names that are searched for one.
const SEARCHED: usize = 10_000;

/// A temporary folder with a repository, and the folder that is backed up.
pub struct Demo {
    folder: TempDir,
    source: PathBuf,
    kind: Kind,
    secret: Secret,
    client: ClientId,
    first: ZonedDateTime,
    then: String,
}

#[derive(PartialEq, Eq)]
enum Kind {
    Sample,
    Own,
}

/// A file as it was in the first backup.
pub struct OldFile {
    /// Its path in the source.
    pub path: PathBuf,
    /// Its content.
    pub content: Vec<u8>,
}

/// Makes the temporary folder, for the person's own folder or a sample.
pub fn prepare(context: &Context, own: Option<&Path>) -> Outcome<Demo> {
    let own = own.map(own_folder).transpose()?;
    let base = std::env::temp_dir();
    let made = tempfile::Builder::new().prefix("yore-try-").tempdir();
    let folder = made.map_err(|error| Failure::local(&base, error))?;
    let whole = std::fs::canonicalize(folder.path()).map_err(|e| Failure::local(&base, e))?;
    let kind = if own.is_some() { Kind::Own } else { Kind::Sample };
    let source = own.unwrap_or_else(|| whole.join("My documents"));
    let local = |error| Failure::local(&source, error);
    if kind == Kind::Sample {
        sample::make(&source).map_err(local)?;
    }
    std::fs::create_dir(folder.path().join("drive")).map_err(local)?;
    let secret = Secret::draw_key_file();
    let first = context.now.checked_sub(2.days()).unwrap_or_else(|_| context.now.clone());
    let then = first.strftime("%Y-%m-%d").to_string();
    let demo = Demo { folder, source, kind, secret, client: state::draw_client(), first, then };
    let options = CreateOptions {
        secrets: &[(&demo.secret, "try")],
        cost: Cost::STANDARD,
        parameters: Parameters::default(),
        time: time::present(&demo.first).0,
    };
    create(Arc::new(demo.backend()), &options)?;
    Ok(demo)
}

fn own_folder(folder: &Path) -> Outcome<PathBuf> {
    let path = std::fs::canonicalize(folder).map_err(|error| Failure::local(folder, error))?;
    match path.is_dir() {
        true => Ok(path),
        false => Err(Failure::usage(
            format!("{} is not a folder", folder.display()),
            "name a folder, or none to see it with a sample",
        )),
    }
}

impl Demo {
    /// Reports whether the source is the sample.
    pub fn is_sample(&self) -> bool {
        self.kind == Kind::Sample
    }

    /// Returns the folder that is backed up.
    pub fn source(&self) -> &Path {
        &self.source
    }

    /// Returns the path of a file of the source.
    pub fn source_file(&self, path: &Path) -> PathBuf {
        self.source.join(path)
    }

    /// Returns the mountpoint.
    pub fn drive(&self) -> PathBuf {
        self.folder.path().join("drive")
    }

    /// Returns the day of the first backup.
    pub fn then(&self) -> &str {
        &self.then
    }

    /// Returns the path to which a file is copied.
    pub fn copy_of(&self, path: &Path) -> PathBuf {
        self.folder.path().join("copied out").join(path)
    }

    fn backend(&self) -> Folder {
        Folder::new(self.folder.path().join("repository"))
    }

    /// Opens the repository.
    pub fn repository(&self) -> Outcome<Repository> {
        let cache = Some(self.folder.path().join("cache"));
        Ok(yore_engine::repository::open(Arc::new(self.backend()), &self.secret, cache)?)
    }

    /// Opens the state of the first backup.
    pub fn open(&self, context: &Context) -> Outcome<MomentState> {
        let moment_path = moment_path::parse(self.then.as_ref(), &context.now)?;
        moment_state::open(context, &self.repository()?, &moment_path, &MachineArgs::default())
    }

    /// Makes the first backup, and returns lines about it.
    pub fn back_up_then(&self, context: &Context, interrupt: Interrupt) -> Outcome<Vec<String>> {
        let totals = self.back_up(context, interrupt, &self.first)?;
        let what = match self.kind {
            Kind::Sample => "a folder with a letter, recipes and a photo is backed up",
            Kind::Own => "it is backed up (the day is made up, so that there are two)",
        };
        Ok(vec![format!("{what}: {}", summary(&totals))])
    }

    /// Changes the sample and makes the second backup, and returns lines about it.
    pub fn back_up_now(&self, context: &Context, interrupt: Interrupt) -> Outcome<Vec<String>> {
        let mut lines = Vec::new();
        if self.kind == Kind::Sample {
            sample::change(&self.source).map_err(|error| Failure::local(&self.source, error))?;
            lines.push(format!(
                "somebody spoils “{}” and deletes “{}”",
                sample::EDITED,
                sample::DELETED
            ));
        }
        let totals = self.back_up(context, interrupt, &context.now)?;
        lines.push(format!("it is backed up again: {} more", summary(&totals)));
        Ok(lines)
    }

    fn back_up(
        &self,
        context: &Context,
        interrupt: Interrupt,
        at: &ZonedDateTime,
    ) -> Outcome<Totals> {
        let whole = std::fs::canonicalize(self.folder.path());
        let whole = whole.map_err(|error| Failure::local(self.folder.path(), error))?;
        let rules = match self.kind {
            Kind::Sample => Vec::new(),
            Kind::Own => vec![exclude::exactly(&whole)],
        };
        let (time, utc_offset) = time::present(at);
        let options = BackupOptions {
            changed: None,
            only: None,
            excludes: Excludes { rules, ..Excludes::default() },
            reading: Reading::Changed,
            unchanged_by: UnchangedBy::default(),
            file_systems: FileSystems::All,
            empty_sources: EmptySources::Accept,
            own_folders: Vec::new(),
            run: Run::Real,
            tags: Vec::new(),
            time: Some(time),
            utc_offset,
            writer: writer(self.client, None),
        };
        let progress = Progress::start(&context.screen, "backing up", Some(interrupt));
        let sources = [self.source.clone()];
        let report =
            yore_engine::backup::backup(&self.repository()?, &sources, &options, &progress)?;
        Ok(report.totals)
    }

    /// Returns the files to copy out of the first backup.
    pub fn old_files(&self) -> Outcome<Vec<OldFile>> {
        match self.kind {
            Kind::Sample => {
                let old_files =
                    |(path, text): (PathBuf, &str)| OldFile { path, content: text.into() };
                Ok(sample::old_files().map(old_files).into())
            }
            Kind::Own => Ok(self.example().into_iter().collect()),
        }
    }

    /// Finds a file of the person's own folder that can be read.
    fn example(&self) -> Option<OldFile> {
        let (mut folders, mut looked) = (vec![self.source.clone()], 0);
        while let Some(folder) = folders.pop() {
            let Ok(entries) = std::fs::read_dir(&folder) else { continue };
            for entry in entries.flatten() {
                looked += 1;
                if looked > SEARCHED {
                    return None;
                }
                let Ok(metadata) = entry.metadata() else { continue };
                if metadata.is_dir() && !entry.path().starts_with(self.folder.path()) {
                    folders.push(entry.path());
                } else if metadata.is_file()
                    && (1..=EXAMPLE).contains(&metadata.len())
                    && let Ok(content) = std::fs::read(entry.path())
                    && let Ok(path) = entry.path().strip_prefix(&self.source)
                {
                    return Some(OldFile { path: path.to_owned(), content });
                }
            }
        }
        None
    }

    /// Removes everything.
    pub fn remove(self) -> Outcome<()> {
        let path = self.folder.path().to_owned();
        self.folder.close().map_err(|error| {
            Failure::new(
                Exit::Failed,
                format!("{} could not be removed: {}", path.display(), reason(&error)),
                "remove it yourself; nothing in it is needed",
            )
        })
    }
}

fn summary(totals: &Totals) -> String {
    let (files, bytes) = (format::counted(totals.files, "file"), format::bytes(totals.bytes));
    format!("{files}, {bytes}; it takes {}", format::bytes(totals.stored_bytes))
}
