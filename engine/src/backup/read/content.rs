//! Reading one file: its content, then its attributes, again while it changes.

use yore_platform::{Metadata, ReadMode};

use super::{BatchReader, LARGE, ReadError, is_sparse, node_of};
use crate::backup::messages::{ChunkBytes, ChunkId, FileStatus, ReadItem, SourceEntry};
use crate::backup::read::large::read_chunked;
use crate::backup::source::File;
use crate::error::Deviation;
use crate::format::tree::{Content, Flags, Node};
use crate::operation::observer::{Event, Problem};
use crate::path::join;
use crate::store::buffers::Buffer;

/// The times that a file is read that changes meanwhile.
const ATTEMPTS: u32 = 3;

impl BatchReader<'_> {
    /// Reads a file and its attributes, and adds its node.
    pub(super) fn read_file(&mut self, entry: &SourceEntry) -> Result<(), ReadError> {
        for attempt in 1..=ATTEMPTS {
            let mut file = match self.ahead.take_file(&entry.name) {
                Some(file) => file,
                None => self.batch.dir.open_file(&entry.name, ReadMode::Buffered)?,
            };
            if self.is_too_large(entry, file.opened()) {
                return Ok(self.push(ReadItem::Incomplete, 0)?);
            }
            if file.opened().size > LARGE && !self.batch.dir.is_remote() {
                file = self.batch.dir.open_file(&entry.name, ReadMode::Direct)?;
            }
            let before = *file.opened();
            // One that changed is read as it is at one moment, where the file system can hold it. What is written after
            // `before` was asked for has a later time, by which the next backup knows.
            let frozen = if attempt > 1 { self.batch.dir.freeze(&file) } else { None };
            let of_that_moment = frozen.as_ref().map(|_| file.xattrs());
            let read = frozen.as_ref().unwrap_or(&file);
            let expected = frozen.as_ref().map_or(before, |copy| *copy.opened());
            let mut node = node_of(&entry.name, &before);
            node.size = self.read_content(read, &expected, &mut node)?;
            let attributes = of_that_moment.unwrap_or_else(|| file.xattrs());
            let after = read.metadata()?;
            let unmoved = (after.size, after.modified, after.changed)
                == (expected.size, expected.modified, expected.changed);
            // A file system may also give a wrong size each time.
            if (!unmoved || node.size != expected.size) && attempt < ATTEMPTS {
                self.items.push(ReadItem::Discard);
                continue;
            }
            self.give_attributes(&mut node, attributes);
            if !unmoved {
                node.flags = node.flags.with(Flags::CHANGED_WHILE_READ);
                self.context.counters.changed_while_read();
                let error = Deviation::ChangedWhileRead.into();
                let subject = join(&self.batch.path, &entry.name);
                self.context.observer.problem(Problem { subject, error });
            }
            let bytes = match &node.content {
                Content::Inline(bytes) => bytes.len(),
                Content::Empty | Content::Chunks(_) | Content::Lists { .. } => 0,
            };
            self.push(ReadItem::Node(Box::new(node), FileStatus::of(entry)), bytes)?;
            break;
        }
        Ok(())
    }

    /// Reads a file's content; returns the size that it turned out to have.
    fn read_content(
        &mut self,
        file: &File,
        metadata: &Metadata,
        node: &mut Node,
    ) -> Result<u64, ReadError> {
        let sparse = is_sparse(metadata);
        if metadata.size > self.context.gear.min() as u64 || sparse {
            let read = read_chunked(self, file, metadata)?;
            if read != metadata.size || !file.has_more(read)? {
                return Ok(read);
            }
        } else if let Some(read) = self.read_small(file, metadata.size as usize, node)? {
            return Ok(read);
        }
        // The file has grown, which its next metadata shows; or the file system gives a smaller size than there is,
        // as /proc does. The size is where reading ends.
        self.items.push(ReadItem::Discard);
        node.content = Content::Empty;
        read_chunked(self, file, &Metadata { size: u64::MAX, allocated: u64::MAX, ..*metadata })
    }

    /// Reads a file of one chunk at most, into a buffer that such files share; returns `None` when it has more than
    /// `size` bytes.
    fn read_small(
        &mut self,
        file: &File,
        size: usize,
        node: &mut Node,
    ) -> Result<Option<u64>, ReadError> {
        // One byte more than there should be costs nothing, and shows that there are more.
        let length = size + 1;
        let fits = |buffer: &Buffer| buffer.len() + length <= buffer.capacity();
        if !self.open.as_ref().is_some_and(fits) {
            self.send()?;
            self.open = Some(self.context.shared_buffers.take());
        }
        let buffer = self.open.as_mut().expect("it was just opened");
        let start = buffer.len();
        buffer.resize(start + length, 0);
        let read = file.read_at(&mut buffer[start..], 0)?;
        buffer.truncate(start + read);
        if read == length {
            buffer.truncate(start);
            return Ok(None);
        }
        let bytes = &buffer[start..];
        self.context.observer.event(Event::Done { files: 0, bytes: read as u64 });
        if read as u64 <= self.context.inline {
            node.content = Content::Inline(bytes.to_vec());
            buffer.truncate(start);
        } else {
            let bytes = ChunkBytes::Shared(start..start + read);
            self.items.push(ReadItem::Chunk(ChunkId::Batched, bytes));
        }
        if read == 0 {
            node.content = Content::Empty;
        }
        Ok(Some(read as u64))
    }
}
