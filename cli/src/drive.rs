//! A mounted drive.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use yore_engine::repository::Repository;
use yore_fs::VolumeOptions;
use yore_platform::{
    Holder, Interrupt, MountOptions, Mounted, MountedHandle, UnmountBlockers, Unmounted,
};

use crate::context::Context;
use crate::drive::refresher::Refresher;
use crate::failure::{Done, Failure, Outcome};
use crate::screen::Screen;

pub mod refresher;
pub mod volume_args;

/// The time for which a drive that ends waits for the programs that hold it.
const PATIENCE: Duration = Duration::from_secs(3);

/// A mounted drive; dropping it unmounts the drive.
pub struct Drive {
    mounted: Option<Mounted>,
    refresher: Option<Refresher>,
}

/// Mounts the snapshots of a repository.
pub fn mount(
    repository: Arc<Repository>,
    mountpoint: &Path,
    options: VolumeOptions,
    how: &MountOptions,
    screen: &Arc<Screen>,
) -> Outcome<Drive> {
    let volume = refresher::open(Arc::clone(&repository), options, screen)?;
    let mounted = yore_platform::mount(Arc::clone(&volume) as _, mountpoint, how)?;
    let handle = mounted.handle();
    let refresher = Refresher::start(volume, repository, screen, move |changed| {
        // An entry that the kernel keeps expires by itself.
        for ino in &changed.directories {
            let _ = handle.invalidate(*ino);
        }
        for (directory, name) in &changed.names {
            let _ = handle.invalidate_entry(*directory, name);
        }
    })?;
    Ok(Drive { mounted: Some(mounted), refresher: Some(refresher) })
}

impl Drive {
    /// Serves the drive until it is unmounted, by an interrupt or by another program.
    pub fn serve(mut self, context: &Context, interrupt: Interrupt) -> Outcome {
        let Some(mounted) = self.mounted.take() else { return Ok(Done::Whole) };
        let handle = mounted.handle();
        let screen = Arc::clone(&context.screen);
        let raised = interrupt.on_raise(move || end(handle, &screen));
        raised.map_err(|error| Failure::local(mounted.mountpoint(), error))?;
        let waited = mounted.wait();
        drop(self);
        context.screen.info("The drive is gone; the backups stay.");
        waited?;
        Ok(Done::Whole)
    }
}

impl Drop for Drive {
    fn drop(&mut self) {
        self.refresher = None;
        self.mounted = None;
    }
}

/// Unmounts a drive and ends this process within a bounded time, even if programs still hold the drive.
///
/// If the drive is unmounted, the process ends as soon as its last request is answered.
fn end(handle: MountedHandle, screen: &Screen) {
    let (unmounted, outcome) = channel();
    let unmount = move || {
        // The receiver may have stopped waiting.
        let _ = unmounted.send(handle.unmount(PATIENCE));
    };
    let started = thread::Builder::new().name("unmount".to_owned()).spawn(unmount);
    let outcome = started.map(|_| outcome.recv_timeout(2 * PATIENCE));
    std::process::exit(match outcome {
        Ok(Ok(Ok(Unmounted::Completely))) => {
            // The main thread ends the process before, unless a request waits for the repository.
            thread::sleep(PATIENCE);
            0
        }
        Ok(Ok(Ok(Unmounted::StillInUse(held)))) => report_holders(&held, screen),
        Ok(Ok(Err(error))) => {
            screen.problem("", &Failure::from(error).what);
            1
        }
        Ok(Err(_)) | Err(_) => {
            screen.problem("", "the drive could not be unmounted in time");
            1
        }
    })
}

/// Reports what still holds a drive; returns the exit code: 1 where a dead mount is left.
fn report_holders(held: &UnmountBlockers, screen: &Screen) -> i32 {
    for error in &held.mounts {
        screen.problem("", &format!("{error}; without its process it answers errors"));
    }
    for Holder { pid, name, usage } in &held.holders {
        screen.problem("", &format!("the drive ends while {name} ({pid}) still holds it: {usage}"));
    }
    if held.holders.is_empty() && held.mounts.is_empty() {
        screen.problem("", "the drive ends while somebody who is not visible still holds it");
    }
    i32::from(!held.mounts.is_empty())
}
