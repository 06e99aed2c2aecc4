//! Sessions of writers: opened before anything is written, ended by a verdict (FORMAT.md §11).

use std::collections::HashSet;

use yore_platform::Timestamp;

use crate::backend::{self, Published};
use crate::error::{Error, Result};
use crate::format::id::{ObjectId, SnapshotId};
use crate::format::keys::Keys;
use crate::format::object::{Kind, ObjectName};
use crate::format::record::{ClientId, Outcome, Session, Verdict};
use crate::format::seal;
use crate::repository::{Destination, Repository, save_sealed};

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

/// The sessions of one writer, one on each destination.
pub(crate) struct OpenSession {
    /// The id of each session, in the order of the destinations.
    ids: Vec<ObjectId>,
    /// The packs that prune has condemned on at least one destination; they count as absent.
    pub(crate) condemned: HashSet<ObjectId>,
    program: String,
}

/// The number of attempts to open a session; each fails when prune publishes a generation meanwhile.
const ATTEMPTS: usize = 8;

/// Opens a session on each destination, based on the newest generation of prune there.
pub(crate) fn open(
    repository: &Repository,
    writer: &Writer,
    now: Timestamp,
) -> Result<OpenSession> {
    if let Some(feature) = &repository.header.unknown_to_writers {
        let location = repository.location();
        return Err(Error::Unsupported { location, feature: format!("the feature {feature:?}") });
    }
    let program = writer.program.clone();
    let mut session = OpenSession { ids: Vec::new(), condemned: HashSet::new(), program };
    for destination in repository.destinations() {
        match open_at(destination, &repository.keys, writer, now) {
            Ok((id, condemned)) => {
                session.ids.push(id);
                session.condemned.extend(condemned);
            }
            Err(error) => {
                let _ = session.abort(repository, now);
                return Err(error);
            }
        }
    }
    Ok(session)
}

/// Opens a session on one destination; returns its id and the packs condemned there.
fn open_at(
    destination: &Destination,
    keys: &Keys,
    writer: &Writer,
    now: Timestamp,
) -> Result<(ObjectId, HashSet<ObjectId>)> {
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
        let object = seal::seal_whole(keys, Kind::Session, &name, id.0, &content);
        backend::save(&**destination.backend(), &name, &object)?;
        if destination.condemned(keys)?.generation == condemned.generation {
            return Ok((id, condemned.packs));
        }
        end(destination, keys, id, Outcome::Abort, now, &writer.program)?;
    }
    Err(Error::Overtaken)
}

impl OpenSession {
    /// Returns the id of the session on the first destination, which a snapshot records as its session.
    pub(crate) fn id(&self) -> ObjectId {
        *self.ids.first().expect("a session is opened on every destination")
    }

    /// Commits the snapshots on one destination after the other.
    ///
    /// # Errors
    /// [`Error::Overtaken`] when another writer regarded this session as abandoned and aborted it first.
    pub(crate) fn commit(
        self,
        repository: &Repository,
        snapshots: &[SnapshotId],
        now: Timestamp,
    ) -> Result<()> {
        let outcome = || Outcome::Commit(snapshots.to_vec());
        for (destination, id) in repository.destinations().iter().zip(&self.ids) {
            match end(destination, &repository.keys, *id, outcome(), now, &self.program)? {
                Published::Created => {}
                Published::Exists => return Err(Error::Overtaken),
            }
        }
        Ok(())
    }

    /// Aborts the session, so that none of its snapshots counts.
    pub(crate) fn abort(self, repository: &Repository, now: Timestamp) -> Result<()> {
        for (destination, id) in repository.destinations().iter().zip(&self.ids) {
            end(destination, &repository.keys, *id, Outcome::Abort, now, &self.program)?;
        }
        Ok(())
    }
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
