//! A writer of objects that are the same on several destinations: the source is read once.
//!
//! One destination is written directly. Of several, each has a thread with a bounded queue and takes the objects in
//! their order, so the order of durability (packs, indexes, snapshot, verdict) holds at each of them without waiting
//! for the others:
//!
//! ```text
//!                        ┌─ queue ─► thread ─► first destination      packs, index, snapshot, verdict
//! pack writer ─ append ──┤
//!                        └─ queue ─► thread ─► second destination     packs, then it fails: behind
//! ```
//!
//! A destination that fails is behind: it gets nothing more, and its verdict is never written, so nothing that it
//! lacks counts there. The others go on. The same happens to one that makes the others wait for too long.

use std::sync::Arc;
use std::thread::JoinHandle;

use yore_platform::Timestamp;

use super::Repository;
use super::session::heartbeat::Pulse;
use super::session::{self, OpenSession, SealedVerdict};
use crate::backend::{self, Backend, NewObject, Published};
use crate::error::{Error, Result};
use crate::format::id::{ObjectId, SnapshotId};
use crate::format::object::ObjectName;
use crate::format::pack::PackInfo;
use crate::format::record::Outcome;
use crate::index;
use crate::operation::observer::Observer;

mod lanes;
pub(super) mod targets;

use lanes::{Job, Lanes};

/// The reason why a destination did not get a snapshot in the pass that the others got it.
#[derive(Debug)]
pub enum BehindCause {
    /// It lacked objects of earlier snapshots when the pass began.
    Lacking,
    /// It failed.
    Failed(Error),
    /// It made the others wait for more than half of the time.
    Slow,
}

/// A destination that did not get a snapshot in the pass that the others got it.
#[derive(Debug)]
pub struct Behind {
    /// The number of the destination in the repository.
    pub destination: usize,
    /// The reason.
    pub cause: BehindCause,
}

impl Behind {
    /// Returns the error that made it fall behind.
    pub(crate) fn into_error(self) -> Error {
        match self.cause {
            BehindCause::Failed(error) => error,
            BehindCause::Lacking | BehindCause::Slow => Error::Overtaken,
        }
    }
}

/// Writes objects to each destination of a session.
pub(crate) struct MirrorWriter<'r> {
    repository: &'r Repository,
    session: OpenSession,
    route: Route<'r>,
    pulse: Pulse,
}

enum Route<'r> {
    /// To the only destination.
    Direct(Arc<dyn Backend>),
    /// To several, by a thread each.
    Queues(Lanes<'r>, Vec<JoinHandle<()>>),
}

/// An object that is being written. Dropping it unpublished removes it.
pub(crate) enum UnfinishedObject<'w> {
    /// At the only destination.
    Direct(Box<dyn NewObject + 'w>),
    /// At several.
    Queued(QueuedObject<'w>),
}

/// An object in the queues of several destinations.
pub(crate) struct QueuedObject<'w> {
    lanes: &'w Lanes<'w>,
    number: u64,
    is_published: bool,
}

impl Drop for QueuedObject<'_> {
    fn drop(&mut self) {
        if !self.is_published {
            // After an error no destination writes any more.
            let _ = self.lanes.push(&Job::Drop(self.number));
        }
    }
}

impl<'r> MirrorWriter<'r> {
    /// Starts a thread for each destination of `session`, if there are several.
    pub(crate) fn start(
        repository: &'r Repository,
        session: OpenSession,
        observer: &'r dyn Observer,
    ) -> Self {
        let backend = |number: usize| Arc::clone(repository.destinations()[number].backend());
        let route = match &*session.open {
            [only] => Route::Direct(backend(only.destination)),
            several => {
                let (lanes, workers) = Lanes::new(several.len(), observer);
                let start = |(worker, open): (lanes::Worker, &session::DestinationSession)| {
                    let backend = backend(open.destination);
                    std::thread::spawn(move || worker.run(&*backend))
                };
                let threads = workers.into_iter().zip(several).map(start).collect();
                Route::Queues(lanes, threads)
            }
        };
        Self { repository, session, route, pulse: Pulse::default() }
    }

    /// Returns the session.
    pub(crate) fn session(&self) -> &OpenSession {
        &self.session
    }

    /// Returns true if objects go to one destination whose requests cost a round trip each.
    pub(crate) fn is_distant(&self) -> bool {
        match &self.route {
            Route::Direct(backend) => !backend.capabilities().cheap_requests,
            // Each has a thread that waits for it.
            Route::Queues(..) => false,
        }
    }

