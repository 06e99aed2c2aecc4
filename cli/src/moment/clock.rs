//! Times of snapshots, and warnings of clocks that were wrong.

use jiff::tz::TimeZone;
use yore_engine::snapshots::{Clock, SnapshotEntry};

use crate::context::Context;
use crate::text::{escape, format};

/// Shows the time that a snapshot claims, with a mark where it is not believed.
pub fn time(entry: &SnapshotEntry, zone: &TimeZone) -> String {
    let time = format::time(entry.snapshot.time, zone);
    match entry.clock {
        Clock::Believed | Clock::Given => time,
        Clock::Wrong => format!("{time} (wrong clock)"),
    }
}

/// Returns the time of a snapshot for the name of a file: without colons, which some systems do not allow.
pub fn label(entry: &SnapshotEntry, zone: &TimeZone) -> String {
    let time = format::time(entry.snapshot.time, zone);
    time.chars().take(16).map(|sign| if sign == ':' { '.' } else { sign }).collect()
}

/// Warns of a snapshot that claims to be later than this machine's clock.
pub fn warn_of_future(context: &Context, ahead: &SnapshotEntry) {
    let snapshot = &ahead.snapshot;
    context.screen.problem(
        "",
        &format!(
            "snapshot {:.8} of {} claims to be of {}, which is still to come: that machine's clock was wrong, or \
             this one's is. The snapshots keep their right order; `date` shows this clock",
            ahead.id,
            escape::text(&snapshot.host),
            format::time(snapshot.time, context.now.time_zone()),
        ),
    );
}
