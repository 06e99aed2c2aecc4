//! The queues of several destinations, and the threads that serve them.
//!
//! Example: two destinations, the second of which writes at a tenth of the speed. Its queue is full after a while, and
//! the writer waits for room in it although the first queue is empty. When those waits are more than half of the time
//! so far, the second destination is behind: its queue is dropped, and the writer goes on at the speed of the first.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::BehindCause;
use crate::backend::{self, Backend, NewObject, Published};
use crate::error::{Error, Result};
use crate::format::object::ObjectName;
use crate::operation::observer::Observer;

/// Bytes that wait for one destination. The queues share their memory.
const QUEUED: usize = 32 << 20;
/// Bytes for which a job without bytes counts.
const JOB: usize = 256;
/// The waits for one destination alone after which it may be behind.
const PATIENCE: Duration = Duration::from_secs(5);
/// The time that the queues get after an error of the writer.
const DRAIN: Duration = Duration::from_secs(10);
/// The interval in which a waiting writer looks for an interrupt.
const TICK: Duration = Duration::from_millis(100);

/// A request to a destination.
#[derive(Clone)]
pub(super) enum Job {
    Create(u64, ObjectName),
    Append(u64, Arc<[u8]>),
    Publish(u64),
    /// Removes an object that is not published.
    Drop(u64),
    Save(ObjectName, Arc<[u8]>),
    /// Saves a verdict, which nobody else may have saved.
    Commit(ObjectName, Arc<[u8]>),
}

impl Job {
    fn bytes(&self) -> usize {
        match self {
            Job::Create(..) | Job::Publish(_) | Job::Drop(_) => JOB,
            Job::Append(_, bytes) | Job::Save(_, bytes) | Job::Commit(_, bytes) => {
                JOB + bytes.len()
            }
        }
    }
}

/// The queue of one destination.
#[derive(Default)]
struct Lane {
    jobs: VecDeque<Job>,
    /// Bytes of the jobs that are not done.
    queued: usize,
    /// The thread is executing a job.
    is_busy: bool,
    /// The reason why it gets no more jobs.
    behind: Option<BehindCause>,
    /// The time for which the writer waited for this destination alone.
    waited: Duration,
}

impl Lane {
    fn is_idle(&self) -> bool {
        self.jobs.is_empty() && !self.is_busy
    }

    fn fall_behind(&mut self, cause: BehindCause) {
        self.behind.get_or_insert(cause);
        self.jobs.clear();
    }
}

struct Shared {
    /// Guards the queues.
    lanes: Mutex<Vec<Lane>>,
    /// Signalled when a job is done.
    room: Condvar,
    /// Signalled when a job is queued, and at the end.
    work: Condvar,
    /// No more jobs come.
    is_ended: AtomicBool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Vec<Lane>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self) {
        let lanes = self.lock();
        self.is_ended.store(true, Ordering::Relaxed);
        drop(lanes);
        self.work.notify_all();
    }
}

/// The queues, as the writer sees them.
pub(super) struct Lanes<'r> {
    shared: Arc<Shared>,
    observer: &'r dyn Observer,
    began: Instant,
    objects: AtomicU64,
}

/// The thread of one destination.
pub(super) struct Worker {
    shared: Arc<Shared>,
    number: usize,
}

impl<'r> Lanes<'r> {
    /// Makes queues; returns them with the workers that serve them.
    pub(super) fn new(count: usize, observer: &'r dyn Observer) -> (Self, Vec<Worker>) {
        let shared = Arc::new(Shared {
            lanes: Mutex::new((0..count).map(|_| Lane::default()).collect()),
            room: Condvar::new(),
            work: Condvar::new(),
            is_ended: AtomicBool::new(false),
        });
        let worker = |number| Worker { shared: Arc::clone(&shared), number };
        let workers = (0..count).map(worker).collect();
        let (began, objects) = (Instant::now(), AtomicU64::new(0));
        (Self { shared, observer, began, objects }, workers)
    }

    /// Returns the number of a new object.
    pub(super) fn next_number(&self) -> u64 {
        self.objects.fetch_add(1, Ordering::Relaxed)
    }

    /// Queues a job for every destination that is not behind.
    ///
    /// # Errors
    /// The first error of a destination, once all are behind.
    pub(super) fn push(&self, job: &Job) -> Result<()> {
        let count = self.shared.lock().len();
        for number in 0..count {
            self.push_to(number, job.clone())?;
        }
        let mut lanes = self.shared.lock();
        match lanes.iter().all(|lane| lane.behind.is_some()) {
            true => Err(take_error(&mut lanes)),
            false => Ok(()),
        }
    }

