//! Every fault at every call of an operation, over the layer that repeats requests.
//!
//! An operation runs against a copy of a destination that has one fault. Afterwards the copy is examined without the
//! fault: what is committed is complete, and what the operation returned as right is right.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use yore_engine::Result;
use yore_engine::backend::{Backend, Patience, Retry, RetryOptions};
use yore_engine::repository::Repository;

use crate::repository::{Expected, FAULTS, Fault, FaultKind, Faulty, HARMLESS_FAULTS, Memory};

mod operation;
mod reads;
mod scene;

pub use operation::{FaultedOperation, Mirrored};
pub use scene::FaultScene;

/// The calls at which a fault is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sampling {
    /// Every call.
    All,
    /// One of so many calls, beginning with another one for each fault.
    OneOf(usize),
}

/// The outcomes of all faults of a kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outcomes {
    /// Runs in which the fault happened.
    pub happened: usize,
    /// Those that succeeded.
    pub succeeded: usize,
    /// Those that failed with an error.
    pub failed: usize,
}

/// The outcomes of all faults.
pub struct Totals {
    operation: &'static str,
    /// The number of calls of the operation without a fault.
    pub calls: usize,
    /// For each fault, its name and its outcomes.
    pub faults: Vec<(&'static str, Outcomes)>,
}

/// A destination with a fault, and perhaps a mirror without one.
pub struct FaultedDestination {
    /// The destination without the fault.
    memory: Arc<Memory>,
    /// The destination with it.
    faulty: Arc<Faulty>,
    mirror: Option<Arc<Memory>>,
}

impl FaultedDestination {
    fn new(scene: &FaultScene, operation: FaultedOperation, fault: Fault) -> Self {
        let (memory, mirror) = operation.destinations(scene);
        let (memory, mirror) = (Arc::new(memory), mirror.map(Arc::new));
        let elsewhere: Arc<dyn Backend> = match fault {
            Fault::At(_, FaultKind::OtherRepository) => Arc::new(scene.other.copy()),
            _ => Arc::new(Memory::distant()),
        };
        let faulty = Faulty::with(memory.clone(), fault, elsewhere);
        Self { memory, faulty, mirror }
    }

    /// Opens the repository through the layer that repeats requests, at all destinations.
    fn open_all(&self, scene: &FaultScene) -> Result<Repository> {
        let retry = Arc::new(Retry::new(self.faulty.clone(), impatient()));
        let mut repository = scene.repo.open_at(retry)?;
        if let Some(mirror) = &self.mirror {
            repository.add_destination(mirror.clone())?;
        }
        Ok(repository)
    }

    /// Opens the repository at the destinations that can be opened.
    fn open(&self, scene: &FaultScene) -> Result<Repository> {
        match (self.open_all(scene), &self.mirror) {
            (Err(_), Some(mirror)) => scene.repo.open_at(mirror.clone()),
            (opened, _) => opened,
        }
    }

    /// Opens the repository at all destinations, without the fault.
    fn open_without_fault(&self, scene: &FaultScene) -> Repository {
        let mut repository = scene.at(&self.memory).open();
        if let Some(mirror) = &self.mirror {
            repository.add_destination(mirror.clone()).expect("a mirror");
        }
        repository
    }

    /// Iterates over the destinations, without the fault.
    fn memories(&self) -> impl Iterator<Item = &Arc<Memory>> {
        std::iter::once(&self.memory).chain(&self.mirror)
    }

    /// Fails if an object was written or deleted.
    fn assert_not_written(&self, scene: &FaultScene, what: &str) {
        assert!(self.memory.names() == scene.memory.names(), "{what}: a reader wrote");
        if let Some(mirror) = &self.mirror {
            assert!(mirror.names() == scene.mirror.names(), "{what}: a reader wrote");
        }
    }

