//! Ids of whole contents, to recognise a file's content elsewhere without reading it.

use crate::format::id::encode_hex;
use crate::format::tree::{Content, Holes, Node};
use sha2::{Digest, Sha256};

/// The id of a file's content: two files of one repository with the same id have the same bytes.
///
/// The reverse holds if they were chunked alike and have the same holes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentId(pub [u8; 32]);

impl std::fmt::Display for ContentId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&encode_hex(&self.0))
    }
}

/// Returns the id of a file's content: the blob's id if it is one chunk without holes, else a
/// SHA-256 over size, chunks (or lists, or the bytes themselves) and holes.
pub fn content_id(node: &Node) -> ContentId {
    if let (Content::Chunks(chunks), true) = (&node.content, node.holes.is_empty())
        && let [chunk] = chunks.as_slice()
    {
        return ContentId(chunk.id.0);
    }
    let mut hash = Sha256::new();
    hash.update(b"yore content 1");
    hash.update(node.size.to_be_bytes());
    match &node.content {
        Content::Empty => hash.update([0]),
        Content::Inline(bytes) => {
            hash.update([1]);
            hash.update(number(bytes.len()));
            hash.update(bytes);
        }
        Content::Chunks(chunks) => {
            hash.update([2]);
            hash.update(number(chunks.len()));
            chunks.iter().for_each(|chunk| hash.update(chunk.id.0));
        }
        Content::Lists { depth, lists } => {
            hash.update([3, *depth]);
            hash.update(number(lists.len()));
            lists.iter().for_each(|list| hash.update(list.id.0));
        }
    }
    match &node.holes {
        Holes::Inline(holes) => {
            hash.update([0]);
            for hole in holes {
                hash.update(hole.data.to_be_bytes());
                hash.update(hole.hole.to_be_bytes());
            }
        }
        Holes::Lists(lists) => {
            hash.update([1]);
            lists.iter().for_each(|id| hash.update(id.0));
        }
    }
    ContentId(hash.finalize().into())
}

fn number(count: usize) -> [u8; 8] {
    (count as u64).to_be_bytes()
}
