//! Every call that changes a file system is refused on the drive as on one that is mounted read-only.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use yore_tests::{MountGuard, Yore, in_shell, needs_root, root};

/// Runs every changing call; returns the error of each by its name.
fn refusals(file: &Path, directory: &Path) -> BTreeMap<String, String> {
    let script = root().join("tests/oracle/mutations.py");
    let told = in_shell("/usr/bin/python3 \"$1\" \"$2\" \"$3\"", &[&script, file, directory]);
    let pair = |line: &str| {
        let (call, error) = line.split_once('\t').expect("a call and its end");
        (call.to_owned(), error.to_owned())
    };
    told.lines().map(pair).collect()
}

/// Backs up a folder with everything that a call may change; then deletes one file of it.
fn backed_up() -> (Yore, PathBuf) {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    fs::create_dir(source.join("folder")).expect("a folder");
    in_shell(
        "cd \"$1\" && echo x > file && echo y > gone && setfattr -n user.old -v 1 file gone",
        &[&source],
    );
    yore.run_on("backup", &[&source]).assert_code(0);
    fs::remove_file(source.join("gone")).expect("a file");
    yore.run_on("backup", &[&source]).assert_code(0);
    in_shell("cd \"$1\" && echo y > gone", &[&source]);
    (yore, source)
}

/// Returns the errors of the same calls on the same folder, mounted read-only.
fn native(yore: &Yore, source: &Path) -> BTreeMap<String, String> {
    let mountpoint = yore.scratch.folder("native");
    in_shell(
        "mount --bind \"$1\" \"$2\" && mount -o remount,bind,ro \"$2\"",
        &[source, &mountpoint],
    );
    let told = refusals(&mountpoint.join("file"), &mountpoint.join("folder"));
    in_shell("umount \"$1\"", &[&mountpoint]);
    told
}

#[test]
fn each_of_them_is_refused_everywhere_as_on_a_read_only_file_system() {
    needs_root("mount a folder read-only");
    let (yore, source) = backed_up();
    let expected = native(&yore, &source);
    let refused = expected.values().filter(|error| *error == "EROFS").count();
    assert!(refused >= 55, "only {refused} calls are refused natively: {expected:?}");
    let drive = MountGuard::new(&yore, &[]);
    let top = drive.path();
    let version = in_shell("ls -d \"$1\"/*", &[&drive.path_of("versions", &source).join("file")]);
    let of = |state: &str| drive.path_of(state, &source);
    let places = [
        (of("latest").join("file"), of("latest").join("folder")),
        (of("at/today").join("file"), of("at/today").join("folder")),
        (top.join(".xdg-volume-info"), top.join("snapshots")),
        (PathBuf::from(version.trim()), of("versions").join("folder")),
        (of("deleted").join("gone"), top.join("hosts")),
        (top.join(".directory"), top.join("changes")),
    ];
    for (file, directory) in &places {
        let told = refusals(file, directory);
        assert_eq!(told, expected, "{} and {}", file.display(), directory.display());
    }
    // The kernel passes changes on, and the drive refuses them itself.
    in_shell("mount -i -o remount,rw \"$1\"", &[top]);
    for (file, directory) in &places {
        let before = fs::read(file).expect("it reads");
        for (call, error) in refusals(file, directory) {
            let only_asks = call.starts_with("open") || call.contains("access");
            let fits = match error.as_str() {
                // The kernel opens without the drive; the drive refuses the change.
                "done" => only_asks && !call.contains("truncated") && !call.contains("made"),
                // FUSE has no file flags.
                "ENOTTY" => call == "ioctl, flags",
                "ENOTSUP" => call == "open, without a name" || call.starts_with("fallocate"),
                error => error == expected[&call],
            };
            assert!(fits, "{call} ends with {error}: {}", file.display());
        }
        assert!(fs::read(file).expect("it reads") == before);
    }
}
