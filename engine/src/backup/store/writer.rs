//! Writing packs in the order in which their frames were given places.

use std::sync::Arc;

use crossbeam_channel::Receiver;

use super::{Shared, Write, lock};
use crate::backend::NewObject;
use crate::error::{Error, Result};
use crate::format::object::ObjectName;
use crate::format::pack::{Contents, PackInfo, PackKey, PackKind};

/// Writes packs; belongs to one thread.
pub(in crate::backup) struct PackWriter {
    writes: Receiver<Write>,
}

/// A pack that is being written.
struct Open<'b> {
    key: Arc<PackKey>,
    object: Box<dyn NewObject + 'b>,
    contents: Contents,
    offset: u64,
}

impl PackWriter {
    pub(super) fn new(writes: Receiver<Write>) -> Self {
        Self { writes }
    }

    /// Writes until every sender is gone, then closes what is open.
    pub(in crate::backup) fn run(self, shared: &Shared<'_>) -> Result<()> {
        let mut open: [Option<Open<'_>>; 2] = [None, None];
        for write in &self.writes {
            match write {
                Write::Close(kind) => {
                    if let Some(pack) = open[usize::from(kind == PackKind::Tree)].take() {
                        close(shared, kind, pack)?;
                    }
                }
                Write::Frame { key, kind, blobs, info, sealed } => {
                    // The thread that was to seal it has failed and told why.
                    let Ok(sealed) = sealed.recv() else { return Err(Error::Interrupted) };
                    let slot = &mut open[usize::from(kind == PackKind::Tree)];
                    let pack = match slot {
                        Some(pack) => pack,
                        None => slot.insert(begin(shared, key)?),
                    };
                    pack.object.append(&sealed)?;
                    pack.offset += sealed.len() as u64;
                    pack.contents.frames.push(info);
                    pack.contents.blobs.extend(blobs);
                }
            }
        }
        // Chunks before the trees that name them.
        for (kind, pack) in [PackKind::Data, PackKind::Tree].into_iter().zip(open) {
            if let Some(pack) = pack {
                close(shared, kind, pack)?;
            }
        }
        Ok(())
    }
}

fn begin<'r>(shared: &Shared<'r>, key: Arc<PackKey>) -> Result<Open<'r>> {
    let name = ObjectName::pack(key.id());
    let mut object = shared.repository.writer().create(&name)?;
    object.append(key.prefix())?;
    let offset = key.prefix().len() as u64;
    Ok(Open { key, object, contents: Contents::default(), offset })
}

fn close(shared: &Shared<'_>, kind: PackKind, pack: Open<'_>) -> Result<()> {
    let Open { key, mut object, contents, offset } = pack;
    let end = key.seal_end(&contents, offset);
    object.append(&end)?;
    // An id is drawn at random: an object of that name can only be this one.
    object.publish()?;
    let size = offset + end.len() as u64;
    lock(&shared.finished).push(PackInfo { id: key.id(), kind, size, contents });
    Ok(())
}
