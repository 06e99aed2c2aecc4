//! The layers around the access to a destination: limits, patience, deadlines and counters.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use yore_engine::backend::{
    Backend, Deadline, Limited, Limits, Meter, Metered, Outage, Patience, Retry, RetryOptions,
    Timetable,
};
use yore_platform::create_private_dir;

use crate::access::place::{self, Place};
use crate::failure::engine_error::message;
use crate::screen::Screen;
use crate::text::format;

/// The time for which a drive waits for its destination; then programs get an error.
const PATIENCE: Duration = Duration::from_secs(8);

/// The things that layers need of a command.
pub struct Surroundings {
    /// The screen, for outages and interrupts.
    pub screen: Arc<Screen>,
    /// The zone in which timetables are meant.
    pub zone: TimeZone,
    /// The folder of caches, for the bytes of unpublished objects.
    pub cache: Option<PathBuf>,
    /// The limits of all distant destinations together.
    pub shared: Option<Arc<Limits>>,
    /// The command writes, and has no other destination: it waits for this one although it never answered.
    pub needs_destination: bool,
    /// Set by commands that serve a volume.
    pub meter: Option<Arc<Meter>>,
    /// The most bytes that the command reads a second.
    pub read_rate: Option<u64>,
}

/// Puts layers around the access to a place.
///
/// A request to another machine is repeated; an error of a disk of this one is final. A volume waits for no destination
/// longer than a deadline.
pub fn wrap(
    backend: Arc<dyn Backend>,
    place: &Place,
    surroundings: &Surroundings,
) -> Arc<dyn Backend> {
    let is_distant = !backend.capabilities().cheap_requests;
    let limited = limit(backend, place, surroundings, is_distant);
    let timely: Arc<dyn Backend> = match &surroundings.meter {
        Some(_) => Arc::new(Deadline::new(limited, PATIENCE)),
        None => limited,
    };
    let repeated = match is_distant || place.destination.is_on_share() {
        true => retry(timely, place, surroundings),
        false => timely,
    };
    match &surroundings.meter {
        Some(meter) => Arc::new(Metered::new(repeated, Arc::clone(meter))),
        None => repeated,
    }
}

fn limit(
    backend: Arc<dyn Backend>,
    place: &Place,
    surroundings: &Surroundings,
    is_distant: bool,
) -> Arc<dyn Backend> {
    let shared = surroundings.shared.clone().filter(|_| is_distant);
    let own = limits(&place.limits, &surroundings.screen, &surroundings.zone);
    let of_command = surroundings.read_rate.and_then(|rate| {
        let download = Timetable { usual: Some(rate), ..Timetable::default() };
        let typed = place::Limits { download, ..place::Limits::default() };
        limits(&typed, &surroundings.screen, &surroundings.zone)
    });
    own.into_iter()
        .chain(of_command)
        .chain(shared)
        .fold(backend, |inner, limits| Arc::new(Limited::new(inner, limits)))
}

/// Makes the limits that a configuration names; `None` if there is none at any time.
pub fn limits(
    configured: &place::Limits,
    screen: &Arc<Screen>,
    zone: &TimeZone,
) -> Option<Arc<Limits>> {
    let (upload, download) = (configured.upload.clone(), configured.download.clone());
    if upload.is_unlimited() && download.is_unlimited() {
        return None;
    }
    let screen = Arc::clone(screen);
    let interrupted = Box::new(move || screen.is_interrupted());
    Some(Arc::new(Limits::new(upload, download, zone.clone(), interrupted)))
}

fn retry(
    backend: Arc<dyn Backend>,
    place: &Place,
    surroundings: &Surroundings,
) -> Arc<dyn Backend> {
    let (screen, reporter) = (Arc::clone(&surroundings.screen), Arc::clone(&surroundings.screen));
    let name = place.name.clone();
    let scratch = surroundings.cache.clone();
    // Without a private folder the bytes stay in memory.
    let scratch = scratch.filter(|folder| create_private_dir(folder).is_ok());
    let options = RetryOptions {
        patience: match (&surroundings.meter, surroundings.needs_destination) {
            (Some(_), _) => Patience::READER,
            (None, true) => Patience::WRITER,
            (None, false) => Patience::COMMAND,
        },
        scratch,
        interrupted: Box::new(move || screen.is_interrupted()),
        on_outage: Box::new(move |outage| report(&reporter, name.as_deref(), &outage)),
    };
    Arc::new(Retry::new(backend, options))
}

pub(super) fn report(screen: &Screen, name: Option<&str>, outage: &Outage<'_>) {
    match outage {
        Outage::Waiting { location, error } => {
            let name = name.unwrap_or(location);
            screen.note(&format!("waiting for {name}: {}", message(error)));
        }
        Outage::Over { location, after } => {
            let name = name.unwrap_or(location);
            screen.note(&format!("{name} answers again, after {}", format::duration(*after)));
        }
    }
}
