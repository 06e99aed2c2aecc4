//! Restore: writing what a moment held into a folder.
//!
//! One thread walks the tree in the order in which it was backed up and hands batches of small
//! files, and stretches of large ones, to workers over a bounded channel; so memory does not depend
//! on how much there is. A directory gets its metadata when the last thing in it is done.
//!
//! Nothing in a hostile tree leaves the target: everything goes through [`TargetDir`]. Folders above a
//! source are the way to it and not its content: they are made where they are missing, and nothing
//! about those that are there changes.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use yore_platform::{MkdirOutcome, TargetDir};

use crate::error::{Error, Result};
use crate::globs::Rule;
use crate::observer::Observer;
use crate::path::TreePath;
use crate::read::dir_entries::DirEntries;
use crate::read::reader::Reader;
use crate::read::state_tree::{self, DirRef, Lookup};
use crate::run::Run;

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
use restore_plan::Agreement;
pub use restore_plan::RestorePlan;
use select::Selection;
pub use sources::SourcePart;
use sources::{Links, Way};
use walk::Planner;

/// What happens to what is in the target already under a name that is restored.
///
/// Directories are never replaced by directories: what is in them is restored one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overwrite {
    /// It stays as it is.
    Never,
    /// It is replaced unless kind, size and time of modification agree; if they do, its metadata
    /// is set.
    #[default]
    Different,
    /// It is replaced if it was last modified before the one in the snapshot.
    Newer,
    /// It is replaced.
    Always,
    /// It stays unless it is the same, and what the snapshot has comes beside it, under a name with
    /// [`SourcePart::label`].
    Beside,
}

/// What happens to what is in the target and not in the snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Extra {
    /// It stays.
    #[default]
    Keep,
    /// It is removed from restored directories within a source, in which [`Overwrite`] allows anything
    /// to be changed, and a directory that stands where the snapshot has something else is removed,
    /// too. What a backup left out stays ([`SourcePart::excludes`]).
    Delete,
}

/// Who gets what is restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Owners {
    /// The user and the group of the same name, where this machine has them; else the number.
    #[default]
    ByName,
    /// The user and the group of the same number.
    ByNumber,
}

/// Whether what was written is read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verify {
    /// No.
    #[default]
    Trust,
    /// Every file that was written is read and compared.
    Reread,
}

/// How a restore is done.
#[derive(Debug, Clone, Default)]
pub struct RestoreOptions {
    /// What happens to what is there.
    pub overwrite: Overwrite,
    /// What happens to what the snapshot does not have.
    pub extra: Extra,
    /// The parts of the state, in its order; only within them it tells what there was. Without any,
    /// everything is restored as content of one source, and nothing is removed.
    pub parts: Vec<SourcePart>,
    /// Patterns of what is never removed.
    pub protected: Vec<String>,
    /// Patterns as in `.gitignore`, against absolute paths: only what fits one, or is in a directory
    /// that does, is restored. Empty: everything. One that fits nothing is told as a failure.
    pub include: Vec<Rule>,
    /// Patterns likewise: what fits one is left out.
    pub exclude: Vec<Rule>,
    /// Who gets what is restored.
    pub owners: Owners,
    /// Whether anything is written.
    pub run: Run,
    /// Whether it is read again.
    pub verify: Verify,
}

/// What a restore did, or would have done.
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
    /// What was there already as it should be.
    pub unchanged: u64,
    /// What was there and stays as it is.
    pub skipped: u64,
    /// What was removed because the snapshot does not have it; a directory counts once.
    pub deleted: u64,
    /// What was there otherwise and was replaced.
    pub replaced: u64,
    /// Of those, what was newer than in the snapshot.
    pub newer: u64,
    /// What came beside something else that has its name.
    pub beside: u64,
    /// What could not be restored; each was told to the observer.
    pub failed: u64,
    /// Parts of metadata that the system refused; told to the observer, summed up where they are many.
    pub refused: u64,
    /// Temporary names that restores which were killed had left, and that are removed now.
    pub leftovers: u64,
}

/// Restores `what`, which is at `path` in its snapshot, into the folder `target`.
///
/// The top of a state comes to lie with its absolute paths below the target (`T/home/me/…`);
/// anything else under its own name directly in it (`home/me/docs` is restored as `T/docs`). So
/// what came from `/home/me/docs` goes back in place with the target `/home/me`, and a whole state
/// with the target `/`.
///
/// A file of which a part is damaged or missing is not left there in part; it is reported, counted,
/// and everything else goes on. Replacing a file is one step, after the new one is complete.
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
    let task = Task { reader, target, options, observer, agreement: Agreement::Free };
    start(task, Way { base: above, to: Vec::new(), links: Links::Refused }, children)
}

/// Restores what a state has at `path` to where it came from: there below `top`, which is the root
/// of the file system.
///
/// Folders above `path` are the way to it like those above a source: missing ones are made with
/// what the snapshot knows of them, and a link that leads to a folder is followed there.
///
/// # Errors
/// As for [`restore`]; [`Error::NotFound`] where the state has nothing at `path`.
pub fn restore_in_place(
    reader: &Reader,
    root: &DirRef,
    path: &[u8],
    top: &Path,
    options: &RestoreOptions,
    observer: &dyn Observer,
) -> Result<RestoreReport> {
    let task = Task { reader, target: top, options, observer, agreement: Agreement::Free };
    start_in_place(task, root, path)
}

/// What is restored, to where, and how.
struct Task<'a> {
    reader: &'a Reader,
    target: &'a Path,
    options: &'a RestoreOptions,
    observer: &'a dyn Observer,
    agreement: Agreement<'a>,
}

fn start_in_place(task: Task<'_>, root: &DirRef, path: &[u8]) -> Result<RestoreReport> {
    let lone = state_tree::alone(task.reader, root, TreePath::new(path))?;
    let children = DirEntries::open(task.reader, &lone)?;
    start(task, Way { base: Vec::new(), to: path.to_vec(), links: Links::Followed }, children)
}

fn start(task: Task<'_>, way: Way, children: DirEntries<'_>) -> Result<RestoreReport> {
    let selection = Selection::new(task.options, way)?;
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

/// Walks in this thread while workers write; both end early when the context says so.
fn run<'c>(
    context: &'c Context<'c>,
    selection: &Selection,
    base: Arc<OpenDir<'c>>,
    children: DirEntries<'c>,
) {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let workers = cores.clamp(2, 8);
    let (sender, jobs) = crossbeam_channel::bounded(2 * workers);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            let jobs = jobs.clone();
            scope.spawn(move || worker::run(context, &jobs));
        }
        drop(jobs);
        let mut planner = Planner {
            context,
            selection,
            sender,
            stack: Vec::new(),
            paths: 0,
            batch: Vec::new(),
            groups: HashMap::new(),
        };
        planner.walk(base, children);
    });
}

/// Whether a directory was there before, and so may hold something.
fn was_there(made: MkdirOutcome) -> bool {
    made == MkdirOutcome::Existing
}