    /// Queues a job for one destination, and waits for room.
    pub(super) fn push_to(&self, number: usize, job: Job) -> Result<()> {
        let mut lanes = self.shared.lock();
        loop {
            let lane = &mut lanes[number];
            if lane.behind.is_some() {
                return Ok(());
            }
            if lane.is_idle() || lane.queued + job.bytes() <= QUEUED {
                lane.queued += job.bytes();
                lane.jobs.push_back(job);
                drop(lanes);
                self.shared.work.notify_all();
                return Ok(());
            }
            if self.observer.interrupted() {
                return Err(Error::Interrupted);
            }
            let waits_for_it_alone = waits_for_alone(&lanes, number);
            let began = Instant::now();
            let waited = self.shared.room.wait_timeout(lanes, TICK);
            lanes = waited.unwrap_or_else(PoisonError::into_inner).0;
            if waits_for_it_alone {
                let lane = &mut lanes[number];
                lane.waited += began.elapsed();
                if lane.waited > PATIENCE.max(self.began.elapsed() / 2) {
                    lane.fall_behind(BehindCause::Slow);
                }
            }
        }
    }

    /// Waits until every destination has done its jobs or is behind; returns the reason for each that is.
    pub(super) fn finish(self) -> Result<Vec<Option<BehindCause>>> {
        let mut lanes = self.shared.lock();
        while !lanes.iter().all(|lane| lane.is_idle() || lane.behind.is_some()) {
            if self.observer.interrupted() {
                drop(lanes);
                self.cancel();
                return Err(Error::Interrupted);
            }
            let waited = self.shared.room.wait_timeout(lanes, TICK);
            lanes = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let causes = lanes.iter_mut().map(|lane| lane.behind.take()).collect();
        drop(lanes);
        self.shared.end();
        Ok(causes)
    }

    /// Waits a while for the jobs that are queued and drops the rest; returns true if all are done everywhere.
    pub(super) fn drain(self) -> bool {
        let began = Instant::now();
        let mut lanes = self.shared.lock();
        let is_open = |lane: &Lane| !lane.is_idle() && lane.behind.is_none();
        while lanes.iter().any(is_open) && began.elapsed() < DRAIN {
            let waited = self.shared.room.wait_timeout(lanes, TICK);
            lanes = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let is_whole = lanes.iter().all(|lane| lane.is_idle() && lane.behind.is_none());
        drop(lanes);
        self.cancel();
        is_whole
    }

    /// Drops all jobs that are not done.
    fn cancel(&self) {
        self.shared.lock().iter_mut().for_each(|lane| lane.jobs.clear());
        self.shared.end();
    }
}

/// Returns true if every other destination that is not behind has done all its jobs.
fn waits_for_alone(lanes: &[Lane], number: usize) -> bool {
    let mut others =
        lanes.iter().enumerate().filter(|(other, lane)| *other != number && lane.behind.is_none());
    others.clone().next().is_some() && others.all(|(_, lane)| lane.is_idle())
}

/// Takes the first error of a destination; later calls return [`Error::Interrupted`].
fn take_error(lanes: &mut [Lane]) -> Error {
    let failed = lanes.iter_mut().find_map(|lane| match lane.behind.take() {
        Some(BehindCause::Failed(error)) => {
            lane.behind = Some(BehindCause::Failed(Error::Interrupted));
            Some(error)
        }
        other => {
            lane.behind = other;
            None
        }
    });
    failed.unwrap_or(Error::Interrupted)
}

impl Worker {
    /// Executes the jobs of the destination until there are no more, or one fails.
    pub(super) fn run(self, backend: &dyn Backend) {
        let mut objects = HashMap::new();
        while let Some(job) = self.next() {
            let bytes = job.bytes();
            let outcome = execute(backend, &mut objects, job);
            let mut lanes = self.shared.lock();
            let lane = &mut lanes[self.number];
            lane.is_busy = false;
            lane.queued = lane.queued.saturating_sub(bytes);
            if let Err(error) = outcome {
                tracing::warn!(location = backend.location(), %error, "destination falls behind");
                lane.fall_behind(BehindCause::Failed(error));
            }
            drop(lanes);
            self.shared.room.notify_all();
        }
    }

    /// Waits for the next job; `None` at the end, and once the destination is behind.
    fn next(&self) -> Option<Job> {
        let mut lanes = self.shared.lock();
        loop {
            let lane = &mut lanes[self.number];
            if lane.behind.is_some() {
                return None;
            }
            if let Some(job) = lane.jobs.pop_front() {
                lane.is_busy = true;
                return Some(job);
            }
            if self.shared.is_ended.load(Ordering::Relaxed) {
                return None;
            }
            lanes = self.shared.work.wait(lanes).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

type Objects<'b> = HashMap<u64, Box<dyn NewObject + 'b>>;

fn execute<'b>(backend: &'b dyn Backend, objects: &mut Objects<'b>, job: Job) -> Result<()> {
    match job {
        Job::Create(number, name) => drop(objects.insert(number, backend.create(&name)?)),
        Job::Append(number, bytes) => {
            objects.get_mut(&number).map_or(Ok(()), |object| object.append(&bytes))?;
        }
        Job::Publish(number) => {
            // An id is drawn at random: an object of that name can only be this one.
            objects.remove(&number).map_or(Ok(()), |object| object.publish().map(drop))?;
        }
        Job::Drop(number) => drop(objects.remove(&number)),
        Job::Save(name, bytes) => drop(backend::save(backend, &name, &bytes)?),
        Job::Commit(name, bytes) => {
            if backend::save(backend, &name, &bytes)? == Published::Exists {
                return Err(Error::Overtaken);
            }
        }
    }
    Ok(())
}
