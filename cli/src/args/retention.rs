//! Rules that say which snapshots a policy keeps, as options and in the configuration.

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use jiff::ZonedDateTime;
use yore_engine::snapshots::retention::{GroupBy, Policy};

use crate::args::duration;
use crate::failure::{Failure, Outcome};

/// The options of a policy.
#[derive(Debug, Clone, Default, Args)]
pub struct PolicyArgs {
    #[command(flatten)]
    pub rules: Rules,
    /// What makes a group, to which the rules apply by itself: host, sources, or both
    #[arg(long, value_name = "KEYS", default_value = "host,sources")]
    group_by: String,
}

/// The rules of a policy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct Rules {
    /// Keep the newest N of each group
    #[arg(long = "keep-last", value_name = "N")]
    pub last: Option<u32>,
    /// Keep the newest of each of N hours that have one
    #[arg(long = "keep-hourly", value_name = "N")]
    pub hourly: Option<u32>,
    /// Keep the newest of each of N days that have one
    #[arg(long = "keep-daily", value_name = "N")]
    pub daily: Option<u32>,
    /// Keep the newest of each of N weeks that have one
    #[arg(long = "keep-weekly", value_name = "N")]
    pub weekly: Option<u32>,
    /// Keep the newest of each of N months that have one
    #[arg(long = "keep-monthly", value_name = "N")]
    pub monthly: Option<u32>,
    /// Keep the newest of each of N years that have one
    #[arg(long = "keep-yearly", value_name = "N")]
    pub yearly: Option<u32>,
    /// Keep all that are at most so much older than the newest: 30d, 2w, 6mo, 1y
    #[arg(long = "keep-within", value_name = "DURATION")]
    pub within: Option<String>,
    /// Keep all that are at most D days older than the newest
    #[arg(long = "keep-days", value_name = "D")]
    pub days: Option<u32>,
    /// Keep the last N versions of each file: for each the newest snapshot that has it
    #[arg(long = "keep-versions", value_name = "N")]
    pub versions: Option<u32>,
    /// Keep all with this tag (may be repeated)
    #[arg(long = "keep-tag", value_name = "TAG", value_parser = NonEmptyStringValueParser::new())]
    pub tags: Vec<String>,
}

impl Rules {
    /// Returns true if there is no rule.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns the policy; `now` decides how long a month is.
    pub fn policy(&self, now: &ZonedDateTime) -> Outcome<Policy> {
        let count = Option::unwrap_or_default;
        let within = |text: &str| duration::seconds("--keep-within", text, now);
        let within = self.within.as_deref().map(within).transpose()?;
        let days = self.days.map(|days| i64::from(days) * 86_400);
        Ok(Policy {
            last: count(self.last),
            hourly: count(self.hourly),
            daily: count(self.daily),
            weekly: count(self.weekly),
            monthly: count(self.monthly),
            yearly: count(self.yearly),
            within: within.max(days),
            tags: self.tags.clone(),
            versions: count(self.versions),
        })
    }

    /// Returns the rules as options say them, for the record of why a snapshot was forgotten.
    pub fn text(&self) -> String {
        let counts = [
            ("last", self.last),
            ("hourly", self.hourly),
            ("daily", self.daily),
            ("weekly", self.weekly),
            ("monthly", self.monthly),
            ("yearly", self.yearly),
            ("days", self.days),
            ("versions", self.versions),
        ];
        let counts = counts.into_iter().filter_map(|(name, count)| Some((name, count?)));
        let mut rules: Vec<String> =
            counts.map(|(name, count)| format!("keep-{name} {count}")).collect();
        rules.extend(self.within.iter().map(|within| format!("keep-within {within}")));
        rules.extend(self.tags.iter().map(|tag| format!("keep-tag {tag}")));
        rules.join(", ")
    }
}

impl PolicyArgs {
    /// Returns the parts of a snapshot that make its group.
    pub fn group_by(&self) -> Outcome<GroupBy> {
        let mut by = GroupBy { host: false, sources: false };
        for key in self.group_by.split(',').map(str::trim).filter(|key| !key.is_empty()) {
            match key {
                "host" => by.host = true,
                "sources" => by.sources = true,
                other => {
                    return Err(Failure::usage(
                        format!("--group-by {other:?} is not understood"),
                        "write host, sources, or host,sources",
                    ));
                }
            }
        }
        Ok(by)
    }
}
