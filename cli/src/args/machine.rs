//! Options that choose the machine whose snapshots are meant.

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use yore_engine::snapshots::{Machine, SnapshotEntry};
use yore_platform::hostname;

use crate::failure::{Failure, Outcome};
use crate::text::escape;

/// The options that choose a machine.
#[derive(Debug, Clone, Default, Args)]
pub struct MachineArgs {
    /// The machine whose snapshots are meant, instead of this one
    #[arg(long, value_name = "HOST", value_parser = NonEmptyStringValueParser::new())]
    pub host: Option<String>,
    /// The snapshots of all machines together
    #[arg(long, conflicts_with = "host")]
    pub all_hosts: bool,
}

impl MachineArgs {
    /// Keeps the snapshots of the machine that is meant.
    pub fn select(&self, mut list: Vec<SnapshotEntry>) -> Outcome<Vec<SnapshotEntry>> {
        if self.all_hosts {
            return Ok(list);
        }
        let here = hostname();
        let wanted = self.host.as_deref().unwrap_or(&here);
        let machine = Machine::choose(&list, Some(wanted));
        match (&self.host, &machine) {
            (Some(host), machine) if *machine != Machine::One(host.clone()) => {
                Err(unknown(host, &list))
            }
            (None, Machine::Several(hosts)) => Err(several(&here, hosts)),
            (_, machine) => {
                list.retain(|entry| machine.has(entry));
                Ok(list)
            }
        }
    }
}

/// Returns a filter for the snapshots of this machine, or of the only one that has some; all pass where several have.
pub fn is_of_this_machine(
    list: &[SnapshotEntry],
    all_hosts: bool,
) -> impl Fn(&SnapshotEntry) -> bool + use<> {
    let machine = match all_hosts {
        true => Machine::Several(Vec::new()),
        false => Machine::choose(list, Some(&hostname())),
    };
    move |entry| matches!(machine, Machine::Several(_)) || machine.has(entry)
}

fn names(hosts: &[String]) -> String {
    hosts.iter().map(|host| escape::text(host)).collect::<Vec<_>>().join(", ")
}

fn several(here: &str, hosts: &[String]) -> Failure {
    Failure::usage(
        format!(
            "this machine ({}) has no snapshots here, and several others have: {}",
            escape::text(here),
            names(hosts)
        ),
        "name the machine that you mean: --host NAME",
    )
}

fn unknown(host: &str, list: &[SnapshotEntry]) -> Failure {
    let mut hosts: Vec<String> = list.iter().map(|entry| entry.snapshot.host.clone()).collect();
    hosts.sort();
    hosts.dedup();
    Failure::usage(
        format!("no snapshot is of the machine {}", escape::text(host)),
        match hosts.is_empty() {
            true => "there are no snapshots yet: yore backup PATH".to_owned(),
            false => format!("there are snapshots of {}", names(&hosts)),
        },
    )
}
