//! Copying packs, each frame of which is authenticated on the way.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use yore_platform::ReadBuffer;

use crate::backend::{self, Backend};
use crate::error::{Error, Result};
use crate::format::id::ObjectId;
use crate::format::object::ObjectName;
use crate::format::pack::{PackInfo, PackKey};
use crate::format::seal::PREFIX;
use crate::index;
use crate::operation::observer::{Event, Observer, Unit};
use crate::repository::session::OpenSession;
use crate::repository::{Pulse, Repository};

/// Packs that are copied at the same time: while the end of one is awaited, others fill the line.
const AT_ONCE: usize = 4;
/// Bytes of neighbouring frames that are read at once.
const READ: u64 = 4 << 20;

/// A pack to be copied or verified.
#[derive(Debug, Clone, Copy)]
pub(super) struct PackTask {
    pub(super) id: ObjectId,
    /// The size that the index gives.
    pub(super) size: u64,
    pub(super) action: Action,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// The destination lacks it.
    Copy,
    /// The destination has something else under its name.
    Replace,
    /// The destination has it in its size; it is replaced if a byte is wrong.
    Verify,
}

/// The outcome of the tasks.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) copied: u64,
    pub(super) bytes: u64,
    pub(super) healed: Vec<ObjectName>,
    /// The packs that no source has whole, with the errors.
    pub(super) failed: Vec<(ObjectId, Error)>,
    /// The first error of the destination itself, which ended the work.
    pub(super) error: Option<Error>,
}

/// The places between which packs are copied.
pub(super) struct Copier<'a> {
    pub(super) repository: &'a Repository,
    /// The destinations that are read, by the sizes of their packs.
    pub(super) sources: Vec<(usize, &'a HashMap<ObjectId, u64>)>,
    pub(super) to: &'a dyn Backend,
    /// The session at the destination, if something is copied.
    pub(super) session: Option<&'a OpenSession>,
    pub(super) pulse: Pulse,
    pub(super) observer: &'a dyn Observer,
}

/// The side at which a copy failed.
enum CopyError {
    Source(Error),
    Target(Error),
}

impl Copier<'_> {
    /// Executes the tasks, several at once.
    pub(super) fn run(&self, tasks: &[PackTask]) -> Outcome {
        let outcome = Mutex::new(Outcome::default());
        let next = AtomicUsize::new(0);
        let bytes = tasks.iter().map(|task| task.size).sum();
        self.observer.event(Event::Counting(Unit::Packs));
        self.observer.event(Event::Expected { files: tasks.len() as u64, bytes });
        let lock = || outcome.lock().unwrap_or_else(PoisonError::into_inner);
        std::thread::scope(|scope| {
            for _ in 0..AT_ONCE.min(tasks.len()) {
                scope.spawn(|| {
                    while let Some(task) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if lock().error.is_some() {
                            return;
                        }
                        let done = self.execute(task);
                        lock().add(task, done);
                        if let Err(error) = self.beat() {
                            lock().error.get_or_insert(error);
                        }
                        self.observer.event(Event::Done { files: 1, bytes: 0 });
                    }
                });
            }
        });
        outcome.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves a sign of life of the session when one is due.
    fn beat(&self) -> Result<()> {
        let open = self.session.and_then(|session| Some((session, session.open.first()?)));
        if let Some((session, open)) = open
            && let Some(number) = self.pulse.due()
        {
            let (name, object) = session.heartbeat(self.repository, open, number);
            backend::save(self.to, &name, &object)?;
        }
        Ok(())
    }

    /// Executes a task; returns the bytes that were written.
    fn execute(&self, task: &PackTask) -> std::result::Result<u64, CopyError> {
        let PackTask { id, size, action } = *task;
        if action == Action::Verify {
            match self.transfer(id, size, self.to, None) {
                Ok(()) => return Ok(0),
                Err(CopyError::Source(error)) if error.is_of_copy() => {}
                Err(CopyError::Source(error) | CopyError::Target(error)) => {
                    return Err(CopyError::Target(error));
                }
            }
        }
        let mut first_error = None;
        for (number, sizes) in &self.sources {
            if sizes.get(&id) != Some(&size) {
                continue;
            }
            let from = &**self.repository.destinations()[*number].backend();
            match self.transfer(id, size, from, Some((self.to, action))) {
                Ok(()) => return Ok(size),
                Err(CopyError::Source(Error::Interrupted)) => {
                    return Err(CopyError::Target(Error::Interrupted));
                }
                Err(CopyError::Source(error)) => drop(first_error.get_or_insert(error)),
                Err(error) => return Err(error),
            }
        }
        let missing = || Error::Missing { object: ObjectName::pack(id).to_string() };
        Err(CopyError::Source(first_error.unwrap_or_else(missing)))
    }

    /// Reads a pack and authenticates every part of it; writes it `to` another destination, if there is one.
    fn transfer(
        &self,
        id: ObjectId,
        size: u64,
        from: &dyn Backend,
        to: Option<(&dyn Backend, Action)>,
    ) -> std::result::Result<(), CopyError> {
        let name = ObjectName::pack(id);
        let keys = &self.repository.keys;
        let (info, key) = index::open_pack(from, keys, id, size).map_err(CopyError::Source)?;
        let mut object = match to {
            Some((to, _)) => Some(to.create(&name).map_err(CopyError::Target)?),
            None => None,
        };
        let mut write = |bytes: &[u8]| match &mut object {
            Some(object) => object.append(bytes).map_err(CopyError::Target),
            None => Ok(()),
        };
        write(key.prefix())?;
        let mut offset = PREFIX as u64;
        let mut frames = FrameReader { from, name: &name, key: &key, info: &info, next: 0 };
        while let Some(bytes) = frames.read(offset).map_err(CopyError::Source)? {
            offset += bytes.len() as u64;
            write(&bytes)?;
            self.observer.event(Event::Done { files: 0, bytes: bytes.len() as u64 });
            if self.observer.interrupted() {
                return Err(CopyError::Source(Error::Interrupted));
            }
        }
        let end = from.read(&name, offset..size).map_err(CopyError::Source)?;
        let read = |range| part_of_end(&key, &end, offset, range, &name);
        index::contents_of(keys, id, size, read).map_err(CopyError::Source)?;
        write(&end)?;
        match (object, to) {
            (Some(object), Some((_, Action::Copy))) => {
                object.publish().map(drop).map_err(CopyError::Target)
            }
            (Some(object), _) => object.replace().map_err(CopyError::Target),
            (None, _) => Ok(()),
        }
    }
}

