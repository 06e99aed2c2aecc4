//! Copy: snapshots of another repository are brought into this one, which has other keys and maybe other parameters.
//!
//! Names of blobs and places of cuts derive from a repository's keys, so contents are read, cut and stored anew. What is
//! equal in the snapshot before is not: a copy and its source are read side by side, and a directory or file that the
//! source has unchanged is the one that the copy has (`tree.rs`).
//!
//! ```text
//! source repository     this repository
//! S1 ─────────────────► C1, origin S1         everything is read
//! S2 ─────────────────► C2, origin S2         what S1 has in the same place is taken from C1
//! S3, in a later run ─► C3, origin S3         likewise: S2 and C2 are both there
//! ```
//!
//! Each copy is committed by a session of its own and records its origin, so a run that is killed leaves whole copies,
//! and the next one makes those that are missing. A copy of a copy has the first origin: snapshots that went around by
//! other repositories are recognised, too.

use std::collections::{HashMap, HashSet};

use self::census::Census;
use crate::error::{Error, Refusal, Result};
use crate::format::id::SnapshotId;
use crate::format::record::Origin;
use crate::maintenance::Repeat;
use crate::operation::observer::{Event, Observer, Unit};
use crate::operation::run::Run;
use crate::read::reader::Reader;
use crate::repository::{Behind, Problems, Repository, Snapshots, Writer};
use crate::snapshots::SnapshotEntry;

mod census;
mod content;
mod one;
#[cfg(test)]
mod tests;
mod tree;

/// Bytes of decoded frames of the source that are kept.
const BUDGET: usize = 64 << 20;

/// The options of a copy.
#[derive(Debug, Clone, Copy)]
pub struct CopyOptions<'a> {
    /// The name of the write-only machine of whose inbox the snapshots are: each copy has it as its host, and what they
    /// say of their origin is not believed, so that no machine passes for another one.
    pub machine: Option<&'a str>,
    /// The treatment of copies that were forgotten.
    pub repeat: Repeat,
    /// Whether anything is written.
    pub run: Run,
}

/// A snapshot that was, or would be, copied.
#[derive(Debug)]
pub struct Copied {
    /// The snapshot of the other repository.
    pub source: SnapshotEntry,
    /// The copy; `None` in a dry run.
    pub copy: Option<SnapshotId>,
    /// Bytes of blobs that this repository did not have.
    pub new_bytes: u64,
    /// The same, as stored.
    pub stored_bytes: u64,
}

/// A snapshot that could not be copied, since it can't be read as a whole, or has what this version does not know.
#[derive(Debug)]
pub struct NotCopied {
    /// The snapshot of the other repository.
    pub source: SnapshotEntry,
    /// The path in the snapshot that could not be read.
    pub path: Vec<u8>,
    /// The error.
    pub error: Error,
}

/// The result of a copy.
#[derive(Debug, Default)]
pub struct CopyReport {
    /// The snapshots that were copied, in their order.
    pub copied: Vec<Copied>,
    /// The number of snapshots of which this repository has a copy.
    pub present: u64,
    /// The number of snapshots whose copy was forgotten here.
    pub forgotten: u64,
    /// The snapshots that were not copied.
    pub failed: Vec<NotCopied>,
    /// The errors of snapshots and indexes of the other repository that could not be read.
    pub problems: Problems,
    /// The destinations that do not have all of the copies.
    pub behind: Vec<Behind>,
}

/// Copies the snapshots that `choose` accepts from one repository to another, in their order.
///
/// # Errors
/// The repositories are one; one of them can't be reached; this repository can't be written. Copies that were committed
/// before remain.
pub fn copy(
    from: &Repository,
    to: &Repository,
    choose: &dyn Fn(&SnapshotEntry) -> bool,
    options: CopyOptions<'_>,
    writer: &Writer,
    observer: &dyn Observer,
) -> Result<CopyReport> {
    from.must_be_own()?;
    to.must_be_own()?;
    if from.id() == to.id() {
        return Err(Refusal::SameRepository { location: from.location() }.into());
    }
    let source = from.snapshots()?;
    let here = to.snapshots()?;
    // A snapshot that can't be read may be a copy.
    if let Some(problem) = here.problems.into_iter().next() {
        return Err(problem);
    }
    let mut report = CopyReport { problems: source.problems, ..CopyReport::default() };
    let here = Snapshots { problems: Problems::new(), ..here };
    let known = KnownOrigins::of(to, &here);
    let mut chosen = Vec::new();
    for (at, entry) in source.list.iter().enumerate().filter(|(_, entry)| choose(entry)) {
        let origin = origin_of(from, entry, options.machine);
        if known.present.contains(&origin) {
            report.present += 1;
        } else if options.repeat == Repeat::Never && known.forgotten.contains(&origin) {
            report.forgotten += 1;
        } else if let Err(error) = allow_copy(from, entry, options.machine) {
            report.failed.push(NotCopied { source: entry.clone(), path: Vec::new(), error });
        } else {
            chosen.push(at);
        }
    }
    if options.run == Run::Dry {
        let planned = |at: usize| Copied {
            source: source.list[at].clone(),
            copy: None,
            new_bytes: 0,
            stored_bytes: 0,
        };
        report.copied.extend(chosen.into_iter().map(planned));
        return Ok(report);
    }
    let (reader, problems) = from.reader(BUDGET)?;
    report.problems.extend(problems);
    observer.event(Event::Counting(Unit::Files));
    observer.event(expected(chosen.iter().map(|at| &source.list[*at])));
    let machine = options.machine;
    let census = machine.is_some().then(Census::new);
    let job =
        Job { from, to, machine, census, list: &source.list, reader: &reader, writer, observer };
    let mut verified = HashSet::new();
    for at in chosen {
        match job.copy(at, &mut verified)? {
            one::Outcome::Copied(copied, behind) => {
                report.copied.push(*copied);
                report.behind.extend(behind);
            }
            one::Outcome::Unreadable(path, error) => {
                report.failed.push(NotCopied { source: source.list[at].clone(), path, error });
            }
            one::Outcome::Present => report.present += 1,
        }
    }
    Ok(report)
}

