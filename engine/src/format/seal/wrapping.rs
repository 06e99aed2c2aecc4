//! How the key of an object is found.

use crate::format::keys::{Keys, SIGNATURE};
use crate::format::object::Kind;

/// How the key of an object is found, and who may make the object: byte 6 of its prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Wrapping {
    /// Its key derives from a purpose key.
    PurposeKey = 0,
    /// Its key derives from a secret that is encapsulated to a public key; the id is the encapsulated key.
    PublicKey = 1,
    /// As by a purpose key, and followed by a signature.
    Signed = 2,
}

impl Wrapping {
    /// Returns the wrapping of objects of a kind; in an inbox a machine may not make all of them (FORMAT.md §15).
    pub(super) fn of(keys: &Keys, kind: Kind) -> Self {
        if keys.inbox().is_none() {
            return Wrapping::PurposeKey;
        }
        match kind {
            Kind::DataPack => Wrapping::PublicKey,
            Kind::Snapshot
            | Kind::Tombstone
            | Kind::Annotation
            | Kind::Generation
            | Kind::GenerationEnd => Wrapping::Signed,
            Kind::TreePack
            | Kind::Index
            | Kind::Session
            | Kind::Verdict
            | Kind::Destination
            | Kind::Heartbeat => Wrapping::PurposeKey,
        }
    }

    /// Returns the bytes after the tag of an object that is sealed whole.
    pub(super) fn signature(self) -> usize {
        if self == Wrapping::Signed { SIGNATURE } else { 0 }
    }
}
