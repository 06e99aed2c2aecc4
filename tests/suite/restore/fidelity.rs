//! Every kind and attribute of a file, through backup and restore, and through the drive.

use std::path::{Path, PathBuf};
use std::process::Command;

use yore_tests::{MountGuard, Yore, assert_same_tree, build_matrix, in_shell, is_root, stat_tree};

/// A source with every kind of file, backed up once.
struct Scene {
    yore: Yore,
    source: PathBuf,
}

fn scene() -> Scene {
    let yore = Yore::with_repository();
    let source = yore.scratch.at("source");
    let left_out = build_matrix(&source);
    // Files that changed within three seconds before a backup are read again by the next one.
    std::thread::sleep(std::time::Duration::from_millis(3_200));
    let expected = match is_root() {
        // Only times that the file system can't hold are left out.
        true => left_out.iter().filter(|line| !line.starts_with("time ")).count(),
        false => 0,
    };
    assert_eq!(expected, 0, "root may make everything: {left_out:?}");
    let ended = yore.run_on("backup", &[&source]).assert_code(0);
    assert_eq!(ended.err, "", "nothing is complained of");
    Scene { yore, source }
}

#[test]
fn every_kind_of_file_is_restored_as_it_was() {
    let scene = scene();
    let found = stat_tree(&scene.source);
    assert!(found.len() > 10_100, "only {} files", found.len());
    let kinds = ["file", "directory", "symlink", "fifo", "socket"];
    for kind in kinds.iter().chain(is_root().then_some(["character", "block"]).iter().flatten()) {
        assert!(found.values().any(|line| line["kind"] == *kind), "no {kind}");
    }
    let target = scene.yore.scratch.at("restored");
    let place = format!("latest:{}", scene.source.display());
    // It has a tebibyte of holes, which are skipped when it is read again, too.
    let arguments = ["restore", &place, "--verify", "--target"].map(PathBuf::from);
    let arguments = arguments.iter().chain(std::iter::once(&target));
    let ended = scene.yore.run(arguments).assert_code(0);
    assert_eq!(ended.err, "", "nothing is complained of");
    assert_same_tree(&target.join("source"), &scene.source);
    scene.yore.assert_sound();
}

#[test]
fn a_restore_over_existing_files_changes_nothing_that_is_right() {
    let scene = scene();
    let place = format!("latest:{}", scene.source.display());
    let before = stat_tree(&scene.source);
    let ended = scene.yore.run([
        "restore",
        &place,
        "--in-place",
        "--delete",
        "--overwrite",
        "different",
        "--json",
    ]);
    let ended = ended.assert_code(0);
    let objects = ended.objects();
    let report = objects.iter().find(|line| line["type"] == "restore").expect("a report");
    assert_eq!(
        (report["files"].as_u64(), report["deleted"].as_u64()),
        (Some(0), Some(0)),
        "{report}"
    );
    assert_eq!(stat_tree(&scene.source), before);
}

#[test]
fn a_second_backup_of_unchanged_files_stores_no_content() {
    let scene = scene();
    let ended = scene.yore.run_on("backup --json", &[&scene.source]).assert_code(0);
    let objects = ended.objects();
    let report = objects.iter().find(|line| line["type"] == "backup").expect("a report");
    let totals = &report["totals"];
    assert_eq!(totals["new_files"].as_u64(), Some(0), "{report}");
    // Files with times in the future are read again, and found unchanged.
    assert_eq!(totals["changed_files"].as_u64(), Some(0), "{report}");
    // The folder above the source has another time: only its tree is new.
    assert!(totals["new_bytes"].as_u64() < Some(1000), "{report}");
    let target = scene.yore.scratch.at("restored");
    let place = format!("latest:{}", scene.source.display());
    let target_word = target.to_str().expect("text");
    scene.yore.run(["restore", &place, "--target", target_word]).assert_code(0);
    assert_same_tree(&target.join("source"), &scene.source);
}

#[test]
fn the_drive_shows_every_kind_of_file_as_it_was() {
    let scene = scene();
    let drive = MountGuard::new(&scene.yore, &[]);
    let shown = drive.path_of("latest", &scene.source);
    assert_same_tree(&shown, &scene.source);
    // Again, from the kernel's caches, and by the name of the snapshot.
    assert_same_tree(&shown, &scene.source);
    let names = in_shell("ls -1 \"$1\"/snapshots", &[drive.path()]);
    let name = names.lines().find(|name| name.contains('T')).expect("a snapshot by its time");
    let by_time = drive.path_of(&format!("snapshots/{name}"), &scene.source);
    assert_same_tree(&by_time, &scene.source);
}

