//! Commands of every kind that are killed at random moments, as by `kill -9`.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use super::{Person, Yore};
use crate::files::assert_same_tree;
use crate::machine::{Random, noise};

/// The commands that are killed. Backups come more often, since the others need something to work on.
const COMMANDS: [&[&str]; 9] = [
    &["backup"],
    &["backup"],
    &["backup"],
    &["forget", "--keep-last", "4", "--force"],
    &["prune", "--grace", "0", "--max-unused", "0"],
    &["sync"],
    &["repair", "--quick"],
    &["key", "recovery", "--replace"],
    &["pin", "latest"],
];

/// The number of kills between two looks at everything.
const BETWEEN: u64 = 12;

/// The longest time after which a command is killed, in microseconds.
const LATEST: u64 = 80_000;

/// The counts of a run of [`kill_commands`].
#[derive(Debug, Default, Clone)]
pub struct KilledCommands {
    /// The commands that were killed before they ended, by their first word.
    pub killed: BTreeMap<&'static str, u64>,
    /// The commands that had ended before.
    pub ended: u64,
    /// The snapshots that were restored and compared.
    pub restored: u64,
}

impl KilledCommands {
    /// Returns the number of commands that were killed.
    pub fn total(&self) -> u64 {
        self.killed.values().sum()
    }
}

/// Starts commands of a person and kills them, until so many were killed; between them, everything must be sound, and
/// what is restored of the snapshots must be what was backed up.
///
/// `command` makes a command of the person. The destinations, a source `docs` and a secret are configured.
pub fn kill_commands(
    person: &Person,
    command: impl Fn(&[&str]) -> Command,
    kills: u64,
) -> KilledCommands {
    let mut random = Random(u64::from(std::process::id()) ^ kills);
    let source = person.at("docs");
    let mut counts = KilledCommands::default();
    // The number in the changing file, by the snapshots of backups that ended.
    let mut states: BTreeMap<String, u64> = BTreeMap::new();
    let mut round = 0;
    while counts.total() < kills {
        round += 1;
        fs::write(source.join("changing"), noise(200_000, round)).expect("a file");
        let words = COMMANDS[random.below(COMMANDS.len() as u64) as usize];
        let mut child =
            command(words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
        thread::sleep(Duration::from_micros(random.below(LATEST)));
        let has_ended = child.try_wait().expect("its status can be read").is_some();
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");
        match has_ended {
            true => counts.ended += 1,
            false => *counts.killed.entry(words[0]).or_default() += 1,
        }
        if round % BETWEEN == 0 {
            look_at_everything(person, &command, round, &mut states, &mut counts);
        }
    }
    look_at_everything(person, &command, round + 1, &mut states, &mut counts);
    counts
}

fn look_at_everything(
    person: &Person,
    command: &impl Fn(&[&str]) -> Command,
    round: u64,
    states: &mut BTreeMap<String, u64>,
    counts: &mut KilledCommands,
) {
    let source = person.at("docs");
    let types = |words: &[&str]| Yore::finish(&mut command(words));
    fs::write(source.join("changing"), noise(200_000, round)).expect("a file");
    let made = types(&["backup", "--json"]);
    // One of the destinations may be behind until the sync.
    assert!(matches!(made.code, Some(0 | 3)), "{made:?}");
    let made = made.objects();
    let made = made.iter().find(|line| line["type"] == "backup").expect("a report");
    states.insert(made["snapshot"].as_str().expect("an id").to_owned(), round);
    types(&["sync"]).assert_code(0);
    types(&["check", "--read-data"]).assert_code(0);
    let listed = types(&["snapshots", "--json"]).assert_code(0).objects();
    for line in listed.iter().filter(|line| line["type"] == "snapshot") {
        let id = line["id"].as_str().expect("an id");
        let target: PathBuf = person.at("restored");
        let _ = fs::remove_dir_all(&target);
        let place = target.to_str().expect("text");
        types(&["restore", id, "--target", place]).assert_code(0);
        counts.restored += 1;
        let restored = target.join(source.strip_prefix("/").expect("absolute"));
        if let Some(state) = states.get(id) {
            let bytes = fs::read(restored.join("changing")).expect("a file");
            assert!(bytes == noise(200_000, *state), "{id} is not what was backed up");
        }
        if *id == *made["snapshot"].as_str().expect("an id") {
            assert_same_tree(&source, &restored);
        }
    }
}
