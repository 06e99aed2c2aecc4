//! Retention: which snapshots a policy keeps, and why.
//!
//! A policy is applied to each group by itself: the snapshots of the same sources of one machine. A rule such as "14
//! daily" keeps the newest snapshot of each of the latest 14 days that have one, counted backwards from the newest
//! snapshot and not from today: a machine that was off for a month loses nothing. A snapshot that no rule keeps may be
//! forgotten.
//!
//! The order is that of [`SnapshotEntry`], which no clock can forge: a snapshot with a time of next year is neither the
//! newest nor of a period of its own.
//!
//! Example: three daily and two weekly ones.
//!
//! ```text
//!              Mon 2   Wed 4   Sun 8   Mon 9   Mon 9 (later)   Tue 10
//! daily                        3.              2.              1.
//! weekly                       2.                              1.
//! kept                         yes             yes             yes
//! ```
//!
//! Applied again to what is left, a policy keeps all of it: the snapshots that represent a period stay the newest ones
//! of it.

use std::collections::{BTreeMap, HashMap};

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use crate::format::id::SnapshotId;
use crate::snapshots::order::SnapshotEntry;

/// What is kept of each group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// The newest ones, so many.
    pub last: u32,
    /// The newest of each hour, for so many hours that have one.
    pub hourly: u32,
    /// The same by days.
    pub daily: u32,
    /// The same by weeks, which begin on Monday.
    pub weekly: u32,
    /// The same by months.
    pub monthly: u32,
    /// The same by years.
    pub yearly: u32,
    /// All that are at most so many seconds older than the newest.
    pub within: Option<i64>,
    /// All with one of these tags.
    pub tags: Vec<String>,
    /// Those that hold one of the last versions of some file, so many of each; see [`Held`].
    pub versions: u32,
}

impl Policy {
    /// Returns true for the policy without a rule, which keeps nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A reason to keep a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// It is one of the newest; their number, from 1.
    Last(u32),
    /// It is the newest of its hour; the number of the hour, from 1, as for all that follow.
    Hourly(u32),
    /// It is the newest of its day.
    Daily(u32),
    /// It is the newest of its week.
    Weekly(u32),
    /// It is the newest of its month.
    Monthly(u32),
    /// It is the newest of its year.
    Yearly(u32),
    /// It is not much older than the newest.
    Within,
    /// It has this tag.
    Tag(String),
    /// It holds one of the last versions of a file, whose path this is.
    Version(Vec<u8>),
    /// It is pinned.
    Pinned,
    /// It is the newest of its group, and no rule keeps it.
    Newest,
    /// It is a part of a backup, and the whole snapshot after it is kept.
    Part,
}

/// The snapshots that hold a version of a file, each with the path of one.
pub type Held = HashMap<SnapshotId, Vec<u8>>;

/// The snapshots of the same sources of one machine, in their order.
#[derive(Debug, Clone)]
pub struct Group<'s> {
    /// The machine.
    pub host: &'s str,
    /// The sources, sorted.
    pub sources: Vec<&'s [u8]>,
    /// The snapshots.
    pub snapshots: Vec<&'s SnapshotEntry>,
}

/// The parts of snapshots that make a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupBy {
    /// Each machine has its own groups.
    pub host: bool,
    /// Each set of sources has its own groups.
    pub sources: bool,
}

impl Default for GroupBy {
    fn default() -> Self {
        Self { host: true, sources: true }
    }
}

/// The result of a policy for one group.
#[derive(Debug, Clone)]
pub struct Retained<'s> {
    /// Those that are kept, each with all reasons.
    pub kept: Vec<(&'s SnapshotEntry, Vec<Reason>)>,
    /// Those that no rule keeps.
    pub dropped: Vec<&'s SnapshotEntry>,
}

impl Retained<'_> {
    /// Returns the ids of those that no rule keeps.
    pub fn dropped_ids(&self) -> Vec<SnapshotId> {
        self.dropped.iter().map(|entry| entry.id).collect()
    }

    /// Returns true when more than half of the group would be dropped.
    pub fn drops_most(&self) -> bool {
        self.dropped.len() > self.kept.len()
    }
}

/// Groups snapshots, which are in their order.
pub fn group(snapshots: &[SnapshotEntry], by: GroupBy) -> Vec<Group<'_>> {
    let mut groups: BTreeMap<(&str, Vec<&[u8]>), Vec<&SnapshotEntry>> = BTreeMap::new();
    for entry in snapshots {
        let mut sources: Vec<&[u8]> = Vec::new();
        if by.sources {
            sources.extend(entry.snapshot.sources.iter().map(Vec::as_slice));
            sources.sort_unstable();
            sources.dedup();
        }
        let host = if by.host { entry.snapshot.host.as_str() } else { "" };
        groups.entry((host, sources)).or_default().push(entry);
    }
    let groups = groups.into_iter();
    groups.map(|((host, sources), snapshots)| Group { host, sources, snapshots }).collect()
}

