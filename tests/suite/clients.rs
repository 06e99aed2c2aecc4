//! Programs that people use, on the drive.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use yore_tests::{MountGuard, Yore, in_shell, needs_root, noise};

/// A project under git, a database, and texts, backed up; the sources change afterwards.
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
fn copies_archives_and_searches_see_what_was_there() {
    let (yore, source) = backed_up();
    let drive = MountGuard::new(&yore, &[]);
    let shown = drive.shown("latest", &source);
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
fn git_tells_the_state_of_a_work_tree_of_the_past() {
    let (yore, source) = backed_up();
    let drive = MountGuard::new(&yore, &[]);
    let work = drive.shown("latest", &source).join("work");
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
    let shown = drive.shown("latest", &source);
    let ask = |uri: &str| {
        in_shell(&format!("sqlite3 \"file:$1/{uri}\" 'SELECT sum(n) FROM t'"), &[&shown])
    };
    assert_eq!(ask("data.db?mode=ro"), "83\n");
    // One in WAL mode wants to write beside itself, unless it is said not to change.
    assert_eq!(ask("wal.db?immutable=1"), "7\n");
}

#[test]
fn an_editor_shows_a_file_of_the_past() {
    let (yore, source) = backed_up();
    let drive = MountGuard::new(&yore, &[]);
    let file = drive.shown("snapshots/2026-01-15", &source).join("notes.txt");
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

/// A file server of its own, ended when it is dropped.
struct Smbd(Child);

impl Drop for Smbd {
    fn drop(&mut self) {
        let pid = self.0.id().to_string();
        let _ = Command::new("kill").arg(pid).status();
        let _ = self.0.wait();
    }
}

/// The lines of the README's recipe, with the share's own paths.
fn recipe(share: &Path, snapshots: &Path) -> String {
    let readme = fs::read_to_string(yore_tests::root().join("README.md")).expect("the README");
    let start = readme.find("    [documents]").expect("the README has the recipe");
    let lines: Vec<&str> =
        readme[start..].lines().take_while(|line| line.starts_with("    ")).collect();
    let recipe = lines.iter().map(|line| line.trim_start()).collect::<Vec<_>>().join("\n");
    assert!(recipe.contains("vfs objects = shadow_copy2"), "{recipe}");
    let inside = share.strip_prefix("/").expect("absolute").to_str().expect("text");
    recipe
        .replace("= srv/documents", &format!("= {inside}"))
        .replace("/srv/documents", share.to_str().expect("text"))
        .replace("/mnt/yore/snapshots", snapshots.to_str().expect("text"))
}

#[test]
fn samba_shows_previous_versions_by_the_recipe_of_the_readme() {
    needs_root("run a file server for others");
    let (yore, source) = backed_up();
    fs::write(source.join("notes.txt"), "second thoughts\n").expect("a file");
    let word = source.to_str().expect("text");
    yore.run(["backup", "--time", "2026-02-20T09:00:00Z", word]).assert_code(0);
    fs::write(source.join("notes.txt"), "now\n").expect("a file");
    let drive = MountGuard::new(&yore, &["--allow-other"]);
    let state = yore.scratch.folder("samba");
    let folders = ["lock", "state", "cache", "pid", "private", "ncalrpc"];
    folders.iter().for_each(|name| fs::create_dir(state.join(name)).expect("a folder"));
    let place = |name: &str| state.join(name).display().to_string();
    let port = 20_000 + std::process::id() % 20_000;
    let global = format!(
        "[global]\nserver role = standalone server\nworkgroup = TEST\nmap to guest = Bad User\nguest account = root\n\
         interfaces = lo\nbind interfaces only = yes\nsmb ports = {port}\nlog file = {}\nlog level = 1\n\
         lock directory = {}\nstate directory = {}\ncache directory = {}\npid directory = {}\nprivate dir = {}\n\
         ncalrpc dir = {}\nload printers = no\ndisable spoolss = yes\n",
        place("log"),
        place("lock"),
        place("state"),
        place("cache"),
        place("pid"),
        place("private"),
        place("ncalrpc"),
    );
    let share = recipe(&source, &drive.path().join("snapshots"));
    fs::write(state.join("smb.conf"), format!("{global}{share}\nguest ok = yes\n"))
        .expect("a file");
    let conf = place("smb.conf");
    let mut command = Command::new("smbd");
    command.args(["--foreground", "--debug-stdout", "-s", &conf]);
    command.env("TZ", "UTC").stdin(Stdio::null());
    let out = fs::File::create(state.join("out")).expect("a file");
    command.stdout(out.try_clone().expect("a file")).stderr(out);
    let _smbd = Smbd(command.spawn().expect("smbd runs"));
    let ask = |what: &str| {
        let output = Command::new("smbclient")
            .args(["-N", "-s", &conf, "-p", &port.to_string(), "//127.0.0.1/documents", "-c", what])
            .env("TZ", "UTC")
            .current_dir(&state)
            .output()
            .expect("smbclient runs");
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    };
    let began = Instant::now();
    while !ask("ls").contains("notes.txt") {
        assert!(began.elapsed() < Duration::from_secs(60), "{}", ask("ls"));
        std::thread::sleep(Duration::from_millis(100));
    }
    let listed = ask("allinfo notes.txt");
    for version in ["@GMT-2026.01.15-10.30.00", "@GMT-2026.02.20-09.00.00"] {
        assert!(listed.contains(version), "{listed}");
    }
    ask("get @GMT-2026.01.15-10.30.00\\notes.txt old.txt");
    let old = fs::read_to_string(state.join("old.txt"))
        .unwrap_or_else(|error| panic!("{error}: {listed}"));
    assert_eq!(old, "the first line\nneedle in the past\n");
}
