//! Repacking: the kept blobs of some packs are written to new packs, in the order in which they are.
//!
//! It is a session of a writer like that of a backup, which commits no snapshot. Each blob is compared with its name
//! before it is written; a pack that can't be read stays where it is.

use std::collections::HashSet;

use crossbeam_channel::{Sender, bounded};

use super::Task;
use super::analysis::Analysis;
use super::report::Amount;
use super::view::View;
use crate::error::{Error, Result};
use crate::format::id::{BlobId, ObjectId};
use crate::format::keys::BlobKind;
use crate::format::object::ObjectName;
use crate::format::pack::PackKind;
use crate::index::Location;
use crate::operation::clock::now;
use crate::operation::observer::{Event, Unit};
use crate::repository::{MirrorWriter, session};
use crate::store::buffers::blob_bytes::BlobBytes;
use crate::store::{StoreState, store_blobs};

/// Frames whose blobs are read ahead of those that are written.
const AHEAD: usize = 4;

/// The outcome of repacking.
#[derive(Default)]
pub(super) struct Repacked {
    /// The packs whose kept blobs have another copy now.
    pub(super) moved: Vec<u32>,
    pub(super) written: Amount,
    /// The errors of packs that could not be read.
    pub(super) problems: Vec<Error>,
}

/// A message of the reading thread.
enum Read {
    /// The kept blobs of a frame.
    Blobs(Vec<(BlobKind, BlobId, Vec<u8>)>),
    /// A pack was read to its end, or an error met in it.
    End(u32, Option<Error>),
}

/// Moves the kept blobs of some packs.
///
/// # Errors
/// [`Error::Overtaken`] when another run has published a generation meanwhile; the error of the destination.
pub(super) fn run(
    task: &Task<'_>,
    view: &View,
    analysis: &Analysis,
    packs: &[u32],
) -> Result<Repacked> {
    if packs.is_empty() {
        return Ok(Repacked::default());
    }
    let Task { repository, destination, writer, observer, .. } = *task;
    let mut destinations = vec![destination];
    destinations.extend(&view.whole_others);
    let opened = session::open(repository, &destinations, writer, now())?;
    let is_current = opened
        .open
        .iter()
        .any(|one| one.destination == destination && one.base == view.generations.newest());
    if !is_current {
        opened.abort(repository, now())?;
        return Err(Error::Overtaken);
    }
    let mirrors = MirrorWriter::start(repository, opened, observer);
    match write(task, view, analysis, packs, &mirrors) {
        Ok(repacked) => {
            let behind = mirrors.commit(&[], now())?;
            match behind.into_iter().find(|one| one.destination == destination) {
                // Without its new packs here, nothing may be condemned here.
                Some(one) => Err(one.into_error()),
                None => Ok(repacked),
            }
        }
        Err(error) => {
            if let Some(session) = mirrors.stop() {
                // What was written is in an index; the next run finds it or condemns it.
                let _ = session.abort(repository, now());
            }
            Err(error)
        }
    }
}

fn write(
    task: &Task<'_>,
    view: &View,
    analysis: &Analysis,
    packs: &[u32],
    mirrors: &MirrorWriter<'_>,
) -> Result<Repacked> {
    let Task { repository, observer, .. } = *task;
    let table = &analysis.table;
    let sizes = packs.iter().map(|number| table.packs()[*number as usize].size);
    observer.event(Event::Counting(Unit::Packs));
    observer.event(Event::Expected { files: packs.len() as u64, bytes: sizes.sum() });
    let usable = |id: &ObjectId| view.packs.contains_key(id) && !view.generations.condemns(id);
    let leaving: HashSet<ObjectId> =
        packs.iter().map(|number| table.packs()[*number as usize].id).collect();
    let absent = table.packs().iter().map(|pack| pack.id);
    let absent = absent.filter(|id| leaving.contains(id) || !usable(id));
    let index = table.without(absent);
    let state = StoreState::new(repository, Some(mirrors));
    let (reads, reads_out) = bounded(AHEAD);
    let mut repacked = Repacked::default();
    let stored = std::thread::scope(|scope| {
        scope.spawn(move || read(task, analysis, packs, reads));
        store_blobs(&state, index, |store| {
            for read in reads_out {
                match read {
                    Read::Blobs(blobs) => {
                        for (kind, id, bytes) in blobs {
                            store.add(kind, id, BlobBytes::whole(bytes))?;
                        }
                    }
                    Read::End(number, None) => repacked.moved.push(number),
                    Read::End(_, Some(Error::Interrupted)) => return Err(Error::Interrupted),
                    Read::End(_, Some(error)) => repacked.problems.push(error),
                }
            }
            Ok(())
        })
    });
    let ((), bytes) = stored?;
    repacked.written = Amount { packs: state.written_packs(), bytes };
    Ok(repacked)
}

