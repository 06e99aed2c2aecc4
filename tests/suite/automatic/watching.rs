//! Continuous protection: what changes is saved soon, and only that is looked at.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use yore_tests::{Ended, Person, Random, in_shell};

/// The longest that a snapshot may take to come: a bound for what hangs, no measure of speed.
const DEADLINE: Duration = Duration::from_secs(120);

/// A watch that is ended when this is dropped.
struct Watch {
    child: Child,
    log: PathBuf,
}

impl Watch {
    fn start(person: &Person, words: &[&str]) -> Self {
        let log = person.at("watch.log");
        let file = fs::File::create(&log).expect("a file");
        let words = [&["watch", "-v", "--quiet-after", "1"], words].concat();
        let mut command = person.command(words);
        command.stdout(file.try_clone().expect("a file")).stderr(file).stdin(Stdio::null());
        Self { child: command.spawn().expect("it starts"), log }
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn end(mut self) -> i32 {
        let id = self.child.id().to_string();
        in_shell("kill -s INT \"$1\"", &[Path::new(&id)]);
        self.child.wait().expect("it ends").code().unwrap_or(-1)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn snapshots(person: &Person) -> usize {
    person.types(["snapshots", "--json"]).objects().len()
}

fn wait_for(person: &Person, watch: &Watch, number: usize) {
    let began = Instant::now();
    while snapshots(person) < number {
        assert!(began.elapsed() < DEADLINE, "{number} snapshots: {}", watch.log());
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn person() -> Person {
    let person = Person::with_destinations(&["disk"]);
    for folder in ["docs/a", "docs/b/deep", "docs/c"] {
        person.folder(folder, folder);
    }
    person.types(["source", "add", "docs"]).assert_code(0);
    person
}

/// Compares the newest snapshot with the folder, by the program's own restore and the system's `diff`.
fn assert_saved(person: &Person, folder: &Path) {
    let target = person.at("restored");
    let _ = fs::remove_dir_all(&target);
    let moment = format!("latest:{}", folder.display());
    let words = ["restore", &moment, "--target"].map(std::ffi::OsStr::new);
    let restored: Ended = person.types(words.into_iter().chain([target.as_os_str()]));
    restored.assert_code(0);
    let name = folder.file_name().expect("a name");
    let compared = Command::new("diff").arg("-r").arg(folder).arg(target.join(name)).output();
    let compared = compared.expect("diff runs");
    assert!(compared.status.success(), "{}", String::from_utf8_lossy(&compared.stdout));
}

#[test]
fn what_changes_is_saved_soon_and_only_that_is_looked_at() {
    let person = person();
    let docs = person.at("docs");
    let watch = Watch::start(&person, &[]);
    wait_for(&person, &watch, 1);
    fs::write(docs.join("b/deep/file"), "changed").expect("a file");
    wait_for(&person, &watch, 2);
    assert!(watch.log().contains("looked at what changed of docs"), "{}", watch.log());
    assert_saved(&person, &docs);
    fs::create_dir(docs.join("new")).expect("a folder");
    fs::write(docs.join("new/file"), "new").expect("a file");
    fs::rename(docs.join("a"), docs.join("moved")).expect("it is there");
    fs::remove_dir_all(docs.join("c")).expect("it is there");
    wait_for(&person, &watch, 3);
    std::thread::sleep(Duration::from_secs(2));
    assert_saved(&person, &docs);
    let last = person.types(["snapshots", "--json"]).objects().pop().expect("one");
    assert_eq!(last["totals"]["files"], 3, "{last}");
    assert_eq!(watch.end(), 0);
    let runs = person.types(["history", "--json"]).assert_code(0).objects();
    assert!(runs.iter().all(|run| run["result"] == "success"), "{runs:?}");
}

#[test]
fn the_rules_of_the_configuration_hold_for_what_watch_saves() {
    let person = person();
    for (key, value) in
        [("retention.last", "1"), ("retention.auto", "true"), ("retention.prune", "true")]
    {
        person.types(["config", "set", key, value]).assert_code(0);
    }
    let watch = Watch::start(&person, &["--snapshots", "2"]);
    wait_for(&person, &watch, 1);
    fs::write(person.at("docs/b/file"), "changed").expect("a file");
    let began = Instant::now();
    while !watch.log().contains("the first prune after") {
        assert!(began.elapsed() < DEADLINE, "{}", watch.log());
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(watch.log().contains("Retention: 1 snapshot forgotten, 1 kept."), "{}", watch.log());
    assert_eq!(snapshots(&person), 1);
}

/// Like a share that another machine changes: bindfs tells nothing of what happens in the folder that it shows.
#[test]
fn a_folder_that_tells_no_changes_is_looked_at_after_the_interval() {
    let person = Person::with_destinations(&["disk"]);
    let (shown, share) = (person.folder("share", "first"), person.at("shown"));
    fs::create_dir(&share).expect("a folder");
    in_shell("bindfs --no-allow-other \"$1\" \"$2\"", &[&shown, &share]);
    let _mounted = Mounted(share.clone());
    person.types(["source", "add", "shown"]).assert_code(0);
    person.types(["config", "set", "watch.interval", "3s"]).assert_code(0);
    let watch = Watch::start(&person, &[]);
    wait_for(&person, &watch, 1);
    let name = fs::read_dir(&shown).expect("a folder").next().expect("a file").expect("a file");
    fs::write(shown.join(name.file_name()), "by another machine").expect("a file");
    wait_for(&person, &watch, 2);
    assert!(!watch.log().contains("looked at what changed"), "{}", watch.log());
    let path = share.join(name.file_name());
    let saved = person.types(["cat", &format!("latest:{}", path.display())]).assert_code(0);
    assert_eq!(saved.out, "by another machine");
    assert_eq!(watch.end(), 0);
}

/// A mount that is taken away when this is dropped.
struct Mounted(PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("fusermount3").args(["-u", "-z"]).arg(&self.0).status();
    }
}

#[test]
fn a_storm_of_changes_ends_with_a_snapshot_that_equals_the_tree() {
    let person = person();
    let docs = person.at("docs");
    let watch = Watch::start(&person, &["--at-latest", "5"]);
    wait_for(&person, &watch, 1);
    let mut random = Random(16);
    let mut files: Vec<PathBuf> = Vec::new();
    for number in 0..50_000 {
        let folder = docs.join(format!("storm/{}/{}", random.below(20), random.below(10)));
        match random.below(10) {
            0..=5 => {
                fs::create_dir_all(&folder).expect("folders");
                let file = folder.join(number.to_string());
                fs::write(&file, number.to_string()).expect("a file");
                files.push(file);
            }
            6..=7 if !files.is_empty() => {
                let at = random.below(files.len() as u64) as usize;
                let file = files.swap_remove(at);
                fs::create_dir_all(&folder).expect("folders");
                let to = folder.join(format!("renamed {number}"));
                fs::rename(&file, &to).expect("it is there");
                files.push(to);
            }
            _ if !files.is_empty() => {
                let at = random.below(files.len() as u64) as usize;
                fs::remove_file(files.swap_remove(at)).expect("it is there");
            }
            _ => {}
        }
    }
    // The last change shows when all of them are saved.
    fs::write(docs.join("last"), "last").expect("a file");
    let began = Instant::now();
    let moment = format!("latest:{}", docs.join("last").display());
    while person.types(["cat", &moment]).code != Some(0) {
        assert!(began.elapsed() < DEADLINE, "{}", watch.log());
        std::thread::sleep(Duration::from_millis(200));
    }
    std::thread::sleep(Duration::from_secs(3));
    assert_saved(&person, &docs);
    assert_eq!(watch.end(), 0);
}

#[test]
fn a_folder_that_goes_and_comes_back_is_watched_again() {
    let person = person();
    let docs = person.at("docs");
    let watch = Watch::start(&person, &[]);
    wait_for(&person, &watch, 1);
    fs::rename(&docs, person.at("elsewhere")).expect("it is there");
    std::thread::sleep(Duration::from_secs(12));
    fs::rename(person.at("elsewhere"), &docs).expect("it is there");
    std::thread::sleep(Duration::from_secs(12));
    let before = snapshots(&person);
    fs::write(docs.join("b/after"), "after").expect("a file");
    wait_for(&person, &watch, before + 1);
    assert_saved(&person, &docs);
    // A suspended watch goes on.
    let id = watch.child.id().to_string();
    in_shell("kill -s STOP \"$1\"; sleep 1", &[Path::new(&id)]);
    fs::write(docs.join("b/while"), "it slept").expect("a file");
    in_shell("kill -s CONT \"$1\"", &[Path::new(&id)]);
    wait_for(&person, &watch, before + 2);
    assert_saved(&person, &docs);
}
