//! Putting one node that is not a directory into its place.

use yore_platform::{Kind, Metadata, Replace, TargetDir, TargetFile};

use super::context::Context;
use super::delete::look_through;
use super::directory::{OpenDir, metadata_of};
use super::labelled_name::{self, Beside};
use super::{Extra, Overwrite, Verify, verify, was_there};
use crate::error::{Error, Result};
use crate::format::blob_hasher::HASH_BATCH;
use crate::format::keys::BlobKind;
use crate::format::tree::{Content, Node};
use crate::observer::{Event, Planned};
use crate::path::join;
use crate::read::file::{OpenFile, Piece};
use crate::run::Run;

/// What became of a node.
pub(super) enum Outcome {
    /// It is there now, with so many bytes of data.
    Written(u64),
    /// It was there already, as it should be.
    Unchanged,
    /// Something was there and stays.
    Skipped,
}

/// How a node gets its name.
pub(super) enum Way {
    /// Nothing has it.
    New,
    /// What has it is replaced in one step.
    Replace,
    /// A directory has it, which is removed when what comes in its place is complete.
    Clear,
}

impl Way {
    /// Makes room for something complete; returns how it is published.
    pub(super) fn clear(self, target: &TargetDir, name: &[u8]) -> std::io::Result<Replace> {
        match self {
            Way::New => Ok(Replace::Never),
            Way::Replace => Ok(Replace::Always),
            Way::Clear => target.remove(name).map(|()| Replace::Never),
        }
    }
}

/// Decides by what is in the place of a node, which may get another name; gives an outcome when
/// nothing is to be written.
pub(super) fn way(
    context: &Context<'_>,
    open: &OpenDir<'_>,
    node: &mut Node,
) -> Result<std::result::Result<Way, Outcome>> {
    let Some(target) = open.dir.as_ref().filter(|_| was_there(open.made)) else {
        return Ok(Ok(Way::New));
    };
    let found =
        target.child_metadata(&node.name).map_err(|source| open.local(&node.name, source))?;
    let Some(found) = found else { return Ok(Ok(Way::New)) };
    let replace = match context.options.overwrite {
        Overwrite::Never => return Ok(Err(Outcome::Skipped)),
        Overwrite::Newer if found.modified >= node.modified => return Ok(Err(Outcome::Skipped)),
        Overwrite::Different => !is_right(target, &found, node),
        Overwrite::Beside if is_right(target, &found, node) => false,
        Overwrite::Beside => {
            return Ok(match labelled_name::rename(context, open, target, node)? {
                Beside::Free => {
                    context.counts.beside.add(1);
                    Ok(Way::New)
                }
                Beside::There => Err(Outcome::Unchanged),
            });
        }
        Overwrite::Newer | Overwrite::Always => {
            node.kind == Kind::File || !is_right(target, &found, node)
        }
    };
    if !replace {
        if context.options.run == Run::Real {
            set_by_name(context, open, target, &node.name, node);
        }
        return Ok(Err(Outcome::Unchanged));
    }
    let contents = check_replaceable(context, open, node, &found)?;
    note_replaced(context, open, node, &found, contents)?;
    Ok(Ok(if found.kind == Kind::Directory { Way::Clear } else { Way::Replace }))
}

