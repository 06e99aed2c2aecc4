//! A restore brings back the source, and touches nothing else.

use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use yore_platform::{FoundXattrs, Kind, Listing, OtherXattrs, ReadMode, SourceDir, snapshot_path};

use super::*;
use crate::backup::Excludes;
use crate::format::tree::Flags;
use crate::testing::{RecordingObserver, Sample};

/// Fills a folder with a file of every kind that does not need privileges.
fn fill(folder: &Path) {
    let target = TargetDir::create(folder).expect("a folder");
    let none = yore_platform::Xattrs::new();
    let xattrs = vec![(b"user.note".to_vec(), b"\0\xff".to_vec())];
    let file = |dir: &TargetDir, name: &[u8], parts: &[(u64, &[u8])], size: u64, mode: u32| {
        let file = dir.create_file(name, 0).expect("a file");
        parts.iter().for_each(|(at, bytes)| file.write_at(bytes, *at).expect("written"));
        file.set_len(size).expect("a length");
        let modified = yore_platform::Timestamp { seconds: 1_000_000_000, nanos: size as u32 };
        let xattrs = if mode == 0o640 { &xattrs } else { &none };
        let owner = None;
        let (kind, mode, others) = (Kind::File, Some(mode), OtherXattrs::Removed);
        let wanted = yore_platform::WantedMetadata { kind, mode, owner, modified, xattrs, others };
        assert!(file.set_metadata(&wanted).is_empty());
    };
    let noise: Vec<u8> =
        (0..40_000_000u64).map(|n| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as u8).collect();
    file(&target, b"empty", &[], 0, 0o644);
    file(&target, b"small", &[(0, b"hello")], 5, 0o640);
    file(&target, b"not \xff utf-8", &[(0, &noise[..5000])], 5000, 0o600);
    file(&target, b"middle", &[(0, &noise[..3_000_000])], 3_000_000, 0o444);
    file(&target, b"large", &[(0, &noise)], 40_000_000, 0o644);
    let sparse: &[(u64, &[u8])] = &[(1 << 20, &noise[..70_000]), (50 << 20, &noise[..100_000])];
    file(&target, b"sparse", sparse, 100 << 20, 0o644);
    let big_sparse: &[(u64, &[u8])] = &[(4 << 20, &noise[..30_000_000])];
    file(&target, b"large and sparse", big_sparse, 90 << 20, 0o644);
    file(&target, b"hole", &[], 1 << 20, 0o644);
    target.symlink(b"link", b"/nowhere/\xfe").expect("a link");
    target.make_fifo(b"pipe").expect("a pipe");
    target.make_socket(b"socket").expect("a socket");
    let (deep, _) = target.make_dir(b"deep").expect("a folder");
    for n in 0..300u32 {
        let name = format!("file {n:03}");
        let length = n as usize * 37;
        file(&deep, name.as_bytes(), &[(0, &noise[..length])], length as u64, 0o644);
    }
    let (deeper, _) = deep.make_dir(b"deeper").expect("a folder");
    deeper.hard_link(b"another name", &target, b"middle").expect("a link");
    deeper.hard_link(b"large too", &target, b"large").expect("a link");
    target.hard_link(b"yet another", &target, b"middle").expect("a link");
    let read_only = yore_platform::WantedMetadata {
        kind: Kind::Directory,
        mode: Some(0o555),
        owner: None,
        modified: yore_platform::Timestamp { seconds: 5, nanos: 7 },
        xattrs: &none,
        others: OtherXattrs::Removed,
    };
    target.make_dir(b"nothing in it").expect("a folder");
    assert!(deeper.set_metadata(&read_only).is_empty());
    assert!(
        deep.set_metadata(&yore_platform::WantedMetadata { mode: Some(0o755), ..read_only })
            .is_empty()
    );
}

