//! An installation whose name another machine uses, too.

use yore_engine::ClientId;

use crate::access::state;
use crate::screen::Screen;

/// Keeps the name that a backup drew instead, and tells of it.
pub fn leave(screen: &Screen, new: ClientId) {
    let kept = state::replace_client(new).err().map(|failure| failure.what);
    screen.problem(
        "",
        &format!(
            "another machine backs up under the same installation id, because one is a copy of the other or both \
             share the folder for Yore's state; this machine has an id of its own from now on{}",
            kept.map(|why| format!(", which could not be stored: {why}")).unwrap_or_default(),
        ),
    );
}