/// Returns the event of what is to be copied.
fn expected<'s>(chosen: impl Iterator<Item = &'s SnapshotEntry>) -> Event {
    let totals = chosen.map(|entry| entry.snapshot.totals);
    let (files, bytes) = totals.fold((0u64, 0u64), |(files, bytes), totals| {
        (files.saturating_add(totals.files), bytes.saturating_add(totals.bytes))
    });
    Event::Expected { files, bytes }
}

/// Fails for a snapshot with parts of which this program does not know what they mean in a copy. What a write-only
/// machine says beyond what is known is not taken over.
fn allow_copy(from: &Repository, entry: &SnapshotEntry, machine: Option<&str>) -> Result<()> {
    match machine {
        None => entry.snapshot.unknown.allow_another(&from.location(), entry.id),
        Some(_) => Ok(()),
    }
}

/// The repositories of a copy, and what stays the same for all of its snapshots.
struct Job<'a> {
    from: &'a Repository,
    to: &'a Repository,
    /// The machine of whose inbox the snapshots are, if it is one.
    machine: Option<&'a str>,
    /// The files of what was copied, where the source's own numbers are not believed.
    census: Option<Census>,
    /// The snapshots of the source, in their order.
    list: &'a [SnapshotEntry],
    /// Reads the source.
    reader: &'a Reader,
    writer: &'a Writer,
    observer: &'a dyn Observer,
}

/// Returns the origin that a copy of a snapshot records: that of the snapshot itself, if it is a copy, and no write-only
/// machine says so.
fn origin_of(repository: &Repository, entry: &SnapshotEntry, machine: Option<&str>) -> Origin {
    let own = || Origin::Snapshot { repository: repository.id(), snapshot: entry.id };
    if machine.is_some() {
        return own();
    }
    match entry.snapshot.origin {
        Some(origin @ Origin::Snapshot { .. }) => origin,
        // The folder is what another import of it would be recognised by, here as there.
        Some(origin @ Origin::Folder(_)) => origin,
        None => own(),
    }
}

/// The origins of a repository's snapshots; its own snapshots are origins of copies elsewhere.
struct KnownOrigins {
    present: HashSet<Origin>,
    forgotten: HashSet<Origin>,
}

impl KnownOrigins {
    fn of(repository: &Repository, known: &Snapshots) -> Self {
        let own = |snapshot| Origin::Snapshot { repository: repository.id(), snapshot };
        let present = known.list.iter().flat_map(|one| [Some(own(one.id)), one.snapshot.origin]);
        let forgotten =
            known.forgotten.iter().flat_map(|one| [Some(own(one.snapshot)), one.origin]);
        Self { present: present.flatten().collect(), forgotten: forgotten.flatten().collect() }
    }
}

/// Finds the snapshot whose copy is most like that of another: the nearest before it of its machine and sources, or
/// of its machine, that `copies` has.
fn nearest<'s>(
    from: &Repository,
    list: &'s [SnapshotEntry],
    at: usize,
    copies: &HashMap<Origin, SnapshotId>,
    machine: Option<&str>,
) -> Option<(&'s SnapshotEntry, SnapshotId)> {
    let wanted = &list[at].snapshot;
    let before = || list[..at].iter().rev().filter(|one| one.snapshot.host == wanted.host);
    let with_copy =
        |one: &'s SnapshotEntry| Some((one, *copies.get(&origin_of(from, one, machine))?));
    let same = before().filter(|one| one.snapshot.sources == wanted.sources);
    same.filter_map(with_copy).next().or_else(|| before().filter_map(with_copy).next())
}