    /// Runs an operation, and lets a call that hangs return once it hangs.
    fn run(
        &self,
        scene: &FaultScene,
        operation: FaultedOperation,
    ) -> std::result::Result<(), String> {
        std::thread::scope(|scope| {
            scope.spawn(|| self.faulty.release_what_hangs());
            let outcome = operation.run(scene, self);
            self.faulty.release();
            outcome
        })
    }
}

/// Returns options that wait a moment where a writer waits for seconds.
fn impatient() -> RetryOptions {
    let patience = Patience {
        limit: Duration::from_secs(60),
        first_contact: Duration::from_secs(60),
        first_pause: Duration::from_micros(10),
        longest_pause: Duration::from_micros(100),
        silence: Duration::ZERO,
    };
    RetryOptions {
        patience,
        scratch: None,
        interrupted: Box::new(|| false),
        on_outage: Box::new(|_| {}),
    }
}

/// Tries every fault at the calls of an operation; fails with the first that has a wrong outcome.
pub fn try_every_fault(operation: FaultedOperation, sampling: Sampling) -> Totals {
    let scene = FaultScene::new();
    let calls = {
        let destination = FaultedDestination::new(&scene, operation, Fault::None);
        let outcome = destination.run(&scene, operation);
        operation.judge(&scene, &destination, &outcome, Fault::None, "without a fault");
        outcome.expect("it succeeds without a fault");
        destination.faulty.calls()
    };
    let mut totals = Totals { operation: operation.name(), calls: calls.len(), faults: Vec::new() };
    for (number, (name, kind, expected)) in FAULTS.into_iter().enumerate() {
        let mut outcomes = Outcomes::default();
        let concerned = (0..calls.len()).filter(|at| kind.concerns(&calls[*at]));
        // There are few lists, and each shows another moment.
        let sampling = if kind.shows_less() { Sampling::All } else { sampling };
        let chosen = concerned.skip(sampling.skipped(number)).step_by(sampling.step());
        for at in chosen {
            try_fault(&scene, operation, (name, kind, expected), at, &mut outcomes);
        }
        totals.faults.push((name, outcomes));
    }
    for (name, kind, expected) in HARMLESS_FAULTS {
        let mut outcomes = Outcomes::default();
        try_fault(&scene, operation, (name, kind, expected), 0, &mut outcomes);
        totals.faults.push((name, outcomes));
    }
    totals
}

fn try_fault(
    scene: &FaultScene,
    operation: FaultedOperation,
    (name, kind, expected): (&str, FaultKind, Expected),
    at: usize,
    outcomes: &mut Outcomes,
) {
    let fault = Fault::At(at as u64, kind);
    let destination = FaultedDestination::new(scene, operation, fault);
    let outcome = destination.run(scene, operation);
    let calls = destination.faulty.calls();
    let what = format!("{}: {name} at call {at}, {:?}", operation.name(), calls.get(at));
    let has_happened = destination.faulty.has_happened();
    let expected = operation.expected(expected);
    if let Err(error) = &outcome {
        let may_fail = has_happened && expected == Expected::SuccessOrError;
        assert!(may_fail, "{what}: it should succeed: {error}");
        assert!(!error.is_empty(), "{what}: no message");
    }
    operation.judge(scene, &destination, &outcome, fault, &what);
    outcomes.happened += usize::from(has_happened);
    outcomes.succeeded += usize::from(has_happened && outcome.is_ok());
    outcomes.failed += usize::from(outcome.is_err());
}

impl Sampling {
    fn step(self) -> usize {
        match self {
            Sampling::All => 1,
            Sampling::OneOf(step) => step,
        }
    }

    fn skipped(self, number: usize) -> usize {
        number % self.step()
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sum = |part: fn(&Outcomes) -> usize| -> usize {
            self.faults.iter().map(|(_, outcomes)| part(outcomes)).sum()
        };
        for (name, Outcomes { happened, succeeded, failed }) in &self.faults {
            writeln!(f, "  {name:45} {happened:5} × {succeeded:5} done {failed:5} failed")?;
        }
        write!(
            f,
            "{}: {} kinds of fault at {} calls: {} faults, {} times done, {} clear failures",
            self.operation,
            self.faults.len(),
            self.calls,
            sum(|outcomes| outcomes.happened),
            sum(|outcomes| outcomes.succeeded),
            sum(|outcomes| outcomes.failed)
        )
    }
}
