//! A destination that records its calls, and has a fault at a chosen one.

use std::io::{self, ErrorKind};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use yore_engine::backend::{
    Backend, Capabilities, ChangeToken, ListedObject, NewObject, UnfinishedFile,
};
use yore_engine::format::{Area, ObjectName};
use yore_engine::{Error, Result};
use yore_platform::{ReadBuffer, Space};

use super::Memory;

mod call;
mod kind;
mod object;

pub use call::Call;
pub use kind::{Expected, FAULTS, FaultKind, HARMLESS_FAULTS, When};

use object::FaultyObject;

/// The number of calls for which stale lists lack what was published.
const STALE_FOR: u64 = 12;

/// A fault, and the call at which it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// No fault.
    None,
    /// A fault at the call with this number, counted from 0.
    At(u64, FaultKind),
    /// The destination is full after this number of appended bytes.
    Full(u64),
}

/// Wraps a destination.
pub struct Faulty {
    inner: Arc<dyn Backend>,
    /// The destination that takes the place of `inner` when that is exchanged.
    elsewhere: Arc<dyn Backend>,
    /// Guards the fault and the calls so far.
    state: Mutex<State>,
    /// Signalled when a call begins to hang, and when it is released.
    hang: Condvar,
}

struct State {
    fault: Fault,
    calls: Vec<Call>,
    appended: u64,
    /// The names that were published, each with the number of the call.
    published: Vec<(String, u64)>,
    /// The fault has happened.
    has_happened: bool,
    stopped: bool,
    exchanged: bool,
    truncated: Option<String>,
    hanging: bool,
    released: bool,
}

/// The part of a call that is executed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Execution {
    Do,
    DoAndFail(ErrorKind),
    HalfAndFail(ErrorKind),
    /// The call succeeds with a wrong result.
    Distort(FaultKind),
}

impl Faulty {
    /// Wraps a destination so that it has this fault.
    pub fn new(inner: Arc<dyn Backend>, fault: Fault) -> Arc<Self> {
        Self::with(inner, fault, Arc::new(Memory::distant()))
    }

