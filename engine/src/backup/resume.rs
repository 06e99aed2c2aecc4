//! Taking over what interrupted backups left: packs that reached the destination, and sessions
//! without a verdict.

use std::collections::BTreeMap;

use crate::clock::now;
use crate::error::{Error, Result};
use crate::format::id::ObjectId;
use crate::format::object::{Area, ObjectName};
use crate::format::record::{Outcome, Session, Verdict};
use crate::index::{self, BlobIndex};
use crate::repository::session::{self, OpenSession, Writer};
use crate::repository::{Destination, Repository};

/// After so many seconds without a sign of life, a session is given up wherever its process was.
const SILENT: i64 = 7 * 24 * 60 * 60;

/// Finds the sessions that have no verdict: interrupted ones, and those of writers at work.
pub(super) fn left_open(
    sessions: BTreeMap<ObjectId, (Session, Option<Verdict>)>,
) -> Vec<(ObjectId, Session)> {
    let open = sessions.into_iter().filter(|(_, (_, verdict))| verdict.is_none());
    open.map(|(id, (session, _))| (id, session)).collect()
}

/// Frees the room that killed writers' unfinished files take, as far as areas were listed.
///
/// Before anything is written: what is left of the room may be less than a session needs.
pub(super) fn clear(repository: &Repository, left: &[(ObjectId, Session)]) -> Result<()> {
    if !left.is_empty() {
        for destination in repository.destinations() {
            destination.backend().names(Area::Packs)?;
        }
    }
    repository.remove_abandoned();
    Ok(())
}

/// Adopts the packs that no index describes, if a session may have left some.
///
/// A pack is published whole, with contents that only a holder of the keys can seal, so its blobs
/// are as good as indexed ones.
pub(super) fn adopt(
    repository: &Repository,
    left: &[(ObjectId, Session)],
    session: &OpenSession,
    mut index: BlobIndex,
) -> Result<BlobIndex> {
    if left.is_empty() {
        return Ok(index);
    }
    let mut known = index.packs();
    let mut adopted = Vec::new();
    for destination in repository.destinations() {
        let backend = &**destination.backend();
        for stored in backend.list(Area::Packs)? {
            let Some(id) = stored.name.id().map(ObjectId) else { continue };
            if known.contains(&id) || session.condemned.contains(&id) {
                continue;
            }
            match index::load_contents(backend, &repository.keys, id, stored.size) {
                Ok(pack) => {
                    known.insert(id);
                    adopted.push(pack);
                }
                // It is nobody's; `check` tells of it.
                Err(Error::Damaged { .. } | Error::Missing { .. }) => {}
                Err(error) => return Err(error),
            }
        }
    }
    if !adopted.is_empty() {
        let id = repository.save_index(&adopted)?;
        index.add(&adopted, &[id], repository.cache.as_deref());
    }
    Ok(index)
}

/// Gives sessions of this installation that are given up for dead their verdict, now that what they wrote is
/// in use.
pub(super) fn end_dead(repository: &Repository, left: &[(ObjectId, Session)], writer: &Writer) {
    let own = left.iter().filter(|(_, session)| session.client == writer.client);
    for (id, session) in own {
        let destinations = repository.destinations().iter();
        let mut its = destinations.filter(|destination| destination.id() == session.destination);
        let Some(destination) = its.next() else { continue };
        if !yore_platform::is_alive(&session.process) || is_silent(destination, *id, session) {
            let (keys, program) = (&repository.keys, &writer.program);
            // Without it, the next backup looks for packs to adopt once more.
            let _ = session::end(destination, keys, *id, Outcome::Abort, now(), program);
        }
    }
}

/// Tells whether a session began long ago and gave no sign of life. Another machine, or another boot of this
/// one, which may be that of a copied machine, can't know more.
fn is_silent(destination: &Destination, id: ObjectId, session: &Session) -> bool {
    if now().seconds.saturating_sub(session.time.seconds) <= SILENT {
        return false;
    }
    let is_sign = |name: &ObjectName| {
        name.id() == Some(id.0) && name.suffix().is_some_and(|suffix| suffix != "end")
    };
    destination.backend().names(Area::Sessions).is_ok_and(|names| !names.iter().any(is_sign))
}
