//! Extended attributes of nodes: those that can't be read are reported, the others are saved.

use yore_platform::{FoundXattrs, Xattrs};

use crate::backup::left_out::Counters;
use crate::backup::source::Places;
use crate::error::Error;
use crate::format::tree::{Flags, Node};
use crate::operation::observer::{Observer, Problem};

/// The most bytes of extended attributes of a node: a tree, cut when it has 1 MiB, stays well below the largest
/// blob.
const MAX_XATTRS: usize = 8 << 20;

/// Gives a node the attributes that were read, and reports the others: the file counts as one that could not be
/// read whole.
pub(in crate::backup) fn give(
    node: &mut Node,
    found: FoundXattrs,
    path: &[u8],
    places: &Places,
    observer: &dyn Observer,
    counters: &Counters,
) {
    let FoundXattrs { readable, mut failed } = found;
    node.xattrs = within_bounds(readable).unwrap_or_else(|error| {
        failed.push((Vec::new(), error));
        Xattrs::new()
    });
    if failed.is_empty() {
        return;
    }
    node.flags = node.flags.with(Flags::ATTRIBUTES_MISSING);
    counters.unreadable();
    for (name, error) in failed {
        let what = match name.is_empty() {
            true => format!("its attributes can't be read: {error}"),
            false => {
                format!("its attribute {} can't be read: {error}", String::from_utf8_lossy(&name))
            }
        };
        let error = Error::local(places.live(path), std::io::Error::new(error.kind(), what));
        observer.problem(Problem { subject: path.to_vec(), error });
    }
}

/// Refuses extended attributes that would make a tree larger than a blob may be.
fn within_bounds(xattrs: Xattrs) -> std::io::Result<Xattrs> {
    let size: usize = xattrs.iter().map(|(name, value)| name.len() + value.len() + 16).sum();
    if size > MAX_XATTRS {
        let what = "it has more than 8 MiB of extended attributes, which can't be kept";
        return Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, what));
    }
    Ok(xattrs)
}
