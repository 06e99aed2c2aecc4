//! What matters most is saved first, and is there when the backup is cut short.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use yore_engine::backup::{BackupOptions, Places, Selection, backup, backup_in_parts};
use yore_engine::format::{Flags, SnapshotId};
use yore_engine::globs::Rule;
use yore_engine::read::{DirRef, Lookup, find};
use yore_engine::repository::annotate;
use yore_engine::snapshots::SnapshotEntry;
use yore_engine::{Error, Event, Observer, Problem, TreePath, Unobserved};
use yore_platform::snapshot_path;
use yore_tests::{Memory, Person, Scratch, TestRepository, in_shell, noise, options, time};

/// Ends a backup after so many of its parts.
struct CutShort {
    parts: u32,
    seen: AtomicU32,
}

impl CutShort {
    fn after(parts: u32) -> Self {
        Self { parts, seen: AtomicU32::new(0) }
    }
}

impl Observer for CutShort {
    fn event(&self, event: Event) {
        if matches!(event, Event::Counting(_)) {
            self.seen.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn problem(&self, problem: Problem) {
        panic!("{problem:?}");
    }

    fn interrupted(&self) -> bool {
        self.seen.load(Ordering::Relaxed) >= self.parts
    }
}

/// A folder with a document, a picture of this moment and an old one, each of which only one selection means.
fn source(scratch: &Scratch) -> PathBuf {
    let folder = scratch.folder("source");
    std::fs::create_dir(folder.join("deep")).expect("a folder");
    for (number, name) in ["deep/letter.odt", "recent.jpg", "old.jpg"].iter().enumerate() {
        std::fs::write(folder.join(name), noise(20_000, number as u64)).expect("a file");
    }
    in_shell("touch -d '2020-01-01 UTC' \"$1/deep/letter.odt\" \"$1/old.jpg\"", &[&folder]);
    folder
}

fn selections() -> [Selection; 2] {
    let since = time(1_700_000_000);
    [
        Selection { rules: vec![Rule::added(vec!["*.odt".into()])], modified_since: None },
        Selection { rules: Vec::new(), modified_since: Some(since) },
    ]
}

fn in_parts(repo: &TestRepository, source: &Path, observer: &dyn Observer) -> Option<Error> {
    let sources = [source.to_owned()];
    let options: BackupOptions = options(None);
    backup_in_parts(&repo.open(), (&sources, &Places::default()), &selections(), &options, observer)
        .err()
}

/// Returns the names that the newest snapshot has, and whether it is a part.
fn newest(repo: &TestRepository, source: &Path, scratch: &Scratch) -> (Vec<String>, bool) {
    let entries: Vec<SnapshotEntry> = repo.snapshots();
    let newest = entries.last().expect("a snapshot");
    let target = scratch.at(&format!("restored-{:.8}", newest.id));
    repo.restore(newest.id, source, &target);
    let found = in_shell("cd \"$1\" && find . -type f -printf '%f\\n' | sort", &[&target]);
    (found.lines().map(str::to_owned).collect(), newest.snapshot.partial)
}

#[test]
fn a_backup_that_is_cut_short_has_what_was_to_be_saved_first() {
    let scratch = Scratch::new();
    let (repo, source) = (TestRepository::new(Arc::new(Memory::default())), source(&scratch));
    for (parts, expected) in [(1, &["letter.odt"][..]), (2, &["letter.odt", "recent.jpg"][..])] {
        let cut = in_parts(&repo, &source, &CutShort::after(parts));
        assert!(matches!(cut, Some(Error::Interrupted)), "{cut:?}");
        assert_eq!(
            newest(&repo, &source, &scratch),
            (expected.iter().map(|n| n.to_string()).collect(), true)
        );
        repo.assert_sound();
    }
    assert!(in_parts(&repo, &source, &Unobserved).is_none());
    let all = ["letter.odt", "old.jpg", "recent.jpg"].map(str::to_owned).to_vec();
    assert_eq!(newest(&repo, &source, &scratch), (all, false));
    // The parts are forgotten, and the totals are those of all of them.
    let entries = repo.snapshots();
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].snapshot.totals.new_files, 3);
    repo.assert_sound();
    // Nothing is new: no part is made.
    assert!(in_parts(&repo, &source, &Unobserved).is_none());
    let sequences = repo.snapshots();
    assert_eq!(sequences[1].snapshot.sequence, entries[0].snapshot.sequence + 1);
}

/// Returns the flags of a file in a snapshot.
fn flags(repo: &TestRepository, id: SnapshotId, path: &Path) -> Flags {
    let repository = repo.open();
    let (reader, _) = repository.reader(16 << 20).expect("a reader");
    let entries = repo.snapshots();
    let entry = entries.iter().find(|entry| entry.id == id).expect("it counts");
    let root = DirRef::Tree(entry.snapshot.root);
    let found = find(&reader, &root, TreePath::new(&snapshot_path(path))).expect("it reads");
    match found {
        Some(Lookup::Node(seen)) => seen.node.flags,
        _ => panic!("{} is not in {id}", path.display()),
    }
}

#[test]
fn a_part_that_is_pinned_stays() {
    let scratch = Scratch::new();
    let (repo, source) = (TestRepository::new(Arc::new(Memory::default())), source(&scratch));
    assert!(in_parts(&repo, &source, &CutShort::after(1)).is_some());
    let part = repo.snapshots()[0].id;
    let writer = options(None).writer;
    annotate(&repo.open(), part, &writer, time(1_700_000_000), |noted| noted.pinned = true)
        .expect("it is pinned");
    assert!(in_parts(&repo, &source, &Unobserved).is_none());
    let entries = repo.snapshots();
    // The part of what is recent was superfluous, and nobody had pinned it.
    let kept: Vec<_> =
        entries.iter().map(|entry| (entry.id == part, entry.snapshot.partial)).collect();
    assert_eq!(kept, [(true, true), (false, false)]);
    assert_eq!(newest(&repo, &source, &scratch).0.len(), 3);
    repo.assert_sound();
}

