//! Resuming interrupted backups: their packs are adopted, and their sessions get a verdict.
//!
//! An interrupted backup leaves a session without verdict, packs that no index describes yet, and the unfinished file
//! of the pack that it was writing. The next backup stores only blobs that are in none of the packs:
//!
//! ```text
//! killed        sessions/s1             packs/p1 p2 p3 and half of p4  index/i1 = {p1 p2}
//! clear         sessions/s1             packs/p1 p2 p3                 index/i1
//! open          sessions/s1 s2
//! adopt                                                                index/i1, i2 = {p3}: its blobs are known
//! save, commit  sessions/s1 s2 s2.end   packs/p1 p2 p3 p5              index/i1 i2, i3 = {p5}
//! end_dead      sessions/s1 s1.end s2 s2.end: the next backup does not list packs
//! ```
//!
//! A session of a running process gets no verdict: several backups may work at the same time. Then a pack is adopted
//! that the other describes, too, which does no harm.

use std::collections::BTreeMap;

use yore_platform::boot_id_of;

use crate::error::{Error, Result};
use crate::format::id::ObjectId;
use crate::format::object::{Area, ObjectName};
use crate::format::record::{Outcome, Session, Verdict};
use crate::index::{self, BlobIndex};
use crate::operation::clock::now;
use crate::repository::session::{self, OpenSession, Writer};
use crate::repository::{Destination, Repository};

/// After so many seconds without a heartbeat, a session is ended wherever its process was.
const SILENT: i64 = 7 * 24 * 60 * 60;

/// Returns the sessions without verdict: interrupted ones, and those of running writers.
pub(super) fn left_open(
    sessions: BTreeMap<ObjectId, (Session, Option<Verdict>)>,
) -> Vec<(ObjectId, Session)> {
    let open = sessions.into_iter().filter(|(_, (_, verdict))| verdict.is_none());
    open.map(|(id, (session, _))| (id, session)).collect()
}

/// Removes the unfinished files of killed writers, as far as areas were listed.
///
/// This comes before anything is written: the free room may be less than a session needs.
pub(super) fn clear(repository: &Repository, left: &[(ObjectId, Session)]) -> Result<()> {
    if !left.is_empty() {
        for destination in repository.destinations() {
            destination.backend().names(Area::Packs)?;
        }
    }
    // A file that can't be removed does no harm; `check` and `stats` report it.
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
    let known = index.packs();
    let backend = &**repository.backend();
    let mut adopted = Vec::new();
    // A pack that one destination lacks does not count as present.
    for (id, size) in repository.common_packs()? {
        if known.contains(&id) || session.condemned.contains(&id) {
            continue;
        }
        match index::load_contents(backend, &repository.keys, id, size) {
            Ok(pack) => adopted.push(pack),
            // Nothing refers to it; `check` reports it.
            Err(Error::Damaged { .. } | Error::Missing { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    if !adopted.is_empty() {
        let id = repository.save_index(&adopted)?;
        index.add(&adopted, &[id], repository.cache.as_deref());
    }
    Ok(index)
}

/// Gives a verdict to the dead sessions of this installation, whose packs are in an index by now.
pub(super) fn end_dead(repository: &Repository, left: &[(ObjectId, Session)], writer: &Writer) {
    let own = left.iter().filter(|(_, session)| session.client == writer.client);
    for (id, session) in own {
        let destinations = repository.destinations().iter();
        let mut its = destinations.filter(|destination| destination.id() == session.destination);
        let Some(destination) = its.next() else { continue };
        // A process of this boot, maybe in a container, counts as alive until it is known to have ended: a first backup
        // may take weeks.
        let boot = boot_id_of(&session.process);
        let is_of_this_boot = boot.is_some() && boot == boot_id_of(&writer.process);
        let is_given_up = !is_of_this_boot && is_silent(destination, *id, session);
        if !yore_platform::is_alive(&session.process) || is_given_up {
            let (keys, program) = (&repository.keys, &writer.program);
            // Without a verdict, the next backup looks for packs to adopt once more.
            let _ = session::end(destination, keys, *id, Outcome::Abort, now(), program);
        }
    }
}

/// Returns whether a session began long ago and has no heartbeat.
///
/// More can't be known of another machine, or of another boot of this one, which may be that of a copied machine.
fn is_silent(destination: &Destination, id: ObjectId, session: &Session) -> bool {
    if now().seconds.saturating_sub(session.time.seconds) <= SILENT {
        return false;
    }
    let is_sign_of_life = |name: &ObjectName| {
        name.id() == Some(id.0) && name.suffix().is_some_and(|suffix| suffix != "end")
    };
    destination
        .backend()
        .names(Area::Sessions)
        .is_ok_and(|names| !names.iter().any(is_sign_of_life))
}
