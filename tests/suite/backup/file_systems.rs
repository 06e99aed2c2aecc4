//! File systems that a backup does not enter, and the messages about them.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use yore_tests::{MountedAt, Yore, in_shell, needs_root};

fn back_up(yore: &Yore, words: &str, source: &Path) -> Value {
    let ended = yore.run_on(&format!("backup --json {words}"), &[source]).assert_code(0);
    ended.objects().pop().expect("a summary")
}

/// Lists the paths below the source that were not entered, with the reasons.
fn not_entered(report: &Value, source: &Path) -> Vec<(String, String)> {
    let top = format!("{}/", source.display());
    let folders = report["left_out"]["folders"].as_array().expect("a list");
    let of = |folder: &Value| {
        let path = folder["path"].as_str()?.strip_prefix(&top)?.to_owned();
        Some((path, folder["reason"].as_str()?.to_owned()))
    };
    folders.iter().filter_map(of).collect()
}

fn pair(path: &str, why: &str) -> (String, String) {
    (path.into(), why.into())
}

#[test]
fn file_systems_of_the_kernel_are_left_out_unless_they_are_named() {
    needs_root("mount proc and devpts");
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    let [proc, pts] = ["proc", "pts"].map(|name| yore.scratch.folder(&format!("source/{name}")));
    std::fs::write(source.join("file"), "").expect("a file");
    in_shell("mount -t proc proc \"$1\" && mount -t devpts devpts \"$2\"", &[&proc, &pts]);
    let mounted = [MountedAt::new(&proc), MountedAt::new(&pts)];
    let report = back_up(&yore, "", &source);
    let text = yore.run_on("backup", &[&source]);
    let named = yore.run_on("backup --json", &[&source, &pts]);
    drop(mounted);
    assert_eq!(not_entered(&report, &source), [pair("proc", "system"), pair("pts", "system")]);
    assert_eq!(report["totals"]["files"].as_u64(), Some(1), "{report}");
    let text = text.assert_code(0).out;
    assert!(text.contains("left out: 2 file systems of the kernel's ("), "{text}");
    // A named source is saved: devpts has a device of its own, ptmx.
    let named = named.assert_code(0).objects().pop().expect("a summary");
    assert_eq!(not_entered(&named, &source), [pair("proc", "system")]);
    assert!(named["totals"]["others"].as_u64() > Some(0), "{named}");
    yore.assert_sound();
}

#[test]
fn a_mount_that_another_user_owns_is_a_note_and_no_error() {
    needs_root("mount as somebody else");
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    let [theirs, behind] =
        ["theirs", "behind"].map(|name| yore.scratch.folder(&format!("source/{name}")));
    std::fs::write(behind.join("file"), "text").expect("a file");
    in_shell(
        "chown nobody \"$1\" \"$2\" && chmod 755 \"$3\"",
        &[&theirs, &behind, yore.scratch.path()],
    );
    let mut command = Command::new("setpriv");
    command.args([
        "--reuid=nobody",
        "--regid=nogroup",
        "--clear-groups",
        "bindfs",
        "-f",
        "--no-allow-other",
    ]);
    command.args([&behind, &theirs]).stdin(Stdio::null());
    let mut bindfs = command.spawn().expect("bindfs runs");
    let mounted = MountedAt::new(&theirs);
    let is_private = || std::fs::read_dir(&theirs).is_err();
    let since = std::time::Instant::now();
    while !is_private() && since.elapsed().as_secs() < 20 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let was_private = is_private();
    let all = yore.run_on("backup --json", &[&source]);
    let one = yore.run_on("backup --json --one-file-system", &[&source]);
    drop(mounted);
    bindfs.wait().expect("it ends");
    assert!(was_private, "root is kept out");
    for ended in [all, one] {
        let report = ended.assert_code(0).objects().pop().expect("a summary");
        assert_eq!(not_entered(&report, &source), [pair("theirs", "private")]);
        assert_eq!(report["totals"]["files"].as_u64(), Some(1), "{report}");
    }
    yore.assert_sound();
}

#[test]
fn the_repository_is_recognised_by_any_path() {
    needs_root("mount a folder a second time");
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    let second = yore.scratch.folder("source/second");
    std::fs::write(source.join("file"), "text").expect("a file");
    in_shell("mount --bind \"$1\" \"$2\"", &[&yore.repository(), &second]);
    let mounted = MountedAt::new(&second);
    let report = back_up(&yore, "", &source);
    drop(mounted);
    assert_eq!(not_entered(&report, &source), [pair("second", "own")]);
    // A copy of the repository is another folder with the same repository id.
    in_shell("cp -a \"$1\" \"$2\"/copy", &[&yore.repository(), &source]);
    let report = back_up(&yore, "", &source);
    assert_eq!(not_entered(&report, &source), [pair("copy", "own")]);
    assert_eq!(report["totals"]["files"].as_u64(), Some(1), "{report}");
}
