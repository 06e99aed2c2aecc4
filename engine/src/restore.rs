//! Restore: writing the state of a moment into a folder.
//!
//! One thread walks the tree in the order in which it was backed up and sends batches of small files, and stretches of
//! large ones, to workers over a bounded channel, so memory is bounded. A directory gets its metadata when everything
//! in it is done.
//!
//! Nothing in a hostile tree leaves the target: all access goes through [`TargetDir`]. Folders above a source are not
//! its content: they are made where they are missing, and existing ones do not change.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use yore_platform::{MkdirOutcome, TargetDir};

use crate::error::{Error, Result};
use crate::globs::Rule;
use crate::operation::observer::Observer;
use crate::operation::run::Run;
use crate::path::TreePath;
use crate::read::dir_entries::DirEntries;
use crate::read::reader::Reader;
use crate::read::state_tree::{self, DirRef, Lookup};

mod case_folding;
mod context;
mod delete;
mod directory;
mod labelled_name;
mod large;
mod links;
mod refused_metadata;
mod restore_plan;
mod select;
mod sources;
#[cfg(test)]
mod tests;
mod verify;
mod walk;
mod worker;
mod write_node;

use context::Context;
use directory::OpenDir;
use restore_plan::AllowedChanges;
pub use restore_plan::RestorePlan;
use select::Selection;
pub use sources::SourcePart;
use sources::{LinkPolicy, RestorePath};
use walk::Walk;

/// Workers where a read costs a round trip: so many requests are in flight.
const DISTANT_WORKERS: usize = 12;

/// The treatment of a file in the target that has a name which is restored.
///
/// Directories are never replaced by directories: what is in them is restored one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overwrite {
    /// It stays as it is.
    Never,
    /// It is replaced unless kind, size and time of modification agree; if they do, its metadata is set.
    #[default]
    Different,
    /// It is replaced if it was last modified before the one in the snapshot.
    Newer,
    /// It is replaced.
    Always,
    /// It stays; the snapshot's file, if it differs, comes beside it, under a name with [`SourcePart::label`].
    Beside,
}

/// The treatment of files in the target that are not in the snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Extra {
    /// They stay.
    #[default]
    Keep,
    /// They are removed from restored directories within a source, unless [`Overwrite`] forbids changes; so is a
    /// directory where the snapshot has something else. What a backup left out stays ([`SourcePart::excludes`]).
    Delete,
}

/// The owners of restored files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Owners {
    /// The user and the group of the same name, where this machine has them; otherwise of the same number.
    #[default]
    ByName,
    /// The user and the group of the same number.
    ByNumber,
}

/// The verification of written files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verify {
    /// They are not read again.
    #[default]
    Trust,
    /// Every written file is read and compared.
    Reread,
}

/// The options of a restore.
#[derive(Debug, Clone, Default)]
pub struct RestoreOptions {
    /// The treatment of existing files.
    pub overwrite: Overwrite,
    /// The treatment of files that the snapshot does not have.
    pub extra: Extra,
    /// The parts of the state, in its order; it has no knowledge of anything outside of them. Without any, everything is
    /// restored as content of one source, and nothing is removed.
    pub parts: Vec<SourcePart>,
    /// Patterns of files that are never removed.
    pub protected: Vec<String>,
    /// Patterns as in `.gitignore`, against absolute paths: only files that match one, or are in a directory that does,
    /// are restored. Empty: everything. A pattern that matches nothing is reported as a failure.
    pub include: Vec<Rule>,
    /// Patterns likewise of files that are left out.
    pub exclude: Vec<Rule>,
    /// The owners of restored files.
    pub owners: Owners,
    /// A real or a dry run.
    pub run: Run,
    /// The verification of written files.
    pub verify: Verify,
    /// Whether the intact parts of damaged files are written, under other names.
    pub salvage: bool,
}

/// The outcome of a restore, or of a dry run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RestoreReport {
    /// Files written.
    pub files: u64,
    /// Directories made or gone through.
    pub directories: u64,
    /// Links, pipes, sockets and devices made.
    pub others: u64,
    /// Further names given to files that have several.
    pub links: u64,
    /// Bytes of data in the files written.
    pub bytes: u64,
    /// Files and links that existed already as in the snapshot.
    pub unchanged: u64,
    /// Existing files and links that were kept.
    pub skipped: u64,
    /// Files and directories removed because the snapshot does not have them; a directory counts once.
    pub deleted: u64,
    /// Files and directories that differed and were replaced.
    pub replaced: u64,
    /// Those of them that were newer than in the snapshot.
    pub newer: u64,
    /// Files restored under a labelled name, beside another file.
    pub beside: u64,
    /// Damaged files of which the intact parts were written; they count as failed, too.
    pub salvaged: u64,
    /// Files that could not be restored; each was reported to the observer.
    pub failed: u64,
    /// Parts of metadata that the system refused; reported to the observer, summed up where they are many.
    pub refused: u64,
    /// Temporary files of killed restores that were removed.
    pub leftovers: u64,
}