/// Returns a part of a pack whose frames were authenticated: of its prefix, or of the bytes after the frames.
fn part_of_end(
    key: &PackKey,
    end: &[u8],
    offset: u64,
    range: std::ops::Range<u64>,
    name: &ObjectName,
) -> Result<ReadBuffer> {
    let part = match range.start.checked_sub(offset) {
        None => key.prefix().get(range.start as usize..range.end as usize),
        Some(start) => end.get(start as usize..(range.end - offset) as usize),
    };
    let part = part.ok_or_else(|| Error::damaged(name.as_str(), "it has no end"))?;
    let mut bytes = ReadBuffer::default();
    bytes.fit(part.len());
    bytes.copy_from_slice(part);
    Ok(bytes)
}

/// Reads the frames of a pack in their order, several at once.
struct FrameReader<'a> {
    from: &'a dyn Backend,
    name: &'a ObjectName,
    key: &'a PackKey,
    info: &'a PackInfo,
    /// The number of the next frame.
    next: usize,
}

impl FrameReader<'_> {
    /// Reads and authenticates the next frames, which begin at `offset`; `None` after the last.
    fn read(&mut self, offset: u64) -> Result<Option<ReadBuffer>> {
        let frames = &self.info.contents.frames[self.next..];
        let (mut count, mut length) = (0, 0);
        for frame in frames {
            if count > 0 && length + u64::from(frame.sealed) > READ {
                break;
            }
            length += u64::from(frame.sealed);
            count += 1;
        }
        if count == 0 {
            return Ok(None);
        }
        let bytes = self.from.read(self.name, offset..offset + length)?;
        let mut rest = &*bytes;
        for (number, frame) in (self.next as u32..).zip(&frames[..count]) {
            let (sealed, after) = rest.split_at(rest.len().min(frame.sealed as usize));
            rest = after;
            if self.key.open_frame(number, frame, &mut sealed.to_vec()).is_none() {
                return Err(Error::damaged(self.name.as_str(), "its bytes were altered"));
            }
        }
        self.next += count;
        Ok(Some(bytes))
    }
}

impl Outcome {
    fn add(&mut self, task: &PackTask, done: std::result::Result<u64, CopyError>) {
        match done {
            Ok(bytes) => {
                self.bytes += bytes;
                match task.action {
                    Action::Copy => self.copied += 1,
                    Action::Verify if bytes == 0 => {}
                    Action::Replace | Action::Verify => self.healed.push(ObjectName::pack(task.id)),
                }
            }
            Err(CopyError::Source(error)) => self.failed.push((task.id, error)),
            Err(CopyError::Target(error)) => drop(self.error.get_or_insert(error)),
        }
    }
}
