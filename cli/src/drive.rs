//! A mounted drive.

use std::path::Path;
use std::sync::Arc;

use yore_engine::Repository;
use yore_fs::VolumeOptions;
use yore_platform::{Interrupt, MountOptions, Mounted, Unmounted};

use crate::context::Context;
use crate::failure::{Done, Failure, Outcome};
use crate::refresher::{self, Refresher};
use crate::screen::Screen;

/// A mounted drive; dropped, it is taken away.
pub struct Drive {
    mounted: Option<Mounted>,
    refresher: Option<Refresher>,
}

/// Mounts the snapshots of a repository.
pub fn mount(
    repository: Arc<Repository>,
    mountpoint: &Path,
    presented: VolumeOptions,
    how: &MountOptions,
    screen: &Arc<Screen>,
) -> Outcome<Drive> {
    let volume = refresher::open(repository, presented, screen)?;
    let mounted = yore_platform::mount(Arc::clone(&volume) as _, mountpoint, how)?;
    let handle = mounted.handle();
    let refresher = Refresher::start(volume, screen, move |changed| {
        // What the kernel does not forget now, it forgets by itself later.
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
        self.refresher = None;
        self.mounted = None;
    }
}
