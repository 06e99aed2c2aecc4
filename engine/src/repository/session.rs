//! A writer's session: opened before anything is written, ended by its verdict (FORMAT.md §11).

use std::collections::HashSet;

use yore_platform::Timestamp;

use crate::backend::{self, Published};
use crate::error::{Error, Result};
use crate::format::id::{ObjectId, SnapshotId};
use crate::format::object::{Kind, ObjectName};
use crate::format::record::{ClientId, Outcome, Session, Verdict};
use crate::format::seal;
use crate::repository::{Repository, save_sealed};

/// Who writes.
#[derive(Debug, Clone)]
pub struct Writer {
    /// The machine's name.
    pub host: String,
    /// The person or account.
    pub user: String,
    /// The installation.
    pub client: ClientId,
    /// The process, unique on its machine, in the platform's words.
    pub process: String,
    /// Program and version.
    pub program: String,
}

/// An open session.
pub(crate) struct OpenSession {
    pub(crate) id: ObjectId,
    /// Packs that count as absent.
    pub(crate) condemned: HashSet<ObjectId>,
    program: String,
}

/// How often opening a session starts over because prune came between.
const ATTEMPTS: usize = 8;

/// Opens a session, against the newest generation of prune.
pub(crate) fn open(
    repository: &Repository,
    writer: &Writer,
    now: Timestamp,
) -> Result<OpenSession> {
    if let Some(feature) = &repository.header.unknown_to_writers {
        let location = repository.location();
        return Err(Error::Unsupported { location, feature: format!("the feature {feature:?}") });
    }
    for _ in 0..ATTEMPTS {
        let (base, condemned) = repository.condemned()?;
        let session = Session {
            base,
            time: now,
            host: writer.host.clone(),
            client: writer.client,
            process: writer.process.clone(),
            program: writer.program.clone(),
            destination: repository.destination,
        };
        let content = session.encode();
        let id = ObjectId(repository.keys.draw_salt(&content));
        let name = ObjectName::session(id);
        let object = seal::seal_whole(&repository.keys, Kind::Session, &name, id.0, &content);
        backend::save(&*repository.backend, &name, &object)?;
        let opened = OpenSession { id, condemned, program: writer.program.clone() };
        if repository.condemned()?.0 == base {
            return Ok(opened);
        }
        end(repository, id, Outcome::Abort, now, &writer.program)?;
    }
    Err(Error::Overtaken)
}

impl OpenSession {
    /// Ends the session so that its snapshots exist.
    ///
    /// # Errors
    /// [`Error::Overtaken`] when somebody gave it up for dead and aborted it first.
    pub(crate) fn commit(
        self,
        repository: &Repository,
        snapshots: Vec<SnapshotId>,
        now: Timestamp,
    ) -> Result<()> {
        match end(repository, self.id, Outcome::Commit(snapshots), now, &self.program)? {
            Published::Created => Ok(()),
            Published::Exists => Err(Error::Overtaken),
        }
    }

    /// Ends the session so that nothing of it counts.
    pub(crate) fn abort(self, repository: &Repository, now: Timestamp) -> Result<()> {
        end(repository, self.id, Outcome::Abort, now, &self.program).map(drop)
    }
}

/// Gives a session its verdict, unless it has one.
pub(crate) fn end(
    repository: &Repository,
    session: ObjectId,
    outcome: Outcome,
    time: Timestamp,
    program: &str,
) -> Result<Published> {
    let destination = repository.destination;
    let verdict = Verdict { outcome, time, program: program.into(), destination };
    let name = ObjectName::verdict(session);
    save_sealed(&*repository.backend, &repository.keys, Kind::Verdict, &name, &verdict.encode())
}
