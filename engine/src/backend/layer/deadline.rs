//! Read requests with a time limit.
//!
//! A system call on a disk or share that was disconnected may block for minutes and can't be cancelled.
//! Worker threads therefore make the requests, and the caller stops waiting at the limit. A blocked
//! worker takes no other request until its call returns; the number of workers is limited.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use yore_platform::{ReadBuffer, Space, Timestamp};

use crate::backend::{Backend, Capabilities, ChangeToken, ListedObject, NewObject, UnfinishedFile};
use crate::error::{Error, Result};
use crate::format::object::{Area, ObjectName};

/// The most worker threads.
const THREADS: usize = 16;

type Request = Box<dyn FnOnce(&dyn Backend) + Send>;

/// A backend that limits the time of each read request.
pub struct Deadline {
    inner: Arc<dyn Backend>,
    limit: Duration,
    requests: Sender<Request>,
    queue: Receiver<Request>,
    threads: AtomicUsize,
}

impl Deadline {
    /// Limits each read request to `inner`; writes have no limit.
    pub fn new(inner: Arc<dyn Backend>, limit: Duration) -> Self {
        let (requests, queue) = bounded(0);
        Self { inner, limit, requests, queue, threads: AtomicUsize::new(0) }
    }

    fn call<T: Send + 'static>(
        &self,
        request: impl FnOnce(&dyn Backend) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (sender, reply) = bounded(1);
        let request: Request = Box::new(move |backend| {
            // The caller may have stopped waiting.
            let _ = sender.send(request(backend));
        });
        if let Err(unsent) = self.requests.try_send(request) {
            self.add_thread();
            let request = unsent.into_inner();
            if self.requests.send_timeout(request, self.limit).is_err() {
                return Err(self.timed_out());
            }
        }
        match reply.recv_timeout(self.limit) {
            Ok(result) => result,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                Err(self.timed_out())
            }
        }
    }

    /// Starts another worker thread, up to [`THREADS`].
    fn add_thread(&self) {
        let more = |threads| (threads < THREADS).then_some(threads + 1);
        if self.threads.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_err() {
            return;
        }
        let (queue, inner) = (self.queue.clone(), Arc::clone(&self.inner));
        let started = thread::Builder::new().name("destination".into()).spawn(move || {
            // The loop ends when the backend is dropped.
            for request in queue {
                request(&*inner);
            }
        });
        if started.is_err() {
            self.threads.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn timed_out(&self) -> Error {
        let source = io::Error::new(
            io::ErrorKind::TimedOut,
            format!("no answer within {} s", self.limit.as_secs()),
        );
        Error::Backend { object: self.inner.location(), source }
    }
}

impl Backend for Deadline {
    forward!(
        location,
        prepare,
        create,
        delete,
        extend_lock,
        locked_until,
        remove_abandoned,
        disturbances,
        capabilities
    );

    fn read_into(&self, name: &ObjectName, range: Range<u64>, out: &mut ReadBuffer) -> Result<()> {
        // The worker owns the buffer; a caller that stops waiting does not get it back.
        let (name, mut bytes) = (name.clone(), std::mem::take(out));
        *out = self.call(move |inner| {
            inner.read_into(&name, range, &mut bytes)?;
            Ok(bytes)
        })?;
        Ok(())
    }

    fn load(&self, name: &ObjectName, limit: u64) -> Result<ReadBuffer> {
        let name = name.clone();
        self.call(move |inner| inner.load(&name, limit))
    }

    fn size(&self, name: &ObjectName) -> Result<Option<u64>> {
        let name = name.clone();
        self.call(move |inner| inner.size(&name))
    }

    fn list(&self, area: Area) -> Result<Vec<ListedObject>> {
        self.call(move |inner| inner.list(area))
    }

    fn names(&self, area: Area) -> Result<Vec<ObjectName>> {
        self.call(move |inner| inner.names(area))
    }

    fn list_areas(&self, areas: &[Area]) -> Result<Option<Vec<Vec<ListedObject>>>> {
        let areas = areas.to_vec();
        self.call(move |inner| inner.list_areas(&areas))
    }

    fn change_token(&self, areas: &[Area]) -> Result<Option<ChangeToken>> {
        let areas = areas.to_vec();
        self.call(move |inner| inner.change_token(&areas))
    }

    fn space(&self) -> Result<Option<Space>> {
        self.call(|inner| inner.space())
    }

    fn unfinished(&self) -> Result<Vec<UnfinishedFile>> {
        self.call(|inner| inner.unfinished())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::{Folder, save};

    #[test]
    fn calls_from_many_threads_return_their_results() {
        let folder = tempfile::tempdir().expect("a folder");
        let inner: Arc<dyn Backend> = Arc::new(Folder::new(folder.path().join("r")));
        inner.prepare().expect("prepared");
        let name = ObjectName::header();
        save(&*inner, &name, b"some bytes").expect("saved");
        let deadline = Deadline::new(inner, Duration::from_secs(60));
        assert_eq!(deadline.size(&name).expect("a result"), Some(10));
        assert_eq!(*deadline.read(&name, 5..10).expect("a result"), *b"bytes");
        assert!(deadline.read(&name, 6..11).is_err());
        thread::scope(|scope| {
            for _ in 0..40 {
                scope.spawn(|| assert_eq!(deadline.size(&name).expect("a result"), Some(10)));
            }
        });
        assert!(deadline.threads.load(Ordering::Relaxed) <= THREADS);
    }
}
