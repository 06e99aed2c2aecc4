//! Writing one node that is not a directory.

use yore_platform::{Kind, Metadata, Replace, TargetDir, TargetFile};

use super::context::Context;
use super::delete::check_removable;
use super::directory::{OpenDir, metadata_of};
use super::labelled_name::{self, LabelledName};
use super::{Extra, Overwrite, Verify, verify, was_there};
use crate::error::{Deviation, Error, Result};
use crate::format::blob_hasher::HASH_BATCH;
use crate::format::keys::BlobKind;
use crate::format::tree::{Content, Node};
use crate::operation::observer::{Event, Planned};
use crate::operation::run::Run;
use crate::path::join;
use crate::read::file::{OpenFile, Piece};

pub(super) mod salvage;

/// The outcome of a node.
pub(super) enum Outcome {
    /// It was written, with so many bytes of data.
    Written(u64),
    /// It existed already.
    Unchanged,
    /// Something else has its name, and stays.
    Skipped,
}

/// The way in which a node gets its name.
pub(super) enum Placement {
    /// Nothing has the name.
    New,
    /// A file has the name, and is replaced in one step.
    Replace,
    /// A directory has the name, and is removed when the new file is complete.
    RemoveDir,
}

impl Placement {
    /// Removes a directory for a file that is complete; returns the mode of its publication.
    pub(super) fn clear(self, target: &TargetDir, name: &[u8]) -> std::io::Result<Replace> {
        match self {
            Placement::New => Ok(Replace::Never),
            Placement::Replace => Ok(Replace::Always),
            Placement::RemoveDir => target.remove(name).map(|()| Replace::Never),
        }
    }
}

/// Decides how a node is written, by the file that has its name; it may get another name. Returns an outcome if
/// nothing is to be written.
pub(super) fn decide(
    context: &Context<'_>,
    open: &OpenDir<'_>,
    node: &mut Node,
) -> Result<std::result::Result<Placement, Outcome>> {
    let Some(target) = open.dir.as_ref().filter(|_| was_there(open.made)) else {
        return Ok(Ok(Placement::New));
    };
    let found =
        target.child_metadata(&node.name).map_err(|source| open.local(&node.name, source))?;
    let Some(found) = found else { return Ok(Ok(Placement::New)) };
    let replace = match context.options.overwrite {
        Overwrite::Never => return Ok(Err(Outcome::Skipped)),
        Overwrite::Newer if found.modified >= node.modified => return Ok(Err(Outcome::Skipped)),
        Overwrite::Different => !is_same_content(target, &found, node),
        Overwrite::Beside if is_same_content(target, &found, node) => false,
        Overwrite::Beside => {
            return Ok(match labelled_name::rename(context, open, target, node)? {
                LabelledName::Unused => {
                    context.counts.beside.add(1);
                    Ok(Placement::New)
                }
                LabelledName::AlreadyRestored => Err(Outcome::Unchanged),
            });
        }
        Overwrite::Newer | Overwrite::Always => {
            node.kind == Kind::File || !is_same_content(target, &found, node)
        }
    };
    if !replace {
        if context.options.run == Run::Real {
            set_by_name(context, open, target, &node.name, node);
        }
        return Ok(Err(Outcome::Unchanged));
    }
    let contents = check_replaceable(context, open, node, &found)?;
    record_replaced(context, open, node, &found, contents)?;
    Ok(Ok(if found.kind == Kind::Directory { Placement::RemoveDir } else { Placement::Replace }))
}

/// Counts a file that is replaced, and reports it in a dry run.
///
/// # Errors
/// [`Deviation::ChangedSincePlan`] where the plan does not have it.
pub(super) fn record_replaced(
    context: &Context<'_>,
    open: &OpenDir<'_>,
    node: &Node,
    found: &Metadata,
    contents: u64,
) -> Result<()> {
    let path = join(&open.path, &node.name);
    if !context.allowed.allow(&path, found, contents) {
        return Err(Deviation::ChangedSincePlan.into());
    }
    let is_newer = found.modified > node.modified;
    context.counts.replaced.add(1);
    context.counts.newer.add(u64::from(is_newer));
    if context.options.run == Run::Dry {
        let change = if is_newer { Planned::ReplaceNewer } else { Planned::Replace };
        context.observer.event(Event::Planned { path, change });
    }
    Ok(())
}

