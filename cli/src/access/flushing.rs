//! A destination whose file system can't be asked to make files durable.

use yore_engine::repository::Repository;

use crate::access::state;
use crate::screen::Screen;

/// The file in a repository's cache that says that the warning was printed.
const WARNED: &str = "cannot-flush";

/// Warns once for each repository: it is a property of the file system, and no fault of a backup.
pub fn warn_once(screen: &Screen, repository: &Repository) {
    if repository.backend().capabilities().durable {
        return;
    }
    let mark =
        state::cache_folder().map(|cache| cache.join(repository.id().to_string()).join(WARNED));
    if mark.as_ref().is_some_and(|mark| mark.exists()) {
        return;
    }
    screen.problem(
        &repository.location(),
        "its file system can't be asked to write files to the disk at once (fsync), so that a power \
         failure may cost the last snapshots; this is told once",
    );
    // Without a cache the warning is printed again.
    let _ = mark.map(|mark| std::fs::write(mark, ""));
}
