//! Files of a machine on which nothing is installed, read over SFTP from OpenSSH's server.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use yore_engine::backend::{Folder, Patience, SftpOptions, SftpSource};
use yore_engine::backup::{
    BackupOptions, BackupReport, EmptySources, Excludes, ServerFiles, backup_server,
};
use yore_engine::format::Snapshot;
use yore_engine::globs::{Bases, Rule};
use yore_engine::{Error, Result};
use yore_platform::{TargetDir, name_from_bytes, snapshot_path};
use yore_tests::{
    Direction, Link, Proxy, Recorder, Scratch, Sshd, TestRepository, assert_same_tree, in_shell,
    needs_root, noise, options, print_measured,
};

/// The machine that the server stands for.
const MACHINE: &str = "nas";

const PATIENCE: Patience = Patience {
    limit: Duration::from_secs(3),
    first_contact: Duration::from_secs(1),
    first_pause: Duration::from_millis(20),
    longest_pause: Duration::from_millis(200),
    silence: Duration::from_secs(60),
};

/// A server, a folder on it, and a repository.
struct Scene {
    scratch: Scratch,
    server: Sshd,
    repository: TestRepository,
    folder: PathBuf,
}

impl Scene {
    fn new() -> Self {
        let scratch = Scratch::new();
        let server = Sshd::start(&scratch);
        let repository = TestRepository::new(Arc::new(Folder::new(scratch.at("repository"))));
        let folder = scratch.folder("files");
        Self { scratch, server, repository, folder }
    }

    /// Makes access to the server, through a link if there is one.
    fn source(&self, link: Option<&Proxy>) -> SftpSource {
        let mut options = self.options();
        if let Some(link) = link {
            options.host.key_alias = Some(format!("[127.0.0.1]:{}", options.host.port));
            options.host.port = link.port();
        }
        access(options)
    }

    fn options(&self) -> SftpOptions {
        let location = format!("sftp://127.0.0.1:{}", self.server.port());
        SftpOptions { location, ..self.server.options(&self.folder) }
    }

    fn link(&self, link: Link) -> Proxy {
        Proxy::start(([127, 0, 0, 1], self.server.port()).into(), link)
    }

    fn try_back_up(
        &self,
        source: &SftpSource,
        options: &BackupOptions,
        recorder: &Recorder,
    ) -> Result<BackupReport> {
        let path = source.find(self.folder.to_str().expect("text"))?;
        let machine = format!("sftp://{MACHINE}");
        let files = ServerFiles { server: source, paths: vec![path], machine };
        backup_server(&self.repository.open(), &files, options, recorder)
    }

    /// Backs up, which must succeed without problems.
    fn back_up(&self, source: &SftpSource) -> BackupReport {
        let recorder = Recorder::default();
        let report = self.try_back_up(source, &of_machine(), &recorder).expect("a backup");
        assert_eq!(recorder.texts(), Vec::<String>::new());
        report
    }

    /// Fails unless a snapshot has what the folder has.
    fn assert_saved(&self, report: &BackupReport, name: &str) {
        let target = self.scratch.at(name);
        let id = report.snapshot.expect("a snapshot");
        let restored = self.repository.restore(id, &self.folder, &target);
        assert_same_tree(&restored, &self.folder);
    }

    fn snapshots(&self) -> Vec<Snapshot> {
        self.repository.snapshots().into_iter().map(|entry| entry.snapshot).collect()
    }
}

fn access(options: SftpOptions) -> SftpSource {
    SftpSource::new(options, PATIENCE, Box::new(|| false), Box::new(|_| {}))
}

/// Returns the options of a backup of the machine, at the present time.
fn of_machine() -> BackupOptions {
    let mut options = options(None);
    options.writer.host = MACHINE.into();
    options.empty_sources = EmptySources::KeepLast;
    options
}

/// Gives everything in a folder a time that is long past, in whole seconds as SFTP tells them.
fn settle(folder: &Path) {
    in_shell("find \"$1\" -exec touch -h -d @1700000000 {} +", &[folder]);
}