    /// Leaves a sign of life when one is due.
    fn beat(&self) -> Result<()> {
        let Some(number) = self.pulse.due() else { return Ok(()) };
        for (lane, open) in self.session.open.iter().enumerate() {
            let (name, object) = self.session.heartbeat(self.repository, open, number);
            match &self.route {
                Route::Direct(backend) => drop(backend::save(&**backend, &name, &object)?),
                Route::Queues(lanes, _) => lanes.push_to(lane, Job::Save(name, object.into()))?,
            }
        }
        Ok(())
    }

    /// Begins an object.
    pub(crate) fn create(&self, name: &ObjectName) -> Result<UnfinishedObject<'_>> {
        self.beat()?;
        Ok(match &self.route {
            Route::Direct(backend) => UnfinishedObject::Direct(backend.create(name)?),
            Route::Queues(lanes, _) => {
                let number = lanes.next_number();
                lanes.push(&Job::Create(number, name.clone()))?;
                UnfinishedObject::Queued(QueuedObject { lanes, number, is_published: false })
            }
        })
    }

    /// Saves a small object.
    pub(crate) fn save(&self, name: &ObjectName, bytes: Vec<u8>) -> Result<()> {
        match &self.route {
            Route::Direct(backend) => backend::save(&**backend, name, &bytes).map(drop),
            Route::Queues(lanes, _) => lanes.push(&Job::Save(name.clone(), bytes.into())),
        }
    }

    /// Saves packs as an index object.
    pub(crate) fn save_index(&self, packs: &[PackInfo]) -> Result<ObjectId> {
        let (name, id, object) = index::seal(&self.repository.keys, packs, &self.session.ids());
        self.save(&name, object)?;
        Ok(id)
    }

    /// Commits the snapshots at each destination that has everything, and waits until it is durable there.
    ///
    /// Returns the destinations that are behind.
    ///
    /// # Errors
    /// When no destination committed them. [`Error::Overtaken`] when another writer regarded the session as abandoned
    /// and aborted it first.
    pub(crate) fn commit(self, snapshots: &[SnapshotId], now: Timestamp) -> Result<Vec<Behind>> {
        let Self { repository, session, route, .. } = self;
        let outcome = Outcome::Commit(snapshots.to_vec());
        let verdict = |open: &session::DestinationSession| {
            let destination = &repository.destinations()[open.destination];
            session::seal_verdict(destination, &repository.keys, open.id, &outcome, now, &session)
        };
        match route {
            Route::Direct(backend) => {
                for open in &session.open {
                    let SealedVerdict { name, content, object } = verdict(open);
                    if backend::save(&*backend, &name, &object)? == Published::Exists {
                        let location = backend.location();
                        tracing::warn!(location, session = %open.id, "session aborted by another");
                        return Err(Error::Overtaken);
                    }
                    repository.remember(&name, &content);
                }
                Ok(session.failed)
            }
            Route::Queues(lanes, threads) => {
                for (number, open) in session.open.iter().enumerate() {
                    let SealedVerdict { name, object, .. } = verdict(open);
                    lanes.push_to(number, Job::Commit(name, object.into()))?;
                }
                let mut behind = session.failed;
                let outcomes = lanes.finish()?;
                // The thread of a destination that is behind may still wait for it; it ends by itself.
                drop(threads);
                let is_committed = outcomes.iter().any(Option::is_none);
                let named = session.open.iter().zip(outcomes);
                behind.extend(named.filter_map(|(open, cause)| {
                    Some(Behind { destination: open.destination, cause: cause? })
                }));
                match behind.pop() {
                    Some(Behind { cause: BehindCause::Failed(error), .. }) if !is_committed => {
                        Err(error)
                    }
                    last => {
                        behind.extend(last);
                        Ok(behind)
                    }
                }
            }
        }
    }

    /// Ends without a verdict; returns the session, unless a destination may lack an index of what was written.
    pub(crate) fn stop(self) -> Option<OpenSession> {
        let Self { session, route, .. } = self;
        let Route::Queues(lanes, threads) = route else { return Some(session) };
        let is_whole = lanes.drain();
        threads.into_iter().for_each(|thread| drop(thread.join()));
        is_whole.then_some(session)
    }
}

impl UnfinishedObject<'_> {
    /// Appends bytes.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<()> {
        match self {
            UnfinishedObject::Direct(object) => object.append(bytes),
            UnfinishedObject::Queued(object) => {
                object.lanes.push(&Job::Append(object.number, bytes.into()))
            }
        }
    }

    /// Publishes the object; each of several destinations does so before it takes the next object.
    pub(crate) fn publish(self) -> Result<()> {
        match self {
            UnfinishedObject::Direct(object) => object.publish().map(drop),
            UnfinishedObject::Queued(mut object) => {
                object.is_published = true;
                object.lanes.push(&Job::Publish(object.number))
            }
        }
    }
}