#[test]
fn what_is_not_selected_keeps_its_last_state_and_is_read_by_the_next_backup() {
    let scratch = Scratch::new();
    let (repo, source) = (TestRepository::new(Arc::new(Memory::default())), source(&scratch));
    assert!(in_parts(&repo, &source, &Unobserved).is_none());
    let first = repo.snapshots()[0].id;
    for name in ["deep/letter.odt", "old.jpg"] {
        std::fs::write(source.join(name), noise(30_000, 9)).expect("a file");
        in_shell("touch -d '2021-01-01 UTC' \"$1\"", &[&source.join(name)]);
    }
    assert!(in_parts(&repo, &source, &CutShort::after(1)).is_some());
    let entries = repo.snapshots();
    let part = entries.last().expect("a part");
    assert!(part.snapshot.partial && part.id != first);
    let target = scratch.at("part");
    repo.restore(part.id, &source, &target);
    let size = |name: &str| {
        let found = in_shell("find \"$1\" -name \"$2\" -printf %s", &[&target, Path::new(name)]);
        found.parse::<u64>().expect("a number")
    };
    assert_eq!((size("letter.odt"), size("old.jpg")), (30_000, 20_000));
    // It tells that this is not the state of its time.
    let is_stale = |id, name| flags(&repo, id, &source.join(name)).contains(Flags::STALE);
    assert_eq!(["old.jpg", "deep/letter.odt"].map(|name| is_stale(part.id, name)), [true, false]);
    // A backup that is not made in parts goes on, too, and forgets the part.
    let sources = [source.clone()];
    let made = backup(&repo.open(), &sources, &options(None), &Unobserved).expect("a backup");
    assert_eq!((made.totals.changed_files, made.totals.new_files), (2, 0));
    let entries = repo.snapshots();
    let whole = made.snapshot.expect("a snapshot");
    assert_eq!(entries.iter().map(|entry| entry.id).collect::<Vec<_>>(), [first, whole]);
    assert_eq!(["old.jpg", "deep/letter.odt"].map(|name| is_stale(whole, name)), [false, false]);
    repo.assert_sound();
}

#[test]
fn a_part_stays_when_the_next_snapshot_does_not_have_all_of_it() {
    let other_rules = |options: &mut BackupOptions| options.excludes.larger_than = Some(1);
    let other_time = |options: &mut BackupOptions| options.time = Some(time(1_500_000_000));
    let other_client = |options: &mut BackupOptions| options.writer.client.0[0] ^= 1;
    let none = |_: &mut BackupOptions| {};
    type Change = fn(&mut BackupOptions);
    let changes: [(&str, Change, &str); 5] = [
        ("rules", other_rules, "true"),
        ("time", other_time, "true"),
        ("client", other_client, "true"),
        ("removed", none, "rm \"$1/deep/letter.odt\""),
        ("overwritten", none, "echo other > \"$1/deep/letter.odt\""),
    ];
    for (what, change, command) in changes {
        let scratch = Scratch::new();
        let (repo, source) = (TestRepository::new(Arc::new(Memory::default())), source(&scratch));
        assert!(in_parts(&repo, &source, &CutShort::after(1)).is_some());
        let part = repo.snapshots()[0].id;
        in_shell(command, &[&source]);
        let mut options = options(None);
        change(&mut options);
        let sources = [source.clone()];
        let made = backup(&repo.open(), &sources, &options, &Unobserved).expect("a backup");
        let ids: Vec<_> = repo.snapshots().iter().map(|entry| entry.id).collect();
        assert!(ids.contains(&part) && ids.contains(&made.snapshot.expect("an id")), "{what}");
        let restored = repo.restore(part, &source, &scratch.at("restored"));
        assert_eq!(in_shell("find \"$1\" -name letter.odt -printf %s", &[&restored]), "20000");
        repo.assert_sound();
    }
}

#[test]
fn the_program_saves_first_what_the_configuration_names() {
    let person = Person::with_destinations(&["one"]);
    let docs = person.folder("docs", "text");
    std::fs::write(docs.join("thesis.tex"), "chapter").expect("a file");
    person.types(["source", "add", "docs"]).assert_code(0);
    person.types(["config", "set", "priority", "*.tex"]).assert_code(0);
    person.types(["backup", "--smart"]).assert_code(0);
    person.types(["config", "set", "smart", "true"]).assert_code(0);
    std::fs::write(docs.join("thesis.tex"), "chapter and verse").expect("a file");
    person.types(["backup"]).assert_code(0);
    let listed = person.types(["--json", "snapshots"]).assert_code(0).objects();
    let sequences: Vec<Option<u64>> = listed.iter().map(|one| one["sequence"].as_u64()).collect();
    // A part with the chapter and one with what is recent came before the first; one with the chapter before the second.
    assert_eq!(sequences, [Some(3), Some(5)], "{listed:?}");
    assert!(listed.iter().all(|one| one["partial"] == false), "{listed:?}");
    let refused = person.types(["config", "set", "priority", "[["]).assert_code(2);
    assert!(refused.err.contains("priority"), "{}", refused.err);
}
