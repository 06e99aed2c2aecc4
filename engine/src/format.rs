//! The repository format: encoding, sealing and decoding of every object (FORMAT.md).
//!
//! These modules do not access a destination.

pub(crate) mod blob_hasher;
pub(crate) mod cbor;
pub(crate) mod chunker;
pub(crate) mod content;
pub(crate) mod content_id;
pub(crate) mod header;
pub(crate) mod id;
pub(crate) mod index;
pub(crate) mod keys;
pub(crate) mod object;
pub(crate) mod pack;
pub(crate) mod record;
pub(crate) mod seal;
pub(crate) mod secret;
pub(crate) mod slot;
pub(crate) mod tree;

pub use content_id::{ContentId, content_id};
pub use header::{FORMAT_VERSION, Header, MAX_PARITY, Parameters};
pub use id::{BlobId, ObjectId, RepositoryId, SnapshotId, encode_hex};
pub use keys::BlobKind;
pub use object::{Area, Kind as ObjectKind, ObjectName};
pub use pack::{Codec, FrameInfo, PackInfo, PackKind};
pub use record::{
    Annotation, ClientId, DestinationId, Exclusion, ForeignKind, ForeignSource, Origin, Outcome,
    Session, Snapshot, Tombstone, Totals, UnknownParts, Verdict,
};
pub use secret::{Secret, SecretKind};
pub use slot::{Cost, Slot};
pub use tree::{Chunk, Content, Flags, Hole, Holes, InvalidNode, LeafRef, ListRef, Node, Tree};
