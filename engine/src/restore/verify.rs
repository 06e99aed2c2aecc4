//! Verifying restored files by reading them again.

use std::ops::Range;

use yore_platform::{ReadMode, SourceFile};

use super::context::Context;
use super::directory::OpenDir;
use crate::error::{Error, Result};
use crate::format::tree::Node;
use crate::path::join;
use crate::read::file::{OpenFile, Piece};

/// The bytes of one read.
const STEP: usize = 1 << 20;

/// Compares a restored file with the snapshot; one that differs is removed.
pub(super) fn compare(context: &Context<'_>, open: &OpenDir<'_>, node: &Node) -> Result<()> {
    let local = |source| open.local(&node.name, source);
    let Some(source) = &open.source else {
        let what = "its folder can't be read, to compare what was written";
        return Err(local(std::io::Error::new(std::io::ErrorKind::PermissionDenied, what)));
    };
    let written = source.open_file(&node.name, ReadMode::Buffered).map_err(local)?;
    let file = OpenFile::open(context.reader, node)?;
    let mut same = written.opened().size == node.size;
    let (mut offset, mut buffer) = (0, vec![0; STEP.min(node.size as usize)]);
    while same && offset < node.size {
        if context.stopped() {
            return Err(Error::Interrupted);
        }
        let piece = file.piece(context.reader, offset)?;
        let wanted = match &piece {
            Piece::Data { blob, range } => &blob[range.clone()],
            Piece::Inline(range) => &file.inline()[range.clone()],
            Piece::Hole(zeros) => {
                let end = offset.saturating_add(*zeros).min(node.size);
                same = is_zero(context, &written, offset..end, &mut buffer, &local)?;
                offset = end;
                continue;
            }
            Piece::End => break,
        };
        let length = wanted.len().min(buffer.len());
        let read = written.read_at(&mut buffer[..length], offset).map_err(local)?;
        same = read == length && buffer[..length] == wanted[..length];
        offset += length as u64;
    }
    if same {
        return Ok(());
    }
    if let Some(dir) = &open.dir {
        let _ = dir.remove(&node.name);
    }
    let object = String::from_utf8_lossy(&join(&open.path, &node.name)).into_owned();
    Err(Error::damaged(object, "it does not read back as it was written (it was removed again)"))
}

/// Returns whether a stretch reads as zeros; holes of the file system are not read.
fn is_zero(
    context: &Context<'_>,
    written: &SourceFile,
    range: Range<u64>,
    buffer: &mut [u8],
    local: &dyn Fn(std::io::Error) -> Error,
) -> Result<bool> {
    let mut offset = range.start;
    while let Some(data) = written.next_data(offset).map_err(local)? {
        let end = data.end.min(range.end);
        offset = data.start;
        if offset >= range.end {
            break;
        }
        while offset < end {
            if context.stopped() {
                return Err(Error::Interrupted);
            }
            let length = (end - offset).min(buffer.len() as u64) as usize;
            let read = written.read_at(&mut buffer[..length], offset).map_err(local)?;
            if read < length || buffer[..length].iter().any(|&byte| byte != 0) {
                return Ok(false);
            }
            offset += length as u64;
        }
    }
    Ok(true)
}
