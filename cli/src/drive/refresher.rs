//! The thread that shows new snapshots in a volume, and heals what the volume's readers found damaged.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use yore_engine::Unobserved;
use yore_engine::repository::Repository;
use yore_engine::sync::heal;
use yore_fs::{Changed, SnapshotVolume, VolumeOptions};

use crate::failure::engine_error::{message, reason};
use crate::failure::{Exit, Failure, Outcome};
use crate::screen::Screen;

/// The interval at which the repository is asked for snapshots after it had new ones.
const MIN_INTERVAL: Duration = Duration::from_secs(1);

/// The longest interval, after it had none for a while. A program that reads the volume causes a refresh
/// at once.
const MAX_INTERVAL: Duration = Duration::from_secs(4);

/// Opens the volume of a repository; reports its problems.
pub fn open(
    repository: Arc<Repository>,
    options: VolumeOptions,
    screen: &Screen,
) -> Outcome<Arc<SnapshotVolume>> {
    let (volume, problems) = SnapshotVolume::open(repository, options)?;
    problems.iter().for_each(|problem| screen.problem("", &message(problem)));
    Ok(Arc::new(volume))
}

/// The refreshing thread; dropping it ends the thread.
pub struct Refresher {
    /// Dropped to end the thread.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Refresher {
    /// Starts the thread; it calls `host` with what the host must forget.
    pub fn start(
        volume: Arc<SnapshotVolume>,
        repository: Arc<Repository>,
        screen: &Arc<Screen>,
        host: impl Fn(&Changed) + Send + 'static,
    ) -> Outcome<Refresher> {
        let screen = Arc::clone(screen);
        let (stop, stopped) = channel();
        let thread = thread::Builder::new()
            .name("refresh".to_owned())
            .spawn(move || refresh(&volume, &repository, host, &stopped, &screen))
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
        // A thread that panicked has printed that.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Looks for new snapshots until it is stopped.
fn refresh(
    volume: &SnapshotVolume,
    repository: &Repository,
    host: impl Fn(&Changed),
    stopped: &Receiver<()>,
    screen: &Screen,
) {
    let (mut reported, mut wait) = (Vec::new(), MIN_INTERVAL);
    while stopped.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
        let changed = volume.refresh_and_tell(&host);
        let is_quiet = changed.directories.is_empty() && changed.names.is_empty();
        wait = if is_quiet { MAX_INTERVAL.min(2 * wait) } else { MIN_INTERVAL };
        let problems: Vec<String> = changed.problems.iter().map(message).collect();
        for problem in problems.iter().filter(|problem| !reported.contains(*problem)) {
            screen.problem("", problem);
        }
        reported = problems;
        if repository.has_suspects() {
            heal_suspects(repository, screen);
        }
    }
}

/// Heals what was read in a damaged form from one destination and whole from another.
fn heal_suspects(repository: &Repository, screen: &Screen) {
    let Ok(report) = heal(repository, &Unobserved) else { return };
    for (destination, name) in report.healed {
        let location = repository.destinations()[destination].location();
        screen.problem(&location, &format!("{name} was damaged or missing, and is healed"));
    }
    for error in report.problems {
        screen
            .problem("", &format!("not healed yet: {} (`yore sync` tries again)", message(&error)));
    }
}
