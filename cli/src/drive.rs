//! A mounted drive, and the thread that shows new snapshots in it.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use yore_engine::Repository;
use yore_fs::{SnapshotVolume, VolumeOptions};
use yore_platform::{Interrupt, MountOptions, Mounted, MountedHandle, Unmounted};

use crate::context::Context;
use crate::engine_error::words;
use crate::failure::{Done, Failure, Outcome};
use crate::screen::Screen;

/// How often the repository is asked for new snapshots.
const REFRESHED: Duration = Duration::from_secs(1);

/// A mounted drive; dropped, it is taken away.
pub struct Drive {
    mounted: Option<Mounted>,
    refresher: Option<Refresher>,
}

struct Refresher {
    /// Dropped to end the thread.
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

/// Mounts the snapshots of a repository.
pub fn mount(
    repository: Arc<Repository>,
    mountpoint: &Path,
    presented: VolumeOptions,
    how: &MountOptions,
    screen: &Arc<Screen>,
) -> Outcome<Drive> {
    let (volume, problems) = SnapshotVolume::open(repository, presented)?;
    problems.iter().for_each(|problem| screen.problem("", &words(problem)));
    let (volume, screen) = (Arc::new(volume), Arc::clone(screen));
    let mounted = yore_platform::mount(Arc::clone(&volume) as _, mountpoint, how)?;
    let handle = mounted.handle();
    let (stop, stopped) = channel();
    let thread = thread::Builder::new()
        .name("refresh".to_owned())
        .spawn(move || refresh(&volume, &handle, &stopped, &screen))
        .map_err(|error| Failure::local(mountpoint, error))?;
    Ok(Drive { mounted: Some(mounted), refresher: Some(Refresher { stop, thread }) })
}

/// Looks for new snapshots until it is told to stop.
fn refresh(
    volume: &SnapshotVolume,
    handle: &MountedHandle,
    stopped: &Receiver<()>,
    screen: &Screen,
) {
    let mut told = Vec::new();
    while stopped.recv_timeout(REFRESHED) == Err(RecvTimeoutError::Timeout) {
        let changed = volume.refresh();
        // What the kernel does not forget now, it forgets by itself later.
        for ino in changed.directories {
            let _ = handle.invalidate(ino);
        }
        for (directory, name) in changed.names {
            let _ = handle.invalidate_entry(directory, &name);
        }
        let problems: Vec<String> = changed.problems.iter().map(words).collect();
        for problem in problems.iter().filter(|problem| !told.contains(*problem)) {
            screen.problem("", problem);
        }
        told = problems;
    }
}

impl Drive {
    /// Serves the drive until it is unmounted, by an interrupt or by anybody else.
    pub fn serve(mut self, context: &Context, interrupt: Interrupt) -> Outcome {
        let Some(mounted) = self.mounted.take() else { return Ok(Done::Whole) };
        let handle = mounted.handle();
        let raised = interrupt.on_raise(move || match handle.unmount() {
            Ok(Unmounted::Completely) => {}
            // Out of the tree; those who hold its files open would keep this process for ever.
            Ok(Unmounted::StillInUse) => std::process::exit(0),
            // Somebody else was faster, or nobody can; the drive goes with the process.
            Err(_) => std::process::exit(1),
        });
        raised.map_err(|error| Failure::local(mounted.mountpoint(), error))?;
        let waited = mounted.wait();
        drop(self);
        context.screen.say("The drive is gone; the backups stay.");
        waited?;
        Ok(Done::Whole)
    }
}

impl Drop for Drive {
    fn drop(&mut self) {
        if let Some(Refresher { stop, thread }) = self.refresher.take() {
            drop(stop);
            // A thread that panicked has said so.
            let _ = thread.join();
        }
        self.mounted = None;
    }
}