/// Fills a folder with files of every size and kind that SFTP tells.
fn fill(folder: &Path) {
    for (name, length) in
        [("empty", 0), ("one", 1), ("small", 50_000), ("middle", 300_000), ("large", 12_000_000)]
    {
        fs::write(folder.join(name), noise(length, length as u64)).expect("a file");
    }
    for dir in 0..12 {
        let deep = folder.join(format!("dir{dir}/deeper/and deeper"));
        fs::create_dir_all(&deep).expect("folders");
        for file in 0..12 {
            let content = noise(900, dir * 100 + file);
            fs::write(deep.join(format!("{file}")), &content).expect("a file");
            fs::write(folder.join(format!("dir{dir}/{file}")), &content).expect("a file");
        }
    }
    let odd = folder.join(name_from_bytes(b"not \xff text\n"));
    fs::create_dir(&odd).expect("a folder");
    fs::write(odd.join(name_from_bytes(b"\x01\xfe")), "odd").expect("a file");
    let target = TargetDir::create(folder).expect("a folder");
    target.symlink(b"link", b"dir1/3").expect("a link");
    target.symlink(b"dangling \xff", b"/nowhere/\xff").expect("a link");
    target.make_fifo(b"pipe").expect("a pipe");
    in_shell("chmod 4751 \"$1/one\"; chmod 1770 \"$1/dir3\"; chmod 600 \"$1/small\"", &[folder]);
    settle(folder);
}

#[test]
fn a_folder_of_a_server_is_saved_whole_and_the_next_backup_reads_nothing() {
    let scene = Scene::new();
    fill(&scene.folder);
    let link = scene.link(Link::UNSHAPED);
    let first = scene.back_up(&scene.source(Some(&link)));
    assert_eq!(first.totals.new_files, first.totals.files);
    scene.assert_saved(&first, "first");
    let before = link.counts().bytes_down;
    let second = scene.back_up(&scene.source(Some(&link)));
    let read = link.counts().bytes_down - before;
    assert_eq!((second.totals.new_files, second.totals.changed_files), (0, 0));
    assert_eq!(second.totals.files, first.totals.files);
    assert!(read < 300_000, "{read} bytes for 12 MB that did not change");
    scene.assert_saved(&second, "second");
    scene.repository.assert_sound();
}

#[test]
fn what_changed_on_a_server_is_read_also_within_the_second_of_the_last_backup() {
    let scene = Scene::new();
    fill(&scene.folder);
    let file = scene.folder.join("dir1/3");
    fs::write(&file, "now").expect("a file");
    scene.back_up(&scene.source(None));
    // The same size and the same second: the time tells nothing.
    in_shell(
        "touch -r \"$1\" \"$1.time\"; printf won > \"$1\"; touch -r \"$1.time\" \"$1\"; rm \"$1.time\"",
        &[&file],
    );
    fs::write(scene.folder.join("small"), noise(50_000, 7)).expect("a file");
    fs::remove_file(scene.folder.join("middle")).expect("it is removed");
    let second = scene.back_up(&scene.source(None));
    assert_eq!((second.totals.changed_files, second.removed_files), (2, 1));
    let id = second.snapshot.expect("a snapshot");
    let restored = scene.repository.restore(id, &scene.folder, &scene.scratch.at("restored"));
    assert_eq!(fs::read_to_string(restored.join("dir1/3")).expect("a file"), "won");
    assert!(!restored.join("middle").exists());
}

#[test]
fn the_files_of_a_server_are_never_taken_for_those_of_this_machine() {
    let scene = Scene::new();
    fill(&scene.folder);
    let here = std::slice::from_ref(&scene.folder);
    let files = scene.repository.back_up(here, None).totals.files;
    let there = scene.back_up(&scene.source(None));
    assert_eq!((there.totals.new_files, there.removed_files), (files, 0));
    assert!(there.totals.new_bytes < 200_000, "its chunks are there already");
    // This machine's folder has lost what the server still has.
    fs::remove_file(scene.folder.join("large")).expect("it is removed");
    assert_eq!(scene.repository.back_up(here, None).removed_files, 1);
    let [local, remote, again] = scene.snapshots().try_into().expect("three snapshots");
    assert_eq!((local.machine(), again.machine()), (None, None));
    assert_eq!(remote.machine(), Some("sftp://nas"));
    assert_eq!((remote.host.as_str(), local.host.as_str()), (MACHINE, "host"));
    assert_eq!(remote.sources, vec![snapshot_path(&scene.folder)]);
}

#[test]
fn connections_that_are_lost_in_the_middle_are_made_again() {
    let scene = Scene::new();
    fill(&scene.folder);
    let link = scene.link(Link::UNSHAPED);
    let source = scene.source(Some(&link));
    for bytes in [100_000, 3_000_000, 9_000_000] {
        link.reset_after(Direction::Down, bytes);
        let report = scene.back_up(&source);
        assert_eq!(report.totals.unreadable, 0);
        scene.assert_saved(&report, &format!("after {bytes}"));
        in_shell("find \"$1\" -type f -exec touch -d @$((1700000000 + $$)) {} +", &[&scene.folder]);
    }
    assert!(link.counts().connections > 3, "{:?}", link.counts());
    scene.repository.assert_sound();
}

