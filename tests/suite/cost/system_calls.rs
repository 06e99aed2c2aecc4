//! System calls of the program with a long history, counted by `strace`.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use yore_tests::{MountGuard, Yore, in_shell};

/// The number of sessions beside those of the snapshots.
const SESSIONS: u32 = 20_000;

/// The time for which a drive is idle before its calls are counted.
const CALM: Duration = Duration::from_secs(12);

/// The time for which its system calls are counted, in seconds.
const COUNTED: u32 = 12;

/// Returns the sum of the system calls that `strace -c` lists.
///
/// `sched_yield` is not counted: a thread that hands over a request yields for as long as the other one is kept from
/// taking it, by the tracer or by other programs, so its number is not the program's.
fn total(table: &str) -> u64 {
    let rows = table.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let calls = fields.get(3)?.parse::<u64>().ok()?;
        Some((*fields.last()?, calls))
    });
    let rows: Vec<(&str, u64)> = rows.collect();
    let is_total = |row: &&(&str, u64)| row.0 == "total";
    assert!(table.trim().is_empty() || rows.iter().any(|row| is_total(&row)), "no table: {table}");
    let counted = rows.iter().filter(|row| !is_total(row) && row.0 != "sched_yield");
    counted.map(|(_, calls)| calls).sum()
}

#[test]
fn a_drive_that_nobody_looks_at_makes_few_system_calls_whatever_its_history() {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    yore.run_on("backup", &[&source]).assert_code(0);
    // Sessions without a verdict are listed like all others.
    for number in 0..SESSIONS {
        let session = yore.repository().join(format!("sessions/{number:064x}"));
        std::fs::write(session, "").expect("a file");
    }
    let drive = MountGuard::new(&yore, &[]);
    std::thread::sleep(CALM);
    let table = yore.scratch.at("calls");
    let line = format!("timeout -s INT {COUNTED} strace -f -c -o \"$1\" -p \"$2\" || [ $? = 124 ]");
    let pid = drive.pid().to_string();
    in_shell(&line, &[&table, Path::new(&pid)]);
    let table = std::fs::read_to_string(&table).expect("the table");
    let calls = total(&table);
    assert!(calls < 10 * u64::from(COUNTED), "{calls} calls in {COUNTED} s:\n{table}");
    // The drive still notices a new snapshot, without any access.
    std::fs::write(source.join("new"), "content").expect("a file");
    let shown = drive.path_of("latest", &source);
    let names = || std::fs::read_dir(&shown).map_or(0, Iterator::count);
    assert_eq!(names(), 0);
    yore.run_on("backup", &[&source]).assert_code(0);
    let appears = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(100));
        names() == 1
    });
    assert!(appears, "the new snapshot does not appear");
}

#[test]
fn a_backup_does_not_read_every_earlier_session() {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    std::fs::write(source.join("file"), "content").expect("a file");
    // Calls with the path of a session or a snapshot.
    let looked_at = || {
        let calls = yore.scratch.at("calls");
        let plain = yore.command(["backup", "--dry-run"]);
        let mut traced = Command::new("strace");
        traced.args(["-f", "-y", "-e", "trace=%file,read,pread64", "-o"]).arg(&calls);
        traced.arg(plain.get_program()).args(plain.get_args()).arg(&source);
        traced.env_clear().current_dir(yore.scratch.path());
        traced.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        Yore::finish(&mut traced).assert_code(0);
        let calls = std::fs::read_to_string(&calls).expect("the calls");
        let names = ["sessions/", "snapshots/", "/sessions>"];
        let those = calls.lines().filter(|line| names.iter().any(|name| line.contains(name)));
        those.count()
    };
    let mut counts = Vec::new();
    for _ in 0..2 {
        for _ in 0..8 {
            yore.run_on("backup", &[&source]).assert_code(0);
        }
        // Sessions read for the first time are cached.
        looked_at();
        counts.push(looked_at());
    }
    assert_eq!(counts[0], counts[1], "eight more sessions cost nothing");
}
