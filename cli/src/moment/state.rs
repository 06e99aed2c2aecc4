//! The state of a repository at a moment.

use yore_engine::format::SnapshotId;
use yore_engine::read::{DirRef, Lookup, Reader, find, merge};
use yore_engine::repository::Repository;
use yore_engine::restore::SourcePart;
use yore_engine::snapshots::{Part, SnapshotEntry, state};
use yore_engine::{Error, TreePath};

use super::clock;
use super::moment_path::MomentPath;
use super::{snapshot, suspicion};
use crate::args::machine::MachineArgs;
use crate::context::Context;
use crate::failure::{Done, Exit, Failure, Outcome, engine_error};
use crate::text::escape;

/// The bytes of decoded frames that a command keeps which reads in order.
pub const BUDGET: usize = 32 << 20;
/// The same where a read costs a round trip: several requests are in flight, of some megabytes each.
const DISTANT_BUDGET: usize = 128 << 20;

/// The tag of a snapshot that a repair made without what was lost.
const SALVAGED: &str = "salvaged";

/// The state of a repository at a moment.
pub struct MomentState {
    /// The reader of the repository.
    pub reader: Reader,
    /// The top of the tree.
    pub root: DirRef,
    /// The sources, outside of which nothing is known, each with its own patterns.
    pub parts: Vec<SourcePart>,
    /// The machines whose snapshots make up the state.
    pub hosts: Vec<String>,
}

impl MomentState {
    /// Returns the snapshot from which a path is taken.
    pub fn snapshot_of(&self, path: &[u8]) -> Option<SnapshotId> {
        let holds = |source: &[u8]| TreePath::new(path).starts_with(TreePath::new(source));
        self.parts.iter().rev().find(|part| holds(&part.path)).map(|part| part.snapshot)
    }
}

/// The snapshots that count.
pub struct Listed {
    /// Each, the oldest first.
    pub list: Vec<SnapshotEntry>,
    /// Tells whether something was reported.
    pub done: Done,
}

/// Lists the snapshots; what can't be read, or is missing although nobody forgot it, is reported.
pub fn snapshots(context: &Context, repository: &Repository) -> Outcome<Listed> {
    let known = repository.snapshots()?;
    let is_whole = known.problems.is_empty() && known.rolled_back.is_empty();
    print_problems(context, known.problems);
    suspicion::print_rolled_back(context, &known.rolled_back);
    Ok(Listed { list: known.list, done: if is_whole { Done::Whole } else { Done::Partly } })
}

/// Opens the state at a moment; damage of the repository is reported on the way.
pub fn open(
    context: &Context,
    repository: &Repository,
    moment_path: &MomentPath,
    machine: &MachineArgs,
) -> Outcome<MomentState> {
    let all = snapshots(context, repository)?.list;
    if all.is_empty() {
        return Err(Failure::new(
            Exit::Failed,
            "the repository holds no snapshots yet",
            "make the first: yore backup PATH",
        ));
    }
    let (list, moment) = match snapshot::named(context, moment_path, &all)? {
        // One snapshot, of any machine.
        Some(moment) => (all, moment),
        None => {
            let list = machine.select(all)?;
            let moment = snapshot::unambiguous_moment(context, moment_path, &list)?;
            (list, moment)
        }
    };
    let parts = state(&list, &moment)
        .map_err(|error| snapshot::no_state_error(context, &moment, &list, error))?;
    let is_salvaged =
        |part: &&Part<'_>| part.snapshot.snapshot.tags.iter().any(|tag| tag == SALVAGED);
    for part in parts.iter().filter(is_salvaged) {
        let id = part.snapshot.id;
        let what =
            "it is what a repair could save: what was lost is not in it (`yore repair` told what)";
        context.screen.problem(&format!("snapshot {id:.8}"), what);
    }
    for part in parts.iter().filter(|part| part.snapshot.snapshot.partial) {
        let id = part.snapshot.id;
        let what = "a backup was cut short: it has what was to be saved first, the other files as of before, and not those \
                    that were new or renamed (`yore snapshots` shows the whole one before it; `yore backup` goes on)";
        context.screen.problem(&format!("snapshot {id:.8}"), what);
    }
    let budget = if repository.is_distant() { DISTANT_BUDGET } else { BUDGET };
    let (reader, problems) = repository.reader(budget)?;
    print_problems(context, problems);
    let root = merge(&reader, &parts)?;
    let zone = context.now.time_zone();
    let labelled =
        |part: &Part<'_>| SourcePart { label: clock::label(part.snapshot, zone), ..part.into() };
    let labelled = parts.iter().map(labelled).collect();
    let hosts = parts.iter().map(|part| part.snapshot.snapshot.host.clone()).collect();
    Ok(MomentState { reader, root, parts: labelled, hosts })
}

/// Finds which path is meant, and what is there.
pub fn locate(state: &MomentState, moment_path: &MomentPath) -> Outcome<(Vec<u8>, Lookup)> {
    for path in &moment_path.paths {
        if let Some(found) = find(&state.reader, &state.root, TreePath::new(path))? {
            return Ok((path.clone(), found));
        }
    }
    let path = moment_path.paths.first().map_or(&[][..], Vec::as_slice);
    Err(Failure::new(
        Exit::Failed,
        format!("there is no {} at that moment", escape::path(path)),
        "`yore ls MOMENT` shows what there is, `yore snapshots` the moments",
    ))
}

/// Reports what is damaged and not needed.
pub fn print_problems(context: &Context, problems: Vec<Error>) {
    for problem in problems {
        context.screen.problem("", &engine_error::message(&problem));
    }
}