/// Compares two folders by everything that a restore brings back.
fn assert_same(a: &SourceDir, b: &SourceDir, at: &str) {
    let list = |dir: &SourceDir| {
        let mut listing = Listing::new();
        dir.list(&mut listing).expect("a list");
        listing.iter().map(|listed| listed.name.to_vec()).collect::<Vec<_>>()
    };
    assert_eq!(list(a), list(b), "{at}");
    for name in list(a) {
        let path = format!("{at}/{}", String::from_utf8_lossy(&name));
        let (x, y) = (a.child_metadata(&name).expect("x"), b.child_metadata(&name).expect("y"));
        assert_eq!((x.kind, x.mode, x.owner), (y.kind, y.mode, y.owner), "{path}");
        assert_eq!((x.modified, x.device_number), (y.modified, y.device_number), "{path}");
        assert_eq!(
            a.child_xattrs(&name).and_then(FoundXattrs::all).expect("x"),
            b.child_xattrs(&name).and_then(FoundXattrs::all).expect("y"),
            "{path}"
        );
        match x.kind {
            Kind::Directory => {
                let (x, y) = (a.open_child(&name).expect("x"), b.open_child(&name).expect("y"));
                assert_same(&x, &y, &path);
            }
            Kind::Symlink => {
                assert_eq!(a.read_link(&name).expect("x"), b.read_link(&name).expect("y"));
            }
            Kind::File => {
                assert_eq!((x.size, x.links), (y.size, y.links), "{path}");
                assert!(y.allocated <= x.allocated + (1 << 20), "{path} is sparse");
                let read = |dir: &SourceDir| {
                    let file = dir.open_file(&name, ReadMode::Buffered).expect("a file");
                    let mut bytes = vec![0; x.size as usize];
                    assert_eq!(file.read_at(&mut bytes, 0).expect("read"), bytes.len());
                    bytes
                };
                assert!(read(a) == read(b), "{path} has the same bytes");
            }
            _ => {}
        }
    }
}

fn compare(a: &Path, b: &Path) {
    assert_same(&SourceDir::open(a).expect("a"), &SourceDir::open(b).expect("b"), "");
}

fn run_restore(
    sample: &Sample,
    path: &[u8],
    target: &Path,
    options: &RestoreOptions,
) -> (RestoreReport, Vec<String>) {
    let reader = sample.reader();
    let (found, observer) = (sample.find(&reader, path), RecordingObserver::default());
    let report = restore(&reader, &found, path, target, options, &observer).expect("a restore");
    (report, observer.messages())
}

#[test]
fn every_kind_of_file_comes_back_as_it_was() {
    let sample = Sample::new();
    let source = sample.folder.path().join("source");
    fill(&source);
    sample.back_up(&source, 1_500_000_000);
    let options = RestoreOptions { verify: Verify::Reread, ..RestoreOptions::default() };
    let path = snapshot_path(&source);
    let target = sample.folder.path().join("target");
    let (report, problems) = run_restore(&sample, &path, &target, &options);
    assert_eq!(problems, Vec::<String>::new());
    compare(&source, &target.join("source"));
    assert_eq!((report.files, report.directories), (308, 4));
    assert_eq!((report.others, report.links, report.failed, report.skipped), (3, 3, 0, 0));
    // Again: everything is there; nothing is written.
    let (again, problems) = run_restore(&sample, &path, &target, &options);
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!((again.files, again.links, again.others, again.unchanged), (0, 0, 0, 314));
    compare(&source, &target.join("source"));
    // The top of the state is restored with its absolute paths below the target.
    let whole = sample.folder.path().join("whole");
    run_restore(&sample, b"", &whole, &RestoreOptions::default());
    compare(&source, &whole.join(source.strip_prefix("/").expect("absolute")));
}

