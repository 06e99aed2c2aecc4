//! The content of a file, read from one repository and cut for another.

use std::cell::Cell;

use yore_platform::Kind;

use super::tree::Failed;
use crate::error::{Error, Result};
use crate::format::chunker::{End, Gear};
use crate::format::content::{ContentBuilder, keep_holes};
use crate::format::keys::{BlobKind, Keys};
use crate::format::tree::{Chunk, Content, Holes, Node, decode_hole_list};
use crate::operation::observer::{Event, Observer};
use crate::read::file::{OpenFile, Piece};
use crate::read::reader::Reader;
use crate::repository::Repository;
use crate::store::BlobStore;
use crate::store::buffers::blob_bytes::BlobBytes;

/// The keys and parameters by which contents are cut and named.
pub(super) struct Recutter<'a> {
    source: &'a Reader,
    pub(super) keys: &'a Keys,
    gear: Gear,
    /// The size in bytes up to which content is kept in the node.
    inline: u64,
    observer: &'a dyn Observer,
    read: Cell<FilesRead>,
}

/// The files that were read, and their bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct FilesRead {
    pub(super) files: u64,
    pub(super) bytes: u64,
}

/// The content of a file while it is cut.
struct Cut<'c, 's, 'r> {
    store: &'c mut BlobStore<'s, 'r>,
    keys: &'c Keys,
    content: ContentBuilder,
    chunk: Vec<u8>,
}

impl<'a> Recutter<'a> {
    pub(super) fn new(source: &'a Reader, to: &'a Repository, observer: &'a dyn Observer) -> Self {
        let parameters = &to.header.parameters;
        let gear = Gear::new(&to.keys, parameters);
        let (inline, read) = (parameters.inline.into(), Cell::default());
        Self { source, keys: &to.keys, gear, inline, observer, read }
    }

    /// Returns the files that were read so far.
    pub(super) fn files_read(&self) -> FilesRead {
        self.read.get()
    }

    /// Stores the content of a file, and replaces the blobs that its node names.
    pub(super) fn store(
        &self,
        node: &mut Node,
        store: &mut BlobStore<'_, '_>,
    ) -> std::result::Result<(), Failed> {
        if node.kind != Kind::File {
            return Ok(());
        }
        let file = OpenFile::open(self.source, node).map_err(Failed::Source)?;
        self.store_holes(node, store)?;
        let data = file.data_size();
        node.content = match data {
            0 => Content::Empty,
            _ if data <= self.inline && node.holes.is_empty() => {
                let mut bytes = Vec::new();
                self.read(&file, &mut |part| {
                    bytes.extend_from_slice(part);
                    Ok(())
                })?;
                Content::Inline(bytes)
            }
            _ => self.cut(&file, store)?,
        };
        let FilesRead { files, bytes } = self.read.get();
        self.read.set(FilesRead { files: files + 1, bytes: bytes.saturating_add(node.size) });
        self.observer.event(Event::Done { files: 1, bytes: node.size });
        Ok(())
    }

    fn store_holes(
        &self,
        node: &mut Node,
        store: &mut BlobStore<'_, '_>,
    ) -> std::result::Result<(), Failed> {
        let Holes::Lists(lists) = &node.holes else { return Ok(()) };
        let mut holes = Vec::new();
        for id in lists {
            let blob = self.source.blob(BlobKind::List, id).map_err(Failed::Source)?;
            let damaged = |_| Error::damaged(format!("blob {id}"), "it is no list of holes");
            holes.extend(decode_hole_list(&blob).map_err(damaged).map_err(Failed::Source)?);
        }
        let mut save = |bytes| store.add_metadata(BlobKind::List, bytes);
        node.holes = keep_holes(holes, &mut save).map_err(Failed::Target)?;
        Ok(())
    }

    /// Passes the data of a file to `take`, piece by piece.
    fn read(
        &self,
        file: &OpenFile,
        take: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> std::result::Result<(), Failed> {
        let mut offset = 0;
        loop {
            if self.observer.interrupted() {
                return Err(Failed::Target(Error::Interrupted));
            }
            match file.piece(self.source, offset).map_err(Failed::Source)? {
                Piece::Data { blob, range } => {
                    offset += range.len() as u64;
                    take(&blob[range]).map_err(Failed::Target)?;
                }
                Piece::Inline(range) => {
                    offset += range.len() as u64;
                    take(&file.inline()[range]).map_err(Failed::Target)?;
                }
                Piece::Hole(bytes) => offset += bytes,
                Piece::End if offset == file.size() => return Ok(()),
                Piece::End => {
                    let what = "a file ends before its size";
                    return Err(Failed::Source(Error::damaged(what, "its chunks are too short")));
                }
            }
        }
    }

    fn cut(
        &self,
        file: &OpenFile,
        store: &mut BlobStore<'_, '_>,
    ) -> std::result::Result<Content, Failed> {
        let mut cutter = self.gear.cutter();
        let (keys, content, chunk) = (self.keys, ContentBuilder::default(), Vec::new());
        let mut cut = Cut { store, keys, content, chunk };
        self.read(file, &mut |mut bytes| {
            while !bytes.is_empty() {
                let (taken, end) = cutter.take(bytes);
                cut.chunk.extend_from_slice(&bytes[..taken]);
                bytes = &bytes[taken..];
                if end == End::Here {
                    cut.end_chunk()?;
                }
            }
            Ok(())
        })?;
        cut.finish().map_err(Failed::Target)
    }
}

impl Cut<'_, '_, '_> {
    fn end_chunk(&mut self) -> Result<()> {
        let bytes = std::mem::take(&mut self.chunk);
        let id = self.keys.blob_id(BlobKind::Data, &bytes);
        let chunk = Chunk { id, length: bytes.len() as u32 };
        self.store.add(BlobKind::Data, id, BlobBytes::whole(bytes))?;
        let store = &mut *self.store;
        let mut save = |bytes| store.add_metadata(BlobKind::List, bytes);
        self.content.push(chunk, &mut save)
    }

    fn finish(mut self) -> Result<Content> {
        if !self.chunk.is_empty() {
            self.end_chunk()?;
        }
        let store = self.store;
        let mut save = |bytes| store.add_metadata(BlobKind::List, bytes);
        self.content.finish(&mut save)
    }
}
