//! A running `yore watch`, and what a test waits for.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use yore_tests::{Ended, Person, in_shell, is_root, needs_root};

/// The longest that a snapshot may take to come: a bound for what hangs, no measure of speed.
pub const DEADLINE: Duration = Duration::from_secs(120);

/// The way in which a watch learns of changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feed {
    /// From fanotify, as root may.
    FileSystem,
    /// From inotify, as everybody may.
    Folders,
    /// From the better one of those that this person may use.
    Best,
}

/// A watch that is ended when this is dropped.
pub struct Watch {
    child: Child,
    log: PathBuf,
}

impl Watch {
    /// Starts a watch that makes a snapshot after a second without a change.
    pub fn start(person: &Person, feed: Feed, words: &[&str]) -> Self {
        // Not in the home, where it would be a change.
        let log = person.yore.scratch.at("watch.log");
        let file = fs::File::create(&log).expect("a file");
        let words = [&["watch", "-v", "--quiet-after", "1"], words].concat();
        let mut command = person.command(words);
        match feed {
            Feed::FileSystem => needs_root("watch a file system"),
            Feed::Folders if is_root() => command = without_rights(&command),
            Feed::Folders | Feed::Best => {}
        }
        command.stdout(file.try_clone().expect("a file")).stderr(file).stdin(Stdio::null());
        Self { child: command.spawn().expect("it starts"), log }
    }

    /// Returns what it printed.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Counts the times that it looked at everything.
    pub fn whole_looks(&self) -> usize {
        self.log().matches("looked at everything").count()
    }

    /// Counts what it watches: the file systems, and the folders of inotify.
    pub fn marks(&self) -> (usize, usize) {
        let folder = format!("/proc/{}/fdinfo", self.child.id());
        let files = fs::read_dir(folder).expect("it runs").flatten();
        // A descriptor may be closed meanwhile.
        let text: String = files.filter_map(|file| fs::read_to_string(file.path()).ok()).collect();
        let count = |start: &str| text.lines().filter(|line| line.starts_with(start)).count();
        (count("fanotify sdev:"), count("inotify wd:"))
    }

    /// Sends a signal.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        in_shell(&format!("kill -s {name} \"$1\""), &[Path::new(&id)]);
    }

    /// Ends it and returns its exit code.
    pub fn end(mut self) -> i32 {
        self.signal("INT");
        self.child.wait().expect("it ends").code().unwrap_or(-1)
    }

    /// Waits for a number of snapshots.
    pub fn wait_for(&self, person: &Person, number: usize) {
        self.wait_until(|| snapshots(person) >= number, &format!("{number} snapshots"));
    }

    /// Waits until something is true.
    pub fn wait_until(&self, is_true: impl Fn() -> bool, what: &str) {
        let began = Instant::now();
        while !is_true() {
            assert!(began.elapsed() < DEADLINE, "{what}: {}", self.log());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Waits until a file of the newest snapshot has some content.
    pub fn wait_for_content(&self, person: &Person, file: &Path, content: &str) {
        let moment = format!("latest:{}", file.display());
        let is_saved = || person.types(["cat", &moment]).out == content;
        self.wait_until(is_saved, &format!("{} with {content:?}", file.display()));
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns a command as it is without the right to watch file systems.
fn without_rights(command: &Command) -> Command {
    let mut limited = Command::new("setpriv");
    limited.args(["--bounding-set=-sys_admin", "--inh-caps=-all"]);
    limited.arg(command.get_program()).args(command.get_args());
    limited.env_clear().envs(command.get_envs().filter_map(|(key, value)| Some((key, value?))));
    limited.current_dir(command.get_current_dir().expect("the home"));
    limited
}

/// Counts the snapshots.
pub fn snapshots(person: &Person) -> usize {
    person.types(["snapshots", "--json"]).objects().len()
}

/// Makes a home with a source `docs` of three files.
pub fn person() -> Person {
    let person = Person::with_destinations(&["disk"]);
    for folder in ["docs/a", "docs/b/deep", "docs/c"] {
        person.folder(folder, folder);
    }
    person.types(["source", "add", "docs"]).assert_code(0);
    person
}

/// Compares the newest snapshot with the folder, by the program's own restore and the system's `diff`.
#[track_caller]
pub fn assert_saved(person: &Person, folder: &Path) {
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