#[test]
fn existing_files_are_treated_as_the_options_say() {
    let sample = Sample::new();
    let source = sample.folder.path().join("source");
    std::fs::create_dir_all(source.join("sub")).expect("a folder");
    std::fs::write(source.join("sub/a"), "old").expect("a file");
    std::fs::write(source.join("sub/b"), "kept").expect("a file");
    sample.back_up(&source, 1_500_000_000);
    let path = snapshot_path(&source);
    let parent = sample.folder.path();
    std::fs::write(source.join("sub/a"), "newer").expect("a file");
    std::fs::write(source.join("sub/extra"), "extra").expect("a file");
    std::fs::write(source.join("sub/cache.o"), "left out").expect("a file");
    let a = || std::fs::read_to_string(source.join("sub/a")).expect("a file");
    for overwrite in [Overwrite::Never, Overwrite::Newer] {
        let options = RestoreOptions { overwrite, ..RestoreOptions::default() };
        let (report, problems) = run_restore(&sample, &path, parent, &options);
        assert_eq!((report.files, report.skipped, problems.len()), (0, 2, 0));
        assert_eq!(a(), "newer");
    }
    let (extra, parts) = (Extra::Delete, vec![part(&sample, &path, &["*.o"])]);
    let dry = RestoreOptions { extra, parts, run: Run::Dry, ..RestoreOptions::default() };
    let (report, _) = run_restore(&sample, &path, parent, &dry);
    assert_eq!((report.files, report.deleted, a().as_str()), (1, 1, "newer"));
    let real = RestoreOptions { run: Run::Real, ..dry };
    let (report, _) = run_restore(&sample, &path, parent, &real);
    assert_eq!((report.files, report.deleted, report.unchanged), (1, 1, 1));
    assert_eq!(a(), "old");
    assert!(!source.join("sub/extra").exists() && source.join("sub/cache.o").exists());
    assert!(sample.path().exists(), "beside the source, nothing is removed");
}

#[test]
fn patterns_choose_what_is_restored() {
    let sample = Sample::new();
    let source = sample.folder.path().join("source");
    for name in ["one/a.txt", "one/b.o", "two/deep/c.txt", "three/d.o"] {
        std::fs::create_dir_all(source.join(name).parent().expect("one")).expect("a folder");
        std::fs::write(source.join(name), name).expect("a file");
    }
    sample.back_up(&source, 1_500_000_000);
    let target = sample.folder.path().join("target");
    let include = vec![Rule::added(vec!["*.txt".into()])];
    let exclude = vec![Rule::added(vec!["deep".into()])];
    let options = RestoreOptions { include, exclude, ..RestoreOptions::default() };
    let (report, _) = run_restore(&sample, &snapshot_path(&source), &target, &options);
    assert_eq!(report.files, 1);
    assert!(target.join("source/one/a.txt").exists());
    assert!(!target.join("source/two").exists() && !target.join("source/three").exists());
}

#[test]
fn a_link_in_the_target_is_not_followed_out_of_it() {
    let sample = Sample::new();
    let source = sample.folder.path().join("source");
    std::fs::create_dir_all(source.join("sub")).expect("a folder");
    std::fs::write(source.join("sub/a"), "restored").expect("a file");
    sample.back_up(&source, 1_500_000_000);
    let (target, outside) =
        (sample.folder.path().join("target"), sample.folder.path().join("outside"));
    std::fs::create_dir(&outside).expect("a folder");
    let dir = TargetDir::create(&target.join("source")).expect("a folder");
    dir.symlink(b"sub", yore_platform::name_bytes(outside.as_os_str())).expect("a link");
    let path = snapshot_path(&source);
    let never = RestoreOptions { overwrite: Overwrite::Never, ..RestoreOptions::default() };
    let (report, problems) = run_restore(&sample, &path, &target, &never);
    assert_eq!((report.failed, problems.len()), (1, 1));
    run_restore(&sample, &path, &target, &RestoreOptions::default());
    assert_eq!(std::fs::read_dir(&outside).expect("a folder").count(), 0);
    assert_eq!(std::fs::read(target.join("source/sub/a")).expect("a file"), b"restored");
}

