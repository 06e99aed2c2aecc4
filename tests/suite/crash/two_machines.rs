//! Two machines with one installation id: they share the folder for Yore's state, or one is a copy of the
//! other. The other machine is this one in a namespace with another boot id, machine id and host name.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use yore_tests::{Ended, Yore, in_shell, needs_root};

/// The differences of another machine.
#[derive(Clone, Copy, PartialEq)]
enum Other {
    /// Boot id, machine id and host name.
    Machine,
    /// The boot id alone: a copied virtual machine, or this one after a restart.
    Boot,
}

/// Runs a command as on another machine.
fn elsewhere(yore: &Yore, other: Other, plain: &Command) -> Command {
    needs_root("be another machine");
    let boot = yore.scratch.at("boot");
    fs::write(&boot, "5e1b1c5a-0000-4000-8000-000000000001\n").expect("a file");
    let machine = yore.scratch.at("machine");
    fs::write(&machine, "00000000000040008000000000000002\n").expect("a file");
    let line = match other {
        Other::Machine => {
            "hostname other && mount --bind \"$1\" /proc/sys/kernel/random/boot_id && \
             mount --bind \"$2\" /etc/machine-id && shift 2 && exec \"$@\""
        }
        Other::Boot => {
            "mount --bind \"$1\" /proc/sys/kernel/random/boot_id && shift 2 && exec \"$@\""
        }
    };
    let mut command = Command::new("unshare");
    command.args(["--mount", "--uts", "bash", "-c", line, "bash"]).arg(boot).arg(machine);
    command.arg(plain.get_program()).args(plain.get_args()).env_clear();
    command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.current_dir(yore.scratch.path());
    command
}

fn text(path: &Path) -> &str {
    path.to_str().expect("text")
}

fn source(yore: &Yore) -> PathBuf {
    let source = yore.scratch.folder("source");
    fs::write(source.join("file"), "content").expect("a file");
    source
}

/// Counts the sessions without a verdict.
fn open_sessions(yore: &Yore) -> usize {
    let names = fs::read_dir(yore.repository().join("sessions")).into_iter().flatten();
    let names = names.map(|entry| entry.expect("an entry").file_name());
    let (ends, sessions): (Vec<_>, Vec<_>) =
        names.partition(|name| name.to_string_lossy().ends_with(".end"));
    sessions.len() - ends.len()
}

/// Starts a backup that reads from a pipe; returns once its session is open.
fn begun(yore: &Yore, prepare: impl FnOnce(Command) -> Command) -> (Child, fs::File) {
    let feed = yore.scratch.at("feed");
    in_shell("rm -f \"$1\"; mkfifo \"$1\"", &[&feed]);
    let line = format!("cat '{}'", feed.display());
    let words = ["backup", "--host", "one", "--command", &line, "--name", "stream"];
    let mut command = prepare(yore.command(words));
    let before = open_sessions(yore);
    let child = command.spawn().expect("the program runs");
    let mut pipe = fs::File::options().write(true).open(&feed).expect("it is read");
    pipe.write_all(b"beginning").expect("written");
    let began = Instant::now();
    while open_sessions(yore) == before {
        assert!(began.elapsed() < Duration::from_secs(60), "no session is opened");
        std::thread::sleep(Duration::from_millis(10));
    }
    (child, pipe)
}