/// Decides what a policy keeps of a group; periods are those of a time zone.
///
/// `held` are the snapshots that hold one of the last [`Policy::versions`] of some file. The newest is kept by any
/// policy, unless `may_empty`.
pub fn retain<'s>(
    group: &Group<'s>,
    (policy, held): (&Policy, &Held),
    zone: &TimeZone,
    may_empty: bool,
) -> Retained<'s> {
    let newest = group.snapshots.last().map(|entry| entry.since.seconds);
    let (mut wholes, mut cut_short) = (Rules::of(policy), Rules::of(policy));
    let mut retained = Retained { kept: Vec::new(), dropped: Vec::new() };
    // Tells of the nearest whole snapshot after this one whether it is kept.
    let mut is_whole_kept = None;
    for &entry in group.snapshots.iter().rev() {
        let mut reasons = Vec::new();
        match (entry.snapshot.partial, is_whole_kept) {
            (false, _) => wholes.collect(local_time(entry, zone), &mut reasons),
            // Without a whole one, the parts are the history. They never take the place of a whole one.
            (true, None) => cut_short.collect(local_time(entry, zone), &mut reasons),
            (true, Some(true)) => reasons.push(Reason::Part),
            (true, Some(false)) => {}
        }
        let is_newest = match entry.snapshot.partial {
            true => is_whole_kept.is_none() && cut_short.number == 1,
            false => wholes.number == 1,
        };
        let age = newest.map_or(0, |newest| newest.saturating_sub(entry.since.seconds));
        if policy.within.is_some_and(|within| age <= within) {
            reasons.push(Reason::Within);
        }
        let tags = entry.snapshot.tags.iter().filter(|tag| policy.tags.contains(tag));
        reasons.extend(tags.map(|tag| Reason::Tag(tag.clone())));
        if policy.versions > 0
            && let Some(path) = held.get(&entry.id)
        {
            reasons.push(Reason::Version(path.clone()));
        }
        if entry.pinned {
            reasons.push(Reason::Pinned);
        }
        if reasons.is_empty() && is_newest && !may_empty {
            reasons.push(Reason::Newest);
        }
        if !entry.snapshot.partial {
            is_whole_kept = Some(!reasons.is_empty());
        }
        match reasons.is_empty() {
            true => retained.dropped.push(entry),
            false => retained.kept.push((entry, reasons)),
        }
    }
    retained.kept.reverse();
    retained.dropped.reverse();
    retained
}

/// Returns the time on the clocks of a zone from which a snapshot belongs to the state.
fn local_time(entry: &SnapshotEntry, zone: &TimeZone) -> DateTime {
    let seconds = entry.since.seconds;
    let instant = jiff::Timestamp::from_second(seconds);
    // A time outside of the calendar is as far from all others as can be.
    instant.map_or(if seconds < 0 { DateTime::MIN } else { DateTime::MAX }, |instant| {
        instant.to_zoned_datetime(zone.clone()).datetime()
    })
}

/// The rule for one length of periods, applied from the newest snapshot backwards.
struct Rule {
    /// The periods that may still be kept.
    left: u32,
    /// The periods that are kept.
    kept: u32,
    /// The beginning of the last period that was kept.
    period: Option<DateTime>,
    /// Returns the beginning of the period of a time.
    beginning: fn(DateTime) -> DateTime,
    reason: fn(u32) -> Reason,
}

/// The rules that count, applied from the newest snapshot backwards.
struct Rules {
    last: u32,
    /// The snapshots that were counted.
    number: u32,
    periods: [Rule; 5],
}

impl Rules {
    fn of(policy: &Policy) -> Self {
        let rule =
            |left, beginning, reason| Rule { left, kept: 0, period: None, beginning, reason };
        let periods = [
            rule(policy.hourly, |time| time.date().at(time.hour(), 0, 0, 0), Reason::Hourly),
            rule(policy.daily, |time| midnight(time.date()), Reason::Daily),
            rule(policy.weekly, |time| midnight(monday(time.date())), Reason::Weekly),
            rule(policy.monthly, |time| midnight(time.date().first_of_month()), Reason::Monthly),
            rule(policy.yearly, |time| midnight(time.date().first_of_year()), Reason::Yearly),
        ];
        Self { last: policy.last, number: 0, periods }
    }

    /// Counts a snapshot, from the newest backwards, and adds the reasons to keep it: it is one of the last, or its time the
    /// first of a period.
    fn collect(&mut self, time: DateTime, reasons: &mut Vec<Reason>) {
        self.number += 1;
        if self.number <= self.last {
            reasons.push(Reason::Last(self.number));
        }
        for rule in &mut self.periods {
            let period = (rule.beginning)(time);
            if rule.left > 0 && rule.period != Some(period) {
                rule.left -= 1;
                rule.kept += 1;
                rule.period = Some(period);
                reasons.push((rule.reason)(rule.kept));
            }
        }
    }
}

fn midnight(date: Date) -> DateTime {
    date.at(0, 0, 0, 0)
}

/// Returns the Monday of a date's week.
fn monday(date: Date) -> Date {
    let days = i64::from(date.weekday().to_monday_zero_offset());
    date.checked_sub(jiff::Span::new().days(days)).unwrap_or(Date::MIN)
}

#[cfg(test)]
mod tests;