/// Reads the kept blobs of packs in their order; the channel closes at the end.
fn read(task: &Task<'_>, analysis: &Analysis, packs: &[u32], reads: Sender<Read>) {
    for &number in packs {
        let pack = analysis.table.packs()[number as usize];
        let error = read_pack(task, analysis, number, pack.kind, &reads).err();
        let is_interrupted = matches!(error, Some(Error::Interrupted));
        task.observer.event(Event::Done { files: 1, bytes: pack.size });
        // The other side has ended.
        if reads.send(Read::End(number, error)).is_err() || is_interrupted {
            return;
        }
    }
}

fn read_pack(
    task: &Task<'_>,
    analysis: &Analysis,
    number: u32,
    kind: PackKind,
    reads: &Sender<Read>,
) -> Result<()> {
    let mut kept = analysis.table.blobs_of(number);
    kept.retain(|(position, ..)| analysis.kept.contains(*position));
    for blobs in kept.chunk_by(|(.., one), (.., next)| one.number == next.number) {
        if task.observer.interrupted() {
            return Err(Error::Interrupted);
        }
        let loaded = load(task, analysis, kind, blobs)?;
        reads.send(Read::Blobs(loaded)).map_err(|_| Error::Interrupted)?;
    }
    Ok(())
}

/// Reads blobs of one frame, and finds the kind of each, by which it has its name.
fn load(
    task: &Task<'_>,
    analysis: &Analysis,
    kind: PackKind,
    blobs: &[(usize, BlobId, Location)],
) -> Result<Vec<(BlobKind, BlobId, Vec<u8>)>> {
    let Some((.., location)) = blobs.first() else { return Ok(Vec::new()) };
    let frame = analysis.reader.frame(location)?;
    let damaged = |reason| Error::damaged(ObjectName::pack(location.pack).as_str(), reason);
    let mut found = Vec::with_capacity(blobs.len());
    for (.., location) in blobs {
        let (start, length) = (location.at as usize, location.length as usize);
        let bytes = start.checked_add(length).and_then(|end| frame.bytes().get(start..end));
        found.push(bytes.ok_or_else(|| damaged("a blob exceeds it"))?);
    }
    let kinds: &[BlobKind] = match kind {
        PackKind::Data => &[BlobKind::Data],
        PackKind::Tree => &[BlobKind::Tree, BlobKind::List],
    };
    let mut named = vec![None; blobs.len()];
    for kind in kinds {
        let ids = task.repository.keys.blob_ids(*kind, &found);
        for ((named, id), (_, wanted, _)) in named.iter_mut().zip(ids).zip(blobs) {
            if id == *wanted {
                *named = Some(*kind);
            }
        }
    }
    let mut loaded = Vec::with_capacity(blobs.len());
    for ((kind, (_, id, _)), bytes) in named.into_iter().zip(blobs).zip(found) {
        let kind = kind.ok_or_else(|| damaged("it does not hold the blob that it should"))?;
        loaded.push((kind, *id, bytes.to_vec()));
    }
    Ok(loaded)
}