/// Counts what is replaced by something else, and tells of it in a dry run.
///
/// # Errors
/// [`Error::Refused`] where nobody agreed to it.
pub(super) fn note_replaced(
    context: &Context<'_>,
    open: &OpenDir<'_>,
    node: &Node,
    found: &Metadata,
    contents: u64,
) -> Result<()> {
    let path = join(&open.path, &node.name);
    if !context.agreement.allows(&path, found, contents) {
        return Err(not_agreed());
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

/// What is told of something that is not as the plan had it.
pub(super) fn not_agreed() -> Error {
    Error::Refused { what: "it changed since the plan was shown, and stays as it is".into() }
}

/// Refuses to remove a directory, unless that was asked for; returns a number for what is in it.
pub(super) fn check_replaceable(
    context: &Context<'_>,
    open: &OpenDir<'_>,
    node: &Node,
    found: &Metadata,
) -> Result<u64> {
    if found.kind != Kind::Directory {
        return Ok(0);
    }
    let what = match context.options.extra {
        Extra::Keep => "a folder is in its place (--delete removes it)",
        Extra::Delete => match look_through(context, open, &node.name) {
            Ok(contents) => return Ok(contents),
            Err(_) => "a folder is in its place that holds what backups leave out or can't read",
        },
    };
    Err(open.local(&node.name, std::io::Error::new(std::io::ErrorKind::IsADirectory, what)))
}

/// Whether what is there is the node already, apart from its metadata.
pub(super) fn is_right(target: &TargetDir, found: &Metadata, node: &Node) -> bool {
    let same = match node.kind {
        Kind::File => found.modified == node.modified && found.size == node.size,
        Kind::Symlink => target.read_link(&node.name).is_ok_and(|text| text == node.target),
        Kind::CharDevice | Kind::BlockDevice => found.device_number == node.device_number,
        Kind::Directory | Kind::Fifo | Kind::Socket => true,
    };
    found.kind == node.kind && same
}

/// Writes a node that is not a directory.
pub(super) fn place(context: &Context<'_>, open: &OpenDir<'_>, node: &mut Node) -> Result<Outcome> {
    let way = match way(context, open, node)? {
        Ok(way) => way,
        Err(outcome) => return Ok(outcome),
    };
    let (Some(target), Run::Real) = (open.for_writing(), context.options.run) else {
        return Ok(Outcome::Written(node.data_length()));
    };
    if node.kind != Kind::File {
        place_special(context, open, target, node, way)?;
        return Ok(Outcome::Written(0));
    }
    let local = |source| open.local(&node.name, source);
    let hint = if node.holes.is_empty() { node.size } else { 0 };
    // Whoever is killed in the middle of a file must not leave a part of it under its name, which a
    // later restore could take for something newer.
    let file = target.create_temporary(hint).map_err(local)?;
    fill(context, open, node, &file)?;
    way.clear(target, &node.name)
        .and_then(|replace| file.publish(&node.name, replace))
        .map_err(local)?;
    if context.options.verify == Verify::Reread {
        verify::compare(context, open, node)?;
    }
    Ok(Outcome::Written(node.data_length()))
}

/// Makes something that has no content.
fn place_special(
    context: &Context<'_>,
    open: &OpenDir<'_>,
    target: &TargetDir,
    node: &Node,
    way: Way,
) -> Result<()> {
    let make = |name: &[u8]| {
        make_special(target, name, node)?;
        set_by_name(context, open, target, name, node);
        Ok(())
    };
    let made = match way {
        Way::New => make(&node.name),
        Way::Replace => target.replace_with(&node.name, make),
        Way::Clear => target.remove(&node.name).and_then(|()| make(&node.name)),
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

/// Gives what has `name` the metadata of the node.
fn set_by_name(
    context: &Context<'_>,
    open: &OpenDir<'_>,
    target: &TargetDir,
    name: &[u8],
    node: &Node,
) {
    let refused = target.set_child_metadata(name, &metadata_of(context, node));
    note_refused(context, open, node, refused);
}

pub(super) fn note_refused(
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
    note_refused(context, open, node, out.set_metadata(&metadata_of(context, node)));
    Ok(())
}

/// Makes a file that ends in a hole as long as it should be.
pub(super) fn finish_length(node: &Node, out: &TargetFile) -> std::io::Result<()> {
    if node.holes.is_empty() { Ok(()) } else { out.set_len(node.size) }
}

/// Makes the next chunks of a file ready at once; returns where they end.
fn make_ready(context: &Context<'_>, file: &OpenFile, from: u64, end: u64) -> u64 {
    let (mut ids, mut at) = (Vec::new(), from);
    while ids.len() < HASH_BATCH && at < end {
        // What can't be found will be missed when it is written.
        let Ok(Some(chunk)) = file.chunk_after(context.reader, at) else { break };
        ids.push(chunk.id);
        at = chunk.range.end.max(at + 1);
    }
    context.reader.prefetch(&ids);
    if ids.is_empty() { end } else { at }
}

/// Writes a stretch of a file; holes are passed over.
pub(super) fn write_range(
    context: &Context<'_>,
    file: &OpenFile,
    out: &TargetFile,
    range: std::ops::Range<u64>,
    local: &dyn Fn(std::io::Error) -> Error,
) -> Result<()> {
    let (mut offset, mut ready) = (range.start, range.start);
    while offset < range.end {
        if context.stopped() {
            return Err(Error::Interrupted);
        }
        if offset >= ready {
            ready = make_ready(context, file, offset, range.end);
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
