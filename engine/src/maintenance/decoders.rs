//! Every decoder of bytes that a storage may have altered, each as a function that must return whatever the bytes are.
//!
//! Most objects are authenticated before they are decoded, so only a holder of a secret can make others; headers, key
//! slots and the ends of packs are decoded before. tests/fuzz feeds these functions with libFuzzer, and the tests below
//! with altered samples of a real repository, and with everything that a fuzzer has found (tests/fuzz/corpus).
//!
//! What decodes must also encode, where there is an encoder, to bytes that decode to the same.

use std::hint::black_box;

use yore_platform::ReadBuffer;

use crate::format::cbor::{self, Read};
use crate::format::header::Unverified;
use crate::format::id::{ObjectId, RepositoryId, SnapshotId};
use crate::format::index::{self, IndexObject};
use crate::format::object::ObjectName;
use crate::format::pack::{Codec, Contents, FrameInfo, PackInfo, decode_frame};
use crate::format::record::{
    Annotation, Generation, Heartbeat, Session, Snapshot, Tombstone, TombstoneList, Verdict,
    decode_destination,
};
use crate::format::seal;
use crate::format::secret::Secret;
use crate::format::slot::Slot;
use crate::format::tree::{Tree, decode_hole_list, decode_list, decode_tree};
use crate::store::parity::verify_parity;

/// A decoder: its name, and a function that feeds it.
pub type Decoder = (&'static str, fn(&[u8]));

/// All decoders.
pub const DECODERS: [Decoder; 18] = [
    ("header", header),
    ("slot", slot),
    ("secret", secret),
    ("contents", contents),
    ("frame", frame),
    ("padded", padded),
    ("index", index_object),
    ("tree", tree),
    ("list", list),
    ("snapshot", snapshot),
    ("annotation", annotation),
    ("tombstone", tombstone),
    ("tombstones", tombstones),
    ("session", session),
    ("verdict", verdict),
    ("generation", generation),
    ("name", name),
    ("parity", parity),
];

/// Decodes, encodes and decodes again.
fn round_trip<T: PartialEq + std::fmt::Debug>(
    bytes: &[u8],
    decode: impl Fn(&[u8]) -> Read<T>,
    encode: impl Fn(&T) -> Vec<u8>,
) {
    if let Ok(value) = decode(bytes) {
        let again = decode(&encode(&value));
        assert_eq!(again.as_ref().ok(), Some(&value), "what decodes encodes to the same");
    }
}

fn header(bytes: &[u8]) {
    if let Ok(unverified) = Unverified::decode("here", bytes) {
        black_box(unverified.header);
    }
}

fn slot(bytes: &[u8]) {
    // The id and the repository of the samples.
    let repository = RepositoryId([1; 32]);
    let id = bytes.get(4..36).and_then(ObjectId::from_slice).unwrap_or(ObjectId([0; 32]));
    let _ = black_box(Slot::decode(&ObjectName::slot(id), repository, bytes));
}

fn secret(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let _ = black_box(Secret::key_file("here", &text));
    if let Ok(recovery) = Secret::recovery(&text) {
        let shown = recovery.to_text().expect("a recovery key is shown");
        assert!(Secret::recovery(&shown).is_ok());
    }
    black_box(Secret::typed(&text));
}

fn contents(bytes: &[u8]) {
    let decode = |bytes: &[u8]| {
        let mut d = minicbor::Decoder::new(bytes);
        Contents::decode(&mut d)
    };
    round_trip(bytes, decode, |contents| {
        let mut out = Vec::new();
        contents.encode(&mut out);
        out
    });
    let _ = black_box(PackInfo::decode(&mut minicbor::Decoder::new(bytes)));
}

/// The first bytes tell the frame's length and compression.
fn frame(bytes: &[u8]) {
    let Some((head, stored)) = bytes.split_first_chunk::<4>() else { return };
    let raw = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let Some(codec) = Codec::from_number(u64::from(head[3] & 1)) else { return };
    let info = FrameInfo { sealed: stored.len() as u32 + 16, raw, codec, blobs: 1 };
    let mut out = ReadBuffer::default();
    if decode_frame(&info, stored, &mut out).is_some() {
        assert_eq!(out.len(), raw as usize);
    }
}

fn padded(bytes: &[u8]) {
    if let Some(content) = seal::read_padded(bytes, 1 << 20) {
        assert!(content.len() <= 1 << 20);
    }
}

fn index_object(bytes: &[u8]) {
    round_trip(bytes, IndexObject::decode, |object| {
        index::encode(&object.packs, &object.replaces, &object.sessions)
    });
}

fn tree(bytes: &[u8]) {
    if let Ok(Tree::Nodes { nodes, .. }) = decode_tree(bytes) {
        assert!(nodes.windows(2).all(|pair| pair[0].name < pair[1].name), "names are sorted");
    }
}

/// The first byte is the depth.
fn list(bytes: &[u8]) {
    let Some((depth, rest)) = bytes.split_first() else { return };
    let _ = black_box(decode_list(rest, depth % 4));
    let _ = black_box(decode_hole_list(rest));
}

/// One with parts that this version does not know is read, and none is made of it.
fn snapshot(bytes: &[u8]) {
    let Ok(snapshot) = Snapshot::decode(bytes) else { return };
    if snapshot.unknown.allow_another("here", SnapshotId([0; 32])).is_ok() {
        round_trip(bytes, Snapshot::decode, Snapshot::encode);
    }
}

fn annotation(bytes: &[u8]) {
    round_trip(bytes, Annotation::decode, Annotation::encode);
}

fn tombstone(bytes: &[u8]) {
    round_trip(bytes, Tombstone::decode, Tombstone::encode);
}

fn tombstones(bytes: &[u8]) {
    round_trip(bytes, TombstoneList::decode, TombstoneList::encode);
    if let Ok(list) = TombstoneList::decode(bytes) {
        let _ = black_box(list.tombstones());
    }
}

fn session(bytes: &[u8]) {
    round_trip(bytes, Session::decode, Session::encode);
    let _ = black_box(decode_destination(bytes));
}

fn verdict(bytes: &[u8]) {
    round_trip(bytes, Verdict::decode, Verdict::encode);
    round_trip(bytes, Heartbeat::decode, Heartbeat::encode);
}

fn generation(bytes: &[u8]) {
    round_trip(bytes, Generation::decode, Generation::encode);
}

/// Names as a storage lists them.
fn name(bytes: &[u8]) {
    use crate::format::object::Area;
    let text = String::from_utf8_lossy(bytes);
    for area in Area::ALL {
        if let Some(name) = ObjectName::parse(area, &text) {
            assert!(name.as_str().starts_with(area.folder()), "it stays in its area");
            assert!(!name.as_str().contains(".."), "it leads nowhere else");
        }
    }
    let _ = black_box(cbor::texts(&mut minicbor::Decoder::new(bytes)));
}

/// A parity object, and the rebuilding of a pack of other bytes from it.
fn parity(bytes: &[u8]) {
    if let Ok((size, percent)) = verify_parity(ObjectId([1; 32]), bytes) {
        assert!(size > 0 && (1..=100).contains(&percent));
    }
}

#[cfg(test)]
mod tests;