#[test]
fn a_server_that_stays_away_in_the_middle_ends_the_backup_and_nothing_looks_deleted() {
    let mut scene = Scene::new();
    fill(&scene.folder);
    scene.back_up(&scene.source(None));
    fs::write(scene.folder.join("large"), noise(12_000_000, 1)).expect("a file");
    let link = scene.link(Link::UNSHAPED);
    let source = scene.source(Some(&link));
    source.find("/").expect("it answers");
    link.refuse();
    link.reset_after(Direction::Down, 2_000_000);
    let recorder = Recorder::default();
    let failed = scene.try_back_up(&source, &of_machine(), &recorder);
    assert!(matches!(&failed, Err(Error::Backend { .. })), "{failed:?}");
    assert_eq!(recorder.texts(), Vec::<String>::new(), "no file counts as unreadable");
    assert_eq!(scene.snapshots().len(), 1);
    link.accept_again();
    // One that is away from the beginning is the same.
    scene.server.kill();
    let failed = scene.source(None).find("/").expect_err("it is away");
    assert!(failed.is_temporary(), "{failed}");
    scene.server.restart();
    let report = scene.back_up(&scene.source(None));
    assert_eq!((report.totals.changed_files, report.removed_files), (1, 0));
    scene.repository.assert_sound();
}