#[track_caller]
fn assert_ends_well(child: Child, pipe: fs::File) {
    drop(pipe);
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_short_backup_of_one_machine_leaves_the_running_one_of_the_other_alone() {
    for other in [Other::Machine, Other::Boot] {
        let yore = Yore::with_repository();
        let source = source(&yore);
        let short = yore.command(["backup", text(&source)]);
        let (child, pipe) = begun(&yore, |plain| plain);
        Yore::finish(&mut elsewhere(&yore, other, &short)).assert_code(0);
        assert_ends_well(child, pipe);
        let (child, pipe) = begun(&yore, |plain| elsewhere(&yore, other, &plain));
        yore.run_on("backup", &[&source]).assert_code(0);
        assert_ends_well(child, pipe);
        assert_eq!(yore.snapshot_ids().len(), 4);
        assert_eq!(open_sessions(&yore), 0);
        yore.assert_sound();
    }
}

/// Returns the command with its clock set back by a time, under a program that waits for it.
fn earlier(by: &str, plain: &Command) -> Command {
    let mut command = Command::new("faketime");
    command.args(["-f", by]).arg(plain.get_program()).args(plain.get_args()).env_clear();
    command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command
}

#[test]
fn a_dead_session_is_aborted_at_once_on_its_own_boot_and_after_a_week_on_another() {
    for (by, left_elsewhere) in [("-6d", 1), ("-8d", 0)] {
        let yore = Yore::with_repository();
        let source = source(&yore);
        let short = yore.command(["backup", text(&source)]);
        let (mut child, pipe) = begun(&yore, |plain| earlier(by, &plain));
        let waiting = PathBuf::from(child.id().to_string());
        in_shell("kill -s KILL $(ps -o pid= --ppid \"$1\")", &[&waiting]);
        // `faketime` waits for the end of the command and passes no signal on.
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");
        assert_eq!(open_sessions(&yore), 1);
        drop(pipe);
        Yore::finish(&mut elsewhere(&yore, Other::Boot, &short)).assert_code(0);
        assert_eq!(open_sessions(&yore), left_elsewhere, "{by}");
        yore.run_on("backup", &[&source]).assert_code(0);
        assert_eq!(open_sessions(&yore), 0, "{by}");
        yore.assert_sound();
    }
}

/// Backs up; returns the output, and the snapshot as it is listed.
fn saved(yore: &Yore, command: &mut Command) -> (Ended, serde_json::Value, serde_json::Value) {
    let ended = Yore::finish(command).assert_code(0);
    let backup = ended.objects().pop().expect("a summary");
    let listed = yore.run(["snapshots", "--json"]).assert_code(0).objects();
    let snapshot = listed.into_iter().find(|line| line["id"] == backup["snapshot"]);
    (ended, backup, snapshot.expect("it is listed"))
}

#[test]
fn an_id_that_two_machines_use_is_split_and_the_chain_continues() {
    for other in [Other::Machine, Other::Boot] {
        let yore = Yore::with_repository();
        let source = source(&yore);
        let copy = yore.scratch.at("state of the copy");
        let here = || yore.command(["backup", "--json", "--host", "one", text(&source)]);
        let there = || {
            let mut plain = here();
            if other == Other::Boot {
                plain.env("YORE_STATE_DIR", &copy);
            }
            elsewhere(&yore, other, &plain)
        };
        saved(&yore, &mut here());
        in_shell("cp -a \"$1\" \"$2\"", &[&yore.scratch.at("state"), &copy]);
        let (_, _, second) = saved(&yore, &mut there());
        assert_eq!(second["sequence"], 2, "one may be the other after a restart");
        std::thread::sleep(Duration::from_secs(4));
        for round in 1..=3 {
            // The first machine that notices takes a new id.
            let numbers = [(&mut here(), round, round == 1), (&mut there(), round + 2, false)];
            for (command, sequence, is_split) in numbers {
                let (ended, backup, snapshot) = saved(&yore, command);
                assert_eq!(ended.err.contains("installation id"), is_split, "{}", ended.err);
                assert_eq!(snapshot["sequence"], sequence, "{snapshot}");
                assert_ne!(snapshot["seen"].as_array().map(Vec::len), Some(0), "{snapshot}");
                assert_eq!(backup["totals"]["new_files"], 0, "the chain continues: {backup}");
            }
        }
        assert_eq!(yore.snapshot_ids().len(), 8);
        yore.assert_sound();
    }
}