#[test]
fn a_damaged_pack_costs_its_files_alone() {
    let sample = Sample::new();
    let source = sample.folder.path().join("source");
    std::fs::create_dir_all(&source).expect("a folder");
    for n in 0..40u64 {
        let bytes: Vec<u8> = (0..9_000u64)
            .map(|i| ((i * i + n).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33) as u8)
            .collect();
        std::fs::write(source.join(format!("{n}")), bytes).expect("a file");
    }
    sample.back_up(&source, 1_500_000_000);
    let packs = sample.repository.backend().list(crate::format::Area::Packs).expect("packs");
    let data = packs.iter().max_by_key(|pack| pack.size).expect("a pack");
    let file = sample.path().join(data.name.as_str());
    let mut bytes = std::fs::read(&file).expect("a pack");
    bytes[200] ^= 1;
    std::fs::remove_file(&file).expect("removed");
    std::fs::write(&file, bytes).expect("a pack");
    let target = sample.folder.path().join("target");
    let options = RestoreOptions::default();
    let (report, problems) = run_restore(&sample, &snapshot_path(&source), &target, &options);
    assert!(report.failed > 0 && report.files > 0, "{report:?}");
    assert_eq!((report.files + report.failed, problems.len() as u64), (40, report.failed));
    let left = std::fs::read_dir(target.join("source")).expect("a folder").count();
    assert_eq!(left as u64, report.files, "nothing is left in part");
}

/// Interrupts after so many calls of `interrupted`.
struct Impatient(std::sync::atomic::AtomicUsize, usize);

impl Observer for Impatient {
    fn event(&self, _event: crate::Event) {}

    fn problem(&self, _problem: crate::Problem) {}

    fn interrupted(&self) -> bool {
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed) >= self.1
    }
}

#[test]
fn an_interrupted_restore_leaves_whole_files_only_and_can_be_repeated() {
    let sample = Sample::new();
    let source = sample.folder.path().join("source");
    fill(&source);
    sample.back_up(&source, 1_500_000_000);
    let path = snapshot_path(&source);
    let target = sample.folder.path().join("target");
    let reader = sample.reader();
    let found = sample.find(&reader, &path);
    let options = RestoreOptions::default();
    for after in [0, 1, 5, 50, 150, 310, 330, 360] {
        let observer = Impatient(Default::default(), after);
        let outcome = restore(&reader, &found, &path, &target, &options, &observer);
        assert!(matches!(outcome, Err(Error::Interrupted) | Ok(_)), "{after}: {outcome:?}");
        assert!(after > 5 || outcome.is_err());
        let Ok(listed) = std::fs::read_dir(target.join("source")) else { continue };
        for entry in listed {
            let entry = entry.expect("an entry");
            let whole = std::fs::symlink_metadata(source.join(entry.file_name()));
            let whole = whole.expect("nothing that the source does not have").len();
            let length = entry.metadata().expect("metadata").len();
            assert!(entry.path().is_dir() || length == whole, "{:?}", entry.path());
        }
    }
    let (report, problems) = run_restore(&sample, &path, &target, &options);
    assert_eq!((report.failed, problems.len()), (0, 0));
    compare(&source, &target.join("source"));
}

/// The newest snapshot's part of one source, which left out what fits.
fn part(sample: &Sample, source: &[u8], left_out: &[&str]) -> SourcePart {
    SourcePart {
        has_unknown_rules: false,
        path: source.to_vec(),
        snapshot: sample.newest().id,
        excludes: left_out.iter().map(|&pattern| pattern.to_owned()).collect(),
        root_flags: Flags::default(),
        label: "2026-01-15 10.30".into(),
    }
}

/// Restores the newest snapshot of `source` over it with `Extra::Delete`; returns the report and the problems.
fn restore_exactly(sample: &Sample, source: &Path, left_out: &[&str]) -> (u64, Vec<String>) {
    let path = snapshot_path(source);
    let (extra, parts) = (Extra::Delete, vec![part(sample, &path, left_out)]);
    let options = RestoreOptions { extra, parts, ..RestoreOptions::default() };
    let (report, problems) = run_restore(sample, &path, sample.folder.path(), &options);
    assert_eq!(report.failed, 0);
    (report.deleted, problems)
}

fn put(source: &Path, names: &[&str]) {
    for name in names {
        let path = source.join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, name).expect("a file");
    }
}