/// Refuses to remove a directory, unless the options allow it; returns the hash of its contents.
pub(super) fn check_replaceable(
    context: &Context<'_>,
    open: &OpenDir<'_>,
    node: &Node,
    found: &Metadata,
) -> Result<u64> {
    if found.kind != Kind::Directory {
        return Ok(0);
    }
    let path = context.path_of(&join(&open.below, &node.name));
    match context.options.extra {
        Extra::Keep => Err(Deviation::FolderInPlace { path }.into()),
        Extra::Delete => check_removable(context, open, &node.name)
            .map_err(|_| Deviation::UnsavedFolderInPlace { path }.into()),
    }
}

/// Returns whether the existing file has the content of the node.
pub(super) fn is_same_content(target: &TargetDir, found: &Metadata, node: &Node) -> bool {
    let same = match node.kind {
        Kind::File => found.modified == node.modified && found.size == node.size,
        Kind::Symlink => target.read_link(&node.name).is_ok_and(|text| text == node.target),
        Kind::CharDevice | Kind::BlockDevice => found.device_number == node.device_number,
        Kind::Directory | Kind::Fifo | Kind::Socket => true,
    };
    found.kind == node.kind && same
}

/// Writes a node that is not a directory.
pub(super) fn write(context: &Context<'_>, open: &OpenDir<'_>, node: &mut Node) -> Result<Outcome> {
    let placement = match decide(context, open, node)? {
        Ok(placement) => placement,
        Err(outcome) => return Ok(outcome),
    };
    let (Some(target), Run::Real) = (open.for_writing(), context.options.run) else {
        return Ok(Outcome::Written(node.data_length()));
    };
    if node.kind != Kind::File {
        write_special(context, open, target, node, placement)?;
        return Ok(Outcome::Written(0));
    }
    let local = |source| open.local(&node.name, source);
    let hint = if node.holes.is_empty() { node.size } else { 0 };
    // A restore that is killed must not leave a part of a file under its name, which a later one could take for
    // something newer.
    let file = target.create_temporary(hint).map_err(local)?;
    fill(context, open, node, &file)?;
    placement
        .clear(target, &node.name)
        .and_then(|replace| file.publish(&node.name, replace))
        .map_err(local)?;
    if context.options.verify == Verify::Reread {
        verify::compare(context, open, node)?;
    }
    Ok(Outcome::Written(node.data_length()))
}

/// Makes a node that has no content.
fn write_special(
    context: &Context<'_>,
    open: &OpenDir<'_>,
    target: &TargetDir,
    node: &Node,
    placement: Placement,
) -> Result<()> {
    let make = |name: &[u8]| {
        make_special(target, name, node)?;
        set_by_name(context, open, target, name, node);
        Ok(())
    };
    let made = match placement {
        Placement::New => make(&node.name),
        Placement::Replace => target.replace_with(&node.name, make),
        Placement::RemoveDir => target.remove(&node.name).and_then(|()| make(&node.name)),
    };
    made.map_err(|source| open.local(&node.name, source))
}

fn make_special(target: &TargetDir, name: &[u8], node: &Node) -> std::io::Result<()> {
    match node.kind {
        Kind::Symlink => target.symlink(name, &node.target),
        Kind::Fifo => target.make_fifo(name),
        Kind::Socket => target.make_socket(name),
        Kind::CharDevice | Kind::BlockDevice => {
            target.make_device(name, node.kind, node.device_number)
        }
        Kind::File | Kind::Directory => Err(std::io::ErrorKind::InvalidInput.into()),
    }
}

