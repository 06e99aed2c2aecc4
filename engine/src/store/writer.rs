//! Writing packs, in the order in which frames were assigned to them.
//!
//! The parity of a pack is durable before the pack: a writer that is killed leaves no pack without it, but at most
//! parity without a pack, which prune deletes.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{Scope, ScopedJoinHandle};

use crossbeam_channel::Receiver;

use super::{StoreState, WriteJob, lock, parity};
use crate::error::{Error, Result};
use crate::format::object::ObjectName;
use crate::format::pack::{Contents, PackInfo, PackKey, PackKind};
use crate::repository::UnfinishedObject;

/// Writes packs; belongs to one thread.
pub(crate) struct PackWriter {
    writes: Receiver<WriteJob>,
}

/// A pack that is being written.
struct UnfinishedPack<'b> {
    key: Arc<PackKey>,
    object: UnfinishedObject<'b>,
    contents: Contents,
    offset: u64,
    /// All bytes of the pack, when it gets parity.
    bytes: Option<Vec<u8>>,
}

impl PackWriter {
    /// Writes what comes through `writes`.
    pub(crate) fn new(writes: Receiver<WriteJob>) -> Self {
        Self { writes }
    }

    /// Writes until every sender is dropped, then completes the packs that are open.
    pub(crate) fn run(self, state: &StoreState<'_>) -> Result<()> {
        std::thread::scope(|scope| self.write_all(state, &mut Completion::new(scope, state)))
    }

    fn write_all<'s>(
        self,
        state: &'s StoreState<'_>,
        completion: &mut Completion<'s, '_>,
    ) -> Result<()> {
        let mut open: [Option<UnfinishedPack<'_>>; 2] = [None, None];
        for write in &self.writes {
            match write {
                WriteJob::Close(kind) => {
                    if let Some(pack) = open[usize::from(kind == PackKind::Tree)].take() {
                        completion.complete(kind, pack)?;
                    }
                }
                WriteJob::Frame { key, kind, blobs, info, sealed } => {
                    // The seal worker has failed and kept the cause.
                    let Ok(sealed) = sealed.recv() else { return Err(Error::Interrupted) };
                    let slot = &mut open[usize::from(kind == PackKind::Tree)];
                    let pack = match slot {
                        Some(pack) => pack,
                        None => slot.insert(begin(state, key)?),
                    };
                    pack.append(&sealed)?;
                    pack.keep_tree(state, kind, &sealed);
                    pack.offset += sealed.len() as u64;
                    pack.contents.frames.push(info);
                    pack.contents.blobs.extend(blobs);
                }
            }
        }
        // Chunks before the trees that name them.
        for (kind, pack) in [PackKind::Data, PackKind::Tree].into_iter().zip(open) {
            if let Some(pack) = pack {
                completion.complete(kind, pack)?;
            }
        }
        completion.wait()
    }
}

/// Completes packs: one after the other, and at a distant destination while the next one is written, since it takes
/// round trips in which the link would carry nothing.
struct Completion<'s, 'e> {
    scope: &'s Scope<'s, 'e>,
    state: &'s StoreState<'s>,
    running: Option<ScopedJoinHandle<'s, Result<()>>>,
}

impl<'s, 'e> Completion<'s, 'e> {
    fn new(scope: &'s Scope<'s, 'e>, state: &'s StoreState<'s>) -> Self {
        Self { scope, state, running: None }
    }

    /// Completes a pack after those before it, or begins to.
    fn complete(&mut self, kind: PackKind, mut pack: UnfinishedPack<'s>) -> Result<()> {
        let end = pack.key.seal_end(&pack.contents, pack.offset);
        pack.append(&end)?;
        pack.offset += end.len() as u64;
        self.wait()?;
        let state = self.state;
        match state.writer()?.is_distant() {
            false => pack.publish(state, kind),
            true => {
                self.running = Some(self.scope.spawn(move || pack.publish(state, kind)));
                Ok(())
            }
        }
    }

    /// Waits until the packs so far are durable.
    fn wait(&mut self) -> Result<()> {
        let Some(running) = self.running.take() else { return Ok(()) };
        running.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

impl UnfinishedPack<'_> {
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.object.append(bytes)?;
        self.bytes.iter_mut().for_each(|kept| kept.extend_from_slice(bytes));
        Ok(())
    }

    /// Makes the pack durable, after its parity.
    fn publish(self, state: &StoreState<'_>, kind: PackKind) -> Result<()> {
        let Self { key, object, contents, offset: size, bytes } = self;
        if let Some(bytes) = bytes {
            let parity = parity::parity_of(key.id(), &bytes, state.repository.parity());
            state.writer()?.save(&ObjectName::parity(key.id()), parity)?;
        }
        object.publish()?;
        state.packs.fetch_add(1, Ordering::Relaxed);
        lock(&state.finished).push(PackInfo { id: key.id(), kind, size, contents });
        Ok(())
    }

    /// Keeps a frame of trees for the next backup, which compares the source with them.
    fn keep_tree(&self, state: &StoreState<'_>, kind: PackKind, sealed: &[u8]) {
        if kind == PackKind::Tree
            && let Some(cache) = state.repository.frame_cache()
            && let Ok(number) = u32::try_from(self.contents.frames.len())
        {
            cache.store(kind, self.key.id(), &[(number, sealed)]);
        }
    }
}

fn begin<'r>(state: &StoreState<'r>, key: Arc<PackKey>) -> Result<UnfinishedPack<'r>> {
    let name = ObjectName::pack(key.id());
    let object = state.writer()?.create(&name)?;
    let offset = key.prefix().len() as u64;
    let bytes = (state.repository.parity() > 0).then(Vec::new);
    let contents = Contents::default();
    let mut pack = UnfinishedPack { key: Arc::clone(&key), object, contents, offset, bytes };
    pack.append(key.prefix())?;
    Ok(pack)
}