#[test]
fn an_empty_folder_keeps_its_last_state_and_one_that_is_not_there_is_an_error() {
    let scene = Scene::new();
    fill(&scene.folder);
    scene.back_up(&scene.source(None));
    in_shell("mv \"$1\" \"$1.mounted\" && mkdir \"$1\"", &[&scene.folder]);
    let report = scene.back_up(&scene.source(None));
    let emptied: Vec<_> = report.emptied.iter().map(|one| one.path.clone()).collect();
    assert_eq!(emptied, [snapshot_path(&scene.folder)]);
    let id = report.snapshot.expect("a snapshot");
    let restored = scene.repository.restore(id, &scene.folder, &scene.scratch.at("kept"));
    assert_eq!(fs::read(restored.join("one")).expect("a file").len(), 1);
    fs::remove_dir(&scene.folder).expect("it is empty");
    let failed = scene.try_back_up(&scene.source(None), &of_machine(), &Recorder::default());
    match failed {
        Err(error @ Error::Local { .. }) => {
            let text = error.with_cause();
            assert!(text.contains("sftp://127.0.0.1") && text.contains("no such file"), "{text}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(scene.snapshots().len(), 2);
}

#[test]
fn what_the_user_may_not_read_on_the_server_is_listed_and_keeps_its_last_state() {
    needs_root("a server that reads as another user");
    let scene = Scene::new();
    fill(&scene.folder);
    in_shell("chmod a+rx \"$1\" && chmod -R a+rX \"$1/files\"", &[scene.scratch.path()]);
    let as_nobody = || {
        let mut options = scene.options();
        options.host.user = "nobody".into();
        access(options)
    };
    scene.back_up(&as_nobody());
    in_shell("chmod 700 \"$1/dir5\" && chmod 600 \"$1/middle\"", &[&scene.folder]);
    fs::write(scene.folder.join("middle"), "changed").expect("a file");
    let recorder = Recorder::default();
    let report = scene.try_back_up(&as_nobody(), &of_machine(), &recorder).expect("a backup");
    assert_eq!((report.totals.unreadable, report.removed_files), (2, 0), "{:?}", recorder.texts());
    let texts = recorder.texts().join("\n");
    assert!(texts.contains("files/dir5: permission denied"), "{texts}");
    assert!(texts.contains("files/middle: permission denied"), "{texts}");
    let id = report.snapshot.expect("a snapshot");
    let restored = scene.repository.restore(id, &scene.folder, &scene.scratch.at("kept"));
    assert_eq!(fs::read(restored.join("middle")).expect("its last state").len(), 300_000);
    assert_eq!(fs::read(restored.join("dir5/deeper/and deeper/4")).expect("a file").len(), 900);
}

#[test]
fn what_is_excluded_on_a_server_is_neither_listed_nor_read() {
    let scene = Scene::new();
    fill(&scene.folder);
    fs::write(scene.folder.join("dir2/.nobackup"), "").expect("a file");
    let tag = "Signature: 8a477f597d28d172789f06886806bc55";
    fs::write(scene.folder.join("dir4/CACHEDIR.TAG"), tag).expect("a file");
    let bases = Bases { sources: vec![snapshot_path(&scene.folder)], others: vec![], home: None };
    let rule = |pattern: &str| Rule::typed(pattern, &bases);
    let excludes = Excludes {
        rules: vec![rule("and deeper/"), rule("dir7/1*"), rule("!dir7/11")],
        caches: true,
        if_present: vec![b".nobackup".to_vec()],
        larger_than: Some(1_000_000),
    };
    let options = BackupOptions { excludes, ..of_machine() };
    let recorder = Recorder::default();
    let report = scene.try_back_up(&scene.source(None), &options, &recorder).expect("a backup");
    assert_eq!(recorder.texts(), Vec::<String>::new());
    let id = report.snapshot.expect("a snapshot");
    let restored = scene.repository.restore(id, &scene.folder, &scene.scratch.at("restored"));
    let at = |name: &str| restored.join(name).exists();
    assert!(at("dir1/3") && at("dir7/2") && at("dir7/11") && at("dir2/.nobackup"));
    assert!(!at("dir1/deeper/and deeper") && !at("dir7/1") && !at("dir7/10"));
    assert!(!at("dir2/3") && !at("dir4/3") && !at("large") && at("middle"));
    assert_eq!(report.left_out.too_large, 1);
}

#[test]
fn a_file_that_grows_while_it_is_read_is_marked_and_a_part_of_it_is_whole() {
    let scene = Scene::new();
    let path = scene.folder.join("growing");
    fs::write(&path, vec![b'a'; 2_000_000]).expect("a file");
    let is_over = AtomicBool::new(false);
    let link = scene.link(Link::DISTANT);
    let (report, texts) = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut file = File::options().append(true).open(&path).expect("it opens");
            while !is_over.load(Ordering::Relaxed) {
                file.write_all(&[b'a'; 100]).expect("it grows");
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        let recorder = Recorder::default();
        let report = scene.try_back_up(&scene.source(Some(&link)), &of_machine(), &recorder);
        is_over.store(true, Ordering::Relaxed);
        (report.expect("a backup"), recorder.texts())
    });
    assert_eq!((report.changed_while_read, texts.len()), (1, 1), "{texts:?}");
    let id = report.snapshot.expect("a snapshot");
    let restored = scene.repository.restore(id, &scene.folder, &scene.scratch.at("restored"));
    let content = fs::read(restored.join("growing")).expect("a file");
    assert!(content.len() >= 2_000_000 && content.iter().all(|byte| *byte == b'a'));
}

#[test]
fn a_key_that_is_not_known_is_refused() {
    let scene = Scene::new();
    fs::write(scene.server.known_hosts(), "").expect("a file");
    let failed = scene.source(None).find("/").expect_err("it is refused");
    assert!(matches!(failed, Error::HostKey { .. }), "{failed:?}");
}

#[test]
fn a_folder_of_very_many_files_is_listed_whole() {
    let scene = Scene::new();
    in_shell("cd \"$1\" && seq 30000 | xargs touch", &[&scene.folder]);
    settle(&scene.folder);
    assert_eq!(scene.back_up(&scene.source(None)).totals.files, 30_000);
    assert_eq!(scene.back_up(&scene.source(None)).totals.new_files, 0);
}

#[test]
fn over_a_long_link_requests_do_not_wait_for_each_other() {
    let scene = Scene::new();
    for dir in 0..100 {
        let dir = scene.folder.join(format!("{dir}/in"));
        fs::create_dir_all(&dir).expect("folders");
        for file in 0..10 {
            fs::write(dir.join(format!("{file}")), noise(500, file)).expect("a file");
        }
    }
    settle(&scene.folder);
    let link = scene.link(Link::DISTANT);
    let source = scene.source(Some(&link));
    source.find("/").expect("it answers");
    let began = Instant::now();
    let before = link.counts().round_trips;
    scene.back_up(&source);
    let first = link.counts().round_trips - before;
    let took = began.elapsed();
    scene.back_up(&source);
    let second = link.counts().round_trips - before - first;
    print_measured(format!(
        "1,000 files in 200 folders: {first} turns in {took:?}, unchanged {second}"
    ));
    // One after the other, a file takes four round trips, and a folder two.
    assert!(first < 2_000, "{first} turns for 4,400 requests that wait for an answer");
    assert!(second < 200, "{second} turns for 400 requests that wait for an answer");
}

#[test]
fn a_time_within_the_hour_before_a_backup_is_not_trusted_since_clocks_differ() {
    let scene = Scene::new();
    let path = scene.folder.join("file");
    // The clock of the server is half an hour behind: what changes now looks old.
    let lagging = SystemTime::now() - Duration::from_secs(30 * 60);
    for (text, changed) in [("one", 0), ("two", 1)] {
        fs::write(&path, text).expect("a file");
        let file = File::options().write(true).open(&path).expect("it opens");
        file.set_modified(lagging).expect("a time");
        assert_eq!(scene.back_up(&scene.source(None)).totals.changed_files, changed);
    }
}