/// Sets the metadata of the node on the file `name`.
fn set_by_name(
    context: &Context<'_>,
    open: &OpenDir<'_>,
    target: &TargetDir,
    name: &[u8],
    node: &Node,
) {
    let refused = target.set_child_metadata(name, &metadata_of(context, node));
    report_refused(context, open, node, refused);
}

pub(super) fn report_refused(
    context: &Context<'_>,
    open: &OpenDir<'_>,
    node: &Node,
    refused: Vec<yore_platform::RefusedMetadata>,
) {
    if !refused.is_empty() {
        let (path, below) = (join(&open.path, &node.name), join(&open.below, &node.name));
        context.refused(refused, &path, &below);
    }
}

/// Writes content and metadata of a file.
fn fill(context: &Context<'_>, open: &OpenDir<'_>, node: &Node, out: &TargetFile) -> Result<()> {
    let local = |source| open.local(&node.name, source);
    match &node.content {
        Content::Empty if node.holes.is_empty() => {}
        Content::Inline(bytes) if node.holes.is_empty() => {
            out.write_at(bytes, 0).map_err(local)?;
        }
        Content::Chunks(chunks) if chunks.len() == 1 && node.holes.is_empty() => {
            // The files around it come next.
            context.reader.prefetch_around(&chunks[0].id);
            let blob = context.reader.blob(BlobKind::Data, &chunks[0].id)?;
            if blob.len() as u64 != node.size {
                let object = format!("blob {}", chunks[0].id);
                return Err(Error::damaged(object, "it has another length"));
            }
            context.answered();
            out.write_at(&blob, 0).map_err(local)?;
        }
        _ => {
            let file = OpenFile::open(context.reader, node)?;
            write_range(context, &file, out, 0..node.size, &local)?;
            finish_length(node, out).map_err(local)?;
        }
    }
    report_refused(context, open, node, out.set_metadata(&metadata_of(context, node)));
    Ok(())
}

/// Makes a file that ends in a hole as long as it should be.
pub(super) fn finish_length(node: &Node, out: &TargetFile) -> std::io::Result<()> {
    if node.holes.is_empty() { Ok(()) } else { out.set_len(node.size) }
}

/// Prefetches the next chunks of a file together; returns where they end.
fn prefetch_next(context: &Context<'_>, file: &OpenFile, from: u64, end: u64) -> u64 {
    let (mut ids, mut at) = (Vec::new(), from);
    while ids.len() < HASH_BATCH && at < end {
        // An error shows when the chunk is written.
        let Ok(Some(chunk)) = file.chunk_after(context.reader, at) else { break };
        ids.push(chunk.id);
        at = chunk.range.end.max(at + 1);
    }
    context.reader.prefetch(&ids);
    if ids.is_empty() { end } else { at }
}

/// Writes a stretch of a file; holes are skipped.
pub(super) fn write_range(
    context: &Context<'_>,
    file: &OpenFile,
    out: &TargetFile,
    range: std::ops::Range<u64>,
    local: &dyn Fn(std::io::Error) -> Error,
) -> Result<()> {
    let (mut offset, mut prefetched) = (range.start, range.start);
    while offset < range.end {
        if context.stopped() {
            return Err(Error::Interrupted);
        }
        if offset >= prefetched {
            prefetched = prefetch_next(context, file, offset, range.end);
        }
        let piece = file.piece(context.reader, offset)?;
        context.answered();
        let bytes = match &piece {
            Piece::Data { blob, range } => &blob[range.clone()],
            Piece::Inline(range) => &file.inline()[range.clone()],
            Piece::Hole(zeros) => {
                offset = offset.saturating_add(*zeros);
                continue;
            }
            Piece::End => &[],
        };
        let length = bytes.len().min(usize::try_from(range.end - offset).unwrap_or(usize::MAX));
        if length == 0 {
            return Err(Error::damaged("the list of its chunks", "it ends before the file does"));
        }
        out.write_at(&bytes[..length], offset).map_err(local)?;
        offset += length as u64;
    }
    Ok(())
}
