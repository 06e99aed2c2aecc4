//! A destination that records its calls, and fails at a chosen one.

use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use yore_engine::backend::{
    Backend, Capabilities, ChangeToken, ListedObject, NewObject, Published, UnfinishedFile,
};
use yore_engine::format::{Area, ObjectName};
use yore_engine::{Error, Result};
use yore_platform::{ReadBuffer, Space};

/// A call of a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// `prepare`.
    Prepare,
    /// `create` of an object.
    Create(String),
    /// `append` to an object, with the number of bytes.
    Append(String, u64),
    /// `publish` of an object.
    Publish(String),
    /// A read of an object, with the number of bytes.
    Read(String, u64),
    /// `size` of an object.
    Size(String),
    /// `list` of an area.
    List(Area),
    /// `change_token`.
    ChangeToken,
    /// `delete` of an object.
    Delete(String),
    /// `space`.
    Space,
}

impl Call {
    /// Returns true for calls that change the destination, or begin to.
    pub fn is_write(&self) -> bool {
        match self {
            Call::Prepare | Call::Create(_) | Call::Append(..) | Call::Publish(_) => true,
            Call::Delete(_) => true,
            Call::Read(..) | Call::Size(_) | Call::List(_) | Call::ChangeToken | Call::Space => {
                false
            }
        }
    }
}

/// The moment of a crash, relative to the effect of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// The call has no effect.
    Before,
    /// The call has its effect, and its caller gets an error.
    After,
}

/// A fault, and the call at which it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// No fault.
    None,
    /// The machine stops at the call with this number, counted from 0: no later call has an effect.
    Crash(u64, When),
    /// The call with this number fails, the others do not.
    Fails(u64, io::ErrorKind),
    /// The destination is full after this number of appended bytes.
    Full(u64),
    /// The machine stops at this call; if it appends, half of its bytes are written.
    Torn(u64),
}

/// Wraps a destination.
pub struct Faulty {
    inner: Arc<dyn Backend>,
    /// Guards the fault and the calls so far.
    state: Mutex<State>,
}

struct State {
    fault: Fault,
    calls: Vec<Call>,
    appended: u64,
    stopped: bool,
}

/// The part of a call that is executed.
#[derive(PartialEq, Eq)]
enum Execution {
    Do,
    DoAndFail,
    HalfAndFail,
}

impl Faulty {
    /// Wraps a destination so that it has this fault.
    pub fn new(inner: Arc<dyn Backend>, fault: Fault) -> Arc<Self> {
        let state = State { fault, calls: Vec::new(), appended: 0, stopped: false };
        Arc::new(Self { inner, state: Mutex::new(state) })
    }

    /// Returns the calls so far.
    pub fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    /// Forgets the calls so far.
    pub fn forget_calls(&self) {
        self.state().calls.clear();
    }

    /// Returns true once a crash has happened.
    pub fn stopped(&self) -> bool {
        self.state().stopped
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, call: Call) -> Result<Execution> {
        let mut state = self.state();
        let what = format!("{call:?}");
        if state.stopped {
            return Err(failure(what, io::ErrorKind::Other));
        }
        let number = state.calls.len() as u64;
        if let Call::Append(_, bytes) = call {
            state.appended += bytes;
        }
        state.calls.push(call);
        match state.fault {
            Fault::Crash(n, When::Before) if n == number => {
                state.stopped = true;
                Err(failure(what, io::ErrorKind::Other))
            }
            Fault::Crash(n, When::After) if n == number => {
                state.stopped = true;
                Ok(Execution::DoAndFail)
            }
            Fault::Torn(n) if n == number => {
                state.stopped = true;
                Ok(Execution::HalfAndFail)
            }
            Fault::Fails(n, kind) if n == number => Err(failure(what, kind)),
            Fault::Full(limit) if state.appended > limit => {
                Err(failure(what, io::ErrorKind::StorageFull))
            }
            _ => Ok(Execution::Do),
        }
    }

    fn run<T>(&self, call: Call, action: impl FnOnce() -> Result<T>) -> Result<T> {
        let what = format!("{call:?}");
        match self.enter(call)? {
            Execution::Do => action(),
            Execution::DoAndFail | Execution::HalfAndFail => {
                action()?;
                Err(failure(what, io::ErrorKind::Other))
            }
        }
    }
}

fn failure(object: String, kind: io::ErrorKind) -> Error {
    Error::Backend { object, source: io::Error::new(kind, "a fault of the test") }
}

impl Backend for Faulty {
    fn location(&self) -> String {
        self.inner.location()
    }

    fn prepare(&self) -> Result<()> {
        self.run(Call::Prepare, || self.inner.prepare())
    }

    fn create(&self, name: &ObjectName) -> Result<Box<dyn NewObject + '_>> {
        let inner = self.run(Call::Create(name.to_string()), || self.inner.create(name))?;
        Ok(Box::new(FaultyObject { of: self, name: name.to_string(), inner }))
    }

    fn read_into(&self, name: &ObjectName, range: Range<u64>, out: &mut ReadBuffer) -> Result<()> {
        let call = Call::Read(name.to_string(), range.end - range.start);
        self.run(call, || self.inner.read_into(name, range, out))
    }

    fn size(&self, name: &ObjectName) -> Result<Option<u64>> {
        self.run(Call::Size(name.to_string()), || self.inner.size(name))
    }

    fn list(&self, area: Area) -> Result<Vec<ListedObject>> {
        self.run(Call::List(area), || self.inner.list(area))
    }

    fn change_token(&self, areas: &[Area]) -> Result<Option<ChangeToken>> {
        self.run(Call::ChangeToken, || self.inner.change_token(areas))
    }

    fn delete(&self, name: &ObjectName) -> Result<()> {
        self.run(Call::Delete(name.to_string()), || self.inner.delete(name))
    }

    fn space(&self) -> Result<Option<Space>> {
        self.run(Call::Space, || self.inner.space())
    }

    fn unfinished(&self) -> Result<Vec<UnfinishedFile>> {
        self.inner.unfinished()
    }

    fn remove_abandoned(&self) -> Result<()> {
        self.inner.remove_abandoned()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
}

struct FaultyObject<'f> {
    of: &'f Faulty,
    name: String,
    inner: Box<dyn NewObject + 'f>,
}

impl NewObject for FaultyObject<'_> {
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let call = Call::Append(self.name.clone(), bytes.len() as u64);
        let what = format!("{call:?}");
        match self.of.enter(call)? {
            Execution::Do => self.inner.append(bytes),
            Execution::DoAndFail => {
                self.inner.append(bytes)?;
                Err(failure(what, io::ErrorKind::Other))
            }
            Execution::HalfAndFail => {
                self.inner.append(&bytes[..bytes.len() / 2])?;
                Err(failure(what, io::ErrorKind::Other))
            }
        }
    }

    fn publish(self: Box<Self>) -> Result<Published> {
        let Self { of, name, inner } = *self;
        of.run(Call::Publish(name), || inner.publish())
    }
}