#[test]
fn files_left_out_by_a_marker_are_not_removed() {
    let sample = Sample::new();
    let source = sample.folder.path().join("source");
    put(&source, &["marked/.nobackup", "marked/precious", "marked/sub/precious", "plain/a"]);
    let excludes = Excludes { if_present: vec![b".nobackup".to_vec()], ..Excludes::default() };
    sample.back_up_without(&source, 1_500_000_000, excludes);
    put(&source, &["plain/extra"]);
    std::fs::create_dir(source.join("empty")).expect("a folder");
    let (deleted, problems) = restore_exactly(&sample, &source, &[]);
    assert_eq!((deleted, problems.len()), (2, 1), "{problems:?}");
    assert!(source.join("marked/precious").exists() && source.join("marked/sub/precious").exists());
    assert!(!source.join("plain/extra").exists() && !source.join("empty").exists());
}

#[test]
fn a_directory_that_holds_excluded_files_is_not_removed() {
    let sample = Sample::new();
    let source = sample.folder.path().join("source");
    put(&source, &["a"]);
    sample.back_up(&source, 1_500_000_000);
    put(&source, &["new/deep/secret.key", "marked/sub/.nobackup", "marked/sub/x", "gone/b"]);
    let (deleted, problems) = restore_exactly(&sample, &source, &["*.key"]);
    assert_eq!((deleted, problems.len()), (1, 2), "{problems:?}");
    assert!(source.join("new/deep/secret.key").exists() && source.join("marked/sub/x").exists());
    assert!(!source.join("gone").exists());
}

#[test]
fn nothing_is_removed_from_a_source_with_rules_of_a_later_version() {
    let sample = Sample::new();
    let source = sample.folder.path().join("source");
    put(&source, &["a"]);
    sample.back_up(&source, 1_500_000_000);
    put(&source, &["b", "new/c"]);
    let path = snapshot_path(&source);
    let unknown = SourcePart { has_unknown_rules: true, ..part(&sample, &path, &[]) };
    let options =
        RestoreOptions { extra: Extra::Delete, parts: vec![unknown], ..RestoreOptions::default() };
    let (report, _) = run_restore(&sample, &path, sample.folder.path(), &options);
    assert_eq!((report.failed, report.deleted), (0, 0));
    assert!(source.join("b").exists() && source.join("new/c").exists());
}

#[test]
fn verification_finds_a_byte_in_a_hole() {
    let sample = Sample::new();
    let source = sample.folder.path().join("source");
    fill(&source);
    sample.back_up(&source, 1_500_000_000);
    let reader = sample.reader();
    let (options, observer) = (RestoreOptions::default(), RecordingObserver::default());
    let options = RestoreOptions { verify: Verify::Reread, ..options };
    let restored = RestorePath { base: Vec::new(), top: Vec::new(), links: LinkPolicy::Refuse };
    let selection = Selection::new(&options, restored).expect("no patterns");
    let root = TargetDir::create(&source).expect("a target");
    let allowed = AllowedChanges::Any;
    let task =
        Task { reader: &reader, target: &source, options: &options, observer: &observer, allowed };
    let context = Context::new(&task, &selection, Some(root.clone()));
    let open = OpenDir::base(&context, Some(root));
    for place in [0, (1 << 20) - 1, 10 << 20, (100 << 20) - 1] {
        let Lookup::Node(seen) = sample.find(&reader, &snapshot_path(&source.join("sparse")))
        else {
            panic!("it is a file")
        };
        verify::compare(&context, &open, &seen.node).expect("as it was written");
        let file = std::fs::File::options().write(true).open(source.join("sparse"));
        let mut file = file.expect("a file");
        file.seek(SeekFrom::Start(place)).expect("a place");
        file.write_all(b"x").expect("written");
        drop(file);
        let error = verify::compare(&context, &open, &seen.node).expect_err("it differs");
        assert!(error.to_string().contains("does not read back"), "{error}");
        assert!(!source.join("sparse").exists(), "it is removed again");
        run_restore(&sample, &snapshot_path(&source), source.parent().expect("one"), &options);
    }
}
