//! Sessions of writers: opened before anything is written, ended by a verdict (FORMAT.md §11).

use std::collections::HashSet;

use yore_platform::Timestamp;

use crate::backend::{self, Published};
use crate::error::{Error, Result};
use crate::format::id::ObjectId;
use crate::format::keys::Keys;
use crate::format::object::{Area, Kind, ObjectName};
use crate::format::record::{ClientId, Outcome, Session, Verdict};
use crate::format::seal;
use crate::repository::destination::Condemned;
use crate::repository::{Behind, BehindCause, Destination, Repository, save_sealed};

pub(super) mod heartbeat;

/// The identity of a writer, as sessions and snapshots record it.
#[derive(Debug, Clone)]
pub struct Writer {
    /// The machine's name.
    pub host: String,
    /// The person or account.
    pub user: String,
    /// The installation.
    pub client: ClientId,
    /// The process, unique on its machine, as the platform identifies it.
    pub process: String,
    /// The program and its version.
    pub program: String,
}

/// The session of a writer on one destination.
pub(crate) struct DestinationSession {
    /// The number of the destination.
    pub(crate) destination: usize,
    pub(crate) id: ObjectId,
    /// The newest generation of prune when it was opened.
    pub(crate) base: u64,
}

/// The sessions of one writer, one on each destination to which it writes.
pub(crate) struct OpenSession {
    /// The sessions, at least one, in the order of the destinations.
    pub(crate) open: Vec<DestinationSession>,
    /// The destinations to which it does not write.
    pub(crate) failed: Vec<Behind>,
    /// The packs that prune has condemned on at least one destination; they count as absent.
    pub(crate) condemned: HashSet<ObjectId>,
    program: String,
}

/// The number of attempts to open a session; each fails when prune publishes a generation meanwhile.
const ATTEMPTS: usize = 8;

/// Opens a session on each of these destinations, based on the newest generation of prune there.
///
/// # Errors
/// When no session could be opened. A destination that fails while another one works is behind.
pub(crate) fn open(
    repository: &Repository,
    destinations: &[usize],
    writer: &Writer,
    now: Timestamp,
) -> Result<OpenSession> {
    repository.must_be_writable()?;
    let program = writer.program.clone();
    let (open, failed, condemned) = (Vec::new(), Vec::new(), HashSet::new());
    let mut session = OpenSession { open, failed, condemned, program };
    for &destination in destinations {
        let place = &repository.destinations()[destination];
        match open_at(repository, place, writer, now) {
            Ok((id, condemned)) => {
                let base = condemned.generation;
                session.open.push(DestinationSession { destination, id, base });
                session.condemned.extend(condemned.packs);
            }
            Err(error) => {
                session.failed.push(Behind { destination, cause: BehindCause::Failed(error) });
            }
        }
    }
    if session.open.is_empty()
        && let Some(Behind { cause: BehindCause::Failed(error), .. }) = session.failed.pop()
    {
        return Err(error);
    }
    Ok(session)
}

/// Opens a session on one destination; returns its id and what is condemned there.
pub(super) fn open_at(
    repository: &Repository,
    destination: &Destination,
    writer: &Writer,
    now: Timestamp,
) -> Result<(ObjectId, Condemned)> {
    repository.must_have_keys(destination)?;
    let keys = &repository.keys;
    for _ in 0..ATTEMPTS {
        let condemned = destination.condemned(keys)?;
        let session = Session {
            base: condemned.generation,
            time: now,
            host: writer.host.clone(),
            client: writer.client,
            process: writer.process.clone(),
            program: writer.program.clone(),
            destination: destination.id(),
        };
        let content = session.encode();
        let id = ObjectId(keys.draw_salt(&content));
        let name = ObjectName::session(id);
        let object = seal::seal_by_any(keys, Kind::Session, &name, id.0, &content);
        backend::save(&**destination.backend(), &name, &object)?;
        if destination.condemned(keys)?.generation == condemned.generation {
            repository.remember(&name, &content);
            return Ok((id, condemned));
        }
        end(destination, keys, id, Outcome::Abort, now, &writer.program)?;
    }
    Err(Error::Overtaken)
}

impl OpenSession {
    /// Returns the id of the session on the first destination, which a snapshot records as its session.
    pub(crate) fn id(&self) -> ObjectId {
        self.open.first().expect("a session is opened on a destination").id
    }

    /// Returns the ids of the sessions on all destinations.
    pub(crate) fn ids(&self) -> Vec<ObjectId> {
        self.open.iter().map(|open| open.id).collect()
    }

    /// Aborts the session, so that none of its snapshots counts.
    pub(crate) fn abort(self, repository: &Repository, now: Timestamp) -> Result<()> {
        for DestinationSession { destination, id, .. } in self.open {
            let destination = &repository.destinations()[destination];
            end(destination, &repository.keys, id, Outcome::Abort, now, &self.program)?;
        }
        Ok(())
    }
}

/// The verdict of a session, ready to be published.
pub(crate) struct SealedVerdict {
    pub(crate) name: ObjectName,
    pub(crate) content: Vec<u8>,
    pub(crate) object: Vec<u8>,
}

/// Seals the verdict of a session.
pub(crate) fn seal_verdict(
    destination: &Destination,
    keys: &Keys,
    session: ObjectId,
    outcome: &Outcome,
    time: Timestamp,
    of: &OpenSession,
) -> SealedVerdict {
    let (outcome, program) = (outcome.clone(), of.program.clone());
    let verdict = Verdict { outcome, time, program, destination: destination.id() };
    let (name, content) = (ObjectName::verdict(session), verdict.encode());
    let object = seal::seal_by_any(keys, Kind::Verdict, &name, keys.draw_salt(&content), &content);
    SealedVerdict { name, content, object }
}

/// Publishes the verdict of a session, unless it has one.
pub(crate) fn end(
    destination: &Destination,
    keys: &Keys,
    session: ObjectId,
    outcome: Outcome,
    time: Timestamp,
    program: &str,
) -> Result<Published> {
    let verdict = Verdict { outcome, time, program: program.into(), destination: destination.id() };
    let name = ObjectName::verdict(session);
    save_sealed(&**destination.backend(), keys, Kind::Verdict, &name, &verdict.encode())
}

/// After so many seconds without a heartbeat, a session is ended wherever its process was.
const SILENT: i64 = 7 * 24 * 60 * 60;

/// Returns whether a session began long ago and has had no heartbeat for as long.
///
/// More can't be known of another machine, or of another boot of this one, which may be that of a copied machine. A
/// writer that is wrongly taken for dead finds its verdict taken, and fails; nothing is lost by a wrong clock.
pub(crate) fn is_silent(
    destination: &Destination,
    keys: &Keys,
    (id, session): (ObjectId, &Session),
    now: Timestamp,
) -> Result<bool> {
    if now.seconds.saturating_sub(session.time.seconds) <= SILENT {
        return Ok(false);
    }
    let names = destination.backend().names(Area::Sessions)?;
    let heartbeats = names.iter().filter(|name| {
        name.id() == Some(id.0) && name.suffix().is_some_and(|suffix| suffix != "end")
    });
    let Some(newest) = heartbeats.max() else { return Ok(true) };
    match destination.heartbeat(keys, newest) {
        Ok(last) => Ok(now.seconds.saturating_sub(last.seconds) > SILENT),
        // It was alive at some time after its begin.
        Err(error) if error.is_of_copy() => Ok(false),
        Err(error) => Err(error),
    }
}
