//! A destination that counts requests and dependent round trips.
//!
//! A request takes a while, as over a network, so that requests which are made at the same time overlap. The round of
//! a request is one more than that of the last request that had ended when it began: the number of round trips that
//! must have passed one after the other. A machine that starts threads late counts too many, never too few.

use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use yore_engine::backend::{Backend, Capabilities, ListedObject, NewObject, Published};
use yore_engine::format::{Area, ObjectName};
use yore_engine::{Error, Result};
use yore_platform::{ReadBuffer, Space};

use super::Call;

/// Wraps a destination as one at a distance.
pub struct Distance {
    inner: Arc<dyn Backend>,
    delay: Duration,
    is_away: AtomicBool,
    /// Guards the requests since they were taken last.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    requests: Vec<Call>,
    /// The round of the last request that has ended.
    ended: u64,
    in_flight: usize,
    most_in_flight: usize,
}

/// The requests of an operation.
#[derive(Debug)]
pub struct Requests {
    /// The requests in the order in which they began; the publication of an object is one.
    pub all: Vec<Call>,
    /// The number of round trips that passed one after the other.
    pub rounds: u64,
    /// The most requests at the same time.
    pub most_in_flight: usize,
}

impl Distance {
    /// Wraps a destination; each request takes `delay`.
    pub fn new(inner: Arc<dyn Backend>, delay: Duration) -> Arc<Self> {
        let (is_away, state) = (AtomicBool::new(false), Mutex::default());
        Arc::new(Self { inner, delay, is_away, state })
    }

    /// Puts the destination out of reach, or back.
    pub fn set_away(&self, is_away: bool) {
        self.is_away.store(is_away, Ordering::Relaxed);
    }

    /// Takes the requests since the last call.
    pub fn take(&self) -> Requests {
        let state = std::mem::take(&mut *self.state());
        let State { requests, ended, most_in_flight, .. } = state;
        Requests { all: requests, rounds: ended, most_in_flight }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn request<T>(&self, call: Call, action: impl FnOnce() -> Result<T>) -> Result<T> {
        if self.is_away.load(Ordering::Relaxed) {
            let source = io::Error::new(io::ErrorKind::NotConnected, "out of reach, for the test");
            return Err(Error::Backend { object: format!("{call:?}"), source });
        }
        let round = {
            let mut state = self.state();
            state.requests.push(call);
            state.in_flight += 1;
            state.most_in_flight = state.most_in_flight.max(state.in_flight);
            state.ended + 1
        };
        std::thread::sleep(self.delay);
        let outcome = action();
        let mut state = self.state();
        state.ended = state.ended.max(round);
        state.in_flight = state.in_flight.saturating_sub(1);
        outcome
    }
}

impl Backend for Distance {
    fn location(&self) -> String {
        self.inner.location()
    }

    fn prepare(&self) -> Result<()> {
        self.request(Call::Prepare, || self.inner.prepare())
    }

    fn create(&self, name: &ObjectName) -> Result<Box<dyn NewObject + '_>> {
        Ok(Box::new(DistantObject {
            of: self,
            name: name.to_string(),
            inner: self.inner.create(name)?,
        }))
    }

    fn read_into(&self, name: &ObjectName, range: Range<u64>, out: &mut ReadBuffer) -> Result<()> {
        let call = Call::Read(name.to_string(), range.end - range.start);
        self.request(call, || self.inner.read_into(name, range, out))
    }

    fn load(&self, name: &ObjectName, limit: u64) -> Result<ReadBuffer> {
        self.request(Call::Read(name.to_string(), limit), || self.inner.load(name, limit))
    }

    fn size(&self, name: &ObjectName) -> Result<Option<u64>> {
        self.request(Call::Size(name.to_string()), || self.inner.size(name))
    }

    fn list(&self, area: Area) -> Result<Vec<ListedObject>> {
        self.request(Call::List(area), || self.inner.list(area))
    }

    fn list_areas(&self, areas: &[Area]) -> Result<Option<Vec<Vec<ListedObject>>>> {
        self.request(Call::ListAreas(areas.to_vec()), || self.inner.list_areas(areas))
    }

    fn delete(&self, name: &ObjectName) -> Result<()> {
        self.request(Call::Delete(name.to_string()), || self.inner.delete(name))
    }

    fn space(&self) -> Result<Option<Space>> {
        self.request(Call::Space, || self.inner.space())
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { cheap_requests: false, ..self.inner.capabilities() }
    }
}

struct DistantObject<'d> {
    of: &'d Distance,
    name: String,
    inner: Box<dyn NewObject + 'd>,
}

impl NewObject for DistantObject<'_> {
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.inner.append(bytes)
    }

    fn publish(self: Box<Self>) -> Result<Published> {
        let Self { of, name, inner } = *self;
        of.request(Call::Publish(name), || inner.publish())
    }

    fn replace(self: Box<Self>) -> Result<()> {
        let Self { of, name, inner } = *self;
        of.request(Call::Replace(name), || inner.replace())
    }
}
