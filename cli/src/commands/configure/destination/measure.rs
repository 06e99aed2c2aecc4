//! Measurements of a destination: a request, writing, reading. Nothing of them is left there.

use std::time::{Duration, Instant};

use yore_engine::backend::Backend;
use yore_engine::format::{Area, ObjectName};
use yore_engine::{Error, Result};

/// The requests of which the fastest counts.
const REQUESTS: usize = 3;

/// The time after which enough was written or read.
const ENOUGH: Duration = Duration::from_secs(2);

/// The most bytes that are written or read.
const MOST: u64 = 32 << 20;

/// The bytes that are written or read at once.
const PIECE: usize = 1 << 20;

/// The measurements.
#[derive(Debug, Default)]
pub struct Measured {
    /// The duration of a request.
    pub round_trip: Option<Duration>,
    /// The bytes a second that it takes.
    pub writing: Option<u64>,
    /// The bytes a second that it gives; `None` where there is no pack yet.
    pub reading: Option<u64>,
}

/// Measures a destination that is there.
///
/// # Errors
/// Nothing can be written there, or it does not answer.
pub fn measure(backend: &dyn Backend) -> Result<Measured> {
    Ok(Measured {
        round_trip: Some(round_trip(backend)?),
        writing: writing(backend)?,
        reading: reading(backend)?,
    })
}

fn round_trip(backend: &dyn Backend) -> Result<Duration> {
    let mut fastest = Duration::MAX;
    for _ in 0..REQUESTS {
        let began = Instant::now();
        backend.size(&ObjectName::header())?;
        fastest = fastest.min(began.elapsed());
    }
    Ok(fastest)
}

/// Writes an object that is never published, so that nothing is left of it; `None` where the folder is not there yet.
fn writing(backend: &dyn Backend) -> Result<Option<u64>> {
    let mut object = match backend.create(&ObjectName::destination()) {
        Err(Error::Missing { .. } | Error::NoRepository { .. }) => return Ok(None),
        created => created?,
    };
    let piece = incompressible(PIECE);
    let (began, mut written) = (Instant::now(), 0);
    while written < MOST && began.elapsed() < ENOUGH {
        object.append(&piece)?;
        written += PIECE as u64;
    }
    Ok(Some(rate(written, began.elapsed())))
}

/// Reads from the largest pack.
fn reading(backend: &dyn Backend) -> Result<Option<u64>> {
    let packs = match backend.list(Area::Packs) {
        Err(Error::NoRepository { .. }) => return Ok(None),
        listed => listed?,
    };
    let Some(pack) = packs.into_iter().max_by_key(|pack| pack.size) else { return Ok(None) };
    let (began, mut read) = (Instant::now(), 0);
    while read < pack.size.min(MOST) && began.elapsed() < ENOUGH {
        let end = pack.size.min(read + PIECE as u64);
        backend.read(&pack.name, read..end)?;
        read = end;
    }
    Ok((read > 0).then(|| rate(read, began.elapsed())))
}

fn rate(bytes: u64, took: Duration) -> u64 {
    (bytes as f64 / took.as_secs_f64().max(1e-6)) as u64
}

/// Returns bytes that no link compresses.
fn incompressible(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    getrandom::fill(&mut bytes).expect("the system has random numbers");
    bytes
}
