//! A volume, and the thread that shows new snapshots in it.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use yore_engine::Repository;
use yore_fs::{Changed, SnapshotVolume, VolumeOptions};

use crate::failure::engine_error::{reason, words};
use crate::failure::{Exit, Failure, Outcome};
use crate::screen::Screen;

/// The interval at which the repository is asked for snapshots after it had new ones.
const SOON: Duration = Duration::from_secs(1);

/// How long to wait at most, when it had none for a while. Whoever looks at the volume meanwhile has it
/// asked at once.
const LATER: Duration = Duration::from_secs(4);

/// Opens the volume of a repository; tells what is not as it should be.
pub fn open(
    repository: Arc<Repository>,
    options: VolumeOptions,
    screen: &Screen,
) -> Outcome<Arc<SnapshotVolume>> {
    let (volume, problems) = SnapshotVolume::open(repository, options)?;
    problems.iter().for_each(|problem| screen.problem("", &words(problem)));
    Ok(Arc::new(volume))
}

/// The thread; dropped, it ends.
pub struct Refresher {
    /// Dropped to end the thread.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Refresher {
    /// Starts it; `host` is told what it must forget.
    pub fn start(
        volume: Arc<SnapshotVolume>,
        screen: &Arc<Screen>,
        host: impl Fn(&Changed) + Send + 'static,
    ) -> Outcome<Refresher> {
        let screen = Arc::clone(screen);
        let (stop, stopped) = channel();
        let thread = thread::Builder::new()
            .name("refresh".to_owned())
            .spawn(move || refresh(&volume, host, &stopped, &screen))
            .map_err(|error| {
                Failure::new(
                    Exit::Failed,
                    format!("no thread could be started: {}", reason(&error)),
                    "end some programs and try again",
                )
            })?;
        Ok(Refresher { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Refresher {
    fn drop(&mut self) {
        self.stop = None;
        // A thread that panicked has said so.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Looks for new snapshots until it is told to stop.
fn refresh(
    volume: &SnapshotVolume,
    host: impl Fn(&Changed),
    stopped: &Receiver<()>,
    screen: &Screen,
) {
    let (mut told, mut wait) = (Vec::new(), SOON);
    while stopped.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
        let changed = volume.refresh_and_tell(&host);
        let is_quiet = changed.directories.is_empty() && changed.names.is_empty();
        wait = if is_quiet { LATER.min(2 * wait) } else { SOON };
        let problems: Vec<String> = changed.problems.iter().map(words).collect();
        for problem in problems.iter().filter(|problem| !told.contains(*problem)) {
            screen.problem("", problem);
        }
        told = problems;
    }
}
