//! A named pipe that takes a file's place on a server: OpenSSH's waits in opening it, and answers nothing from then on.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use yore_engine::backend::{Folder, Patience, SftpOptions, SftpSource};
use yore_engine::backup::{BackupOptions, ServerFiles, backup_server};
use yore_engine::{Event, Observer, Problem};
use yore_platform::TargetDir;
use yore_tests::{Recorder, Scratch, Sshd, TestRepository, in_shell, options};

/// The files of the folder: they are one batch of a reader, which has at most 32 on their way at once.
const FILES: usize = 60;
/// The time without a file after which the server counts as stuck.
const STUCK: Duration = Duration::from_secs(3);

/// Puts a pipe in the place of the last file once the first one was read, long before the last one is opened.
struct Exchange<'t> {
    pipe: &'t Path,
    last: &'t Path,
    recorder: Recorder,
    read: AtomicU64,
    is_over: AtomicBool,
}

impl Observer for Exchange<'_> {
    fn event(&self, event: Event) {
        if !matches!(event, Event::Done { files: 1, .. }) {
            return;
        }
        if self.read.fetch_add(1, Ordering::Relaxed) == 0 {
            fs::rename(self.pipe, self.last).expect("it takes its place");
        }
    }

    fn problem(&self, problem: Problem) {
        self.recorder.problem(problem);
    }

    fn interrupted(&self) -> bool {
        false
    }
}

impl Exchange<'_> {
    /// Ends the connections of a server that is stuck, as a minute without an answer would.
    fn free(&self, server: &Sshd) {
        let mut before = 0;
        while !self.is_over.load(Ordering::Relaxed) {
            let read = self.read.load(Ordering::Relaxed);
            if read > 0 && read == before {
                server.kill_connections();
            }
            before = read;
            std::thread::sleep(STUCK);
        }
    }
}

#[test]
fn a_pipe_in_a_files_place_is_told_and_everything_else_is_saved() {
    let scratch = Scratch::new();
    let server = Sshd::start(&scratch);
    let repository = TestRepository::new(Arc::new(Folder::new(scratch.at("repository"))));
    let folder = scratch.folder("files");
    let name = |number: usize| format!("{number:02}");
    for number in 0..FILES {
        fs::write(folder.join(name(number)), name(number)).expect("a file");
    }
    TargetDir::create(scratch.path()).and_then(|dir| dir.make_fifo(b"pipe")).expect("a pipe");
    let location = format!("sftp://127.0.0.1:{}", server.port());
    let access = SftpOptions { location, ..server.options(&folder) };
    let source = SftpSource::new(access, Patience::COMMAND, Box::new(|| false), Box::new(|_| {}));
    let path = source.find(folder.to_str().expect("text")).expect("it is there");
    let files = ServerFiles { server: &source, paths: vec![path], machine: "sftp://nas".into() };
    let mut options: BackupOptions = options(None);
    options.writer.host = "nas".into();
    let (pipe, last) = (scratch.at("pipe"), folder.join(name(FILES - 1)));
    let exchange = Exchange {
        pipe: &pipe,
        last: &last,
        recorder: Recorder::default(),
        read: AtomicU64::new(0),
        is_over: AtomicBool::new(false),
    };
    let made = std::thread::scope(|scope| {
        scope.spawn(|| exchange.free(&server));
        let made = backup_server(&repository.open(), &files, &options, &exchange);
        exchange.is_over.store(true, Ordering::Relaxed);
        made
    });
    let report = made.expect("a backup");
    let texts = exchange.recorder.texts();
    assert_eq!((report.totals.unreadable, report.totals.files), (1, FILES as u64 - 1), "{texts:?}");
    assert!(texts[0].contains("files/59: not a regular file any more"), "{texts:?}");
    let id = report.snapshot.expect("a snapshot");
    let restored = repository.restore(id, &folder, &scratch.at("restored"));
    let saved = in_shell("cd \"$1\" && cat *", &[&restored]);
    assert_eq!(saved, (0..FILES - 1).map(name).collect::<String>());
    repository.assert_sound();
}
