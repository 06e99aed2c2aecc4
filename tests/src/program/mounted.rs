//! Drives that the program serves, unmounted at the end of a test in any case.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use yore_platform::{WhenBusy, is_mounted, unmount};

use super::yore::Yore;

/// The longest that a drive may take to appear or to end: a bound for what hangs, no measure of speed.
const DEADLINE: Duration = Duration::from_secs(60);

/// A mounted drive.
pub struct MountGuard {
    mountpoint: PathBuf,
    child: Child,
}

impl MountGuard {
    /// Mounts the repository's drive; fails with the program's message when it does not appear.
    pub fn new(yore: &Yore, options: &[&str]) -> Self {
        Self::in_zone(yore, options, "UTC")
    }

    /// Mounts the drive in a time zone.
    pub fn in_zone(yore: &Yore, options: &[&str], zone: &str) -> Self {
        let mountpoint = yore.scratch.folder("drive");
        let mut words: Vec<&str> = vec!["mount"];
        words.extend(options);
        let mountpoint_word = mountpoint.to_str().expect("a name that is text");
        words.push(mountpoint_word);
        let child = yore.command(words).env("TZ", zone).spawn().expect("the program runs");
        let mut guard = Self { mountpoint, child };
        let began = Instant::now();
        while !is_mounted(&guard.mountpoint) {
            let ended = guard.child.try_wait().expect("its status can be read");
            if ended.is_some() || began.elapsed() > DEADLINE {
                let _ = guard.child.kill();
                let mut said = String::new();
                if let Some(mut stderr) = guard.child.stderr.take() {
                    let _ = stderr.read_to_string(&mut said);
                }
                panic!("the drive could not be mounted ({ended:?}): {said}");
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        guard
    }

    /// The mountpoint.
    pub fn path(&self) -> &Path {
        &self.mountpoint
    }

    /// Returns the path of a source in a state of the drive: `latest`, or one below `snapshots`.
    pub fn path_of(&self, state: &str, source: &Path) -> PathBuf {
        let relative = source.strip_prefix("/").expect("an absolute path");
        self.mountpoint.join(state).join(relative)
    }

    /// The process that serves it.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends the process a signal, by its name.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        crate::machine::in_shell("kill -s \"$1\" \"$2\"", &[Path::new(name), Path::new(&pid)]);
    }

    /// Waits for the process to end; returns its exit code.
    pub fn wait(&mut self) -> Option<i32> {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("its status can be read") {
                return status.code();
            }
            assert!(began.elapsed() < DEADLINE, "the process does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for MountGuard {
    fn drop(&mut self) {
        if is_mounted(&self.mountpoint) {
            let _ = unmount(&self.mountpoint, WhenBusy::Detach);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        // The drive of a killed process may need a second call.
        if is_mounted(&self.mountpoint) {
            let _ = unmount(&self.mountpoint, WhenBusy::Detach);
        }
    }
}

/// A file system that a test mounted in the shell, unmounted when this is dropped, also when the test fails.
pub struct MountedAt<'p>(&'p Path);

impl<'p> MountedAt<'p> {
    /// Takes charge of the file system that is mounted at a path.
    pub fn new(path: &'p Path) -> Self {
        Self(path)
    }
}

impl Drop for MountedAt<'_> {
    fn drop(&mut self) {
        let mut umount = std::process::Command::new("umount");
        // A test may have unmounted it itself.
        let _ = umount.args(["--lazy", "--quiet"]).arg(self.0).status();
    }
}
