//! Reading one file: its content, then its attributes, again while it changes.

use yore_platform::{Metadata, ReadMode, SourceFile};

use super::{Batch, Bytes, ChunkId, Failed, Found, LARGE, Status, Wanted, is_sparse, node_of};
use crate::backup::buffers::Buffer;
use crate::backup::read::large::read_chunked;
use crate::error::Error;
use crate::format::tree::{Content, Flags, Node};
use crate::observer::{Event, Problem};
use crate::path::join;

/// How often a file is read that changes meanwhile.
const ATTEMPTS: u32 = 3;

impl Batch<'_> {
    pub(super) fn read_file(&mut self, wanted: &Wanted) -> Result<(), Failed> {
        for attempt in 1..=ATTEMPTS {
            let mut file = self.job.dir.open_file(&wanted.name, ReadMode::Buffered)?;
            let before = *file.opened();
            if self.is_too_large(wanted, &before) {
                return Ok(self.push(Found::Incomplete, 0)?);
            }
            if before.size > LARGE {
                file = self.job.dir.open_file(&wanted.name, ReadMode::Direct)?;
            }
            let mut node = node_of(&wanted.name, &before);
            node.size = self.read_content(&file, &before, &mut node)?;
            let attributes = file.xattrs();
            let after = file.metadata()?;
            let unmoved = (after.size, after.modified, after.changed)
                == (before.size, before.modified, before.changed);
            // A file system may also be wrong about a size each time it is asked.
            if (!unmoved || node.size != before.size) && attempt < ATTEMPTS {
                self.found.push(Found::Again);
                continue;
            }
            self.give_attributes(&mut node, attributes);
            if !unmoved {
                node.flags = node.flags.with(Flags::CHANGED_WHILE_READ);
                self.readers.tally.changed_while_read();
                let what = "changed each time it was read; what was read last is kept".into();
                let subject = join(&self.job.path, &wanted.name);
                self.readers.observer.problem(Problem { subject, error: Error::Refused { what } });
            }
            let bytes = match &node.content {
                Content::Inline(bytes) => bytes.len(),
                Content::Empty | Content::Chunks(_) | Content::Lists { .. } => 0,
            };
            self.push(Found::Node(Box::new(node), Status::of(wanted)), bytes)?;
            break;
        }
        Ok(())
    }

    /// Reads a file's content; returns the size that it turned out to have.
    fn read_content(
        &mut self,
        file: &SourceFile,
        metadata: &Metadata,
        node: &mut Node,
    ) -> Result<u64, Failed> {
        let sparse = is_sparse(metadata);
        if metadata.size > self.readers.gear.min() as u64 || sparse {
            let read = read_chunked(self, file, metadata)?;
            if read != metadata.size || !file.has_more(read)? {
                return Ok(read);
            }
        } else if let Some(read) = self.read_small(file, metadata.size as usize, node)? {
            return Ok(read);
        }
        // The file has grown, which is seen when it is looked at again; or the file system says less than there is, as /proc does: what counts is where reading ends.
        self.found.push(Found::Again);
        node.content = Content::Empty;
        read_chunked(self, file, &Metadata { size: u64::MAX, allocated: u64::MAX, ..*metadata })
    }

    /// Reads a file of one chunk at most, into a buffer that such files share; `None` when there is more of it
    /// than `size`.
    fn read_small(
        &mut self,
        file: &SourceFile,
        size: usize,
        node: &mut Node,
    ) -> Result<Option<u64>, Failed> {
        // One byte more than there should be costs nothing, and shows that there are more.
        let asked = size + 1;
        let fits = |buffer: &Buffer| buffer.len() + asked <= buffer.capacity();
        if !self.open.as_ref().is_some_and(fits) {
            self.send()?;
            self.open = Some(self.readers.shared.take());
        }
        let buffer = self.open.as_mut().expect("it was just opened");
        let start = buffer.len();
        buffer.resize(start + asked, 0);
        let read = file.read_at(&mut buffer[start..], 0)?;
        buffer.truncate(start + read);
        if read == asked {
            buffer.truncate(start);
            return Ok(None);
        }
        let bytes = &buffer[start..];
        self.readers.observer.event(Event::Done { files: 0, bytes: read as u64 });
        if read as u64 <= self.readers.inline {
            node.content = Content::Inline(bytes.to_vec());
            buffer.truncate(start);
        } else {
            let place = Bytes::Shared(start..start + read);
            self.found.push(Found::Chunk(ChunkId::WithOthers, place));
        }
        if read == 0 {
            node.content = Content::Empty;
        }
        Ok(Some(read as u64))
    }
}
