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

use crate::error::{Error, Refusal, Result};
use crate::format::id::ObjectId;
use crate::format::object::{Area, ObjectName};
use crate::format::record::{Outcome, Session, Verdict};
use crate::index::{self, BlobIndex};
use crate::operation::clock::now;
use crate::repository::session::{self, Writer};
use crate::repository::{MirrorWriter, Repository, WriterIndex};

/// Returns the sessions without verdict: interrupted ones, and those of running writers.
pub(crate) fn left_open(
    sessions: BTreeMap<ObjectId, (Session, Option<Verdict>)>,
) -> Vec<(ObjectId, Session)> {
    let open = sessions.into_iter().filter(|(_, (_, verdict))| verdict.is_none());
    open.map(|(id, (session, _))| (id, session)).collect()
}

/// Removes the unfinished files of killed writers, as far as areas were listed.
///
/// This comes before anything is written: the free room may be less than a session needs.
pub(crate) fn clear(repository: &Repository, left: &[(ObjectId, Session)]) {
    for destination in repository.destinations() {
        let backend = destination.backend();
        if !left.is_empty() {
            // A destination that can't be listed keeps its files until the next time.
            let _ = backend.names(Area::Packs);
        }
        if !left.is_empty() || backend.capabilities().cheap_requests {
            // A file that can't be removed does no harm; `check` and `stats` report it.
            let _ = backend.remove_abandoned();
        }
    }
}

/// Adopts the packs that no index describes, if a session may have left some.
///
/// A pack is published whole, with contents that only a holder of the keys can seal, so its blobs
/// are as good as indexed ones.
pub(crate) fn adopt(
    repository: &Repository,
    left: &[(ObjectId, Session)],
    destinations: &MirrorWriter<'_>,
    found: WriterIndex,
) -> Result<BlobIndex> {
    let WriterIndex { mut index, packs, .. } = found;
    if left.is_empty() {
        return Ok(index);
    }
    let known = index.pack_sizes();
    let mut adopted = Vec::new();
    // A pack that one destination lacks does not count as present.
    for (id, size) in packs {
        if known.contains_key(&id) || destinations.session().condemned.contains(&id) {
            continue;
        }
        let contents = repository.mirrors.read(&ObjectName::pack(id), |backend| {
            index::load_contents(backend, &repository.keys, id, size)
        });
        match contents {
            Ok(pack) => adopted.push(pack),
            // Nothing refers to it; `check` reports it.
            Err(Error::Damaged { .. } | Error::Missing { .. }) => {}
            // A write-only machine opens no data packs; those that it has described in an index it knows.
            Err(Error::Refused(Refusal::WriteOnly)) => {}
            Err(error) => return Err(error),
        }
    }
    if !adopted.is_empty() {
        let id = destinations.save_index(&adopted)?;
        index.add(&adopted, &[id], repository.cache.as_deref());
    }
    Ok(index)
}

/// Gives a verdict to the dead sessions of this installation, whose packs are in an index by now.
pub(crate) fn end_dead(repository: &Repository, left: &[(ObjectId, Session)], writer: &Writer) {
    let own = left.iter().filter(|(_, session)| session.client == writer.client);
    for (id, session) in own {
        let destinations = repository.destinations().iter();
        let mut its = destinations.filter(|destination| destination.id() == session.destination);
        let Some(destination) = its.next() else { continue };
        // A process of this boot, maybe in a container, counts as alive until it is known to have ended: a first backup
        // may take weeks.
        let boot = boot_id_of(&session.process);
        let is_of_this_boot = boot.is_some() && boot == boot_id_of(&writer.process);
        let is_silent = || {
            session::is_silent(destination, &repository.keys, (*id, session), now())
                .unwrap_or(false)
        };
        let is_given_up = !is_of_this_boot && is_silent();
        if !yore_platform::is_alive(&session.process) || is_given_up {
            let (keys, program) = (&repository.keys, &writer.program);
            // Without a verdict, the next backup looks for packs to adopt once more.
            let _ = session::end(destination, keys, *id, Outcome::Abort, now(), program);
        }
    }
}
