//! A drive that the program serves, taken away whatever happens.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use yore_platform::{WhenBusy, is_mounted, unmount};

use super::yore::Yore;

/// How long a drive may take to appear or to go: a bound for what hangs, no measure of speed.
const PATIENCE: Duration = Duration::from_secs(60);

/// A mounted drive.
pub struct MountGuard {
    mountpoint: PathBuf,
    child: Child,
}

impl MountGuard {
    /// Mounts the repository's drive; fails with what the program says when it does not appear.
    pub fn new(yore: &Yore, options: &[&str]) -> Self {
        Self::in_zone(yore, options, "UTC")
    }

    /// The same, by somebody who lives in a time zone.
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
            let ended = guard.child.try_wait().expect("it can be asked");
            if ended.is_some() || began.elapsed() > PATIENCE {
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

    /// Where the drive is.
    pub fn path(&self) -> &Path {
        &self.mountpoint
    }

    /// Where the drive shows a source, in a state: `latest`, or below `snapshots`.
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

    /// Waits until the process ends; returns its exit code.
    pub fn wait(&mut self) -> Option<i32> {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("it can be asked") {
                return status.code();
            }
            assert!(began.elapsed() < PATIENCE, "the process does not end");
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
        // A dead drive may need a second call.
        if is_mounted(&self.mountpoint) {
            let _ = unmount(&self.mountpoint, WhenBusy::Detach);
        }
    }
}

/// A file system that a test mounted with a line of the shell, taken away when this is dropped, also when the test
/// fails.
pub struct MountedAt<'p>(&'p Path);

impl<'p> MountedAt<'p> {
    /// Takes over what is mounted at a path.
    pub fn new(path: &'p Path) -> Self {
        Self(path)
    }
}

impl Drop for MountedAt<'_> {
    fn drop(&mut self) {
        let mut umount = std::process::Command::new("umount");
        // It is gone already where the test itself took it away.
        let _ = umount.args(["--lazy", "--quiet"]).arg(self.0).status();
    }
}
