//! Writers, prunes, a stopped writer that is taken for dead, and a drive, at the same time.

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::files::{Fingerprint, change_source, fingerprint_folder, small_source};
use crate::machine::{in_shell, print_measured};
use crate::program::{MountGuard, Yore};

/// The machines that back up.
const WRITERS: u32 = 8;

/// The newest snapshots of each machine whose content is kept to be compared: all but three are forgotten at once.
const COMPARED: usize = 40;

/// What the writers and prunes did.
#[derive(Default)]
struct Counts {
    committed: AtomicU32,
    failed: AtomicU32,
    prunes: AtomicU32,
    stopped: AtomicU32,
    read: AtomicU32,
}

struct Scene<'y> {
    yore: &'y Yore,
    is_over: AtomicBool,
    counts: Counts,
    /// Guards what each snapshot must restore to.
    expected: Mutex<HashMap<String, (PathBuf, Fingerprint)>>,
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

impl Scene<'_> {
    /// Backs up a source that changes, as a machine of its own.
    fn write(&self, number: u32) {
        let source = self.yore.scratch.folder(&format!("source-{number}"));
        let state = self.yore.scratch.folder(&format!("state-{number}"));
        small_source(&source, u64::from(number));
        let (mut round, mut kept) = (0, VecDeque::new());
        while !self.is_over.load(Ordering::Relaxed) {
            round += 1;
            change_source(&source, u64::from(number * 1000 + round));
            let host = format!("machine-{number}");
            let mut command =
                self.yore.command(["backup", "--json", "--host", &host, text(&source)]);
            let ended = Yore::finish(command.env("YORE_STATE_DIR", &state));
            let made = ended.objects().into_iter().find(|one| one["type"] == "backup");
            match (ended.code, made) {
                (Some(0), Some(made)) => {
                    let id = made["snapshot"].as_str().expect("an id").to_owned();
                    let is = (source.clone(), fingerprint_folder(&source));
                    kept.push_back(id.clone());
                    let mut expected = self.expected.lock().expect("no writer panicked");
                    expected.insert(id, is);
                    if kept.len() > COMPARED {
                        kept.pop_front().map(|old| expected.remove(&old));
                    }
                    drop(expected);
                    self.counts.committed.fetch_add(1, Ordering::Relaxed);
                }
                // It was taken for dead, or prune began several times while it opened its session.
                _ => {
                    assert!(ended.err.contains("prune began"), "writer {number}: {}", ended.err);
                    self.counts.failed.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }

    /// Forgets and prunes; one of them with a clock that is ahead, so that every session looks dead to it.
    fn prune(&self, is_ahead: bool) {
        while !self.is_over.load(Ordering::Relaxed) {
            let forget = ["forget", "--all-hosts", "--keep-last", "3", "--force"];
            self.yore.run(forget).assert_code(0);
            let words = ["prune", "--grace", "8s", "--max-unused", "0"];
            let ended = match is_ahead {
                false => self.yore.run(words),
                true => {
                    let real = self.yore.command(words);
                    let mut ahead = std::process::Command::new("faketime");
                    ahead.arg("+9 days").arg(real.get_program()).args(real.get_args()).env_clear();
                    ahead.envs(real.get_envs().filter_map(|(name, value)| Some((name, value?))));
                    Yore::finish(&mut ahead)
                }
            };
            let is_overtaken = ended.err.contains("prune began");
            assert!(ended.code == Some(0) || is_overtaken, "{} {}", ended.out, ended.err);
            self.counts.prunes.fetch_add(1, Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(300));
        }
    }

    /// Stops writers for a while, wherever they are.
    fn stop_writers(&self) {
        while !self.is_over.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(700));
            let script = "p=$(pgrep -f \"backup --json --host machine-[0-3] $1\" | shuf -n 1); \
                          [ -z \"$p\" ] || { kill -STOP $p; sleep 3; kill -CONT $p; echo stopped; }";
            let done = in_shell(script, &[self.yore.scratch.path()]);
            let was_stopped = done.contains("stopped");
            self.counts.stopped.fetch_add(u32::from(was_stopped), Ordering::Relaxed);
        }
    }

    /// Reads the newest files of a machine from a drive: what is read is right, or the file is gone.
    fn read(&self, drive: &Path) {
        while !self.is_over.load(Ordering::Relaxed) {
            let script = "find \"$1/hosts\" -path '*/latest/*' -type f -print0 | \
                          xargs -0 -n 50 cat > /dev/null 2>&1; echo read";
            in_shell(script, &[drive]);
            self.counts.read.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Lets writers, prunes and a reader work for a time, and compares what is left with what was committed.
///
/// # Panics
/// When anything that was committed and not forgotten does not restore, or a command fails without a reason.
pub fn work_together(time: Duration) {
    let yore = Yore::with_repository();
    let first = yore.scratch.folder("first");
    small_source(&first, 99);
    yore.run_on("backup", &[&first]).assert_code(0);
    let drive = MountGuard::new(&yore, &[]);
    let scene = Scene {
        yore: &yore,
        is_over: AtomicBool::new(false),
        counts: Counts::default(),
        expected: Mutex::default(),
    };
    let end = Instant::now() + time;
    std::thread::scope(|scope| {
        let scene = &scene;
        for number in 0..WRITERS {
            scope.spawn(move || scene.write(number));
        }
        scope.spawn(|| scene.prune(false));
        scope.spawn(|| scene.prune(true));
        scope.spawn(|| scene.stop_writers());
        scope.spawn(|| scene.read(drive.path()));
        std::thread::sleep(end.saturating_duration_since(Instant::now()));
        scene.is_over.store(true, Ordering::Relaxed);
    });
    let Counts { committed, failed, prunes, stopped, read } = &scene.counts;
    let count = |counter: &AtomicU32| counter.load(Ordering::Relaxed);
    print_measured(format!(
        "{} snapshots committed, {} backups failed, {} prunes, {} writers stopped, the drive read {} times",
        count(committed),
        count(failed),
        count(prunes),
        count(stopped),
        count(read)
    ));
    assert!(count(committed) > WRITERS && count(prunes) > 2 && count(read) > 0);
    yore.run(["check", "--read-data"]).assert_code(0);
    let expected = scene.expected.into_inner().expect("no writer panicked");
    let mut restored = 0;
    for id in yore.snapshot_ids() {
        let Some((source, fingerprint)) = expected.get(&id) else { continue };
        let target = yore.scratch.at("restored");
        yore.run(["restore", &id, "--target", text(&target)]).assert_code(0);
        let found = fingerprint_folder(&target.join(source.strip_prefix("/").expect("absolute")));
        assert!(found == *fingerprint, "snapshot {id} of {}", source.display());
        std::fs::remove_dir_all(target).expect("removed");
        restored += 1;
    }
    assert!(restored >= WRITERS, "only {restored} snapshots are left");
}
