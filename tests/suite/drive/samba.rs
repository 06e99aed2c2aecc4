//! Previous versions on a Samba file server, as its clients see them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use yore_tests::{MountGuard, Scratch, Yore, in_shell, needs_root};

/// A Samba server, ended when it is dropped.
struct Smbd {
    process: Child,
    state: PathBuf,
    port: u32,
    zone: &'static str,
}

impl Drop for Smbd {
    fn drop(&mut self) {
        let pid = self.process.id().to_string();
        let _ = Command::new("kill").arg(pid).status();
        let _ = self.process.wait();
    }
}

impl Smbd {
    /// Serves a share with lines of configuration, in a time zone.
    fn start(scratch: &Scratch, share: &str, zone: &'static str, number: u32) -> Smbd {
        let state = scratch.folder("samba");
        let folders = ["lock", "state", "cache", "pid", "private", "ncalrpc"];
        folders.iter().for_each(|name| fs::create_dir(state.join(name)).expect("a folder"));
        let place = |name: &str| state.join(name).display().to_string();
        let port = 20_000 + (2 * std::process::id() + number) % 20_000;
        let global = format!(
            "[global]\nserver role = standalone server\nworkgroup = TEST\n\
             map to guest = Bad User\nguest account = root\n\
             interfaces = lo\nbind interfaces only = yes\nsmb ports = {port}\n\
             log file = {}\nlog level = 1\n\
             lock directory = {}\nstate directory = {}\ncache directory = {}\n\
             pid directory = {}\nprivate dir = {}\nncalrpc dir = {}\n\
             load printers = no\ndisable spoolss = yes\n",
            place("log"),
            place("lock"),
            place("state"),
            place("cache"),
            place("pid"),
            place("private"),
            place("ncalrpc"),
        );
        fs::write(state.join("smb.conf"), format!("{global}{share}\nguest ok = yes\n"))
            .expect("a file");
        let mut command = Command::new("smbd");
        command.args(["--foreground", "--debug-stdout", "-s", &place("smb.conf")]);
        command.env("TZ", zone).stdin(Stdio::null());
        let out = fs::File::create(state.join("out")).expect("a file");
        command.stdout(out.try_clone().expect("a file")).stderr(out);
        let process = command.spawn().expect("smbd runs");
        let smbd = Smbd { process, state, port, zone };
        let began = Instant::now();
        while !smbd.ask("ls").contains("notes.txt") {
            assert!(began.elapsed() < Duration::from_secs(60), "{}", smbd.ask("ls"));
            std::thread::sleep(Duration::from_millis(100));
        }
        smbd
    }

    /// Runs a command of a client; returns its output.
    fn ask(&self, what: &str) -> String {
        let conf = self.state.join("smb.conf");
        let output = Command::new("smbclient")
            .args(["-N", "-s", conf.to_str().expect("text"), "-p", &self.port.to_string()])
            .args(["//127.0.0.1/documents", "-c", what])
            .env("TZ", self.zone)
            .current_dir(&self.state)
            .output()
            .expect("smbclient runs");
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }

    /// Lists the versions of a file that a client sees, by their times in UTC.
    fn versions(&self, file: &str) -> Vec<String> {
        let told = self.ask(&format!("allinfo {file}"));
        let tokens = told.lines().filter(|line| line.starts_with("@GMT-"));
        let mut tokens: Vec<String> = tokens.map(|line| line.trim().to_owned()).collect();
        tokens.sort();
        tokens
    }

    /// Returns the content of a version.
    fn read(&self, token: &str, file: &str) -> String {
        let said = self.ask(&format!("get {token}\\{file} old"));
        let old = self.state.join("old");
        let text = fs::read_to_string(&old).unwrap_or_else(|error| panic!("{error}: {said}"));
        fs::remove_file(old).expect("it goes");
        text
    }
}

/// Returns the configuration in the README, with the share's own paths.
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

/// Returns a configuration for names in UTC.
fn in_utc(recipe: &str) -> String {
    let line = |line: &str| match line.split(' ').next() {
        Some("shadow:format") => "shadow:format = %Y-%m-%dT%H%M%SZ".to_owned(),
        Some("shadow:localtime") => "shadow:localtime = no".to_owned(),
        _ => line.to_owned(),
    };
    recipe.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Backs up a file with the time as its content.
fn back_up(yore: &Yore, source: &Path, time: &str) {
    fs::write(source.join("notes.txt"), format!("at {time}\n")).expect("a file");
    let word = source.to_str().expect("text");
    yore.run(["backup", "--time", time, word]).assert_code(0);
}

#[test]
fn samba_shows_previous_versions_with_the_configuration_in_the_readme() {
    needs_root("run a file server for others");
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    back_up(&yore, &source, "2026-01-15T10:30:00Z");
    back_up(&yore, &source, "2026-02-20T09:00:00Z");
    fs::write(source.join("notes.txt"), "now\n").expect("a file");
    let share = recipe(&source, &yore.scratch.at("drive/snapshots"));
    let mut options = vec!["--allow-other"];
    options.extend(share.contains("%SZ").then_some("--utc-names"));
    let _drive = MountGuard::new(&yore, &options);
    let smbd = Smbd::start(&yore.scratch, &share, "UTC", 0);
    assert_eq!(
        smbd.versions("notes.txt"),
        ["@GMT-2026.01.15-10.30.00", "@GMT-2026.02.20-09.00.00"]
    );
    let old = smbd.read("@GMT-2026.01.15-10.30.00", "notes.txt");
    assert_eq!(old, "at 2026-01-15T10:30:00Z\n");
}

#[test]
fn previous_versions_are_right_across_both_changes_of_the_clock() {
    needs_root("run a file server for others");
    let zone = "Europe/Berlin";
    in_shell("test -e \"$1\"", &[&Path::new("/usr/share/zoneinfo").join(zone)]);
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    // The clock goes from 2:00 to 3:00, and from 3:00 to 2:00: the last two have the same local hour.
    let times = [
        "2026-01-15T10:30:00Z",
        "2026-03-29T00:30:00Z",
        "2026-03-29T01:30:00Z",
        "2026-07-15T10:30:00Z",
        "2026-10-25T00:30:00Z",
        "2026-10-25T01:30:00Z",
    ];
    times.iter().for_each(|time| back_up(&yore, &source, time));
    fs::write(source.join("notes.txt"), "now\n").expect("a file");
    let drive = MountGuard::in_zone(&yore, &["--allow-other", "--utc-names"], zone);
    let share = in_utc(&recipe(&source, &drive.path().join("snapshots")));
    let smbd = Smbd::start(&yore.scratch, &share, zone, 1);
    let token = |time: &str| {
        let name = time.trim_end_matches('Z').replace(['-', ':'], ".");
        format!("@GMT-{}", name.replace('T', "-"))
    };
    assert_eq!(smbd.versions("notes.txt"), times.map(token));
    for time in times {
        assert_eq!(smbd.read(&token(time), "notes.txt"), format!("at {time}\n"));
    }
}
