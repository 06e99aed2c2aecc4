//! Dated folders that become snapshots.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use yore_tests::{
    Ended, Fingerprint, Ignoring, Yore, assert_same, change_source, fingerprint_folder, in_shell,
    noise, small_source, without_links_elsewhere,
};

const PATTERN: &str = "%Y%m%d_%H%M%S";

/// A folder of rotated backups of rsync with hard links.
struct Rotated {
    yore: Yore,
    folder: PathBuf,
    names: Vec<String>,
}

impl Rotated {
    fn new(rounds: u32) -> Self {
        let yore = Yore::with_repository();
        let (folder, source) = (yore.scratch.folder("rotated"), yore.scratch.at("source"));
        small_source(&source, 1);
        let mut rotated = Self { yore, folder, names: Vec::new() };
        for round in 0..rounds {
            if round > 0 {
                change_source(&source, round.into());
            }
            rotated.rotate(&source);
        }
        rotated
    }

    /// Makes the next folder as scripts around rsync do.
    fn rotate(&mut self, source: &Path) {
        let name = format!("202601{:02}_103000", self.names.len() + 1);
        let last = self.names.last().map_or_else(|| "none".into(), Clone::clone);
        let line = "rsync -aHAXS --link-dest=\"../$(basename \"$3\")\" \"$1/\" \"$2/\" 2> /dev/null \
                    || rsync -aHAXS \"$1/\" \"$2/\"";
        in_shell(line, &[source, &self.folder.join(&name), &self.folder.join(last)]);
        self.names.push(name);
    }

    fn import(&self, words: &[&str]) -> Ended {
        let folder = self.folder.display().to_string();
        let options = ["import", &folder, "--pattern", PATTERN, "--as", "/home/me/docs"];
        self.yore.run(options.iter().chain(words))
    }

    /// Fails unless there is one snapshot for each folder, with its time and everything in it.
    fn assert_imported(&self) {
        let listed = self.yore.run(["snapshots", "--json"]).assert_code(0).objects();
        let mut times: Vec<&str> = listed.iter().filter_map(|one| one["time"].as_str()).collect();
        times.sort_unstable();
        let expected: Vec<String> = (0..self.names.len())
            .map(|number| format!("2026-01-{:02}T10:30:00Z", number + 1))
            .collect();
        assert_eq!(times, expected);
        for (id, name) in self.yore.snapshot_ids().iter().zip(&self.names) {
            let found = restored(&self.yore, id, "/home/me/docs");
            let expected = without_links_elsewhere(&fingerprint_folder(&self.folder.join(name)));
            assert_same(&found, &expected, Ignoring::Nothing);
        }
        self.yore.assert_sound();
    }
}

/// Restores a path of a snapshot, and returns its fingerprint.
fn restored(yore: &Yore, id: &str, path: &str) -> Fingerprint {
    let target = yore.scratch.at("restored");
    let text = target.display().to_string();
    yore.run(["restore", &format!("{id}:{path}"), "--target", &text]).assert_code(0);
    let name = Path::new(path).file_name().expect("a name");
    let found = without_links_elsewhere(&fingerprint_folder(&target.join(name)));
    std::fs::remove_dir_all(&target).expect("removed");
    found
}

/// Runs an import under `strace`; returns how often each regular file was opened, by its inode number.
fn opened_files(rotated: &Rotated) -> HashMap<u64, u32> {
    let calls = rotated.yore.scratch.at("calls");
    let folder = rotated.folder.display().to_string();
    let words = ["import", &folder, "--pattern", PATTERN, "--as", "/home/me/docs"];
    let plain = rotated.yore.command(words);
    let mut traced = Command::new("strace");
    traced.args(["-f", "-y", "-e", "trace=openat", "-o"]).arg(&calls);
    traced.arg(plain.get_program()).args(plain.get_args());
    traced.env_clear().current_dir(rotated.yore.scratch.path());
    traced.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Yore::finish(&mut traced).assert_code(0);
    let calls = std::fs::read_to_string(&calls).expect("the calls");
    let mut opened = HashMap::new();
    for line in calls.lines() {
        // The result is `= 7</path/of/the/file>`.
        let path = line.rsplit_once(" = ").and_then(|(_, result)| result.split_once('<'));
        let Some(path) = path.and_then(|(_, path)| path.strip_suffix('>')) else { continue };
        if let Ok(metadata) = yore_platform::path_metadata(Path::new(path))
            && Path::new(path).starts_with(&rotated.folder)
            && metadata.kind == yore_platform::Kind::File
        {
            *opened.entry(metadata.inode).or_insert(0) += 1;
        }
    }
    opened
}