    /// Wraps a destination so that it has this fault; `elsewhere` takes its place when that is the fault.
    pub fn with(inner: Arc<dyn Backend>, fault: Fault, elsewhere: Arc<dyn Backend>) -> Arc<Self> {
        let state = State {
            fault,
            calls: Vec::new(),
            appended: 0,
            published: Vec::new(),
            has_happened: false,
            stopped: false,
            exchanged: false,
            truncated: None,
            hanging: false,
            released: false,
        };
        Arc::new(Self { inner, elsewhere, state: Mutex::new(state), hang: Condvar::new() })
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

    /// Returns true once the fault has happened.
    pub fn has_happened(&self) -> bool {
        self.state().has_happened
    }

    /// Waits until a call hangs, and lets it return; returns as soon as nothing can hang any more.
    pub fn release_what_hangs(&self) {
        let mut state = self.state();
        while !state.hanging && !state.released {
            state = self.hang.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.released = true;
        self.hang.notify_all();
    }

    /// Lets no call hang any more.
    pub fn release(&self) {
        self.state().released = true;
        self.hang.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, call: Call) -> Result<Execution> {
        let what = format!("{call:?}");
        let mut state = self.state();
        if state.stopped {
            return Err(failure(what, ErrorKind::Other));
        }
        let number = state.calls.len() as u64;
        match &call {
            Call::Append(_, bytes) => state.appended += bytes,
            Call::Publish(name) => state.published.push((name.clone(), number)),
            _ => {}
        }
        state.calls.push(call.clone());
        let (at, kind) = match state.fault {
            Fault::At(at, kind) if number >= at && kind.concerns(&call) => (at, kind),
            Fault::Full(limit) if state.appended > limit => {
                return Err(failure(what, ErrorKind::StorageFull));
            }
            Fault::None | Fault::At(..) | Fault::Full(_) => return Ok(Execution::Do),
        };
        let Some(effect) = state.effect(kind, number - at, &call) else { return Ok(Execution::Do) };
        state.has_happened = true;
        match effect {
            Effect::Fail(error) => Err(failure(what, error)),
            Effect::Execute(execution) => Ok(execution),
            Effect::Hang => {
                state.hanging = true;
                self.hang.notify_all();
                drop(self.hang.wait_while(state, |state| !state.released));
                Ok(Execution::Do)
            }
            Effect::Slow => {
                drop(state);
                std::thread::sleep(Duration::from_millis(1));
                Ok(Execution::Do)
            }
        }
    }

    fn run<T>(&self, call: Call, action: impl FnOnce(&dyn Backend) -> Result<T>) -> Result<T> {
        self.distorted(call, |backend, _| action(backend))
    }

    /// Executes a call whose result the action itself makes wrong.
    fn distorted<T>(
        &self,
        call: Call,
        action: impl FnOnce(&dyn Backend, Option<FaultKind>) -> Result<T>,
    ) -> Result<T> {
        let what = format!("{call:?}");
        match self.enter(call)? {
            Execution::Do => action(self.target(), None),
            Execution::Distort(kind) => action(self.target(), Some(kind)),
            Execution::DoAndFail(error) | Execution::HalfAndFail(error) => {
                action(self.target(), None)?;
                Err(failure(what, error))
            }
        }
    }

    /// Returns what is at the destination now.
    fn target(&self) -> &dyn Backend {
        if self.state().exchanged { &*self.elsewhere } else { &*self.inner }
    }

    /// Returns true for objects that stale lists lack.
    fn is_fresh(&self, name: &ObjectName) -> bool {
        let state = self.state();
        let oldest = (state.calls.len() as u64).saturating_sub(STALE_FOR);
        state.published.iter().any(|(other, at)| other == name.as_str() && *at >= oldest)
    }
}

/// What a fault does to a call.
enum Effect {
    Fail(ErrorKind),
    Execute(Execution),
    Hang,
    Slow,
}

impl State {
    /// Returns what a fault does to a call that it concerns, so many calls after its first; `None` for nothing.
    fn effect(&mut self, kind: FaultKind, after: u64, call: &Call) -> Option<Effect> {
        use Execution::{DoAndFail, HalfAndFail};
        let is_first = after == 0;
        match kind {
            FaultKind::Once(error, When::Before) => is_first.then_some(Effect::Fail(error)),
            FaultKind::Once(error, When::After) => {
                is_first.then_some(Effect::Execute(DoAndFail(error)))
            }
            FaultKind::Thrice(error) => (after < 3).then_some(Effect::Fail(error)),
            FaultKind::WritesFail(error) => Some(Effect::Fail(error)),
            FaultKind::TornAppend => {
                is_first.then_some(Effect::Execute(HalfAndFail(ErrorKind::ConnectionReset)))
            }
            FaultKind::Crash(_) | FaultKind::CrashInAppend if !is_first => None,
            FaultKind::Crash(when) => {
                self.stopped = true;
                KILLED.fetch_add(1, Ordering::Relaxed);
                Some(match when {
                    When::Before => Effect::Fail(ErrorKind::Other),
                    When::After => Effect::Execute(DoAndFail(ErrorKind::Other)),
                })
            }
            FaultKind::CrashInAppend => {
                self.stopped = true;
                KILLED.fetch_add(1, Ordering::Relaxed);
                Some(Effect::Execute(HalfAndFail(ErrorKind::Other)))
            }
            FaultKind::Truncated => {
                let object = call.object()?;
                let truncated = self.truncated.get_or_insert_with(|| object.to_owned());
                (truncated == object).then_some(Effect::Execute(Execution::Distort(kind)))
            }
            FaultKind::OtherRepository | FaultKind::NothingThere => {
                self.exchanged = true;
                Some(Effect::Execute(Execution::Do))
            }
            FaultKind::StaleLists | FaultKind::DeletesIgnored => {
                Some(Effect::Execute(Execution::Distort(kind)))
            }
            FaultKind::Hang => is_first.then_some(Effect::Hang),
            FaultKind::Slow => Some(Effect::Slow),
            FaultKind::ShortRead
            | FaultKind::FlippedBit
            | FaultKind::ListLacksOne
            | FaultKind::ListIsEmpty
            | FaultKind::SizeTooLarge
            | FaultKind::SizeTooSmall
            | FaultKind::IsMissing
            | FaultKind::DuplicateCreator => {
                is_first.then_some(Effect::Execute(Execution::Distort(kind)))
            }
        }
    }
}

/// The points at which operations were killed in this process.
static KILLED: AtomicU64 = AtomicU64::new(0);

/// Returns at how many points operations were killed so far, by all tests of this process.
pub fn killed_so_far() -> u64 {
    KILLED.load(Ordering::Relaxed)
}

fn failure(object: String, kind: ErrorKind) -> Error {
    Error::Backend { object, source: io::Error::new(kind, "a fault of the test") }
}

/// Makes a size wrong.
fn distort_size(size: u64, kind: Option<FaultKind>) -> u64 {
    match kind {
        Some(FaultKind::SizeTooLarge) => size + 1,
        Some(FaultKind::SizeTooSmall) => size.saturating_sub(1),
        Some(FaultKind::Truncated) => size / 2,
        _ => size,
    }
}

impl Backend for Faulty {
    fn location(&self) -> String {
        self.inner.location()
    }

    fn prepare(&self) -> Result<()> {
        self.run(Call::Prepare, |target| target.prepare())
    }

    fn create(&self, name: &ObjectName) -> Result<Box<dyn NewObject + '_>> {
        self.run(Call::Create(name.to_string()), |_| Ok(()))?;
        let inner = self.target().create(name)?;
        Ok(Box::new(FaultyObject { of: self, name: name.to_string(), inner }))
    }

    fn read_into(&self, name: &ObjectName, range: Range<u64>, out: &mut ReadBuffer) -> Result<()> {
        let call = Call::Read(name.to_string(), range.end - range.start);
        let damaged = Err(Error::Damaged { object: name.to_string(), reason: "truncated" });
        self.distorted(call, |target, kind| match kind {
            Some(FaultKind::ShortRead) => damaged,
            Some(FaultKind::IsMissing) => Err(Error::Missing { object: name.to_string() }),
            Some(FaultKind::Truncated)
                if target.size(name)?.is_some_and(|size| range.end > size / 2) =>
            {
                damaged
            }
            Some(FaultKind::FlippedBit) => {
                target.read_into(name, range.clone(), out)?;
                let middle = out.len() / 2;
                if let Some(byte) = out.get_mut(middle) {
                    *byte ^= 1;
                }
                Ok(())
            }
            _ => target.read_into(name, range.clone(), out),
        })
    }

    fn size(&self, name: &ObjectName) -> Result<Option<u64>> {
        self.distorted(Call::Size(name.to_string()), |target, kind| match kind {
            Some(FaultKind::IsMissing) => Ok(None),
            kind => Ok(target.size(name)?.map(|size| distort_size(size, kind))),
        })
    }

    fn list(&self, area: Area) -> Result<Vec<ListedObject>> {
        self.distorted(Call::List(area), |target, kind| {
            let mut list = target.list(area)?;
            list.iter_mut().for_each(|object| object.size = distort_size(object.size, kind));
            match kind {
                Some(FaultKind::ListIsEmpty) => list.clear(),
                Some(FaultKind::ListLacksOne) if !list.is_empty() => {
                    drop(list.remove(list.len() / 2));
                }
                Some(FaultKind::StaleLists) => list.retain(|object| !self.is_fresh(&object.name)),
                _ => {}
            }
            Ok(list)
        })
    }

    fn change_token(&self, areas: &[Area]) -> Result<Option<ChangeToken>> {
        self.run(Call::ChangeToken, |target| target.change_token(areas))
    }

    fn delete(&self, name: &ObjectName) -> Result<()> {
        self.distorted(Call::Delete(name.to_string()), |target, kind| match kind {
            Some(FaultKind::DeletesIgnored) => Ok(()),
            _ => target.delete(name),
        })
    }

    fn space(&self) -> Result<Option<Space>> {
        self.run(Call::Space, |target| target.space())
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
