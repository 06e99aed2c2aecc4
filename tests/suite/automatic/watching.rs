//! Continuous protection: what changes is saved soon, and only that is looked at.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use super::watch::{DEADLINE, Feed, Watch, assert_saved, person, snapshots};
use yore_tests::{Person, Random, in_shell};

#[test]
fn what_changes_is_saved_soon_and_only_that_is_looked_at() {
    changes_are_saved(Feed::FileSystem);
}

#[test]
fn without_rights_what_changes_is_saved_as_soon() {
    changes_are_saved(Feed::Folders);
}

fn changes_are_saved(feed: Feed) {
    let person = person();
    let docs = person.at("docs");
    let watch = Watch::start(&person, feed, &[]);
    watch.wait_for(&person, 1);
    fs::write(docs.join("b/deep/file"), "changed").expect("a file");
    watch.wait_for(&person, 2);
    assert!(watch.log().contains("looked at what changed of docs"), "{}", watch.log());
    assert_saved(&person, &docs);
    fs::create_dir(docs.join("new")).expect("a folder");
    fs::write(docs.join("new/file"), "new").expect("a file");
    fs::rename(docs.join("a"), docs.join("moved")).expect("it is there");
    fs::remove_dir_all(docs.join("c")).expect("it is there");
    watch.wait_for(&person, 3);
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
    let watch = Watch::start(&person, Feed::Best, &[]);
    watch.wait_for(&person, 1);
    std::thread::sleep(Duration::from_secs(2));
    let changed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("it is 1970");
    fs::write(person.at("docs/b/file"), "changed").expect("a file");
    let began = Instant::now();
    while !watch.log().contains("the first prune after") {
        assert!(began.elapsed() < DEADLINE, "{}", watch.log());
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(watch.log().contains("Retention: 1 snapshot forgotten, 1 kept."), "{}", watch.log());
    assert_eq!(snapshots(&person), 1);
    // A watch frees the space once a day.
    let before = watch.log().matches("the first prune after").count();
    for saved in [2, 3] {
        fs::write(person.at("docs/b/file"), format!("changed {saved}")).expect("a file");
        while watch.log().matches("Retention: 1 snapshot forgotten").count() < saved {
            assert!(began.elapsed() < DEADLINE, "{}", watch.log());
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    assert_eq!(watch.log().matches("the first prune after").count(), before, "{}", watch.log());
    assert_eq!(watch.end(), 0);
    // The next one knows when that was.
    let watch = Watch::start(&person, Feed::Best, &[]);
    for saved in [1, 2] {
        let forgotten = || watch.log().matches("Retention: 1 snapshot forgotten").count();
        watch.wait_until(|| forgotten() == saved, &format!("{saved} snapshots"));
        fs::write(person.at("docs/b/file"), format!("changed again {saved}")).expect("a file");
    }
    assert!(!watch.log().contains("the first prune after"), "{}", watch.log());
    assert_eq!(watch.end(), 0);
    // What readers may still need is kept for three days from the prune on, not from the start of the watch.
    let pruned = person.types(["prune", "--json"]).assert_code(0).objects();
    let pruned = pruned.iter().find(|one| one["type"] == "pruned").expect("a result");
    let pending = pruned["pending"].as_array().expect("what waits");
    let first = pending.iter().filter_map(|one| one["until"].as_str()).min().expect("a time");
    let first = in_shell("date -d \"$1\" +%s", &[Path::new(first)]);
    let first: u64 = first.trim().parse().expect("a number");
    assert!(first >= changed.as_secs() + 72 * 3600, "{changed:?}: {pruned}");
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
    let watch = Watch::start(&person, Feed::Best, &[]);
    watch.wait_for(&person, 1);
    let name = fs::read_dir(&shown).expect("a folder").next().expect("a file").expect("a file");
    fs::write(shown.join(name.file_name()), "by another machine").expect("a file");
    watch.wait_for(&person, 2);
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
    a_storm_is_saved(Feed::FileSystem);
}

#[test]
fn without_rights_a_storm_ends_with_a_snapshot_that_equals_the_tree() {
    a_storm_is_saved(Feed::Folders);
}

fn a_storm_is_saved(feed: Feed) {
    let person = person();
    let docs = person.at("docs");
    let watch = Watch::start(&person, feed, &["--at-latest", "5"]);
    watch.wait_for(&person, 1);
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
    a_folder_comes_back(Feed::FileSystem);
}

#[test]
fn without_rights_a_folder_that_comes_back_is_watched_again() {
    a_folder_comes_back(Feed::Folders);
}

fn a_folder_comes_back(feed: Feed) {
    let person = person();
    let docs = person.at("docs");
    let watch = Watch::start(&person, feed, &[]);
    watch.wait_for(&person, 1);
    fs::rename(&docs, person.at("elsewhere")).expect("it is there");
    std::thread::sleep(Duration::from_secs(12));
    fs::rename(person.at("elsewhere"), &docs).expect("it is there");
    std::thread::sleep(Duration::from_secs(12));
    let before = snapshots(&person);
    fs::write(docs.join("b/after"), "after").expect("a file");
    watch.wait_for(&person, before + 1);
    assert_saved(&person, &docs);
    // A suspended watch goes on.
    watch.signal("STOP");
    std::thread::sleep(Duration::from_secs(1));
    fs::write(docs.join("b/while"), "it slept").expect("a file");
    watch.signal("CONT");
    watch.wait_for(&person, before + 2);
    assert_saved(&person, &docs);
}

#[test]
fn what_yore_writes_into_a_source_is_no_change() {
    writes_are_no_change(Feed::FileSystem);
}

#[test]
fn without_rights_what_yore_writes_is_no_change() {
    writes_are_no_change(Feed::Folders);
}

/// The repository, the cache and the state of runs are in the home, which is the source.
fn writes_are_no_change(feed: Feed) {
    let person = Person::with_destinations(&["disk"]);
    person.folder("docs", "first");
    person.types_on("source add --name home", &person.at("")).assert_code(0);
    let watch = Watch::start(&person, feed, &[]);
    watch.wait_for(&person, 1);
    for number in 2..4 {
        fs::write(person.at("docs/file"), number.to_string()).expect("a file");
        watch.wait_for(&person, number);
    }
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(snapshots(&person), 3, "{}", watch.log());
    assert_eq!(watch.whole_looks(), 1, "{}", watch.log());
}

#[test]
fn what_is_written_through_memory_or_another_name_is_saved() {
    hidden_changes_are_saved(Feed::FileSystem);
}

#[test]
fn without_rights_what_is_written_through_memory_or_another_name_is_saved() {
    hidden_changes_are_saved(Feed::Folders);
}

fn hidden_changes_are_saved(feed: Feed) {
    let person = person();
    let docs = person.at("docs");
    fs::hard_link(docs.join("a/file"), docs.join("c/link")).expect("a link");
    let watch = Watch::start(&person, feed, &[]);
    watch.wait_for(&person, 1);
    // The writer opens it before the snapshot that looked at it, and closes it after; a reader changes nothing.
    let script = "import mmap, os, sys, time
file = os.open(sys.argv[1], os.O_RDWR); memory = mmap.mmap(file, 0); os.close(file)
time.sleep(2); memory[0:4] = b'DOCS'; memory.close()
os.close(os.open(sys.argv[2], os.O_RDWR))";
    let mut python = Command::new("python3");
    python.args(["-c", script]).arg(docs.join("b/deep/file")).arg(docs.join("a/file"));
    assert!(python.status().expect("Python runs").success());
    watch.wait_for_content(&person, &docs.join("b/deep/file"), "DOCS/b/deep");
    fs::write(docs.join("a/file"), "by one name").expect("a file");
    watch.wait_for_content(&person, &docs.join("c/link"), "by one name");
    assert_saved(&person, &docs);
}
