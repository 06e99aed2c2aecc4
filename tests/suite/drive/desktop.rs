//! File managers on a virtual screen: they open the drive, and "Previous versions" from their menus.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use yore_tests::{MountGuard, Yore, in_shell};

/// Shell functions of the scripts below; each waits for its effect.
const HELPERS: &str = r#"
    window() { xdotool search --onlyvisible --name "^$1( |\$)" 2> /dev/null | tail -n 1; }
    # Does something until a window of that name is there.
    until_seen() {
        for attempt in $(seq 40); do
            at=$(window "$1"); [ -n "$at" ] && return
            "${@:2}"; sleep 0.5
        done
        echo "no window is called $1; there are:" >&2
        for other in $(xdotool search --onlyvisible --name .); do xdotool getwindowname "$other" >&2; done
        exit 1
    }
    type_name() { xdotool windowfocus "$(window "$1")"; xdotool key Escape; xdotool type "$2"; sleep 0.3; xdotool key Escape Return; }
"#;

/// A virtual screen, and a writable home folder.
struct Screen {
    server: Child,
    display: String,
    home: PathBuf,
}

impl Screen {
    fn new(yore: &Yore) -> Screen {
        let mut server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", "1000x640x24"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Xvfb runs");
        let mut display = String::new();
        let stdout = server.stdout.as_mut().expect("a pipe");
        BufReader::new(stdout).read_line(&mut display).expect("a number");
        let home = yore.scratch.folder("home");
        in_shell("chmod 700 \"$1\"", &[&home]);
        Screen { server, display: format!(":{}", display.trim()), home }
    }

    /// Runs a script in a D-Bus session of its own; it must succeed.
    fn run(&self, script: &str, arguments: &[&Path]) {
        let output = Command::new("dbus-run-session")
            .args(["--", "bash", "-c"])
            .arg(format!("{HELPERS}{script}"))
            .arg("bash")
            .args(arguments)
            .env("DISPLAY", &self.display)
            .env("HOME", &self.home)
            .env("XDG_RUNTIME_DIR", &self.home)
            .env("LC_ALL", "C.UTF-8")
            // As on a desktop, Python keeps its compiled files.
            .env_remove("PYTHONDONTWRITEBYTECODE")
            .output()
            .expect("a session");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Backs up a folder with a report in two versions on two days.
fn backed_up() -> (Yore, PathBuf) {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("Documents");
    fs::write(source.join("report.odt"), "first").expect("a file");
    let word = source.to_str().expect("text");
    yore.run(["backup", "--time", "2026-01-15T10:30:00Z", word]).assert_code(0);
    fs::write(source.join("report.odt"), "second").expect("a file");
    yore.run(["backup", "--time", "2026-01-16T09:00:00Z", word]).assert_code(0);
    (yore, source)
}

#[test]
fn thunar_opens_the_snapshots_a_date_and_a_folder() {
    let (yore, source) = backed_up();
    let drive = MountGuard::new(&yore, &[]);
    let screen = Screen::new(&yore);
    let top = source.components().nth(1).expect("a name").as_os_str().to_owned();
    screen.run(
        r#"
        thunar "$1" & manager=$!
        until_seen snapshots sleep 0.2
        until_seen 2026-01-15 type_name snapshots 2026-01-15
        until_seen "$2" type_name 2026-01-15 "$2"
        kill "$manager"
        "#,
        &[&drive.path().join("snapshots"), Path::new(&top)],
    );
}

#[test]
fn nautilus_opens_the_previous_versions_of_a_file_from_its_menu() {
    let (yore, source) = backed_up();
    let _drive = MountGuard::new(&yore, &[]);
    let screen = Screen::new(&yore);
    let install = |what: &str| {
        let mut command = yore.command(["desktop", what]);
        Yore::finish(command.env("HOME", &screen.home)).assert_code(0);
    };
    install("install");
    // The entry is the last but one of the menu. Keys that come too early open another entry, so each
    // attempt begins anew and takes more time.
    screen.run(
        r#"
        for pause in 1 2 4 8 12; do
            nautilus --select "file://$1/report.odt" & manager=$!
            until_seen Documents sleep 0.5
            sleep "$pause"; xdotool windowfocus "$(window Documents)"
            sleep "$pause"; xdotool key shift+F10
            sleep "$pause"; xdotool key Up Up
            sleep "$pause"; xdotool key Return
            for wait in $(seq 40); do [ -n "$(window report.odt)" ] && break 2; sleep 0.5; done
            kill "$manager"; wait "$manager" || true
        done
        until_seen report.odt sleep 0.5
        kill "$manager"
        "#,
        &[&source],
    );
    install("remove");
    let left = in_shell("find \"$1\"/.local/share -name '*yore*'", &[&screen.home]);
    assert_eq!(left, "");
}

#[test]
fn the_versions_of_a_path_are_found_on_the_mounted_drive() {
    let (yore, source) = backed_up();
    let report = source.join("report.odt");
    // A stand-in for `xdg-open` records its argument.
    let programs = yore.scratch.folder("programs");
    let told = yore.scratch.at("told");
    let script = format!("#!/bin/sh\nprintf '%s' \"$1\" > '{}'\n", told.display());
    fs::write(programs.join("xdg-open"), script).expect("a file");
    in_shell("chmod +x \"$1\"/xdg-open", &[&programs]);
    let path = format!("{}:/usr/bin:/bin", programs.display());
    let open = |path_word: &Path| {
        let mut command = yore.command(["desktop", "open"]);
        Yore::finish(command.arg(path_word).env("PATH", &path))
    };
    let ended = open(&report).assert_code(1);
    assert!(ended.err.contains("holds") || ended.err.contains("no drive is mounted"), "{ended:?}");
    let drive = MountGuard::new(&yore, &[]);
    let expected = drive.path_of("versions", &report);
    let opened = || fs::read_to_string(&told).expect("it was told");
    open(&report).assert_code(0);
    assert_eq!(PathBuf::from(opened()), expected);
    // A deleted file, a path through a link, and a path on the drive all lead to the same file.
    fs::remove_file(&report).expect("a file");
    open(&report).assert_code(0);
    assert_eq!(PathBuf::from(opened()), expected);
    let link = yore.scratch.at("link");
    in_shell("ln -s \"$1\" \"$2\"", &[&source, &link]);
    open(&link.join("report.odt")).assert_code(0);
    assert_eq!(PathBuf::from(opened()), expected);
    open(&drive.path_of("snapshots/2026-01-15", &report)).assert_code(0);
    assert_eq!(PathBuf::from(opened()), expected);
    let ended = open(&source.join("never")).assert_code(1);
    assert!(ended.err.contains("no backup on the mounted drives holds"), "{ended:?}");
}

#[test]
fn a_drive_tells_file_managers_its_name() {
    let (yore, _) = backed_up();
    let drive = MountGuard::new(&yore, &[]);
    let told = fs::read_to_string(drive.path().join(".xdg-volume-info")).expect("a file");
    assert_eq!(told, "[Volume Info]\nName=Yore: repository\nIcon=document-open-recent\n");
}