#[test]
fn rotated_folders_of_rsync_become_snapshots_of_their_times() {
    let rotated = Rotated::new(3);
    let dry = rotated.import(&["--dry-run"]).assert_code(0);
    assert!(dry.out.contains("3 folders would be imported"), "{dry:?}");
    assert_eq!(rotated.yore.snapshot_ids().len(), 0);
    let objects = rotated.import(&["--json", "--tag", "rsync"]).assert_code(0).objects();
    assert_eq!(objects.len(), 4);
    assert_eq!((&objects[3]["imported"], &objects[3]["failed"]), (&3.into(), &0.into()));
    assert_eq!(objects[0]["name"], "20260101_103000");
    rotated.assert_imported();
    // It is of the past: no backup of it is missed.
    let status = rotated.yore.run(["status"]).assert_code(0);
    assert!(status.out.contains("no backup that counts"), "{}", status.out);
    let again = rotated.import(&[]).assert_code(0);
    assert!(again.out.contains("Nothing is left to be imported"), "{again:?}");
    rotated.assert_imported();
}

#[test]
fn a_file_that_hard_links_share_is_read_once() {
    let rotated = Rotated::new(4);
    // Times of the last seconds may stand for two states of a file.
    std::thread::sleep(Duration::from_secs(5));
    let opened = opened_files(&rotated);
    let several: Vec<_> = opened.iter().filter(|(_, times)| **times > 1).collect();
    // In one folder, each name of a file is read; `text` has two there.
    let text = rotated.folder.join("20260101_103000/text");
    let text = yore_platform::path_metadata(&text).expect("metadata").inode;
    let others: Vec<_> = several.iter().filter(|(inode, _)| **inode != text).collect();
    assert!(others.is_empty(), "{others:?} of {} files", opened.len());
    assert_eq!(opened.get(&text), Some(&2));
    let files = in_shell(
        "find \"$1\" -type f -size +0 -printf '%i\\n' | sort -u | wc -l",
        &[&rotated.folder],
    );
    let files: usize = files.trim().parse().expect("a number");
    assert!(opened.len() >= files, "{} of {files} files were opened", opened.len());
    rotated.assert_imported();
}

#[test]
fn an_import_that_is_killed_goes_on_where_it_was() {
    let rotated = Rotated::new(4);
    for name in &rotated.names {
        std::fs::write(rotated.folder.join(name).join("large one"), noise(8 << 20, 3))
            .expect("a file");
    }
    let folder = rotated.folder.display().to_string();
    let words = ["--json", "import", &folder, "--pattern", PATTERN, "--as", "/home/me/docs"];
    let mut child = rotated.yore.start(words);
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let first = lines.next().expect("a line").expect("text");
    assert!(first.contains("imported"), "{first}");
    child.kill().expect("it is killed");
    child.wait().expect("it has ended");
    let there = rotated.yore.snapshot_ids().len();
    assert!((1..=4).contains(&there), "{there} snapshots");
    let objects = rotated.import(&["--json"]).assert_code(0).objects();
    let summary = objects.last().expect("a summary");
    assert_eq!(summary["present"].as_u64(), Some(there as u64), "{summary}");
    rotated.assert_imported();
}

#[test]
fn what_was_forgotten_is_not_imported_again_unless_it_is_wanted() {
    let rotated = Rotated::new(2);
    rotated.import(&[]).assert_code(0);
    let ids = rotated.yore.snapshot_ids();
    rotated.yore.run(["forget", &ids[0]]).assert_code(0);
    let text = rotated.import(&[]).assert_code(0);
    assert!(text.out.contains("--again"), "{text:?}");
    assert_eq!(rotated.yore.snapshot_ids().len(), 1);
    rotated.import(&["--again"]).assert_code(0);
    rotated.assert_imported();
    // Another machine and another path are others.
    rotated.import(&["--host", "other"]).assert_code(0);
    assert_eq!(rotated.yore.run(["snapshots", "--json"]).objects().len(), 4);
}