/// Restores `what`, which is at `path` in its snapshot, into the folder `target`.
///
/// The top of a state is restored with its absolute paths below the target (`T/home/me/…`); anything else under its own
/// name directly in it (`home/me/docs` as `T/docs`). So `/home/me/docs` goes back in place with the target `/home/me`,
/// and a whole state with the target `/`.
///
/// A file of which a part is damaged or missing is not left there in part; it is reported and counted, and everything
/// else goes on. A file is replaced in one step, after the new one is complete.
///
/// # Errors
/// [`Error::Interrupted`]; [`Error::Local`] when the target can't be made, is full or read-only;
/// [`Error::Backend`] when the destination does not answer any more.
pub fn restore(
    reader: &Reader,
    what: &Lookup,
    path: &[u8],
    target: &Path,
    options: &RestoreOptions,
    observer: &dyn Observer,
) -> Result<RestoreReport> {
    let (above, children) = match what {
        Lookup::Root(dir) => (Vec::new(), DirEntries::open(reader, dir)?),
        Lookup::Node(seen) => {
            let above = TreePath::new(path).parent();
            (above.as_bytes().to_vec(), DirEntries::one(seen.clone()))
        }
    };
    let task = Task { reader, target, options, observer, allowed: AllowedChanges::Any };
    start(task, RestorePath { base: above, top: Vec::new(), links: LinkPolicy::Refuse }, children)
}

/// Restores the state at `path` in place, below `top`, which is the root of the file system.
///
/// Folders above `path` are treated like those above a source: missing ones are made with the metadata of the snapshot,
/// and links to folders are followed.
///
/// # Errors
/// Those of [`restore`]; [`Error::NotFound`] where the state has nothing at `path`.
pub fn restore_in_place(
    reader: &Reader,
    root: &DirRef,
    path: &[u8],
    top: &Path,
    options: &RestoreOptions,
    observer: &dyn Observer,
) -> Result<RestoreReport> {
    let task = Task { reader, target: top, options, observer, allowed: AllowedChanges::Any };
    start_in_place(task, root, path)
}

/// The reader, the target and the options of a restore.
struct Task<'a> {
    reader: &'a Reader,
    target: &'a Path,
    options: &'a RestoreOptions,
    observer: &'a dyn Observer,
    allowed: AllowedChanges<'a>,
}

fn start_in_place(task: Task<'_>, root: &DirRef, path: &[u8]) -> Result<RestoreReport> {
    let lone = state_tree::alone(task.reader, root, TreePath::new(path))?;
    let children = DirEntries::open(task.reader, &lone)?;
    start(
        task,
        RestorePath { base: Vec::new(), top: path.to_vec(), links: LinkPolicy::Follow },
        children,
    )
}

fn start(task: Task<'_>, path: RestorePath, children: DirEntries<'_>) -> Result<RestoreReport> {
    let selection = Selection::new(task.options, path)?;
    let root = open_root(task.target, task.options.run)?;
    let context = Context::new(&task, &selection, root.clone());
    let base = OpenDir::base(&context, root);
    run(&context, &selection, Arc::new(base), children);
    context.finish()
}

fn open_root(target: &Path, run: Run) -> Result<Option<TargetDir>> {
    if run == Run::Dry && !target.is_dir() {
        return Ok(None);
    }
    TargetDir::create(target).map(Some).map_err(|source| Error::local(target, source))
}

/// Walks in this thread while workers write; all end early when the context is stopped.
fn run<'c>(
    context: &'c Context<'c>,
    selection: &Selection,
    base: Arc<OpenDir<'c>>,
    children: DirEntries<'c>,
) {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let workers = if context.reader.is_distant() { DISTANT_WORKERS } else { cores.clamp(2, 8) };
    let (sender, jobs) = crossbeam_channel::bounded(2 * workers);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            let jobs = jobs.clone();
            scope.spawn(move || worker::run(context, &jobs));
        }
        drop(jobs);
        let mut walk = Walk {
            context,
            selection,
            sender,
            stack: Vec::new(),
            paths: 0,
            batch: Vec::new(),
            groups: HashMap::new(),
        };
        walk.run(base, children);
    });
}

/// Returns whether a directory existed before, and so may hold something.
fn was_there(made: MkdirOutcome) -> bool {
    made == MkdirOutcome::Existing
}
