//! Mountpoints of drives: refusals, unmounting, drives in the background.

use std::path::Path;
use std::time::Duration;

use yore_platform::is_mounted;
use yore_tests::{Ended, MountGuard, MountedAt, Yore, in_shell};

fn backed_up() -> (Yore, std::path::PathBuf) {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    std::fs::write(source.join("file"), "of the past").expect("a file");
    yore.run_on("backup", &[&source]).assert_code(0);
    (yore, source)
}

fn refused(yore: &Yore, mountpoint: &Path, words: &[&str]) -> Ended {
    let ended = yore.run_on("mount", &[mountpoint]).assert_code(1);
    for word in words {
        assert!(ended.err.contains(word), "{word:?} is not in {}", ended.err);
    }
    assert!(!is_mounted(mountpoint));
    ended
}

#[test]
fn an_unsuitable_mountpoint_is_refused_with_the_reason() {
    let (yore, source) = backed_up();
    refused(&yore, &yore.scratch.at("missing"), &["missing", "mkdir -p"]);
    refused(&yore, &source.join("file"), &["file"]);
    refused(&yore, &source, &["empty"]);
    let inside = yore.repository().join("inside");
    std::fs::create_dir(&inside).expect("a folder");
    refused(&yore, &inside, &["repository"]);
    std::fs::remove_dir(&inside).expect("removed");
    let inside = yore.scratch.folder("cache/inside");
    refused(&yore, &inside, &["cache"]);
}

#[test]
fn a_mountpoint_in_use_is_refused() {
    let (yore, _) = backed_up();
    let drive = MountGuard::new(&yore, &[]);
    let ended = yore.run_on("mount", &[drive.path()]).assert_code(1);
    assert!(ended.err.contains("umount"), "{}", ended.err);
    assert!(is_mounted(drive.path()), "the drive stays");
}

#[test]
fn a_drive_is_unmounted_by_sigint_and_by_sigterm() {
    for (signal, codes) in [("INT", [0, 130]), ("TERM", [0, 143])] {
        let (yore, source) = backed_up();
        let mut drive = MountGuard::new(&yore, &[]);
        let shown = drive.path_of("latest", &source);
        assert_eq!(std::fs::read_to_string(shown.join("file")).expect("it reads"), "of the past");
        drive.signal(signal);
        let code = drive.wait().expect("it ends by itself");
        assert!(codes.contains(&code), "{signal}: {code}");
        assert!(!is_mounted(drive.path()), "{signal}: the drive is still there");
    }
}

#[test]
fn a_drive_is_unmounted_by_the_command_umount() {
    let (yore, _) = backed_up();
    let mut drive = MountGuard::new(&yore, &[]);
    yore.run_on("umount", &[drive.path()]).assert_code(0);
    assert!(!is_mounted(drive.path()));
    assert_eq!(drive.wait(), Some(0));
    let ended = yore.run_on("umount", &[drive.path()]).assert_code(1);
    assert!(ended.err.contains("drive"), "{}", ended.err);
}

#[test]
fn a_drive_in_use_is_not_unmounted_unless_forced() {
    let (yore, source) = backed_up();
    let mut drive = MountGuard::new(&yore, &[]);
    let file =
        std::fs::File::open(drive.path_of("latest", &source).join("file")).expect("it opens");
    let ended = yore.run_on("umount", &[drive.path()]).assert_code(11);
    assert!(ended.err.contains("--force"), "{}", ended.err);
    // The message names the holder: these tests.
    assert!(ended.err.contains(&std::process::id().to_string()), "{}", ended.err);
    yore.run_on("umount --force", &[drive.path()]).assert_code(0);
    assert!(!is_mounted(drive.path()));
    drop(file);
    drive.wait();
}

#[test]
fn a_drive_whose_program_was_killed_answers_errors_and_is_explained() {
    let (yore, source) = backed_up();
    let mut drive = MountGuard::new(&yore, &[]);
    drive.signal("KILL");
    drive.wait();
    let listed = std::fs::read_dir(drive.path_of("latest", &source));
    assert!(listed.is_err(), "a dead drive answers errors, not emptiness");
    let ended = yore.run_on("mount", &[drive.path()]).assert_code(1);
    assert!(ended.err.contains("yore umount"), "{}", ended.err);
    yore.run_on("umount", &[drive.path()]).assert_code(0);
    assert!(!is_mounted(drive.path()));
    drop(drive);
    let again = MountGuard::new(&yore, &[]);
    assert!(again.path_of("latest", &source).join("file").is_file());
}

