//! Everyday programs on the drive: archivers, git, databases, editors.

use std::fs;
use std::path::PathBuf;

use yore_tests::{MountGuard, Yore, in_shell, noise};

/// Backs up a project under git, a database and texts; the sources change afterwards.
fn backed_up() -> (Yore, PathBuf) {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    fs::write(source.join("notes.txt"), "the first line\nneedle in the past\n").expect("a file");
    fs::create_dir(source.join("sub")).expect("a folder");
    fs::write(source.join("sub/noise"), noise(300_000, 3)).expect("a file");
    in_shell(
        "cd \"$1\" && mkdir work && cd work && git init -q && git config user.email a@b.c && \
         git config user.name me && echo one > file && git add . && git commit -qm one && \
         echo changed >> file && echo new > untracked && \
         sqlite3 ../data.db 'CREATE TABLE t (n); INSERT INTO t VALUES (41), (42);' && \
         sqlite3 ../wal.db 'PRAGMA journal_mode = WAL; CREATE TABLE t (n); INSERT INTO t VALUES (7);'",
        &[&source],
    );
    let word = source.to_str().expect("text");
    yore.run(["backup", "--time", "2026-01-15T10:30:00Z", word]).assert_code(0);
    (yore, source)
}

#[test]
fn copies_archives_and_searches_find_the_old_content() {
    let (yore, source) = backed_up();
    let drive = MountGuard::new(&yore, &[]);
    let shown = drive.path_of("latest", &source);
    let copies = yore.scratch.folder("copies");
    in_shell(
        "cp -a \"$1\" \"$2/cp\" && diff -r --no-dereference \"$2/cp\" \"$3\"",
        &[&shown, &copies, &source],
    );
    in_shell(
        "rsync -aHAX \"$1/\" \"$2/rsync\" && rsync -aHAXn --itemize-changes \"$2/rsync/\" \"$3/\" > \"$2/told\"; test ! -s \"$2/told\" || { cat \"$2/told\"; exit 1; }",
        &[&shown, &copies, &source],
    );
    in_shell(
        "mkdir \"$2/tar\" && tar -C \"$1\" -c . | tar -C \"$2/tar\" -x && diff -r --no-dereference \"$2/tar\" \"$3\"",
        &[&shown, &copies, &source],
    );
    let found = in_shell("cd \"$1\" && grep -rl needle .", &[&shown]);
    assert_eq!(found, "./notes.txt\n");
}

#[test]
fn git_reports_the_state_of_an_old_work_tree() {
    let (yore, source) = backed_up();
    let drive = MountGuard::new(&yore, &[]);
    let work = drive.path_of("latest", &source).join("work");
    let status = in_shell(
        "cd \"$1\" && git -c safe.directory='*' status --porcelain && git -c safe.directory='*' log --format=%s",
        &[&work],
    );
    assert_eq!(status, " M file\n?? untracked\none\n");
}

#[test]
fn databases_open_for_reading() {
    let (yore, source) = backed_up();
    let drive = MountGuard::new(&yore, &[]);
    let shown = drive.path_of("latest", &source);
    let ask = |uri: &str| {
        in_shell(&format!("sqlite3 \"file:$1/{uri}\" 'SELECT sum(n) FROM t'"), &[&shown])
    };
    assert_eq!(ask("data.db?mode=ro"), "83\n");
    // A database in WAL mode needs files beside it, unless it is opened as immutable.
    assert_eq!(ask("wal.db?immutable=1"), "7\n");
}

#[test]
fn an_editor_shows_an_old_version_of_a_file() {
    let (yore, source) = backed_up();
    let drive = MountGuard::new(&yore, &[]);
    let file = drive.path_of("snapshots/2026-01-15", &source).join("notes.txt");
    let socket = yore.scratch.at("tmux");
    let folder = file.parent().expect("a folder");
    let seen = in_shell(
        "at=\"$2\"
         screen() { tmux -S \"$at\" capture-pane -p; }
         shows() { for n in $(seq 200); do screen | grep -q \"$1\" && return; sleep 0.05; done; }
         cd \"$1\"
         tmux -S \"$at\" -f /dev/null new-session -d -x 100 -y 20 'vim -u NONE -R notes.txt'
         shows needle; screen
         tmux -S \"$at\" send-keys ':w' Enter
         shows E45; screen
         tmux -S \"$at\" kill-server",
        &[folder, &socket],
    );
    assert!(seen.contains("needle in the past"), "{seen}");
    assert!(seen.contains("E45"), "{seen}");
}
