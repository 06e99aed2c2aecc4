//! An installation id that two machines use.

use yore_engine::format::ClientId;

use crate::access::state;
use crate::screen::Screen;

/// Stores the id that a backup drew instead, and warns of it.
pub fn replace(screen: &Screen, new: ClientId) {
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