#[test]
fn a_drive_in_the_background_is_there_when_the_command_returns() {
    let (yore, source) = backed_up();
    let mountpoint = yore.scratch.folder("drive");
    let ended = yore.run_on("mount --detach", &[&mountpoint]).assert_code(0);
    assert!(ended.out.contains("umount"), "{}", ended.out);
    let shown = mountpoint.join("latest").join(source.strip_prefix("/").expect("absolute"));
    let text = std::fs::read_to_string(shown.join("file"));
    yore.run_on("umount", &[&mountpoint]).assert_code(0);
    assert_eq!(text.expect("it reads"), "of the past");
    assert!(!is_mounted(&mountpoint));
    // Errors in the background are printed in the foreground.
    let wrong = yore.scratch.at("wrong");
    in_shell("printf 'not the passphrase\\n' > \"$1\"", &[&wrong]);
    let mut command = yore.bare_command(["mount", "--detach"]);
    command.arg(&mountpoint).env("YORE_REPO", yore.repository()).env("YORE_PASSWORD_FILE", &wrong);
    Yore::finish(&mut command).assert_code(12);
    assert!(!is_mounted(&mountpoint));
}

/// Mounts in the background from a working directory, by a line of shell with the program as `$1` and the
/// mountpoint as `$2`; returns the process id and the output.
fn in_background(yore: &Yore, folder: &Path, line: &str) -> (u32, Ended) {
    let mountpoint = yore.scratch.folder("drive");
    let program = yore.command([""; 0]);
    let mut command = std::process::Command::new("bash");
    command.args(["-c", line, "bash"]).arg(program.get_program()).arg(&mountpoint);
    command.env_clear().current_dir(folder);
    command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let ended = Yore::finish(&mut command).assert_code(0);
    assert!(is_mounted(&mountpoint), "{ended:?}");
    let pid = ended.objects()[0]["pid"].as_u64().expect("a number");
    (u32::try_from(pid).expect("a number of a process"), ended)
}

/// Lists the open files and the working directory of a process.
fn held_by(pid: u32) -> Vec<std::path::PathBuf> {
    let process = Path::new("/proc").join(pid.to_string());
    let open = std::fs::read_dir(process.join("fd")).expect("its files").flatten();
    let links = open.map(|entry| entry.path()).chain([process.join("cwd"), process.join("root")]);
    links.filter_map(|link| std::fs::read_link(link).ok()).collect()
}

#[test]
fn a_drive_in_the_background_does_not_hold_the_folder_that_it_was_started_from() {
    yore_tests::needs_root("mount a disk");
    let (yore, _) = backed_up();
    let disk = yore.scratch.folder("disk");
    in_shell("mount -t tmpfs disk \"$1\" && echo x > \"$1\"/file", &[&disk]);
    let _guard = MountedAt::new(&disk);
    let line = "exec 7< file 8> log; \"$1\" --json mount --detach -- \"$2\"";
    let (pid, _) = in_background(&yore, &disk, line);
    let held = held_by(pid);
    let unmounted = std::process::Command::new("umount").arg(&disk).status().expect("umount runs");
    yore.run_on("umount", &[&yore.scratch.at("drive")]).assert_code(0);
    assert!(unmounted.success(), "the disk is busy: {held:?}");
    assert!(held.iter().all(|path| !path.starts_with(&disk)), "{held:?}");
    assert!(held.contains(&yore.scratch.at("state/mount.log")), "{held:?}");
}

#[test]
fn a_drive_in_the_background_resolves_relative_paths_from_its_starting_folder() {
    let (yore, _) = backed_up();
    let line = "export YORE_REPO=repository YORE_CACHE_DIR=cache YORE_STATE_DIR=state && \
                \"$1\" --json mount --detach --key-file key drive";
    in_background(&yore, yore.scratch.path(), line);
    let snapshots =
        || std::fs::read_dir(yore.scratch.at("drive/snapshots")).map_or(0, Iterator::count);
    assert_eq!(snapshots(), 2, "a day and a time");
    // It still looks for new snapshots there.
    std::thread::sleep(Duration::from_millis(1_100));
    yore.run_on("backup", &[&yore.scratch.at("source")]).assert_code(0);
    let appears = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(100));
        snapshots() >= 3
    });
    yore.run_on("umount", &[&yore.scratch.at("drive")]).assert_code(0);
    assert!(appears, "the new snapshot does not appear");
}

