//! The times of a watch: when a snapshot is made, and when everything is looked at.

use std::time::{Duration, Instant};

use super::Options;
use crate::args::duration;
use crate::context::Context;
use crate::failure::Outcome;

/// The time without a change after which a snapshot is made.
const QUIET: Duration = Duration::from_secs(60);
/// The time after the first change at which it is made at the latest.
const AT_LATEST: Duration = Duration::from_secs(300);
/// The time after which everything is looked at.
pub const DAY: Duration = Duration::from_secs(86_400);

/// The moments of snapshots.
pub struct Pace {
    /// The first change since the last snapshot.
    first: Option<Instant>,
    last: Instant,
    quiet: Duration,
    at_latest: Duration,
    /// What changed before the start is not known.
    is_first: bool,
}

impl Pace {
    /// Notes that something changed now.
    pub fn note_change(&mut self) {
        self.last = Instant::now();
        self.first.get_or_insert(self.last);
    }

    /// Tells whether a snapshot is to be made now.
    pub fn is_due(&self) -> bool {
        let is_due =
            |first: Instant| self.last.elapsed() >= self.quiet || first.elapsed() >= self.at_latest;
        self.is_first || self.first.is_some_and(is_due)
    }

    /// Notes that a snapshot is made now.
    pub fn begin_anew(&mut self) {
        (self.first, self.is_first) = (None, false);
    }
}

/// Returns when snapshots are made, and after what time everything is looked at: as the options say, else the
/// configuration.
pub fn times(context: &Context, options: &Options) -> Outcome<(Pace, Duration)> {
    let set = &context.settings()?.watch;
    let chosen = |option: Option<u64>, set: &Option<String>, usual: Duration| {
        let set =
            set.as_deref().and_then(|text| duration::seconds("watch", text, &context.now).ok());
        let seconds = option.or_else(|| u64::try_from(set?).ok());
        seconds.map_or(usual, Duration::from_secs)
    };
    let pace = Pace {
        first: None,
        last: Instant::now(),
        quiet: chosen(options.quiet_after, &set.quiet_after, QUIET),
        at_latest: chosen(options.at_latest, &set.at_latest, AT_LATEST),
        is_first: true,
    };
    Ok((pace, chosen(options.interval, &set.interval, DAY)))
}
