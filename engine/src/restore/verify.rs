//! Reading again what was written.

use yore_platform::ReadMode;

use super::context::Context;
use super::directory::{OpenDir, join};
use crate::error::{Error, Result};
use crate::file::{OpenFile, Piece};
use crate::tree::Node;

/// How much is read at once.
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
            Piece::Data { blob, range } => Some(&blob[range.clone()]),
            Piece::Inline(range) => Some(&file.inline()[range.clone()]),
            Piece::Hole(_) => None,
            Piece::End => break,
        };
        let left = match (&piece, wanted) {
            (Piece::Hole(zeros), _) => *zeros,
            (_, bytes) => bytes.map_or(0, <[u8]>::len) as u64,
        };
        let length = left.min(buffer.len() as u64) as usize;
        let read = written.read_at(&mut buffer[..length], offset).map_err(local)?;
        same = read == length
            && match wanted {
                Some(bytes) => buffer[..length] == bytes[..length],
                None => buffer[..length].iter().all(|&byte| byte == 0),
            };
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