/// Copies the source without paths that are too long for other tools, and without a file of a terabyte, which
/// takes them an hour.
fn for_tools(scene: &Scene) {
    in_shell("rm -rf \"$1\"/deep \"$1\"/sparse/huge", &[&scene.source]);
    scene.yore.run_on("backup", &[&scene.source]).assert_code(0);
}

#[test]
fn diff_rsync_tar_find_and_stat_see_no_difference_between_drive_and_source() {
    let scene = scene();
    for_tools(&scene);
    let drive = MountGuard::new(&scene.yore, &[]);
    let shown = drive.path_of("latest", &scene.source);
    let both: [&Path; 2] = [&shown, &scene.source];

    // Without fifos and devices, which diff would open.
    let said = in_shell(
        "diff -r --no-dereference --exclude=special --exclude=pipe \"$1\" \"$2\" 2>&1",
        &both,
    );
    assert_eq!(said, "", "diff");

    let said = in_shell(
        "rsync -aHAX --checksum --dry-run --itemize-changes --delete \"$1\"/ \"$2\"/",
        &both,
    );
    assert_eq!(said, "", "rsync, from the drive");
    let said = in_shell(
        "rsync -aHAX --checksum --dry-run --itemize-changes --delete \"$2\"/ \"$1\"/",
        &both,
    );
    assert_eq!(said, "", "rsync, to the drive");

    // tar leaves sockets out and names them on standard error.
    let list = "tar --create --sort=name --xattrs --xattrs-include='*' --acls --format=posix \
                --directory \"$1\" . 2>/dev/null | tar --list --verbose --full-time --file -";
    assert_eq!(in_shell(list, &[&shown]), in_shell(list, &[&scene.source]), "tar's list");
    let compare = "tar --create --xattrs --xattrs-include='*' --acls --format=posix --directory \
                   \"$1\" . 2>/dev/null | tar --compare --directory \"$2\" --file - 2>&1";
    assert_eq!(in_shell(compare, &both), "", "tar's comparison");

    let find = "cd \"$1\" && find . ! -type d -printf '%P\\t%y %m %U %G %s %n %T@ %l\\n' | sort && \
                find . -type d -printf '%P\\t%y %m %U %G %T@\\n' | sort";
    assert_eq!(in_shell(find, &[&shown]), in_shell(find, &[&scene.source]), "find");
    let stat = "cd \"$1\" && find . ! -type d -print0 | sort -z | xargs -0 stat --format '%n %f %u %g %s %t %T %Y %h'";
    assert_eq!(in_shell(stat, &[&shown]), in_shell(stat, &[&scene.source]), "stat");
    let cp = "rm -rf \"$2\" && cp -a \"$1\" \"$2\"";
    let copied = scene.yore.scratch.at("copied");
    in_shell(cp, &[&shown, &copied]);
    // cp makes holes of its own where it finds zeros, so contents are compared with rsync.
    let said = in_shell(
        "rsync -aHAX --checksum --dry-run --itemize-changes --delete \"$1\"/ \"$2\"/",
        &[&copied, &scene.source],
    );
    assert_eq!(said, "", "cp -a out of the drive");
}

#[test]
fn the_drive_can_be_read_only_and_is_nosuid_and_nodev() {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    std::fs::write(source.join("file"), "x").expect("a file");
    yore.run_on("backup", &[&source]).assert_code(0);
    let drive = MountGuard::new(&yore, &[]);
    let shown = drive.path_of("latest", &source);
    for line in [
        "echo y > \"$1\"/file",
        "rm -f \"$1\"/file",
        "mkdir \"$1\"/new",
        "touch \"$1\"/file",
        "chmod 600 \"$1\"/file",
        "mv \"$1\"/file \"$1\"/other",
        "ln -s x \"$1\"/link",
        "setfattr -n user.x -v 1 \"$1\"/file",
        "truncate -s 0 \"$1\"/file",
    ] {
        let output = Command::new("bash").args(["-c", line, "bash"]).arg(&shown).output();
        let output = output.expect("bash runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains("Read-only"), "`{line}` says {said:?}");
    }
    let mounts = std::fs::read_to_string("/proc/self/mounts").expect("it reads");
    let mountpoint = drive.path().to_str().expect("text");
    let line = mounts.lines().find(|line| line.contains(mountpoint)).expect("it is mounted");
    for option in ["ro", "nosuid", "nodev"] {
        assert!(line.split([' ', ',']).any(|word| word == option), "{option} is not in {line}");
    }
    let value = in_shell("getfattr --only-values -n user.yore.snapshot \"$1\"/file", &[&shown]);
    assert_eq!(value, yore.snapshot_ids()[0]);
}