#[test]
fn a_drive_in_the_background_says_when_it_has_no_log() {
    let (yore, _) = backed_up();
    let line = "export YORE_STATE_DIR=/proc/absent && \"$1\" --json mount --detach \"$2\"";
    let (pid, ended) = in_background(&yore, yore.scratch.path(), line);
    let held = held_by(pid);
    yore.run_on("umount", &[&yore.scratch.at("drive")]).assert_code(0);
    let said: serde_json::Value = serde_json::from_str(ended.err.trim()).expect("an object");
    let message = said["message"].as_str().expect("text");
    assert!(message.contains("no log") && message.contains("/proc/absent"), "{message}");
    assert!(held.iter().all(|path| !path.to_string_lossy().contains("memfd")), "{held:?}");
}

#[test]
fn new_snapshots_appear_in_a_drive_and_forgotten_ones_go() {
    let (yore, source) = backed_up();
    let drive = MountGuard::new(&yore, &[]);
    let shown = drive.path_of("latest", &source).join("file");
    assert_eq!(std::fs::read_to_string(&shown).expect("it reads"), "of the past");
    let snapshots = || std::fs::read_dir(drive.path().join("snapshots")).map_or(0, Iterator::count);
    assert_eq!(snapshots(), 2, "a day and a time");
    std::fs::write(source.join("file"), "of the present").expect("a file");
    std::thread::sleep(Duration::from_millis(1_100));
    yore.run_on("backup", &[&source]).assert_code(0);
    let appears = |wanted: &str| {
        (0..100).any(|_| {
            std::thread::sleep(Duration::from_millis(100));
            std::fs::read_to_string(&shown).is_ok_and(|text| text == wanted)
        })
    };
    assert!(appears("of the present"), "the new snapshot does not appear");
    assert!(snapshots() >= 3);
    let newest = yore.snapshot_ids().pop().expect("one");
    yore.run(["forget", &newest]).assert_code(0);
    assert!(appears("of the past"), "the forgotten snapshot does not go");
    assert_eq!(snapshots(), 2);
}

#[test]
fn a_damaged_pack_is_an_error_for_its_files_and_nothing_else() {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    std::fs::write(source.join("damaged"), yore_tests::noise(3_000_000, 1)).expect("a file");
    yore.run_on("backup", &[&source]).assert_code(0);
    let packs = in_shell(
        "find \"$1\"/packs -type f -printf '%s %p\\n' | sort -n | tail -1",
        &[&yore.repository()],
    );
    let largest = Path::new(packs.trim().split_once(' ').expect("a pack").1);
    std::fs::write(source.join("whole"), yore_tests::noise(200_000, 2)).expect("a file");
    yore.run_on("backup", &[&source]).assert_code(0);
    in_shell(
        "chmod u+w \"$1\" && printf 'damage' | dd of=\"$1\" bs=1 seek=5000 conv=notrunc status=none",
        &[largest],
    );
    let drive = MountGuard::new(&yore, &[]);
    let shown = drive.path_of("latest", &source);
    let error = std::fs::read(shown.join("damaged")).expect_err("it can't be read");
    assert_eq!(error.raw_os_error(), Some(5), "EIO, and not {error}");
    let whole = std::fs::read(shown.join("whole")).expect("it reads");
    assert!(whole == yore_tests::noise(200_000, 2));
    drop(drive);
    let ended = yore.run(["check", "--read-data"]).assert_code(1);
    let name = largest.file_name().expect("a name").to_string_lossy();
    assert!(ended.out.contains(&name[..8]), "{ended:?}");
    let target = yore.scratch.at("restored");
    let place = format!("latest:{}", source.display());
    let ended = yore.run(["restore", &place, "--target", target.to_str().expect("text")]);
    let ended = ended.assert_code(3);
    assert!(ended.err.contains("damaged"), "{}", ended.err);
    assert!(!target.join("source/damaged").exists() && target.join("source/whole").exists());
}