#[test]
fn names_that_fit_no_pattern_are_told() {
    let yore = Yore::with_repository();
    let folder = yore.scratch.folder("dated");
    for name in ["latest", "tmp", "2026-01-15", "2026-01-16", "2099-01-01"] {
        std::fs::create_dir_all(folder.join(name).join("home")).expect("folders");
        std::fs::write(folder.join(name).join("home/file"), name).expect("a file");
    }
    std::fs::write(folder.join("2026-01-17"), "no folder").expect("a file");
    std::fs::remove_dir_all(folder.join("2026-01-16/home")).expect("removed");
    let text = folder.display().to_string();
    let import = |words: &[&str]| yore.run(["import", &text].iter().chain(words));
    let none = import(&["--pattern", "daily.%Y%m%d"]).assert_code(2);
    assert!(none.err.contains("2026-01-15") && none.err.contains("daily.20"), "{none:?}");
    let no_date = import(&["--pattern", "%H%M"]).assert_code(2);
    assert!(no_date.err.contains("%Y-%m-%d"), "{no_date:?}");
    let neither = import(&[]).assert_code(2);
    assert!(neither.err.contains("--pattern"), "{neither:?}");
    let twice = import(&["--pattern", "%Y-%m-%d", "--snapper"]).assert_code(2);
    assert!(twice.err.contains("--snapper"), "{twice:?}");
    // One lacks the folder, one is of the future.
    let words = ["--pattern", "%Y-%m-%d", "--subfolder", "home", "--as", "/home", "--json"];
    let partly = import(&words).assert_code(3);
    assert!(partly.err.contains("latest") && partly.err.contains("2026-01-16"), "{partly:?}");
    assert!(partly.err.contains("2099-01-01"), "{partly:?}");
    let summary = partly.objects().pop().expect("a summary");
    let numbers = ["imported", "undated", "lacking", "failed"].map(|key| summary[key].as_u64());
    assert_eq!(numbers, [Some(1), Some(2), Some(1), Some(1)]);
    let cat = yore.run(["cat", "latest:/home/file"]).assert_code(0);
    assert_eq!(cat.out, "2026-01-15");
    // Two names of one time.
    std::fs::create_dir(folder.join("2026-1-15")).expect("a folder");
    let same = import(&["--pattern", "%Y-%m-%d"]).assert_code(2);
    assert!(same.err.contains("2026-1-15") && same.err.contains("same time"), "{same:?}");
}

#[test]
fn snapshots_of_snapper_have_the_dates_of_their_descriptions() {
    let yore = Yore::with_repository();
    let folder = yore.scratch.folder(".snapshots");
    for (number, date) in [("1", "2026-01-15 09:30:01"), ("12", "2026-01-16 10:00:00")] {
        let own = folder.join(number);
        std::fs::create_dir_all(own.join("snapshot/sub")).expect("folders");
        std::fs::write(own.join("snapshot/sub/file"), number).expect("a file");
        let info = format!(
            "<?xml version=\"1.0\"?>\n<snapshot>\n  <type>single</type>\n  <num>{number}</num>\n  \
             <date>{date}</date>\n  <cleanup>timeline</cleanup>\n</snapshot>\n"
        );
        std::fs::write(own.join("info.xml"), info).expect("a file");
    }
    std::fs::create_dir(folder.join("no number")).expect("a folder");
    let mut command = yore.command(["import"]);
    command.arg(&folder).args(["--snapper", "--as", "/home"]).env("TZ", "Europe/Berlin");
    Yore::finish(&mut command).assert_code(0);
    let listed = yore.run(["snapshots", "--json"]).assert_code(0).objects();
    let mut times: Vec<&str> = listed.iter().filter_map(|one| one["time"].as_str()).collect();
    times.sort_unstable();
    assert_eq!(times, ["2026-01-15T09:30:01Z", "2026-01-16T10:00:00Z"]);
    assert_eq!(listed[0]["utc_offset"], 3600);
    assert_eq!(yore.run(["cat", "2026-01-16:/home/sub/file"]).assert_code(0).out, "12");
    yore.assert_sound();
}

#[test]
fn a_whole_system_is_imported_as_the_root_and_excludes_apply_to_the_shown_path() {
    let yore = Yore::with_repository();
    let folder = yore.scratch.folder("dated");
    for (name, content) in [("20260115", "old"), ("20260116", "new")] {
        let own = folder.join(name);
        std::fs::create_dir_all(own.join("etc")).expect("folders");
        std::fs::create_dir_all(own.join("home/me/cache")).expect("folders");
        std::fs::write(own.join("etc/hosts"), content).expect("a file");
        std::fs::write(own.join("home/me/cache/file"), content).expect("a file");
    }
    let text = folder.display().to_string();
    let words =
        ["import", &text, "--pattern", "%Y%m%d", "--as", "/", "--exclude", "/home/me/cache"];
    yore.run(words).assert_code(0);
    assert_eq!(yore.run(["cat", "2026-01-15:/etc/hosts"]).assert_code(0).out, "old");
    assert_eq!(yore.run(["cat", "latest:/etc/hosts"]).assert_code(0).out, "new");
    let listed = yore.run(["ls", "--recursive", "--json", "latest:/"]).assert_code(0).objects();
    let mut paths: Vec<&str> = listed.iter().filter_map(|one| one["path"].as_str()).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["/etc", "/etc/hosts", "/home", "/home/me"]);
    yore.assert_sound();
}
