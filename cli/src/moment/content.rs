//! The content of files.

use yore_engine::format::Node;
use yore_engine::read::{OpenFile, Piece, Reader};

/// Hands the bytes of a file to `write` in order, until it returns `false`.
pub fn copy_out(
    reader: &Reader,
    node: &Node,
    write: &mut dyn FnMut(&[u8]) -> bool,
) -> yore_engine::Result<()> {
    static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
    let file = OpenFile::open(reader, node)?;
    let mut offset = 0;
    loop {
        let (length, goes_on) = match file.piece(reader, offset)? {
            Piece::End => return Ok(()),
            Piece::Data { blob, range } => (range.len(), write(&blob[range])),
            Piece::Inline(range) => (range.len(), write(&file.inline()[range])),
            Piece::Hole(length) => {
                let length = usize::try_from(length).unwrap_or(usize::MAX).min(ZEROS.len());
                (length, write(&ZEROS[..length]))
            }
        };
        if !goes_on {
            return Ok(());
        }
        offset += length as u64;
    }
}
